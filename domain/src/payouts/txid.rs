//! Names of transactions and of their outputs.

use std::fmt;
use std::str::FromStr;

/// A transaction's id, in the byte order in which SHA-256d gives it. It is written the other way round, as
/// explorers write it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Txid([u8; 32]);

/// A text that is no transaction id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a transaction id is 64 lower-case hex digits")]
pub struct ParseTxidError;

impl Txid {
    /// From the bytes as the hash function gives them.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes as the hash function gives them.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Txid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut reversed = self.0;
        reversed.reverse();
        f.write_str(&hex::encode(reversed))
    }
}

impl fmt::Debug for Txid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Txid({self})")
    }
}

impl FromStr for Txid {
    type Err = ParseTxidError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(ParseTxidError);
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| ParseTxidError)?;
        bytes.reverse();
        Ok(Self(bytes))
    }
}

/// One output of a transaction, where another spends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutPoint {
    /// The transaction that made the output.
    pub txid: Txid,
    /// The output's number in it.
    pub vout: u32,
}

impl fmt::Display for OutPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.txid, self.vout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_is_written_with_its_transaction() {
        let place = OutPoint {
            txid: Txid::from_bytes([0xab; 32]),
            vout: 7,
        };
        assert_eq!(place.to_string(), format!("{}:7", "ab".repeat(32)));
    }

    #[test]
    fn a_txid_is_written_as_explorers_write_it() {
        let text = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b";
        let txid: Txid = text.parse().unwrap();
        assert_eq!(txid.as_bytes()[31], 0x4a);
        assert_eq!(txid.to_string(), text);
        for wrong in ["", "4a", &text.to_uppercase(), &format!("{text}00")] {
            assert_eq!(wrong.parse::<Txid>(), Err(ParseTxidError), "{wrong}");
        }
    }
}
