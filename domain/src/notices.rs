//! What people are told of: kinds of notices, when one is sent again, and hours in which nobody wants to be woken.
//!
//! | module | its one job |
//! |---|---|
//! | [`wishes`] | what a miner wants to be told, and by which channels |
//! | [`url`] | where a channel leads, as text |
//! | [`subscription`] | a miner's wishes with what became of them, as they are stored |
//! | [`queues`] | what waits for each miner's channels, and whose turn it is |
//! | [`look`] | what is wrong with a miner's work, and since when |
//! | [`key`] | secrets of webhooks and codes for mail, which nobody has to keep |

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::time::{Span, Timestamp};

pub mod key;
pub mod look;
pub mod queues;
pub mod subscription;
pub mod url;
pub mod wishes;

/// What a notice tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// A block was found.
    BlockFound,
    /// Another block won: its credits are taken back.
    BlockOrphaned,
    /// The chain does not take a found block, or refused it.
    SubmitFailed,
    /// A payout's transaction is on its way.
    PayoutSent,
    /// No block has taken it for long.
    PayoutStuck,
    /// Its coins were spent by another transaction: balances are payable again.
    PayoutReturned,
    /// A node does not answer.
    NodeLost,
    /// It is in doubt on which chain the nodes are.
    ChainSuspect,
    /// The books do not add up.
    BooksDiffer,
    /// What there was in a day.
    Digest,
    /// Workers of a miner bring no shares any more.
    WorkerOffline,
    /// A miner's hashrate is far below what it was in the last day.
    HashrateLow,
    /// Many of a miner's shares are rejected.
    RejectsHigh,
    /// A miner has something to come, and there is no address that it could be paid to.
    NoPayoutAddress,
    /// Nothing: whoever gets it knows that the channel works.
    Test,
    /// A mail address that a miner gave: whoever has it says that it is theirs by sending back its code.
    ConfirmAddress,
}

impl NoticeKind {
    /// Every kind.
    pub const ALL: [Self; 16] = [
        Self::BlockFound,
        Self::BlockOrphaned,
        Self::SubmitFailed,
        Self::PayoutSent,
        Self::PayoutStuck,
        Self::PayoutReturned,
        Self::NodeLost,
        Self::ChainSuspect,
        Self::BooksDiffer,
        Self::Digest,
        Self::WorkerOffline,
        Self::HashrateLow,
        Self::RejectsHigh,
        Self::NoPayoutAddress,
        Self::Test,
        Self::ConfirmAddress,
    ];

    /// What operators can be told.
    pub const OPERATORS: [Self; 10] = [
        Self::BlockFound,
        Self::BlockOrphaned,
        Self::SubmitFailed,
        Self::PayoutSent,
        Self::PayoutStuck,
        Self::PayoutReturned,
        Self::NodeLost,
        Self::ChainSuspect,
        Self::BooksDiffer,
        Self::Digest,
    ];

    /// What miners can ask to be told. The digest has an hour of its own.
    pub const MINERS: [Self; 9] = [
        Self::BlockFound,
        Self::BlockOrphaned,
        Self::PayoutSent,
        Self::PayoutStuck,
        Self::PayoutReturned,
        Self::WorkerOffline,
        Self::HashrateLow,
        Self::RejectsHigh,
        Self::NoPayoutAddress,
    ];

    /// What miners of a pool that has work evaluated can ask to be told: it has no shares, no blocks and no transactions.
    pub const EVALUATED: [Self; 2] = [Self::WorkerOffline, Self::NoPayoutAddress];

    /// What miners can ask to be told, in a pool that has work evaluated or in one that mines.
    pub const fn of_miners(is_evaluated: bool) -> &'static [Self] {
        if is_evaluated {
            &Self::EVALUATED
        } else {
            &Self::MINERS
        }
    }

    /// The name on the wire, in settings and in storage.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BlockFound => "block_found",
            Self::BlockOrphaned => "block_orphaned",
            Self::SubmitFailed => "submit_failed",
            Self::PayoutSent => "payout_sent",
            Self::PayoutStuck => "payout_stuck",
            Self::PayoutReturned => "payout_returned",
            Self::NodeLost => "node_lost",
            Self::ChainSuspect => "chain_suspect",
            Self::BooksDiffer => "books_differ",
            Self::Digest => "digest",
            Self::WorkerOffline => "worker_offline",
            Self::HashrateLow => "hashrate_low",
            Self::RejectsHigh => "rejects_high",
            Self::NoPayoutAddress => "no_payout_address",
            Self::Test => "test",
            Self::ConfirmAddress => "confirm_address",
        }
    }

    /// In a few words, for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::BlockFound => "Block found",
            Self::BlockOrphaned => "Block orphaned",
            Self::SubmitFailed => "A found block is not taken",
            Self::PayoutSent => "Payout sent",
            Self::PayoutStuck => "Payout stuck",
            Self::PayoutReturned => "Payout returned",
            Self::NodeLost => "Node lost",
            Self::ChainSuspect => "Chain in doubt",
            Self::BooksDiffer => "The books do not add up",
            Self::Digest => "The last day",
            Self::WorkerOffline => "Worker offline",
            Self::HashrateLow => "Hashrate low",
            Self::RejectsHigh => "Many shares rejected",
            Self::NoPayoutAddress => "No payout address",
            Self::Test => "Test",
            Self::ConfirmAddress => "Confirm this mail address",
        }
    }

    /// Whether it cannot wait for the end of quiet hours: money or work is being lost while nobody looks.
    pub const fn is_urgent(self) -> bool {
        matches!(
            self,
            Self::SubmitFailed | Self::PayoutReturned | Self::ChainSuspect | Self::BooksDiffer
        )
    }
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no kind of notice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no kind of notice")]
pub struct UnknownNotice(String);

