//! A miner's public key, written SS58 with prefix 42 as Bittensor writes it.
//!
//! SS58: base58 of prefix byte, 32-byte key and the first two bytes of
//! BLAKE2b-512(`SS58PRE` ‖ prefix ‖ key). Only prefix 42 is taken: otherwise one key would have many names.

use std::fmt;
use std::str::FromStr;

use blake2::{Blake2b512, Digest};

/// The SS58 prefix of a generic Substrate address, which Bittensor uses.
const PREFIX: u8 = 42;
const CHECKSUM_LEN: usize = 2;
const ENCODED_LEN: usize = 1 + 32 + CHECKSUM_LEN;
/// The longest SS58 text worth decoding; a real one has 47 or 48 characters.
const TEXT_LEN_MAX: usize = 64;

/// The public key by which a miner is known: 32 bytes, sr25519 (or ed25519, where a request says so).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hotkey([u8; 32]);

/// Why a text is not a hotkey.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseHotkeyError {
    /// A character that base58 does not have, or far too long.
    #[error("a hotkey is an SS58 address: base58 text of 47 or 48 characters")]
    NotBase58,
    /// The decoded bytes are too few or too many.
    #[error("a hotkey is an SS58 address of a 32-byte key; this one has another length")]
    WrongLength,
    /// An address of another network.
    #[error("a hotkey has the SS58 prefix 42 and so starts with 5; this one has another prefix")]
    WrongPrefix,
    /// A typing error, most likely.
    #[error("the checksum of this SS58 address is wrong: is it typed correctly?")]
    WrongChecksum,
}

impl Hotkey {
    /// The hotkey with these key bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key's bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The two checksum bytes of a prefix byte and a key.
fn checksum(prefix_and_key: &[u8]) -> [u8; CHECKSUM_LEN] {
    let digest = Blake2b512::new()
        .chain_update(b"SS58PRE")
        .chain_update(prefix_and_key)
        .finalize();
    [digest[0], digest[1]]
}

impl fmt::Display for Hotkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; ENCODED_LEN];
        bytes[0] = PREFIX;
        bytes[1..33].copy_from_slice(&self.0);
        let sum = checksum(&bytes[..33]);
        bytes[33..].copy_from_slice(&sum);
        f.write_str(&bs58::encode(bytes).into_string())
    }
}

impl fmt::Debug for Hotkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hotkey({self})")
    }
}

impl FromStr for Hotkey {
    type Err = ParseHotkeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > TEXT_LEN_MAX {
            return Err(ParseHotkeyError::NotBase58);
        }
        let bytes = bs58::decode(text)
            .into_vec()
            .map_err(|_| ParseHotkeyError::NotBase58)?;
        // A two-byte prefix (64..16383) sets bit 6 of the first byte and makes the address one byte longer.
        if bytes.len() == ENCODED_LEN + 1 && bytes[0] & 0x40 != 0 {
            return Err(ParseHotkeyError::WrongPrefix);
        }
        let bytes: [u8; ENCODED_LEN] = bytes.try_into().map_err(|_| ParseHotkeyError::WrongLength)?;
        if checksum(&bytes[..33]) != bytes[33..] {
            return Err(ParseHotkeyError::WrongChecksum);
        }
        if bytes[0] != PREFIX {
            return Err(ParseHotkeyError::WrongPrefix);
        }
        let mut key = [0; 32];
        key.copy_from_slice(&bytes[1..33]);
        Ok(Self(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The well-known development key //Alice.
    const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

    #[test]
    fn a_well_known_address_decodes_to_its_key() {
        let key: Hotkey = ALICE.parse().unwrap();
        assert_eq!(
            hex::encode(key.as_bytes()),
            "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d"
        );
        assert_eq!(key.to_string(), ALICE);
    }

    #[test]
    fn each_kind_of_wrong_address_is_told_apart() {
        let typo = ALICE.replace("Gr", "Gs");
        assert_eq!(typo.parse::<Hotkey>(), Err(ParseHotkeyError::WrongChecksum));
        assert_eq!(ALICE[..40].parse::<Hotkey>(), Err(ParseHotkeyError::WrongLength));
        assert_eq!("0OIl".parse::<Hotkey>(), Err(ParseHotkeyError::NotBase58));
        assert_eq!("".parse::<Hotkey>(), Err(ParseHotkeyError::WrongLength));
        assert_eq!(
            "5".repeat(5_000).parse::<Hotkey>(),
            Err(ParseHotkeyError::NotBase58)
        );
        // //Alice with the prefixes of Polkadot (0) and of a two-byte network.
        let polkadot = "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5";
        assert_eq!(polkadot.parse::<Hotkey>(), Err(ParseHotkeyError::WrongPrefix));
    }

    proptest! {
        #[test]
        fn every_key_survives_writing_and_reading(bytes in any::<[u8; 32]>()) {
            let key = Hotkey::from_bytes(bytes);
            prop_assert_eq!(key.to_string().parse::<Hotkey>(), Ok(key));
        }

        #[test]
        fn one_changed_character_never_gives_another_hotkey_silently(
            bytes in any::<[u8; 32]>(), at in 0usize..47, with in "[1-9A-HJ-NP-Za-km-z]",
        ) {
            let key = Hotkey::from_bytes(bytes);
            let mut text = key.to_string();
            text.replace_range(at..=at, &with);
            // Two checksum bytes let one change in 65,536 pass; whatever parses prints as itself.
            if let Ok(other) = text.parse::<Hotkey>() {
                prop_assert_eq!(other.to_string(), text);
            }
        }
    }
}
