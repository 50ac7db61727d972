//! Wallets that pay miners.
//!
//! | module | its one job |
//! |---|---|
//! | [`devnet`] | the pool's own wallet on the embedded chain |

pub mod devnet;

pub use devnet::DevnetWallet;
