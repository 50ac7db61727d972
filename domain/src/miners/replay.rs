//! The replay guard: a signed request's nonce is good once.
//!
//! Nonces are forgotten when they are too old to be taken anyway. Should the clock step back after that, a
//! request may look fresh again whose nonce was forgotten, so whatever expires no later than what was
//! forgotten counts as used.

use std::collections::{BTreeMap, BTreeSet};

use crate::hotkey::Hotkey;
use crate::time::Timestamp;

/// The nonces that were used and are not too old yet. Bounded.
#[derive(Clone, Debug)]
pub struct ReplayGuard {
    used: BTreeMap<(Hotkey, u64), Timestamp>,
    by_expiry: BTreeSet<(Timestamp, Hotkey, u64)>,
    /// The latest expiry of all nonces that were forgotten.
    forgotten_to: Option<Timestamp>,
    capacity: usize,
}

/// What the guard says to a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonceClaim {
    /// Never seen; it is used now.
    Fresh,
    /// The same hotkey used it before.
    Used,
    /// The guard is full: refusing is the only safe answer.
    Full,
}

impl ReplayGuard {
    /// An empty guard for at most `capacity` nonces.
    pub fn new(capacity: usize) -> Self {
        Self {
            used: BTreeMap::new(),
            by_expiry: BTreeSet::new(),
            forgotten_to: None,
            capacity,
        }
    }

    /// Uses up a nonce that is too old to be taken from `expires_at` on.
    pub fn claim(&mut self, now: Timestamp, hotkey: Hotkey, nonce: u64, expires_at: Timestamp) -> NonceClaim {
        if self.used.contains_key(&(hotkey, nonce)) || Some(expires_at) <= self.forgotten_to {
            return NonceClaim::Used;
        }
        if self.used.len() >= self.capacity && !self.forget_one(now) {
            return NonceClaim::Full;
        }
        self.used.insert((hotkey, nonce), expires_at);
        self.by_expiry.insert((expires_at, hotkey, nonce));
        NonceClaim::Fresh
    }

    /// Gives a nonce back whose use could not be stored.
    pub fn release(&mut self, hotkey: Hotkey, nonce: u64) {
        if let Some(expires_at) = self.used.remove(&(hotkey, nonce)) {
            self.by_expiry.remove(&(expires_at, hotkey, nonce));
        }
    }

    /// Makes room by forgetting the nonce that expired first. Nothing is forgotten before room is needed: should the
    /// date step back, what is still known keeps nobody out whose nonce is new.
    fn forget_one(&mut self, now: Timestamp) -> bool {
        let Some((expires_at, hotkey, nonce)) = self.by_expiry.first().copied() else {
            return false;
        };
        if expires_at > now {
            return false;
        }
        self.by_expiry.pop_first();
        self.forgotten_to = self.forgotten_to.max(Some(expires_at));
        self.used.remove(&(hotkey, nonce));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINER: Hotkey = Hotkey::from_bytes([1; 32]);
    const OTHER: Hotkey = Hotkey::from_bytes([2; 32]);

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn a_nonce_is_good_once_for_each_hotkey() {
        let mut guard = ReplayGuard::new(10);
        assert_eq!(guard.claim(at(0), MINER, 7, at(12)), NonceClaim::Fresh);
        assert_eq!(guard.claim(at(1), MINER, 7, at(12)), NonceClaim::Used);
        assert_eq!(guard.claim(at(1), OTHER, 7, at(12)), NonceClaim::Fresh);
        guard.release(MINER, 7);
        assert_eq!(guard.claim(at(1), MINER, 7, at(12)), NonceClaim::Fresh);
    }

    #[test]
    fn a_clock_that_steps_back_does_not_bring_a_forgotten_nonce_back() {
        let mut guard = ReplayGuard::new(10);
        assert_eq!(guard.claim(at(0), MINER, 7, at(12)), NonceClaim::Fresh);
        // The clock jumps ahead, so that the nonce is forgotten, and back again.
        assert_eq!(guard.claim(at(100), OTHER, 1, at(112)), NonceClaim::Fresh);
        assert_eq!(guard.claim(at(1), MINER, 7, at(12)), NonceClaim::Used);
        assert_eq!(guard.claim(at(2), MINER, 8, at(14)), NonceClaim::Fresh);
    }

    #[test]
    fn a_clock_that_was_a_year_ahead_keeps_nobody_out_afterwards() {
        const YEAR: i64 = 365 * 86_400;
        let mut guard = ReplayGuard::new(4);
        for n in 0..3 {
            let at_wrong = YEAR + i64::try_from(n).unwrap() * 100;
            assert_eq!(
                guard.claim(at(at_wrong), MINER, n, at(at_wrong + 12)),
                NonceClaim::Fresh
            );
        }
        for n in 10..13 {
            let now = i64::try_from(n).unwrap() * 100;
            assert_eq!(
                guard.claim(at(now), MINER, n, at(now + 12)),
                NonceClaim::Fresh,
                "{n}"
            );
        }
        assert_eq!(guard.claim(at(YEAR), MINER, 0, at(YEAR + 12)), NonceClaim::Used);
    }

    #[test]
    fn a_full_guard_refuses_until_something_expires() {
        let mut guard = ReplayGuard::new(2);
        assert_eq!(guard.claim(at(0), MINER, 1, at(10)), NonceClaim::Fresh);
        assert_eq!(guard.claim(at(0), MINER, 2, at(12)), NonceClaim::Fresh);
        assert_eq!(guard.claim(at(9), MINER, 3, at(20)), NonceClaim::Full);
        assert_eq!(guard.claim(at(10), MINER, 3, at(20)), NonceClaim::Fresh);
        assert_eq!(guard.claim(at(11), MINER, 2, at(12)), NonceClaim::Used);
    }
}
