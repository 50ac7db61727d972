//! What the registration handler is asked.

use std::net::IpAddr;

use dwarves_domain::address::ParseAddressError;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::signature::Scheme;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::units::Amount;

use crate::ask::Request;

/// Checks a signed request (`btauth/1`) and uses up its nonce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticate {
    /// The client that sent it.
    pub from: IpAddr,
    /// The kind of signature.
    pub scheme: Scheme,
    /// The HTTP method in upper case.
    pub method: String,
    /// Path and query exactly as sent.
    pub path: String,
    /// The body exactly as sent.
    pub body: Vec<u8>,
    /// Unix time in nanoseconds at signing.
    pub nonce_nanos: u64,
    /// The hotkey that claims to have signed.
    pub sender: Hotkey,
    /// Whom the request is meant for.
    pub receiver: Hotkey,
    /// The signature as it was sent, sr25519 or ed25519.
    pub signature: [u8; 64],
}

/// What came of checking a signed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthenticateReply {
    /// It is the sender's, fresh, and was not seen before.
    Authentic,
    /// It is meant for another pool.
    WrongReceiver,
    /// Its nonce is too old or too far ahead.
    Stale,
    /// The signature is not the sender's over this request.
    SignatureInvalid,
    /// Its nonce was used before.
    Replayed,
    /// Too many signed requests now: of this client, or of all together.
    Busy,
    /// The store cannot note the nonce now.
    Unavailable,
}

impl Request for Authenticate {
    type Reply = AuthenticateReply;
}

/// From which balance a miner wants to be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThresholdChoice {
    /// From the pool's own threshold.
    Pools,
    /// The miner's own: paid from this balance on.
    Own(Amount),
}

/// Registers the signer of a request as a miner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register {
    /// The miner's account.
    pub hotkey: Hotkey,
    /// Where payouts shall go, as text; `None` leaves it as it is.
    pub payout_address: Option<String>,
    /// From which balance the miner wants to be paid; `None` leaves it as it is.
    pub payout_threshold: Option<ThresholdChoice>,
    /// From where it asks.
    pub from: IpAddr,
}

/// What came of a registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegisterReply {
    /// The miner is registered.
    Registered {
        /// Whether it is new.
        is_new: bool,
        /// When it was first registered.
        registered_at: Timestamp,
        /// The address that payouts go to now; `None` while there is none.
        payout_address: Option<String>,
    },
    /// The pool takes no new miners now.
    Closed,
    /// This miner is banned.
    Banned {
        /// Why, in the operator's words.
        reason: String,
    },
    /// The payout address is not one of this chain.
    AddressInvalid(ParseAddressError),
    /// The threshold is below what can be paid.
    ThresholdInvalid {
        /// The least that is right.
        least: Amount,
    },
    /// The pool has as many miners as it may.
    Full,
    /// Too many new miners came from the same place.
    TooManyNew {
        /// After which time one more may come.
        try_again: Span,
    },
    /// The pool is busy.
    Busy,
    /// The store cannot note it now.
    Unavailable,
}

impl Request for Register {
    type Reply = RegisterReply;
}

/// Opens a session for the signer of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenSession {
    /// The miner's account.
    pub hotkey: Hotkey,
}

/// What came of opening a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenSessionReply {
    /// The session is open.
    Opened {
        /// The token; never logged.
        token: String,
        /// The moment from which the token no longer counts.
        expires_at: Timestamp,
    },
    /// This hotkey is not registered.
    MinerUnknown,
    /// This miner is banned.
    Banned {
        /// Why, in the operator's words.
        reason: String,
    },
    /// The pool is busy.
    Busy,
}

impl Request for OpenSession {
    type Reply = OpenSessionReply;
}
