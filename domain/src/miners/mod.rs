//! The core of the miner manager: who mines, with what, how well, and what was seen before.
//!
//! | module | its one job |
//! |---|---|
//! | [`registry`] | miners and their workers, bans, counters, share difficulties |
//! | [`bindings`] | whose a worker's name is, where names stand for hotkeys |
//! | [`replay`] | a signed request's nonce is good once |
//! | [`recent`] | an accepted header counts once |
//! | [`newcomers`] | how many new identities one client address and its networks may bring |
//! | [`places`] | names and registrations without work: whoever takes the most gives way first |
//! | [`performance`] | work in the window that ends now |
//! | [`rejects`] | when many refused requests are too many: one ladder for Stratum and HTTP |
//! | [`rigs`] | whose shares over HTTP are mostly wrong, and until when they are kept out |
//! | `retired` | since when templates are over: a share is held against the moment at which it came |
//! | [`hashrate`] | hashes per second from the difficulty of shares |

pub mod bindings;
pub mod hashrate;
pub mod newcomers;
pub mod performance;
pub mod places;
pub mod recent;
pub mod registry;
pub mod rejects;
pub mod replay;
mod retired;
pub mod rigs;

pub use bindings::{Bindings, ForeignName, Suffix};
pub use hashrate::Hashrate;
pub use newcomers::{Newcomers, TooManyNew};
pub use performance::Performance;
pub use places::{Client, Place, Places};
pub use recent::{EarlierJobs, Quotas, RecentShares, ShareClaim, Slot};
pub use registry::{
    Ban, CountedShare, Counters, Credit, Miner, OutOfNumbers, Registry, RegistryLimits, Standing, Worker,
};
pub use replay::{NonceClaim, ReplayGuard};
pub use rigs::{KeptOutRigs, Ladders, Rig, RigAt};
