//! `[stratum]`: its listeners and the limits of their connections.

use std::net::SocketAddr;
use std::path::PathBuf;

use dwarves_domain::network::Subnet;
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::Span;
use serde::Deserialize;

use crate::config::readers::{self, Secs, Whole};

/// `[stratum]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StratumConfig {
    /// Where to listen, with the difficulties of `[work]`; `None`: only `listeners`.
    #[serde(deserialize_with = "readers::optional_address")]
    pub listen: Option<SocketAddr>,
    /// Listeners with settings of their own.
    pub listeners: Vec<StratumListenerConfig>,
    /// Whether a payout address is enough to mine.
    pub allow_address_login: bool,
    /// Bytes of the extranonce that miners roll.
    #[serde(deserialize_with = "readers::extranonce2_bytes")]
    pub extranonce2_bytes: usize,
    /// Threads that serve sessions, as configured; 0 stands for [`StratumConfig::io_threads`]'s choice.
    #[serde(with = "Whole::<0, 1024>")]
    pub threads: usize,
    /// Open connections over all listeners.
    #[serde(with = "Whole::<1, 1_000_000>")]
    pub max_connections: usize,
    /// Open connections of one address.
    #[serde(with = "Whole::<1, 1_000_000>")]
    pub max_connections_per_address: usize,
    /// Open connections of one network.
    #[serde(with = "Whole::<1, 1_000_000>")]
    pub max_connections_per_subnet: usize,
    /// Time until a session has subscribed and authorized.
    #[serde(rename = "handshake_timeout_secs", with = "Secs::<1, 3600>")]
    pub handshake_timeout: Span,
    /// Time for which a session may be silent.
    #[serde(rename = "idle_timeout_secs", with = "Secs::<1, 86_400>")]
    pub idle_timeout: Span,
    /// Bytes that wait for a miner that does not read.
    #[serde(with = "Whole::<16_384, 16_777_216>")]
    pub unread_output_bytes: usize,
    /// Workers that one connection may authorize.
    #[serde(with = "Whole::<1, 65_536>")]
    pub workers_per_connection: usize,
    /// Requests after which a session's refusals are looked at.
    #[serde(with = "Whole::<10, 10_000>")]
    pub reject_window: u16,
    /// The most of them that may be refused, in percent.
    #[serde(with = "Whole::<1, 100>")]
    pub reject_percent: u16,
    /// How long a worker is kept out that was put out twice within this time.
    #[serde(rename = "ban_secs", with = "Secs::<1, 86_400>")]
    pub ban: Span,
}

impl Default for StratumConfig {
    fn default() -> Self {
        Self {
            listen: None,
            listeners: Vec::new(),
            allow_address_login: true,
            extranonce2_bytes: 8,
            threads: 0,
            max_connections: 20_000,
            max_connections_per_address: 5_000,
            max_connections_per_subnet: 10_000,
            handshake_timeout: Span::from_secs(30),
            idle_timeout: Span::from_secs(900),
            unread_output_bytes: 65_536,
            workers_per_connection: 256,
            reject_window: 100,
            reject_percent: 50,
            ban: Span::from_secs(600),
        }
    }
}

impl StratumConfig {
    /// How many I/O threads to start on a machine with `cores` cores: all but one, which the actors and the store need,
    /// but both of two, since they leave half of theirs idle.
    pub fn io_threads(&self, cores: usize) -> usize {
        match self.threads {
            0 if cores <= 2 => cores.max(1),
            0 => cores - 1,
            chosen => chosen,
        }
    }

    /// Every listener and the setting that it comes from: the one of `listen`, then the others.
    pub fn named_listeners(&self) -> Vec<(String, StratumListenerConfig)> {
        let number = |at| format!("stratum.listeners[{at}]");
        let names = self
            .listen
            .map(|_| "stratum".to_owned())
            .into_iter()
            .chain((0..).map(number));
        names.zip(self.all_listeners()).collect()
    }

    /// Every listener: the one of `listen`, then the others.
    pub fn all_listeners(&self) -> Vec<StratumListenerConfig> {
        let simple = self.listen.map(|listen| StratumListenerConfig {
            listen,
            start_difficulty: None,
            min_difficulty: None,
            max_difficulty: None,
            tls_certificate: None,
            tls_key: None,
            proxies: Vec::new(),
        });
        simple.into_iter().chain(self.listeners.iter().cloned()).collect()
    }
}

/// `[[stratum.listeners]]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StratumListenerConfig {
    /// Where to listen.
    #[serde(deserialize_with = "readers::address")]
    pub listen: SocketAddr,
    /// Difficulty of a new session; `None`: as `[work]` says.
    #[serde(default)]
    pub start_difficulty: Option<Difficulty>,
    /// Least difficulty; `None`: as `[work]` says.
    #[serde(default)]
    pub min_difficulty: Option<Difficulty>,
    /// Greatest difficulty; `None`: as `[work]` says.
    #[serde(default)]
    pub max_difficulty: Option<Difficulty>,
    /// The certificate chain for TLS, as PEM; `None`: no TLS.
    #[serde(default, deserialize_with = "readers::optional")]
    pub tls_certificate: Option<PathBuf>,
    /// Its private key, as PEM.
    #[serde(default, deserialize_with = "readers::optional")]
    pub tls_key: Option<PathBuf>,
    /// Proxies that begin each connection with a PROXY protocol header.
    #[serde(default, deserialize_with = "readers::subnets")]
    pub proxies: Vec<Subnet>,
}

impl StratumListenerConfig {
    /// Its start, least and greatest difficulty: what is not given is as elsewhere ([`Config::difficulties`]).
    ///
    /// [`Config::difficulties`]: super::Config::difficulties
    pub fn difficulties(&self, [start, min, max]: [Difficulty; 3]) -> [Difficulty; 3] {
        [
            self.start_difficulty.unwrap_or(start),
            self.min_difficulty.unwrap_or(min),
            self.max_difficulty.unwrap_or(max),
        ]
    }
}
