//! Session tokens: what stands in for a signature until it expires.
//!
//! A token is the hotkey, the instant at which it expires and a tag that only the pool can make. Nothing has
//! to be kept for it, so sessions cost no memory, every HTTP worker knows them, and they outlive a restart.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::hex_digits;
use crate::hotkey::Hotkey;
use crate::time::Timestamp;

const TAG_LEN: usize = 16;
const FIELDS_LEN: usize = 32 + 8;
const LEN: usize = FIELDS_LEN + TAG_LEN;

/// The secret with which the pool makes session tokens.
#[derive(Clone)]
pub struct SessionKey(Hmac<Sha256>);

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(..)")
    }
}

/// A session that a token opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// The miner who opened it.
    pub hotkey: Hotkey,
    /// The moment from which it no longer counts.
    pub expires_at: Timestamp,
}

/// Why a token opens no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// Not a token of this pool.
    #[error("this is not a session token of this pool; open a session with POST /v1/sessions")]
    Invalid,
    /// Its time is over.
    #[error("the session has expired; open a new one with POST /v1/sessions")]
    Expired,
}

impl SessionKey {
    /// A key from secret bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"))
    }

    fn mac(&self, fields: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(b"session");
        mac.update(fields);
        mac
    }

    /// The token of `session`.
    pub fn seal(&self, session: &Session) -> String {
        let mut bytes = [0; LEN];
        bytes[..32].copy_from_slice(session.hotkey.as_bytes());
        bytes[32..FIELDS_LEN].copy_from_slice(&session.expires_at.millis().to_be_bytes());
        let tag = self.mac(&bytes[..FIELDS_LEN]).finalize().into_bytes();
        bytes[FIELDS_LEN..].copy_from_slice(&tag[..TAG_LEN]);
        hex::encode(bytes)
    }

    /// The session that `token` opens at `now`.
    ///
    /// # Errors
    /// If the pool never gave out this token, or it has expired.
    pub fn open(&self, token: &str, now: Timestamp) -> Result<Session, SessionError> {
        let bytes: [u8; LEN] = hex_digits::read(token).ok_or(SessionError::Invalid)?;
        let (fields, tag) = bytes.split_at(FIELDS_LEN);
        self.mac(fields)
            .verify_truncated_left(tag)
            .map_err(|_| SessionError::Invalid)?;
        let (hotkey, expires_at) = fields.split_at(32);
        let session = Session {
            hotkey: Hotkey::from_bytes(hotkey.try_into().expect("32 bytes were cut off")),
            expires_at: Timestamp::from_millis(i64::from_be_bytes(
                expires_at.try_into().expect("8 bytes are left"),
            )),
        };
        if now >= session.expires_at {
            return Err(SessionError::Expired);
        }
        Ok(session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn session() -> Session {
        Session {
            hotkey: Hotkey::from_bytes([4; 32]),
            expires_at: Timestamp::from_secs(100),
        }
    }

    #[test]
    fn a_token_opens_its_session_until_it_expires() {
        let key = SessionKey::new(&[1; 32]);
        let token = key.seal(&session());
        assert_eq!(key.open(&token, Timestamp::from_secs(99)), Ok(session()));
        assert_eq!(
            key.open(&token, Timestamp::from_secs(100)),
            Err(SessionError::Expired)
        );
        let other = SessionKey::new(&[2; 32]);
        assert_eq!(other.open(&token, Timestamp::EPOCH), Err(SessionError::Invalid));
    }

    proptest! {
        #[test]
        fn one_changed_bit_opens_nothing(bit in 0..LEN * 8) {
            let key = SessionKey::new(&[1; 32]);
            let mut bytes = hex::decode(key.seal(&session())).unwrap();
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(key.open(&hex::encode(bytes), Timestamp::EPOCH), Err(SessionError::Invalid));
        }

        #[test]
        fn random_text_opens_nothing(text in ".{0,200}") {
            let key = SessionKey::new(&[1; 32]);
            prop_assert_eq!(key.open(&text, Timestamp::EPOCH), Err(SessionError::Invalid));
        }
    }
}
