//! One life of the pool: everything is started from the store, and in the end it stops in order or just ends.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dwarves_actors::assembly::{self, Placement, Trade, World};
use dwarves_actors::miner_manager::messages::ReadMiners;
use dwarves_actors::pool_manager::messages::Stop;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_ports::chain::Chain;
use dwarves_ports::clock::Clock;
use dwarves_testkit::faulty_store::FaultyStore;
use dwarves_testkit::paced_store::{Pace, Pause};
use dwarves_testkit::{PacedStore, Prng, RecordingHalt, SimClock, TestChain};
use tokio::sync::watch;

use crate::doors::{Doors, Ways};
use crate::money::Watch;
use crate::plan::{LifePlan, Simulation};
use crate::{backup, chaos, check, miner, money, peer};

/// How a life ends if nothing ends it before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Everything stops in order.
    Stop,
    /// Nothing is told to anybody.
    Crash,
}

/// How a life ended.
pub(crate) enum Ended {
    Stopped,
    Crashed,
    Halted(String),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("stopped"),
            Self::Crashed => f.write_str("crashed"),
            Self::Halted(why) => write!(f, "halted: {why}"),
        }
    }
}

/// A store that sometimes answers at once and sometimes takes its time.
pub(crate) struct RandomPace(pub(crate) AtomicU64);

impl RandomPace {
    fn pause(&self, most_millis: u64) -> Pause {
        let mut prng = Prng::new(self.0.fetch_add(1, Ordering::SeqCst));
        let millis = if prng.chance(50) {
            0
        } else {
            prng.below(most_millis)
        };
        Box::pin(async move {
            if millis > 0 {
                tokio::time::sleep(Duration::from_millis(millis)).await;
            }
        })
    }
}

impl Pace for RandomPace {
    fn before_commit(&self) -> Pause {
        self.pause(30)
    }

    fn after_commit(&self) -> Pause {
        self.pause(15)
    }

    fn before_read(&self) -> Pause {
        self.pause(10)
    }
}

/// The chain's headers have the true time, whatever the machine's clock shows.
pub(crate) async fn tell_the_time(chain: TestChain, begin: Timestamp) {
    for second in 0.. {
        chain.set_header_time(Some(begin.plus(Span::from_secs(second))));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Lives one life; whatever is under way when it ends is lost.
pub(crate) fn live(sim: &mut Simulation, plan: &LifePlan) -> Ended {
    sim.memory = sim.memory.reopen().expect("a ledger is whole after any life");
    let system = actix::System::new();
    let ended = system.block_on(async {
        tokio::time::pause();
        let wall = sim.now.moved(sim.wrong);
        let clock = SimClock::starting_at(wall);
        sim.notes.clock_showed(wall);
        sim.notes.life_begins();
        let watch = Watch::begin(sim);
        let ended = live_inside(sim, plan, &clock, &watch).await;
        watch.nothing_left();
        sim.notes.clock_showed(clock.date());
        let lived = clock.now().since(wall);
        sim.now = sim.now.plus(lived);
        sim.wrong = clock.wall().ahead_of(sim.now);
        ended
    });
    // Dropping the system drops every actor and every future, as a crash does.
    drop(system);
    ended
}

async fn live_inside(sim: &Simulation, plan: &LifePlan, clock: &SimClock, watch: &Watch) -> Ended {
    let halt = RecordingHalt::default();
    let mut prng = Prng::new(plan.seed);
    let faulty = FaultyStore::new(Arc::new(sim.memory.clone()), plan.faults.clone());
    let pace = RandomPace(AtomicU64::new(prng.bits()));
    let store = PacedStore::new(Arc::new(faulty), Arc::new(pace));
    let chain: Arc<dyn Chain> = Arc::new(sim.chain.clone());
    let world = World {
        store: Arc::new(store),
        trade: Trade::Mining {
            chain,
            wallet: Arc::new(sim.wallet.clone()),
        },
        clock: Arc::new(clock.clone()),
        halt: halt.shared(),
        stop: watch::Sender::new(false),
    };
    if plan.is_last {
        // The chain is searched for lost blocks once, at the start: the last life is to find them all.
        sim.fork.end(&sim.chain, &sim.wallet);
    }
    sim.chain.set_header_time(Some(sim.now));
    actix::spawn(tell_the_time(sim.chain.clone(), sim.now));
    let ports = assembly::start(sim.settings(), world, &Placement::Here)
        .await
        .expect("a ledger in memory can always be read");
    let counted = ports
        .read_miners
        .ask(ReadMiners, Duration::from_secs(5))
        .await
        .expect("the miner manager answers");
    assert_eq!(
        counted.accepted,
        sim.memory.shares().len() as u64,
        "what was counted is what is stored"
    );

    let doors = Doors::open(&ports, clock);
    let ways = Ways::of(doors);
    for state in &sim.miners {
        let wire = sim.wire.clone();
        let task = miner::mine(
            state.clone(),
            ways.clone(),
            wire,
            clock.clone(),
            sim.notes.clone(),
        );
        actix::spawn(task);
    }
    let (wire, notes) = (sim.wire.clone(), sim.notes.clone());
    actix::spawn(peer::attack(sim.peer.clone(), ways, wire, clock.clone(), notes));
    let seen_to = backup::see_to_payouts(ports.clone(), watch.clone(), sim.notes.clone(), prng.fork());
    actix::spawn(seen_to);
    let chaos = chaos::Chaos::new(sim, clock, &ports.deliver, prng.fork());
    chaos.calm(&ports).await;
    let work = async {
        if plan.is_last {
            tokio::time::sleep(plan.length.to_std()).await;
            for state in &sim.miners {
                state.borrow_mut().retired = true;
            }
            sim.peer.borrow_mut().retired = true;
            let nothing_is_due = || check::nothing_is_due(&sim.memory) && money::all_is_paid(&sim.memory);
            chaos.bury_everything(nothing_is_due).await;
        } else {
            actix::spawn(chaos.rage());
            tokio::time::sleep(plan.length.to_std()).await;
        }
        match plan.ending {
            Ending::Crash => Ended::Crashed,
            Ending::Stop => {
                let stopped = ports.stop.ask(Stop, Duration::from_secs(60)).await;
                stopped.expect("the pool stops within a minute");
                Ended::Stopped
            }
        }
    };
    tokio::select! {
        biased;
        () = halt.halted() => Ended::Halted(halt.reasons().join("; ")),
        ended = work => ended,
    }
}
