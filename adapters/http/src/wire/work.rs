//! Work, shares and their verdicts.

use std::fmt;

use dwarves_domain::share::{AcceptedShare, ShareVerdict};
use dwarves_domain::share::{Rejection, Submission};
use dwarves_domain::target::Target;
use dwarves_domain::time::Timestamp;
use dwarves_domain::work::{Algorithm, Header, Job, JobId};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

use super::object::Object;
use super::scalars::{Hash, Instant, JobName, Reason, Word, Worker, serialize_hex};
use crate::problem::BLOCK_SUBMITTED;

/// What one request brings.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitBody {
    /// Which machine; if given, the one that the jobs were given to.
    #[serde(default)]
    pub worker: Option<Worker>,
    /// The shares, at most 1,000.
    #[schema(max_items = 1_000, value_type = Vec<ShareBody>)]
    pub shares: Vec<Object<ShareBody>>,
}

/// One share of a request.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShareBody {
    /// The job, as `GET /v1/work` gave it.
    #[schema(value_type = String)]
    pub job_id: JobName,
    /// The header's nonce.
    pub nonce: Word,
    /// The header's time, if it was changed.
    #[serde(default)]
    pub time: Option<Word>,
    /// The header's version, if it was changed.
    #[serde(default)]
    pub version: Option<Word>,
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
#[derive(Debug, Serialize, ToSchema)]
pub struct Work {
    /// The job's name, for submitting its shares.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String)]
    job_id: JobId,
    /// How to hash: `sha256d` or `scrypt`.
    algorithm: &'static str,
    /// The height of the block that is searched.
    height: u32,
    /// The 80 bytes of the header in hex, with nonce 0. The nonce is bytes 76..80, the time 68..72, the
    /// version 0..4, all little-endian.
    #[serde(serialize_with = "header_hex")]
    #[schema(value_type = String)]
    header: Header,
    /// The bits of the version that may be changed, in 8 hex digits.
    #[serde(serialize_with = "mask_hex")]
    #[schema(value_type = String, example = "1fffe000")]
    version_mask: u32,
    /// The earliest time that the header may have, in Unix seconds.
    time_min: u32,
    /// The latest time that the header may have, in Unix seconds.
    time_max: u32,
    /// The target that a share's hash must not exceed, big-endian.
    #[serde(serialize_with = "target_hex")]
    #[schema(value_type = String)]
    share_target: Target,
    /// The same as a difficulty (0xffff << 208 over the target).
    share_difficulty: f64,
    /// The target that a block's hash must not exceed, big-endian.
    #[serde(serialize_with = "target_hex")]
    #[schema(value_type = String)]
    network_target: Target,
    /// Until when its shares are taken at the latest.
    expires_at: Instant,
}

impl Work {
    /// The job as its miner sees it.
    pub fn new(job: &Job, algorithm: Algorithm, expires_at: Timestamp) -> Self {
        let chain = job.template().chain();
        Self {
            job_id: job.id(),
            algorithm: algorithm.as_str(),
            height: chain.height,
            header: *job.header(),
            version_mask: chain.version_mask,
            time_min: chain.time_min,
            time_max: chain.time_max,
            share_target: job.share_target(),
            share_difficulty: job.share_difficulty().shown(),
            network_target: job.template().network_target(),
            expires_at: Instant(expires_at),
        }
    }
}

fn display<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn header_hex<S: Serializer>(header: &Header, serializer: S) -> Result<S::Ok, S::Error> {
    serialize_hex::<{ 2 * Header::LEN }, S>(header.as_bytes(), serializer)
}

fn mask_hex<S: Serializer>(mask: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    serialize_hex::<8, S>(&mask.to_be_bytes(), serializer)
}

fn target_hex<S: Serializer>(target: &Target, serializer: S) -> Result<S::Ok, S::Error> {
    serialize_hex::<64, S>(&target.to_be_bytes(), serializer)
}

/// A verdict for each share, in order.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubmitAnswer {
    /// One verdict for each share, in the order of the request.
    pub results: Vec<ShareResult>,
}

/// The verdict on one share.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
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
        #[serde(serialize_with = "display")]
        #[schema(value_type = String)]
        detail: Detail,
        /// With `duplicate`: the place in the ledger of the first, which counts.
        #[serde(skip_serializing_if = "Option::is_none")]
        sequence: Option<u64>,
    },
}

/// Why a share does not count, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detail {
    why: Rejection,
    /// It is a block, which was submitted all the same.
    is_block: bool,
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)?;
        if self.is_block {
            write!(f, "; {BLOCK_SUBMITTED}")?;
        }
        Ok(())
    }
}

impl ShareResult {
    /// What became of a share. `is_block`: it does not count, and is a block that was submitted all the same.
    pub fn new(verdict: ShareVerdict, is_block: bool) -> Self {
        match verdict {
            Ok(AcceptedShare {
                hash,
                share_difficulty,
                sequence,
                is_block,
            }) => Self::Accepted {
                share_id: Hash(hash),
                share_difficulty: share_difficulty.shown(),
                sequence: sequence.get(),
                block: is_block,
            },
            Err(why) => Self::Rejected {
                reason: Reason(why.reason()),
                detail: Detail { why, is_block },
                sequence: match why {
                    Rejection::Duplicate(first) => Some(first.get()),
                    _ => None,
                },
            },
        }
    }
}
