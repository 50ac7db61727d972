//! Statements of work: what each miner's workers did in a stretch of time, for those who must not take it on trust.
//!
//! Time is cut into epochs, and every share belongs to exactly one: the one in which it was accepted, by the date of its
//! commit. A [`Statement`] says what an epoch's shares came to, in exact whole numbers and one canonical text, and names
//! the digest of the one before, so that none can be changed, left out or put in between without all that follow.
//!
//! | module | its one job |
//! |---|---|
//! | [`epoch`] | where epochs begin and end |
//! | [`hashes`] | work in expected hashes, exactly |
//! | [`worked`] | what shares of a time came to |
//! | [`statement`] | the text that is signed, and its digest |

pub mod epoch;
pub mod hashes;
pub mod statement;
pub mod worked;

pub use epoch::{Epoch, EpochId, EpochLength};
pub use hashes::Hashes;
pub use statement::{DOMAIN_LINE, Statement, StatementDigest};
pub use worked::{WorkOf, WorkOfAll, Worked};
