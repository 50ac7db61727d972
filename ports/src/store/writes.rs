//! The intents of writing, and what each answers.

use dwarves_domain::blocks::{Accounting, BlockState};
use dwarves_domain::evaluation::SubmissionId;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, NoticeId, PayoutId, Sequence, TemplateId, WorkerId};
use dwarves_domain::payouts::{Payout, Transition};
use dwarves_domain::rewards::ClosedRound;
use dwarves_domain::statements::{Epoch, EpochId};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Amount;
use dwarves_domain::watch::WatchId;

use super::batches::NewBatch;
use super::ledger_rows::{
    AuditRow, BanRow, CounterRow, FoundBlock, LedgerPosition, SESSIONS_ENDED, ShareRow, TemplateRow,
    WorkerRow,
};
use super::notices::{NoticeRow, ToMiner};
use super::statements::StatementRow;
use super::submissions::{Evaluated, NewSubmission};
use super::watches::WatchRow;
pub use super::written::Written;

/// One intent. All the writes of a commit are one transaction.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Appends accepted shares, numbered on from the last one, with the running total of units.
    /// A share with a block also stores the block as submitted; if [`Write::SetBlockState`] was quicker and
    /// nothing is booked for the block yet, it only moves the block to the share's place.
    /// A share of an unknown worker contradicts what is stored.
    AppendShares(Vec<ShareRow>),
    /// Registers a miner, or changes a known one's payout address if one is given.
    RegisterMiner {
        /// The miner's account.
        hotkey: Hotkey,
        /// The address that payouts go to from now on; `None`: as before.
        payout_address: Option<String>,
        /// The date of the registration.
        at: Timestamp,
    },
    /// Numbers a new worker of a registered miner. Repeating the same row changes nothing; a number or name
    /// that is another worker's contradicts what is stored.
    AddWorker(WorkerRow),
    /// Says that workers may be given the numbers before this one from now on, also in jobs of workers that are never
    /// stored. [`StoredState::next_worker`](super::StoredState::next_worker) of the next life is this number.
    NumberWorkers {
        /// The first number that may not be given yet.
        next: WorkerId,
    },
    /// Takes workers out whose names give way: what they came to becomes their miner's own. Their shares stay theirs
    /// and their miner's, so their numbers are kept until their shares are pruned. A worker that is out already, or
    /// was never stored, changes nothing.
    RetireWorkers {
        /// Each with all that its shares came to.
        workers: Vec<(WorkerId, CounterRow)>,
    },
    /// Removes a miner: its row, its workers, what they came to, its threshold, its watch tokens. A ban stays for when it comes again.
    /// What was booked for it stays booked; if it is still owed something, or a payout to it may still change,
    /// nothing is written and the answer is [`Written::MinerKept`]. A miner that is not there changes nothing.
    RemoveMiner {
        /// The miner to remove.
        hotkey: Hotkey,
    },
    /// Marks a signed request's nonce as used, until `expires_at`.
    UseNonce {
        /// The hotkey whose signature the nonce came with.
        hotkey: Hotkey,
        /// The nonce: nanoseconds, by the signer's clock.
        nonce_nanos: u64,
        /// When it is too old to be taken anyway.
        expires_at: Timestamp,
        /// Now: entries that expired before are dropped.
        now: Timestamp,
    },
    /// Bans a miner or changes the ban. It also holds for a hotkey that registers later.
    Ban {
        /// The miner to ban.
        hotkey: Hotkey,
        /// The reason, and until when it holds.
        ban: BanRow,
    },
    /// Lifts a ban.
    Unban {
        /// The miner to let in again.
        hotkey: Hotkey,
    },
    /// Keeps a template, so that its jobs outlive a restart. Its content never changes: the same number with
    /// other content contradicts what is stored.
    SaveTemplate(Box<TemplateRow>),
    /// Shares of templates before this one are not credited any more. They stay whole until
    /// [`Write::DropTemplates`]: a header of theirs may still be a block.
    RetireTemplates {
        /// The first whose shares still count.
        before: TemplateId,
    },
    /// Drops the transactions of templates before this one, and retires them: no block will be made of them any more.
    DropTemplates {
        /// The first that stays whole.
        before: TemplateId,
    },
    /// Stores a header that meets the network's target, before anybody knows what becomes of it: as submitted, at the
    /// ledger's end, with no units of its own. If it is stored already, nothing changes but that its finder is learnt if
    /// there was none and nothing is booked for it. Answered with [`Written::Candidate`].
    RecordCandidate {
        /// The block's hash.
        hash: HeaderHash,
        /// What is stored of it.
        block: FoundBlock,
        /// When it was found.
        at: Timestamp,
    },
    /// Drops the bytes of these blocks: nobody will submit them any more.
    DropBlockBytes(Vec<HeaderHash>),
    /// Says what became of a block. If its share was never stored, the block is added at the ledger's end,
    /// with no units of its own; without `block` that cannot be done and contradicts what is stored.
    /// What is stored of a known block does not change otherwise, but a mature block's bytes are dropped.
    SetBlockState {
        /// The block's hash.
        hash: HeaderHash,
        /// What became of it.
        state: BlockState,
        /// How deep it is: 1 in the tip, 0 off the best chain.
        confirmations: u32,
        /// When this was learnt.
        at: Timestamp,
        /// What it is, in case it is not stored.
        block: Option<FoundBlock>,
    },
    /// Stores a block that the chain has and the ledger does not know, as immature, at a place in the ledger
    /// that was its end when the pool crashed. What is known of a known block does not change, but one that
    /// was refused is immature again: the chain has it after all. A place beyond the ledger's end contradicts
    /// what is stored.
    RecoverBlock {
        /// The block's hash.
        hash: HeaderHash,
        /// What it is; it has no bytes.
        block: FoundBlock,
        /// Its place: the last share before it, and the units up to that one.
        place: LedgerPosition,
        /// The time in its header.
        found_at: Timestamp,
    },
    /// Books a round: the round's row, its credits, the credits that it takes back or gives again, postings,
    /// carried remainders and the blocks' new accounting. Afterwards the books must hold exactly what blocks
    /// and emissions brought ([`dwarves_domain::ledger::Holdings::check`]), or nothing of it is stored. The same round with the same digest again changes nothing. Any other content under its
    /// number, a number or `through` before the last round's, a `through` beyond the last share, and a block
    /// that is not stored contradict what is stored.
    CloseRound {
        /// The round with its credits and postings.
        round: Box<ClosedRound>,
        /// Each block that it touches and what is booked for it now.
        blocks: Vec<(HeaderHash, Accounting)>,
        /// The last share that was looked at.
        through: Sequence,
    },
    /// Sets money aside for a payout: its row, and its parts from payable to in flight. If a miner has less
    /// than its part, nothing is written and the answer is [`Written::PayoutRefused`]. The same payout again,
    /// whatever became of it since, changes nothing; another one under its number contradicts what is stored.
    ReservePayout(Box<Payout>),
    /// Takes a step of a payout and books what it moves ([`Payout::step`]): its transaction is signed, the
    /// network has it, it is so deep, confirmed, taken out by a reorganisation, returned because its inputs
    /// were spent by another, given up, brought back, forgotten. A step that was taken before changes nothing;
    /// one that cannot be taken from the payout's state contradicts what is stored.
    StepPayout {
        /// The payout's number.
        id: PayoutId,
        /// The step to take.
        step: Transition,
        /// The date of the step.
        at: Timestamp,
    },
    /// Books a payout that was sent and is not stored ([`Payout::adopt`]): its row, its parts from payable to in
    /// flight, and from the reserve what a miner has less than its part. A transaction that is stored already
    /// changes nothing; another payout under its number contradicts what is stored.
    AdoptPayout(Box<Payout>),
    /// Begins a batch of exported payouts: its texts, its payouts, and their money from payable to in flight. If a miner
    /// has less than its payout, nothing is written and the answer is [`Written::PayoutRefused`]. The same batch again,
    /// whatever became of its payouts since, changes nothing, and the first signatures stay; another one under its name, one
    /// that does not name the digest of the last, and payouts that are not those that its head says or go back behind the
    /// last one contradict what is stored. What is stored of it never changes; its payouts take steps.
    BeginBatch(Box<NewBatch>),
    /// Keeps the balance from which a registered miner wants to be paid; `None`: the pool's own.
    SetPayoutThreshold {
        /// The miner who chose it.
        hotkey: Hotkey,
        /// The balance to pay from; `None`: the pool's own threshold.
        threshold: Option<Amount>,
    },
    /// Keeps a setting that was changed while running; `None` forgets it.
    SaveSetting {
        /// The setting's key, such as `rewards.fee_bps`.
        key: String,
        /// The value as it would be configured; `None` forgets it.
        value: Option<String>,
    },
    /// Stores submitted work, to be evaluated. If the same miner's same work waits, or has a result that still counts,
    /// nothing changes. Answered with [`Written::Submission`], or with [`Written::NoMiner`] if the miner is not registered.
    QueueSubmission(Box<NewSubmission>),
    /// Says what came of a submission; its work is dropped. One that is not there, or was evaluated before, changes
    /// nothing. Of the miner's evaluated submissions the newest `keep` stay, and as many older ones that may still be the
    /// best that counts.
    SettleSubmission {
        /// Which.
        id: SubmissionId,
        /// What came of it.
        evaluated: Evaluated,
        /// How many stay.
        keep: u32,
        /// Results of this moment or later still count.
        counts_since: Timestamp,
    },
    /// Removes a submission with what came of it. One that is not there changes nothing.
    RemoveSubmission {
        /// Which.
        id: SubmissionId,
    },
    /// Writes down something that people are to be told of, in the transaction of what it tells of. If one with its key is
    /// stored, nothing changes. Of those that are not on their way [`NOTICES_KEPT`](super::NOTICES_KEPT) stay.
    PostNotice(Box<NoticeRow>),
    /// Says by which channels a notice goes, and when at the earliest. Decided once: a notice that is not stored, or was
    /// planned before, changes nothing.
    PlanNotice {
        /// The notice.
        notice: NoticeId,
        /// The name of each channel, and when it may be told there.
        channels: Vec<(String, Timestamp)>,
    },
    /// Ends a delivery, or puts it off. One that is not there any more changes nothing.
    SettleDelivery {
        /// What is told.
        notice: NoticeId,
        /// By which channel.
        channel: String,
        /// How often it has failed by now, and when it is tried again; `None`: it arrived, or is given up.
        again: Option<(u32, Timestamp)>,
    },
    /// Keeps a watch token that a registered miner handed out. Those of its that are over by then go. If it has as many as
    /// it may, or is not registered, nothing else is written and the answer is [`Written::WatchesFull`] or
    /// [`Written::NoMiner`]. The same row again changes nothing; another under its number contradicts what is stored.
    AddWatch {
        /// The token.
        watch: WatchRow,
        /// How many one miner may have.
        most: u32,
    },
    /// Takes a miner's watch token back. If the miner has none with this number, the answer is [`Written::WatchUnknown`].
    RemoveWatch {
        /// The miner who handed it out.
        hotkey: Hotkey,
        /// Which.
        id: WatchId,
    },
    /// What a miner wants to be told, or something on its way to it.
    ToMiner(ToMiner),
    /// Lets no share that is stored in this commit or later have a commit's time before `at`: what was accepted before is
    /// all there from now on. An earlier time than one before changes nothing.
    PassTime {
        /// The time that is over.
        at: Timestamp,
    },
    /// Begins to keep epochs, the first with `start`: the shares of this commit and of those behind it are its own. An epoch
    /// that was open, or has ended and is not stated, is nobody's any more; one that began with `start` goes on. A start
    /// before the end of the last statement contradicts what is stored. Until [`Write::CeaseEpochs`] no share and no
    /// worker is pruned that an epoch without a statement needs.
    BeginEpochs {
        /// The first second of the first epoch.
        start: EpochId,
    },
    /// Ends the open epoch and begins the next. Its shares are those of earlier commits whose time is before its end; time
    /// passes as with [`Write::PassTime`], so that there will be no more. Where commits are dated more than
    /// [`dwarves_domain::statements::epoch::AHEAD_MAX`] after `at`, by a clock that has been set back since, all
    /// earlier commits' shares are its own. An epoch that has ended already changes nothing; one that is not open, and an end
    /// while the one before is not stated, contradict what is stored.
    EndEpoch {
        /// From when to when it was.
        epoch: Epoch,
        /// The date now.
        at: Timestamp,
    },
    /// Keeps the statement of the epoch that has ended. The same text again changes nothing, and the first signature
    /// stays; another text for its epoch, one of another epoch, and one that does not name the last statement's digest
    /// contradict what is stored. What is stored never changes.
    AddStatement(Box<StatementRow>),
    /// Keeps no epochs any more. Statements stay.
    CeaseEpochs,
    /// Appends to the audit trail.
    AppendAudit(AuditRow),
    /// Appends to the audit trail, if the write before it in the commit is answered with [`Written::Done`]: the row of an
    /// order, committed with what it orders. Otherwise it changes nothing.
    AppendAuditIfDone(AuditRow),
    /// Saves what workers' shares came to, as of share `through`. What is older than what is saved already
    /// changes nothing. What was rejected since they were saved before is in the history of the minute `at`.
    SaveCounters {
        /// The date now.
        at: Timestamp,
        /// The last share that is counted in.
        through: Sequence,
        /// Totals (not differences) of all those that changed since they were saved last.
        counters: Vec<(WorkerId, CounterRow)>,
    },
    /// Deletes shares whose window is long over: those up to `through`. Whatever is asked, it keeps what the
    /// last round has not passed, what is not counted in saved counters and what was mined on a template
    /// that is not retired. Templates whose transactions were dropped go with their last share.
    PruneShares {
        /// The last share to delete.
        through: Sequence,
    },
    /// Forgets history that is older than this: minutes by whole hours, hours by whole days, days by 32 (since 1970).
    /// An older bound than one before changes nothing.
    PruneHistory {
        /// Minutes that are kept begin in the hour of this, or later.
        minutes: Timestamp,
        /// Hours that are kept begin on the day of this, or later.
        hours: Timestamp,
        /// Days that are kept begin in the 32 days of this, or later.
        days: Timestamp,
    },
}

