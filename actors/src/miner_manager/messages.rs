//! What the miner manager is asked and told.

use std::net::IpAddr;
use std::sync::Arc;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{TemplateId, WorkerId, WorkerName};
use dwarves_domain::login::Identity;
use dwarves_domain::miners::Client;
use dwarves_domain::share::{Proof, Rejection};
use dwarves_domain::statistics::Record;
use dwarves_domain::target::{Difficulty, Target};
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::units::Units;
use dwarves_domain::work::Job;

use crate::ask::{Outbox, Request};
use crate::handlers::registration::messages::{RegisterReply, ThresholdChoice};
use crate::handlers::submission::messages::ShareVerdict;

/// Notes that a signed request's nonce is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UseNonce {
    /// The hotkey whose signature the nonce came with.
    pub hotkey: Hotkey,
    /// The nonce of the request: nanoseconds, by the signer's clock.
    pub nonce_nanos: u64,
    /// When it is too old to be taken anyway.
    pub expires_at: Timestamp,
}

/// What came of noting a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UseNonceReply {
    /// It is used up now, durably.
    Fresh,
    /// It was used before.
    Used,
    /// Too many are in use now.
    Busy,
    /// The store cannot note it now.
    Unavailable,
}

impl Request for UseNonce {
    type Reply = UseNonceReply;
}

/// Registers a miner whose address was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterMiner {
    /// The miner's account.
    pub hotkey: Hotkey,
    /// Where payouts shall go; `None` leaves it as it is.
    pub payout_address: Option<String>,
    /// From which balance the miner wants to be paid; `None` leaves it as it is.
    pub payout_threshold: Option<ThresholdChoice>,
    /// From where it asks: only so many new miners may come from one place.
    pub from: IpAddr,
}

impl Request for RegisterMiner {
    type Reply = RegisterReply;
}

/// Whether a miner may mine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadStanding {
    /// The miner's account.
    pub hotkey: Hotkey,
}

/// A miner's standing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Registered and welcome.
    Good,
    /// Nobody registered this hotkey.
    Unknown,
    /// An operator banned it.
    Banned {
        /// Why, in the operator's words.
        reason: String,
    },
}

impl Request for ReadStanding {
    type Reply = Standing;
}

/// Finds or numbers a worker and says which share target its next job gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignWorker {
    /// The miner whose worker it is.
    pub hotkey: Hotkey,
    /// The worker's name, as the request gave it.
    pub worker: WorkerName,
    /// Whose place a new worker's name takes up.
    pub client: Client,
}

/// What came of assigning a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssignWorkerReply {
    /// The worker's number and its next job's share target.
    Assigned {
        /// The number under which its shares are kept.
        worker: WorkerId,
        /// The target that its next job is issued with.
        share_target: Target,
    },
    /// It may not mine.
    Refused(Standing),
    /// The pool is paused or stopping.
    Paused,
    /// The store cannot be written, which a new worker needs now and then.
    Unavailable,
}

impl Request for AssignWorker {
    type Reply = AssignWorkerReply;
}

/// Lets a worker into a session that steers its own difficulty. Asked again now and then, it says whether the
/// worker is still welcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinWorker {
    /// The account that logs in: a hotkey, or a payout address.
    pub identity: Identity,
    /// The worker's name, as the user name gave it.
    pub worker: WorkerName,
    /// What the session issues now, to be shown; `None` at the beginning.
    pub issued: Option<Difficulty>,
    /// What this worker's accepted shares in the session speak for: it is remembered for its next session.
    pub earned: Option<Difficulty>,
    /// From where it connects: only so many new addresses may come from one place.
    pub from: IpAddr,
}

