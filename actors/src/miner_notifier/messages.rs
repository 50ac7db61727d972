//! What the miner notifier is asked.

use std::collections::BTreeMap;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::notices::NoticeKind;
use dwarves_domain::notices::subscription::Subscription;
use dwarves_domain::notices::wishes::{ChannelName, WishError, Wishes};
use dwarves_domain::time::Span;

use crate::ask::{AskError, Request};

/// Why a miner's wish is not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotGranted {
    /// The pool allows no such thing.
    Wish(WishError),
    /// The miner has not said what it wants.
    NothingWanted,
    /// As many miners are told things as may be.
    Full,
    /// There is no such channel.
    NoChannel,
    /// There is no channel to which anything goes: its address is not confirmed, or it was given up.
    NoOpenChannel,
    /// The code is not the one that was mailed.
    WrongCode,
    /// There is no code any more: it is too old, or too many were wrong.
    NoCode,
    /// Too many tests, or too many codes for mail.
    TooMany {
        /// After which time there may be one more.
        try_again: Span,
    },
    /// The ledger is behind, or the pool is just starting: nothing was done.
    Busy,
    /// It could not be written down yet. Whether it holds is unknown, and repeating is safe.
    Unavailable,
}

impl From<AskError> for NotGranted {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Busy => Self::Busy,
            AskError::Gone | AskError::TimedOut => Self::Unavailable,
        }
    }
}

/// Says what a registered miner wants from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// The miner.
    pub hotkey: Hotkey,
    /// All that it wants.
    pub wishes: Wishes,
    /// Webhooks that get a new secret even if they lead where they led.
    pub renewed: Vec<ChannelName>,
}

/// What holds from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribed {
    /// The miner's wishes and how its channels are.
    pub view: SubscriptionView,
    /// Secrets that were made now, by channel. They are told once.
    pub secrets: BTreeMap<ChannelName, [u8; 32]>,
}

impl Request for Subscribe {
    type Reply = Result<Subscribed, NotGranted>;
}

/// Reads what a miner wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadSubscription {
    /// The miner.
    pub hotkey: Hotkey,
}

/// What a miner wants and how it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionView {
    /// As it is stored.
    pub subscription: Subscription,
    /// Notices that wait for its channels.
    pub waiting: usize,
}

impl Request for ReadSubscription {
    type Reply = Result<SubscriptionView, NotGranted>;
}

/// Tells a miner nothing more, and forgets what it wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsubscribe {
    /// The miner.
    pub hotkey: Hotkey,
}

impl Request for Unsubscribe {
    type Reply = Result<(), NotGranted>;
}

/// Tells a miner that a channel works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendTest {
    /// The miner.
    pub hotkey: Hotkey,
    /// By which channel; `None`: by every one that is open.
    pub channel: Option<ChannelName>,
}

impl Request for SendTest {
    /// By which channels it goes.
    type Reply = Result<Vec<ChannelName>, NotGranted>;
}

/// Brings back the code that was mailed to an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfirmAddress {
    /// The miner.
    pub hotkey: Hotkey,
    /// The channel whose address it is.
    pub channel: ChannelName,
    /// The code.
    pub code: String,
}

impl Request for ConfirmAddress {
    type Reply = Result<(), NotGranted>;
}

/// Reads how much miners are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadTold;

/// What became of notices to miners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// It arrived.
    Arrived,
    /// A try failed.
    Failed,
    /// It was given up with its channel.
    GivenUp,
    /// It was dropped, because too many waited or came.
    Dropped,
}

impl Fate {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Arrived, Self::Failed, Self::GivenUp, Self::Dropped];

    /// Its name among the figures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Arrived => "arrived",
            Self::Failed => "failed",
            Self::GivenUp => "given_up",
            Self::Dropped => "dropped",
        }
    }
}

/// How much miners are told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToldView {
    /// Miners that want to be told something.
    pub miners: usize,
    /// Notices that wait.
    pub waiting: usize,
    /// Since the start: by kind, kind of channel, and fate.
    pub counts: BTreeMap<(NoticeKind, &'static str, Fate), u64>,
}

impl Request for ReadTold {
    type Reply = ToldView;
}
