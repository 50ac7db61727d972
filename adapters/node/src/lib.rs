//! The operator's nodes: JSON-RPC with them, the chain that they follow, and the wallet in one of them.
//!
//! | module | its one job |
//! |---|---|
//! | [`rpc`] | one call, its error's class, exact amounts |
//! | [`chain`] | following, choosing, testing, submitting, and which chain the nodes are on |
//! | [`wallet`] | who signs: a node's wallet |

pub mod chain;
pub mod rpc;
pub mod wallet;

pub use wallet::NodeWallet;
