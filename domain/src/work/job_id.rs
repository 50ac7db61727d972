//! A job's name, from which the pool can build the job again.
//!
//! It holds what distinguishes a job from its template (extranonce, share target, worker) and a tag that only
//! the pool can make. So no table of given-out jobs has to be kept or bounded, every HTTP worker knows every
//! job, and jobs outlive a restart. A miner cannot change the target it was issued: the tag would not hold.
//!
//! A Stratum session knows its owner, worker and extranonce, so the names that it gives its jobs
//! ([`SessionJobId`]) hold only template, share target and how often the two were told, and a tag for this session
//! alone. They are half as long: some mining firmware keeps job ids in small buffers.
//!
//! Which front end gave a job out stands in its extranonce (see [`super::extranonce`]), of which a job id holds all
//! and a session its own part; so job ids need no field for it.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::extranonce::{ExtraNonce1, SessionSeat};
use crate::hex_digits;
use crate::hotkey::Hotkey;
use crate::ids::{ExtraNonce, TemplateId, WorkerId};
use crate::target::CompactTarget;

const FIELDS_LEN: usize = 20;
const TAG_LEN: usize = 8;
const SESSION_FIELDS_LEN: usize = 9;
const SESSION_TAG_LEN: usize = 6;
const SESSION_LEN: usize = SESSION_FIELDS_LEN + SESSION_TAG_LEN;
const RESUME_TAG_LEN: usize = 8;
/// Bytes of a job id; twice as many hex digits.
const LEN: usize = FIELDS_LEN + TAG_LEN;

/// The name of a job.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId([u8; LEN]);

/// A short stand-in for a job's name, where jobs are only told apart: its tag, which looks like chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JobMark(u64);

impl JobMark {
    /// The mark with these bits.
    pub const fn new(bits: u64) -> Self {
        Self(bits)
    }

    /// The mark that stands for all of a miner's jobs of an earlier life.
    pub fn of_restored(miner: &Hotkey) -> Self {
        let digest = Sha256::digest(miner.as_bytes());
        Self(
            digest
                .iter()
                .take(8)
                .fold(0, |bits, byte| bits << 8 | u64::from(*byte)),
        )
    }
}

impl JobId {
    /// The name with these bytes. Whether the pool made it, [`JobKey::open`] tells.
    pub const fn from_bytes(bytes: [u8; LEN]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; LEN] {
        &self.0
    }

    /// What tells this job from all others.
    pub fn mark(&self) -> JobMark {
        let mut tag = [0; TAG_LEN];
        tag.copy_from_slice(&self.0[LEN - TAG_LEN..]);
        JobMark(u64::from_be_bytes(tag))
    }
}

/// What a job id stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobFields {
    /// The template of the job.
    pub template: TemplateId,
    /// What makes its coinbase unlike every other's.
    pub extranonce: ExtraNonce,
    /// The share target, in a form that holds it exactly.
    pub share_bits: CompactTarget,
    /// The worker that it was given to.
    pub worker: WorkerId,
}

/// The secret with which the pool makes the tags of job ids.
#[derive(Clone)]
pub struct JobKey(Hmac<Sha256>);

impl fmt::Debug for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JobKey(..)")
    }
}

impl JobKey {
    /// A key from secret bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"))
    }

    fn tag(&self, fields: &[u8], owner: &Hotkey) -> [u8; TAG_LEN] {
        let mut mac = self.0.clone();
        mac.update(b"job");
        mac.update(fields);
        mac.update(owner.as_bytes());
        let digest = mac.finalize().into_bytes();
        let mut tag = [0; TAG_LEN];
        tag.copy_from_slice(&digest[..TAG_LEN]);
        tag
    }

    /// Names a job that belongs to `owner`.
    pub fn seal(&self, fields: &JobFields, owner: &Hotkey) -> JobId {
        let mut bytes = [0; LEN];
        bytes[0..4].copy_from_slice(&fields.template.get().to_be_bytes());
        bytes[4..12].copy_from_slice(&fields.extranonce.get().to_be_bytes());
        bytes[12..16].copy_from_slice(&fields.share_bits.bits().to_be_bytes());
        bytes[16..20].copy_from_slice(&fields.worker.get().to_be_bytes());
        let tag = self.tag(&bytes[..FIELDS_LEN], owner);
        bytes[FIELDS_LEN..].copy_from_slice(&tag);
        JobId(bytes)
    }

    /// What `id` stands for, if the pool gave it out to `owner`.
    pub fn open(&self, id: &JobId, owner: &Hotkey) -> Option<JobFields> {
        // A guessed tag costs a request each: 2^64 of them. Comparing in constant time costs nothing.
        let mut mac = self.0.clone();
        mac.update(b"job");
        mac.update(&id.0[..FIELDS_LEN]);
        mac.update(owner.as_bytes());
        mac.verify_truncated_left(&id.0[FIELDS_LEN..]).ok()?;
        Some(id.claims())
    }
}

