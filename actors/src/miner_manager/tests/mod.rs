//! The miner manager on a real ledger, with a store that can be slow and faulty.

use std::sync::Arc;
use std::time::Duration;

use dwarves_domain::ids::{HeaderHash, TemplateId};
use dwarves_domain::refusal::Refusal;
use dwarves_domain::rewards::pplns::Window;
use dwarves_domain::share::Rejection;
use dwarves_domain::share::{AcceptedShare, ShareVerdict};
use dwarves_domain::work::{Job, Template};
use dwarves_ports::store::{ShareRow, SharedStore, Store, WorkerRow};
use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::build::{self, BEGIN, hotkey, job, mine, template_of, template_row, worker_name};
use dwarves_testkit::faulty_store::{Fault, FaultPlan, FaultyStore};
use dwarves_testkit::{Gate, ManualClock, PacedStore, RecordingHalt, settle};
use tokio::sync::oneshot;

use super::messages::*;
use super::restore::{MemorySettings, recent_shares, restore};
use super::*;
use crate::ask::{Ask, Request};
use crate::miner_manager::messages::CheckedShare;
use crate::miner_manager::messages::Judgement;
use crate::testing::settings::{checked, memory_settings};
use crate::testing::{Inbox, recorded_outbox};

mod controlling;
mod joining;
mod mailbox;
mod names;
mod newcomers;
mod quotas;
mod registering;
mod restarting;
mod retiring;
mod shares;
mod troubles;

const MAILBOX_CAPACITY: usize = 64;

/// A miner manager, what surrounds it, and the means to start another one on the same store.
struct Bench {
    clock: ManualClock,
    memory: InlineStore,
    store: PacedStore,
    gate: Gate,
    halt: RecordingHalt,
    manager: Addr<MinerManager>,
    blocks: Inbox<BlockFound>,
}

/// A store that knows miners 1 and 2, each with the worker `rig` (numbers 0 and 1), and templates 1 to 3.
async fn prepared() -> InlineStore {
    let memory = InlineStore::fresh();
    for n in 1..=2u8 {
        let writes = vec![
            Write::RegisterMiner {
                hotkey: hotkey(n),
                payout_address: None,
                at: BEGIN,
            },
            Write::AddWorker(WorkerRow {
                id: WorkerId::new(u32::from(n) - 1),
                hotkey: hotkey(n),
                name: worker_name("rig"),
            }),
        ];
        memory.commit(writes).await.unwrap();
    }
    for id in 1..=3 {
        let row = template_row(id, 100 + id, HeaderHash::from_bytes([9; 32]));
        memory
            .commit(vec![Write::SaveTemplate(Box::new(row))])
            .await
            .unwrap();
    }
    memory
}

/// The template with this number, as the prepared store has it.
fn template(id: u32) -> Arc<Template> {
    template_of(&template_row(id, 100 + id, HeaderHash::from_bytes([9; 32])))
}

/// A job of template 1 for miner 1's rig.
fn job_1() -> Arc<Job> {
    job(&template(1), 1, hotkey(1), 0)
}

impl Bench {
    /// On an empty but prepared store that is never slow and never fails.
    async fn new() -> Self {
        tokio::time::pause();
        let bench = Self::on(prepared().await, FaultPlan::default(), memory_settings()).await;
        bench.gate.open();
        bench
    }

    /// On a store whose commits fail by plan.
    async fn failing(at: &[(u64, Fault)]) -> Self {
        tokio::time::pause();
        let plan = FaultPlan {
            at: at.to_vec(),
            disk_full: None,
        };
        let bench = Self::on(prepared().await, plan, memory_settings()).await;
        bench.gate.open();
        bench
    }

    /// On a store whose commits wait for the gate.
    async fn gated() -> Self {
        tokio::time::pause();
        Self::on(prepared().await, FaultPlan::default(), memory_settings()).await
    }

    async fn with(settings: MemorySettings) -> Self {
        tokio::time::pause();
        let bench = Self::on(prepared().await, FaultPlan::default(), settings).await;
        bench.gate.open();
        bench
    }

    /// The same once more in one test: time is paused already.
    async fn another(settings: MemorySettings) -> Self {
        let bench = Self::on(prepared().await, FaultPlan::default(), settings).await;
        bench.gate.open();
        bench
    }

