//! What the threads of a run tell the caller's thread.

use super::progress::Money;
use super::transport::ApiError;

/// Why a run ended before it was told to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MinerError {
    /// The pool refuses for good.
    #[error("the pool does not let this miner mine")]
    Pool(#[source] ApiError),
    /// The operating system gives no threads.
    #[error("cannot start a thread: {0}")]
    Thread(String),
}

/// What the threads tell the caller's thread.
#[derive(Debug)]
pub(super) enum Event {
    Work {
        height: u32,
        share_difficulty: f64,
    },
    Verdicts {
        accepted: u64,
        blocks: u64,
        rejected: Vec<String>,
        waiting: u64,
    },
    /// The pool answers again.
    Reached,
    Money(Money),
    Trouble(String),
    ClockIsOff(String),
    Fatal(MinerError),
}
