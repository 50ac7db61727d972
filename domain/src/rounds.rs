//! Which reward round is due.
//!
//! Rounds are numbered 1, 2, 3, … and each is due one interval after the closing of the one before. A timer's
//! tick is only a reason to ask: the answer follows from the clock and the last closing, so ticks that come
//! twice, late or in a burst change nothing. Rounds that were missed close one by one, the oldest first, each
//! at the time it was due; a clock that stepped back closes nothing.
//!
//! The schedule of a running pool counts in its running time, which never jumps. Only what happened between two
//! lives is told by dates, and a date may have been wrong: a last closing that lies in the future says nothing
//! ([`Schedule::not_after`]), and missed rounds are forgotten when the date is put right ([`Schedule::skip_missed`]).

use crate::ids::RoundId;
use crate::time::{Span, Timestamp};

/// The first round of a pool.
const FIRST: RoundId = RoundId::new(1);

/// When rounds are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The round that is next, and the closing from which its interval counts.
    next: RoundId,
    counts_from: Timestamp,
    interval: Span,
}

/// A round that can be closed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueRound {
    /// The number of the round.
    pub id: RoundId,
    /// The time as of which it is closed: when it was due, which may be long ago.
    pub closed_at: Timestamp,
}

/// Why a schedule or a closing is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Rounds without end.
    #[error("the interval of reward rounds must be above zero")]
    NoInterval,
    /// Time has not moved since the last closing.
    #[error("a round can be closed after {after} only, when the last one was closed or the pool began")]
    TooEarly {
        /// When the last round closed, or the pool began.
        after: Timestamp,
    },
    /// Another round is next.
    #[error("round {closed} was closed, but round {next} is next")]
    NotNext {
        /// The round that was closed.
        closed: RoundId,
        /// The round that should have been.
        next: RoundId,
    },
}

impl Schedule {
    /// The schedule of a pool that began at `started_at` and last closed the given round, if any.
    ///
    /// # Errors
    /// If the interval is zero.
    pub fn new(
        started_at: Timestamp,
        last_closed: Option<(RoundId, Timestamp)>,
        interval: Span,
    ) -> Result<Self, ScheduleError> {
        let (next, counts_from) = match last_closed {
            Some((id, closed_at)) => (id.next(), closed_at),
            None => (FIRST, started_at),
        };
        let mut schedule = Self {
            next,
            counts_from,
            interval,
        };
        schedule.set_interval(interval)?;
        Ok(schedule)
    }

    /// Changes the interval. It counts from the last closing, so the next round may be due at once.
    ///
    /// # Errors
    /// If the interval is zero; the one before stays.
    pub fn set_interval(&mut self, interval: Span) -> Result<(), ScheduleError> {
        if interval == Span::default() {
            return Err(ScheduleError::NoInterval);
        }
        self.interval = interval;
        Ok(())
    }

    /// The time between closings.
    pub const fn interval(&self) -> Span {
        self.interval
    }

    /// When the next round is due.
    pub const fn next_at(&self) -> Timestamp {
        self.counts_from.plus(self.interval)
    }

    /// Counts from `now` if the last closing lies after it: it was dated by a clock that was wrong.
    #[must_use]
    pub fn not_after(mut self, now: Timestamp) -> Self {
        self.counts_from = self.counts_from.min(now);
        self
    }

    /// How many rounds before the latest that is due were missed.
    pub fn missed(&self, now: Timestamp) -> u64 {
        let due = now.since(self.counts_from).millis() / self.interval.millis();
        due.saturating_sub(1)
    }

    /// Forgets the rounds that were missed; the one that was due last stays due.
    pub fn skip_missed(&mut self, now: Timestamp) {
        let skipped = self.missed(now).saturating_mul(self.interval.millis());
        self.counts_from = self.counts_from.plus(Span::from_millis(skipped));
    }

    /// Counts from `now`: the next round is due one interval from now, and none is missed.
    pub fn reset(&mut self, now: Timestamp) {
        self.counts_from = now;
    }

    /// The oldest round that is due, if one is. Close it, tell [`Schedule::closed`], and ask again.
    pub fn due(&self, now: Timestamp) -> Option<DueRound> {
        let closed_at = self.next_at();
        // At the end of time the due time stops moving; nothing is due then.
        (self.counts_from < closed_at && closed_at <= now).then_some(DueRound {
            id: self.next,
            closed_at,
        })
    }

    /// The next round, to be closed now instead of when it is due; it takes the place of all rounds that are
    /// overdue.
    ///
    /// # Errors
    /// If time has not moved since the last closing.
    pub fn now(&self, now: Timestamp) -> Result<DueRound, ScheduleError> {
        if now <= self.counts_from {
            return Err(ScheduleError::TooEarly {
                after: self.counts_from,
            });
        }
        Ok(DueRound {
            id: self.next,
            closed_at: now,
        })
    }

    /// Notes that a round was closed; the next one counts from its closing.
    ///
    /// # Errors
    /// If another round was next, or its closing does not lie after the last one.
    pub fn closed(&mut self, round: DueRound) -> Result<(), ScheduleError> {
        if round.id != self.next {
            return Err(ScheduleError::NotNext {
                closed: round.id,
                next: self.next,
            });
        }
        self.now(round.closed_at)?;
        self.next = round.id.next();
        self.counts_from = round.closed_at;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
