//! What the synapse routes of one worker know, beside what all routes know.

use dwarves_actors::ask::Port;
use dwarves_actors::miner_manager::calls::AdmitCall;
use dwarves_domain::signature::Window;

use crate::gate::Gate;
use crate::turns::{TurnLimits, Turns};

/// What all workers share.
#[derive(Clone, Debug)]
pub struct SynapseDeps {
    /// The miner manager: lets calls in.
    pub admit: Port<AdmitCall>,
    /// When a call is fresh.
    pub window: Window,
    /// Who may call.
    pub gate: Gate,
    /// How many calls one worker has at once.
    pub turns: TurnLimits,
}

/// What the routes of one worker know.
#[derive(Debug)]
pub struct SynapseState {
    deps: SynapseDeps,
    turns: Turns,
}

impl SynapseState {
    /// The state of one worker.
    pub fn new(deps: SynapseDeps) -> Self {
        Self {
            turns: Turns::new(deps.turns),
            deps,
        }
    }

    pub(crate) fn admit(&self) -> &Port<AdmitCall> {
        &self.deps.admit
    }

    pub(crate) fn window(&self) -> Window {
        self.deps.window
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.deps.gate
    }

    pub(crate) fn turns(&self) -> &Turns {
        &self.turns
    }
}
