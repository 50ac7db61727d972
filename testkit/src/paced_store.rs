//! A store that takes its time: commits wait for a gate that the test opens, or for a while.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use dwarves_domain::evaluation::{Measure, SubmissionId};
use dwarves_domain::history::Step;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{ExtraNonce, HeaderHash, NoticeId, PayoutId, RoundId, Sequence, TemplateId};
use dwarves_domain::payouts::{BatchName, Payee, Payout, Txid};
use dwarves_domain::rewards::evaluated::BestResult;
use dwarves_domain::rewards::{Weights, pplns};
use dwarves_domain::statements::{EpochId, WorkOfAll};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::{Amount, Units};
use dwarves_domain::watch::WatchId;
use tokio::sync::{Semaphore, watch};

use dwarves_ports::store::{
    AuditRow, BlockCredits, BlockRow, CreditRow, DeliveryRow, History, HistoryQuestion, LedgerPosition,
    MinerBalances, MinerNoticeRow, MinerPayoutRow, NoticeRow, Page, PageRequest, PoolTotals, RecentShare,
    RoundRow, SharedStore, Store, StoreFuture, StoredState, SubscriptionRow, TemplateRow, ValuedUnits,
    WatchRow, Write, Written,
};
use dwarves_ports::store::{
    BatchRow, BatchSummary, BlockDetails, CreditWorkings, Earned, PayoutRow, ShareDetails, WorkerSums,
};
use dwarves_ports::store::{EpochsState, StatementHead, StatementRow};
use dwarves_ports::store::{MinerResults, SubmissionRow};

/// A wait that is still to come.
pub type Pause = Pin<Box<dyn Future<Output = ()>>>;

/// Says how long a store takes.
pub trait Pace: Send + Sync + 'static {
    /// The wait before a commit is applied.
    fn before_commit(&self) -> Pause;

    /// The wait between its being applied and the answer.
    fn after_commit(&self) -> Pause {
        Box::pin(std::future::ready(()))
    }

    /// The wait before a question is answered.
    fn before_read(&self) -> Pause {
        Box::pin(std::future::ready(()))
    }
}

/// Lets commits through one by one as the test says. It is closed at first.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Semaphore>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }
}

impl Gate {
    /// Lets this many more commits through.
    pub fn open_for(&self, commits: usize) {
        self.0.add_permits(commits);
    }

    /// Lets all commits through from now on.
    pub fn open(&self) {
        self.0.close();
    }
}

impl Pace for Gate {
    fn before_commit(&self) -> Pause {
        let semaphore = Arc::clone(&self.0);
        Box::pin(async move {
            // A closed semaphore means that the gate stands open.
            if let Ok(permit) = semaphore.acquire().await {
                permit.forget();
            }
        })
    }
}

/// A store that takes its time, and that remembers what it was asked to commit. Clones are the same store.
#[derive(Clone)]
pub struct PacedStore {
    inner: SharedStore,
    pace: Arc<dyn Pace>,
    begun: watch::Sender<Vec<Vec<Write>>>,
}

impl PacedStore {
    /// A store in front of `inner` that takes as long as `pace` says.
    pub fn new(inner: SharedStore, pace: Arc<dyn Pace>) -> Self {
        Self {
            inner,
            pace,
            begun: watch::Sender::new(Vec::new()),
        }
    }

    /// What each commit so far consisted of, also those that failed or wait.
    pub fn commits(&self) -> Vec<Vec<Write>> {
        self.begun.borrow().clone()
    }

    fn read<T: 'static>(&self, read: impl FnOnce(SharedStore) -> StoreFuture<T> + 'static) -> StoreFuture<T> {
        let inner = self.inner.clone();
        let pause = self.pace.before_read();
        Box::pin(async move {
            pause.await;
            read(inner).await
        })
    }
}

impl Store for PacedStore {
    fn start(&self, now: Timestamp) -> StoreFuture<StoredState> {
        self.inner.start(now)
    }

    fn recent_shares(&self, after: Sequence, limit: u32) -> StoreFuture<Vec<RecentShare>> {
        self.read(move |store| store.recent_shares(after, limit))
    }

    fn commit(&self, writes: Vec<Write>) -> StoreFuture<Vec<Written>> {
        self.begun.send_modify(|begun| begun.push(writes.clone()));
        let (inner, before, after) = (
            self.inner.clone(),
            self.pace.before_commit(),
            self.pace.after_commit(),
        );
        Box::pin(async move {
            before.await;
            let written = inner.commit(writes).await;
            after.await;
            written
        })
    }

    fn blocks_to_account(&self, limit: u32) -> StoreFuture<Vec<BlockRow>> {
        self.read(move |store| store.blocks_to_account(limit))
    }

