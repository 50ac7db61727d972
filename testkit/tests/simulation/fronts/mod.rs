//! Several fronts of one pool on one thread in virtual time. They share a ledger, of which one has the lead, a chain and a
//! wallet; each is a process that can stand still, be killed, or lose its way to the ledger, with commits and answers on
//! their way meanwhile, and has its own clock, which may be wrong and jump. The node may be on a branch of its own. Miners
//! come to any of them, and so does a hostile peer. When the next one may lead is the rule that is shipped
//! (`adapters/store-postgres/src/fronts/succession.rs`).
//!
//! Whatever happens: what any front acknowledged is in the ledger, once; nobody who was taken over stores anything; the
//! books are right at every takeover and in the end, when everything must have come to rest.
//!
//! Everything follows from a seed. To see one again:
//! `SIM_SEED=17 cargo test -p dwarves-testkit --test simulation fronts::one_seed -- --nocapture`

mod database;
mod drama;
mod front;
mod line;
mod process;
mod world;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;

use dwarves_testkit::fenced_store::Fence;
use dwarves_testkit::{Prng, SimClock};
use tokio::sync::{mpsc, watch};

use crate::notes::Notes;
use crate::plan::Simulation;
use crate::{check, life, miner, money, peer};
use database::Database;
use drama::Drama;
use line::Line;
use world::{Machine, World};

/// Seeds that every run of the tests goes through.
const SEEDS: u64 = 60;
/// Commits that may be on their way at once: each front, dead or alive, has one.
const PARCELS_MAX: usize = 64;

/// By how many milliseconds a machine's clock is wrong: mostly not at all, or by so little that nobody sees it.
fn wrong(prng: &mut Prng) -> i64 {
    let most = match prng.below(10) {
        0..5 => return 0,
        5..9 => 8_000,
        _ => 3 * 3_600_000,
    };
    let millis = prng.below(most) as i64;
    if prng.chance(50) { millis } else { -millis }
}

/// Lives through all of it, with this fence before the ledger.
fn live(seed: u64, mut sim: Simulation, fence: Fence) {
    let (memory, notes) = (sim.memory.clone(), sim.notes.clone());
    let (wallet, chain, scheme, source) = (sim.wallet.clone(), sim.chain.clone(), sim.scheme(), sim.source());
    let mut stated = std::mem::take(&mut sim.stated);
    let system = actix::System::new();
    system.block_on(async {
        tokio::time::pause();
        let (post, parcels) = mpsc::channel(PARCELS_MAX);
        actix::spawn(line::carry_all(parcels, notes.clone()));
        let mut prng = sim.prng.fork();
        let machines = (0..2 + seed % 2).map(|_| Machine {
            line: Line::new(post.clone(), prng.bits()),
            signals: RefCell::default(),
            wrong: Cell::new(wrong(&mut prng)),
            stop: watch::Sender::new(false),
        });
        let world = Rc::new(World {
            machines: machines.collect(),
            database: Database::behind(fence),
            ways: Default::default(),
            leading: RefCell::default(),
            steady_from: Cell::new(Some(sim.now)),
            is_calm: Cell::new(false),
            is_over: Cell::new(false),
            clock: SimClock::starting_at(sim.now),
            sim,
        });
        world.go_on(prng).await;
    });
    // Dropping the system drops every actor and every future.
    drop(system);
    crate::nothing_panicked();
    let memory = memory.reopen().expect("a ledger is whole after any life");
    check::books(&memory, &notes, scheme, source);
    stated.check(&memory, &notes);
    money::is_booked_once(&memory, &wallet, &BTreeSet::new());
    check::came_to_rest(&memory, &chain);
    assert!(money::all_is_paid(&memory), "somebody was not paid");
    for payout in memory.payouts() {
        notes.event(format!(
            "payout {} is {} {}",
            payout.id, payout.state, payout.note
        ));
    }
    for block in memory.found_blocks() {
        let (state, booked) = (block.state, block.accounting);
        notes.event(format!("block {} is {state}, booked {booked}", block.hash));
    }
}

impl World {
    async fn go_on(self: Rc<Self>, mut prng: Prng) {
        let sim = &self.sim;
        sim.notes.clock_showed(sim.now);
        sim.chain.set_header_time(Some(sim.now));
        actix::spawn(life::tell_the_time(sim.chain.clone(), sim.now));
        for front in 1..=self.machines.len() as u32 {
            actix::spawn(world::keep_running(self.clone(), front, prng.fork()));
        }
        let (ways, wire) = (self.ways.clone(), sim.wire.clone());
        let (clock, notes) = (self.clock.clone(), sim.notes.clone());
        actix::spawn(peer::attack(sim.peer.clone(), ways, wire, clock, notes));
        for state in &sim.miners {
            let (ways, wire) = (self.ways.clone(), sim.wire.clone());
            let (clock, notes) = (self.clock.clone(), sim.notes.clone());
            actix::spawn(miner::mine(state.clone(), ways, wire, clock, notes));
        }
        actix::spawn(drama::go_on_around(self.clone(), prng.fork()));
        let drama = Drama {
            world: self.clone(),
            prng,
        };
        drama.unfold().await;
    }
}

