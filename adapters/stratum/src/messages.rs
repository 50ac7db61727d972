//! What the acceptor, the threads behind it and the sessions tell each other.

use std::net::IpAddr;
use std::sync::Arc;

use actix::prelude::*;
use dwarves_actors::ask::Request;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerName;
use dwarves_domain::work::SessionSeat;

use super::connection_limiter::{AddressSeat, Lease, NoSeat, Place};

/// A connection that was let in.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Newcomer {
    /// The accepted connection.
    pub stream: std::net::TcpStream,
    /// Where it comes from.
    pub ip: IpAddr,
    /// By which listener.
    pub listener: usize,
    /// Its places: among all, and among those of its listener.
    pub places: (Place, Place),
    /// Its address's places; a proxy's connection has none until it told for whom it is.
    pub address_seat: Option<AddressSeat>,
}

/// Asks for an extranonce: that of an earlier session, if its miner showed its id, or else a new one. It is asked
/// for when a miner subscribes: a connection alone takes none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakeExtraNonce {
    /// The session to go on as.
    pub earlier: Option<SessionSeat>,
}

impl Request for TakeExtraNonce {
    /// Of the earlier session's seat, or a new one if it is another's by now.
    type Reply = Arc<Lease>;
}

/// Asks for the places of an address that a proxy told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admit(pub IpAddr);

impl Request for Admit {
    type Reply = Result<AddressSeat, NoSeat>;
}

/// A session was put out for its many refused requests, or a worker in one.
#[derive(Clone, Debug, PartialEq, Eq, actix::Message)]
#[rtype(result = "()")]
pub struct PutOut {
    /// From where it came.
    pub ip: IpAddr,
    /// Whose shares were refused, if there were shares.
    pub worker: Option<(Hotkey, WorkerName)>,
}

/// Sessions were let go, because there was no live work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, actix::Message)]
#[rtype(result = "()")]
pub struct LetGo(pub u64);
