//! What the time keeper is asked and tells.

use dwarves_domain::timekeeping::WallState;
use serde_json::{Value, json};

use crate::ask::Request;

/// What those who close rounds must know of the clock. It is told again and again, so none of it can get lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, actix::Message)]
#[rtype(result = "()")]
pub struct ClockNews {
    /// Why the wall clock is not believed; `None`: it is.
    pub refused: Option<String>,
    /// The date with which the process began is believed.
    pub is_confirmed: bool,
    /// How often the date took on a jump of the wall clock in this life.
    pub steps: u64,
}

/// Reads how the clock is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadClock;

impl Request for ReadClock {
    type Reply = ClockView;
}

/// How the clock is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClockView {
    /// The wall clock, as it was seen last.
    pub wall: WallState,
    /// How often the date took on a jump of it in this life.
    pub steps: u64,
    /// What is wrong with it, in words that do not change while it lasts.
    pub hindrance: Option<String>,
}

impl ClockView {
    /// As the pool's status shows it.
    pub fn to_json(&self) -> Value {
        json!({
            "refused": self.wall.is_refused,
            "jumped_millis": self.wall.jump.map(|jump| jump.millis),
            "ahead_of_best_header_millis": self.wall.from_header,
            "steps": self.steps,
        })
    }
}
