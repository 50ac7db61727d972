//! The bytes that make one coinbase unlike every other, and who fills which of them.
//!
//! A coinbase has room for twelve. A job over HTTP has all of them from the pool: the eight of its
//! [`ExtraNonce`], then zeros. In a Stratum session the pool gives the first four ([`ExtraNonce1`]) and the
//! miner rolls the others (extranonce2; if it is shorter than eight bytes, zeros follow it). One bit of the
//! first byte says which of the two it is, so neither can ever make a coinbase of the other.

use std::fmt;
use std::ops::RangeInclusive;

use crate::ids::ExtraNonce;

/// Bytes of the extranonce in a coinbase's script.
pub const EXTRANONCE_LEN: usize = 12;
/// Bytes of a session's own part.
pub const EXTRANONCE1_LEN: usize = 4;
/// The most bytes that a miner may roll.
pub const EXTRANONCE2_LEN_MAX: usize = EXTRANONCE_LEN - EXTRANONCE1_LEN;

/// Set in every session's extranonce and in no job's: a job's begins with the number of the pool's life, and no
/// pool is started a billion times.
const SESSION_BIT: u32 = 0x4000_0000;
/// The bit above it stays clear, so that the ledger can compare the first eight bytes as a signed number.
const SESSION_MASK: u32 = 0x3fff_ffff;

/// A Stratum session's part of the extranonce: no two sessions that are open have the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtraNonce1(u32);

impl ExtraNonce1 {
    /// How many there are.
    pub const COUNT: u32 = SESSION_MASK + 1;

    /// The one with this number; numbers from [`ExtraNonce1::COUNT`] on begin again.
    pub const fn numbered(number: u32) -> Self {
        Self(SESSION_BIT | number & SESSION_MASK)
    }

    /// The one with these bytes, if it is one.
    pub fn from_bytes(bytes: [u8; EXTRANONCE1_LEN]) -> Option<Self> {
        let raw = u32::from_be_bytes(bytes);
        (raw & !SESSION_MASK == SESSION_BIT).then_some(Self(raw))
    }

    /// Its bytes, as miners get them.
    pub const fn to_bytes(self) -> [u8; EXTRANONCE1_LEN] {
        self.0.to_be_bytes()
    }

    /// The extranonce of the session's jobs: its own part, and zeros where the miner rolls.
    pub const fn of_jobs(self) -> ExtraNonce {
        ExtraNonce::new((self.0 as u64) << 32)
    }
}

/// The first eight bytes of all extranonces that were given to whoever was given one that begins with these: a job's
/// are its worker's alone, and of a session's the miner rolled the last four.
pub fn kin(extranonce: ExtraNonce) -> RangeInclusive<ExtraNonce> {
    let head = extranonce.get();
    let session = head >> 32;
    if session & u64::from(SESSION_BIT) == 0 {
        return extranonce..=extranonce;
    }
    ExtraNonce::new(session << 32)..=ExtraNonce::new(session << 32 | u64::from(u32::MAX))
}

impl fmt::Display for ExtraNonce1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for ExtraNonce1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExtraNonce1({self})")
    }
}

/// The extranonce of a coinbase, whoever filled it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FullExtraNonce([u8; EXTRANONCE_LEN]);

impl FullExtraNonce {
    /// What a session's miner made of it: `rolled` is its extranonce2.
    ///
    /// `None` if `rolled` is longer than [`EXTRANONCE2_LEN_MAX`].
    pub fn rolled(session: ExtraNonce1, rolled: &[u8]) -> Option<Self> {
        let mut bytes = [0; EXTRANONCE_LEN];
        bytes[..EXTRANONCE1_LEN].copy_from_slice(&session.to_bytes());
        bytes[EXTRANONCE1_LEN..]
            .get_mut(..rolled.len())?
            .copy_from_slice(rolled);
        Some(Self(bytes))
    }

    /// The extranonce with these bytes.
    pub const fn from_bytes(bytes: [u8; EXTRANONCE_LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes as they stand in the coinbase.
    pub const fn as_bytes(&self) -> &[u8; EXTRANONCE_LEN] {
        &self.0
    }

    /// The extranonce of these two parts: see [`FullExtraNonce::head`] and [`FullExtraNonce::tail`].
    pub const fn from_parts(head: ExtraNonce, tail: u32) -> Self {
        // Twelve bytes, of which the first eight are the number's highest.
        let all = (head.get() as u128) << 64 | (tail as u128) << 32;
        let bytes = all.to_be_bytes();
        let (bytes, _) = bytes
            .split_first_chunk()
            .expect("sixteen bytes begin with twelve");
        Self(*bytes)
    }

    /// Its first eight bytes, by which the ledger finds whose it is: all that the pool gave of a job's, and of a
    /// session's its own part and what miners roll first.
    pub fn head(&self) -> ExtraNonce {
        let (head, _) = self.0.split_first_chunk().expect("twelve bytes begin with eight");
        ExtraNonce::new(u64::from_be_bytes(*head))
    }

    /// Its last four bytes: zeros in a job's, and in a session's what miners roll last.
    pub fn tail(&self) -> u32 {
        let (_, tail) = self.0.split_last_chunk().expect("twelve bytes end with four");
        u32::from_be_bytes(*tail)
    }
}

impl From<ExtraNonce> for FullExtraNonce {
    fn from(extranonce: ExtraNonce) -> Self {
        Self::from_parts(extranonce, 0)
    }
}

impl fmt::Debug for FullExtraNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FullExtraNonce({})", hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sessions_and_jobs_of_any_life_never_share_an_extranonce(
            number in any::<u32>(), rolled in proptest::collection::vec(any::<u8>(), 0..=8),
            life in 1u32..SESSION_BIT, job in any::<u32>(),
        ) {
            let session = ExtraNonce1::numbered(number);
            prop_assert_eq!(ExtraNonce1::from_bytes(session.to_bytes()), Some(session));
            let theirs = FullExtraNonce::rolled(session, &rolled).unwrap();
            let ours = ExtraNonce::new(u64::from(life) << 32 | u64::from(job));
            prop_assert_ne!(theirs, FullExtraNonce::from(ours));
            prop_assert_eq!(ExtraNonce1::from_bytes(life.to_be_bytes()), None);
            prop_assert!(i64::try_from(theirs.head().get()).is_ok());
            prop_assert_eq!(FullExtraNonce::from_parts(theirs.head(), theirs.tail()), theirs);
            prop_assert_eq!(FullExtraNonce::from_parts(ours, 0), FullExtraNonce::from(ours));
            prop_assert_eq!(kin(ours), ours..=ours);
            let own = kin(theirs.head());
            prop_assert!(own.contains(&session.of_jobs()) && own.contains(&theirs.head()));
            let next = ExtraNonce1::numbered(number.wrapping_add(1)).of_jobs();
            prop_assert!(!own.contains(&ours) && !own.contains(&next));
        }
    }

    #[test]
    fn an_extranonce2_that_is_too_long_is_none() {
        let session = ExtraNonce1::numbered(1);
        assert!(FullExtraNonce::rolled(session, &[1; 9]).is_none());
        let full = FullExtraNonce::rolled(session, &[1, 2]).unwrap();
        assert_eq!(full.as_bytes(), &[0x40, 0, 0, 1, 1, 2, 0, 0, 0, 0, 0, 0]);
        assert_eq!(FullExtraNonce::from(session.of_jobs()).head(), session.of_jobs());
    }
}