impl Write {
    /// What it does, in a few words, for errors and tests.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::AppendShares(_) => "append shares",
            Self::RegisterMiner { .. } => "register miner",
            Self::AddWorker(_) => "add worker",
            Self::NumberWorkers { .. } => "number workers",
            Self::RetireWorkers { .. } => "retire workers",
            Self::RemoveMiner { .. } => "remove miner",
            Self::UseNonce { .. } => "use nonce",
            Self::Ban { .. } => "ban",
            Self::Unban { .. } => "unban",
            Self::SaveTemplate(_) => "save template",
            Self::RetireTemplates { .. } => "retire templates",
            Self::DropTemplates { .. } => "drop templates",
            Self::RecordCandidate { .. } => "record candidate",
            Self::DropBlockBytes(_) => "drop block bytes",
            Self::SetBlockState { .. } => "set block state",
            Self::RecoverBlock { .. } => "recover block",
            Self::CloseRound { .. } => "close round",
            Self::ReservePayout(_) => "reserve payout",
            Self::AdoptPayout(_) => "adopt payout",
            Self::StepPayout { .. } => "step payout",
            Self::BeginBatch(_) => "begin batch",
            Self::SetPayoutThreshold { .. } => "set payout threshold",
            Self::SaveSetting { .. } => "save setting",
            Self::QueueSubmission(_) => "queue submission",
            Self::SettleSubmission { .. } => "settle submission",
            Self::RemoveSubmission { .. } => "remove submission",
            Self::PostNotice(_) => "post notice",
            Self::PlanNotice { .. } => "plan notice",
            Self::SettleDelivery { .. } => "settle delivery",
            Self::AddWatch { .. } => "add watch",
            Self::RemoveWatch { .. } => "remove watch",
            Self::ToMiner(write) => write.name(),
            Self::PassTime { .. } => "pass time",
            Self::BeginEpochs { .. } => "begin epochs",
            Self::EndEpoch { .. } => "end epoch",
            Self::AddStatement(_) => "add statement",
            Self::CeaseEpochs => "cease epochs",
            Self::AppendAudit(_) => "append audit",
            Self::AppendAuditIfDone(_) => "append audit of what is done",
            Self::SaveCounters { .. } => "save counters",
            Self::PruneShares { .. } => "prune shares",
            Self::PruneHistory { .. } => "prune history",
        }
    }

    /// Whether it appends shares and does nothing else: none of them found a block.
    pub fn is_of_shares_alone(&self) -> bool {
        matches!(self, Self::AppendShares(shares) if shares.iter().all(|share| share.block.is_none()))
    }

    /// Whether it is an operator's order that must hold at once even if it cannot be stored now: a ban, a pause, and
    /// what the audit trail says of them.
    pub fn holds_unsaved(&self) -> bool {
        match self {
            Self::Ban { .. } | Self::AppendAudit(_) | Self::AppendAuditIfDone(_) => true,
            Self::SaveSetting { key, value } => {
                key == SESSIONS_ENDED || (key.ends_with(".paused") && value.as_deref() == Some("true"))
            }
            _ => false,
        }
    }
}
