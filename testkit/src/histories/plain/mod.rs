//! A plain reading of what [`Store`] promises, without a database: what the shipped store is compared with, and nothing
//! else. A clone is another handle on the same content.
//!
//! | module | its one job |
//! |---|---|
//! | `state` | what is kept, and how a commit applies or leaves no trace |
//! | `work` | shares, miners, workers, nonces, templates, counters, pruning |
//! | `money` | blocks, rounds, balances |
//! | `notices` | what people are to be told |
//! | `watches` | who may look at miners |
//! | `submissions`, `stored_submission` | evaluated work |
//! | `payouts` | payouts and thresholds |
//! | `payout_batches` | batches of exported payouts |
//! | `history` | what was mined when |
//! | `statements`, `epochs` | epochs and their statements |
//! | `questions`, `pages` | the reads |
//! | `details` | what is read of one block, payout or share |

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
use tokio::sync::watch;

use dwarves_ports::store::ledger_rows::{
    AuditRow, BlockCredits, BlockRow, CreditRow, LedgerPosition, MinerPayoutRow, RecentShare, RoundRow,
    TemplateRow, ValuedUnits,
};
use dwarves_ports::store::reads::{MinerBalances, Page, PageRequest, PoolTotals, StoredState};
use dwarves_ports::store::{
    BatchRow, BatchSummary, BlockDetails, CreditWorkings, Earned, PayoutRow, ShareDetails, WorkerSums,
};
use dwarves_ports::store::{
    DeliveryRow, History, HistoryQuestion, MinerNoticeRow, NoticeRow, Store, StoreError, StoreFuture,
    SubscriptionRow, WatchRow, Write, Written,
};
use dwarves_ports::store::{EpochsState, StatementHead, StatementRow};
use dwarves_ports::store::{MinerResults, SubmissionRow};

mod details;
mod epochs;
mod history;
mod money;
mod notices;
mod pages;
mod payout_batches;
mod payouts;
mod questions;
mod state;
mod statements;
mod stored_submission;
mod submissions;
mod watches;
mod work;

use state::State;

/// A store in memory. Clones share their content.
///
/// The content lies in a watch channel that nobody watches: it is a cell that can be shared between threads
/// and changed in place.
#[derive(Clone)]
pub(crate) struct PlainStore {
    state: watch::Sender<State>,
}

impl Default for PlainStore {
    fn default() -> Self {
        Self {
            state: watch::Sender::new(State::default()),
        }
    }
}

fn ready<T: 'static>(answer: Result<T, StoreError>) -> StoreFuture<T> {
    Box::pin(std::future::ready(answer))
}

impl PlainStore {
    /// An empty store.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Every share that was not pruned, oldest first.
    #[cfg(test)]
    fn shares(&self) -> Vec<(Sequence, dwarves_ports::store::ShareRow)> {
        let state = self.state.borrow();
        let shares = state.shares.iter();
        shares.map(|share| (share.sequence, share.row.clone())).collect()
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut answer = None;
        self.state.send_modify(|state| answer = Some(change(state)));
        answer.expect("send_modify calls its closure")
    }
}

impl Store for PlainStore {
    fn start(&self, now: Timestamp) -> StoreFuture<StoredState> {
        ready(self.change(|state| state.start(now)))
    }

    fn recent_shares(&self, after: Sequence, limit: u32) -> StoreFuture<Vec<RecentShare>> {
        ready(Ok(self.state.borrow().recent_shares(after, limit)))
    }

    fn commit(&self, writes: Vec<Write>) -> StoreFuture<Vec<Written>> {
        ready(self.change(|state| state.commit(&writes)))
    }

    fn blocks_to_account(&self, limit: u32) -> StoreFuture<Vec<BlockRow>> {
        ready(Ok(self.state.borrow().blocks_to_account(limit)))
    }

    fn open_blocks(&self, depth: u32) -> StoreFuture<Vec<BlockRow>> {
        ready(Ok(self.state.borrow().open_blocks(depth)))
    }

    fn weights_in_window(&self, window: pplns::Window, through: Sequence) -> StoreFuture<Weights> {
        ready(self.state.borrow().weights_in_window(&window, through))
    }

    fn weights_between(&self, after: Sequence, through: Sequence) -> StoreFuture<Weights> {
        ready(self.state.borrow().weights_between(after, through))
    }

    fn values_between(&self, after: Sequence, through: Sequence) -> StoreFuture<Vec<ValuedUnits>> {
        ready(self.state.borrow().values_between(after, through))
    }

    fn position_before(&self, total: Units) -> StoreFuture<LedgerPosition> {
        ready(Ok(self.state.borrow().position_before(total)))
    }

