//! The bytes that make one coinbase unlike every other, and who fills which of them.
//!
//! A coinbase has room for twelve. A job over HTTP has all of them from the pool: the eight of its
//! [`ExtraNonce`], then zeros. In a Stratum session the pool gives the first four ([`ExtraNonce1`]) and the
//! miner rolls the others (extranonce2; if it is shorter than eight bytes, zeros follow it).
//!
//! The first four bytes, as one number, say whose the others are:
//!
//! | number | bits | what |
//! |---|---|---|
//! | `0x00000000` to `0x0fffffff` | 32 of life | a job of a pool that had no front ends yet |
//! | `0x10000000` to `0x1fffffff` | `0001`, 6 of front end, 22 of life | a job; the next four bytes count it |
//! | `0x20000000` to `0x3fffffff` | `001`, 6 of front end, 23 of slot | a session |
//! | `0x40000000` to `0x7fffffff` | `01`, 8 of life, 22 of counter | a session of a pool that had no front ends yet |
//!
//! The highest bit stays clear, so that the ledger can compare the first eight bytes as a signed number. No two
//! rows ever make the same coinbase; nor do two front ends. What the first and the last row say is only read: such
//! jobs may still be live when a pool is brought up to date.

use std::fmt;
use std::ops::RangeInclusive;

use crate::ids::ExtraNonce;

/// Bytes of the extranonce in a coinbase's script.
pub const EXTRANONCE_LEN: usize = 12;
/// Bytes of a session's own part.
pub const EXTRANONCE1_LEN: usize = 4;
/// The most bytes that a miner may roll.
pub const EXTRANONCE2_LEN_MAX: usize = EXTRANONCE_LEN - EXTRANONCE1_LEN;

const JOB_KIND: u32 = 0x1000_0000;
const LIFE_BITS: u32 = 22;
const SESSION_KIND: u32 = 0x2000_0000;
const SESSION_KIND_MASK: u32 = 0xe000_0000;
const SLOT_BITS: u32 = 23;
/// Set in the sessions' of a pool that had no front ends yet.
const OLD_SESSION_BIT: u32 = 0x4000_0000;

/// Which of the pools that share one ledger gives something out. Each counts for itself, so what they give out
/// holds their number. One pool alone is number 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrontEnd(u8);

impl FrontEnd {
    /// How many there may be.
    pub const COUNT: u8 = 64;

    /// The one with this number, if it is below [`FrontEnd::COUNT`].
    pub const fn new(number: u8) -> Option<Self> {
        if number < Self::COUNT {
            Some(Self(number))
        } else {
            None
        }
    }

    /// The number, 0 to 63.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// The extranonce of a job over HTTP: the `number`th of this front end in this life of the pool. Lives count on
/// after 2^22 of them, when nothing of the first is left.
pub const fn of_job(front_end: FrontEnd, life: u32, number: u32) -> ExtraNonce {
    let head = JOB_KIND | (front_end.0 as u32) << LIFE_BITS | life & ((1 << LIFE_BITS) - 1);
    ExtraNonce::new((head as u64) << 32 | number as u64)
}

/// A Stratum session's part of the extranonce: no two sessions that are open have the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtraNonce1(u32);

impl ExtraNonce1 {
    /// How many a front end has.
    pub const SLOTS: u32 = 1 << SLOT_BITS;

    /// The front end's one in this slot; slots from [`ExtraNonce1::SLOTS`] on begin again.
    pub const fn in_slot(front_end: FrontEnd, slot: u32) -> Self {
        Self(SESSION_KIND | (front_end.0 as u32) << SLOT_BITS | slot & (Self::SLOTS - 1))
    }

    /// The one in this slot of a pool alone.
    pub const fn numbered(slot: u32) -> Self {
        Self::in_slot(FrontEnd(0), slot)
    }

    /// The one with these bytes, if it is one.
    pub fn from_bytes(bytes: [u8; EXTRANONCE1_LEN]) -> Option<Self> {
        let raw = u32::from_be_bytes(bytes);
        (raw & SESSION_KIND_MASK == SESSION_KIND).then_some(Self(raw))
    }

