//! Who a connection is from: networks of addresses as operators write them, and the PROXY headers that say so for
//! clients behind a proxy.
//!
//! | module | its one job |
//! |---|---|
//! | [`network`] | a network of addresses |
//! | [`proxy`] | PROXY headers, versions 1 and 2 |

pub mod network;
pub mod proxy;

pub use network::{Network, ParseNetworkError};
