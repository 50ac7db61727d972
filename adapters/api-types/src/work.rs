//! Work, shares and their verdicts.

use dwarves_domain::share::Submission;
use dwarves_domain::target::Target;
use dwarves_domain::time::Timestamp;
use dwarves_domain::work::{Algorithm, Header, Job, JobId};
use serde::{Deserialize, Serialize};

use crate::object::Object;
use crate::scalars::{Hash, Instant, JobName, Reason, Word, Worker, text};

/// What one request brings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SubmitBody {
    /// Which machine; if given, the one that the jobs were given to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<Worker>,
    /// The shares, at most 1,000.
    #[cfg_attr(feature = "schema", schema(max_items = 1_000, value_type = Vec<ShareBody>))]
    pub shares: Vec<Object<ShareBody>>,
}

/// One share of a request.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ShareBody {
    /// The job, as `GET /v1/work` gave it.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub job_id: JobName,
    /// The header's nonce.
    pub nonce: Word,
    /// The header's time, if it was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Word>,
    /// The header's version, if it was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Word>,
}

impl From<Submission> for ShareBody {
    fn from(share: Submission) -> Self {
        Self {
            job_id: JobName(Some(share.job_id)),
            nonce: Word(share.nonce),
            time: share.time.map(Word),
            version: share.version.map(Word),
        }
    }
}

impl From<ShareBody> for Option<Submission> {
    /// `None` if the job's name is not in the form of one.
    fn from(body: ShareBody) -> Self {
        body.job_id.0.map(|job_id| Submission {
            job_id,
            nonce: body.nonce.0,
            time: body.time.map(|Word(time)| time),
            version: body.version.map(|Word(version)| version),
        })
    }
}

/// Work, ready to hash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Work {
    /// The job's name, for submitting its shares.
    #[serde(with = "text")]
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub job_id: JobId,
    /// How to hash: `sha256d` or `scrypt`.
    #[serde(with = "text")]
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub algorithm: Algorithm,
    /// The height of the block that is searched.
    pub height: u32,
    /// The 80 bytes of the header in hex, with nonce 0. The nonce is bytes 76..80, the time 68..72, the
    /// version 0..4, all little-endian.
    #[serde(with = "header_hex")]
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub header: Header,
    /// The bits of the version that may be changed, in 8 hex digits.
    #[serde(with = "mask_hex")]
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "1fffe000"))]
    pub version_mask: u32,
    /// The earliest time that the header may have, in Unix seconds.
    pub time_min: u32,
    /// The latest time that the header may have, in Unix seconds.
    pub time_max: u32,
    /// The target that a share's hash must not exceed, big-endian.
    #[serde(with = "target_hex")]
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub share_target: Target,
    /// The same as a difficulty (0xffff << 208 over the target).
    pub share_difficulty: f64,
    /// The target that a block's hash must not exceed, big-endian.
    #[serde(with = "target_hex")]
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub network_target: Target,
    /// Until when its shares are taken at the latest.
    pub expires_at: Instant,
}

impl Work {
    /// The job as its miner sees it; `share_difficulty` is its difficulty as it is shown.
    pub fn new(job: &Job, algorithm: Algorithm, share_difficulty: f64, expires_at: Timestamp) -> Self {
        let chain = job.template().chain();
        Self {
            job_id: job.id(),
            algorithm,
            height: chain.height,
            header: *job.header(),
            version_mask: chain.version_mask,
            time_min: chain.time_min,
            time_max: chain.time_max,
            share_target: job.share_target(),
            share_difficulty,
            network_target: job.template().network_target(),
            expires_at: Instant(expires_at),
        }
    }
}

/// A header in hex.
mod header_hex {
    use dwarves_domain::work::Header;
    use serde::{Deserializer, Serializer};

    use crate::scalars::{deserialize_hex, serialize_hex};

    pub(super) fn serialize<S: Serializer>(header: &Header, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_hex::<{ 2 * Header::LEN }, S>(header.as_bytes(), serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Header, D::Error> {
        deserialize_hex("a header", deserializer).map(Header::from_bytes)
    }
}

/// Bits of a version in hex.
mod mask_hex {
    use serde::{Deserializer, Serializer};

    use crate::scalars::{deserialize_hex, serialize_hex};

    pub(super) fn serialize<S: Serializer>(mask: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_hex::<8, S>(&mask.to_be_bytes(), serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        deserialize_hex("a version mask", deserializer).map(u32::from_be_bytes)
    }
}

/// A target in hex.
mod target_hex {
    use dwarves_domain::target::Target;
    use serde::Serializer;

    use crate::scalars::serialize_hex;
    pub(super) use crate::scalars::text::deserialize;

    pub(super) fn serialize<S: Serializer>(target: &Target, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_hex::<64, S>(&target.to_be_bytes(), serializer)
    }
}

/// A verdict for each share, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SubmitAnswer {
    /// One verdict for each share, in the order of the request.
    pub results: Vec<ShareResult>,
}

/// The verdict on one share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum ShareResult {
    /// It counts and is on disk.
    Accepted {
        /// The header's hash, which names the share.
        share_id: Hash,
        /// The difficulty that it was issued with, which is what it counts for.
        share_difficulty: f64,
        /// Its place in the ledger.
        sequence: u64,
        /// Whether it is a block.
        block: bool,
    },
    /// It does not count.
    Rejected {
        /// Why it does not count.
        reason: Reason,
        /// Why, for people.
        detail: String,
        /// With `duplicate`: the place in the ledger of the first, which counts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sequence: Option<u64>,
    },
}
