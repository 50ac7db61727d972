//! What is asked of the store, as calls of the modules that know it.

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
    AuditRow, BatchRow, BatchSummary, BlockCredits, BlockDetails, BlockRow, CreditRow, CreditWorkings,
    DeliveryRow, Earned, EpochsState, History, HistoryQuestion, LedgerPosition, MinerBalances,
    MinerNoticeRow, MinerPayoutRow, MinerResults, NoticeRow, Page, PageRequest, PayoutRow, PoolTotals,
    RecentShare, RoundRow, ShareDetails, StandbyState, StatementHead, StatementRow, Store, StoreFuture,
    StoredState, SubmissionRow, SubscriptionRow, TemplateRow, ValuedUnits, WatchRow, WorkerSums, Write,
    Written,
};

use super::questions::Question;
use super::{PostgresStore, history, life_start, read};

impl Store for PostgresStore {
    fn standby(&self) -> Option<StandbyState> {
        self.opened.threads.standby()
    }

    fn start(&self, now: Timestamp) -> StoreFuture<StoredState> {
        self.opened.threads.begin_life(now)
    }

    fn recent_shares(&self, after: Sequence, limit: u32) -> StoreFuture<Vec<RecentShare>> {
        self.ask(Question::RecentShares, move |c| {
            read::templates::recent_shares(c, after, limit)
        })
    }

    fn commit(&self, writes: Vec<Write>) -> StoreFuture<Vec<Written>> {
        self.opened.threads.commit(writes)
    }

    fn commits_side_by_side(&self) -> usize {
        2
    }

    fn blocks_to_account(&self, limit: u32) -> StoreFuture<Vec<BlockRow>> {
        self.ask(Question::BlocksToAccount, move |c| {
            read::blocks::to_account(c, limit)
        })
    }

    fn open_blocks(&self, depth: u32) -> StoreFuture<Vec<BlockRow>> {
        self.ask(Question::OpenBlocks, move |c| read::blocks::open(c, depth))
    }

    fn weights_in_window(&self, window: pplns::Window, through: Sequence) -> StoreFuture<Weights> {
        self.ask(Question::WeightsInWindow, move |c| {
            read::windows::in_window(c, &window, through)
        })
    }

    fn weights_between(&self, after: Sequence, through: Sequence) -> StoreFuture<Weights> {
        self.ask(Question::WeightsBetween, move |c| {
            read::windows::between(c, after, through)
        })
    }

    fn values_between(&self, after: Sequence, through: Sequence) -> StoreFuture<Vec<ValuedUnits>> {
        self.ask(Question::ValuesBetween, move |c| {
            read::windows::values_between(c, after, through)
        })
    }

    fn position_before(&self, total: Units) -> StoreFuture<LedgerPosition> {
        self.ask(Question::PositionBefore, move |c| {
            read::windows::position_before(c, total)
        })
    }

    fn position_at(&self, at: Timestamp) -> StoreFuture<LedgerPosition> {
        self.ask(Question::PositionAt, move |c| read::windows::position_at(c, at))
    }

    fn block_before(&self, hash: HeaderHash) -> StoreFuture<Option<BlockRow>> {
        self.find(Question::BlockBefore, move |c| read::blocks::before(c, &hash))
    }

    fn block(&self, hash: HeaderHash) -> StoreFuture<Option<BlockRow>> {
        self.find(Question::Block, move |c| read::blocks::one(c, &hash))
    }

    fn template(&self, id: TemplateId) -> StoreFuture<Option<TemplateRow>> {
        self.find(Question::Template, move |c| read::templates::whole(c, id))
    }

    fn owner_of(&self, extranonce: ExtraNonce) -> StoreFuture<Option<Hotkey>> {
        self.find(Question::OwnerOf, move |c| read::windows::owner_of(c, extranonce))
    }

    fn block_credits(&self, hash: HeaderHash) -> StoreFuture<Option<BlockCredits>> {
        self.find(Question::BlockCredits, move |c| read::blocks::credits(c, &hash))
    }

    fn miner_balances(&self, hotkey: Hotkey) -> StoreFuture<MinerBalances> {
        self.ask(Question::MinerBalances, move |c| {
            read::money::balances(c, &hotkey)
        })
    }

    fn miner_credits(&self, hotkey: Hotkey, page: PageRequest) -> StoreFuture<Page<CreditRow>> {
        self.ask(Question::MinerCredits, move |c| {
            read::credits::of_miner(c, &hotkey, page)
        })
    }