    fn position_at(&self, at: Timestamp) -> StoreFuture<LedgerPosition> {
        ready(Ok(self.state.borrow().position_at(at)))
    }

    fn block_before(&self, hash: HeaderHash) -> StoreFuture<Option<BlockRow>> {
        ready(Ok(self.state.borrow().block_before(hash)))
    }

    fn block(&self, hash: HeaderHash) -> StoreFuture<Option<BlockRow>> {
        ready(Ok(self.state.borrow().block(hash)))
    }

    fn template(&self, id: TemplateId) -> StoreFuture<Option<TemplateRow>> {
        ready(Ok(self.state.borrow().whole_template(id)))
    }

    fn owner_of(&self, extranonce: ExtraNonce) -> StoreFuture<Option<Hotkey>> {
        ready(Ok(self.state.borrow().owner_of(extranonce)))
    }

    fn block_credits(&self, hash: HeaderHash) -> StoreFuture<Option<BlockCredits>> {
        ready(Ok(self.state.borrow().block_credits(hash)))
    }

    fn miner_balances(&self, hotkey: Hotkey) -> StoreFuture<MinerBalances> {
        ready(self.state.borrow().miner_balances(hotkey))
    }

    fn miner_credits(&self, hotkey: Hotkey, page: PageRequest) -> StoreFuture<Page<CreditRow>> {
        ready(Ok(self.state.borrow().miner_credits(hotkey, page)))
    }

    fn payout_candidates(&self, least: Amount) -> StoreFuture<Vec<Payee>> {
        ready(self.state.borrow().payout_candidates(least))
    }

    fn known_txids(&self, txids: Vec<Txid>) -> StoreFuture<BTreeSet<Txid>> {
        ready(Ok(self.state.borrow().known_txids(&txids)))
    }

    fn settings(&self) -> StoreFuture<BTreeMap<String, String>> {
        ready(Ok(self.state.borrow().rest.settings.clone()))
    }

    fn payees(&self) -> StoreFuture<Vec<Payee>> {
        ready(self.state.borrow().payees())
    }

    fn watched_payouts(&self, limit: u32) -> StoreFuture<Vec<Payout>> {
        ready(Ok(self.state.borrow().watched_payouts(limit)))
    }

    fn payout(&self, id: PayoutId) -> StoreFuture<Option<Payout>> {
        ready(Ok(self.state.borrow().payout(id)))
    }

    fn miner_payouts(&self, hotkey: Hotkey, page: PageRequest) -> StoreFuture<Page<MinerPayoutRow>> {
        ready(Ok(self.state.borrow().miner_payouts(hotkey, page)))
    }

    fn payout_threshold(&self, hotkey: Hotkey) -> StoreFuture<Option<Amount>> {
        ready(Ok(self.state.borrow().payout_threshold(hotkey)))
    }

    fn blocks(&self, page: PageRequest) -> StoreFuture<Page<BlockRow>> {
        ready(Ok(self.state.borrow().blocks(page)))
    }

    fn rounds(&self, page: PageRequest) -> StoreFuture<Page<RoundRow>> {
        ready(Ok(self.state.borrow().rounds(page)))
    }

    fn round(&self, id: RoundId) -> StoreFuture<Option<(RoundRow, Vec<CreditRow>)>> {
        ready(Ok(self.state.borrow().round(id)))
    }

    fn audit(&self, page: PageRequest) -> StoreFuture<Page<AuditRow>> {
        ready(Ok(self.state.borrow().audit(page)))
    }

    fn history(&self, question: HistoryQuestion) -> StoreFuture<Option<History>> {
        ready(Ok(self.state.borrow().history(&question)))
    }

    fn worker_sums(&self, hotkey: Hotkey, since: Vec<(Step, Timestamp)>) -> StoreFuture<Vec<WorkerSums>> {
        ready(Ok(self.state.borrow().worker_sums(hotkey, &since)))
    }

    fn unplanned_notices(&self, limit: u32) -> StoreFuture<Vec<NoticeRow>> {
        ready(Ok(self.state.borrow().unplanned_notices(limit)))
    }

    fn notices_since(&self, at: Timestamp, limit: u32) -> StoreFuture<Vec<NoticeRow>> {
        ready(Ok(self.state.borrow().notices_since(at, limit)))
    }

    fn notices_after(&self, after: NoticeId, limit: u32) -> StoreFuture<Vec<NoticeRow>> {
        ready(Ok(self.state.borrow().notices_after(after, limit)))
    }

    fn subscriptions(&self) -> StoreFuture<Vec<SubscriptionRow>> {
        ready(Ok(self.state.borrow().subscriptions()))
    }

