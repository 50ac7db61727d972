//! The store as the actors see it: what is written in one transaction, and what can be read.
//!
//! A commit takes a list of [`Write`]s and applies all of them in one transaction, durably, before it
//! answers. Every write is named by its intent and safe to repeat. Reads never wait for writes.
//! No type of any database crosses this line.
//!
//! | module | its one job |
//! |---|---|
//! | [`ledger_rows`] | miners, workers, shares, blocks, rounds and all else that is stored, as the actors see it |
//! | [`writes`] | the intents |
//! | [`written`] | what each answers |
//! | [`history`] | what was mined when |
//! | [`notices`] | what people are to be told |
//! | [`watches`] | who may look at a miner beside itself and the operator |
//! | [`statements`] | which epoch is open, and what was stated of those before |
//! | [`batches`] | payouts that were exported for somebody else to send |
//! | [`submissions`] | evaluated work, and what came of it |
//! | [`reads`] | questions and pages |
//! | [`details`] | what is read of one block, payout or share |
//! | [`standby`] | a standby that pages are read from |
//! | [`codec`] | rows of tables as these types, for stores that are made of tables |
//! | [`export`] | a ledger that is only read: lists, and all rows of a table |
//! | [`copying`] | a whole ledger on its way from one store to another |
//! | [`error`] | what went wrong and what must happen |

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

pub mod batches;
pub mod codec;
pub mod copying;
pub mod details;
pub mod error;
pub mod export;
pub mod history;
pub mod ledger_rows;
pub mod notices;
pub mod reads;
pub mod standby;
pub mod statements;
pub mod submissions;
pub mod watches;
pub mod writes;
pub mod written;

pub use batches::{BatchHead, BatchRow, BatchSummary, NewBatch};
pub use details::{BlockBooked, BlockDetails, CreditWorkings, Earned, PayoutRow, ShareDetails};
pub use dwarves_domain::blocks::{Accounting, BlockState, CreditKind};
pub use error::{StoreAction, StoreError, StoreErrorKind};
pub use history::{History, HistoryOf, HistoryQuestion, HistoryStep, LifeRow, WorkerSums};
pub use ledger_rows::*;
pub use notices::{DeliveryRow, MinerNoticeRow, NOTICES_KEPT, NoticeRow, SubscriptionRow, ToMiner};
pub use reads::{Cursor, MinerBalances, Page, PageRequest, PoolTotals, StoredState};
pub use standby::StandbyState;
pub use statements::{EndedEpoch, EpochsState, OpenEpoch, StatementHead, StatementRow};
pub use submissions::{Evaluated, MinerResults, NewSubmission, SubmissionRow};
pub use watches::WatchRow;
pub use writes::Write;
pub use written::Written;

/// An answer of the store that is still to come. It must be polled to completion by no one: a commit that
/// was begun goes on.
pub type StoreFuture<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>>>>;

/// A store shared by the ledger, which alone writes, and by readers.
pub type SharedStore = Arc<dyn Store>;

