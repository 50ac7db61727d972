//! Where something comes from that costs the pool something: what all use is shared out by it.
//!
//! A miner's name proves nothing over Stratum and JSON-RPC, where anybody may log in as anybody; the address of the
//! client is what nobody makes up. So permits are shared among clients first, then among the miners of each.

use std::net::IpAddr;

use crate::hotkey::Hotkey;
use crate::network::host;

/// A client and the miner that it speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    client: IpAddr,
    miner: Hotkey,
}

impl Source {
    /// What this client address sends for this miner. One IPv6 network of 64 bits is one client.
    pub fn new(client: IpAddr, miner: Hotkey) -> Self {
        Self {
            client: host(client),
            miner,
        }
    }

    /// The client's network address.
    pub fn client(&self) -> IpAddr {
        self.client
    }

    /// The account that the work is for.
    pub fn miner(&self) -> Hotkey {
        self.miner
    }
}
