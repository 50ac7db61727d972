//! The core of the miner manager: who mines, with what, how well, and what was seen before.
//!
//! | module | its one job |
//! |---|---|
//! | [`registry`] | miners and their workers, bans, counters, share difficulties |
//! | [`replay`] | a signed request's nonce is good once |
//! | [`recent`] | an accepted header counts once |
//! | [`newcomers`] | how many new identities one client address may bring |
//! | [`performance`] | work in the window that ends now |
//! | [`hashrate`] | hashes per second from the difficulty of shares |

pub mod hashrate;
pub mod newcomers;
pub mod performance;
pub mod recent;
pub mod registry;
pub mod replay;

pub use hashrate::Hashrate;
pub use newcomers::{Newcomers, TooManyNew};
pub use performance::Performance;
pub use recent::{RecentShares, ShareClaim, Slot};
pub use registry::{Ban, CountedShare, Counters, Miner, Registry, RegistryLimits, Standing, Worker};
pub use replay::{NonceClaim, ReplayGuard};
