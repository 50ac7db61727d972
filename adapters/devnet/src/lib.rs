//! A little Bitcoin chain in the process, and a wallet on it: for demos, trials and tests.
//!
//! | module | its one job |
//! |---|---|
//! | [`chain`] | consensus, file, thread |
//! | [`wallet`] | who signs on it |

pub mod chain;
pub mod wallet;

pub use wallet::DevnetWallet;
