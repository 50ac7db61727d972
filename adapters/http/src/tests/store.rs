//! A store that answers reads with what a test put in, and has nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;

use dwarves_domain::evaluation::{Measure, SubmissionId};
use dwarves_domain::history::{Step, Sums};
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
    AuditRow, BlockCredits, BlockRow, CreditRow, DeliveryRow, History, HistoryOf, HistoryQuestion,
    HistoryStep, LedgerPosition, LifeRow, MinerBalances, MinerNoticeRow, MinerPayoutRow, NoticeRow, Page,
    PageRequest, PoolTotals, RecentShare, RoundRow, Store, StoreError, StoreErrorKind, StoreFuture,
    StoredState, SubscriptionRow, TemplateRow, ValuedUnits, WatchRow, Write, Written,
};
use dwarves_ports::store::{
    BatchRow, BatchSummary, BlockDetails, CreditWorkings, Earned, PayoutRow, ShareDetails, WorkerSums,
};
use dwarves_ports::store::{EpochsState, StatementHead, StatementRow};
use dwarves_ports::store::{MinerResults, SubmissionRow};

/// What reads answer; after `failure` is set, nothing but that.
#[derive(Clone, Default)]
pub(super) struct ReadStore {
    pub(super) balances: MinerBalances,
    pub(super) credits: Vec<CreditRow>,
    pub(super) payouts: Vec<MinerPayoutRow>,
    pub(super) threshold: Option<Amount>,
    pub(super) blocks: Vec<BlockRow>,
    pub(super) rounds: Vec<RoundRow>,
    pub(super) audit: Vec<AuditRow>,
    /// The same minutes for everybody.
    pub(super) history: Vec<HistoryStep>,
    pub(super) lives: Vec<LifeRow>,
    pub(super) shares: Vec<ShareDetails>,
    pub(super) block_details: Vec<BlockDetails>,
    pub(super) found_ends: Vec<Units>,
    pub(super) earned: Earned,
    pub(super) workings: BTreeMap<(RoundId, Hotkey), CreditWorkings>,
    pub(super) all_payouts: Vec<PayoutRow>,
    pub(super) batches: Vec<(BatchSummary, BatchRow, Vec<Payout>)>,
    pub(super) watches: Vec<WatchRow>,
    /// Oldest first.
    pub(super) statements: Vec<StatementRow>,
    /// The same for every piece of the ledger.
    pub(super) work: WorkOfAll,
    pub(super) found: u64,
    pub(super) units: Units,
    pub(super) submissions: Vec<SubmissionRow>,
    pub(super) results: MinerResults,
    pub(super) failure: Option<StoreErrorKind>,
}

impl ReadStore {
    fn answer<T: 'static>(&self, answer: T) -> StoreFuture<T> {
        let answer = match self.failure {
            None => Ok(answer),
            Some(kind) => Err(StoreError::new(kind, "secret path /var/lib/dwarves.db")),
        };
        Box::pin(ready(answer))
    }

    /// The cursor is how many rows were given already.
    fn page<T: Clone + 'static>(&self, rows: &[T], page: PageRequest) -> StoreFuture<Page<T>> {
        let from = usize::try_from(page.cursor.unwrap_or(0)).unwrap().min(rows.len());
        let to = rows.len().min(from + page.limit as usize);
        self.answer(Page {
            rows: rows[from..to].to_vec(),
            next: (to < rows.len()).then_some(to as u64),
        })
    }

    fn batch(&self, name: &BatchName) -> Option<&(BatchSummary, BatchRow, Vec<Payout>)> {
        self.batches.iter().find(|batch| batch.1.head.name == *name)
    }

    fn never<T: 'static>(&self) -> StoreFuture<T> {
        unreachable!("the routes only read, and not this")
    }
}

impl Store for ReadStore {
    fn start(&self, _: Timestamp) -> StoreFuture<StoredState> {
        self.never()
    }