    fn open_blocks(&self, depth: u32) -> StoreFuture<Vec<BlockRow>> {
        self.read(move |store| store.open_blocks(depth))
    }

    fn weights_in_window(&self, window: pplns::Window, through: Sequence) -> StoreFuture<Weights> {
        self.read(move |store| store.weights_in_window(window, through))
    }

    fn weights_between(&self, after: Sequence, through: Sequence) -> StoreFuture<Weights> {
        self.read(move |store| store.weights_between(after, through))
    }

    fn values_between(&self, after: Sequence, through: Sequence) -> StoreFuture<Vec<ValuedUnits>> {
        self.read(move |store| store.values_between(after, through))
    }

    fn position_before(&self, total: Units) -> StoreFuture<LedgerPosition> {
        self.read(move |store| store.position_before(total))
    }

    fn position_at(&self, at: Timestamp) -> StoreFuture<LedgerPosition> {
        self.read(move |store| store.position_at(at))
    }

    fn block_before(&self, hash: HeaderHash) -> StoreFuture<Option<BlockRow>> {
        self.read(move |store| store.block_before(hash))
    }

    fn block(&self, hash: HeaderHash) -> StoreFuture<Option<BlockRow>> {
        self.read(move |store| store.block(hash))
    }

    fn template(&self, id: TemplateId) -> StoreFuture<Option<TemplateRow>> {
        self.read(move |store| store.template(id))
    }

    fn owner_of(&self, extranonce: ExtraNonce) -> StoreFuture<Option<Hotkey>> {
        self.read(move |store| store.owner_of(extranonce))
    }

    fn block_credits(&self, hash: HeaderHash) -> StoreFuture<Option<BlockCredits>> {
        self.read(move |store| store.block_credits(hash))
    }

    fn miner_balances(&self, hotkey: Hotkey) -> StoreFuture<MinerBalances> {
        self.read(move |store| store.miner_balances(hotkey))
    }

    fn miner_credits(&self, hotkey: Hotkey, page: PageRequest) -> StoreFuture<Page<CreditRow>> {
        self.read(move |store| store.miner_credits(hotkey, page))
    }

    fn payout_candidates(&self, least: Amount) -> StoreFuture<Vec<Payee>> {
        self.read(move |store| store.payout_candidates(least))
    }

    fn known_txids(&self, txids: Vec<Txid>) -> StoreFuture<BTreeSet<Txid>> {
        self.read(move |store| store.known_txids(txids))
    }

    fn settings(&self) -> StoreFuture<BTreeMap<String, String>> {
        self.read(|store| store.settings())
    }

    fn payees(&self) -> StoreFuture<Vec<Payee>> {
        self.read(|store| store.payees())
    }

    fn watched_payouts(&self, limit: u32) -> StoreFuture<Vec<Payout>> {
        self.read(move |store| store.watched_payouts(limit))
    }

    fn payout(&self, id: PayoutId) -> StoreFuture<Option<Payout>> {
        self.read(move |store| store.payout(id))
    }

    fn miner_payouts(&self, hotkey: Hotkey, page: PageRequest) -> StoreFuture<Page<MinerPayoutRow>> {
        self.read(move |store| store.miner_payouts(hotkey, page))
    }

    fn payout_threshold(&self, hotkey: Hotkey) -> StoreFuture<Option<Amount>> {
        self.read(move |store| store.payout_threshold(hotkey))
    }

    fn blocks(&self, page: PageRequest) -> StoreFuture<Page<BlockRow>> {
        self.read(move |store| store.blocks(page))
    }

    fn rounds(&self, page: PageRequest) -> StoreFuture<Page<RoundRow>> {
        self.read(move |store| store.rounds(page))
    }

    fn round(&self, id: RoundId) -> StoreFuture<Option<(RoundRow, Vec<CreditRow>)>> {
        self.read(move |store| store.round(id))
    }

    fn audit(&self, page: PageRequest) -> StoreFuture<Page<AuditRow>> {
        self.read(move |store| store.audit(page))
    }

    fn history(&self, question: HistoryQuestion) -> StoreFuture<Option<History>> {
        self.read(move |store| store.history(question))
    }

    fn worker_sums(&self, hotkey: Hotkey, since: Vec<(Step, Timestamp)>) -> StoreFuture<Vec<WorkerSums>> {
        self.read(move |store| store.worker_sums(hotkey, since))
    }

    fn unplanned_notices(&self, limit: u32) -> StoreFuture<Vec<NoticeRow>> {
        self.read(move |store| store.unplanned_notices(limit))
    }

    fn notices_since(&self, at: Timestamp, limit: u32) -> StoreFuture<Vec<NoticeRow>> {
        self.read(move |store| store.notices_since(at, limit))
    }

