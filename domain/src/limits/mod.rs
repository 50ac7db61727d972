//! How much of something there may be, and whose: pure counters, whose owner tells them the time.
//!
//! | module | its one job |
//! |---|---|
//! | [`bucket`] | this many in a period, with one period's worth saved up |
//! | [`keyed`] | the same for each key, for a bounded number of keys |
//! | [`permits`] | how many may be under way, in all and of one client |

pub mod bucket;
pub mod keyed;
pub mod permits;

pub use bucket::{Empty, Rate, TokenBucket};
pub use keyed::KeyedLimiter;
pub use permits::{SharedLimit, SharedPermits};