    fn recent_shares(&self, _: Sequence, _: u32) -> StoreFuture<Vec<RecentShare>> {
        self.never()
    }

    fn commit(&self, _: Vec<Write>) -> StoreFuture<Vec<Written>> {
        self.never()
    }

    fn blocks_to_account(&self, _: u32) -> StoreFuture<Vec<BlockRow>> {
        self.never()
    }

    fn open_blocks(&self, _: u32) -> StoreFuture<Vec<BlockRow>> {
        self.never()
    }

    fn weights_in_window(&self, _: pplns::Window, _: Sequence) -> StoreFuture<Weights> {
        self.never()
    }

    fn weights_between(&self, _: Sequence, _: Sequence) -> StoreFuture<Weights> {
        self.never()
    }

    fn values_between(&self, _: Sequence, _: Sequence) -> StoreFuture<Vec<ValuedUnits>> {
        self.never()
    }

    fn position_before(&self, _: Units) -> StoreFuture<LedgerPosition> {
        self.answer(LedgerPosition {
            sequence: Sequence::new(4),
            total: Units::ZERO,
        })
    }

    fn position_at(&self, _: Timestamp) -> StoreFuture<LedgerPosition> {
        self.answer(LedgerPosition {
            sequence: Sequence::new(20),
            total: self.units,
        })
    }

    fn block_before(&self, _: HeaderHash) -> StoreFuture<Option<BlockRow>> {
        self.answer(self.blocks.first().cloned())
    }

    fn block(&self, hash: HeaderHash) -> StoreFuture<Option<BlockRow>> {
        self.answer(self.blocks.iter().find(|row| row.hash == hash).cloned())
    }

    fn template(&self, _: TemplateId) -> StoreFuture<Option<TemplateRow>> {
        self.never()
    }

    fn owner_of(&self, _: ExtraNonce) -> StoreFuture<Option<Hotkey>> {
        self.never()
    }

    fn block_credits(&self, _: HeaderHash) -> StoreFuture<Option<BlockCredits>> {
        self.never()
    }

    fn miner_balances(&self, _: Hotkey) -> StoreFuture<MinerBalances> {
        self.answer(self.balances)
    }

    fn miner_credits(&self, hotkey: Hotkey, page: PageRequest) -> StoreFuture<Page<CreditRow>> {
        let of_miner = |row: &&CreditRow| row.hotkey == hotkey;
        let rows: Vec<_> = self.credits.iter().filter(of_miner).cloned().collect();
        self.page(&rows, page)
    }

    fn payout_candidates(&self, _: Amount) -> StoreFuture<Vec<Payee>> {
        self.never()
    }

    fn known_txids(&self, _: Vec<Txid>) -> StoreFuture<BTreeSet<Txid>> {
        self.never()
    }

    fn settings(&self) -> StoreFuture<BTreeMap<String, String>> {
        self.never()
    }

    fn payees(&self) -> StoreFuture<Vec<Payee>> {
        self.never()
    }

    fn watched_payouts(&self, _: u32) -> StoreFuture<Vec<Payout>> {
        self.never()
    }

    fn payout(&self, _: PayoutId) -> StoreFuture<Option<Payout>> {
        self.never()
    }

    fn miner_payouts(&self, _: Hotkey, page: PageRequest) -> StoreFuture<Page<MinerPayoutRow>> {
        self.page(&self.payouts, page)
    }

    fn payout_threshold(&self, _: Hotkey) -> StoreFuture<Option<Amount>> {
        self.answer(self.threshold)
    }

    fn blocks(&self, page: PageRequest) -> StoreFuture<Page<BlockRow>> {
        self.page(&self.blocks, page)
    }

    fn rounds(&self, page: PageRequest) -> StoreFuture<Page<RoundRow>> {
        self.page(&self.rounds, page)
    }

