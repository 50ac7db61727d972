//! A CPU miner that speaks the pool's HTTP API and nothing else: what any miner can do, no more.
//!
//! | module | its one job |
//! |---|---|
//! | [`hasher`] | hashing over the nonces of a header, several at once |
//! | [`search`] | which headers of a job to try next: nonces, then time, then version bits |
//! | [`transport`] | one HTTP request and its answer, or the problem it tells |
//! | [`api`] | the pool's routes: registration, sessions, work, shares |
//! | [`progress`] | what a run has come to so far |
//! | [`run`](mod@run) | the threads of a run and what they tell each other |
//! | `events` | what those tell the caller's thread |
//! | `digger`, `fetcher`, `submitter` | one thread each: hashing, fetching work, submitting shares |
//! | `backoff` | how long to wait after a failure |
//!
//! No state is shared but counters: threads send each other messages.

pub mod api;
mod backoff;
mod events;
mod expiry;
mod fetcher;
pub mod hasher;
mod hashing_thread;
pub mod progress;
pub mod run;
pub mod search;
mod submitter;
pub mod transport;

pub use events::MinerError;
pub use progress::{Money, Progress};
pub use run::{MinerOptions, run};

#[cfg(any(test, feature = "testing"))]
pub mod scripted_pool;
#[cfg(test)]
mod tests;