    fn miner_notices(&self) -> StoreFuture<Vec<MinerNoticeRow>> {
        ready(Ok(self.state.borrow().miner_notices()))
    }

    fn deliveries(&self, limit: u32) -> StoreFuture<Vec<DeliveryRow>> {
        ready(Ok(self.state.borrow().deliveries(limit)))
    }

    fn waiting_submissions(&self, limit: u32) -> StoreFuture<Vec<SubmissionRow>> {
        ready(Ok(self.state.borrow().waiting_submissions(limit)))
    }

    fn submitted_work(&self, id: SubmissionId) -> StoreFuture<Option<String>> {
        ready(Ok(self.state.borrow().submitted_work(id)))
    }

    fn submission(&self, id: SubmissionId) -> StoreFuture<Option<SubmissionRow>> {
        ready(Ok(self.state.borrow().submission(id)))
    }

    fn submissions(&self, hotkey: Hotkey, page: PageRequest) -> StoreFuture<Page<SubmissionRow>> {
        ready(Ok(self.state.borrow().submissions(hotkey, page)))
    }

    fn miner_results(&self, hotkey: Hotkey, measure: Measure, since: Timestamp) -> StoreFuture<MinerResults> {
        ready(Ok(self.state.borrow().miner_results(hotkey, measure, since)))
    }

    fn best_results(
        &self,
        measure: Measure,
        after: Timestamp,
        until: Timestamp,
    ) -> StoreFuture<Vec<BestResult>> {
        ready(Ok(self.state.borrow().best_results(measure, after, until)))
    }

    fn share(&self, sequence: Sequence) -> StoreFuture<Option<ShareDetails>> {
        ready(Ok(self.state.borrow().share(sequence)))
    }

    fn block_details(&self, hash: HeaderHash, beginning: u32) -> StoreFuture<Option<BlockDetails>> {
        ready(Ok(self.state.borrow().block_details(hash, beginning)))
    }

    fn found_ends(&self, limit: u32) -> StoreFuture<Vec<Units>> {
        ready(Ok(self.state.borrow().found_ends(limit)))
    }

    fn workings(&self, round: RoundId, hotkey: Hotkey) -> StoreFuture<Option<CreditWorkings>> {
        ready(Ok(self.state.borrow().workings(round, hotkey)))
    }

    fn earned(&self, hotkey: Hotkey, since: Timestamp, limit: u32) -> StoreFuture<Earned> {
        ready(Ok(self.state.borrow().earned(hotkey, since, limit)))
    }

    fn payouts(&self, page: PageRequest) -> StoreFuture<Page<PayoutRow>> {
        ready(Ok(self.state.borrow().payouts(page)))
    }

    fn payout_of(&self, txid: Txid) -> StoreFuture<Option<Payout>> {
        ready(Ok(self.state.borrow().payout_of(&txid)))
    }

    fn watch(&self, id: WatchId) -> StoreFuture<Option<WatchRow>> {
        ready(Ok(self.state.borrow().watch(id)))
    }

    fn watches_of(&self, hotkey: Hotkey) -> StoreFuture<Vec<WatchRow>> {
        ready(Ok(self.state.borrow().watches_of(&hotkey)))
    }

    fn epochs(&self) -> StoreFuture<EpochsState> {
        ready(Ok(self.state.borrow().epochs()))
    }

    fn work_between(&self, after: Sequence, through: Sequence, limit: u32) -> StoreFuture<WorkOfAll> {
        ready(self.state.borrow().work_between(after, through, limit))
    }

    fn rejected_before(&self, end: EpochId) -> StoreFuture<WorkOfAll> {
        ready(self.state.borrow().rejected_before(end))
    }

    fn statements(&self, page: PageRequest) -> StoreFuture<Page<StatementHead>> {
        ready(Ok(self.state.borrow().statements(page)))
    }

    fn statement(&self, epoch: EpochId) -> StoreFuture<Option<StatementRow>> {
        ready(Ok(self.state.borrow().statement(epoch)))
    }

    fn payout_batches(&self, page: PageRequest) -> StoreFuture<Page<BatchSummary>> {
        ready(Ok(self.state.borrow().payout_batches(page)))
    }

    fn payout_batch(&self, name: BatchName) -> StoreFuture<Option<BatchRow>> {
        ready(Ok(self.state.borrow().payout_batch(&name)))
    }

    fn batch_payouts(&self, name: BatchName) -> StoreFuture<Vec<Payout>> {
        ready(Ok(self.state.borrow().batch_payouts(&name)))
    }

    fn totals(&self) -> StoreFuture<PoolTotals> {
        ready(self.state.borrow().totals())
    }
}

#[cfg(test)]
mod tests;
