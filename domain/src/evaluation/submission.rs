//! What identifies submitted work.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::hex_digits;
use crate::hotkey::Hotkey;
use crate::ids::ParseIdError;
use crate::time::Timestamp;

/// SHA-256 of submitted work, byte for byte as it was sent. The same work by the same miner is the same submission for as
/// long as its result counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkDigest([u8; 32]);

impl WorkDigest {
    /// The digest of this work.
    pub fn of(work: &str) -> Self {
        Self(Sha256::digest(work).into())
    }

    /// From its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A submission's name, 32 hex digits: by it its miner finds its result, and the evaluator knows it again when it is asked
/// twice (it is the idempotency key).
///
/// It is made of what it names, so no two ledgers give one name to different work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubmissionId([u8; 16]);

impl SubmissionId {
    /// The name of work that a miner submitted at this moment.
    pub fn of(hotkey: &Hotkey, work: &WorkDigest, received_at: Timestamp) -> Self {
        let digest = Sha256::new()
            .chain_update(b"dwarves/submission/1")
            .chain_update(hotkey.as_bytes())
            .chain_update(work.as_bytes())
            .chain_update(received_at.millis().to_be_bytes())
            .finalize();
        let (first, _) = digest.split_first_chunk().expect("a digest of 32 bytes has 16");
        Self(*first)
    }

    /// From its bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for SubmissionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for SubmissionId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        hex_digits::read(text).map(Self).ok_or(ParseIdError::SubmissionId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_of_miner_work_and_moment() {
        let (one, other) = (Hotkey::from_bytes([1; 32]), Hotkey::from_bytes([2; 32]));
        let (work, at) = (WorkDigest::of("{}"), Timestamp::from_millis(5));
        let id = SubmissionId::of(&one, &work, at);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id, SubmissionId::of(&one, &work, at));
        assert_ne!(id, SubmissionId::of(&other, &work, at));
        assert_ne!(id, SubmissionId::of(&one, &WorkDigest::of("{ }"), at));
        assert_ne!(id, SubmissionId::of(&one, &work, Timestamp::from_millis(6)));
        for bad in ["", "00", &"0".repeat(31), &"G".repeat(32), &"A".repeat(32)] {
            assert!(bad.parse::<SubmissionId>().is_err(), "{bad}");
        }
    }
}
