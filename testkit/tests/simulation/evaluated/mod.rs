//! The pool that has work evaluated, on one thread in virtual time: miners that repeat themselves and go away, evaluators that
//! misbehave, a store that fails, a clock that jumps, operators who change their minds, and crashes at any moment. See `oracle`
//! for what must hold.
//!
//! Everything follows from a seed. To see one again:
//! `SIM_SEED=17 cargo test -p dwarves-testkit --test simulation evaluated::one_seed -- --nocapture`

mod exports;
mod judge;
mod life;
mod operator;
mod oracle;
mod reading;
mod records;
mod sender;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use dwarves_domain::evaluation::Measure;
use dwarves_domain::rewards::{Scheme, Unearned};
use dwarves_domain::time::{Span, Timestamp};
use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::Prng;
use dwarves_testkit::build::BEGIN;
use tokio::sync::watch;

use judge::Judge;
use reading::Reading;
use records::Records;
use sender::Sender;

/// Seeds that every run of the tests goes through.
const SEEDS: u64 = 120;
/// How long an evaluation takes at most.
const TIMEOUT: Span = Span::from_secs(5);
/// How often one is tried.
const TRIES: u32 = 3;
/// What an evaluator may have to do at once.
const AT_ONCE: usize = 2;
/// How long a result is paid.
const MAX_AGE: Span = Span::from_secs(25);
/// Losses below it count as it, in steps of 10^-18.
const LOSS_FLOOR: u64 = 1_000_000_000_000;
/// What the best takes.
const WINNER_BPS: u32 = 6_000;
/// The schemes of evaluated work, and what they go by.
const SCHEMES: [(Scheme, Measure); 4] = [
    (Scheme::InverseLoss, Measure::Loss),
    (Scheme::Score, Measure::Score),
    (Scheme::WinnerTakesMost, Measure::Score),
    (Scheme::WinnerTakesMost, Measure::Loss),
];

/// How a simulation's pool pays.
#[derive(Clone, Copy, Debug)]
struct Terms {
    scheme: Scheme,
    measure: Measure,
    unearned: Unearned,
    /// What is configured: operators may order something else.
    emission: u64,
    fee_bps: u16,
    /// How many of a miner's submissions are kept.
    keep: u32,
}

/// What outlives the lives of a pool.
struct Simulation {
    prng: Prng,
    terms: Terms,
    memory: InlineStore,
    now: Timestamp,
    judge: Judge,
    miners: Vec<Rc<RefCell<Sender>>>,
    records: Records,
    /// What was stored whenever a round asked for results. (A cell that can be shared between threads, as the store's port
    /// wants it.)
    readings: watch::Sender<Vec<Reading>>,
}

impl Simulation {
    fn new(seed: u64, records: Records) -> Self {
        let mut prng = Prng::new(seed);
        let (scheme, measure) = SCHEMES[(seed % 4) as usize];
        let terms = Terms {
            scheme,
            measure,
            unearned: if seed % 3 == 1 {
                Unearned::Burn
            } else {
                Unearned::Carry
            },
            emission: 1_000_003,
            fee_bps: 100,
            keep: if seed % 5 == 2 { 3 } else { u32::MAX },
        };
        let miners = (0..2 + prng.below(3)).map(|n| Rc::new(RefCell::new(Sender::new(n as u8, prng.fork()))));
        Self {
            miners: miners.collect(),
            judge: Judge::new(prng.fork(), measure),
            prng,
            terms,
            memory: InlineStore::fresh(),
            now: BEGIN,
            records,
            readings: watch::Sender::new(Vec::new()),
        }
    }

    /// Lives through all of it.
    fn run(mut self) {
        let lives = 2 + self.prng.below(5);
        for number in 1..=lives {
            let plan = life::Plan::new(&mut self.prng, number == lives);
            let ended = life::live(&mut self, &plan);
            self.records.event(format!("life {number} ended: {ended}"));
            crate::nothing_panicked();
            let readings = self.readings.borrow().clone();
            oracle::check(&self.memory, &self.records, &self.judge, &readings, &self.terms);
            let waiting = !oracle::nothing_waits(&self.memory);
            if waiting {
                self.records.event("work waits for the next life");
            }
            assert!(!plan.is_last || !waiting, "work was never evaluated");
            // Time goes on while nobody runs the pool.
            self.now = self.now.plus(Span::from_millis(self.prng.below(20_000)));
        }
        self.tell_rounds();
    }

