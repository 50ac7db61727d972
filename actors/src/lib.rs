//! The actors of the pool: one folder each, its messages beside it.
//!
//! Each piece of state has one actor that owns it; others send it messages through [`ask`]. An actor asks
//! only to its right: handlers, then managers, then the ledger. What several of them say stands below them all:
//! [`control`], [`live_work`]. What they need of the outside is in
//! `dwarves-ports`, as traits, so that the same actors run on a database or in a simulation.

pub mod ask;
pub mod assembly;
pub mod audit;
pub mod block_tracker;
mod chainless;
pub mod control;
pub mod exporter;
pub mod gate;
pub mod handlers;
pub mod http_gate;
pub mod identity;
pub mod ledger;
pub mod live_work;
pub mod metagraph;
pub mod meter;
pub mod miner_manager;
pub mod miner_notifier;
pub mod news;
pub mod notary;
mod notices;
pub mod notifier;
pub mod paymaster;
pub mod pool_manager;
pub mod reward_distributor;
mod setting;
pub mod spans;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod time_keeper;
mod wall_time;
pub mod work_evaluator;
pub mod work_manager;
