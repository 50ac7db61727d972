//! `btauth/1`: the bytes that a signed request signs, and whether a signature holds.
//!
//! The scheme is Bittensor's own (PyPI `bittensor` 11, `bittensor.http_auth`). Signed are these lines joined
//! by `\n`: `btauth/1`, scheme, METHOD, path with query as sent, hex SHA-256 of the raw body, nonce, sender,
//! receiver. sr25519 signatures are made in the signing context `substrate`.

mod together;

use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::hotkey::Hotkey;
use crate::time::{Span, Timestamp};

pub use together::{BatchKey, Signed, TOGETHER_MAX, Verifier};

/// The context in which Substrate signs with sr25519.
const SIGNING_CONTEXT: &[u8] = b"substrate";

/// What wallets in browsers put around the bytes that they sign.
const WRAP_BEGIN: &[u8] = b"<Bytes>";
const WRAP_END: &[u8] = b"</Bytes>";

/// A kind of signature that a hotkey may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyType {
    /// Schnorr over Ristretto, Substrate's default.
    Sr25519,
    /// EdDSA over Curve25519.
    Ed25519,
}

impl KeyType {
    /// The name that is part of the signed bytes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sr25519 => "sr25519",
            Self::Ed25519 => "ed25519",
        }
    }
}

/// Why a text names no signature scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected sr25519 or ed25519")]
pub struct ParseKeyTypeError;

impl FromStr for KeyType {
    type Err = ParseKeyTypeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "sr25519" => Ok(Self::Sr25519),
            "ed25519" => Ok(Self::Ed25519),
            _ => Err(ParseKeyTypeError),
        }
    }
}

/// When a signed request is fresh, by the time at which it says it was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// How old it may be.
    pub back: Span,
    /// How far ahead of the pool's clock it may be.
    pub ahead: Span,
}

impl Window {
    /// Whether a request with this nonce (Unix time in nanoseconds) is fresh at `now`. If it is: when its nonce is too old
    /// to be taken anyway, so that it need not be remembered any longer.
    pub fn expiry(self, now: Timestamp, nonce_nanos: u64) -> Option<Timestamp> {
        let signed_at = Timestamp::from_millis(i64::try_from(nonce_nanos / 1_000_000).ok()?);
        if now.since(signed_at) > self.back || signed_at.since(now) > self.ahead {
            return None;
        }
        // One second more than it is fresh: rounding must not open a gap for a replay.
        Some(signed_at.plus(self.back).plus(Span::from_secs(1)))
    }
}

/// What a request signs. Borrowed: it lives as long as the request.
#[derive(Clone, Copy, Debug)]
pub struct SignedRequest<'a> {
    /// The kind of signature.
    pub scheme: KeyType,
    /// The HTTP method in upper case.
    pub method: &'a str,
    /// Path and query exactly as sent.
    pub path: &'a str,
    /// The body exactly as sent.
    pub body: &'a [u8],
    /// Unix time in nanoseconds at signing; good once.
    pub nonce_nanos: u64,
    /// The hotkey that claims to have signed.
    pub sender: Hotkey,
    /// Whom it is meant for: the pool.
    pub receiver: Hotkey,
}

impl SignedRequest<'_> {
    /// The bytes that are signed.
    pub fn payload(&self) -> Vec<u8> {
        format!(
            "btauth/1\n{}\n{}\n{}\n{}\n{}\n{}\n{}",
            self.scheme.as_str(),
            self.method,
            self.path,
            hex::encode(Sha256::digest(self.body)),
            self.nonce_nanos,
            self.sender,
            self.receiver,
        )
        .into_bytes()
    }

    /// Whether `signature` is the sender's over this request. Wallets in browsers sign nothing but what they have
    /// wrapped in `<Bytes>` and `</Bytes>`; that is taken as well, as Bittensor's own verifier does.
    pub fn is_signed_by(&self, signature: &[u8; 64]) -> bool {
        let payload = self.payload();
        let is_signed = |message: &[u8]| verify(self.scheme, &self.sender, message, signature);
        is_signed(&payload) || is_signed(&[WRAP_BEGIN, &payload, WRAP_END].concat())
    }
}

/// Whether `signature` is `signer`'s over `message`. Bytes that are no key or no signature give `false`.
pub fn verify(scheme: KeyType, signer: &Hotkey, message: &[u8], signature: &[u8; 64]) -> bool {
    match scheme {
        KeyType::Sr25519 => verify_sr25519(signer, message, signature),
        KeyType::Ed25519 => verify_ed25519(signer, message, signature),
    }
}

fn verify_sr25519(signer: &Hotkey, message: &[u8], signature: &[u8; 64]) -> bool {
    let (Ok(key), Ok(signature)) = (
        schnorrkel::PublicKey::from_bytes(signer.as_bytes()),
        schnorrkel::Signature::from_bytes(signature),
    ) else {
        return false;
    };
    key.verify_simple(SIGNING_CONTEXT, message, &signature).is_ok()
}

fn verify_ed25519(signer: &Hotkey, message: &[u8], signature: &[u8; 64]) -> bool {
    let Ok(key) = ed25519_dalek::VerifyingKey::from_bytes(signer.as_bytes()) else {
        return false;
    };
    // Strict: keys of small order sign anything, so they may not be anybody's hotkey.
    key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature))
        .is_ok()
}

#[cfg(test)]
mod tests;