impl FromStr for NoticeKind {
    type Err = UnknownNotice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| UnknownNotice(text.to_owned()))
    }
}

/// How long to wait after each try that failed. After the last one it is given up: three days have passed.
const WAITS_SECS: [u64; 12] = [
    5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 64_800, 86_400,
];

/// How long to wait before a delivery is tried again that has failed so often; `None`: it is given up.
pub fn retry_after(failures: u32) -> Option<Span> {
    let at = usize::try_from(failures.checked_sub(1)?).ok()?;
    WAITS_SECS.get(at).map(|secs| Span::from_secs(*secs))
}

/// Hours of the day, by UTC, in which only what is urgent is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHours {
    /// The first quiet hour, 0 to 23.
    from: u8,
    /// The first that is not quiet any more.
    until: u8,
}

const HOUR_MILLIS: i64 = 3_600_000;
const DAY_MILLIS: i64 = 24 * HOUR_MILLIS;

impl QuietHours {
    /// From one full hour until another, which may be on the next day; `None` if they are no two different hours of a day.
    pub const fn new(from: u8, until: u8) -> Option<Self> {
        if from > 23 || until > 23 || from == until {
            return None;
        }
        Some(Self { from, until })
    }

    /// The first quiet hour, 0 to 23.
    pub const fn from(self) -> u8 {
        self.from
    }

    /// The first that is not quiet any more.
    pub const fn until(self) -> u8 {
        self.until
    }

    /// When something of this moment may be told: at once, or when the quiet hours are over.
    pub fn earliest(self, at: Timestamp) -> Timestamp {
        let into_day = at.millis().rem_euclid(DAY_MILLIS);
        let hour = into_day / HOUR_MILLIS;
        let (from, until) = (i64::from(self.from), i64::from(self.until));
        let is_quiet = if from < until {
            (from..until).contains(&hour)
        } else {
            hour >= from || hour < until
        };
        if !is_quiet {
            return at;
        }
        let to_end = (until * HOUR_MILLIS - into_day).rem_euclid(DAY_MILLIS);
        at.moved(to_end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_known_by_its_name() {
        for kind in NoticeKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
            assert!(!kind.title().is_empty());
            let stored = serde_json::to_value(kind).unwrap();
            assert_eq!(stored, kind.name(), "it is stored under its name");
        }
        assert_eq!(
            "nothing".parse::<NoticeKind>(),
            Err(UnknownNotice("nothing".to_owned()))
        );
    }

    #[test]
    fn waits_grow_and_end_after_days() {
        let waits: Vec<_> = (1..).map_while(retry_after).collect();
        assert!(waits.is_sorted() && waits.len() == WAITS_SECS.len());
        let all: u64 = waits.iter().map(|wait| wait.secs()).sum();
        assert!((2 * 86_400..4 * 86_400).contains(&all), "{all}");
        assert_eq!(retry_after(0), None);
    }

    #[test]
    fn what_comes_in_quiet_hours_waits_for_their_end() {
        let at = |hour: i64, minute: i64| Timestamp::from_secs(86_400 * 20_000 + hour * 3_600 + minute * 60);
        let night = QuietHours::new(22, 7).unwrap();
        for (came, told) in [
            (at(21, 59), at(21, 59)),
            (at(22, 0), at(31, 0)),
            (at(23, 30), at(31, 0)),
            (at(24, 0), at(31, 0)),
            (at(6, 59), at(7, 0)),
            (at(7, 0), at(7, 0)),
        ] {
            assert_eq!(night.earliest(came), told, "{came:?}");
        }
        let noon = QuietHours::new(12, 13).unwrap();
        assert_eq!(noon.earliest(at(12, 30)), at(13, 0));
        assert_eq!(noon.earliest(at(13, 0)), at(13, 0));
        for (from, until) in [(24, 0), (0, 24), (7, 7)] {
            assert_eq!(QuietHours::new(from, until), None);
        }
    }
}