impl JobId {
    /// What this name says that it stands for, whoever made it. Nothing may be credited by that; but a header built
    /// of it that meets the network's target is a block of the pool, for no name can make it one.
    pub fn claims(&self) -> JobFields {
        let word =
            |at: usize| u32::from_be_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]]);
        let extranonce = u64::from(word(4)) << 32 | u64::from(word(8));
        JobFields {
            template: TemplateId::new(word(0)),
            extranonce: ExtraNonce::new(extranonce),
            share_bits: CompactTarget::from_bits(word(12)),
            worker: WorkerId::new(word(16)),
        }
    }
}

/// The name of a job inside a Stratum session.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionJobId([u8; SESSION_LEN]);

/// What a [`SessionJobId`] stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionJob {
    /// The template of the job.
    pub template: TemplateId,
    /// The share target, in a form that holds it exactly.
    pub share_bits: CompactTarget,
    /// How often the session told the two before: a job that is told again has another time, and some firmware
    /// takes no notice of a job whose name it knows.
    pub telling: u8,
}

impl JobKey {
    fn mac_of(&self, what: &[u8], session: ExtraNonce1, fields: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(what);
        mac.update(&session.to_bytes());
        mac.update(fields);
        mac
    }

    /// Names a job of the session with this extranonce.
    pub fn seal_session_job(&self, session: ExtraNonce1, job: &SessionJob) -> SessionJobId {
        let mut bytes = [0; SESSION_LEN];
        bytes[0..4].copy_from_slice(&job.template.get().to_be_bytes());
        bytes[4..8].copy_from_slice(&job.share_bits.bits().to_be_bytes());
        bytes[8] = job.telling;
        let mac = self.mac_of(b"session job", session, &bytes[..SESSION_FIELDS_LEN]);
        let tag = mac.finalize().into_bytes();
        bytes[SESSION_FIELDS_LEN..].copy_from_slice(&tag[..SESSION_TAG_LEN]);
        SessionJobId(bytes)
    }

    /// What `id` stands for, if the pool gave it to the session with this extranonce.
    pub fn open_session_job(&self, session: ExtraNonce1, id: &SessionJobId) -> Option<SessionJob> {
        let (fields, tag) = id.0.split_at(SESSION_FIELDS_LEN);
        self.mac_of(b"session job", session, fields)
            .verify_truncated_left(tag)
            .ok()?;
        let word =
            |at: usize| u32::from_be_bytes([fields[at], fields[at + 1], fields[at + 2], fields[at + 3]]);
        Some(SessionJob {
            template: TemplateId::new(word(0)),
            share_bits: CompactTarget::from_bits(word(4)),
            telling: fields[8],
        })
    }

    /// The text with which a session's miner can later ask for the same seat again. It holds the seat's turn, so
    /// that nobody gets with it what is another's by then.
    pub fn seal_session_id(&self, seat: SessionSeat) -> String {
        let turn = seat.turn.to_be_bytes();
        let tag = self.mac_of(b"session id", seat.extranonce1, &turn);
        let tag = tag.finalize().into_bytes();
        let (session, turn) = (seat.extranonce1, seat.turn);
        format!("{session}{turn:08x}{}", hex::encode(&tag[..RESUME_TAG_LEN]))
    }

    /// The seat of the session that `text` names, if the pool named it so. (Pools that knew no turns named
    /// sessions with less: whoever shows such a name begins anew.)
    pub fn open_session_id(&self, text: &str) -> Option<SessionSeat> {
        let mut bytes = [0; 8 + RESUME_TAG_LEN];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        let (session, rest) = bytes.split_first_chunk::<4>()?;
        let (turn, tag) = rest.split_first_chunk::<4>()?;
        let extranonce1 = ExtraNonce1::from_bytes(*session)?;
        self.mac_of(b"session id", extranonce1, turn)
            .verify_truncated_left(tag)
            .ok()?;
        Some(SessionSeat {
            extranonce1,
            turn: u32::from_be_bytes(*turn),
        })
    }
}

impl fmt::Display for SessionJobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl SessionJobId {
    /// Hex digits of one.
    pub const TEXT_LEN: usize = 2 * SESSION_LEN;

    /// The id that `text` writes: lower-case hex digits. `None` if the pool never wrote it so.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; SESSION_LEN];
        // One spelling only: upper case would make a second name of the same job.
        if text.iter().any(u8::is_ascii_uppercase) {
            return None;
        }
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// The bytes as they are sent and stored.
    pub const fn as_bytes(&self) -> &[u8; SESSION_LEN] {
        &self.0
    }
}

