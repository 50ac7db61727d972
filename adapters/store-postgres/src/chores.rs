//! What the writer has to do between commits: bring shares into the history, drop what was pruned, forget old history.

use dwarves_domain::time::{Span, Timestamp};
use dwarves_ports::store::Write;

/// Seconds of shares after which they come into the history.
const ROLL_EVERY: Span = Span::from_secs(10);
/// Shares after which they do at the latest.
const ROLL_SHARES: u64 = 50_000;
/// What is to be done between commits, little by little.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Chores {
    /// Shares are to come into the history.
    pub(super) is_rolling: bool,
    /// Partitions of pruned shares are to be dropped.
    pub(super) is_dropping: bool,
    /// Old history is to be deleted.
    pub(super) is_forgetting: bool,
    /// When the first share came that is not in the history, if one came in this life; and how many did.
    pub(super) waiting: Option<(Timestamp, u64)>,
}

impl Chores {
    /// What a commit leaves to be done.
    pub(super) fn note(&mut self, writes: &[Write]) {
        for write in writes {
            match write {
                Write::AppendShares(shares) => {
                    let Some(last) = shares.last() else {
                        continue;
                    };
                    let (since, count) = self.waiting.get_or_insert((last.received_at, 0));
                    *count += shares.len() as u64;
                    let passed = last.received_at.ahead_of(*since).unsigned_abs();
                    self.is_rolling |= passed >= ROLL_EVERY.millis() || *count >= ROLL_SHARES;
                }
                Write::PruneShares { .. } => self.is_dropping = true,
                Write::PruneHistory { .. } => self.is_forgetting = true,
                _ => {}
            }
        }
    }

    pub(super) fn is_any(&self) -> bool {
        self.is_rolling || self.is_dropping || self.is_forgetting
    }
}