    fn round(&self, id: RoundId) -> StoreFuture<Option<(RoundRow, Vec<CreditRow>)>> {
        let row = self.rounds.iter().find(|row| row.id == id).cloned();
        let credits = self.credits.iter().filter(|row| row.round == id).cloned();
        self.answer(row.map(|row| (row, credits.collect())))
    }

    fn audit(&self, page: PageRequest) -> StoreFuture<Page<AuditRow>> {
        self.page(&self.audit, page)
    }

    fn history(&self, question: HistoryQuestion) -> StoreFuture<Option<History>> {
        let step = question.step;
        let mut steps: Vec<HistoryStep> = Vec::new();
        for minute in &self.history {
            let at = step.begin(minute.at);
            match steps.last_mut() {
                Some(last) if last.at == at => last.sums.add(&minute.sums),
                _ => steps.push(HistoryStep { at, ..minute.clone() }),
            }
        }
        let begins = steps.first().map(|step| step.at);
        steps.retain(|step| step.at >= question.from && step.at < question.to);
        let is_known = !matches!(&question.of, HistoryOf::Worker(_, name) if name.as_str() != "rig1");
        let lives = self.lives.clone();
        self.answer(is_known.then_some(History { begins, steps, lives }))
    }

    fn worker_sums(&self, _: Hotkey, since: Vec<(Step, Timestamp)>) -> StoreFuture<Vec<WorkerSums>> {
        let sums = since.iter().map(|(step, from)| {
            let mut sums = Sums::default();
            let asked = |minute: &&HistoryStep| step.begin(minute.at) >= *from;
            self.history
                .iter()
                .filter(asked)
                .for_each(|minute| sums.add(&minute.sums));
            sums
        });
        let earliest = since.iter().map(|(_, from)| *from).min();
        let first = self.history.iter().find(|minute| Some(minute.at) >= earliest);
        let rig = WorkerSums {
            name: "rig1".parse().expect("a name"),
            first_at: first.map(|minute| minute.at),
            sums: sums.collect(),
        };
        self.answer(vec![rig])
    }

    fn unplanned_notices(&self, _: u32) -> StoreFuture<Vec<NoticeRow>> {
        self.never()
    }

    fn notices_since(&self, _: Timestamp, _: u32) -> StoreFuture<Vec<NoticeRow>> {
        self.never()
    }

    fn notices_after(&self, _: NoticeId, _: u32) -> StoreFuture<Vec<NoticeRow>> {
        self.never()
    }

    fn subscriptions(&self) -> StoreFuture<Vec<SubscriptionRow>> {
        self.never()
    }

    fn miner_notices(&self) -> StoreFuture<Vec<MinerNoticeRow>> {
        self.never()
    }

    fn deliveries(&self, _: u32) -> StoreFuture<Vec<DeliveryRow>> {
        self.never()
    }

    fn waiting_submissions(&self, _: u32) -> StoreFuture<Vec<SubmissionRow>> {
        self.never()
    }

    fn submitted_work(&self, _: SubmissionId) -> StoreFuture<Option<String>> {
        self.never()
    }

    fn submission(&self, id: SubmissionId) -> StoreFuture<Option<SubmissionRow>> {
        let row = self.submissions.iter().find(|row| row.id == id);
        self.answer(row.cloned())
    }

    fn submissions(&self, hotkey: Hotkey, page: PageRequest) -> StoreFuture<Page<SubmissionRow>> {
        let theirs = self.submissions.iter().filter(|row| row.hotkey == hotkey);
        self.page(&theirs.cloned().collect::<Vec<_>>(), page)
    }

    fn miner_results(&self, _: Hotkey, _: Measure, _: Timestamp) -> StoreFuture<MinerResults> {
        self.answer(self.results.clone())
    }

    fn best_results(&self, _: Measure, _: Timestamp, _: Timestamp) -> StoreFuture<Vec<BestResult>> {
        self.never()
    }

    fn share(&self, sequence: Sequence) -> StoreFuture<Option<ShareDetails>> {
        let share = self.shares.iter().find(|share| share.sequence == sequence);
        self.answer(share.cloned())
    }

