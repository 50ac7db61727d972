//! The whole pool on one thread in virtual time: real actors, a chain that misbehaves and forks, a store that fails and
//! is put back as it was before, a clock that jumps, miners that repeat themselves, a peer that robs them, and crashes at any moment. After each
//! life the books are checked, and after the last one everything must have come to rest. See `check` and `money` for
//! what must hold.
//!
//! Everything follows from a seed. To see one again:
//! `SIM_SEED=17 cargo test -p dwarves-testkit --test simulation one_seed -- --nocapture`

mod backup;
mod chaos;
mod check;
mod doors;
mod evaluated;
mod fork;
mod fronts;
mod life;
mod miner;
mod money;
mod notes;
mod peer;
mod plan;
mod statements;
mod wire;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use std::sync::Once;

use plan::Simulation;

/// Seeds that every run of the tests goes through.
const SEEDS: u64 = 240;

thread_local! {
    static PANICS: Cell<u32> = const { Cell::new(0) };
}

/// A panic of an actor or a task ends that alone: it is counted, so that it does not go unseen.
fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.set(PANICS.get() + 1);
            report(panic);
        }));
    });
    PANICS.set(0);
}

/// Fails if anything on this thread panicked since the simulation began.
fn nothing_panicked() {
    assert_eq!(PANICS.get(), 0, "an actor or a miner panicked, as told above");
}

fn run(seed: u64) -> Vec<String> {
    count_panics();
    let simulation = Simulation::new(seed);
    let notes = simulation.notes.clone();
    match catch_unwind(AssertUnwindSafe(|| simulation.run())) {
        Ok(log) => log,
        Err(panic) => {
            if chosen_seed().is_some() {
                notes.log().iter().for_each(|line| println!("{line}"));
            }
            eprintln!(
                "the simulation failed with seed {seed}; see it again with\n  SIM_SEED={seed} cargo test \
                 -p dwarves-testkit --test simulation one_seed -- --nocapture"
            );
            resume_unwind(panic)
        }
    }
}

/// What must have happened in some seed, in the words of the log: a simulation that does not get there proves
/// nothing about it.
const MUST_HAPPEN: [&str; 43] = [
    "clock jumped",
    "node behind",
    "node refuses",
    "node is on a minority branch",
    "to_miners=0",
    "to_miners=1",
    "to_miners=2",
    "payouts are held as restored",
    "adopted, left=0",
    "released: done",
    "owner spends",
    "is confirmed",
    "is confirmed sent by the wallet while",
    "peer brings what another made: a block",
    "peer brings what another made: nothing",
    "peer repeats for another: Ok(AcceptedShare",
    "peer repeats for another: Err(Duplicate(",
    "peer: Ok(AcceptedShare",
    "peer: Err(Stale)",
    "peer sends twice at once: 1 counts",
    "peer is banned and has a block",
    "peer floods: 20 are judged, 20 are not",
    "peer signs for another: Err(Replayed)",
    "peer signs for another: Err(SignatureInvalid)",
    "ended: stopped",
    "ended: crashed",
    "ended: halted",
    "Err(Stale)",
    "Err(Duplicate(",
    "Err(LowDifficulty)",
    "OtherWorker",
    "is_block: true",
    "submitted: Ok(Err(Unavailable))",
    "submitted: Ok(Err(Paused))",
    "submitted: Ok(Err(Banned",
    "submitted: Err(TimedOut)",
    "authenticated: Ok(Err(Replayed))",
    "mature, booked matured",
    "orphaned, booked none",
    "orphaned, booked reversed",
    "orphaned, booked reversed_mature",
    "shares of 3 miners",
    "has ended and is not stated",
];

fn run_all(seeds: std::ops::Range<u64>) -> BTreeSet<&'static str> {
    in_threads(seeds, &MUST_HAPPEN, run)
}

/// Runs all seeds, on as many threads as there are cores, and gives which of `words` are in the log of any of them.
fn in_threads(
    seeds: std::ops::Range<u64>,
    words: &[&'static str],
    run: fn(u64) -> Vec<String>,
) -> BTreeSet<&'static str> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let run_some = |first: usize| {
        let mut happened = BTreeSet::new();
        for seed in seeds.clone().skip(first).step_by(threads) {
            let log = run(seed);
            let is_in = |words: &&str| log.iter().any(|line| line.contains(words));
            happened.extend(words.iter().copied().filter(is_in));
        }
        happened
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|first| scope.spawn(move || run_some(first)))
            .collect();
        let done = running.into_iter().map(|thread| thread.join());
        done.flat_map(|happened| happened.unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    })
}

#[test]
fn the_books_are_right_whatever_happens() {
    let happened = run_all(0..SEEDS);
    let missing = MUST_HAPPEN.into_iter().filter(|words| !happened.contains(words));
    let missing: Vec<_> = missing.collect();
    assert_eq!(missing, [""; 0], "these never happened");
}

/// What the seeds of every run do not show, another run may.
#[test]
fn the_books_are_right_with_fresh_seeds() {
    run_all(dwarves_testkit::fresh_seeds(24));
}

/// More seeds, for whoever has the time: `SIM_SEEDS=1000..2000`.
#[test]
fn more_seeds() {
    if let Some(seeds) = chosen_seeds() {
        run_all(seeds);
    }
}

fn chosen_seeds() -> Option<std::ops::Range<u64>> {
    let seeds = std::env::var("SIM_SEEDS").ok()?;
    let (first, end) = seeds
        .split_once("..")
        .expect("SIM_SEEDS is two numbers with .. between");
    let number = |text: &str| text.parse().expect("SIM_SEEDS is two numbers");
    Some(number(first)..number(end))
}

fn chosen_seed() -> Option<u64> {
    std::env::var("SIM_SEED").ok()?.parse().ok()
}

#[test]
fn one_seed() {
    let seed = chosen_seed();
    let log = run(seed.unwrap_or(7));
    if seed.is_some() {
        for line in log {
            println!("{line}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_events() {
    for seed in [3, 11, 42] {
        let (first, second) = (run(seed), run(seed));
        assert!(first.len() > 200, "something happened: {} events", first.len());
        let differing = first.iter().zip(&second).find(|(a, b)| a != b);
        assert_eq!(differing, None);
        assert_eq!(first.len(), second.len());
    }
    assert_ne!(run(3), run(4));
}
