//! wip
mod chain_state;
mod coins;
mod consensus;
mod genesis;
mod mempool;
mod params;
mod search;
mod tree;
pub use chain_state::{ChangeError, ClockBehind, DevnetState};
pub use coins::Coin;
pub use consensus::Refusal;
pub use params::{ADDRESS_FORMAT, DevnetParams, ParamsError};
