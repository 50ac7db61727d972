//! The work evaluator over a real ledger and store, with an evaluator whose answers are the test's.

use std::sync::Arc;

use dwarves_domain::evaluation::{BreakerState, SubmissionId, WorkDigest};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::Sequence;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::units::Units;
use dwarves_ports::clock::Clock;
use dwarves_ports::evaluator::{EvaluationTask, Evaluator, EvaluatorError, EvaluatorFuture};
use dwarves_ports::store::{PageRequest, SharedStore, Store};
use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::build::{BEGIN, hotkey};
use dwarves_testkit::faulty_store::{Fault as StoreFault, FaultPlan, FaultyStore};
use dwarves_testkit::{ManualClock, RecordingHalt, settle};
use tokio::sync::{mpsc, oneshot};

use super::messages::{
    EvaluatorControl, EvaluatorView, ReadEvaluator, RemoveSubmission, SubmitWork, Submitted,
};
use super::*;
use crate::ask::{Ask, Request};
use crate::work_manager::messages::HoldWork;

mod troubles;

/// What an evaluator said.
type Said = Result<Vec<u8>, EvaluatorError>;

/// A task that waits for the test to answer it.
struct Asked {
    which: usize,
    task: EvaluationTask,
    reply: oneshot::Sender<Said>,
}

/// Evaluators that hand every task to the test.
struct Scripted(mpsc::UnboundedSender<Asked>, usize);

impl Evaluator for Scripted {
    fn names(&self) -> Vec<String> {
        (0..self.1)
            .map(|which| format!("http://evaluator-{which}"))
            .collect()
    }

    fn evaluate(&self, which: usize, task: EvaluationTask) -> EvaluatorFuture {
        let (reply, answer) = oneshot::channel();
        self.0.send(Asked { which, task, reply }).unwrap();
        Box::pin(async move { answer.await.unwrap() })
    }
}

/// Lets everybody in but one who is unknown and one who is banned.
struct Door;

const UNKNOWN: u8 = 8;
const BANNED: u8 = 9;

impl Actor for Door {
    type Context = Context<Self>;
}

impl Handler<Ask<ReadStanding>> for Door {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadStanding>, _: &mut Self::Context) {
        let of = ask.payload.hotkey;
        ask.reply.answer(if of == hotkey(UNKNOWN) {
            Err(Refusal::MinerUnknown)
        } else if of == hotkey(BANNED) {
            let reason = "why".to_owned();
            Err(Refusal::Banned { reason })
        } else {
            Ok(())
        });
    }
}

struct Bench {
    memory: InlineStore,
    clock: ManualClock,
    evaluator: Addr<WorkEvaluator>,
    tasks: mpsc::UnboundedReceiver<Asked>,
}

type Reply = oneshot::Receiver<Result<Submitted, Refusal>>;

impl Bench {
    async fn new() -> Self {
        Self::by(FaultPlan::default(), 1).await
    }

    /// With so many evaluators, over a store whose commits fail by plan.
    async fn by(plan: FaultPlan, evaluators: usize) -> Self {
        tokio::time::pause();
        let memory = InlineStore::fresh();
        let register = |n| Write::RegisterMiner {
            hotkey: hotkey(n),
            payout_address: None,
            at: BEGIN,
        };
        memory.commit((0..8).map(register).collect()).await.unwrap();
        Self::begin(memory, ManualClock::at(BEGIN), plan, evaluators).await
    }

    async fn begin(memory: InlineStore, clock: ManualClock, plan: FaultPlan, evaluators: usize) -> Self {
        let (sender, tasks) = mpsc::unbounded_channel();
        let store: SharedStore = Arc::new(FaultyStore::new(Arc::new(memory.clone()), plan));
        let ledger = crate::testing::ledger(
            store.clone(),
            &RecordingHalt::default(),
            (Sequence::default(), Units::ZERO),
        );
        let waiting = memory.waiting_submissions(u32::MAX).await.unwrap();
        let evaluator = WorkEvaluator::new(WorkEvaluatorParts {
            settings: EvaluatorSettings {
                evaluator: Arc::new(Scripted(sender, evaluators)),
                timeout: Span::from_secs(30),
                at_once: 2,
                waiting_max: 6,
                of_miner_max: 2,
                tries: 3,
                retry_after: Span::from_secs(2),
                history: 10,
                measure: Measure::Loss,
                max_age: Span::from_secs(60),
                mailbox_capacity: 100,
            },
            clock: Arc::new(clock.clone()),
            ledger: Port::new(&ledger),
            store,
            standing: Port::new(&Door.start()),
            waiting,
        })
        .start();
        settle().await;
        Self {
            memory,
            clock,
            evaluator,
            tasks,
        }
    }

    /// Another life on the same ledger: what was under way is lost.
    async fn restart(self) -> Self {
        Self::begin(self.memory, self.clock, FaultPlan::default(), 1).await
    }

    fn ask<R>(&self, payload: R) -> oneshot::Receiver<R::Reply>
    where
        R: Request,
        WorkEvaluator: Handler<Ask<R>>,
    {
        Port::new(&self.evaluator).post(payload).unwrap()
    }

    async fn submit(&self, miner: u8, work: &str) -> Reply {
        let reply = self.ask(SubmitWork {
            hotkey: hotkey(miner),
            worker: "rig".parse().unwrap(),
            work: work.to_owned(),
            wait: Span::from_secs(9),
        });
        settle().await;
        reply
    }

    /// The next task.
    fn task(&mut self) -> Asked {
        self.tasks.try_recv().expect("a task was handed out")
    }

    fn is_idle(&mut self) -> bool {
        self.tasks.try_recv().is_err()
    }