    /// Which front end gives it.
    pub const fn front_end(self) -> FrontEnd {
        FrontEnd((self.0 >> SLOT_BITS) as u8 & (FrontEnd::COUNT - 1))
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

/// Which session: its extranonce, and which of those that had it one after the other. A session that comes back
/// shows both, so it never gets what is another's by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionSeat {
    /// The four bytes that are the session's own.
    pub extranonce1: ExtraNonce1,
    /// The how-manieth that had it: see [`SessionSeat::numbered`].
    pub turn: u32,
}

/// Of a turn, the bits that count how often the slots of one life were all given.
const LAP_BITS: u32 = 12;

impl SessionSeat {
    /// The seat of a front end's `number`th session in this life of the pool. Each life begins at a slot far from
    /// those of the lives before, so that sessions which come back after a restart find theirs free. A turn comes
    /// again after 4,096 times all slots, or a million lives.
    pub const fn numbered(front_end: FrontEnd, life: u32, number: u64) -> Self {
        // The golden ratio of 2^32: its multiples lie as far apart as can be.
        let begin = life.wrapping_mul(0x9e37_79b9) >> (u32::BITS - SLOT_BITS);
        let lap = (number >> SLOT_BITS) as u32 & ((1 << LAP_BITS) - 1);
        Self {
            extranonce1: ExtraNonce1::in_slot(front_end, begin.wrapping_add(number as u32)),
            turn: life << LAP_BITS | lap,
        }
    }
}

/// The first eight bytes of all extranonces that were given to whoever was given one that begins with these: a job's
/// are its worker's alone, and of a session's the miner rolled the last four.
pub fn kin(extranonce: ExtraNonce) -> RangeInclusive<ExtraNonce> {
    let head = extranonce.get();
    let session = head >> 32;
    let is_session =
        (session as u32) & SESSION_KIND_MASK == SESSION_KIND || session & u64::from(OLD_SESSION_BIT) != 0;
    if !is_session {
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

    fn front_end(number: u8) -> FrontEnd {
        FrontEnd::new(number % FrontEnd::COUNT).unwrap()
    }

    /// What a pool without front ends gave to jobs and to sessions.
    fn of_before(life: u32, counter: u32) -> [u64; 2] {
        let session = OLD_SESSION_BIT | (life & 0xff) << 22 | counter & ((1 << 22) - 1);
        [
            u64::from(life) << 32 | u64::from(counter),
            u64::from(session) << 32,
        ]
    }

    proptest! {
        #[test]
        fn sessions_and_jobs_of_any_life_and_front_end_never_share_an_extranonce(
            number in any::<u64>(), rolled in proptest::collection::vec(any::<u8>(), 0..=8),
            life in any::<u32>(), job in any::<u32>(), one in any::<u8>(), other in any::<u8>(),
            life_before in 1..JOB_KIND, counter_before in any::<u32>(),
        ) {
            let (one, other) = (front_end(one), front_end(other));
            let seat = SessionSeat::numbered(one, life, number);
            let session = seat.extranonce1;
            prop_assert_eq!(ExtraNonce1::from_bytes(session.to_bytes()), Some(session));
            prop_assert_eq!(session.front_end(), one);
            let theirs = FullExtraNonce::rolled(session, &rolled).unwrap();
            let ours = of_job(one, life, job);
            prop_assert_ne!(theirs, FullExtraNonce::from(ours));
            prop_assert_ne!(theirs, FullExtraNonce::from(of_job(other, life, job)));
            if one != other {
                prop_assert_ne!(ours, of_job(other, life, job));
                prop_assert_ne!(session, SessionSeat::numbered(other, life, number).extranonce1);
            }
            for extranonce in [theirs.head(), ours] {
                prop_assert!(i64::try_from(extranonce.get()).is_ok());
                for before in of_before(life_before, counter_before) {
                    prop_assert_ne!(extranonce.get() >> 32, before >> 32);
                    let head = u32::try_from(before >> 32).unwrap();
                    prop_assert_eq!(ExtraNonce1::from_bytes(head.to_be_bytes()), None);
                }
            }
            prop_assert_eq!(FullExtraNonce::from_parts(theirs.head(), theirs.tail()), theirs);
            prop_assert_eq!(FullExtraNonce::from_parts(ours, 0), FullExtraNonce::from(ours));
            prop_assert_eq!(kin(ours), ours..=ours);
            let own = kin(theirs.head());
            prop_assert!(own.contains(&session.of_jobs()) && own.contains(&theirs.head()));
            let next = SessionSeat::numbered(one, life, number.wrapping_add(1)).extranonce1.of_jobs();
            prop_assert!(!own.contains(&ours) && !own.contains(&next));
            let [job_before, session_before] = of_before(life_before, counter_before).map(ExtraNonce::new);
            prop_assert_eq!(kin(job_before), job_before..=job_before);
            prop_assert!(kin(session_before).contains(&ExtraNonce::new(session_before.get() | 77)));
        }
    }

    #[test]
    fn a_slot_that_comes_again_is_another_seat_and_lives_begin_far_apart() {
        let slots = u64::from(ExtraNonce1::SLOTS);
        let seat = |life, number| SessionSeat::numbered(front_end(3), life, number);
        for (life, number) in [(1, 0), (7, 5), (u32::MAX, slots - 1)] {
            let (first, again) = (seat(life, number), seat(life, number + slots));
            assert_eq!(first.extranonce1, again.extranonce1);
            assert_ne!(first.turn, again.turn);
        }
        let begin = |life| i64::from(seat(life, 0).extranonce1.0 & (ExtraNonce1::SLOTS - 1));
        for life in 2..100 {
            let nearest = (1..life)
                .map(|earlier| (begin(life) - begin(earlier)).abs())
                .min();
            assert!(nearest > Some(20_000), "life {life}: {nearest:?}");
        }
        assert_eq!(FrontEnd::new(FrontEnd::COUNT), None);
    }

    #[test]
    fn an_extranonce2_that_is_too_long_is_none() {
        let session = ExtraNonce1::numbered(1);
        assert!(FullExtraNonce::rolled(session, &[1; 9]).is_none());
        let full = FullExtraNonce::rolled(session, &[1, 2]).unwrap();
        assert_eq!(full.as_bytes(), &[0x20, 0, 0, 1, 1, 2, 0, 0, 0, 0, 0, 0]);
        assert_eq!(FullExtraNonce::from(session.of_jobs()).head(), session.of_jobs());
    }
}
