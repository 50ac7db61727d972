//! What payouts are held by: grounds on which no money may leave at all, each with a name and who may lift it.
//!
//! A trouble hinders a payout that was tried; a hold keeps anything from being tried. While any hold is set nothing is
//! planned, set aside, signed or sent for the first time, whoever asks. Holds are told by those who know
//! ([`HoldPayouts`]); each ground has one teller, who also lifts it.
//!
//! What was broadcast is followed under a hold, and sent again as the same bytes if the network lost it: those bytes
//! can pay only once. Only while it is not sure that this is the ledger's chain ([`Hold::doubts_chain`]) nothing is
//! followed either: what another chain says of a transaction must not be booked.

use std::fmt;
use std::str::FromStr;

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
                "compare ledger and wallet with `dwarves check`, book what was sent with paymaster adopt (without a wallet: \
                 look which batches were begun since the backup), then: dwarves admin paymaster release hold=restored"
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

/// Holds all payouts on a ground, or lifts it. Told by whoever knows; telling the same again changes nothing, so a
/// teller whose news were refused (the mailbox is full) tells them again. It is in force once it is handled: a look
/// that is under way stops before it sets aside, signs or sends anything new.
#[derive(Clone, Debug, PartialEq, Eq, actix::Message)]
#[rtype(result = "()")]
pub struct HoldPayouts {
    /// On which ground.
    pub hold: Hold,
    /// What is known of it, in words (cut after 500 bytes); `None` lifts it.
    pub detail: Option<String>,
}
