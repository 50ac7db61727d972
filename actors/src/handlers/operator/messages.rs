//! What is asked about operators' sessions.

use std::net::IpAddr;

use dwarves_domain::refusal::Refusal;
use dwarves_domain::time::Span;

use crate::ask::Request;

/// Somebody presents what may be the admin token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogIn {
    /// From which client.
    pub from: IpAddr,
    /// Whether it is the token.
    pub is_right: bool,
}

/// Why nobody is logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogInRefused {
    /// It is not the token.
    Wrong,
    /// Too many wrong ones came from there: not even the right one is taken until then.
    TooMany {
        /// When one more is.
        try_again: Span,
    },
}

impl Request for LogIn {
    /// How often sessions have been ended, which the new one remembers.
    type Reply = Result<u64, LogInRefused>;
}

/// Ends all operators' sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogOut;

impl Request for LogOut {
    /// Whether that is stored; if not, it holds and will be once the ledger can write.
    type Reply = Result<bool, Refusal>;
}

/// Reads how often sessions have been ended: those that began before are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadSessions;

impl Request for ReadSessions {
    type Reply = u64;
}
