//! The words of the link, as they travel: plain values, with nothing of the pool's own types, in postcard's form.
//!
//! The form says nothing of itself, so whoever changes anything here changes [`PROTOCOL`], and fronts of two versions do
//! without a link until both have the same.

use serde::{Deserialize, Serialize};

/// What both must speak. It is part of the handshake: others do not get through it.
pub(crate) const PROTOCOL: &[u8] = b"dwarves link 1";

/// What a front that stands by says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// Its number, for the log.
    pub(crate) number: u32,
    /// Its name.
    pub(crate) name: String,
    /// Which extranonces it gives out.
    pub(crate) front_end: u8,
}

/// What the front that leads says to that: nothing, or why it does not take it.
pub(crate) type Welcome = Result<(), String>;

/// What a front that stands by says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum ToLeader {
    /// It is there.
    Beat,
    /// A question, with a number under which it is answered.
    Ask(u64, Question),
    /// Its nodes have this tip.
    Tip([u8; 32]),
}

/// What it asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Question {
    /// Shares to be judged: the requests of one moment.
    Judge(Vec<Request>),
    /// May this worker mine?
    Join(Box<Join>),
    /// A header that meets the network's target.
    Take(Box<Take>),
}

/// What the front that leads says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum ToStandby {
    /// It is there.
    Beat,
    /// The answer to the question of this number; `None`: there is none, and whether anything was done is unknown.
    Answer(u64, Option<Answer>),
    /// A template of which it will speak.
    Template(Box<Template>),
    /// The work that there is now.
    Work(Work),
    /// An operator decided something about this miner.
    Miner([u8; 32]),
}

/// An answer, of the kind of its question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Answer {
    Judge(Vec<Result<Vec<Verdict>, Refused>>),
    Join(Result<Joined, Refused>),
    Take(Fate),
}

/// What one client brought for one miner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) miner: [u8; 32],
    pub(crate) worker: Option<String>,
    /// How long ago it came, in milliseconds: each front has a clock of its own.
    pub(crate) age: u64,
    pub(crate) shares: Vec<Share>,
}

/// A share, as it was checked where it came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Share {
    Proven(Proven),
    /// Why it does not count, and which worker's it is.
    Rejected(Why, Option<u32>),
}

/// A share that meets its job's target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Proven {
    pub(crate) job: [u8; 28],
    pub(crate) header: Header,
    pub(crate) hash: [u8; 32],
    pub(crate) extranonce: [u8; 12],
    pub(crate) is_block: bool,
}

/// The 80 bytes of a header.
pub(crate) type Header = ([u8; 32], [u8; 32], [u8; 16]);

/// Why a share does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Why {
    UnknownJob,
    Stale,
    /// The share that has the same header.
    Duplicate(u64),
    LowDifficulty,
    TimeOutOfRange,
    VersionOutOfMask,
    OtherWorker,
    /// The difficulty that the job was issued with.
    JobFull(u128),
}

/// What is said to a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Verdict {
    Accepted {
        hash: [u8; 32],
        share_difficulty: u128,
        sequence: u64,
        is_block: bool,
    },
    Rejected(Why),
}

/// A worker that wants into a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Join {
    pub(crate) who: Who,
    pub(crate) worker: String,
    pub(crate) issued: Option<u128>,
    pub(crate) earned: Option<u128>,
    pub(crate) from: std::net::IpAddr,
}

/// Whose login it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Who {
    Hotkey([u8; 32]),
    Address(String),
}

/// A worker that may mine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Joined {
    pub(crate) miner: [u8; 32],
    pub(crate) worker: u32,
    pub(crate) fixed: Option<u128>,
    pub(crate) earned: Option<u128>,
}

/// A header that meets the network's target. Its block is made by whoever has the template's transactions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Take {
    pub(crate) hash: [u8; 32],
    pub(crate) header: Header,
    pub(crate) extranonce: [u8; 12],
    pub(crate) template: u32,
    pub(crate) height: u32,
    pub(crate) reward: u64,
    pub(crate) finder: Option<[u8; 32]>,
    pub(crate) is_doubtful: bool,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Fate {
    Taken,
    Crowded,
    Lost,
}

/// Why something is not done: what the owners of miners and work say to sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Refused {
    MinerUnknown,
    Banned(String),
    RegistrationClosed,
    PoolFull,
    AddressesFull,
    /// After how many milliseconds one more may come.
    TooManyNew(u64),
    WorkerNotBound,
    WorkerShared,
    Paused,
    NoWork,
    NoExtranonce,
    MinerFull,
    Busy,
    Unavailable,
}

/// A template with its transactions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Template {
    pub(crate) id: u32,
    pub(crate) received_at: i64,
    pub(crate) payout_script: Vec<u8>,
    pub(crate) tag: String,
    pub(crate) height: u32,
    pub(crate) previous: [u8; 32],
    pub(crate) version: u32,
    pub(crate) version_mask: u32,
    pub(crate) bits: u32,
    /// Now, the earliest and the latest.
    pub(crate) times: [u32; 3],
    pub(crate) subsidy: u64,
    pub(crate) coinbase_value: u64,
    pub(crate) coinbase_form: String,
    pub(crate) witness_commitment: Option<Vec<u8>>,
    /// As the ledger has them.
    #[serde(with = "serde_bytes")]
    pub(crate) transactions: Vec<u8>,
    #[serde(with = "serde_bytes")]
    pub(crate) trailer: Vec<u8>,
}

/// Which templates there is work of. All of them were told before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Work {
    pub(crate) current: Option<u32>,
    pub(crate) live: Vec<u32>,
    pub(crate) kept: Vec<u32>,
    pub(crate) next: u32,
    pub(crate) since: i64,
    pub(crate) lack: Option<Lack>,
}

/// That there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lack {
    /// Its name.
    pub(crate) why: String,
    pub(crate) since: i64,
    /// For how many milliseconds.
    pub(crate) lasted: u64,
    pub(crate) lets_go: bool,
}