    fn notices_after(&self, after: NoticeId, limit: u32) -> StoreFuture<Vec<NoticeRow>> {
        self.read(move |store| store.notices_after(after, limit))
    }

    fn subscriptions(&self) -> StoreFuture<Vec<SubscriptionRow>> {
        self.read(move |store| store.subscriptions())
    }

    fn miner_notices(&self) -> StoreFuture<Vec<MinerNoticeRow>> {
        self.read(move |store| store.miner_notices())
    }

    fn deliveries(&self, limit: u32) -> StoreFuture<Vec<DeliveryRow>> {
        self.read(move |store| store.deliveries(limit))
    }

    fn waiting_submissions(&self, limit: u32) -> StoreFuture<Vec<SubmissionRow>> {
        self.read(move |store| store.waiting_submissions(limit))
    }

    fn submitted_work(&self, id: SubmissionId) -> StoreFuture<Option<String>> {
        self.read(move |store| store.submitted_work(id))
    }

    fn submission(&self, id: SubmissionId) -> StoreFuture<Option<SubmissionRow>> {
        self.read(move |store| store.submission(id))
    }

    fn submissions(&self, hotkey: Hotkey, page: PageRequest) -> StoreFuture<Page<SubmissionRow>> {
        self.read(move |store| store.submissions(hotkey, page))
    }

    fn miner_results(&self, hotkey: Hotkey, measure: Measure, since: Timestamp) -> StoreFuture<MinerResults> {
        self.read(move |store| store.miner_results(hotkey, measure, since))
    }

    fn best_results(
        &self,
        measure: Measure,
        after: Timestamp,
        until: Timestamp,
    ) -> StoreFuture<Vec<BestResult>> {
        self.read(move |store| store.best_results(measure, after, until))
    }

    fn share(&self, sequence: Sequence) -> StoreFuture<Option<ShareDetails>> {
        self.read(move |store| store.share(sequence))
    }

    fn block_details(&self, hash: HeaderHash, beginning: u32) -> StoreFuture<Option<BlockDetails>> {
        self.read(move |store| store.block_details(hash, beginning))
    }

    fn found_ends(&self, limit: u32) -> StoreFuture<Vec<Units>> {
        self.read(move |store| store.found_ends(limit))
    }

    fn workings(&self, round: RoundId, hotkey: Hotkey) -> StoreFuture<Option<CreditWorkings>> {
        self.read(move |store| store.workings(round, hotkey))
    }

    fn earned(&self, hotkey: Hotkey, since: Timestamp, limit: u32) -> StoreFuture<Earned> {
        self.read(move |store| store.earned(hotkey, since, limit))
    }

    fn payouts(&self, page: PageRequest) -> StoreFuture<Page<PayoutRow>> {
        self.read(move |store| store.payouts(page))
    }

    fn payout_of(&self, txid: Txid) -> StoreFuture<Option<Payout>> {
        self.read(move |store| store.payout_of(txid))
    }

    fn watch(&self, id: WatchId) -> StoreFuture<Option<WatchRow>> {
        self.read(move |store| store.watch(id))
    }

    fn watches_of(&self, hotkey: Hotkey) -> StoreFuture<Vec<WatchRow>> {
        self.read(move |store| store.watches_of(hotkey))
    }

    fn epochs(&self) -> StoreFuture<EpochsState> {
        self.read(move |store| store.epochs())
    }

    fn work_between(&self, after: Sequence, through: Sequence, limit: u32) -> StoreFuture<WorkOfAll> {
        self.read(move |store| store.work_between(after, through, limit))
    }

    fn rejected_before(&self, end: EpochId) -> StoreFuture<WorkOfAll> {
        self.read(move |store| store.rejected_before(end))
    }

    fn statements(&self, page: PageRequest) -> StoreFuture<Page<StatementHead>> {
        self.read(move |store| store.statements(page))
    }

    fn statement(&self, epoch: EpochId) -> StoreFuture<Option<StatementRow>> {
        self.read(move |store| store.statement(epoch))
    }

    fn payout_batches(&self, page: PageRequest) -> StoreFuture<Page<BatchSummary>> {
        self.read(move |store| store.payout_batches(page))
    }

    fn payout_batch(&self, name: BatchName) -> StoreFuture<Option<BatchRow>> {
        self.read(move |store| store.payout_batch(name))
    }

    fn batch_payouts(&self, name: BatchName) -> StoreFuture<Vec<Payout>> {
        self.read(move |store| store.batch_payouts(name))
    }

    fn totals(&self) -> StoreFuture<PoolTotals> {
        self.read(move |store| store.totals())
    }
}
