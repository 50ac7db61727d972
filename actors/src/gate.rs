//! What admins and figures ask of the gate before the Stratum listeners: who is connected, who is kept out, and the
//! lifting of that. The gate itself lives with the server that it guards.

use std::net::{IpAddr, SocketAddr};

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerName;
use dwarves_domain::time::Timestamp;
use serde_json::{Value, json};

use crate::ask::{Port, Request};
use crate::control::Controlled;
use crate::wall_time::rfc3339;

/// Reads how the gate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadGate;

/// How the gate is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GateView {
    /// Connections that are open now, over all listeners.
    pub connections: u64,
    /// The same by listener.
    pub listeners: Vec<(SocketAddr, u64)>,
    /// Sessions that were let go since the start, because there was no live work.
    pub let_go: u64,
    /// Connections that were sent away since the start, because there was no live work.
    pub sent_away: u64,
    /// Logins and connections that were refused since the start, because they are kept out.
    pub refused: u64,
    /// Who is kept out now.
    pub kept_out: Vec<KeptOut>,
}

/// How many of those who are kept out `status` shows: how many there are is up to whoever sends wrong shares.
pub(crate) const SHOWN_MAX: usize = 100;

/// One who is kept out for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptOut {
    /// Behind which address (IPv6: the first of its network of 64 bits).
    pub address: IpAddr,
    /// Which worker; `None`: everybody behind the address.
    pub worker: Option<(Hotkey, WorkerName)>,
    /// Until when, by the wall clock.
    pub until: Timestamp,
    /// How many sessions were put out for it.
    pub put_out: u32,
}

impl KeptOut {
    /// As `status` shows it.
    pub fn to_json(&self) -> Value {
        let worker = self.worker.as_ref();
        let why = if worker.is_some() {
            "most of its shares were refused, again"
        } else {
            "many of its workers were put out, and none there had a share accepted lately"
        };
        json!({
            "address": self.address.to_string(),
            "hotkey": worker.map(|(hotkey, _)| hotkey.to_string()),
            "worker": worker.map(|(_, name)| name.as_str()),
            "why": why,
            "until": rfc3339(self.until),
            "put_out": self.put_out,
        })
    }
}

impl GateView {
    /// As `status` shows it.
    pub fn to_json(&self) -> Value {
        json!({
            "connections": self.connections,
            "let_go": self.let_go,
            "sent_away": self.sent_away,
            "refused": self.refused,
            "kept_out": self.kept_out.iter().take(SHOWN_MAX).map(KeptOut::to_json).collect::<Vec<_>>(),
            "kept_out_more": self.kept_out.len().saturating_sub(SHOWN_MAX),
        })
    }
}

impl Request for ReadGate {
    type Reply = GateView;
}

/// An admin's message to the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateControl {
    /// How the gate is.
    Status,
    /// Lets an address, and the workers behind it, in again.
    Lift(IpAddr),
}

impl Request for GateControl {
    type Reply = Controlled;
}

/// Tells the pool manager of the gate, which opens after it.
#[derive(Clone, Debug)]
pub struct AttachGate {
    /// Reads who is connected and who is kept out.
    pub read: Port<ReadGate>,
    /// Takes control messages.
    pub control: Port<GateControl>,
}

impl Request for AttachGate {
    type Reply = ();
}
