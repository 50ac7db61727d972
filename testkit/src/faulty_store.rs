//! A store that fails as it is told, for tests of what the pool does then.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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

use dwarves_ports::store::ledger_rows::{
    AuditRow, BlockCredits, BlockRow, CreditRow, LedgerPosition, MinerPayoutRow, RecentShare, RoundRow,
    TemplateRow, ValuedUnits,
};
use dwarves_ports::store::reads::{MinerBalances, Page, PageRequest, PoolTotals, StoredState};
use dwarves_ports::store::{
    BatchRow, BatchSummary, BlockDetails, CreditWorkings, Earned, PayoutRow, ShareDetails, WorkerSums,
};
use dwarves_ports::store::{
    DeliveryRow, History, HistoryQuestion, MinerNoticeRow, NoticeRow, SharedStore, Store, StoreError,
    StoreErrorKind, StoreFuture, SubscriptionRow, WatchRow, Write, Written,
};
use dwarves_ports::store::{EpochsState, StatementHead, StatementRow};
use dwarves_ports::store::{MinerResults, SubmissionRow};

/// How a commit fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is written, and the store says so: [`StoreErrorKind::Unavailable`].
    Refuse,
    /// Nothing is written, but the store does not know: [`StoreErrorKind::Unknown`].
    LoseBefore,
    /// All is written, but the answer is lost: [`StoreErrorKind::Unknown`].
    LoseAfter,
}

/// Which commits fail. Commits are counted from 1, over all clones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultPlan {
    /// The commits that fail, by number, and how.
    pub at: Vec<(u64, Fault)>,
    /// Commits that find the disk full: they fail with [`Fault::Refuse`].
    pub disk_full: Option<Range<u64>>,
}

/// A store whose commits fail by plan; starts, and reads but for [`Self::losing_payouts`], always reach the store
/// behind it.
#[derive(Clone)]
pub struct FaultyStore {
    inner: SharedStore,
    plan: Arc<FaultPlan>,
    commits: Arc<AtomicU64>,
    loses_payouts: bool,
    of_results: Option<Arc<dyn Fn(Timestamp) + Send + Sync>>,
}

impl FaultyStore {
    /// A store that fails by `plan` in front of `inner`.
    pub fn new(inner: SharedStore, plan: FaultPlan) -> Self {
        Self {
            inner,
            plan: Arc::new(plan),
            commits: Arc::default(),
            loses_payouts: false,
            of_results: None,
        }
    }

    /// The same, which tells of each question for the best results as it is answered, with the date of its round.
    #[must_use]
    pub fn telling_of_results(self, tell: impl Fn(Timestamp) + Send + Sync + 'static) -> Self {
        Self {
            of_results: Some(Arc::new(tell)),
            ..self
        }
    }

    /// The same, which does not find any payout that is asked for by its number.
    #[must_use]
    pub fn losing_payouts(self) -> Self {
        Self {
            loses_payouts: true,
            ..self
        }
    }

    /// How many commits were begun so far.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::SeqCst)
    }

    fn fault_of(&self, number: u64) -> Option<Fault> {
        let planned = self.plan.at.iter().find(|(at, _)| *at == number);
        let is_full = |range: &Range<u64>| range.contains(&number);
        planned.map(|&(_, fault)| fault).or_else(|| {
            self.plan
                .disk_full
                .as_ref()
                .is_some_and(is_full)
                .then_some(Fault::Refuse)
        })
    }
}

fn failed<T: 'static>(kind: StoreErrorKind, number: u64) -> StoreFuture<T> {
    let error = StoreError::new(kind, format!("commit {number} fails by plan"));
    Box::pin(std::future::ready(Err(error)))
}

impl Store for FaultyStore {
    fn start(&self, now: Timestamp) -> StoreFuture<StoredState> {
        self.inner.start(now)
    }

    fn recent_shares(&self, after: Sequence, limit: u32) -> StoreFuture<Vec<RecentShare>> {
        self.inner.recent_shares(after, limit)
    }

    fn commit(&self, writes: Vec<Write>) -> StoreFuture<Vec<Written>> {
        let number = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
        match self.fault_of(number) {
            None => self.inner.commit(writes),
            Some(Fault::Refuse) => failed(StoreErrorKind::Unavailable, number),
            Some(Fault::LoseBefore) => failed(StoreErrorKind::Unknown, number),
            Some(Fault::LoseAfter) => {
                let applied = self.inner.commit(writes);
                Box::pin(async move {
                    applied.await?;
                    failed(StoreErrorKind::Unknown, number).await
                })
            }
        }
    }