    async fn answer(&self, asked: Asked, said: Said) {
        asked.reply.send(said).unwrap();
        settle().await;
    }

    /// The next task is answered so.
    async fn next_says(&mut self, said: Said) -> EvaluationTask {
        let asked = self.task();
        let task = asked.task.clone();
        self.answer(asked, said).await;
        task
    }

    async fn seconds(&self, secs: u64) {
        for _ in 0..secs * 4 {
            self.clock.advance(Span::from_millis(250));
            tokio::time::sleep(Duration::from_millis(250)).await;
            settle().await;
        }
    }

    async fn view(&self) -> EvaluatorView {
        self.ask(ReadEvaluator).await.unwrap()
    }

    /// What is stored of a miner, newest first: the loss, or the fault.
    async fn stored(&self, miner: u8) -> Vec<String> {
        let page = PageRequest {
            cursor: None,
            limit: 100,
        };
        let rows = self.memory.submissions(hotkey(miner), page).await.unwrap().rows;
        rows.iter().map(words).collect()
    }
}

fn words(row: &SubmissionRow) -> String {
    match &row.evaluated {
        None => "queued".to_owned(),
        Some(evaluated) => match &evaluated.outcome {
            Ok(result) => result.loss.unwrap().to_string(),
            Err(failure) => failure.fault.to_string(),
        },
    }
}

fn said(reply: &mut Reply) -> Result<String, Refusal> {
    let submitted = reply.try_recv().expect("it was answered")?;
    Ok(words(&submitted.row))
}

fn loss(loss: &str) -> Said {
    Ok(format!("{{\"loss\": {loss}}}").into_bytes())
}

fn failed() -> Said {
    Err(EvaluatorError::Failed("it crashed".to_owned()))
}

fn away() -> Said {
    Err(EvaluatorError::Away("it takes no connection".to_owned()))
}

#[actix::test]
async fn a_miner_is_told_its_result_once_it_is_on_disk() {
    let mut bench = Bench::new().await;
    let mut reply = bench.submit(1, "{\"w\":1}").await;
    assert_eq!(bench.stored(1).await, ["queued"], "before anybody looks at it");
    assert!(reply.try_recv().is_err());
    let task = bench.next_says(loss("0.25")).await;
    assert_eq!((task.work.as_str(), task.hotkey), ("{\"w\":1}", hotkey(1)));
    assert_eq!(said(&mut reply), Ok("0.25".to_owned()));
    assert_eq!(bench.stored(1).await, ["0.25"]);
    assert_eq!(bench.view().await.evaluated, 1);
}

#[actix::test]
async fn who_waits_long_enough_is_told_that_it_is_queued_and_finds_the_result_later() {
    let mut bench = Bench::new().await;
    let mut reply = bench.submit(1, "{}").await;
    let asked = bench.task();
    bench.seconds(8).await;
    assert!(reply.try_recv().is_err());
    bench.seconds(2).await;
    assert_eq!(said(&mut reply), Ok("queued".to_owned()));
    bench.answer(asked, loss("3")).await;
    assert_eq!(bench.stored(1).await, ["3"]);
    // The same again costs nothing.
    let mut again = bench.submit(1, "{}").await;
    let submitted = again.try_recv().unwrap().unwrap();
    assert!(!submitted.is_new && words(&submitted.row) == "3");
    assert!(bench.is_idle());
}

#[actix::test]
async fn strangers_the_banned_and_a_paused_pool_get_nothing_evaluated() {
    let mut bench = Bench::new().await;
    let unknown = said(&mut bench.submit(UNKNOWN, "{}").await);
    assert_eq!(unknown, Err(Refusal::MinerUnknown));
    let banned = said(&mut bench.submit(BANNED, "{}").await);
    assert!(matches!(banned, Err(Refusal::Banned { .. })));
    let hold = |holds| HoldWork {
        why: LackOfWork::Paused,
        holds,
    };
    bench.ask(hold(true)).await.unwrap();
    assert_eq!(said(&mut bench.submit(1, "{}").await), Err(Refusal::Paused));
    bench.ask(hold(false)).await.unwrap();
    bench.submit(1, "{}").await;
    bench.next_says(loss("1")).await;
    assert_eq!(bench.stored(1).await, ["1"]);
    assert_eq!(bench.stored(BANNED).await, [""; 0]);
}

#[actix::test]
async fn what_waits_is_limited_for_each_miner_and_in_all() {
    let mut bench = Bench::new().await;
    let mut replies = Vec::new();
    for work in ["{\"w\":1}", "{\"w\":2}", "{\"w\":1}"] {
        replies.push(bench.submit(1, work).await);
    }
    let third = said(&mut bench.submit(1, "{\"w\":3}").await);
    assert_eq!(third, Err(Refusal::TooMuchWaits { limit: 2 }));
    for miner in [2, 3] {
        bench.submit(miner, "{\"w\":1}").await;
        bench.submit(miner, "{\"w\":2}").await;
    }
    assert_eq!(said(&mut bench.submit(4, "{}").await), Err(Refusal::Busy));
    let view = bench.view().await;
    assert_eq!((view.at_work, view.waiting), (2, 4), "two at once");
    bench.next_says(loss("1")).await;
    // Both who sent it hear of it, and there is room again.
    assert_eq!(said(&mut replies[0]), Ok("1".to_owned()));
    assert_eq!(said(&mut replies[2]), Ok("1".to_owned()));
    let mut more = bench.submit(1, "{\"w\":3}").await;
    assert!(more.try_recv().is_err(), "it waits");
    assert_eq!(bench.stored(1).await, ["queued", "queued", "1"]);
}
