//! What the registration handler is asked.

use std::net::IpAddr;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::signature::KeyType;
use dwarves_domain::time::Timestamp;

use crate::ask::Request;
use crate::miner_manager::messages::{Registered, ThresholdChoice};

/// Checks a signed request (`btauth/1`) and uses up its nonce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticate {
    /// The client that sent it.
    pub from: IpAddr,
    /// The kind of signature.
    pub scheme: KeyType,
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

impl Request for Authenticate {
    /// `Ok` if it is the sender's, fresh, and was not seen before.
    type Reply = Result<(), Refusal>;
}

/// Checks a signature over a message, at its client's expense. Whether the message is fresh, and was not seen before, is
/// not asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifySignature {
    /// The client that sent it.
    pub from: IpAddr,
    /// The hotkey that claims to have signed, with sr25519.
    pub sender: Hotkey,
    /// What is signed.
    pub message: Vec<u8>,
    /// The signature as it was sent.
    pub signature: [u8; 64],
}

impl Request for VerifySignature {
    /// `Ok` if it is the sender's.
    type Reply = Result<(), Refusal>;
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

impl Request for Register {
    type Reply = Result<Registered, Refusal>;
}

/// Opens a session for the signer of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenSession {
    /// The miner's account.
    pub hotkey: Hotkey,
}

/// A session that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedSession {
    /// The token; never logged.
    pub token: String,
    /// When it expires.
    pub expires_at: Timestamp,
}

impl Request for OpenSession {
    type Reply = Result<OpenedSession, Refusal>;
}
