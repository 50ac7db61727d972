//! What the lines of the log belong to that a session says.

use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpStream;
use tracing::field::{Empty, display};
use tracing::{Level, Span};

use super::StratumSession;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::work::ExtraNonce1;

/// The span of a session: whose connection it is, and what becomes known of it.
pub(super) fn of(stream: &TcpStream, ip: IpAddr) -> Span {
    // The port tells the sessions of one address apart.
    let peer = || match stream.peer_addr() {
        Ok(peer) => SocketAddr::new(ip, peer.port()).to_string(),
        Err(_) => ip.to_string(),
    };
    dwarves_actors::span!(
        Level::ERROR,
        "session",
        peer = peer(),
        client = Empty,
        session = Empty,
        miner = Empty,
        worker = Empty
    )
}

impl StratumSession {
    /// A proxy, which is the peer, said for whom it speaks.
    pub(super) fn span_has_client(&self, client: SocketAddr) {
        self.span.record("client", display(client));
    }

    /// It has its extranonce.
    pub(super) fn span_has_extranonce(&self, extranonce1: ExtraNonce1) {
        self.span.record("session", display(extranonce1));
    }

    /// A worker is in. A proxy may bring several; the last one is told.
    pub(super) fn span_has_worker(&self, miner: Hotkey, user: &str) {
        self.span.record("miner", display(miner));
        self.span.record("worker", user);
    }
}
