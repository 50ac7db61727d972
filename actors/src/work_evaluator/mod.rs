//! The work evaluator: takes submitted work and sees to it that each is evaluated once.
//!
//! Work is in the ledger before its miner is told anything, and the queue is what the ledger says: a start takes it up where
//! a crash left it. The works themselves stay on disk until it is their turn. What an evaluator answers is read by the pure
//! rules (`domain/src/evaluation`), committed, and only then told. An evaluation that is asked for twice, because its answer
//! or the process was lost, is the same to the evaluator by the submission's name, and the ledger takes its first result
//! alone.
//!
//! It owns the queue, the breakers before the evaluators, and who waits for which result. It asks the miner manager who may
//! submit, the ledger, the store's reading side and the evaluators. It knows nothing of HTTP, of processes, or of money.
//!
//! | module | its one job |
//! |---|---|
//! | [`messages`] | what it is asked |
//! | `intake` | work comes in |
//! | `queue` | what waits, whose it is, and who waits for it |
//! | `evaluating` | work goes to an evaluator, and its result into the ledger |
//! | `views` | how it is, and what admins tell it |

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::evaluation::{Breaker, Fault, Measure};
use dwarves_domain::time::{Span, Timestamp};
use dwarves_ports::clock::SharedClock;
use dwarves_ports::evaluator::SharedEvaluator;
use dwarves_ports::store::{SharedStore, StoreError, SubmissionRow, Write, Written};

use crate::ask::{Port, bound_mailbox, tell_every};
use crate::ledger::messages::Commit;
use crate::live_work::LackOfWork;
use crate::miner_manager::messages::ReadStanding;

mod evaluating;
mod intake;
pub mod messages;
mod queue;
#[cfg(test)]
mod tests;
mod views;

use messages::Poke;
use queue::Queue;

/// How often it is looked whether anything is due.
const LOOK_EVERY: Span = Span::from_millis(250);
/// How long the miner manager may take.
const ASK_DEADLINE: Duration = Duration::from_secs(10);
/// How long after its own deadline an evaluator is waited for.
const GRACE: Duration = Duration::from_secs(5);
/// The wait before a result that could not be stored is stored again.
const STORE_AGAIN: Duration = Duration::from_secs(1);

/// How work is evaluated.
#[derive(Clone)]
pub struct EvaluatorSettings {
    /// Those who evaluate.
    pub evaluator: SharedEvaluator,
    /// How long an evaluation takes at most.
    pub timeout: Span,
    /// What each of them evaluates at once.
    pub at_once: usize,
    /// Submissions that may wait, of all miners.
    pub waiting_max: usize,
    /// Submissions of one miner that may wait.
    pub of_miner_max: usize,
    /// How often an evaluation is tried that fails or comes too late.
    pub tries: u32,
    /// The wait before the second try; before each further one it is twice as long.
    pub retry_after: Span,
    /// Evaluated submissions of a miner that are kept.
    pub history: u32,
    /// What is paid by.
    pub measure: Measure,
    /// How long a result is paid.
    pub max_age: Span,
    /// Questions that may wait in the mailbox.
    pub mailbox_capacity: usize,
}

/// What the work evaluator is made with.
pub struct WorkEvaluatorParts {
    /// How work is evaluated.
    pub settings: EvaluatorSettings,
    /// Where it reads the time.
    pub clock: SharedClock,
    /// Where submissions and results are kept.
    pub ledger: Port<Commit>,
    /// Where they are read.
    pub store: SharedStore,
    /// Tells who may submit.
    pub standing: Port<ReadStanding>,
    /// What waited when an earlier life ended, oldest first.
    pub waiting: Vec<SubmissionRow>,
}

/// One of those who evaluate, as far as this actor knows it.
struct Endpoint {
    name: String,
    breaker: Breaker,
    at_work: usize,
    answers: u64,
    failures: u64,
}

/// The actor that owns evaluation.
pub struct WorkEvaluator {
    parts: WorkEvaluatorParts,
    queue: Queue,
    endpoints: Vec<Endpoint>,
    /// Why nothing is taken.
    holds: BTreeSet<LackOfWork>,
    evaluated: u64,
    faults: BTreeMap<Fault, u64>,
}

impl WorkEvaluator {
    /// An evaluator that takes up what waits.
    pub fn new(mut parts: WorkEvaluatorParts) -> Self {
        let names = parts.settings.evaluator.names();
        let endpoints = names.into_iter().map(|name| Endpoint {
            name,
            breaker: Breaker::default(),
            at_work: 0,
            answers: 0,
            failures: 0,
        });
        let mut queue = Queue::default();
        for row in std::mem::take(&mut parts.waiting) {
            queue.add(row, None);
        }
        Self {
            endpoints: endpoints.collect(),
            queue,
            parts,
            holds: BTreeSet::new(),
            evaluated: 0,
            faults: BTreeMap::new(),
        }
    }

    /// Since when results still count.
    fn counts_since(&self) -> Timestamp {
        self.parts.clock.date().minus(self.parts.settings.max_age)
    }

    /// Commits, and hands on what came of it.
    fn commit(
        &mut self,
        writes: Vec<Write>,
        ctx: &mut Context<Self>,
        then: impl FnOnce(&mut Self, Result<Vec<Written>, Option<StoreError>>, &mut Context<Self>) + 'static,
    ) {
        match self.parts.ledger.post(Commit { writes }) {
            Ok(answer) => {
                ctx.spawn(wrap_future::<_, Self>(answer).map(|result, this, ctx| {
                    let result = match result {
                        Ok(result) => result.map_err(Some),
                        Err(_) => Err(None),
                    };
                    then(this, result, ctx);
                }));
            }
            Err(_) => then(self, Err(None), ctx),
        }
    }
}

impl Actor for WorkEvaluator {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        bound_mailbox(ctx, self.parts.settings.mailbox_capacity);
        if !self.queue.is_empty() {
            log::info!(
                "submissions wait for their evaluation waiting={}",
                self.queue.waiting()
            );
        }
        self.evaluate_due(ctx);
        tell_every(ctx, LOOK_EVERY, Poke);
    }
}

impl Handler<Poke> for WorkEvaluator {
    type Result = ();

    fn handle(&mut self, _: Poke, ctx: &mut Self::Context) {
        self.evaluate_due(ctx);
    }
}
