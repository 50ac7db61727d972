//! A rate limit: so many in a second, with one second's worth saved up.

use dwarves_domain::time::Timestamp;

/// An allowance that refills with time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RateLimit {
    per_sec: u64,
    /// Thousandths of one.
    allowance: u64,
    refilled_at: Timestamp,
}

impl RateLimit {
    /// A full allowance of `per_sec` in a second.
    pub(crate) fn new(per_sec: u32, now: Timestamp) -> Self {
        let per_sec = u64::from(per_sec);
        Self {
            per_sec,
            allowance: per_sec * 1_000,
            refilled_at: now,
        }
    }

    /// Whether one more is allowed now; if so it is taken.
    pub(crate) fn allows(&mut self, now: Timestamp) -> bool {
        let refill = now.since(self.refilled_at).millis().saturating_mul(self.per_sec);
        self.allowance = self.allowance.saturating_add(refill).min(self.per_sec * 1_000);
        self.refilled_at = now;
        match self.allowance.checked_sub(1_000) {
            Some(rest) => {
                self.allowance = rest;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_bounded_and_time_refills_it() {
        let mut rate = RateLimit::new(10, Timestamp::EPOCH);
        let allowed = |rate: &mut RateLimit, at| {
            (0..100)
                .filter(|_| rate.allows(Timestamp::from_millis(at)))
                .count()
        };
        assert_eq!(allowed(&mut rate, 0), 10);
        assert_eq!(allowed(&mut rate, 500), 5);
        assert_eq!(allowed(&mut rate, 3_600_000), 10);
        // A clock that steps back refills nothing and breaks nothing.
        assert_eq!(allowed(&mut rate, 0), 0);
    }
}
