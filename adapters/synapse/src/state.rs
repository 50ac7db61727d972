//! What the synapse routes of one worker know, beside what all routes know.

use dwarves_actors::ask::Port;
use dwarves_actors::miner_manager::calls::AdmitCall;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::signature::Window;

use crate::gate::Gate;
use crate::headers::Named;
use crate::turns::{TurnLimits, Turns};

/// What all workers share.
#[derive(Clone, Debug)]
pub struct SynapseDeps {
    /// Whom calls are for.
    pub pool: Hotkey,
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
    pool_text: String,
    turns: Turns,
}

impl SynapseState {
    /// The state of one worker.
    pub fn new(deps: SynapseDeps) -> Self {
        Self {
            turns: Turns::new(deps.turns),
            pool_text: deps.pool.to_string(),
            deps,
        }
    }

    pub(crate) fn pool(&self) -> Named<'_> {
        Named {
            hotkey: self.deps.pool,
            text: &self.pool_text,
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
