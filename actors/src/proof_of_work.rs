//! Hashing that takes too long for the thread that reads requests, as a trait: the threads are outside.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use dwarves_domain::ids::HeaderHash;
use dwarves_domain::work::{Algorithm, Header};

/// Proof-of-work hashes that are still to come, in the order of their headers; `None` if the hashing ended.
pub type HashesFuture = Pin<Box<dyn Future<Output = Option<Vec<HeaderHash>>>>>;

/// A [`ProofOfWork`] shared by those who ask it.
pub type SharedProofOfWork = Arc<dyn ProofOfWork>;

/// As many headers wait as may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many shares wait to be hashed")]
pub struct TooMany;

/// Makes proof-of-work hashes. Implementations answer from any thread.
pub trait ProofOfWork: Send + Sync + 'static {
    /// How headers are hashed.
    fn algorithm(&self) -> Algorithm;

    /// Hashes headers elsewhere.
    ///
    /// # Errors
    /// If too many wait.
    fn hash(&self, headers: Vec<Header>) -> Result<HashesFuture, TooMany>;
}

/// Hashes at once, on the thread that asks: right for an algorithm as quick as SHA-256d.
#[derive(Clone, Copy, Debug, Default)]
pub struct HashHere(pub Algorithm);

impl ProofOfWork for HashHere {
    fn algorithm(&self) -> Algorithm {
        self.0
    }

    fn hash(&self, headers: Vec<Header>) -> Result<HashesFuture, TooMany> {
        let hashes = headers.iter().map(|header| self.0.pow_hash(header)).collect();
        Ok(Box::pin(std::future::ready(Some(hashes))))
    }
}
