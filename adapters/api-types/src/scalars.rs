//! Instants, hashes, numbers and names as JSON writes them.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, ParseIdError, Sequence, WorkerName};
use dwarves_domain::share::Rejection;
use dwarves_domain::time::Timestamp;
use dwarves_domain::work::JobId;
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant: RFC 3339 in UTC with milliseconds, `2026-11-22T14:10:57.000Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instant(pub Timestamp);

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let millis = self.0.millis();
        // Beyond what a calendar can write (270,000 years) the nearest date it can stands in.
        let nearest = if millis < 0 {
            DateTime::<Utc>::MIN_UTC
        } else {
            DateTime::<Utc>::MAX_UTC
        };
        let instant = DateTime::from_timestamp_millis(millis).unwrap_or(nearest);
        serializer.serialize_str(&instant.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let instant = DateTime::<Utc>::deserialize(deserializer)?;
        Ok(Self(Timestamp::from_millis(instant.timestamp_millis())))
    }
}

/// A header's hash in 64 hex digits, big-endian as explorers write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hash(pub HeaderHash);

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = *self.0.as_bytes();
        bytes.reverse();
        serialize_hex::<64, S>(&bytes, serializer)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer).map(Self)
    }
}

/// A hotkey in SS58.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ss58(#[serde(with = "text")] pub Hotkey);

impl fmt::Display for Ss58 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whatever is written and read as a text of its own form.
pub(crate) mod text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, T>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
    {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

/// Writes bytes as lower-case hex without allocating; `DIGITS` is twice their number.
pub(crate) fn serialize_hex<const DIGITS: usize, S: Serializer>(
    bytes: &[u8],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    use serde::ser::Error as _;
    let mut digits = [0; DIGITS];
    hex::encode_to_slice(bytes, &mut digits).map_err(S::Error::custom)?;
    serializer.serialize_str(std::str::from_utf8(&digits).map_err(S::Error::custom)?)
}

/// Reads as many bytes as `N` from their hex digits.
pub(crate) fn deserialize_hex<'de, const N: usize, D: Deserializer<'de>>(
    what: &str,
    deserializer: D,
) -> Result<[u8; N], D::Error> {
    let mut bytes = [0; N];
    hex::decode_to_slice(String::deserialize(deserializer)?, &mut bytes)
        .map_err(|_| D::Error::custom(format_args!("expected {what} of {} hex digits", 2 * N)))?;
    Ok(bytes)
}

/// Why a share does not count, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reason(pub Cow<'static, str>);

impl Reason {
    /// Whether the header was accepted before.
    pub fn is_duplicate(&self) -> bool {
        self.0 == Rejection::Duplicate(Sequence::new(0)).reason()
    }
}

impl From<Rejection> for Reason {
    fn from(rejection: Rejection) -> Self {
        Self(Cow::Borrowed(rejection.reason()))
    }
}

/// A 32-bit number of a share: a JSON integer, or 8 hex digits as Stratum writes them (most significant
/// first).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word(pub u32);

struct WordVisitor;

impl Visitor<'_> for WordVisitor {
    type Value = Word;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer from 0 to 4294967295, or a string of 8 hex digits")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Word, E> {
        u32::try_from(number)
            .map(Word)
            .map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Word, E> {
        u32::try_from(number)
            .map(Word)
            .map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Word, E> {
        let mut bytes = [0; 4];
        hex::decode_to_slice(text, &mut bytes)
            .map(|()| Word(u32::from_be_bytes(bytes)))
            .map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordVisitor)
    }
}

impl Serialize for Word {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.0)
    }
}

/// The name of a job; `None` if the text is not in its form, which is then a job that nobody was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobName(pub Option<JobId>);

struct JobNameVisitor;

impl Visitor<'_> for JobNameVisitor {
    type Value = JobName;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a job_id as GET /v1/work gave it (a string)")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<JobName, E> {
        Ok(JobName(text.parse().ok()))
    }
}

impl<'de> Deserialize<'de> for JobName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(JobNameVisitor)
    }
}

impl Serialize for JobName {
    /// What is no job's name is written as the empty text, which is none either.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(job_id) => serializer.collect_str(&job_id),
            None => serializer.serialize_str(""),
        }
    }
}

/// A worker's name in a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker(pub WorkerName);

struct WorkerVisitor;

impl Visitor<'_> for WorkerVisitor {
    type Value = Worker;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a worker's name (a string)")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Worker, E> {
        text.parse()
            .map(Worker)
            .map_err(|error: ParseIdError| E::custom(error))
    }
}

impl<'de> Deserialize<'de> for Worker {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(WorkerVisitor)
    }
}

impl Serialize for Worker {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}
