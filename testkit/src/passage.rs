//! What lies before a store, on the way of everything that it is asked: it may take time, fail, or turn somebody away.

use std::collections::{BTreeMap, BTreeSet};

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

/// What lies before a store.
pub trait Passage: Send + Sync + 'static {
    /// A life begins.
    fn start(&self, now: Timestamp) -> StoreFuture<StoredState>;

    /// Something is written.
    fn commit(&self, writes: Vec<Write>) -> StoreFuture<Vec<Written>>;

    /// How many commits of shares are taken side by side.
    fn commits_side_by_side(&self) -> usize {
        1
    }

    /// Something is asked, whatever it is: `ask` asks the store for it.
    fn read<T: 'static>(&self, ask: impl FnOnce(SharedStore) -> StoreFuture<T> + 'static) -> StoreFuture<T>;
}

/// A store that is reached through this passage.
#[derive(Clone, Debug)]
pub struct StoreBehind<P>(pub P);

impl<P: Passage> Store for StoreBehind<P> {
    fn start(&self, now: Timestamp) -> StoreFuture<StoredState> {
        self.0.start(now)
    }

    fn recent_shares(&self, after: Sequence, limit: u32) -> StoreFuture<Vec<RecentShare>> {
        self.0.read(move |store| store.recent_shares(after, limit))
    }

    fn commit(&self, writes: Vec<Write>) -> StoreFuture<Vec<Written>> {
        self.0.commit(writes)
    }

    fn commits_side_by_side(&self) -> usize {
        self.0.commits_side_by_side()
    }

    fn blocks_to_account(&self, limit: u32) -> StoreFuture<Vec<BlockRow>> {
        self.0.read(move |store| store.blocks_to_account(limit))
    }

    fn open_blocks(&self, depth: u32) -> StoreFuture<Vec<BlockRow>> {
        self.0.read(move |store| store.open_blocks(depth))
    }

    fn weights_in_window(&self, window: pplns::Window, through: Sequence) -> StoreFuture<Weights> {
        self.0.read(move |store| store.weights_in_window(window, through))
    }

    fn weights_between(&self, after: Sequence, through: Sequence) -> StoreFuture<Weights> {
        self.0.read(move |store| store.weights_between(after, through))
    }

    fn values_between(&self, after: Sequence, through: Sequence) -> StoreFuture<Vec<ValuedUnits>> {
        self.0.read(move |store| store.values_between(after, through))
    }

    fn position_before(&self, total: Units) -> StoreFuture<LedgerPosition> {
        self.0.read(move |store| store.position_before(total))
    }

    fn position_at(&self, at: Timestamp) -> StoreFuture<LedgerPosition> {
        self.0.read(move |store| store.position_at(at))
    }

    fn block_before(&self, hash: HeaderHash) -> StoreFuture<Option<BlockRow>> {
        self.0.read(move |store| store.block_before(hash))
    }

    fn block(&self, hash: HeaderHash) -> StoreFuture<Option<BlockRow>> {
        self.0.read(move |store| store.block(hash))
    }

    fn template(&self, id: TemplateId) -> StoreFuture<Option<TemplateRow>> {
        self.0.read(move |store| store.template(id))
    }

    fn owner_of(&self, extranonce: ExtraNonce) -> StoreFuture<Option<Hotkey>> {
        self.0.read(move |store| store.owner_of(extranonce))
    }

    fn block_credits(&self, hash: HeaderHash) -> StoreFuture<Option<BlockCredits>> {
        self.0.read(move |store| store.block_credits(hash))
    }

    fn miner_balances(&self, hotkey: Hotkey) -> StoreFuture<MinerBalances> {
        self.0.read(move |store| store.miner_balances(hotkey))
    }

    fn miner_credits(&self, hotkey: Hotkey, page: PageRequest) -> StoreFuture<Page<CreditRow>> {
        self.0.read(move |store| store.miner_credits(hotkey, page))
    }

    fn payout_candidates(&self, least: Amount) -> StoreFuture<Vec<Payee>> {
        self.0.read(move |store| store.payout_candidates(least))
    }

    fn known_txids(&self, txids: Vec<Txid>) -> StoreFuture<BTreeSet<Txid>> {
        self.0.read(move |store| store.known_txids(txids))
    }

    fn settings(&self) -> StoreFuture<BTreeMap<String, String>> {
        self.0.read(|store| store.settings())
    }

    fn payees(&self) -> StoreFuture<Vec<Payee>> {
        self.0.read(|store| store.payees())
    }

    fn watched_payouts(&self, limit: u32) -> StoreFuture<Vec<Payout>> {
        self.0.read(move |store| store.watched_payouts(limit))
    }

    fn payout(&self, id: PayoutId) -> StoreFuture<Option<Payout>> {
        self.0.read(move |store| store.payout(id))
    }

    fn miner_payouts(&self, hotkey: Hotkey, page: PageRequest) -> StoreFuture<Page<MinerPayoutRow>> {
        self.0.read(move |store| store.miner_payouts(hotkey, page))
    }

    fn payout_threshold(&self, hotkey: Hotkey) -> StoreFuture<Option<Amount>> {
        self.0.read(move |store| store.payout_threshold(hotkey))
    }

    fn blocks(&self, page: PageRequest) -> StoreFuture<Page<BlockRow>> {
        self.0.read(move |store| store.blocks(page))
    }

    fn rounds(&self, page: PageRequest) -> StoreFuture<Page<RoundRow>> {
        self.0.read(move |store| store.rounds(page))
    }

    fn round(&self, id: RoundId) -> StoreFuture<Option<(RoundRow, Vec<CreditRow>)>> {
        self.0.read(move |store| store.round(id))
    }

