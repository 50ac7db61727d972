//! Who does what a store is asked.

use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{StoreFuture, StoredState, Write, Written};

use super::error::Outcome;

/// Applies and answers what a store is asked, on its own threads or on the caller's.
pub(super) trait Mode: Send + Sync + 'static {
    /// Begins a new life.
    fn start(&self, now: Timestamp) -> StoreFuture<StoredState>;

    /// Applies all of the writes or nothing.
    fn commit(&self, writes: Vec<Write>) -> StoreFuture<Vec<Written>>;

    /// Answers a question of this name.
    fn read<T: Send + 'static>(
        &self,
        name: &'static str,
        read: impl FnOnce(&rusqlite::Connection) -> Outcome<T> + Send + 'static,
    ) -> StoreFuture<T>;
}
