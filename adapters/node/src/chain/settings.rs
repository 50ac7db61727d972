//! What the chain of the nodes is made with.

use std::fmt;
use std::time::Duration;

use dwarves_domain::address::AddressFormat;
use dwarves_domain::work::{Algorithm, VersionRolling};
use dwarves_ports::clock::SharedClock;

use super::finding::GuardSettings;
use super::network::Network;
use crate::rpc::Endpoint;

/// How templates are read.
#[derive(Clone)]
pub struct Reading {
    /// The version bits that miners may roll, as far as the node takes them.
    pub rolling: VersionRolling,
    /// The pool's clock.
    pub clock: SharedClock,
}

impl Reading {
    /// Unix time in seconds.
    pub(super) fn now(&self) -> u32 {
        u32::try_from(self.clock.date().secs().max(0)).unwrap_or(u32::MAX)
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading")
            .field("rolling", &self.rolling)
            .finish_non_exhaustive()
    }
}

/// What the chain is made with.
#[derive(Clone, Debug)]
pub struct NodeSettings {
    /// The nodes, the preferred one first. At least one.
    pub nodes: Vec<Endpoint>,
    /// The place of the node whose wallet pays: nothing is paid while it is on another chain.
    pub wallet_place: usize,
    /// What the pool hashes: a node of another chain gives no work.
    pub algorithm: Algorithm,
    /// How addresses are written: a node of another network gives no work.
    pub addresses: AddressFormat,
    /// What coinbases pay; the blocks that test a node's rules are made with it.
    pub payout_script: Vec<u8>,
    /// The pool's tag in coinbases.
    pub tag: String,
    /// How templates are read.
    pub reading: Reading,
    /// What the operator knows of the chain.
    pub guard: GuardSettings,
    /// How often each node is looked at beside the long poll.
    pub poll_every: Duration,
}

impl NodeSettings {
    /// The network with this genesis block, if it is the pool's: or else why not.
    pub(super) fn check_network(&self, genesis: &str) -> Result<Network, String> {
        let network = Network::of_genesis(genesis).ok_or_else(|| {
            format!("its chain begins with {genesis}, which is none that the pool knows (Bitcoin, Litecoin)")
        })?;
        if network.coin.algorithm() != self.algorithm {
            let right = network.coin.algorithm();
            return Err(format!(
                "it is on {network}, which needs chain.algorithm = \"{right}\" instead of \"{}\"",
                self.algorithm
            ));
        }
        if network.addresses() != self.addresses {
            return Err(format!(
                "it is on {network}, where chain.payout_address is not right: addresses begin with {}",
                network.addresses().example()
            ));
        }
        Ok(network)
    }
}