    fn audit(&self, page: PageRequest) -> StoreFuture<Page<AuditRow>> {
        self.0.read(move |store| store.audit(page))
    }

    fn history(&self, question: HistoryQuestion) -> StoreFuture<Option<History>> {
        self.0.read(move |store| store.history(question))
    }

    fn worker_sums(&self, hotkey: Hotkey, since: Vec<(Step, Timestamp)>) -> StoreFuture<Vec<WorkerSums>> {
        self.0.read(move |store| store.worker_sums(hotkey, since))
    }

    fn unplanned_notices(&self, limit: u32) -> StoreFuture<Vec<NoticeRow>> {
        self.0.read(move |store| store.unplanned_notices(limit))
    }

    fn notices_since(&self, at: Timestamp, limit: u32) -> StoreFuture<Vec<NoticeRow>> {
        self.0.read(move |store| store.notices_since(at, limit))
    }

    fn notices_after(&self, after: NoticeId, limit: u32) -> StoreFuture<Vec<NoticeRow>> {
        self.0.read(move |store| store.notices_after(after, limit))
    }

    fn subscriptions(&self) -> StoreFuture<Vec<SubscriptionRow>> {
        self.0.read(move |store| store.subscriptions())
    }

    fn miner_notices(&self) -> StoreFuture<Vec<MinerNoticeRow>> {
        self.0.read(move |store| store.miner_notices())
    }

    fn deliveries(&self, limit: u32) -> StoreFuture<Vec<DeliveryRow>> {
        self.0.read(move |store| store.deliveries(limit))
    }

    fn waiting_submissions(&self, limit: u32) -> StoreFuture<Vec<SubmissionRow>> {
        self.0.read(move |store| store.waiting_submissions(limit))
    }

    fn submitted_work(&self, id: SubmissionId) -> StoreFuture<Option<String>> {
        self.0.read(move |store| store.submitted_work(id))
    }

    fn submission(&self, id: SubmissionId) -> StoreFuture<Option<SubmissionRow>> {
        self.0.read(move |store| store.submission(id))
    }

    fn submissions(&self, hotkey: Hotkey, page: PageRequest) -> StoreFuture<Page<SubmissionRow>> {
        self.0.read(move |store| store.submissions(hotkey, page))
    }

    fn miner_results(&self, hotkey: Hotkey, measure: Measure, since: Timestamp) -> StoreFuture<MinerResults> {
        self.0
            .read(move |store| store.miner_results(hotkey, measure, since))
    }

    fn best_results(
        &self,
        measure: Measure,
        after: Timestamp,
        until: Timestamp,
    ) -> StoreFuture<Vec<BestResult>> {
        self.0
            .read(move |store| store.best_results(measure, after, until))
    }

    fn share(&self, sequence: Sequence) -> StoreFuture<Option<ShareDetails>> {
        self.0.read(move |store| store.share(sequence))
    }

    fn block_details(&self, hash: HeaderHash, beginning: u32) -> StoreFuture<Option<BlockDetails>> {
        self.0.read(move |store| store.block_details(hash, beginning))
    }

    fn found_ends(&self, limit: u32) -> StoreFuture<Vec<Units>> {
        self.0.read(move |store| store.found_ends(limit))
    }

    fn workings(&self, round: RoundId, hotkey: Hotkey) -> StoreFuture<Option<CreditWorkings>> {
        self.0.read(move |store| store.workings(round, hotkey))
    }

    fn earned(&self, hotkey: Hotkey, since: Timestamp, limit: u32) -> StoreFuture<Earned> {
        self.0.read(move |store| store.earned(hotkey, since, limit))
    }

    fn payouts(&self, page: PageRequest) -> StoreFuture<Page<PayoutRow>> {
        self.0.read(move |store| store.payouts(page))
    }

    fn payout_of(&self, txid: Txid) -> StoreFuture<Option<Payout>> {
        self.0.read(move |store| store.payout_of(txid))
    }

    fn watch(&self, id: WatchId) -> StoreFuture<Option<WatchRow>> {
        self.0.read(move |store| store.watch(id))
    }

    fn watches_of(&self, hotkey: Hotkey) -> StoreFuture<Vec<WatchRow>> {
        self.0.read(move |store| store.watches_of(hotkey))
    }

    fn epochs(&self) -> StoreFuture<EpochsState> {
        self.0.read(move |store| store.epochs())
    }

    fn work_between(&self, after: Sequence, through: Sequence, limit: u32) -> StoreFuture<WorkOfAll> {
        self.0
            .read(move |store| store.work_between(after, through, limit))
    }

    fn rejected_before(&self, end: EpochId) -> StoreFuture<WorkOfAll> {
        self.0.read(move |store| store.rejected_before(end))
    }

    fn statements(&self, page: PageRequest) -> StoreFuture<Page<StatementHead>> {
        self.0.read(move |store| store.statements(page))
    }

    fn statement(&self, epoch: EpochId) -> StoreFuture<Option<StatementRow>> {
        self.0.read(move |store| store.statement(epoch))
    }

    fn payout_batches(&self, page: PageRequest) -> StoreFuture<Page<BatchSummary>> {
        self.0.read(move |store| store.payout_batches(page))
    }

    fn payout_batch(&self, name: BatchName) -> StoreFuture<Option<BatchRow>> {
        self.0.read(move |store| store.payout_batch(name))
    }

    fn batch_payouts(&self, name: BatchName) -> StoreFuture<Vec<Payout>> {
        self.0.read(move |store| store.batch_payouts(name))
    }

    fn totals(&self) -> StoreFuture<PoolTotals> {
        self.0.read(move |store| store.totals())
    }
}
