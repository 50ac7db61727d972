//! What the actors need of the outside, as traits and as the rows that cross them. No actix here: a store, a chain or
//! a wallet knows nothing of actors.
//!
//! | module | its one job |
//! |---|---|
//! | [`store`] | the ledger's store: what is written in one transaction, and what can be read |
//! | [`chain`] | the chain: templates, tips, blocks and what became of them |
//! | [`wallet`] | who builds, signs and sends transactions |
//! | [`proof_of_work`] | hashing that takes too long for the thread that reads requests |
//! | [`clock`] | running time, and the date |
//! | [`courier`] | telling people outside |
//! | [`signer`] | signing with the pool's own hotkey |
//! | [`evaluator`] | what submitted work is worth, where it is not proof of work |
//! | [`fronts`] | the processes that share one ledger, and which of them leads |
//! | [`halt`] | the emergency stop |

pub mod chain;
pub mod clock;
pub mod courier;
pub mod evaluator;
pub mod fronts;
pub mod halt;
pub mod proof_of_work;
pub mod signer;
pub mod store;
pub mod wallet;
