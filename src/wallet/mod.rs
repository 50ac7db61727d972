//! Wallets that pay miners.
//!
//! | module | its one job |
//! |---|---|
//! | [`devnet`] | the pool's own wallet on the embedded chain |
//! | [`node`] | a node's wallet over JSON-RPC |

pub mod devnet;
pub mod node;

pub use devnet::DevnetWallet;
pub use node::NodeWallet;