impl fmt::Debug for SessionJobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionJobId({self})")
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobId({self})")
    }
}

/// Why a text is not a job id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a job id is 56 lower-case hex digits, as GET /v1/work gave it")]
pub struct ParseJobIdError;

impl FromStr for JobId {
    type Err = ParseJobIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        hex_digits::read(text).map(Self).ok_or(ParseJobIdError)
    }
}

#[cfg(test)]
mod tests {
    use super::super::extranonce::FrontEnd;
    use super::*;
    use proptest::prelude::*;

    fn any_fields() -> impl Strategy<Value = JobFields> {
        (any::<u32>(), any::<u64>(), any::<u32>(), any::<u32>()).prop_map(|(t, e, b, w)| JobFields {
            template: TemplateId::new(t),
            extranonce: ExtraNonce::new(e),
            share_bits: CompactTarget::from_bits(b),
            worker: WorkerId::new(w),
        })
    }

    #[test]
    fn marks_are_what_a_job_id_ends_with_and_for_restored_jobs_a_digest_begins_with() {
        let owner = Hotkey::from_bytes([6; 32]);
        // SHA-256 of 32 bytes of 6.
        assert_eq!(JobMark::of_restored(&owner), JobMark::new(0xe802_086a_d6a1_e16b));
        let fields = JobFields {
            template: TemplateId::new(1),
            extranonce: ExtraNonce::new(2),
            share_bits: CompactTarget::from_bits(3),
            worker: WorkerId::new(4),
        };
        let id = JobKey::new(&[1; 32]).seal(&fields, &owner);
        let text = id.to_string();
        let end = u64::from_str_radix(&text[text.len() - 16..], 16).unwrap();
        assert_eq!(id.mark(), JobMark::new(end));
    }

    proptest! {
        #[test]
        fn a_job_id_opens_for_its_owner_alone(fields in any_fields(), other in any::<[u8; 32]>()) {
            let key = JobKey::new(&[1; 32]);
            let owner = Hotkey::from_bytes([2; 32]);
            let id: JobId = key.seal(&fields, &owner).to_string().parse().unwrap();
            prop_assert_eq!(key.open(&id, &owner), Some(fields));
            prop_assert_eq!(key.open(&id, &Hotkey::from_bytes(other)), None);
            prop_assert_eq!(id.claims(), fields);
            prop_assert_eq!(JobKey::new(&[3; 32]).open(&id, &owner), None);
        }

        #[test]
        fn a_sessions_job_id_opens_in_its_session_alone(
            template in any::<u32>(), bits in any::<u32>(), telling in any::<u8>(),
            one in any::<u32>(), other in any::<u32>(), bit in 0..SESSION_LEN * 8,
        ) {
            let key = JobKey::new(&[1; 32]);
            let (one, other) = (ExtraNonce1::numbered(one), ExtraNonce1::numbered(other));
            let job = SessionJob {
                template: TemplateId::new(template),
                share_bits: CompactTarget::from_bits(bits),
                telling,
            };
            let id = key.seal_session_job(one, &job);
            let mut read = SessionJobId::parse(id.to_string().as_bytes()).unwrap();
            prop_assert_eq!(key.open_session_job(one, &read), Some(job));
            if one != other {
                prop_assert_eq!(key.open_session_job(other, &read), None);
            }
            read.0[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(key.open_session_job(one, &read), None);
        }

        #[test]
        fn a_session_id_gives_its_seat_back_and_no_other_text_does(
            life in any::<u32>(), number in any::<u64>(), at in 0usize..32, digit in "[0-9a-f]", junk in ".{0,40}",
        ) {
            let key = JobKey::new(&[1; 32]);
            let seat = SessionSeat::numbered(FrontEnd::default(), life, number);
            let id = key.seal_session_id(seat);
            prop_assert_eq!(key.open_session_id(&id), Some(seat));
            let mut changed = id.clone();
            changed.replace_range(at..=at, &digit);
            prop_assert_eq!(key.open_session_id(&changed).is_some(), changed == id);
            prop_assert_eq!(key.open_session_id(&junk), None);
            // As a pool before this one named its sessions.
            let tag = key.mac_of(b"session id", seat.extranonce1, &[]).finalize().into_bytes();
            let before = format!("{}{}", seat.extranonce1, hex::encode(&tag[..RESUME_TAG_LEN]));
            prop_assert_eq!(key.open_session_id(&before), None);
        }

        #[test]
        fn one_changed_bit_makes_it_nobodys(fields in any_fields(), bit in 0..LEN * 8) {
            let key = JobKey::new(&[1; 32]);
            let owner = Hotkey::from_bytes([2; 32]);
            let mut id = key.seal(&fields, &owner);
            id.0[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(key.open(&id, &owner), None);
        }
    }
}
