//! The reward distributor on a real ledger, with a store that can be slow and faulty.

use std::sync::Arc;

use dwarves_domain::ids::{ExtraNonce, HeaderHash, RoundId, TemplateId, WorkerId};
use dwarves_domain::ledger::{Account, Balance};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::time::Timestamp;
use dwarves_ports::clock::Clock;
use dwarves_ports::store::{
    BlockState, FoundBlock, PageRequest, RoundRow, ShareRow, Store, WorkerRow, Written,
};
use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::build::{self, BEGIN, hotkey, sats, template_row, worker_name};
use dwarves_testkit::faulty_store::{Fault, FaultPlan, FaultyStore};
use dwarves_testkit::{Gate, ManualClock, PacedStore, RecordingHalt, settle};
use serde_json::Value;
use tokio::sync::oneshot;
use tracing::Level;

use super::control::StoredTerms;
use super::messages::{DistributorControl, DrainRounds, ReadSchedule, ScheduleView};
use super::*;
use crate::ask::{Ask, Outbox, Request};
use crate::spans::heard::{Heard, of_span};
use crate::testing::settings::terms;

mod clocks;
mod controlling;
mod retention;
mod schemes;
mod ticking;

const INTERVAL: Span = Span::from_secs(10);
/// How long shares are kept once every window has passed them.
const RETENTION: Span = Span::from_secs(60);
const HISTORY: HistoryKept = HistoryKept {
    minutes: Span::from_secs(120),
    hours: Span::from_secs(7_200),
    days: Span::from_secs(86_400),
};
/// Missed rounds that are closed in a minute at most; twelve is twice the pace of new ones.
const MISSED_PER_MINUTE: u32 = 15;
/// What the test blocks pay.
const REWARD: u64 = 1_000_000;

struct Bench {
    clock: ManualClock,
    memory: InlineStore,
    store: PacedStore,
    gate: Gate,
    halt: RecordingHalt,
    distributor: Addr<RewardDistributor>,
}

/// A clock that is right, and was put right this many times.
fn right(steps: u64) -> ClockNews {
    ClockNews {
        refused: None,
        is_confirmed: true,
        steps,
    }
}

/// A store that knows miners 1 and 2, their workers (numbers 1 and 2) and template 1.
async fn prepared() -> InlineStore {
    let memory = InlineStore::fresh();
    memory.start(BEGIN).await.unwrap();
    for n in 1..=2u8 {
        let writes = vec![
            Write::RegisterMiner {
                hotkey: hotkey(n),
                payout_address: None,
                at: BEGIN,
            },
            Write::AddWorker(WorkerRow {
                id: WorkerId::new(u32::from(n)),
                hotkey: hotkey(n),
                name: worker_name("rig"),
            }),
        ];
        memory.commit(writes).await.unwrap();
    }
    let row = template_row(1, 101, HeaderHash::from_bytes([9; 32]));
    memory
        .commit(vec![Write::SaveTemplate(Box::new(row))])
        .await
        .unwrap();
    memory
}

fn at(secs: u64) -> Timestamp {
    BEGIN.plus(Span::from_secs(secs))
}

impl Bench {
    /// Ready to go, on a store that is never slow and never fails.
    async fn new() -> Self {
        Self::with(terms(), &[]).await
    }

    async fn with(terms: Terms, faults: &[(u64, Fault)]) -> Self {
        tokio::time::pause();
        let bench = Self::on(prepared().await, terms, faults, None).await;
        bench.gate.open();
        bench
    }

    async fn gated() -> Self {
        tokio::time::pause();
        Self::on(prepared().await, terms(), &[], None).await
    }

    /// A life that begins at the time that its clock shows then.
    async fn on(
        memory: InlineStore,
        mut terms: Terms,
        faults: &[(u64, Fault)],
        clock: Option<ManualClock>,
    ) -> Self {
        let clock = clock.unwrap_or_else(|| ManualClock::at(BEGIN));
        let gate = Gate::default();
        let halt = RecordingHalt::default();
        let plan = FaultPlan {
            at: faults.to_vec(),
            disk_full: None,
        };
        let faulty = FaultyStore::new(Arc::new(memory.clone()), plan);
        let store = PacedStore::new(Arc::new(faulty), Arc::new(gate.clone()));
        let stored = memory.start(BEGIN).await.unwrap();
        let ledger = crate::testing::ledger(
            Arc::new(store.clone()),
            &halt,
            (stored.last_sequence, stored.total_units),
        );
        let changed = StoredTerms::read(&stored.settings);
        terms.fee = changed.fee.unwrap_or(terms.fee);
        let last_closed = stored.last_round.as_ref().map(|last| (last.id, last.closed_at));
        let interval = changed.run_interval.unwrap_or(INTERVAL);
        let mut schedule = Schedule::new(stored.created_at, last_closed, interval).unwrap();
        if let Some(reset_at) = changed.reset_at {
            schedule.reset(reset_at);
        }
        let distributor = RewardDistributor::new(RewardDistributorParts {
            clock: Arc::new(clock.clone()),
            ledger: Port::new(&ledger),
            store: Arc::new(store.clone()),
            halt: halt.shared(),
            terms,
            schedule: schedule.not_after(clock.now()),
            last_round: stored.last_round,
            paused: changed.paused,
            retention: Some(RETENTION),
            history: Some(HISTORY),
            missed_per_minute: MISSED_PER_MINUTE,
        })
        .start();
        Outbox::new(&distributor).tell(right(0)).unwrap();
        settle().await;
        Self {
            clock,
            memory,
            store,
            gate,
            halt,
            distributor,
        }
    }

