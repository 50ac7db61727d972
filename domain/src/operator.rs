//! The operator's session in a browser: a cookie that stands in for the admin token until it expires.
//!
//! Like a miner's session token it is what it says and a tag that only the pool can make. The tag's key is made of the
//! admin token, so a new admin token ends all sessions; and each says how often sessions had been ended when it began, so
//! that they can be ended without keeping a list of them.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::hex_digits;
use crate::session::SessionError;
use crate::time::Timestamp;

const TAG_LEN: usize = 32;
const FIELDS_LEN: usize = 8 + 8;
const LEN: usize = FIELDS_LEN + TAG_LEN;

/// The secret with which operators' cookies are made.
#[derive(Clone)]
pub struct OperatorKey(Hmac<Sha256>);

impl fmt::Debug for OperatorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OperatorKey(..)")
    }
}

/// An operator's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperatorSession {
    /// The moment from which it no longer counts.
    pub expires_at: Timestamp,
    /// How often sessions had been ended when it began.
    pub generation: u64,
}

impl OperatorSession {
    fn fields(&self) -> [u8; FIELDS_LEN] {
        let mut fields = [0; FIELDS_LEN];
        fields[..8].copy_from_slice(&self.expires_at.millis().to_be_bytes());
        fields[8..].copy_from_slice(&self.generation.to_be_bytes());
        fields
    }
}

fn hmac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

impl OperatorKey {
    /// The key of those who know this admin token.
    pub fn of_token(admin_token: &str) -> Self {
        // The token is the message, not the key: HMAC pads short keys.
        let secret = hmac(b"dwarves operator sessions")
            .chain_update(admin_token)
            .finalize();
        Self(hmac(&secret.into_bytes()))
    }

    fn mac(&self, purpose: &[u8], session: &OperatorSession) -> Hmac<Sha256> {
        self.0
            .clone()
            .chain_update(purpose)
            .chain_update(session.fields())
    }

    /// The cookie of `session`.
    pub fn seal(&self, session: &OperatorSession) -> String {
        let mut bytes = [0; LEN];
        bytes[..FIELDS_LEN].copy_from_slice(&session.fields());
        bytes[FIELDS_LEN..].copy_from_slice(&self.mac(b"cookie", session).finalize().into_bytes());
        hex::encode(bytes)
    }

    /// The session that `cookie` stands for at `now`.
    ///
    /// # Errors
    /// If the pool never gave out this cookie, or gave it out under another admin token, or it has expired.
    pub fn open(&self, cookie: &str, now: Timestamp) -> Result<OperatorSession, SessionError> {
        let bytes: [u8; LEN] = hex_digits::read(cookie).ok_or(SessionError::Invalid)?;
        let (fields, tag) = bytes.split_at(FIELDS_LEN);
        let (expires_at, generation) = fields.split_at(8);
        let eight = |bytes: &[u8]| <[u8; 8]>::try_from(bytes).expect("8 bytes were cut off");
        let session = OperatorSession {
            expires_at: Timestamp::from_millis(i64::from_be_bytes(eight(expires_at))),
            generation: u64::from_be_bytes(eight(generation)),
        };
        let mac = self.mac(b"cookie", &session);
        mac.verify_slice(tag).map_err(|_| SessionError::Invalid)?;
        if now >= session.expires_at {
            return Err(SessionError::Expired);
        }
        Ok(session)
    }

    /// What every change by `session` carries beside the cookie: a page of another site does not know it.
    pub fn csrf(&self, session: &OperatorSession) -> String {
        hex::encode(self.mac(b"csrf", session).finalize().into_bytes())
    }

    /// Whether `presented` is that. Takes the same time for every wrong one.
    pub fn is_csrf(&self, session: &OperatorSession, presented: &str) -> bool {
        let tag: Option<[u8; TAG_LEN]> = hex_digits::read(presented);
        tag.is_some_and(|tag| self.mac(b"csrf", session).verify_slice(&tag).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn session() -> OperatorSession {
        OperatorSession {
            expires_at: Timestamp::from_secs(100),
            generation: 3,
        }
    }

    #[test]
    fn a_cookie_is_its_session_until_it_expires_or_the_token_is_another() {
        let key = OperatorKey::of_token("sesame");
        let cookie = key.seal(&session());
        assert_eq!(key.open(&cookie, Timestamp::from_secs(99)), Ok(session()));
        assert_eq!(
            key.open(&cookie, Timestamp::from_secs(100)),
            Err(SessionError::Expired)
        );
        for other in ["", "sesame\0", "Sesame"] {
            let other = OperatorKey::of_token(other);
            assert_eq!(other.open(&cookie, Timestamp::EPOCH), Err(SessionError::Invalid));
            assert!(!other.is_csrf(&session(), &key.csrf(&session())));
        }
        assert_eq!(format!("{key:?}"), "OperatorKey(..)");
    }

    #[test]
    fn a_csrf_token_is_of_one_session_and_is_no_cookie() {
        let key = OperatorKey::of_token("sesame");
        let csrf = key.csrf(&session());
        assert!(key.is_csrf(&session(), &csrf));
        let next = OperatorSession {
            generation: 4,
            ..session()
        };
        assert!(!key.is_csrf(&next, &csrf));
        let cookie = key.seal(&session());
        for wrong in ["", &csrf[1..], &cookie, &cookie[2 * FIELDS_LEN..]] {
            assert!(!key.is_csrf(&session(), wrong), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn one_changed_bit_opens_nothing(bit in 0..LEN * 8) {
            let key = OperatorKey::of_token("sesame");
            let mut bytes = hex::decode(key.seal(&session())).unwrap();
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(key.open(&hex::encode(bytes), Timestamp::EPOCH), Err(SessionError::Invalid));
        }

        #[test]
        fn random_text_opens_nothing(text in ".{0,200}") {
            let key = OperatorKey::of_token("sesame");
            prop_assert_eq!(key.open(&text, Timestamp::EPOCH), Err(SessionError::Invalid));
            prop_assert!(!key.is_csrf(&session(), &text));
        }
    }
}