    /// A new life on this store; time must be paused already.
    async fn on(memory: InlineStore, plan: FaultPlan, settings: MemorySettings) -> Self {
        let clock = ManualClock::at(BEGIN);
        let gate = Gate::default();
        let faulty: SharedStore = Arc::new(FaultyStore::new(Arc::new(memory.clone()), plan));
        let store = PacedStore::new(faulty, Arc::new(gate.clone()));
        let halt = RecordingHalt::default();
        let stored = memory.start(BEGIN).await.unwrap();
        let window = Window::ending_now(stored.total_units, settings.window).unwrap();
        let weights = memory
            .weights_in_window(window, stored.last_sequence)
            .await
            .unwrap();
        let ledger = crate::testing::ledger(
            Arc::new(store.clone()),
            &halt,
            (stored.last_sequence, stored.total_units),
        );
        let (outbox, blocks) = recorded_outbox();
        let parts = MinerManagerParts {
            clock: Arc::new(clock.clone()),
            ledger: Port::new(&ledger),
            blocks: outbox,
            candidates_max: 4,
            mailbox_capacity: MAILBOX_CAPACITY,
            difficulty_range: crate::testing::settings::pool_settings().difficulty_range,
        };
        let inner: SharedStore = Arc::new(memory.clone());
        let recent = recent_shares(&inner, &stored, &settings).await.unwrap();
        let memory_of_miners = restore(&stored, recent, &weights, &settings, BEGIN);
        let manager = MinerManager::new(parts, memory_of_miners).start();
        settle().await;
        Self {
            clock,
            memory,
            store,
            gate,
            halt,
            manager,
            blocks,
        }
    }

    /// The next life, on what the store holds now and without any fault.
    async fn restarted(self) -> Self {
        let next = Self::on(self.memory, FaultPlan::default(), memory_settings()).await;
        next.gate.open();
        next
    }

    fn post<R: Request>(&self, payload: R) -> oneshot::Receiver<R::Reply>
    where
        MinerManager: Handler<Ask<R>>,
    {
        Port::new(&self.manager).post(payload).unwrap()
    }

    async fn ask<R: Request>(&self, payload: R) -> R::Reply
    where
        MinerManager: Handler<Ask<R>>,
    {
        let port = Port::new(&self.manager);
        port.ask(payload, Duration::from_secs(60)).await.unwrap()
    }

    async fn miners(&self) -> MinersView {
        self.ask(ReadMiners).await
    }

    async fn miner(&self, n: u8) -> MinerView {
        self.ask(ReadMiner { hotkey: hotkey(n) }).await.unwrap()
    }

    async fn retire_before(&self, template: u32) {
        let oldest = TemplateId::new(template);
        Outbox::new(&self.manager).tell(WorkRetired { oldest }).unwrap();
        settle().await;
    }

    /// The shares in the store, oldest first.
    fn stored_shares(&self) -> Vec<(Sequence, ShareRow)> {
        self.memory.shares()
    }
}

/// When the shares of these tests come: after what happens at the beginning.
const CAME_AT: Timestamp = BEGIN.plus(Span::from_millis(1));

/// One request of one miner.
fn request(miner: u8, shares: Vec<CheckedShare>) -> CheckedShares {
    CheckedShares {
        miner: hotkey(miner),
        received_at: CAME_AT,
        worker: None,
        shares,
    }
}

fn judge(requests: Vec<CheckedShares>) -> JudgeShares {
    JudgeShares {
        sent_at: BEGIN,
        requests,
    }
}

/// One share of miner 1.
fn judge_one(share: CheckedShare) -> JudgeShares {
    judge(vec![request(1, vec![share])])
}

/// What one word says of a verdict.
fn word(verdict: &ShareVerdict) -> String {
    match verdict {
        Ok(AcceptedShare { sequence, .. }) => format!("accepted {sequence}"),
        Err(Rejection::Duplicate(first)) => {
            format!("duplicate {first}")
        }
        Err(Rejection::OtherWorker) => "other_worker".to_owned(),
        Err(Rejection::JobFull { .. }) => "job_full".to_owned(),
        Err(reason) => reason.reason().to_owned(),
    }
}

/// The verdicts of each request in words, or why there are none.
fn words(judgements: &[Judgement]) -> Vec<String> {
    let judgement = |judgement: &Judgement| match judgement {
        Ok(verdicts) => verdicts.iter().map(word).collect::<Vec<_>>().join(", "),
        Err(Refusal::Banned { reason }) => format!("banned: {reason}"),
        Err(Refusal::MinerUnknown) => "unknown".to_owned(),
        Err(Refusal::Paused) => "paused".to_owned(),
        Err(Refusal::Busy) => "busy".to_owned(),
        Err(Refusal::MinerFull) => "miner_full".to_owned(),
        Err(Refusal::Unavailable) => "unavailable".to_owned(),
        Err(other) => panic!("shares are not refused with {other:?}"),
    };
    judgements.iter().map(judgement).collect()
}
