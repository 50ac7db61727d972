//! What a run has come to so far.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use dwarves_api_types::miners::{Balances, MinerStatus};

/// Over how long the hash rate is averaged.
const RATE_WINDOW: Duration = Duration::from_secs(10);

/// The reason under which shares are counted whose job ended before the pool could be reached.
pub const EXPIRED_UNSENT: &str = "expired_unsent";

/// What a run has come to so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Since the run began.
    pub elapsed: Duration,
    /// Headers hashed by all threads.
    pub hashes: u64,
    /// Hashes per second over the last ten seconds.
    pub hashrate: f64,
    /// Shares that the pool accepted.
    pub accepted: u64,
    /// Shares that did not count, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Accepted shares that are blocks.
    pub blocks: u64,
    /// Shares that were found and are not answered yet.
    pub waiting: u64,
    /// Jobs that the pool gave out to this run.
    pub jobs: u64,
    /// The height of the block that is searched.
    pub height: Option<u32>,
    /// The difficulty of a share of the present job.
    pub share_difficulty: Option<f64>,
    /// What the pool shows of the miner's money, once it has.
    pub money: Option<Money>,
    /// What hinders the run now, in words.
    pub trouble: Option<String>,
    /// That this computer's clock, or the pool's, is wrong, in words. It hinders nothing.
    pub clock: Option<String>,
}

/// What the pool shows of the miner's money.
#[derive(Clone, Debug, PartialEq)]
pub struct Money {
    /// Its balances.
    pub balances: Balances,
    /// Whether the pool knows where to pay it.
    pub has_address: bool,
}

impl Money {
    /// The money of a miner as the pool shows it; `None` if it does not.
    pub fn of(status: &MinerStatus) -> Option<Self> {
        Some(Self {
            balances: status.balance_sats.clone()?,
            has_address: status.payout_address.is_some(),
        })
    }
}

impl Progress {
    /// Shares that did not count, of all reasons.
    pub fn rejected_total(&self) -> u64 {
        self.rejected.values().sum()
    }
}

/// Hash counts over the last seconds.
#[derive(Debug, Default)]
pub(super) struct RateMeter(VecDeque<(Duration, u64)>);

impl RateMeter {
    /// Notes the count at an instant and returns hashes per second over the window that ends there.
    pub(super) fn note(&mut self, at: Duration, hashes: u64) -> f64 {
        self.0.push_back((at, hashes));
        // One reading from before the window stays, so that the window is always full.
        while self.0.len() > 2 && self.0[1].0 + RATE_WINDOW <= at {
            self.0.pop_front();
        }
        match self.0.front() {
            Some(&(since, before)) if at > since => {
                hashes.saturating_sub(before) as f64 / (at - since).as_secs_f64()
            }
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_follows_the_last_ten_seconds() {
        let mut meter = RateMeter::default();
        let at = Duration::from_secs;
        assert_eq!(meter.note(at(0), 0), 0.0);
        assert_eq!(meter.note(at(10), 100), 10.0);
        for second in 11..=20 {
            meter.note(at(second), 100);
        }
        assert_eq!(meter.note(at(21), 100), 0.0);
        assert!(meter.0.len() <= 12, "{}", meter.0.len());
    }
}
