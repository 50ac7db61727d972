//! How the Stratum server works, in its own terms.

use std::net::SocketAddr;

use dwarves_domain::network::Subnet;
use dwarves_domain::time::Span;
use tokio_rustls::TlsAcceptor;

use super::conversation::Rules;

/// A port that miners connect to.
#[derive(Clone)]
pub struct Listener {
    /// The address that was bound.
    pub address: SocketAddr,
    /// What holds for its sessions.
    pub rules: Rules,
    /// TLS, if it is spoken here.
    pub tls: Option<TlsAcceptor>,
    /// Proxies that tell their clients' addresses.
    pub proxies: Vec<Subnet>,
}

/// How much one session may hold, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct SessionLimits {
    /// Bytes that miners roll.
    pub extranonce2_len: usize,
    /// Bytes that wait for a miner that does not read.
    pub unread_max: usize,
    /// The time until a session has subscribed and authorized.
    pub handshake: Span,
    /// The time for which a session may be silent.
    pub idle: Span,
}
