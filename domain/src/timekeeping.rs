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

/// What the clocks show at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readings {
    /// The running time.
    pub now: Timestamp,
    /// The date that goes with it at present.
    pub date: Timestamp,
    /// The wall clock.
    pub wall: Timestamp,
    /// The time in the best header that was heard of last from a synced chain; `None` if there is no such chain.
    pub header: Option<Timestamp>,
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
    /// What the wall said of the time in which the process did not run is believed: either the chain confirmed it,
    /// or it was little, or the wall has stood by it for long enough.
    pub is_confirmed: bool,
}

/// The watch over one wall clock.
#[derive(Clone, Debug)]
pub struct Timekeeping {
    rules: Rules,
    began: Timestamp,
    /// By how much the wall was ahead of what was last written down, when the process began.
    gap: Span,
    state: WallState,
}

impl Timekeeping {
    /// A watch that begins at `now`, when the date is the wall's; `last_seen` is the latest date that an earlier
    /// life wrote down.
    pub fn new(rules: Rules, now: Timestamp, last_seen: Timestamp) -> Self {
        Self {
            rules,
            began: now,
            gap: now.since(last_seen),
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
        self.state.from_header = header.map(|header| wall.ahead_of(header));
        let tolerance = self.rules.tolerance.millis();
        self.state.is_refused = self
            .state
            .from_header
            .is_some_and(|millis| millis.unsigned_abs() > tolerance);
        // A date that the chain refuses gives way at once to a wall that it does not refuse.
        let is_date_refused = header.is_some_and(|header| date.ahead_of(header).unsigned_abs() > tolerance);
        let patience = if is_date_refused {
            Span::default()
        } else {
            self.rules.settle
        };
        let step = self.step(now, wall.ahead_of(date), patience);
        self.confirm(now);
        step
    }

    /// What to do about the wall being ahead of the date by so much.
    fn step(&mut self, now: Timestamp, millis: i64, patience: Span) -> Option<i64> {
        if millis.unsigned_abs() <= STEP_MAX.millis() {
            self.state.jump = None;
            return (millis != 0).then_some(millis);
        }
        let is_same = |jump: &Jump| jump.millis.abs_diff(millis) <= STEP_MAX.millis();
        let since = self.state.jump.filter(is_same).map_or(now, |jump| jump.since);
        if now.since(since) >= patience && !self.state.is_refused {
            self.state.jump = None;
            return Some(millis);
        }
        self.state.jump = Some(Jump { millis, since });
        None
    }

    fn confirm(&mut self, now: Timestamp) {
        let state = &mut self.state;
        if state.is_confirmed || state.is_refused || state.jump.is_some() {
            return;
        }
        let has_stood = now.since(self.began) >= self.rules.settle;
        state.is_confirmed = state.from_header.is_some() || self.gap <= self.rules.tolerance || has_stood;
    }
}

#[cfg(test)]
mod tests;