    /// Notes what the rounds came to.
    fn tell_rounds(&self) {
        for number in 1..=oracle::rounds_of(&self.memory) {
            let id = dwarves_domain::ids::RoundId::new(number);
            let found = crate::check::now(dwarves_ports::store::Store::round(&self.memory, id));
            let (row, credits) = found.expect("rounds have no gaps");
            let (scheme, emitted) = (self.terms.scheme, row.emitted.unwrap_or_default());
            let zero = dwarves_domain::units::Amount::ZERO;
            let paid = credits.len();
            let carried = if emitted.carried > zero { " carried" } else { "" };
            let burnt = if emitted.burnt > zero { " burnt" } else { "" };
            let brought = if emitted.brought > zero && emitted.issued > zero {
                " issues what was brought"
            } else {
                ""
            };
            self.records.event(format!(
                "round {number} by {scheme} pays {paid}:{carried}{burnt}{brought} {:?} {:?}",
                row.digest, emitted
            ));
        }
    }
}

fn run(seed: u64) -> Vec<String> {
    crate::count_panics();
    let records = Records::default();
    let simulation = Simulation::new(seed, records.clone());
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| simulation.run())) {
        if crate::chosen_seed().is_some() {
            records.log().iter().for_each(|line| println!("{line}"));
        }
        eprintln!(
            "the simulation of evaluated work failed with seed {seed}; see it again with\n  SIM_SEED={seed} cargo test \
             -p dwarves-testkit --test simulation evaluated::one_seed -- --nocapture"
        );
        resume_unwind(panic)
    }
    records.log()
}

/// What must have happened in some seed, in the words of the log: a simulation that does not get there proves nothing about
/// it.
const MUST_HAPPEN: [&str; 37] = [
    "is queued",
    "is evaluated",
    "is evaluated before",
    "is made anew",
    "refused: Paused",
    "refused: Banned",
    "refused: TooMuchWaits",
    "refused: Unavailable",
    "refused: MinerUnknown",
    "no answer: TimedOut",
    "is removed",
    "is not a stranger's to remove",
    "evaluators away",
    "clock jumped by -",
    "results that it was given",
    "counts for nothing: not_a_number",
    "counts for nothing: infinite",
    "counts for nothing: negative",
    "counts for nothing: absurd",
    "counts for nothing: malformed",
    "counts for nothing: missing",
    "counts for nothing: late",
    "counts for nothing: refused",
    "counts for nothing: failed",
    "work waits for the next life",
    "ended: stopped",
    "ended: crashed",
    "ended: halted",
    "by inverse_loss pays 3",
    "by score pays 3",
    "by winner_takes_most pays 3",
    "pays 0: carried",
    "pays 0: burnt",
    "issues what was brought",
    "SetEmission(Amount",
    "RemoveSubmission(SubmissionId",
    "DistributeNow): done",
];

#[test]
fn every_submission_is_evaluated_and_paid_once_whatever_happens() {
    let happened: BTreeSet<_> = crate::in_threads(0..SEEDS, &MUST_HAPPEN, run);
    let missing: Vec<_> = MUST_HAPPEN
        .into_iter()
        .filter(|words| !happened.contains(words))
        .collect();
    assert_eq!(missing, [""; 0], "these never happened");
}

/// What the seeds of every run do not show, another run may.
#[test]
fn every_submission_is_paid_once_with_fresh_seeds() {
    crate::in_threads(dwarves_testkit::fresh_seeds(16), &[], run);
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
        assert!(first.len() > 50, "something happened: {} events", first.len());
        assert_eq!(first, second);
    }
    assert_ne!(run(3), run(4));
}