    fn blocks_to_account(&self, limit: u32) -> StoreFuture<Vec<BlockRow>> {
        self.inner.blocks_to_account(limit)
    }

    fn open_blocks(&self, depth: u32) -> StoreFuture<Vec<BlockRow>> {
        self.inner.open_blocks(depth)
    }

    fn weights_in_window(&self, window: pplns::Window, through: Sequence) -> StoreFuture<Weights> {
        self.inner.weights_in_window(window, through)
    }

    fn weights_between(&self, after: Sequence, through: Sequence) -> StoreFuture<Weights> {
        self.inner.weights_between(after, through)
    }

    fn values_between(&self, after: Sequence, through: Sequence) -> StoreFuture<Vec<ValuedUnits>> {
        self.inner.values_between(after, through)
    }

    fn position_before(&self, total: Units) -> StoreFuture<LedgerPosition> {
        self.inner.position_before(total)
    }

    fn position_at(&self, at: Timestamp) -> StoreFuture<LedgerPosition> {
        self.inner.position_at(at)
    }

    fn block_before(&self, hash: HeaderHash) -> StoreFuture<Option<BlockRow>> {
        self.inner.block_before(hash)
    }

    fn block(&self, hash: HeaderHash) -> StoreFuture<Option<BlockRow>> {
        self.inner.block(hash)
    }

    fn template(&self, id: TemplateId) -> StoreFuture<Option<TemplateRow>> {
        self.inner.template(id)
    }

    fn owner_of(&self, extranonce: ExtraNonce) -> StoreFuture<Option<Hotkey>> {
        self.inner.owner_of(extranonce)
    }

    fn block_credits(&self, hash: HeaderHash) -> StoreFuture<Option<BlockCredits>> {
        self.inner.block_credits(hash)
    }

    fn miner_balances(&self, hotkey: Hotkey) -> StoreFuture<MinerBalances> {
        self.inner.miner_balances(hotkey)
    }

    fn miner_credits(&self, hotkey: Hotkey, page: PageRequest) -> StoreFuture<Page<CreditRow>> {
        self.inner.miner_credits(hotkey, page)
    }

    fn payout_candidates(&self, least: Amount) -> StoreFuture<Vec<Payee>> {
        self.inner.payout_candidates(least)
    }

    fn known_txids(&self, txids: Vec<Txid>) -> StoreFuture<BTreeSet<Txid>> {
        self.inner.known_txids(txids)
    }

    fn settings(&self) -> StoreFuture<BTreeMap<String, String>> {
        self.inner.settings()
    }

    fn payees(&self) -> StoreFuture<Vec<Payee>> {
        self.inner.payees()
    }

    fn watched_payouts(&self, limit: u32) -> StoreFuture<Vec<Payout>> {
        self.inner.watched_payouts(limit)
    }

    fn payout(&self, id: PayoutId) -> StoreFuture<Option<Payout>> {
        if self.loses_payouts {
            return Box::pin(std::future::ready(Ok(None)));
        }
        self.inner.payout(id)
    }

    fn miner_payouts(&self, hotkey: Hotkey, page: PageRequest) -> StoreFuture<Page<MinerPayoutRow>> {
        self.inner.miner_payouts(hotkey, page)
    }

    fn payout_threshold(&self, hotkey: Hotkey) -> StoreFuture<Option<Amount>> {
        self.inner.payout_threshold(hotkey)
    }

    fn blocks(&self, page: PageRequest) -> StoreFuture<Page<BlockRow>> {
        self.inner.blocks(page)
    }

    fn rounds(&self, page: PageRequest) -> StoreFuture<Page<RoundRow>> {
        self.inner.rounds(page)
    }

    fn round(&self, id: RoundId) -> StoreFuture<Option<(RoundRow, Vec<CreditRow>)>> {
        self.inner.round(id)
    }

    fn audit(&self, page: PageRequest) -> StoreFuture<Page<AuditRow>> {
        self.inner.audit(page)
    }

    fn history(&self, question: HistoryQuestion) -> StoreFuture<Option<History>> {
        self.inner.history(question)
    }

    fn worker_sums(&self, hotkey: Hotkey, since: Vec<(Step, Timestamp)>) -> StoreFuture<Vec<WorkerSums>> {
        self.inner.worker_sums(hotkey, since)
    }

    fn unplanned_notices(&self, limit: u32) -> StoreFuture<Vec<NoticeRow>> {
        self.inner.unplanned_notices(limit)
    }

