//! What the miner manager is asked and told.

use std::net::IpAddr;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{TemplateId, WorkerId, WorkerName};
use dwarves_domain::login::Identity;
use dwarves_domain::miners::{Ban, Client};
use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::{ProvenShare, RejectedShare, ShareVerdict};
use dwarves_domain::statistics::Record;
use dwarves_domain::target::{Difficulty, Target};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::{Amount, Units};

use crate::ask::{Outbox, Request};
use crate::control::Controlled;

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

impl Request for UseNonce {
    /// `Ok` once it is used up, durably.
    type Reply = Result<(), Refusal>;
}

/// From which balance a miner wants to be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThresholdChoice {
    /// From the pool's own threshold.
    Pools,
    /// From this balance.
    Own(Amount),
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

/// A miner that is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Whether it is new.
    pub is_new: bool,
    /// When it was first registered.
    pub registered_at: Timestamp,
    /// Where payouts go.
    pub payout_address: Option<String>,
}

impl Request for RegisterMiner {
    type Reply = Result<Registered, Refusal>;
}

/// Whether a miner may mine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadStanding {
    /// The miner's account.
    pub hotkey: Hotkey,
}

impl Request for ReadStanding {
    /// `Ok` if it is registered and welcome.
    type Reply = Result<(), Refusal>;
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

/// A worker that may have a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// The worker's number.
    pub worker: WorkerId,
    /// Its next job's share target.
    pub share_target: Target,
}

impl Request for AssignWorker {
    type Reply = Result<Assigned, Refusal>;
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

/// A worker that may mine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Who it is.
    pub miner: Hotkey,
    /// Its number.
    pub worker: WorkerId,
    /// A difficulty that an operator fixed.
    pub fixed: Option<Difficulty>,
    /// What its shares in earlier sessions had earned before this question.
    pub earned: Option<Difficulty>,
}

impl Request for JoinWorker {
    type Reply = Result<Joined, Refusal>;
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

/// A share that was checked by its job. One that does not count is only counted.
pub type CheckedShare = Result<ProvenShare, RejectedShare>;

/// What one request brought, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedShares {
    /// The miner's account.
    pub miner: Hotkey,
    /// When they came: whether their work was over is held against it.
    pub received_at: Timestamp,
    /// Which of its machines, if the request says.
    pub worker: Option<WorkerName>,
    /// The shares, in order.
    pub shares: Vec<CheckedShare>,
}

/// Judges and stores what several requests brought. One message, one commit, one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgeShares {
    /// When they were sent on; the ledger has it as the time of each.
    pub sent_at: Timestamp,
    /// The requests of one moment, each with its shares in order.
    pub requests: Vec<CheckedShares>,
}

/// What came of one request: a verdict for each share, in order; every accepted one is on disk. If it is refused, nothing
/// counts.
pub type Judgement = Result<Vec<ShareVerdict>, Refusal>;

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
    /// Rejected shares by [`Rejection::index`](dwarves_domain::share::Rejection::index).
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
    /// Rejected ones by [`Rejection::index`](dwarves_domain::share::Rejection::index).
    pub rejected: [u64; 6],
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
    /// Rejected shares by [`Rejection::index`](dwarves_domain::share::Rejection::index).
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

/// Reads who is banned, in the order of hotkeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadBans {
    /// At most this many.
    pub limit: usize,
}

impl Request for ReadBans {
    type Reply = Vec<(Hotkey, Ban)>;
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
    type Reply = Controlled;
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