/// A durable store.
pub trait Store: Send + Sync + 'static {
    /// Begins a new life of the pool: counts it durably and returns all that must be known at start, but for
    /// [`Self::recent_shares`]. `now` decides which replay-guard entries still matter.
    fn start(&self, now: Timestamp) -> StoreFuture<StoredState>;

    /// The first `limit` shares of live templates after `after`, in the ledger's order; if there are fewer, there are no
    /// more. A start asks for them piece by piece: there may be millions.
    fn recent_shares(&self, after: Sequence, limit: u32) -> StoreFuture<Vec<RecentShare>>;

    /// Applies all of `writes` in one transaction and answers each, in order, once they are durable.
    ///
    /// # Errors
    /// On any error none of the writes is applied, except for [`StoreErrorKind::Unknown`], where they may
    /// or may not be. A refusal of one write (a used nonce, say) is not an error but its answer.
    fn commit(&self, writes: Vec<Write>) -> StoreFuture<Vec<Written>>;

    /// How many commits of shares alone ([`Write::is_of_shares_alone`]) are quicker side by side than one after the other.
    /// They are applied, numbered and answered in the order in which they were asked all the same, and one that fails
    /// takes none of the later ones with it.
    fn commits_side_by_side(&self) -> usize {
        1
    }

    /// The blocks whose state and accounting differ (see [`BlockState::is_due`]), oldest first, at most `limit`.
    fn blocks_to_account(&self, limit: u32) -> StoreFuture<Vec<BlockRow>>;

    /// The blocks that still may change (submitted, accepted, immature, or mature or orphaned within
    /// `depth` blocks of the highest known one), oldest first, with their bytes.
    fn open_blocks(&self, depth: u32) -> StoreFuture<Vec<BlockRow>>;

    /// Each miner's overlap with a PPLNS window, of shares up to and including `through`, in half-steps.
    fn weights_in_window(&self, window: pplns::Window, through: Sequence) -> StoreFuture<Weights>;

    /// Each miner's units over the shares after `after` up to and including `through`, in half-steps.
    fn weights_between(&self, after: Sequence, through: Sequence) -> StoreFuture<Weights>;

    /// Each miner's units per template over the shares after `after` up to and including `through`, by template
    /// and hotkey.
    fn values_between(&self, after: Sequence, through: Sequence) -> StoreFuture<Vec<ValuedUnits>>;

    /// The last share committed at or before `at`, and the running total of units up to it. A commit's time is
    /// that of its latest share, or the commit's before it if the clock stepped back. If all that is left of
    /// the ledger is later, it is the place where what is left begins.
    fn position_at(&self, at: Timestamp) -> StoreFuture<LedgerPosition>;

    /// A place behind which every share lies outside of a window that begins at the running total `total`: the
    /// end of the last commit whose total is at most that.
    fn position_before(&self, total: Units) -> StoreFuture<LedgerPosition>;

    /// The last found block before the block `hash` that was not refused, if any: where a proportional round
    /// began.
    fn block_before(&self, hash: HeaderHash) -> StoreFuture<Option<BlockRow>>;

    /// A found block, if it is stored.
    fn block(&self, hash: HeaderHash) -> StoreFuture<Option<BlockRow>>;

    /// A template with its transactions, unless they were dropped.
    fn template(&self, id: TemplateId) -> StoreFuture<Option<TemplateRow>>;

    /// Whose worker got the job or the session whose extranonces begin so, if a share of it is stored.
    fn owner_of(&self, extranonce: ExtraNonce) -> StoreFuture<Option<Hotkey>>;

    /// What a block's acceptance credited.
    fn block_credits(&self, hash: HeaderHash) -> StoreFuture<Option<BlockCredits>>;

    /// A miner's balances.
    fn miner_balances(&self, hotkey: Hotkey) -> StoreFuture<MinerBalances>;

    /// A miner's credits, newest first.
    fn miner_credits(&self, hotkey: Hotkey, page: PageRequest) -> StoreFuture<Page<CreditRow>>;

    /// Every miner with at least `least` payable, in the order of hotkeys. At most as many as may register.
    fn payout_candidates(&self, least: Amount) -> StoreFuture<Vec<Payee>>;

    /// The payouts that still may change, oldest first, at most `limit`. Their parts are left out, and the bytes
    /// of those that are in no need of sending.
    fn watched_payouts(&self, limit: u32) -> StoreFuture<Vec<Payout>>;

    /// Which of these transactions are stored payouts'.
    fn known_txids(&self, txids: Vec<Txid>) -> StoreFuture<BTreeSet<Txid>>;

    /// Settings that were changed while running, and what the pool remembers of its ledger, by name.
    fn settings(&self) -> StoreFuture<BTreeMap<String, String>>;

    /// Every miner with an address, with what it has payable, in the order of hotkeys.
    fn payees(&self) -> StoreFuture<Vec<Payee>>;

    /// One payout with its parts and bytes.
    fn payout(&self, id: PayoutId) -> StoreFuture<Option<Payout>>;

    /// A miner's payouts, newest first.
    fn miner_payouts(&self, hotkey: Hotkey, page: PageRequest) -> StoreFuture<Page<MinerPayoutRow>>;

    /// The balance from which a miner wants to be paid, if it chose one.
    fn payout_threshold(&self, hotkey: Hotkey) -> StoreFuture<Option<Amount>>;

    /// Found blocks, newest first.
    fn blocks(&self, page: PageRequest) -> StoreFuture<Page<BlockRow>>;

    /// Closed rounds, newest first.
    fn rounds(&self, page: PageRequest) -> StoreFuture<Page<RoundRow>>;

    /// One round with every credit.
    fn round(&self, id: RoundId) -> StoreFuture<Option<(RoundRow, Vec<CreditRow>)>>;

    /// The audit trail, newest first.
    fn audit(&self, page: PageRequest) -> StoreFuture<Page<AuditRow>>;

    /// What was mined in each step of some time, by when the shares came; `None` if there is no such miner or worker.
    /// It is up to date with the last commit; what is asked for a page may be of a standby ([`Store::standby`]), and then
    /// ends as much earlier as that one is behind. A share counts in the step in which it came, however the clock was set.
    fn history(&self, question: HistoryQuestion) -> StoreFuture<Option<History>>;

    /// What each of a miner's workers mined in the steps of each length that begin at or after a moment, in the order of
    /// names; nobody if there is no such miner. As up to date as [`Store::history`], and asked for all workers at once.
    fn worker_sums(&self, hotkey: Hotkey, since: Vec<(Step, Timestamp)>) -> StoreFuture<Vec<WorkerSums>>;

    /// Notices of which it was not yet decided who is told, oldest first, at most `limit`.
    fn unplanned_notices(&self, limit: u32) -> StoreFuture<Vec<NoticeRow>>;

    /// Notices of this date or later, oldest first, at most `limit`.
    fn notices_since(&self, at: Timestamp, limit: u32) -> StoreFuture<Vec<NoticeRow>>;

    /// Notices after this one, oldest first, at most `limit`.
    fn notices_after(&self, after: NoticeId, limit: u32) -> StoreFuture<Vec<NoticeRow>>;

    /// What every miner wants to be told that wants anything, in the order of hotkeys.
    fn subscriptions(&self) -> StoreFuture<Vec<SubscriptionRow>>;

    /// All that is on its way to miners, in the order in which it happened; of the same moment in that of hotkeys,
    /// channels and keys.
    fn miner_notices(&self) -> StoreFuture<Vec<MinerNoticeRow>>;

    /// Notices on their way, those that are due first at the front, at most `limit` of each channel: one that cannot be
    /// reached hides no other's.
    fn deliveries(&self, limit: u32) -> StoreFuture<Vec<DeliveryRow>>;

    /// Submissions that wait for their evaluation, oldest first, at most `limit`.
    fn waiting_submissions(&self, limit: u32) -> StoreFuture<Vec<SubmissionRow>>;

    /// The work of a submission that waits.
    fn submitted_work(&self, id: SubmissionId) -> StoreFuture<Option<String>>;

    /// One submission.
    fn submission(&self, id: SubmissionId) -> StoreFuture<Option<SubmissionRow>>;

    /// A miner's submissions, newest first.
    fn submissions(&self, hotkey: Hotkey, page: PageRequest) -> StoreFuture<Page<SubmissionRow>>;

    /// What a miner's submissions have come to; the best is by `measure`, of results since `since`.
    fn miner_results(&self, hotkey: Hotkey, measure: Measure, since: Timestamp) -> StoreFuture<MinerResults>;

    /// The best result by `measure` of each registered miner who was not banned at `until`, of those that were known
    /// after `after` and by `until`, in the order of hotkeys.
    fn best_results(
        &self,
        measure: Measure,
        after: Timestamp,
        until: Timestamp,
    ) -> StoreFuture<Vec<BestResult>>;

    /// One share with what belongs to it, unless it was pruned.
    fn share(&self, sequence: Sequence) -> StoreFuture<Option<ShareDetails>>;

    /// A found block with what belongs to it, and the first `beginning` of its bytes.
    fn block_details(&self, hash: HeaderHash, beginning: u32) -> StoreFuture<Option<BlockDetails>>;

    /// Where the last found blocks ([`BlockState::is_found`]) ended, as running totals of units, the last stored
    /// first, at most `limit`.
    fn found_ends(&self, limit: u32) -> StoreFuture<Vec<Units>>;

    /// How a round came to a miner's credit; `None` if the round credited nobody, or closed before that was kept.
    fn workings(&self, round: RoundId, hotkey: Hotkey) -> StoreFuture<Option<CreditWorkings>>;

    /// What a miner's credits came to on each day since `since`, of its newest `limit` credits.
    fn earned(&self, hotkey: Hotkey, since: Timestamp, limit: u32) -> StoreFuture<Earned>;

    /// Payouts, newest first.
    fn payouts(&self, page: PageRequest) -> StoreFuture<Page<PayoutRow>>;

    /// The payout of this transaction with its parts, without its bytes.
    fn payout_of(&self, txid: Txid) -> StoreFuture<Option<Payout>>;

    /// A watch token, if it was not taken back; its time may be over.
    fn watch(&self, id: WatchId) -> StoreFuture<Option<WatchRow>>;

    /// The watch tokens that a miner handed out and did not take back, oldest first.
    fn watches_of(&self, hotkey: Hotkey) -> StoreFuture<Vec<WatchRow>>;
    /// How far the statements are.
    fn epochs(&self) -> StoreFuture<EpochsState>;

    /// What the first `limit` shares behind `after` up to and including `through` came to for each worker, by the time of
    /// their commits. What was pruned is left out. More are asked for piece by piece: pieces in order add up to the whole.
    fn work_between(&self, after: Sequence, through: Sequence, limit: u32) -> StoreFuture<WorkOfAll>;

    /// Rejected shares that were saved since the last statement and before `end`, for each worker.
    fn rejected_before(&self, end: EpochId) -> StoreFuture<WorkOfAll>;

    /// Statements, newest first; a page's cursor is an epoch's name.
    fn statements(&self, page: PageRequest) -> StoreFuture<Page<StatementHead>>;

    /// The statement of the epoch of this name.
    fn statement(&self, epoch: EpochId) -> StoreFuture<Option<StatementRow>>;

    /// Batches of exported payouts, newest first; a page's cursor is a batch's number.
    fn payout_batches(&self, page: PageRequest) -> StoreFuture<Page<BatchSummary>>;

    /// The batch of this name.
    fn payout_batch(&self, name: BatchName) -> StoreFuture<Option<BatchRow>>;

    /// The payouts of the batch of this name with their parts, in their order; empty if there is no such batch.
    fn batch_payouts(&self, name: BatchName) -> StoreFuture<Vec<Payout>>;

    /// Sums over the whole ledger.
    fn totals(&self) -> StoreFuture<PoolTotals>;

    /// How the standby is that pages are read from; `None` if there is none.
    fn standby(&self) -> Option<StandbyState> {
        None
    }
}