/// What came of joining.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JoinWorkerReply {
    /// It may mine.
    Joined {
        /// The account that shares are credited to.
        miner: Hotkey,
        /// The number under which its shares are kept.
        worker: WorkerId,
        /// A difficulty that an operator fixed.
        fixed: Option<Difficulty>,
        /// What its shares in earlier sessions had earned before this question.
        earned: Option<Difficulty>,
    },
    /// It may not mine.
    Refused(Standing),
    /// The address is new, and the operator takes no new miners.
    Closed,
    /// The address is new, and the pool has as many miners as it may.
    Full,
    /// The address is new, and addresses have as much of the pool's room as they may.
    AddressesFull,
    /// The address is new, and too many new ones came from the same place.
    TooManyNew {
        /// After which time one more may come.
        try_again: Span,
    },
    /// The pool is paused or stopping.
    Paused,
    /// The store cannot note a new miner or worker now.
    Unavailable,
}

impl Request for JoinWorker {
    type Reply = JoinWorkerReply;
}

/// An operator decided something about a miner: who has it in a session asks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, actix::Message)]
#[rtype(result = "()")]
pub struct MinerChanged(pub Hotkey);

/// Asks to be told of what operators decide about miners.
#[derive(Clone, Debug)]
pub struct WatchMiners {
    /// Who is to be told.
    pub watcher: Outbox<MinerChanged>,
}

impl Request for WatchMiners {
    type Reply = ();
}

/// A share that was checked by its job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckedShare {
    /// It meets its job's share target.
    Proven {
        /// The job that the share was checked against.
        job: Arc<Job>,
        /// The proof of work.
        proof: Proof,
    },
    /// It does not count; it is only counted. The worker is known if its job was.
    Rejected {
        /// Why the check refused it.
        reason: Rejection,
        /// Whose, if known.
        worker: Option<WorkerId>,
    },
}

/// What one request brought, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedShares {
    /// The miner's account.
    pub miner: Hotkey,
    /// Which of its machines, if the request says.
    pub worker: Option<WorkerName>,
    /// The shares, in order.
    pub shares: Vec<CheckedShare>,
}

/// Judges and stores what several requests brought. One message, one commit, one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgeShares {
    /// When they were received.
    pub received_at: Timestamp,
    /// The requests of one moment, each with its shares in order.
    pub requests: Vec<CheckedShares>,
}

/// What came of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// A verdict for each share, in order; every accepted one is on disk.
    Verdicts(Vec<ShareVerdict>),
    /// The miner may not mine.
    Refused(Standing),
    /// The pool is paused or stopping.
    Paused,
    /// The pool is busy.
    Busy,
    /// The miner holds as much of the room for live shares as one may; nothing counts, and nobody else is kept out.
    MinerFull,
    /// The store cannot take shares now; nothing counts.
    Unavailable,
}

impl Request for JudgeShares {
    type Reply = Vec<Judgement>;
}

/// Work has changed: templates before `oldest` are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, actix::Message)]
#[rtype(result = "()")]
pub struct WorkRetired {
    /// The oldest template whose jobs are live.
    pub oldest: TemplateId,
}

/// Reads one miner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadMiner {
    /// The miner to read.
    pub hotkey: Hotkey,
}

/// A miner, as others see it.
#[derive(Clone, Debug, PartialEq)]
pub struct MinerView {
    /// The miner's account.
    pub hotkey: Hotkey,
    /// When it registered first.
    pub registered_at: Timestamp,
    /// The address that payouts go to; `None` while there is none.
    pub payout_address: Option<String>,
    /// Hashes per second, estimated from the difficulty of accepted shares.
    pub hashrate: f64,
    /// Shares accepted since it registered.
    pub accepted: u64,
    /// Rejected shares by [`Rejection::index`].
    pub rejected: [u64; 6],
    /// Work in the window that ends now.
    pub units: Units,
    /// The size of the window.
    pub window: Units,
    /// Blocks among its shares, and how many were to be expected of its work.
    pub record: Record,
    /// Its named workers and `default`.
    pub workers: Vec<WorkerView>,
}

/// A worker, as others see it.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerView {
    /// The worker's name.
    pub name: WorkerName,
    /// Hashes per second, estimated from the difficulty of accepted shares.
    pub hashrate: f64,
    /// The difficulty of its next job.
    pub share_difficulty: Difficulty,
    /// When its last share was accepted.
    pub last_share_at: Option<Timestamp>,
    /// Shares accepted under this name.
    pub shares: u64,
}

