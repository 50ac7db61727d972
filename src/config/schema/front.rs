//! `[front]`: this process among those that share a ledger.

use std::net::SocketAddr;

use dwarves_domain::network::Subnet;
use serde::Deserialize;

use crate::config::readers;

/// `[front]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FrontConfig {
    /// What it is called; `None`: as its machine is.
    #[serde(deserialize_with = "readers::optional_name")]
    pub name: Option<String>,
    /// Where the others reach it; `None`: where the database sees it.
    #[serde(deserialize_with = "readers::public_host")]
    pub address: Option<String>,
    /// Where the others are: their word for a client's address is taken, on every listener.
    #[serde(deserialize_with = "readers::subnets")]
    pub peers: Vec<Subnet>,
    /// Where the others link themselves to this front while it leads; `None`: nowhere, and they pass miners on.
    #[serde(deserialize_with = "readers::optional_address")]
    pub listen: Option<SocketAddr>,
}

impl FrontConfig {
    /// What it is called.
    pub fn name(&self) -> String {
        let machine = || rustix::system::uname().nodename().to_string_lossy().into_owned();
        self.name.clone().unwrap_or_else(machine)
    }
}
