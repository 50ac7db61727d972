//! Instants, hashes, numbers and names as JSON writes them.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use dwarves_domain::ids::{HeaderHash, ParseIdError, WorkerName};
use dwarves_domain::share::Rejection;
use dwarves_domain::time::Timestamp;
use dwarves_domain::work::JobId;
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{OneOfBuilder, RefOr};
use utoipa::{PartialSchema, ToSchema};

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

impl PartialSchema for Instant {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("RFC 3339 in UTC with milliseconds"))
            .examples(["2026-11-22T14:10:57.000Z"])
            .into()
    }
}

impl ToSchema for Instant {}

/// The schema of a text that matches `pattern`.
fn text_schema(pattern: &str, description: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(pattern))
        .description(Some(description))
        .into()
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

impl PartialSchema for Hash {
    fn schema() -> RefOr<Schema> {
        text_schema(
            "^[0-9a-f]{64}$",
            "A header's hash, big-endian as explorers write it",
        )
    }
}

impl ToSchema for Hash {}

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

/// Why a share does not count, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Reason(pub &'static str);

impl PartialSchema for Reason {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("Why a share does not count"))
            .enum_values(Some(Rejection::REASONS))
            .into()
    }
}

impl ToSchema for Reason {}

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

impl PartialSchema for Word {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new()
            .item(
                ObjectBuilder::new()
                    .schema_type(Type::Integer)
                    .minimum(Some(0u32))
                    .maximum(Some(u32::MAX)),
            )
            .item(
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .pattern(Some("^[0-9a-fA-F]{8}$")),
            )
            .description(Some(
                "A 32-bit number written without fraction and exponent (1.0 and 1e0 are refused), or its 8 hex digits \
                 as Stratum writes them",
            ))
            .into()
    }
}

impl ToSchema for Word {}

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

impl PartialSchema for Worker {
    fn schema() -> RefOr<Schema> {
        text_schema("^[A-Za-z0-9._-]{1,64}$", "A worker's name")
    }
}

impl ToSchema for Worker {}
