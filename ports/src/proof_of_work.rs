//! Hashing that takes too long for the thread that reads requests, as a trait: the threads are outside.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use dwarves_domain::ids::HeaderHash;
use dwarves_domain::work::{Algorithm, Header};

use dwarves_domain::source::Source;

/// Proof-of-work hashes that are still to come, in the order of their headers.
pub type HashesFuture = Pin<Box<dyn Future<Output = Result<Vec<HeaderHash>, NotHashed>>>>;

/// A [`ProofOfWork`] shared by those who ask it.
pub type SharedProofOfWork = Arc<dyn ProofOfWork>;

/// Why headers were not hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotHashed {
    /// As many headers of this source wait as may.
    #[error("too many shares wait to be hashed")]
    TooMany,
    /// The hashing ended.
    #[error("the hashing ended")]
    Ended,
}

/// Makes proof-of-work hashes. Implementations answer from any thread.
pub trait ProofOfWork: Send + Sync + 'static {
    /// How headers are hashed.
    fn algorithm(&self) -> Algorithm;

    /// Hashes headers elsewhere. Sources take turns, and only who has filled the queue is refused.
    fn hash(&self, source: Source, headers: Vec<Header>) -> HashesFuture;
}

/// Hashes at once, on the thread that asks: right for an algorithm as quick as SHA-256d.
#[derive(Clone, Copy, Debug, Default)]
pub struct HashHere(pub Algorithm);

impl ProofOfWork for HashHere {
    fn algorithm(&self) -> Algorithm {
        self.0
    }

    fn hash(&self, _: Source, headers: Vec<Header>) -> HashesFuture {
        let hashes = headers.iter().map(|header| self.0.pow_hash(header)).collect();
        Box::pin(std::future::ready(Ok(hashes)))
    }
}
