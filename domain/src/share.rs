//! A share: what a miner submits, and the verdict on it.
//!
//! [`check`] judges what can be judged from the job alone: ranges and proof of work. Whether the job is still
//! live and whether the share was seen before is its owner's to say; they add the other [`Rejection`]s. On its way a
//! share is a [`Draft`], a [`Candidate`], a [`ProvenShare`] or a [`RejectedShare`], and in the end a [`ShareVerdict`].
//! Many drafts are hashed at once by a [`ShareHasher`].

use std::fmt;
use std::sync::Arc;

use crate::ids::{HeaderHash, Sequence, WorkerId};
use crate::target::Difficulty;
use crate::work::{Algorithm, FullExtraNonce, Header, Job, JobId};

mod candidate;
mod draft;
mod hasher;

pub use candidate::Candidate;
pub use draft::{Draft, Rolled};
pub use hasher::ShareHasher;

/// A solution as a miner submits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submission {
    /// The job that was worked on.
    pub job_id: JobId,
    /// The header's nonce.
    pub nonce: u32,
    /// The header's time, if it was changed.
    pub time: Option<u32>,
    /// The header's version, if it was changed.
    pub version: Option<u32>,
}

/// Why a share does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rejection {
    /// The pool gave this job to nobody, or to another miner.
    UnknownJob,
    /// The job's block was found already, or its time is over.
    Stale,
    /// The same header was accepted before; it counts once, as this sequence number.
    Duplicate(Sequence),
    /// The hash does not meet the job's share target.
    LowDifficulty,
    /// The header's time is outside the job's bounds.
    TimeOutOfRange,
    /// The header's version differs in a bit that the job does not let miners change.
    VersionOutOfMask,
    /// The job was given to another worker of this miner: for this one it is unknown.
    OtherWorker,
    /// The job brought as many shares as one may: it is over. New work is harder.
    JobFull {
        /// The difficulty that the job was issued with.
        issued: Difficulty,
    },
}

impl Rejection {
    /// Every reason's name, in a fixed order, as counters keep them.
    pub const REASONS: [&'static str; 6] = [
        "unknown_job",
        "stale",
        "duplicate",
        "low_difficulty",
        "time_out_of_range",
        "version_out_of_mask",
    ];

    /// The place of this reason in [`Rejection::REASONS`].
    pub const fn index(self) -> usize {
        match self {
            Self::UnknownJob | Self::OtherWorker => 0,
            Self::Stale | Self::JobFull { .. } => 1,
            Self::Duplicate(_) => 2,
            Self::LowDifficulty => 3,
            Self::TimeOutOfRange => 4,
            Self::VersionOutOfMask => 5,
        }
    }

    /// Whether the share counts on the ladder of refused shares. A late one is the network's fault more than the miner's,
    /// and a share of another worker's job or of one too many says nothing about the rig.
    pub const fn is_wrong(self) -> bool {
        !matches!(self, Self::Stale | Self::OtherWorker | Self::JobFull { .. })
    }

    /// The reason's name on the wire.
    pub const fn reason(self) -> &'static str {
        Self::REASONS[self.index()]
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownJob => "the pool gave no such job to this miner",
            Self::Stale => "the job is over: a newer block is being searched",
            Self::Duplicate(first) => {
                return write!(
                    f,
                    "this header was accepted before, as sequence {first}, and counts once"
                );
            }
            Self::LowDifficulty => "the header's hash is above the job's share target",
            Self::TimeOutOfRange => "the header's time is outside the job's time_min and time_max",
            Self::VersionOutOfMask => "the version differs outside the job's version_mask",
            Self::OtherWorker => "the job was given to another worker of this miner",
            Self::JobFull { .. } => {
                "the job is over: it brought as many shares as one may (limits.recent_shares_per_job_times); new work is harder"
            }
        })
    }
}

/// A header that meets its job's share target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The header as it was hashed.
    pub header: Header,
    /// Its SHA-256d, which names the share (and the block, if it is one).
    pub hash: HeaderHash,
    /// The extranonce in its coinbase.
    pub extranonce: FullExtraNonce,
    /// Whether it meets the network's target too: a block.
    pub is_block: bool,
}

/// A share that meets its job's share target, with its job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenShare {
    /// The job.
    pub job: Arc<Job>,
    /// The proof of work.
    pub proof: Proof,
}

/// A share that does not count. Whoever finds it wrong says so once; it is handed on like this until it is counted and
/// its miner is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RejectedShare {
    /// Why it does not count.
    pub reason: Rejection,
    /// Whose it is, if that is known.
    pub worker: Option<WorkerId>,
}

/// A share that counts and is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptedShare {
    /// The header's hash, which names the share.
    pub hash: HeaderHash,
    /// The difficulty that it was issued with.
    pub share_difficulty: Difficulty,
    /// Its place in the ledger.
    pub sequence: Sequence,
    /// Whether it is a block.
    pub is_block: bool,
}

/// What a share's miner is told of it.
pub type ShareVerdict = Result<AcceptedShare, Rejection>;

/// Judges `submission` by its job alone: first the cheap checks, then the hash.
///
/// `pow` is the proof-of-work hash of an algorithm other than SHA-256d; it is asked for only when needed.
///
/// # Errors
/// [`Rejection::TimeOutOfRange`], [`Rejection::VersionOutOfMask`] or [`Rejection::LowDifficulty`].
pub fn check(
    job: &Job,
    submission: &Submission,
    algorithm: Algorithm,
    pow: impl FnOnce(&Header) -> HeaderHash,
) -> Result<Proof, Rejection> {
    let candidate = Draft::new(job, submission)?.hashed();
    candidate.judged(job, algorithm, pow)
}

/// As [`check`], for a job whose extranonce the miner rolls: each share brings its own.
///
/// # Errors
/// As [`check`].
pub fn check_rolled(
    job: &Job,
    extranonce: FullExtraNonce,
    submission: &Submission,
    algorithm: Algorithm,
    pow: impl FnOnce(&Header) -> HeaderHash,
) -> Result<Proof, Rejection> {
    let candidate = Draft::rolled(job, extranonce, submission)?.hashed();
    candidate.judged(job, algorithm, pow)
}

#[cfg(test)]
mod tests;
