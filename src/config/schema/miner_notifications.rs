//! `[miner_notifications]`: what miners may be told, and where it may go.

use std::path::PathBuf;

use dwarves_domain::network::Subnet;
use dwarves_domain::time::Span;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::config::readers::{self, Secs, Whole};

/// `[miner_notifications]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MinerNotificationsConfig {
    /// Whether miners are told anything.
    pub enabled: bool,
    /// Whether channels may lead somewhere without encryption.
    pub allow_http: bool,
    /// Whether channels may lead to addresses that are not of the public internet.
    pub allow_private: bool,
    /// Ports to which channels may lead; none: to every one.
    #[serde(deserialize_with = "ports")]
    pub ports: Vec<u16>,
    /// Networks to which they may not lead in any case.
    #[serde(deserialize_with = "readers::subnets")]
    pub refused_networks: Vec<Subnet>,
    /// Miners that are told something, at most.
    #[serde(with = "Whole::<1, 1_000_000>")]
    pub miners_max: usize,
    /// Channels of one miner.
    #[serde(with = "Whole::<1, 16>")]
    pub channels_max: usize,
    /// Notices that may wait for one miner.
    #[serde(with = "Whole::<1, 1_000>")]
    pub waiting_per_miner: usize,
    /// Notices that may wait for all miners.
    #[serde(with = "Whole::<1, 1_000_000>")]
    pub waiting_max: usize,
    /// Notices that are told at the same time.
    #[serde(with = "Whole::<1, 256>")]
    pub at_once: usize,
    /// Notices to one miner in an hour.
    #[serde(with = "Whole::<1, 3_600>")]
    pub notices_per_hour: u32,
    /// Tries to tell something to any miner, in an hour.
    #[serde(with = "Whole::<1, 10_000_000>")]
    pub tries_per_hour: u32,
    /// How often each miner's work is looked at.
    #[serde(rename = "look_secs", with = "Secs::<1, 3_600>")]
    pub look_every: Span,
    /// The least time without a share after which a worker may be called offline.
    #[serde(rename = "offline_after_min_secs", with = "Secs::<1, 86_400>")]
    pub offline_after_min: Span,
    /// The server that takes mail to miners; `None`: there is no mail to them.
    #[serde(deserialize_with = "readers::optional")]
    pub mail_url: Option<String>,
    /// From whom it is.
    #[serde(deserialize_with = "readers::optional")]
    pub mail_from: Option<String>,
    /// As whom one logs in there; `None`: one does not.
    #[serde(deserialize_with = "readers::optional")]
    pub mail_user: Option<String>,
    /// The file with the password.
    #[serde(deserialize_with = "readers::optional")]
    pub mail_secret_file: Option<PathBuf>,
    /// Codes that are mailed to new addresses in a day.
    #[serde(with = "Whole::<0, 100_000>")]
    pub codes_per_day: u32,
}

impl Default for MinerNotificationsConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            allow_http: false,
            allow_private: false,
            ports: vec![443],
            refused_networks: Vec::new(),
            miners_max: 10_000,
            channels_max: 4,
            waiting_per_miner: 100,
            waiting_max: 20_000,
            at_once: 8,
            notices_per_hour: 60,
            tries_per_hour: 20_000,
            look_every: Span::from_secs(60),
            offline_after_min: Span::from_secs(60),
            mail_url: None,
            mail_from: None,
            mail_user: None,
            mail_secret_file: None,
            codes_per_day: 200,
        }
    }
}

/// The most ports that can be named.
const PORTS_MAX: usize = 64;

fn ports<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u16>, D::Error> {
    let ports: Vec<u16> = readers::list(d, "a list of ports, such as [443, 8443]")?;
    if ports.contains(&0) {
        return Err(D::Error::custom("expected ports from 1 to 65535"));
    }
    readers::at_most(ports, PORTS_MAX, "ports")
}
