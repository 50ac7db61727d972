//! Secrets that the pool can make again whenever it needs them, so that none is stored: those of miners' webhooks, and the
//! codes that confirm mail addresses.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::wishes::MailAddress;
use crate::hotkey::Hotkey;
use crate::time::Timestamp;

/// Letters of codes: none that looks like another.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
/// Letters of a code: 50 bits, of which a few may be guessed.
const CODE_LEN: usize = 10;

/// The name of what a miner is told, the same at every try and by every channel, and another one for whatever else anybody
/// is told.
pub fn message_id(ledger: &str, hotkey: &Hotkey, key: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(hotkey.as_bytes());
    hash.update(key.as_bytes());
    format!("msg_{ledger}_{}", hex::encode(&hash.finalize()[..16]))
}

/// A mailbox as limits count it, without its address.
pub fn mailbox_id(address: &MailAddress) -> [u8; 16] {
    let hash = Sha256::digest(address.mailbox().as_bytes());
    std::array::from_fn(|at| hash[at])
}

/// The secret of which the others are made.
#[derive(Clone)]
pub struct NotificationKey(Hmac<Sha256>);

impl fmt::Debug for NotificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NotificationKey(..)")
    }
}

impl NotificationKey {
    /// A key from secret bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"))
    }

    fn of(&self, what: &str, hotkey: &Hotkey, text: &str, at: Timestamp) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(what.as_bytes());
        mac.update(hotkey.as_bytes());
        mac.update(&at.millis().to_be_bytes());
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// The secret of this miner's webhook of this name, made at this moment.
    pub fn webhook_secret(&self, hotkey: &Hotkey, channel: &str, made_at: Timestamp) -> [u8; 32] {
        self.of("webhook", hotkey, channel, made_at)
    }

    /// The code by which a mail address is confirmed for this miner that was asked for at this moment.
    pub fn code(&self, hotkey: &Hotkey, address: &str, asked_at: Timestamp) -> String {
        let bytes = self.of("code", hotkey, address, asked_at);
        let letter = |byte: &u8| char::from(LETTERS[usize::from(byte % 32)]);
        bytes[..CODE_LEN].iter().map(letter).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_secret_is_its_own_and_made_again_the_same() {
        let key = NotificationKey::new(&[7; 32]);
        let (one, two) = (Hotkey::from_bytes([1; 32]), Hotkey::from_bytes([2; 32]));
        let at = Timestamp::from_secs;
        let secret = key.webhook_secret(&one, "hook", at(5));
        assert_eq!(
            secret,
            NotificationKey::new(&[7; 32]).webhook_secret(&one, "hook", at(5))
        );
        for other in [
            key.webhook_secret(&two, "hook", at(5)),
            key.webhook_secret(&one, "hoop", at(5)),
            key.webhook_secret(&one, "hook", at(6)),
            NotificationKey::new(&[8; 32]).webhook_secret(&one, "hook", at(5)),
        ] {
            assert_ne!(other, secret);
        }
        let code = key.code(&one, "me@example.org", at(5));
        assert_eq!(code.len(), CODE_LEN);
        assert!(code.bytes().all(|letter| LETTERS.contains(&letter)));
        assert_ne!(code, key.code(&one, "me@example.org", at(6)));
        assert_ne!(code, key.code(&two, "me@example.org", at(5)));
    }
}