    async fn restarted(self, terms: Terms) -> Self {
        let next = Self::on(self.memory, terms, &[], Some(self.clock)).await;
        next.gate.open();
        settle().await;
        next
    }

    fn tick(&self) {
        Outbox::new(&self.distributor).tell(Poke).unwrap();
    }

    /// The clock shows this many seconds after the beginning, and a tick comes.
    async fn tick_at(&self, secs: u64) {
        self.clock.set(at(secs));
        self.tick();
        settle().await;
    }

    fn post<R: Request>(&self, payload: R) -> oneshot::Receiver<R::Reply>
    where
        RewardDistributor: Handler<Ask<R>>,
    {
        Port::new(&self.distributor).post(payload).unwrap()
    }

    async fn ask<R: Request>(&self, payload: R) -> R::Reply
    where
        RewardDistributor: Handler<Ask<R>>,
    {
        let port = Port::new(&self.distributor);
        port.ask(payload, Duration::from_secs(60)).await.unwrap()
    }

    async fn schedule(&self) -> ScheduleView {
        self.ask(ReadSchedule).await
    }

    /// Closed rounds, oldest first.
    async fn rounds(&self) -> Vec<RoundRow> {
        let all = PageRequest {
            cursor: None,
            limit: 1_000,
        };
        let mut rows = self.memory.rounds(all).await.unwrap().rows;
        rows.reverse();
        rows
    }

    /// When rounds closed, in seconds after the beginning.
    async fn closings(&self) -> Vec<u64> {
        let rounds = self.rounds().await;
        rounds
            .iter()
            .map(|round| round.closed_at.since(BEGIN).secs())
            .collect()
    }

    /// The rounds that the ledger was asked to close, in order, also in vain.
    fn asked_to_close(&self) -> Vec<Write> {
        let is_round = |write: &Write| matches!(write, Write::CloseRound { .. });
        let commits = self.store.commits();
        commits.into_iter().flatten().filter(is_round).collect()
    }

    /// A miner's share of this many hundredths of a unit, which may be a block, received `secs` after the beginning.
    async fn share(&self, miner: u8, hundredths: u128, secs: u64, block: Option<u8>) -> Sequence {
        let before = self.memory.shares().len() as u8;
        let found = |_| FoundBlock {
            height: 101,
            reward: sats(REWARD),
            finder: Some(hotkey(miner)),
            bytes: vec![1],
        };
        let row = ShareRow {
            template: TemplateId::new(1),
            extranonce: ExtraNonce::new(1).into(),
            worker: WorkerId::new(u32::from(miner)),
            share_bits: CompactTarget::from_bits(build::EASY_BITS),
            units: Units::from_raw(Units::ONE.raw() / 100 * hundredths),
            hash: block.map_or(HeaderHash::from_bytes([100 + before; 32]), block_hash),
            version: 0,
            time: 0,
            nonce: 0,
            received_at: at(secs),
            block: block.map(found),
        };
        let written = self.memory.commit(vec![Write::AppendShares(vec![row])]).await;
        match written.unwrap()[..] {
            [Written::Shares { first, .. }] => first,
            ref other => panic!("expected shares, got {other:?}"),
        }
    }

    async fn block_becomes(&self, n: u8, state: BlockState) {
        let write = Write::SetBlockState {
            hash: block_hash(n),
            state,
            confirmations: 1,
            at: BEGIN,
            block: None,
        };
        self.memory.commit(vec![write]).await.unwrap();
    }

    /// The usual work: half a unit each of miners 1, 2 and 1, and the last is block 1.
    async fn usual_work(&self) {
        self.share(1, 50, 1, None).await;
        self.share(2, 50, 2, None).await;
        self.share(1, 50, 3, Some(1)).await;
        self.block_becomes(1, BlockState::Immature).await;
    }

    fn balance(&self, account: Account) -> i64 {
        self.memory.balances().get(account)
    }

    /// What miners 1 and 2 have in this balance.
    fn of_miners(&self, balance: Balance) -> [i64; 2] {
        [1, 2].map(|n| self.balance(Account::Miner(hotkey(n), balance)))
    }
}

fn block_hash(n: u8) -> HeaderHash {
    HeaderHash::from_bytes([n; 32])
}
