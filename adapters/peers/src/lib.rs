//! Who a connection is from: the PROXY headers (versions 1 and 2) that say so for clients behind a proxy.

pub mod arrival;
pub mod proxy;