    fn block_details(&self, hash: HeaderHash, _: u32) -> StoreFuture<Option<BlockDetails>> {
        let details = self.block_details.iter();
        let found = details.clone().find(|details| details.block.hash == hash);
        self.answer(found.cloned())
    }

    fn found_ends(&self, limit: u32) -> StoreFuture<Vec<Units>> {
        self.answer(self.found_ends.iter().copied().take(limit as usize).collect())
    }

    fn workings(&self, round: RoundId, hotkey: Hotkey) -> StoreFuture<Option<CreditWorkings>> {
        self.answer(self.workings.get(&(round, hotkey)).cloned())
    }

    fn earned(&self, _: Hotkey, _: Timestamp, _: u32) -> StoreFuture<Earned> {
        self.answer(self.earned.clone())
    }

    fn payouts(&self, page: PageRequest) -> StoreFuture<Page<PayoutRow>> {
        self.page(&self.all_payouts, page)
    }

    fn payout_of(&self, txid: Txid) -> StoreFuture<Option<Payout>> {
        let is_it = |payout: &&Payout| payout.signed.as_ref().is_some_and(|signed| signed.txid == txid);
        let found = self.all_payouts.iter().map(|row| &row.payout).find(is_it);
        self.answer(found.cloned())
    }

    fn watch(&self, _: WatchId) -> StoreFuture<Option<WatchRow>> {
        self.never()
    }

    fn watches_of(&self, hotkey: Hotkey) -> StoreFuture<Vec<WatchRow>> {
        let theirs = self.watches.iter().filter(|row| row.hotkey == hotkey);
        self.answer(theirs.cloned().collect())
    }

    fn epochs(&self) -> StoreFuture<EpochsState> {
        self.answer(EpochsState::default())
    }

    fn work_between(&self, _: Sequence, _: Sequence, _: u32) -> StoreFuture<WorkOfAll> {
        self.answer(self.work.clone())
    }

    fn rejected_before(&self, _: EpochId) -> StoreFuture<WorkOfAll> {
        self.answer(WorkOfAll::new())
    }

    fn statements(&self, page: PageRequest) -> StoreFuture<Page<StatementHead>> {
        let before = |row: &&StatementRow| {
            let id = row.head.ended.epoch.start.get();
            page.cursor.is_none_or(|cursor| id < cursor)
        };
        let rows = self.statements.iter().rev().filter(before);
        let heads: Vec<StatementHead> = rows.map(|row| row.head.clone()).collect();
        let limit = page.limit as usize;
        let next = (heads.len() > limit).then(|| heads[limit - 1].ended.epoch.start.get());
        self.answer(Page {
            rows: heads.into_iter().take(limit).collect(),
            next,
        })
    }

    fn statement(&self, epoch: EpochId) -> StoreFuture<Option<StatementRow>> {
        let mut rows = self.statements.iter();
        self.answer(rows.find(|row| row.head.ended.epoch.start == epoch).cloned())
    }

    fn payout_batches(&self, page: PageRequest) -> StoreFuture<Page<BatchSummary>> {
        let summaries: Vec<_> = self.batches.iter().map(|batch| batch.0.clone()).collect();
        self.page(&summaries, page)
    }

    fn payout_batch(&self, name: BatchName) -> StoreFuture<Option<BatchRow>> {
        self.answer(self.batch(&name).map(|batch| batch.1.clone()))
    }

    fn batch_payouts(&self, name: BatchName) -> StoreFuture<Vec<Payout>> {
        self.answer(self.batch(&name).map(|batch| batch.2.clone()).unwrap_or_default())
    }

    fn totals(&self) -> StoreFuture<PoolTotals> {
        self.answer(PoolTotals {
            log_bytes: 4_152,
            shares: 20,
            blocks: self.found,
            units: self.units,
            units_to_last_block: self.units,
            ..PoolTotals::default()
        })
    }
}
