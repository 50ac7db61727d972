//! What the reward distributor is asked and told.

use dwarves_domain::ids::RoundId;
use dwarves_domain::rewards::{Scheme, Source};
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::units::{Amount, BasisPoints, Units};

use crate::ask::Request;
use crate::control::Controlled;

/// A hint to look whether a round is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, actix::Message)]
#[rtype(result = "()")]
pub struct Poke;

/// Reads the schedule and the terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadSchedule;

/// The schedule and the terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleView {
    /// How rewards are split.
    pub scheme: Scheme,
    /// Where they come from.
    pub source: Source,
    /// The operator's fee.
    pub fee: BasisPoints,
    /// The window, for schemes that have one.
    pub window: Units,
    /// What every round emits, if rewards come from emission.
    pub emission: Option<Amount>,
    /// How often a round closes.
    pub run_interval: Span,
    /// When the next one is due.
    pub next_round_at: Timestamp,
    /// The last one that closed.
    pub last_round: Option<RoundId>,
    /// Whether an admin paused it.
    pub paused: bool,
    /// How many rounds were missed and are still to be closed.
    pub missed: u64,
}

impl Request for ReadSchedule {
    type Reply = ScheduleView;
}

/// An admin's message to the reward distributor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DistributorControl {
    /// Changes how often a round closes, counted from the last closing.
    SetRunInterval(Span),
    /// Closes a round now.
    DistributeNow,
    /// Closes no rounds.
    Pause,
    /// Closes rounds again, missed ones too.
    Resume,
    /// Changes the fee from the next round on.
    SetFee(BasisPoints),
    /// Changes what every round emits, from the next round on.
    SetEmission(Amount),
    /// Forgets missed rounds and what the last closing says: the next round is due one interval from now.
    ResetSchedule,
}

impl Request for DistributorControl {
    type Reply = Controlled;
}

/// Closes no more rounds and answers once the one in flight is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainRounds;

impl Request for DrainRounds {
    type Reply = ();
}
