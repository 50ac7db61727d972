//! What a front does: it stands by, leads once it may, and ends when it leads no more.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use dwarves_actors::assembly::{self, Placement, Trade};
use dwarves_actors::miner_manager::messages::ReadMiners;
use dwarves_actors::pool_manager::messages::Stop;
use dwarves_domain::time::Span;
use dwarves_domain::work::FrontEnd;
use dwarves_ports::clock::Clock;
use dwarves_ports::halt::Halt;
use dwarves_store_postgres::{Succession, Verdict};
use dwarves_testkit::passage::StoreBehind;
use dwarves_testkit::{RecordingHalt, SimClock};
use tokio::sync::watch;

use super::database::{Led, Session};
use super::line::Reached;
use super::process::Signals;
use super::world::{Leading, World};
use crate::doors::{Doors, Whose};
use crate::plan::TOLERANCE;
use crate::{check, money};

/// How often it says that it lives, and looks who does.
const BEAT: Duration = Duration::from_millis(500);

/// How its process ended, unless it was killed.
enum Ended {
    NotStarted(String),
    Halted(String),
    Stopped,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted(why) => write!(f, "could not start: {why}"),
            Self::Halted(why) => write!(f, "halted: {why}"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

/// A front while its process lives. Dropped, it is gone from where others see it.
struct Front {
    world: Rc<World>,
    session: Session,
    /// The lead that it has taken; 0 for none.
    epoch: Cell<u64>,
    /// Its machine's, once it leads.
    clock: RefCell<Option<SimClock>>,
}

impl Drop for Front {
    fn drop(&mut self) {
        let world = &self.world;
        world.ways.close(self.epoch.get());
        let leads = |leading: &Leading| leading.epoch == self.epoch.get();
        let mut leading = world.leading.borrow_mut();
        if leading.as_ref().is_some_and(leads) {
            *leading = None;
        }
        if let Some(clock) = self.clock.take() {
            world.notes().clock_showed(clock.date());
            let wrong = if world.is_calm.get() {
                0
            } else {
                world.wrong(&clock)
            };
            world.machine(self.session.front).wrong.set(wrong);
        }
        // A database notices that a process is gone if it can be reached.
        if !world.machine(self.session.front).line.is_cut() {
            world.database.leave(self.session);
        }
    }
}

/// Runs the process of this front until it ends by itself.
pub(super) async fn run(world: Rc<World>, number: u32, signals: Signals) {
    let session = world.database.join(number);
    let front = Rc::new(Front {
        session,
        epoch: Cell::new(0),
        clock: RefCell::default(),
        world,
    });
    let led = front.stand_by().await;
    let (epoch, notes) = (led.store.epoch(), front.world.notes().clone());
    front.epoch.set(epoch);
    front.may_begin(epoch);
    let wrong = front.world.machine(number).wrong.get();
    let clock_is = if wrong == 0 { "right" } else { "wrong" };
    notes.event(format!(
        "front {number} takes lead {epoch}, its clock is {clock_is} by {wrong} ms"
    ));
    let halt = RecordingHalt::default();
    actix::spawn(front.clone().beat(halt.clone()));
    let ended = front.lead(led, halt).await;
    notes.event(format!("front {number} of lead {epoch} {ended}"));
    signals.kill();
}

impl Front {
    fn number(&self) -> u32 {
        self.session.front
    }

    fn reaches_ledger(&self) -> bool {
        !self.world.machine(self.number()).line.is_cut()
    }

    /// Waits until it leads.
    async fn stand_by(&self) -> Led {
        let database = &self.world.database;
        let clock = SimClock::starting_at(self.world.sim.now);
        let began = clock.now();
        let mut succession = Succession::default();
        loop {
            if self.reaches_ledger() {
                database.beat(self.session);
                let look = database.look();
                match succession.judge(self.number(), look, clock.now().since(began)) {
                    Verdict::Wait => {}
                    Verdict::End => database.end(look),
                    Verdict::Lead => {
                        if let Some(led) = database.lead(self.session) {
                            return led;
                        }
                    }
                }
            } else {
                succession.forget();
            }
            tokio::time::sleep(BEAT).await;
        }
    }

    /// Says that it lives, and ends the process once another one leads.
    async fn beat(self: Rc<Self>, halt: RecordingHalt) {
        loop {
            if self.reaches_ledger() {
                self.world.database.beat(self.session);
                if self.world.database.epoch() > self.epoch.get() {
                    halt.halt("another front has taken the lead, because this one was silent");
                    return;
                }
            }
            tokio::time::sleep(BEAT).await;
        }
    }

    async fn lead(&self, led: Led, halt: RecordingHalt) -> Ended {
        let pool = async {
            match self.start(led, &halt).await {
                Err(why) => Ended::NotStarted(why),
                Ok(leading) => self.serve(leading).await,
            }
        };
        tokio::select! {
            biased;
            () = halt.halted() => Ended::Halted(halt.reasons().join("; ")),
            ended = pool => ended,
        }
    }

    /// Starts the pool from the ledger, and opens it for miners.
    async fn start(&self, led: Led, halt: &RecordingHalt) -> Result<Leading, String> {
        let (world, sim) = (&self.world, &self.world.sim);
        let line = world.machine(self.number()).line.clone();
        let epoch = led.store.epoch();
        let clock = self.clock();
        let mut settings = sim.settings();
        let number = u8::try_from(self.number()).ok().and_then(FrontEnd::new);
        settings.work.front_end = number.expect("there are few fronts");
        let outside = assembly::World {
            store: Arc::new(StoreBehind(Reached {
                store: led.store.clone(),
                line: line.clone(),
            })),
            trade: Trade::Mining {
                chain: Arc::new(sim.chain.clone()),
                wallet: Arc::new(sim.wallet.clone()),
            },
            clock: Arc::new(clock.clone()),
            halt: halt.shared(),
            stop: watch::Sender::new(false),
        };
        let started = assembly::start(settings, outside, &Placement::Here).await;
        let ports = started.map_err(|error| error.to_string())?;
        if led.store.is_last() {
            self.check_start(&ports).await;
        }
        let of = Whose {
            front: self.number(),
            epoch,
            is_behind: led.is_behind,
            is_cut: line.is_cut.clone(),
        };
        world.ways.add(Doors::open_of(of, &ports, &clock));
        let leading = Leading {
            front: self.number(),
            epoch,
            ports,
            clock,
        };
        world.notes().event(format!("lead {epoch} is open"));
        if led.store.is_last() {
            world.leading.replace(Some(leading.clone()));
        }
        Ok(leading)
    }

    /// Whoever sets a pool up does it where the clock can be believed: the first round counts from then.
    fn may_begin(&self, epoch: u64) {
        let wrong = &self.world.machine(self.number()).wrong;
        if epoch == 1 && wrong.get().unsigned_abs() > TOLERANCE.millis() {
            wrong.set(0);
        }
    }

    /// The clock of its machine, which is believed unless it is far from the chain's.
    fn clock(&self) -> SimClock {
        let (world, wrong) = (&self.world, self.world.machine(self.number()).wrong.get());
        let wall = world.now().moved(wrong);
        world.notes().clock_showed(wall);
        let off = Span::from_millis(wrong.unsigned_abs());
        if off <= TOLERANCE {
            world.notes().clock_is_off(off);
        }
        let clock = SimClock::starting_at(wall);
        self.clock.replace(Some(clock.clone()));
        clock
    }

    /// Nobody but this one writes, and it has written nothing of miners yet: the books are as the one before left them.
    async fn check_start(&self, ports: &assembly::PoolPorts) {
        let world = &self.world;
        let counted = ports.read_miners.ask(ReadMiners, Duration::from_secs(5)).await;
        let counted = counted.expect("the miner manager answers");
        let stored = world.sim.memory.shares().len() as u64;
        assert_eq!(counted.accepted, stored, "what was counted is what is stored");
        world.notes().life_begins();
        world.check();
    }

    /// Serves until it is to stop.
    async fn serve(&self, leading: Leading) -> Ended {
        let mut stop = self.world.machine(self.number()).stop.subscribe();
        // What is seen is let go at once: nobody could say anything else meanwhile. The sender is in the world.
        drop(stop.wait_for(|stop| *stop).await);
        let stopped = leading.ports.stop.ask(Stop, Duration::from_secs(60)).await;
        stopped.expect("the pool stops within a minute");
        self.world.database.resign(leading.epoch);
        Ended::Stopped
    }
}

impl World {
    /// What must hold at any moment: every commit is whole.
    pub(super) fn check(&self) {
        let sim = &self.sim;
        crate::nothing_panicked();
        check::books(&sim.memory, &sim.notes, sim.scheme(), sim.source());
        let passed = self.now().since(sim.now);
        check::no_round_of_a_wrong_clock(&sim.memory, &sim.notes, passed, self.database.epoch());
        money::is_booked_once(&sim.memory, &sim.wallet, &sim.strange.borrow());
    }
}
