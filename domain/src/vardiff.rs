//! Which difficulty a worker should have, so that its shares come at the wanted pace.
//!
//! [`Vardiff`] is the state of one worker, small enough for very many. It only says what the **next** job gets;
//! jobs that are out keep the difficulty that they were issued with, and each share counts here with that.
//! Nothing is credited by what this module computes, so the rate is estimated in floats.
//!
//! How it decides: since the last change, `expected` shares should have come at the present difficulty, and work
//! worth `seen` shares of it did. The difficulty is changed if the two differ by more than the band
//! ([`BAND`]) *and* by more than chance explains ([`SURPRISE`] standard deviations), so a gross mistake is
//! mended after a few shares and a small one only on good evidence. One change raises by at most
//! [`RAISE_MAX`], and after a change nothing is judged before [`SHORTEST`] has passed, so many shares that
//! arrive at once (a connection that was down, a batch) raise it one bounded step. Silence lowers it without
//! any share: soon and steeply for a worker that has not shown a share yet, later and gently at first for one
//! that has. What is issued can therefore be eight times too easy for a quarter of an interval, and a start
//! that is a thousandfold off is within a factor of two after three to five changes.

use crate::target::Difficulty;
use crate::time::{Span, Timestamp};

/// No change while the pace is within this factor of the wanted one.
pub const BAND: f64 = 1.5;
/// No change while chance explains the difference, in standard deviations of the number of shares.
pub const SURPRISE: f64 = 2.0;
/// The most by which one change raises the difficulty.
pub const RAISE_MAX: f64 = 8.0;
/// The most by which one change on shares lowers the difficulty; silence has its own steps.
pub const LOWER_MAX: f64 = 8.0;
/// The time after a change in which shares change nothing, in wanted share intervals.
pub const SHORTEST: f64 = 0.25;
/// Evidence older than this many wanted share intervals fades, so that a worker that changes is noticed.
pub const MEMORY: f64 = 64.0;
/// A worker that is known falls silent for this many intervals before it is lowered: chance alone does that to
/// one share in 400.
pub const PATIENCE: f64 = 6.0;
/// The same for a worker that has shown no share since it began or since it was last lowered.
pub const IMPATIENCE: f64 = 3.0;
/// What silence divides the difficulty by: the first time after a share, the second, and then each time.
const SILENCE_STEPS: [f64; 3] = [2.0, 4.0, 8.0];

/// The pace and the limits, from the configuration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    interval: Span,
    min: Difficulty,
    max: Difficulty,
}

/// Why settings are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Shares without pause.
    #[error("the wanted time between two shares of a worker must be above zero")]
    NoInterval,
    /// Limits the wrong way round.
    #[error("the least difficulty must not be above the greatest")]
    LimitsCrossed,
}

impl Settings {
    /// One share of a worker every `interval` on average, at difficulties from `min` to `max`.
    ///
    /// # Errors
    /// If the interval is zero or `min` is above `max`.
    pub fn new(interval: Span, min: Difficulty, max: Difficulty) -> Result<Self, SettingsError> {
        if interval == Span::default() {
            return Err(SettingsError::NoInterval);
        }
        if min > max {
            return Err(SettingsError::LimitsCrossed);
        }
        Ok(Self { interval, min, max })
    }

    /// The difficulty, within the limits.
    pub fn within_limits(&self, difficulty: Difficulty) -> Difficulty {
        difficulty.clamp(self.min, self.max)
    }

    /// A time in wanted share intervals.
    fn intervals(&self, span: Span) -> f64 {
        span.millis() as f64 / self.interval.millis() as f64
    }
}

/// What is known about one worker's pace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vardiff {
    /// What the next job gets.
    difficulty: Difficulty,
    /// The work seen since `since`, as a number of shares at `difficulty`.
    seen: f32,
    /// How often silence lowered the difficulty since the last share, up to the last of its steps.
    silences: u8,
    /// When counting began: at the start, at the last change, or later where old evidence has faded.
    since: Timestamp,
    /// The last share or change, from which silence counts.
    heard: Timestamp,
}

impl Vardiff {
    /// A worker that begins now. Nothing is known of its pace, so silence lowers its difficulty in large steps.
    pub fn new(start: Difficulty, now: Timestamp, settings: &Settings) -> Self {
        Self {
            difficulty: settings.within_limits(start),
            seen: 0.0,
            silences: LAST_SILENCE,
            since: now,
            heard: now,
        }
    }

