//! JSON-RPC over HTTP, as bitcoind, litecoind and their kin speak it: for the chain and for the wallet.
//!
//! | module | its one job |
//! |---|---|
//! | `endpoint` | where a node is and how to log in: [`Endpoint`] |
//! | `transport` | one call and its answer, over one connection |
//! | `client` | calls from any thread, made one after another on a thread of their own: [`RpcClient`] |
//! | `error` | why a call gave no result, in classes that callers act on: [`RpcError`] |
//! | `coins` | amounts, from and to exact decimal texts: [`CoinAmount`] |
//!
//! A client is a thread, a queue with a bound and a connection. What must not wait for each other (a long
//! poll, a submitted block, the wallet) has a client each. Nothing is retried here but a call that was refused
//! because the cookie had changed, which is certain not to have been carried out: whether another call may be
//! repeated is the caller's to know, and [`RpcError::is_unknown`] tells when that question arises.

mod client;
mod coins;
mod endpoint;
mod error;
mod transport;

pub use client::RpcClient;
pub use coins::{CoinAmount, ParseCoinAmountError};
pub use endpoint::{Endpoint, EndpointError};
pub use error::{RpcError, WalletTrouble};

#[cfg(test)]
pub(crate) mod scripted_node;
#[cfg(test)]
mod tests;
