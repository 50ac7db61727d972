//! Whether a machine's wall clock can be believed, and when a step of it is taken on.
//!
//! [`Timekeeping`] compares three readings: the time that passed (which nobody sets), the wall clock, and the time in
//! the best header of a chain that is synced. A wall clock that stops agreeing with the time that passed has been
//! set, or the machine has slept. Such a jump is only noted at first: the date goes on from before. If the wall
//! still stands by it after a while, and the chain does not speak against it, the date takes the step on (at once, if
//! the chain speaks against the date). A wall
//! clock that is far from the chain's best header is refused for whatever moves money, jump or not.

use crate::time::{Span, Timestamp};

/// What the wall may differ from the time that passed without having jumped: leap seconds, and the small steps by
/// which clocks are kept right, are simply followed.
pub const STEP_MAX: Span = Span::from_secs(2);

/// How much is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How far the wall may be from the best header.
    pub tolerance: Span,
    /// How long a jump must last before it is taken on.
    pub settle: Span,
}

/// What is known of the time in the best header of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BestHeader {
    /// Its time, as a chain that is synced told it last.
    Time(Timestamp),
    /// The chain has headers with times, but nobody could tell yet.
    Unheard,
    /// The chain has no time of its own.
    Timeless,
}

/// What the clocks show at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readings {
    /// The running time.
    pub now: Timestamp,
    /// The date that goes with it now.
    pub date: Timestamp,
    /// The wall clock.
    pub wall: Timestamp,
    /// The best header.
    pub header: BestHeader,
}

/// A jump of the wall clock that is not taken on (yet).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jump {
    /// By how many milliseconds the wall is ahead of the date; below zero if it is behind.
    pub millis: i64,
    /// Since when it has been so, in running time.
    pub since: Timestamp,
}

/// How the wall clock is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WallState {
    /// It jumped, and the date does not follow it.
    pub jump: Option<Jump>,
    /// By how many milliseconds it is ahead of the best header; `None` if there is no header to compare with.
    pub from_header: Option<i64>,
    /// It is further from the best header than it may be: nothing that moves money relies on it.
    pub is_refused: bool,
    /// The date with which the process began is believed, so that it can be written down: the chain confirmed it, or it
    /// is near what was written down last. A chain without times cannot help: there it is believed if it is before
    /// that, which shows that the last one was wrong, or once the wall has stood by it for long enough.
    pub is_confirmed: bool,
}

/// The watch over one wall clock.
#[derive(Clone, Debug)]
pub struct Timekeeping {
    rules: Rules,
    began: Timestamp,
    /// By how many milliseconds the wall was ahead of what was last written down, when the process began.
    gap: i64,
    state: WallState,
}

impl Timekeeping {
    /// A watch that begins at `now`, when the date is the wall's; `last_seen` is the latest date that an earlier
    /// life wrote down.
    pub fn new(rules: Rules, now: Timestamp, last_seen: Timestamp) -> Self {
        Self {
            rules,
            began: now,
            gap: now.ahead_of(last_seen),
            state: WallState::default(),
        }
    }

    /// How the wall clock is.
    pub const fn state(&self) -> &WallState {
        &self.state
    }

    /// Looks at the clocks. Gives the step in milliseconds by which the date is to be moved, if it is.
    pub fn look(&mut self, readings: Readings) -> Option<i64> {
        let Readings {
            now,
            date,
            wall,
            header,
        } = readings;
        let time = match header {
            BestHeader::Time(time) => Some(time),
            BestHeader::Unheard | BestHeader::Timeless => None,
        };
        self.state.from_header = time.map(|time| wall.ahead_of(time));
        let tolerance = self.rules.tolerance.millis();
        self.state.is_refused = self
            .state
            .from_header
            .is_some_and(|millis| millis.unsigned_abs() > tolerance);
        // A date that the chain refuses gives way at once to a wall that it does not refuse.
        let is_date_refused = time.is_some_and(|time| date.ahead_of(time).unsigned_abs() > tolerance);
        let patience = if is_date_refused {
            Span::default()
        } else {
            self.rules.settle
        };
        let millis = wall.ahead_of(date);
        let is_believed =
            !self.state.is_refused && (header != BestHeader::Unheard || millis.unsigned_abs() <= tolerance);
        let step = self.step(now, millis, is_believed.then_some(patience));
        self.confirm(now, header);
        step
    }

    /// What to do about the wall being ahead of the date by so much; without `patience` it is not followed.
    fn step(&mut self, now: Timestamp, millis: i64, patience: Option<Span>) -> Option<i64> {
        if millis.unsigned_abs() <= STEP_MAX.millis() {
            self.state.jump = None;
            return (millis != 0).then_some(millis);
        }
        let is_same = |jump: &Jump| jump.millis.abs_diff(millis) <= STEP_MAX.millis();
        let since = self.state.jump.filter(is_same).map_or(now, |jump| jump.since);
        if patience.is_some_and(|patience| now.since(since) >= patience) {
            self.state.jump = None;
            return Some(millis);
        }
        self.state.jump = Some(Jump { millis, since });
        None
    }

    fn confirm(&mut self, now: Timestamp, header: BestHeader) {
        let state = &mut self.state;
        if state.is_confirmed || state.is_refused || state.jump.is_some() {
            return;
        }
        let has_stood = self.gap < 0 || now.since(self.began) >= self.rules.settle;
        let stands_alone = header == BestHeader::Timeless && has_stood;
        let is_near = self.gap.unsigned_abs() <= self.rules.tolerance.millis();
        state.is_confirmed = state.from_header.is_some() || is_near || stands_alone;
    }
}

#[cfg(test)]
mod tests;