    fn payout_candidates(&self, least: Amount) -> StoreFuture<Vec<Payee>> {
        self.ask(Question::PayoutCandidates, move |c| {
            read::payouts::candidates(c, least)
        })
    }

    fn known_txids(&self, txids: Vec<Txid>) -> StoreFuture<BTreeSet<Txid>> {
        self.ask(Question::KnownTxids, move |c| read::payouts::known(c, &txids))
    }

    fn settings(&self) -> StoreFuture<BTreeMap<String, String>> {
        self.ask(Question::Settings, life_start::settings)
    }

    fn payees(&self) -> StoreFuture<Vec<Payee>> {
        self.ask(Question::Payees, read::payouts::payees)
    }

    fn watched_payouts(&self, limit: u32) -> StoreFuture<Vec<Payout>> {
        self.ask(Question::WatchedPayouts, move |c| {
            read::payouts::watched(c, limit)
        })
    }

    fn payout(&self, id: PayoutId) -> StoreFuture<Option<Payout>> {
        self.find(Question::Payout, move |c| {
            read::payouts::one(c, id, read::payouts::Parts::With)
        })
    }

    fn miner_payouts(&self, hotkey: Hotkey, page: PageRequest) -> StoreFuture<Page<MinerPayoutRow>> {
        self.ask(Question::MinerPayouts, move |c| {
            read::payouts::of_miner(c, &hotkey, page)
        })
    }

    fn payout_threshold(&self, hotkey: Hotkey) -> StoreFuture<Option<Amount>> {
        self.find(Question::PayoutThreshold, move |c| {
            read::payouts::threshold(c, &hotkey)
        })
    }

    fn blocks(&self, page: PageRequest) -> StoreFuture<Page<BlockRow>> {
        self.ask(Question::Blocks, move |c| read::blocks::list(c, page))
    }

    fn rounds(&self, page: PageRequest) -> StoreFuture<Page<RoundRow>> {
        self.ask(Question::Rounds, move |c| read::money::rounds(c, page))
    }

    fn round(&self, id: RoundId) -> StoreFuture<Option<(RoundRow, Vec<CreditRow>)>> {
        self.find(Question::Round, move |c| read::money::round(c, id))
    }

    fn audit(&self, page: PageRequest) -> StoreFuture<Page<AuditRow>> {
        self.ask(Question::Audit, move |c| read::money::audit(c, page))
    }

    fn history(&self, question: HistoryQuestion) -> StoreFuture<Option<History>> {
        self.find(Question::History, move |c| history::reading::answer(c, &question))
    }

    fn worker_sums(&self, hotkey: Hotkey, since: Vec<(Step, Timestamp)>) -> StoreFuture<Vec<WorkerSums>> {
        self.ask(Question::WorkerSums, move |c| {
            history::by_worker::answer(c, &hotkey, &since)
        })
    }

    fn unplanned_notices(&self, limit: u32) -> StoreFuture<Vec<NoticeRow>> {
        self.ask(Question::UnplannedNotices, move |c| {
            read::notices::unplanned(c, limit)
        })
    }

    fn notices_since(&self, at: Timestamp, limit: u32) -> StoreFuture<Vec<NoticeRow>> {
        self.ask(Question::NoticesSince, move |c| {
            read::notices::since(c, at, limit)
        })
    }

    fn notices_after(&self, after: NoticeId, limit: u32) -> StoreFuture<Vec<NoticeRow>> {
        self.ask(Question::NoticesAfter, move |c| {
            read::notices::after(c, after, limit)
        })
    }

    fn subscriptions(&self) -> StoreFuture<Vec<SubscriptionRow>> {
        self.ask(Question::Subscriptions, read::notices::subscriptions)
    }

    fn miner_notices(&self) -> StoreFuture<Vec<MinerNoticeRow>> {
        self.ask(Question::MinerNotices, read::notices::of_miners)
    }

    fn deliveries(&self, limit: u32) -> StoreFuture<Vec<DeliveryRow>> {
        self.ask(Question::Deliveries, move |c| read::notices::deliveries(c, limit))
    }

    fn waiting_submissions(&self, limit: u32) -> StoreFuture<Vec<SubmissionRow>> {
        self.ask(Question::WaitingSubmissions, move |c| {
            read::submissions::waiting(c, limit)
        })
    }

    fn submitted_work(&self, id: SubmissionId) -> StoreFuture<Option<String>> {
        self.find(Question::SubmittedWork, move |c| read::submissions::work(c, &id))
    }

