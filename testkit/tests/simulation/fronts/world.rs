//! What all fronts of a simulation share, and how one of them is kept running.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use dwarves_actors::assembly::PoolPorts;
use dwarves_domain::time::Timestamp;
use dwarves_ports::clock::Clock;
use dwarves_testkit::{Prng, SimClock};
use tokio::sync::watch;

use super::database::Database;
use super::front;
use super::line::Line;
use super::process::{Process, Signals};
use crate::doors::Ways;
use crate::notes::Notes;
use crate::plan::Simulation;

/// How long a service manager waits at most until it starts a process anew, in milliseconds.
const RESTART: u64 = 5_000;

/// What all fronts share.
pub(super) struct World {
    pub(super) sim: Simulation,
    pub(super) database: Database,
    pub(super) ways: Ways,
    pub(super) machines: Vec<Machine>,
    /// The one that leads and is open for miners.
    pub(super) leading: RefCell<Option<Leading>>,
    /// The true time.
    pub(super) clock: SimClock,
    /// From when on nothing is late; `None` while something happens to a front.
    pub(super) steady_from: Cell<Option<Timestamp>>,
    /// Nothing goes wrong any more.
    pub(super) is_calm: Cell<bool>,
    /// Nobody starts a process anew any more.
    pub(super) is_over: Cell<bool>,
}

/// A front's machine.
pub(super) struct Machine {
    pub(super) line: Line,
    /// Of the process that runs there now.
    pub(super) signals: RefCell<Signals>,
    /// By how many milliseconds its clock is wrong when its front takes the lead.
    pub(super) wrong: Cell<i64>,
    /// Turns true when the process is to stop in order.
    pub(super) stop: watch::Sender<bool>,
}

/// The pool of the front that leads.
#[derive(Clone)]
pub(super) struct Leading {
    pub(super) front: u32,
    pub(super) epoch: u64,
    pub(super) ports: PoolPorts,
    pub(super) clock: SimClock,
}

impl World {
    pub(super) fn notes(&self) -> &Notes {
        &self.sim.notes
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn machine(&self, front: u32) -> &Machine {
        &self.machines[front as usize - 1]
    }

    /// Whether nothing is late.
    pub(super) fn is_steady(&self) -> bool {
        self.steady_from.get().is_some_and(|from| self.now() >= from)
    }

    /// By how much this clock is wrong, in milliseconds.
    pub(super) fn wrong(&self, clock: &SimClock) -> i64 {
        clock.wall().ahead_of(self.now())
    }

    /// The pool that leads, if one is open.
    pub(super) fn leads(&self) -> Option<Leading> {
        let leading = self.leading.borrow();
        let is_last = |leading: &&Leading| leading.epoch == self.database.epoch();
        leading.as_ref().filter(is_last).cloned()
    }
}

/// Runs a front's process, and again whenever it is over.
pub(super) async fn keep_running(world: Rc<World>, front: u32, mut prng: Prng) {
    while !world.is_over.get() {
        let machine = world.machine(front);
        machine.stop.send_replace(false);
        let signals = Signals::default();
        machine.signals.replace(signals.clone());
        let task = front::run(world.clone(), front, signals.clone());
        Process::begin(&signals, task).await;
        tokio::time::sleep(Duration::from_millis(prng.below(RESTART))).await;
    }
}