    fn notices_since(&self, at: Timestamp, limit: u32) -> StoreFuture<Vec<NoticeRow>> {
        self.inner.notices_since(at, limit)
    }

    fn notices_after(&self, after: NoticeId, limit: u32) -> StoreFuture<Vec<NoticeRow>> {
        self.inner.notices_after(after, limit)
    }

    fn subscriptions(&self) -> StoreFuture<Vec<SubscriptionRow>> {
        self.inner.subscriptions()
    }

    fn miner_notices(&self) -> StoreFuture<Vec<MinerNoticeRow>> {
        self.inner.miner_notices()
    }

    fn deliveries(&self, limit: u32) -> StoreFuture<Vec<DeliveryRow>> {
        self.inner.deliveries(limit)
    }

    fn waiting_submissions(&self, limit: u32) -> StoreFuture<Vec<SubmissionRow>> {
        self.inner.waiting_submissions(limit)
    }

    fn submitted_work(&self, id: SubmissionId) -> StoreFuture<Option<String>> {
        self.inner.submitted_work(id)
    }

    fn submission(&self, id: SubmissionId) -> StoreFuture<Option<SubmissionRow>> {
        self.inner.submission(id)
    }

    fn submissions(&self, hotkey: Hotkey, page: PageRequest) -> StoreFuture<Page<SubmissionRow>> {
        self.inner.submissions(hotkey, page)
    }

    fn miner_results(&self, hotkey: Hotkey, measure: Measure, since: Timestamp) -> StoreFuture<MinerResults> {
        self.inner.miner_results(hotkey, measure, since)
    }

    fn best_results(
        &self,
        measure: Measure,
        after: Timestamp,
        until: Timestamp,
    ) -> StoreFuture<Vec<BestResult>> {
        if let Some(tell) = &self.of_results {
            tell(until);
        }
        self.inner.best_results(measure, after, until)
    }

    fn share(&self, sequence: Sequence) -> StoreFuture<Option<ShareDetails>> {
        self.inner.share(sequence)
    }

    fn block_details(&self, hash: HeaderHash, beginning: u32) -> StoreFuture<Option<BlockDetails>> {
        self.inner.block_details(hash, beginning)
    }

    fn found_ends(&self, limit: u32) -> StoreFuture<Vec<Units>> {
        self.inner.found_ends(limit)
    }

    fn workings(&self, round: RoundId, hotkey: Hotkey) -> StoreFuture<Option<CreditWorkings>> {
        self.inner.workings(round, hotkey)
    }

    fn earned(&self, hotkey: Hotkey, since: Timestamp, limit: u32) -> StoreFuture<Earned> {
        self.inner.earned(hotkey, since, limit)
    }

    fn payouts(&self, page: PageRequest) -> StoreFuture<Page<PayoutRow>> {
        self.inner.payouts(page)
    }

    fn payout_of(&self, txid: Txid) -> StoreFuture<Option<Payout>> {
        self.inner.payout_of(txid)
    }

    fn watch(&self, id: WatchId) -> StoreFuture<Option<WatchRow>> {
        self.inner.watch(id)
    }

    fn watches_of(&self, hotkey: Hotkey) -> StoreFuture<Vec<WatchRow>> {
        self.inner.watches_of(hotkey)
    }

    fn epochs(&self) -> StoreFuture<EpochsState> {
        self.inner.epochs()
    }

    fn work_between(&self, after: Sequence, through: Sequence, limit: u32) -> StoreFuture<WorkOfAll> {
        self.inner.work_between(after, through, limit)
    }

    fn rejected_before(&self, end: EpochId) -> StoreFuture<WorkOfAll> {
        self.inner.rejected_before(end)
    }

    fn statements(&self, page: PageRequest) -> StoreFuture<Page<StatementHead>> {
        self.inner.statements(page)
    }

    fn statement(&self, epoch: EpochId) -> StoreFuture<Option<StatementRow>> {
        self.inner.statement(epoch)
    }

    fn payout_batches(&self, page: PageRequest) -> StoreFuture<Page<BatchSummary>> {
        self.inner.payout_batches(page)
    }

    fn payout_batch(&self, name: BatchName) -> StoreFuture<Option<BatchRow>> {
        self.inner.payout_batch(name)
    }

    fn batch_payouts(&self, name: BatchName) -> StoreFuture<Vec<Payout>> {
        self.inner.batch_payouts(name)
    }

    fn totals(&self) -> StoreFuture<PoolTotals> {
        self.inner.totals()
    }
}

#[cfg(test)]
mod tests;
