//! What chance explains and what it does not: effort, luck, and missing blocks. For display and alarms; no money
//! depends on it, so it reckons with floats.
//!
//! | module | its one job |
//! |---|---|
//! | [`poisson`] | the chance of this many blocks or fewer |
//! | [`earnings`] | what work should have earned |
//! | [`luck`] | effort of a round, luck of a pool |
//! | [`withholding`] | whether a miner finds the blocks that its work should |
//!
//! A share of `u` units (its difficulty over the network's) is a block with chance `u`. So the work of `U` units
//! finds `U` blocks on average, and how many it does find is Poisson distributed with mean `U`, as long as single
//! shares are far easier than a block. Where they are not (a test network), the truth spreads less than Poisson,
//! so a tail of this module is too large rather than too small: it accuses too late, never too early (Hoeffding,
//! *On the distribution of the number of successes in independent trials*, 1956; tested below).

pub mod earnings;
pub mod luck;
pub mod poisson;
pub mod withholding;

pub use luck::{Luck, LuckWindow, effort_chance};
pub use withholding::{Record, power};
