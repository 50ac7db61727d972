//! Watch tokens: what lets its holder look at one miner as the miner itself does, until the miner takes it back.
//!
//! A token is the number of a row of the ledger and a tag that only the pool can make, so nothing that the ledger holds
//! opens anything. Numbers are drawn by chance: an older ledger that is put back gives no token's number to another one.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::hex_digits;

const TAG_LEN: usize = 16;
const ID_LEN: usize = 8;
const LEN: usize = ID_LEN + TAG_LEN;

/// Watch tokens that one miner may have handed out at a time.
pub const WATCHES_PER_MINER: u32 = 10;
/// The longest name of one, in characters.
pub const WATCH_NAME_CHARS_MAX: usize = 64;

/// Which watch token, among all of the pool: 16 hex digits. It is no secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId([u8; ID_LEN]);

/// Why a text names no watch token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 16 lower-case hex digits")]
pub struct ParseWatchIdError;

impl WatchId {
    /// The number with these bytes, which were drawn by chance.
    pub const fn from_bytes(bytes: [u8; ID_LEN]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; ID_LEN] {
        &self.0
    }
}

impl fmt::Display for WatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for WatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WatchId({self})")
    }
}

impl FromStr for WatchId {
    type Err = ParseWatchIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        hex_digits::read(text).map(Self).ok_or(ParseWatchIdError)
    }
}

/// Why a text is no name of a watch token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected at most {WATCH_NAME_CHARS_MAX} characters, and none that steers a terminal")]
pub struct WatchNameError;

/// What its owner calls a watch token; it may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchName(String);

impl WatchName {
    /// The name as a text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WatchName {
    type Err = WatchNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_name = text.chars().count() <= WATCH_NAME_CHARS_MAX && !text.chars().any(char::is_control);
        is_name.then(|| Self(text.to_owned())).ok_or(WatchNameError)
    }
}

/// The secret with which the pool makes watch tokens.
#[derive(Clone)]
pub struct WatchKey(Hmac<Sha256>);

impl fmt::Debug for WatchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WatchKey(..)")
    }
}

impl WatchKey {
    /// A key from secret bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"))
    }

    fn mac(&self, id: &[u8]) -> Hmac<Sha256> {
        self.0.clone().chain_update(b"watch").chain_update(id)
    }

    /// The token with this number: 48 hex digits.
    pub fn seal(&self, id: WatchId) -> String {
        let mut bytes = [0; LEN];
        bytes[..ID_LEN].copy_from_slice(&id.0);
        let tag = self.mac(&id.0).finalize().into_bytes();
        bytes[ID_LEN..].copy_from_slice(&tag[..TAG_LEN]);
        hex::encode(bytes)
    }

    /// The number of `token`; `None` if the pool never made it. Whether it was taken back is not known here.
    pub fn open(&self, token: &str) -> Option<WatchId> {
        let bytes: [u8; LEN] = hex_digits::read(token)?;
        let (id, tag) = bytes.split_at(ID_LEN);
        self.mac(id).verify_truncated_left(tag).ok()?;
        id.try_into().ok().map(WatchId)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: WatchId = WatchId::from_bytes([7; ID_LEN]);

    #[test]
    fn a_token_names_its_number_under_its_own_key_alone() {
        let key = WatchKey::new(&[1; 32]);
        let token = key.seal(ID);
        assert_eq!(token.len(), 48);
        assert_eq!(key.open(&token), Some(ID));
        assert_eq!(WatchKey::new(&[2; 32]).open(&token), None);
        for wrong in [
            "",
            &token[1..],
            &format!("{token}0"),
            &token.replace('7', "8"),
            &token.to_uppercase(),
        ] {
            assert_eq!(key.open(wrong).filter(|_| wrong != token), None, "{wrong}");
        }
        assert_eq!(format!("{key:?}"), "WatchKey(..)");
    }

    #[test]
    fn a_number_is_written_as_it_is_read() {
        assert_eq!(ID.to_string(), "0707070707070707");
        assert_eq!(ID.to_string().parse(), Ok(ID));
        for wrong in ["", "07", "070707070707070G", "07070707070707070"] {
            assert_eq!(wrong.parse::<WatchId>(), Err(ParseWatchIdError), "{wrong}");
        }
    }

    #[test]
    fn a_name_is_short_and_steers_nothing() {
        for right in ["", "wall in the office", &"ä".repeat(64)] {
            assert_eq!(right.parse::<WatchName>().unwrap().as_str(), right);
        }
        for wrong in ["\n", "a\u{1b}[2J", &"ä".repeat(65)] {
            assert_eq!(wrong.parse::<WatchName>(), Err(WatchNameError), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn one_changed_bit_opens_nothing(bit in 0..LEN * 8, id: [u8; ID_LEN]) {
            let key = WatchKey::new(&[1; 32]);
            let mut bytes = hex::decode(key.seal(WatchId::from_bytes(id))).unwrap();
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(key.open(&hex::encode(bytes)), None);
        }

        #[test]
        fn random_text_opens_nothing(text in ".{0,200}") {
            prop_assert_eq!(WatchKey::new(&[1; 32]).open(&text), None);
        }
    }
}
