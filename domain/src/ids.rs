//! Names and numbers that identify things. None of them can be mistaken for another.

use std::fmt;
use std::str::FromStr;

use crate::hex_digits;

/// Defines a number that identifies something, with its raw form for storage and display.
macro_rules! numeric_id {
    ($(#[$doc:meta])* $name:ident, $raw:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($raw);

        impl $name {
            /// The id with this raw number.
            pub const fn new(raw: $raw) -> Self {
                Self(raw)
            }

            /// The raw number.
            pub const fn get(self) -> $raw {
                self.0
            }

            /// The id after this one.
            ///
            /// # Panics
            /// When the numbers are used up, which no pool lives to see.
            pub const fn next(self) -> Self {
                Self(self.0.checked_add(1).expect("ids do not run out in a pool's life"))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

numeric_id!(
    /// A share's place in the ledger: 1, 2, 3, … in the order of commit.
    Sequence, u64
);
numeric_id!(
    /// A reward round: 1, 2, 3, … in the order of closing.
    RoundId, u64
);
numeric_id!(
    /// A payout: 1, 2, 3, … in the order in which money was set aside.
    PayoutId, u64
);
numeric_id!(
    /// A block template that the pool gave out work for. Never used twice, also across restarts.
    TemplateId, u32
);
numeric_id!(
    /// One worker (one machine of one miner), numbered when first seen.
    WorkerId, u32
);
numeric_id!(
    /// A group commit of the ledger: 1, 2, 3, …
    BatchId, u64
);
numeric_id!(
    /// The number that makes a job's coinbase unlike every other's.
    ExtraNonce, u64
);
numeric_id!(
    /// One of the processes that share a ledger: 1, 2, 3, … in the order in which their names came.
    FrontNumber, u32
);

numeric_id!(
    /// Something that people are told of: 1, 2, 3, … in the order in which it was written down.
    NoticeId, u64
);

/// The hash of a block header, in the byte order in which SHA-256d gives it (little-endian number).
///
/// It is written the other way round, as explorers write it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeaderHash([u8; 32]);

impl HeaderHash {
    /// From the bytes as the hash function gives them.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes as the hash function gives them.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for HeaderHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut reversed = self.0;
        reversed.reverse();
        f.write_str(&hex::encode(reversed))
    }
}

impl fmt::Debug for HeaderHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HeaderHash({self})")
    }
}

/// Why a text does not identify what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseIdError {
    /// Not a header hash.
    #[error("expected 64 lower-case hex digits")]
    HeaderHash,
    /// Not a worker's name.
    #[error("a worker's name is 1 to 64 characters of letters, digits, '.', '_' and '-'")]
    WorkerName,
    /// Not a submission's name.
    #[error("a submission's name is 32 lower-case hex digits")]
    SubmissionId,
}

impl FromStr for HeaderHash {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes: [u8; 32] = hex_digits::read(text).ok_or(ParseIdError::HeaderHash)?;
        bytes.reverse();
        Ok(Self(bytes))
    }
}

/// The name of a worker, chosen by its miner: 1 to 64 characters of letters, digits, `.`, `_` and `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerName(String);

impl WorkerName {
    /// The longest name, in characters.
    pub const LEN_MAX: usize = 64;

    /// The name of a worker that gave none.
    pub fn unnamed() -> Self {
        Self("default".to_owned())
    }

    /// Whether it is the name of workers that gave none, and of whatever has no place of its own.
    pub fn is_unnamed(&self) -> bool {
        self.0 == "default"
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WorkerName {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if text.is_empty() || text.len() > Self::LEN_MAX || !text.bytes().all(plain) {
            return Err(ParseIdError::WorkerName);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for WorkerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_hash_is_written_as_explorers_write_it() {
        let genesis = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";
        let hash: HeaderHash = genesis.parse().unwrap();
        assert_eq!(hash.as_bytes()[31], 0);
        assert_eq!(hash.as_bytes()[0], 0x6f);
        assert_eq!(hash.to_string(), genesis);
        assert!(genesis.to_uppercase().parse::<HeaderHash>().is_err());
    }

    #[test]
    fn a_workers_name_is_short_and_plain() {
        assert!("rig-1.a_B".parse::<WorkerName>().is_ok());
        for bad in ["", "a b", "ä", "a/b", &"x".repeat(65)] {
            assert!(bad.parse::<WorkerName>().is_err(), "{bad}");
        }
    }
}