impl Request for ReadMiner {
    type Reply = Option<MinerView>;
}

/// Reads what all miners come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadMiners;

/// All miners together.
#[derive(Clone, Debug, PartialEq)]
pub struct MinersView {
    /// Miners that are registered now.
    pub miners: u64,
    /// Those of them that are payout addresses.
    pub address_miners: u64,
    /// Logins of new addresses that were refused since the start.
    pub addresses_refused: NewcomersRefused,
    /// Registrations of new hotkeys that were refused since the start.
    pub registrations_refused: NewcomersRefused,
    /// Miners and workers that gave way to others since the start.
    pub gave_way: GaveWay,
    /// Known workers: those that had a share accepted.
    pub workers: u64,
    /// Names of workers that had none yet.
    pub names_waiting: u64,
    /// Headers of live shares that are remembered, and for how many there is room.
    pub recent_shares: (u64, u64),
    /// Whether that room is nearly full, so that shares are soon refused.
    pub recent_shares_nearly_full: bool,
    /// Workers that had a share accepted in the last ten minutes.
    pub workers_active: u64,
    /// Hashes per second of all.
    pub hashrate: f64,
    /// One standard deviation of that by chance alone, as a part of it; `None` before the first share.
    pub hashrate_error: Option<f64>,
    /// Shares accepted from all miners.
    pub accepted: u64,
    /// Rejected shares by [`Rejection::index`].
    pub rejected: [u64; 6],
    /// Whether new miners are taken.
    pub registration_open: bool,
}

/// Who gave way to others since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GaveWay {
    /// Miners that never had a share accepted.
    pub miners: u64,
    /// Workers that had none for long.
    pub workers: u64,
}

/// New identities that were refused since the start, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NewcomersRefused {
    /// Too many new ones came from the same place.
    pub rate: u64,
    /// There was no room for more of them.
    pub no_room: u64,
}

impl Request for ReadMiners {
    type Reply = MinersView;
}

/// The miners who found the fewest blocks for their work, the least likely first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadRecords {
    /// At most this many.
    pub limit: u32,
}

impl Request for ReadRecords {
    type Reply = Vec<(Hotkey, Record)>;
}

/// An admin's message to the miner manager.
#[derive(Clone, Debug, PartialEq)]
pub enum MinerControl {
    /// Bans a miner.
    Ban {
        /// The miner to ban.
        hotkey: Hotkey,
        /// The reason, which the miner is told.
        reason: String,
        /// Until when; `None`: until lifted.
        until: Option<Timestamp>,
    },
    /// Lifts a ban.
    Unban {
        /// The miner to let in again.
        hotkey: Hotkey,
    },
    /// Takes new miners again.
    OpenRegistration,
    /// Takes no new miners.
    CloseRegistration,
    /// Fixes a worker's (or a miner's) share difficulty, or lets vardiff choose again.
    SetShareDifficulty {
        /// The miner whose jobs get it.
        hotkey: Hotkey,
        /// Which worker; `None`: all of them.
        worker: Option<WorkerName>,
        /// The difficulty; `None`: vardiff.
        difficulty: Option<Difficulty>,
    },
    /// Takes a worker's name out. What it came to stays its miner's.
    RemoveWorker {
        /// The miner who loses the worker.
        hotkey: Hotkey,
        /// The worker's name.
        worker: WorkerName,
    },
    /// Removes a miner that is owed nothing.
    RemoveMiner {
        /// The miner to remove.
        hotkey: Hotkey,
    },
}

impl Request for MinerControl {
    type Reply = crate::pool_manager::messages::ControlOutcome;
}

/// Takes no more shares (`true`), or takes them again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetPaused(pub bool);

impl Request for SetPaused {
    type Reply = ();
}

/// Saves what only memory knows (counters) and answers once every judged share is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainMiners;

impl Request for DrainMiners {
    type Reply = ();
}
