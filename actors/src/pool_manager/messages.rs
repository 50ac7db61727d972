//! What the pool manager is asked: the pool's life, and control messages on their way to their actor.

use std::sync::Arc;

use dwarves_domain::time::Timestamp;
use dwarves_ports::chain::Standing;

use crate::ask::Request;
use crate::control::Controlled;
use crate::exporter::messages::ExporterControl;
use crate::gate::{GateControl, GateView};
use crate::http_gate::HttpGateView;
use crate::live_work::NoWork;
use crate::miner_manager::messages::MinerControl;
use crate::notary::messages::StatementsView;
use crate::paymaster::messages::PaymasterControl;
use crate::reward_distributor::messages::DistributorControl;
use crate::work_evaluator::messages::EvaluatorControl;
use crate::work_manager::messages::WorkControl;

/// Where the pool is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifeState {
    /// Not ready for miners yet.
    Starting,
    /// Gives out work and takes shares.
    Running,
    /// Gives out no work and takes no shares, by an operator's order.
    Paused,
    /// Finishes what was begun and then stops.
    Draining,
}

impl LifeState {
    /// The state's name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Draining => "draining",
        }
    }
}

/// An admin's message, understood and addressed.
#[derive(Clone, Debug, PartialEq)]
pub enum ControlMessage {
    /// To the pool manager itself.
    Pool(PoolControl),
    /// To the miner manager.
    Miners(MinerControl),
    /// To the work manager.
    Work(WorkControl),
    /// To the work evaluator.
    Evaluator(EvaluatorControl),
    /// To the reward distributor.
    Rewards(DistributorControl),
    /// For the paymaster.
    Payouts(PaymasterControl),
    /// For the exporter, where the pool has no wallet.
    Exports(ExporterControl),
    /// To the gate before the Stratum listeners.
    Gate(GateControl),
    /// To the gate before HTTP.
    HttpGate(GateControl),
}

/// An admin's message to the pool manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolControl {
    /// How the pool is.
    Status,
    /// Gives out no work and takes no shares.
    Pause,
    /// At work again.
    Resume,
    /// Takes no shares any more, saves everything, and goes on answering questions.
    Drain,
    /// Drains, then stops the process.
    Shutdown,
    /// Takes back a setting that an admin stored: what is configured holds again.
    ForgetSetting(String),
}

/// Sends an admin's message to its actor.
#[derive(Clone, Debug, PartialEq)]
pub struct Deliver(pub ControlMessage);

impl Request for Deliver {
    type Reply = Controlled;
}

/// Reads how the pool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadPool;

/// How the pool is.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolView {
    /// Where it is in its life.
    pub state: LifeState,
    /// When this process started.
    pub started_at: Timestamp,
    /// Whether the last thing asked of the ledger was written.
    pub ledger_writes: bool,
    /// Whether there is work to give out.
    pub has_work: bool,
    /// Why no work is given out, and since when, if none is.
    pub no_work: Option<NoWork>,
    /// How the gate before the Stratum listeners is, if there are any.
    pub gate: Option<GateView>,
    /// How the gate before HTTP is, once it has started.
    pub http_gate: Option<HttpGateView>,
    /// Which chain its nodes are on; `None` if the work manager did not say.
    pub standing: Option<Arc<Standing>>,
    /// How the making of statements goes, if the notary said so.
    pub statements: Option<StatementsView>,
    /// What hinders it, in words, if anything.
    pub hindrances: Vec<String>,
}

impl Request for ReadPool {
    type Reply = PoolView;
}

impl PoolView {
    /// What keeps the pool from serving miners, in words; empty if nothing does.
    pub fn obstacles(&self) -> Vec<String> {
        let mut obstacles = Vec::new();
        if self.state != LifeState::Running {
            obstacles.push(format!("the pool is {}", self.state.as_str()));
        }
        if !self.has_work {
            obstacles.push("there is no work to give out".to_owned());
        }
        if !self.ledger_writes {
            obstacles.push("the ledger cannot be written".to_owned());
        }
        obstacles
    }
}

/// Stops everything in order: no more shares, the round in flight closes, what only memory knows is saved, the
/// ledger closes. Answered when all of that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop;

impl Request for Stop {
    type Reply = ();
}
