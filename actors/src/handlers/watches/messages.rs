//! What is asked about watch tokens.

use std::net::IpAddr;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::time::Span;
use dwarves_domain::watch::{WatchId, WatchName};
use dwarves_ports::store::WatchRow;

use crate::ask::Request;

/// Who orders something about a miner's watch tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderedBy {
    /// The miner itself.
    Owner,
    /// An operator, of whose orders there is a trail: a hotkey, or `token`.
    Operator(String),
}

/// Hands out one more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandOut {
    /// The miner that it shows.
    pub hotkey: Hotkey,
    /// What its owner calls it.
    pub name: WatchName,
    /// For how long it counts; `None`: until it is taken back.
    pub lasts: Option<Span>,
    /// Who orders it.
    pub by: OrderedBy,
}

/// One that was just handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandedOut {
    /// What the ledger has of it.
    pub row: WatchRow,
    /// What nobody but its holder has from now on.
    pub token: String,
}

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchRefused {
    /// The miner has as many as it may.
    Full,
    /// It has none with this number.
    Unknown,
    /// For another reason.
    Other(Refusal),
}

impl Request for HandOut {
    type Reply = Result<HandedOut, WatchRefused>;
}

/// Takes one back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeBack {
    /// The miner that it shows.
    pub hotkey: Hotkey,
    /// Which.
    pub id: WatchId,
    /// Who orders it.
    pub by: OrderedBy,
}

impl Request for TakeBack {
    type Reply = Result<(), WatchRefused>;
}

/// Somebody presents what may be a watch token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenWatch {
    /// From which client.
    pub from: IpAddr,
    /// What it presents.
    pub token: String,
}

/// Why a token shows nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotOpened {
    /// The pool never made it.
    Wrong,
    /// The same, and too many such came from there.
    TooMany {
        /// When one more is looked at.
        try_again: Span,
    },
    /// It was taken back, or its time is over.
    Over,
    /// It cannot be told now.
    Unavailable,
}

impl Request for OpenWatch {
    type Reply = Result<WatchRow, NotOpened>;
}
