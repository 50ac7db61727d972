//! What people are to be told: notices, and each on its way to each receiver.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::NoticeId;
use dwarves_domain::notices::NoticeKind;
use dwarves_domain::time::Timestamp;

/// Something that people are told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeRow {
    /// Its number; the store gives it, whatever it is when it is posted.
    pub id: NoticeId,
    /// What it tells of, in one text: of all notices with the same one the first alone is stored.
    pub key: String,
    /// What kind of thing it tells of.
    pub kind: NoticeKind,
    /// When that was.
    pub at: Timestamp,
    /// What happened, in a sentence for people.
    pub text: String,
    /// The same for programs: an object as JSON.
    pub detail: String,
}

/// A notice on its way to one receiver. There is one for each notice and channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRow {
    /// What is told.
    pub notice: NoticeRow,
    /// The name of the channel by which it goes.
    pub channel: String,
    /// How often it has failed.
    pub failures: u32,
    /// When it is tried next.
    pub next_at: Timestamp,
}

/// What a miner wants to be told, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionRow {
    /// The miner.
    pub hotkey: Hotkey,
    /// All of it in one text, which only the actors read.
    pub record: String,
}

/// A notice on its way to a miner by one of its channels. There is one with its key for each channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinerNoticeRow {
    /// The miner.
    pub hotkey: Hotkey,
    /// The channel's name.
    pub channel: String,
    /// What it tells of, in one text.
    pub key: String,
    /// What kind of thing it tells of.
    pub kind: NoticeKind,
    /// When that was.
    pub at: Timestamp,
    /// What happened, in a sentence for people.
    pub text: String,
    /// The same for programs: an object as JSON.
    pub detail: String,
    /// How often it has failed.
    pub failures: u32,
    /// When it is tried next.
    pub next_at: Timestamp,
}

/// What a miner wants to be told, or something on its way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToMiner {
    /// Keeps what a registered miner wants to be told; `None` forgets it, with all that is on its way to the miner. Of a
    /// miner that is not registered nothing is kept.
    Subscribe {
        /// The miner.
        hotkey: Hotkey,
        /// All of it in one text.
        record: Option<String>,
    },
    /// Puts a notice on its way to a miner that wants to be told. If one with its channel and key is there, or the miner
    /// wants nothing, nothing changes.
    Post(Box<MinerNoticeRow>),
    /// Ends the way of a notice to a miner, or puts it off. One that is not there any more changes nothing.
    Settle {
        /// The miner.
        hotkey: Hotkey,
        /// By which channel.
        channel: String,
        /// What it tells of.
        key: String,
        /// How often it has failed by now, and when it is tried again; `None`: it arrived, or is given up.
        again: Option<(u32, Timestamp)>,
    },
}

impl ToMiner {
    /// What it does, in a few words, for errors and tests.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Subscribe { .. } => "save subscription",
            Self::Post(_) => "post miner notice",
            Self::Settle { .. } => "settle miner notice",
        }
    }
}

/// Notices that are kept at most, beside those on their way: older ones go.
pub const NOTICES_KEPT: u64 = 10_000;