/// Lives through all of it, and gives what was noted, and how it ended.
fn attempt(seed: u64, fence: fn(Fence) -> Fence) -> (Notes, std::thread::Result<()>) {
    crate::count_panics();
    let simulation = Simulation::new(seed);
    let notes = simulation.notes.clone();
    let fence = fence(Fence::before(Arc::new(simulation.memory.clone())));
    let ended = catch_unwind(AssertUnwindSafe(|| live(seed, simulation, fence)));
    (notes, ended)
}

fn run(seed: u64) -> Vec<String> {
    let (notes, ended) = attempt(seed, |fence| fence);
    if let Err(panic) = ended {
        if crate::chosen_seed().is_some() {
            notes.log().iter().for_each(|line| println!("{line}"));
        }
        eprintln!(
            "the simulation of fronts failed with seed {seed}; see it again with\n  SIM_SEED={seed} cargo test \
             -p dwarves-testkit --test simulation fronts::one_seed -- --nocapture"
        );
        resume_unwind(panic)
    }
    notes.log()
}

/// What must have happened in some seed, in the words of the log: a simulation that does not get there proves nothing about
/// it.
const MUST_HAPPEN: [&str; 32] = [
    ": StandStill",
    ": Cut",
    ": Kill",
    ": Stop",
    "is too late",
    "comes after it was lost",
    "is lost",
    ": found out",
    ": another leads",
    "halted: another front has taken the lead, because this one was silent",
    "halted: the store cannot be trusted: another front has taken the lead",
    " stopped",
    "takes lead 5",
    "its clock is wrong",
    "clock jumped by",
    "clock is right again",
    "node forks",
    "node is on a minority branch",
    "nothing came of the minority branch",
    "begins on a branch",
    "peer brings what another made: nothing",
    "peer repeats for another: Ok(AcceptedShare",
    "peer sends twice at once to two fronts: 1 counts",
    "peer floods: 20 are judged, 20 are not",
    "peer signs for another: Err(Replayed)",
    "Err(Duplicate(",
    "submitted: Ok(Err(Unavailable))",
    "submitted: Err(TimedOut)",
    "authenticated: Ok(Err(Replayed))",
    "is confirmed",
    "mature, booked matured",
    "orphaned, booked reversed",
];

#[test]
fn what_any_front_acknowledged_is_in_the_ledger_once_whatever_happens() {
    let happened: BTreeSet<_> = crate::in_threads(0..SEEDS, &MUST_HAPPEN, run);
    let missing = MUST_HAPPEN.into_iter().filter(|words| !happened.contains(words));
    let missing: Vec<_> = missing.collect();
    assert_eq!(missing, [""; 0], "these never happened");
}

/// What the seeds of every run do not show, another run may.
#[test]
fn fronts_take_over_with_fresh_seeds() {
    crate::in_threads(dwarves_testkit::fresh_seeds(6), &[], run);
}

/// More seeds, for whoever has the time: `SIM_SEEDS=1000..2000`.
#[test]
fn more_seeds() {
    if let Some(seeds) = crate::chosen_seeds() {
        crate::in_threads(seeds, &[], run);
    }
}

#[test]
fn one_seed() {
    let seed = crate::chosen_seed();
    let log = run(seed.unwrap_or(7));
    if seed.is_some() {
        log.iter().for_each(|line| println!("{line}"));
    }
}

#[test]
fn the_same_seed_gives_the_same_events() {
    for seed in [3, 10] {
        let (first, second) = (run(seed), run(seed));
        assert!(first.len() > 100, "something happened: {} events", first.len());
        let differing = first.iter().zip(&second).find(|(a, b)| a != b);
        assert_eq!(differing, None);
        assert_eq!(first.len(), second.len());
    }
    assert_ne!(run(3), run(4));
}

/// The proof that it can fail: if those that were taken over are not kept out, it sees it.
#[test]
fn without_the_fence_it_fails() {
    let first_seen = (0..SEEDS).find_map(|seed| {
        let (notes, ended) = attempt(seed, Fence::left_open);
        ended.is_err().then_some(notes)
    });
    let notes = first_seen.expect("nobody sees what comes late");
    let is_late = notes.log().iter().any(|line| line.contains("is late and stored"));
    assert!(is_late, "it fails before anything comes late");
}
