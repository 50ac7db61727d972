//! What tests of the pool need of the outside: clocks that are told the time, a chain and a wallet without a network,
//! stores that take their time or fail, and shares that cost next to nothing. It knows the ports and no actor; the
//! simulation and the block machine, which run the actors on it, are its tests.
//!
//! | module | its one job |
//! |---|---|
//! | [`build`] | templates, jobs and mined shares |
//! | [`chain`] | a chain in memory that reorganises, stalls and loses answers as it is told |
//! | [`clock`] | a clock that is set by hand, and one that follows the runtime's (virtual) time |
//! | [`crash`] | a moment at which the process is killed |
//! | [`faulty_chain`] | a chain of which one call fails, in every way that calls fail |
//! | [`contract`] | what every store must do |
//! | [`faulty_store`] | a store that fails as it is told |
//! | [`fenced_store`] | a store that several write, of whom one leads |
//! | [`mod@free_port`] | ports for servers that must be told theirs |
//! | [`fuzz_corpus`] | what the fuzz targets begin with |
//! | [`histories`] | random histories, to which all stores must give the same answers |
//! | [`halt`] | an emergency stop that only says why |
//! | [`passage`] | what lies before a store |
//! | [`paced_store`] | a store whose commits wait for a gate, or for a while |
//! | [`refusals`] | one of each refusal |
//! | [`prng`] | numbers that look random and follow from a seed |
//! | [`wallet`] | a wallet with a little chain behind it |
//! | [`faulty_wallet`] | a wallet that fails as it is told |

pub mod build;
pub mod chain;
pub mod clock;
pub mod contract;
pub mod crash;
pub mod faulty_chain;
pub mod faulty_store;
pub mod faulty_wallet;
pub mod fenced_store;
pub mod free_port;
pub mod fuzz_corpus;
pub mod halt;
pub mod histories;
pub mod paced_store;
pub mod passage;
pub mod prng;
pub mod refusals;
pub mod wallet;

pub use chain::TestChain;
pub use clock::{ManualClock, SimClock};
pub use crash::CrashPoint;
pub use faulty_chain::{ChainFault, FaultyChain};
pub use faulty_wallet::{FaultyWallet, WalletFault};
pub use free_port::free_port;
pub use halt::RecordingHalt;
pub use paced_store::{Gate, PacedStore};
pub use prng::{Prng, fresh_seeds};
pub use wallet::TestWallet;

/// Lets every actor do all that it can do now. For runtimes whose time is paused: it passes one millisecond,
/// which happens only once nobody has anything left to do.
pub async fn settle() {
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
}
