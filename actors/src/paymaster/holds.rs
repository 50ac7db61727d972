//! What payouts are held by: grounds on which no money may leave at all, each with a name and who may lift it.
//!
//! A trouble hinders a payout that was tried; a hold keeps anything from being tried. While any hold is set nothing is
//! planned, set aside, signed or sent for the first time, whoever asks. Holds are told by those who know
//! ([`HoldPayouts`]); each ground has one teller, who also lifts it.
//!
//! What was broadcast is followed under a hold, and sent again as the same bytes if the network lost it: those bytes
//! can pay only once. Only while it is not sure that this is the ledger's chain ([`Hold::doubts_chain`]) nothing is
//! followed either: what another chain says of a transaction must not be booked.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

use super::messages::HoldPayouts;

/// The longest detail that is kept, in bytes.
const DETAIL_LEN_MAX: usize = 500;

/// A ground on which payouts are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hold {
    /// The pool was started with payouts held.
    Start,
    /// The ledger is older than its wallet, or may be.
    Restored,
    /// It is not known yet whether the ledger belongs to this chain.
    Identity,
    /// The chain is not the one that the operator means, or nobody knows.
    Chain,
    /// The clock is not believed.
    Clock,
}

/// A name that is none of a [`Hold`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected start, restored, identity, chain or clock")]
pub struct ParseHoldError;

impl Hold {
    /// Every ground on which payouts may be held.
    pub const ALL: [Self; 5] = [
        Self::Start,
        Self::Restored,
        Self::Identity,
        Self::Chain,
        Self::Clock,
    ];

    /// The name on the wire, in metrics and in the runbook.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Restored => "restored",
            Self::Identity => "identity",
            Self::Chain => "chain",
            Self::Clock => "clock",
        }
    }

    /// What an operator can do.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Start => "look around, then: dwarves admin paymaster release hold=start",
            Self::Restored => {
                "compare ledger and wallet with `dwarves check`, book what was sent with paymaster adopt, then: dwarves \
                 admin paymaster release hold=restored"
            }
            Self::Identity => "wait until the node is reachable and synced; it lifts by itself",
            Self::Chain => "see what the chain's own trouble says; it lifts by itself",
            Self::Clock => "set the clock right; it lifts by itself",
        }
    }

    /// Whether an operator may lift it. The others say what is so, whatever anybody wants.
    pub const fn may_be_released(self) -> bool {
        matches!(self, Self::Start | Self::Restored)
    }

    /// Whether it says that this may not be the ledger's chain, so that what it tells of payouts is not believed.
    pub const fn doubts_chain(self) -> bool {
        matches!(self, Self::Identity | Self::Chain)
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Hold {
    type Err = ParseHoldError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|hold| hold.name() == text);
        found.ok_or(ParseHoldError)
    }
}

/// The holds that are set, each with its detail in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holds(BTreeMap<Hold, String>);

impl Holds {
    /// Sets one at the start, before anybody is told.
    pub fn set(&mut self, hold: Hold, detail: String) {
        self.0.insert(hold, shortened(detail));
    }

    /// Whether none is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this one is set.
    pub fn contains(&self, hold: Hold) -> bool {
        self.0.contains_key(&hold)
    }

    /// Whether one of them says that this may not be the ledger's chain.
    pub fn doubt_chain(&self) -> bool {
        self.0.keys().any(|hold| hold.doubts_chain())
    }

    /// Sets or lifts one, and logs when it begins and when it is over. Whether anything changed but the detail.
    pub(super) fn apply(&mut self, told: HoldPayouts) -> bool {
        let HoldPayouts { hold, detail } = told;
        let Some(detail) = detail else {
            let was_set = self.0.remove(&hold).is_some();
            if was_set {
                log::info!("payouts are no longer held by {hold}");
            }
            return was_set;
        };
        let detail = shortened(detail);
        let begins = !self.contains(hold);
        if begins {
            log::error!("payouts are held by {hold}: {detail}; {}", hold.remedy());
        }
        self.0.insert(hold, detail);
        begins
    }

    /// Each as one line: name, detail, remedy.
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        let line = |(hold, detail): (&Hold, &String)| format!("{hold}: {detail}; {}", hold.remedy());
        self.0.iter().map(line)
    }

    /// As the pool's status shows them.
    pub fn to_json(&self) -> Value {
        let one = |(hold, detail): (&Hold, &String)| json!({ "hold": hold.name(), "detail": detail, "remedy": hold.remedy() });
        Value::Array(self.0.iter().map(one).collect())
    }
}

impl FromIterator<(Hold, String)> for Holds {
    fn from_iter<I: IntoIterator<Item = (Hold, String)>>(holds: I) -> Self {
        Self(
            holds
                .into_iter()
                .map(|(hold, detail)| (hold, shortened(detail)))
                .collect(),
        )
    }
}

fn shortened(mut detail: String) -> String {
    if detail.len() > DETAIL_LEN_MAX {
        let end = (0..=DETAIL_LEN_MAX)
            .rev()
            .find(|&end| detail.is_char_boundary(end));
        detail.truncate(end.unwrap_or(0));
    }
    detail
}
