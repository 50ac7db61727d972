//! A share before anything of it is hashed.

use std::sync::Arc;

use super::{Candidate, Rejection, Submission};
use crate::work::{FullExtraNonce, Header, HeaderParts, Job};

/// A header that is still to be put together and hashed. Putting it together may be most of the work: a new extranonce
/// makes a new coinbase, and that a new merkle root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub(super) base: Base,
    pub(super) extranonce: FullExtraNonce,
    rolled: Rolled,
}

/// What a miner may change of a header beside its extranonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rolled {
    /// The block version.
    pub version: u32,
    /// The time in Unix seconds.
    pub time: u32,
    /// The number that was searched.
    pub nonce: u32,
}

/// What a header is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// The job's header, merkle root included.
    Header(Header),
    /// What is known without the extranonce: the merkle root is to be hashed.
    Parts(Arc<HeaderParts>),
}

impl Draft {
    /// The cheap checks of a submission.
    ///
    /// # Errors
    /// [`Rejection::TimeOutOfRange`] or [`Rejection::VersionOutOfMask`].
    pub fn new(job: &Job, submission: &Submission) -> Result<Self, Rejection> {
        Ok(Self {
            rolled: in_range(job, submission)?,
            base: Base::Header(*job.header()),
            extranonce: job.extranonce().into(),
        })
    }

    /// As [`Draft::new`], for a job whose extranonce the miner rolls: each share brings its own.
    ///
    /// # Errors
    /// As [`Draft::new`].
    pub fn rolled(job: &Job, extranonce: FullExtraNonce, submission: &Submission) -> Result<Self, Rejection> {
        let rolled = in_range(job, submission)?;
        Ok(Self::unchecked(job.template().header_parts(), extranonce, rolled))
    }

    /// A header of which nothing was checked, to find out whether it is a block, whatever becomes of its share.
    pub fn unchecked(parts: &Arc<HeaderParts>, extranonce: FullExtraNonce, rolled: Rolled) -> Self {
        Self {
            base: Base::Parts(Arc::clone(parts)),
            extranonce,
            rolled,
        }
    }

    /// Hashes it alone.
    pub fn hashed(&self) -> Candidate {
        let header = match &self.base {
            Base::Header(header) => *header,
            Base::Parts(parts) => parts.header(self.extranonce),
        };
        let header = self.finished(header);
        Candidate {
            header,
            hash: header.hash(),
            extranonce: self.extranonce,
        }
    }

    /// The header, once its merkle root is known.
    pub(super) fn finished(&self, header: Header) -> Header {
        let Rolled { version, time, nonce } = self.rolled;
        header.rolled(version, time, nonce)
    }
}

/// What the miner changed, if the job allows it.
fn in_range(job: &Job, submission: &Submission) -> Result<Rolled, Rejection> {
    let chain = job.template().chain();
    let time = submission.time.unwrap_or(chain.time);
    if time < chain.time_min || time > chain.time_max {
        return Err(Rejection::TimeOutOfRange);
    }
    let version = submission.version.unwrap_or(chain.version);
    if (version ^ chain.version) & !chain.version_mask != 0 {
        return Err(Rejection::VersionOutOfMask);
    }
    Ok(Rolled {
        version,
        time,
        nonce: submission.nonce,
    })
}
