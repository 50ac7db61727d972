//! A circuit breaker: an evaluator that fails time after time is left alone for a while, then tried with one submission.
//!
//! Failures of one miner's work in a row count once: work that makes an evaluator fail keeps it from nobody else. That it
//! cannot be reached is nobody's work, and counts every time.

use crate::hotkey::Hotkey;
use crate::time::{Span, Timestamp};

/// Failures in a row that open it.
const FAILURES_MAX: u32 = 3;
/// How long it is open at first; each time it opens again without a success in between, twice as long.
const OPEN_FIRST: Span = Span::from_secs(5);
/// How long it is open at most.
const OPEN_MAX: Span = Span::from_secs(300);

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// All may pass.
    Closed,
    /// One may pass, to see.
    HalfOpen,
    /// Nobody may pass.
    Open,
}

impl BreakerState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Closed, Self::HalfOpen, Self::Open];

    /// Its name in figures and in `status`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

/// The breaker before one evaluator. Times are the pool's running time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    failures: u32,
    last_failed: Option<Hotkey>,
    /// Until when it is open, once it was opened, and for how long that was.
    opened: Option<(Timestamp, Span)>,
}

impl Breaker {
    /// How it stands now.
    pub fn state(&self, now: Timestamp) -> BreakerState {
        match self.opened {
            None => BreakerState::Closed,
            Some((until, _)) if now < until => BreakerState::Open,
            Some(_) => BreakerState::HalfOpen,
        }
    }

    /// Whether one more may pass while so many are on their way.
    pub fn lets_pass(&self, now: Timestamp, under_way: usize) -> bool {
        match self.state(now) {
            BreakerState::Closed => true,
            BreakerState::HalfOpen => under_way == 0,
            BreakerState::Open => false,
        }
    }

    /// It answered.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// It failed; `miner`: on whose work, if it has looked at any.
    pub fn failed(&mut self, now: Timestamp, miner: Option<Hotkey>) {
        let is_same = miner.is_some() && miner == self.last_failed;
        self.last_failed = miner;
        match self.opened {
            // Those that were on their way when it opened.
            Some((until, _)) if now < until => {}
            Some((_, before)) => self.open(now, Span::from_millis(before.millis() * 2).min(OPEN_MAX)),
            None if is_same => {}
            None => {
                self.failures += 1;
                if self.failures >= FAILURES_MAX {
                    self.open(now, OPEN_FIRST);
                }
            }
        }
    }

    fn open(&mut self, now: Timestamp, span: Span) {
        self.opened = Some((now.plus(span), span));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn key(byte: u8) -> Option<Hotkey> {
        Some(Hotkey::from_bytes([byte; 32]))
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_after_one_success() {
        let mut breaker = Breaker::default();
        for (now, miner) in [(0, 1), (1, 2)] {
            breaker.failed(at(now), key(miner));
            assert_eq!(breaker.state(at(now)), BreakerState::Closed);
        }
        breaker.failed(at(2), key(3));
        assert_eq!(breaker.state(at(6)), BreakerState::Open);
        assert!(!breaker.lets_pass(at(6), 0));
        assert_eq!(breaker.state(at(7)), BreakerState::HalfOpen);
        assert!(breaker.lets_pass(at(7), 0) && !breaker.lets_pass(at(7), 1));
        breaker.failed(at(8), key(3));
        assert_eq!(breaker.state(at(17)), BreakerState::Open, "twice as long");
        assert_eq!(breaker.state(at(18)), BreakerState::HalfOpen);
        breaker.succeeded();
        assert_eq!(breaker, Breaker::default());
        assert!(breaker.lets_pass(at(18), 1_000));
    }

    #[test]
    fn the_work_of_one_miner_opens_it_for_nobody() {
        let mut breaker = Breaker::default();
        for now in 0..100 {
            breaker.failed(at(now), key(1));
        }
        assert_eq!(breaker.state(at(100)), BreakerState::Closed);
        let mut away = Breaker::default();
        for now in 0..3 {
            away.failed(at(now), None);
        }
        assert_eq!(away.state(at(3)), BreakerState::Open);
    }

    #[test]
    fn it_is_open_for_minutes_at_most_and_late_failures_count_nothing() {
        let mut breaker = Breaker::default();
        let mut now = 0;
        for _ in 0..30 {
            breaker.failed(at(now), None);
            let (until, span) = breaker.opened.unwrap_or((at(now), Span::default()));
            assert!(span <= OPEN_MAX);
            breaker.failed(until.minus(Span::from_millis(1)).min(at(now)), None);
            now += 301;
        }
        assert_eq!(breaker.opened.map(|(_, span)| span), Some(OPEN_MAX));
    }
}