    /// What the worker's next job gets.
    pub const fn difficulty(&self) -> Difficulty {
        self.difficulty
    }

    /// Notes an accepted share of a job that was issued at the difficulty `issued`. Gives the new difficulty
    /// if the next job should have another one.
    pub fn on_share(
        &mut self,
        now: Timestamp,
        issued: Difficulty,
        settings: &Settings,
    ) -> Option<Difficulty> {
        self.forget_the_future(now);
        self.seen += (issued.to_f64() / self.difficulty.to_f64()) as f32;
        self.heard = now;
        self.silences = 0;
        let elapsed = settings.intervals(now.since(self.since));
        if elapsed < SHORTEST {
            return self.change_to(self.difficulty, now, settings);
        }
        let (seen, expected) = (f64::from(self.seen), elapsed);
        // The number of shares has its own mean as variance; the larger of the two guards both directions.
        let explained = SURPRISE * seen.max(expected).sqrt();
        let beyond_band = seen > expected * BAND || seen * BAND < expected;
        if beyond_band && (seen - expected).abs() > explained {
            let factor = (seen / expected).clamp(1.0 / LOWER_MAX, RAISE_MAX);
            let change = self.change_to(times(self.difficulty, factor), now, settings);
            if change.is_some() {
                return change;
            }
        }
        // Also a worker that a limit holds must forget, or it would be misjudged for long once its pace changes.
        if elapsed > MEMORY {
            // Half of the time and half of the work: the pace stays and weighs half as much.
            self.seen /= 2.0;
            self.since = now.minus(Span::from_millis(now.since(self.since).millis() / 2));
        }
        self.change_to(self.difficulty, now, settings)
    }

    /// A job that was issued at the difficulty `issued` brought `times` as much as is its due, which no chance explains:
    /// the next one is as much harder, without waiting for more evidence. Gives the new difficulty if the next job
    /// should have another one.
    pub fn raise(
        &mut self,
        now: Timestamp,
        issued: Difficulty,
        times: f64,
        settings: &Settings,
    ) -> Option<Difficulty> {
        let wanted = self::times(issued, times);
        if wanted <= self.difficulty {
            return None;
        }
        self.silences = 0;
        self.change_to(wanted, now, settings)
    }

    /// Looks whether the worker has been silent for too long. Call it now and then for workers that are
    /// connected: one that is away has no pace. Gives the new difficulty if the next job should have another one.
    pub fn on_idle(&mut self, now: Timestamp, settings: &Settings) -> Option<Difficulty> {
        self.forget_the_future(now);
        let silent = settings.intervals(now.since(self.heard));
        let patience = if self.silences == 0 { PATIENCE } else { IMPATIENCE };
        if silent < patience {
            return self.change_to(self.difficulty, now, settings);
        }
        let divisor = SILENCE_STEPS[usize::from(self.silences)];
        self.silences = LAST_SILENCE.min(self.silences + 1);
        self.heard = now;
        self.change_to(times(self.difficulty, 1.0 / divisor), now, settings)
    }

    /// After the clock stepped back there is no knowing how much time has passed: counting begins anew.
    fn forget_the_future(&mut self, now: Timestamp) {
        // Counting never begins after the last share or change, so this is the later of the two.
        if now < self.heard {
            self.begin_counting(now);
        }
    }

    fn begin_counting(&mut self, now: Timestamp) {
        self.seen = 0.0;
        self.since = now;
        self.heard = now;
    }

    /// Takes the difficulty on, within the limits (which may have changed); counting begins anew if it differs.
    fn change_to(&mut self, wanted: Difficulty, now: Timestamp, settings: &Settings) -> Option<Difficulty> {
        let wanted = settings.within_limits(wanted);
        if wanted == self.difficulty {
            return None;
        }
        self.difficulty = wanted;
        self.begin_counting(now);
        Some(wanted)
    }
}

/// The last of [`SILENCE_STEPS`].
const LAST_SILENCE: u8 = SILENCE_STEPS.len() as u8 - 1;

fn times(difficulty: Difficulty, factor: f64) -> Difficulty {
    // A product that is no difficulty lies beyond every limit that a setting can have, so nothing is changed.
    Difficulty::from_f64(difficulty.to_f64() * factor).unwrap_or(difficulty)
}

#[cfg(test)]
mod tests;