    fn submission(&self, id: SubmissionId) -> StoreFuture<Option<SubmissionRow>> {
        self.find(Question::Submission, move |c| read::submissions::one(c, &id))
    }

    fn submissions(&self, hotkey: Hotkey, page: PageRequest) -> StoreFuture<Page<SubmissionRow>> {
        self.ask(Question::Submissions, move |c| {
            read::submissions::of_miner(c, &hotkey, page)
        })
    }

    fn miner_results(&self, hotkey: Hotkey, measure: Measure, since: Timestamp) -> StoreFuture<MinerResults> {
        self.ask(Question::MinerResults, move |c| {
            read::submissions::results(c, &hotkey, measure, since)
        })
    }

    fn best_results(
        &self,
        measure: Measure,
        after: Timestamp,
        until: Timestamp,
    ) -> StoreFuture<Vec<BestResult>> {
        self.ask(Question::BestResults, move |c| {
            read::submissions::best(c, measure, after, until)
        })
    }

    fn share(&self, sequence: Sequence) -> StoreFuture<Option<ShareDetails>> {
        self.find(Question::Share, move |c| read::details::share(c, sequence))
    }

    fn block_details(&self, hash: HeaderHash, beginning: u32) -> StoreFuture<Option<BlockDetails>> {
        self.find(Question::BlockDetails, move |c| {
            read::details::block(c, &hash, beginning)
        })
    }

    fn found_ends(&self, limit: u32) -> StoreFuture<Vec<Units>> {
        self.ask(Question::FoundEnds, move |c| read::details::found_ends(c, limit))
    }

    fn workings(&self, round: RoundId, hotkey: Hotkey) -> StoreFuture<Option<CreditWorkings>> {
        self.find(Question::Workings, move |c| {
            read::workings::of_credit(c, round, &hotkey)
        })
    }

    fn earned(&self, hotkey: Hotkey, since: Timestamp, limit: u32) -> StoreFuture<Earned> {
        self.ask(Question::Earned, move |c| {
            read::credits::earned(c, &hotkey, since, limit)
        })
    }

    fn payouts(&self, page: PageRequest) -> StoreFuture<Page<PayoutRow>> {
        self.ask(Question::Payouts, move |c| read::details::payouts(c, page))
    }

    fn payout_of(&self, txid: Txid) -> StoreFuture<Option<Payout>> {
        self.find(Question::PayoutOf, move |c| read::details::payout_of(c, &txid))
    }

    fn watch(&self, id: WatchId) -> StoreFuture<Option<WatchRow>> {
        self.find(Question::Watch, move |c| read::watches::watch(c, id))
    }

    fn watches_of(&self, hotkey: Hotkey) -> StoreFuture<Vec<WatchRow>> {
        self.ask(Question::WatchesOf, move |c| read::watches::of_miner(c, &hotkey))
    }

    fn epochs(&self) -> StoreFuture<EpochsState> {
        self.ask(Question::Epochs, read::statements::epochs)
    }

    fn work_between(&self, after: Sequence, through: Sequence, limit: u32) -> StoreFuture<WorkOfAll> {
        self.ask(Question::WorkBetween, move |c| {
            read::statements::work_between(c, after, through, limit)
        })
    }

    fn rejected_before(&self, end: EpochId) -> StoreFuture<WorkOfAll> {
        self.ask(Question::RejectedBefore, move |c| {
            read::statements::rejected_before(c, end)
        })
    }

    fn statements(&self, page: PageRequest) -> StoreFuture<Page<StatementHead>> {
        self.ask(Question::Statements, move |c| read::statements::list(c, page))
    }

    fn statement(&self, epoch: EpochId) -> StoreFuture<Option<StatementRow>> {
        self.find(Question::Statement, move |c| read::statements::one(c, epoch))
    }

    fn payout_batches(&self, page: PageRequest) -> StoreFuture<Page<BatchSummary>> {
        self.ask(Question::PayoutBatches, move |c| {
            read::payout_batches::list(c, page)
        })
    }

    fn payout_batch(&self, name: BatchName) -> StoreFuture<Option<BatchRow>> {
        self.find(Question::PayoutBatch, move |c| {
            read::payout_batches::one(c, &name)
        })
    }

    fn batch_payouts(&self, name: BatchName) -> StoreFuture<Vec<Payout>> {
        self.ask(Question::BatchPayouts, move |c| {
            read::payout_batches::payouts(c, &name)
        })
    }

    fn totals(&self) -> StoreFuture<PoolTotals> {
        self.ask(Question::Totals, read::money::totals)
    }
}
