//! A header that was hashed, before it is compared with a target.

use super::{Proof, Rejection};
use crate::ids::HeaderHash;
use crate::work::{Algorithm, FullExtraNonce, Header, Job};

/// A header with its name, of which is to be found out whether it is a share, a block, or neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub(super) header: Header,
    pub(super) hash: HeaderHash,
    pub(super) extranonce: FullExtraNonce,
}

impl Candidate {
    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The SHA-256d of the header, which names the share.
    pub fn hash(&self) -> HeaderHash {
        self.hash
    }

    /// The extranonce in its coinbase.
    pub fn extranonce(&self) -> FullExtraNonce {
        self.extranonce
    }

    /// Judges by the header's proof-of-work hash.
    ///
    /// # Errors
    /// [`Rejection::LowDifficulty`].
    pub fn prove(self, job: &Job, pow_hash: &HeaderHash) -> Result<Proof, Rejection> {
        if !job.share_target().is_met_by(pow_hash) {
            return Err(Rejection::LowDifficulty);
        }
        Ok(Proof {
            header: self.header,
            hash: self.hash,
            extranonce: self.extranonce,
            is_block: job.template().network_target().is_met_by(pow_hash),
        })
    }

    /// Judges by the proof-of-work hash of this algorithm, which is made by `pow` if it is another than the name.
    pub(super) fn judged(
        self,
        job: &Job,
        algorithm: Algorithm,
        pow: impl FnOnce(&Header) -> HeaderHash,
    ) -> Result<Proof, Rejection> {
        let pow_hash = match algorithm {
            Algorithm::Sha256d => self.hash,
            Algorithm::Scrypt => pow(&self.header),
        };
        self.prove(job, &pow_hash)
    }
}
