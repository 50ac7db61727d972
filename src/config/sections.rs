//! The settings, one struct a section of `config.toml`, with their defaults.
//!
//! `config.toml` says what each is for; here are types and ranges.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::payouts::{FeePayer, FeeRate};
use dwarves_domain::rewards::{Scheme, Source};
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::Span;
use dwarves_domain::units::{Amount, BasisPoints, Units};
use dwarves_domain::work::Algorithm;
use serde::Deserialize;

use super::values;
use crate::rpc::{Endpoint, EndpointError};
use crate::stratum::settings::Network;

/// Every setting.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How the pool presents itself.
    pub pool: PoolConfig,
    /// The HTTP server.
    pub http: HttpConfig,
    /// Signed requests and sessions.
    pub auth: AuthConfig,
    /// The ledger's store.
    pub store: StoreConfig,
    /// The chain that is mined.
    pub chain: ChainConfig,
    /// Jobs and their difficulty.
    pub work: WorkConfig,
    /// How rewards are split.
    pub rewards: RewardsConfig,
    /// How balances are paid.
    pub payouts: PayoutsConfig,
    /// Who may steer the pool.
    pub admin: AdminConfig,
    /// Bounds of everything that could grow.
    pub limits: LimitsConfig,
    /// The Stratum server.
    pub stratum: StratumConfig,
}

/// `[pool]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PoolConfig {
    /// Shown to miners.
    #[serde(deserialize_with = "values::name")]
    pub name: String,
    /// Text in the pool's coinbases, at most 64 bytes.
    #[serde(deserialize_with = "values::tag")]
    pub tag: String,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            name: "Dwarves".to_owned(),
            tag: "/Dwarves/".to_owned(),
        }
    }
}

/// `[http]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// Where to listen; port 0 picks a free one.
    #[serde(deserialize_with = "values::address")]
    pub listen: SocketAddr,
    /// Worker threads as configured; 0 stands for [`HttpConfig::worker_threads`]'s choice.
    #[serde(deserialize_with = "values::whole::<_, _, 0, 1024>")]
    pub workers: usize,
    /// Longest body in bytes.
    #[serde(deserialize_with = "values::whole::<_, _, 1024, 67_108_864>")]
    pub body_limit_bytes: usize,
    /// Time for the head of a request.
    #[serde(
        rename = "header_timeout_secs",
        deserialize_with = "values::secs::<_, 1, 300>"
    )]
    pub header_timeout: Span,
    /// Time for closing a connection.
    #[serde(
        rename = "disconnect_timeout_secs",
        deserialize_with = "values::secs::<_, 1, 300>"
    )]
    pub disconnect_timeout: Span,
    /// Time for which idle connections are kept.
    #[serde(rename = "keep_alive_secs", deserialize_with = "values::secs::<_, 16, 3600>")]
    pub keep_alive: Span,
    /// Open connections over all workers.
    #[serde(deserialize_with = "values::whole::<_, _, 1, 1_000_000>")]
    pub max_connections: usize,
    /// Longest wait of a long poll.
    #[serde(rename = "longpoll_secs", deserialize_with = "values::secs::<_, 1, 60>")]
    pub longpoll: Span,
    /// Requests at once of one worker.
    #[serde(deserialize_with = "values::whole::<_, _, 1, 1_000_000>")]
    pub requests_in_flight: usize,
    /// Signed requests a second of one worker.
    #[serde(deserialize_with = "values::whole::<_, _, 1, 1_000_000>")]
    pub signed_requests_per_sec: u32,
}

impl HttpConfig {
    /// How many worker threads to start on a machine with `cores` cores.
    pub fn worker_threads(&self, cores: usize) -> usize {
        match self.workers {
            0 => cores.saturating_sub(1).max(1),
            chosen => chosen,
        }
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            workers: 0,
            body_limit_bytes: 1_048_576,
            header_timeout: Span::from_secs(5),
            disconnect_timeout: Span::from_secs(5),
            keep_alive: Span::from_secs(75),
            max_connections: 10_000,
            longpoll: Span::from_secs(60),
            requests_in_flight: 1_000,
            signed_requests_per_sec: 2_000,
        }
    }
}

/// `[auth]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// How old a signed request may be.
    #[serde(rename = "window_back_secs", deserialize_with = "values::secs::<_, 1, 300>")]
    pub window_back: Span,
    /// How far ahead of the pool's clock a signed request may be.
    #[serde(rename = "window_ahead_secs", deserialize_with = "values::secs::<_, 0, 300>")]
    pub window_ahead: Span,
    /// How long a session lasts.
    #[serde(
        rename = "session_secs",
        deserialize_with = "values::secs::<_, 60, 2_592_000>"
    )]
    pub session: Span,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            window_back: Span::from_secs(10),
            window_ahead: Span::from_secs(2),
            session: Span::from_secs(86_400),
        }
    }
}

/// When a share is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acknowledge {
    /// When it is on disk.
    #[default]
    Durable,
    /// When it is queued for the disk. Only for measuring what durability costs.
    Queued,
}

/// `[store]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// The ledger's file, as configured; see [`StoreConfig::file_in`].
    #[serde(deserialize_with = "values::path")]
    pub path: PathBuf,
    /// When a share is answered.
    #[serde(deserialize_with = "values::acknowledge")]
    pub acknowledge: Acknowledge,
    /// How long shares are kept behind every window.
    #[serde(rename = "retention_days", deserialize_with = "values::days::<_, 1, 36_500>")]
    pub retention: Span,
}

impl StoreConfig {
    /// The ledger's file: a relative path is taken from the data directory.
    pub fn file_in(&self, data_dir: &Path) -> PathBuf {
        data_dir.join(&self.path)
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::from("dwarves.db"),
            acknowledge: Acknowledge::Durable,
            retention: Span::from_secs(30 * 86_400),
        }
    }
}

/// Where the chain is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChainKind {
    /// In this process.
    #[default]
    Devnet,
    /// A node, asked over JSON-RPC.
    Node,
}

/// A node's JSON-RPC address. It may hold a password, which `Debug` and `Display` leave out.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeUrl(String);

impl NodeUrl {
    /// From a text that begins with `http://` or `https://`.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text
            .strip_prefix("http://")
            .or_else(|| text.strip_prefix("https://"))?;
        let plain = !rest.is_empty() && rest.chars().all(|c| !c.is_whitespace() && !c.is_control());
        plain.then(|| Self(text.to_owned()))
    }

    /// The address with its password.
    pub fn with_credentials(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.split_once("://"), self.0.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => write!(f, "{scheme}://***@{host}"),
            _ => f.write_str(&self.0),
        }
    }
}

impl fmt::Debug for NodeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeUrl({self})")
    }
}

/// Another node of the same chain.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FallbackNode {
    /// Its JSON-RPC address.
    #[serde(deserialize_with = "values::some_node_url")]
    pub url: NodeUrl,
    /// Its cookie file.
    #[serde(default, deserialize_with = "values::optional_path")]
    pub cookie_file: Option<PathBuf>,
}

/// `[chain]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChainConfig {
    /// Where the chain is.
    #[serde(deserialize_with = "values::chain_kind")]
    pub kind: ChainKind,
    /// Its proof of work.
    #[serde(deserialize_with = "values::algorithm")]
    pub algorithm: Algorithm,
    /// The node's JSON-RPC address.
    #[serde(deserialize_with = "values::node_url")]
    pub url: Option<NodeUrl>,
    /// The node's cookie file.
    #[serde(deserialize_with = "values::optional_path")]
    pub cookie_file: Option<PathBuf>,
    /// Nodes that stand in for the first, in order.
    #[serde(deserialize_with = "values::fallbacks")]
    pub fallbacks: Vec<FallbackNode>,
    /// How often each node is looked at beside the long poll.
    #[serde(rename = "poll_interval_secs", deserialize_with = "values::poll_interval")]
    pub poll_interval: Span,
    /// The node's wallet.
    #[serde(deserialize_with = "values::optional_text")]
    pub wallet: Option<String>,
    /// Where coinbases pay, as text: which addresses are right depends on the chain. It was checked when the
    /// settings were loaded, as far as that can be done without asking a node.
    #[serde(deserialize_with = "values::optional_text")]
    pub payout_address: Option<String>,
    /// Confirmations from which a block's reward is payable, as configured; 0 stands for
    /// [`ChainConfig::maturity`]'s choice.
    #[serde(deserialize_with = "values::whole::<_, _, 0, 10_000>")]
    pub maturity_confirmations: u32,
    /// Hashes that a block of the devnet takes on average.
    #[serde(deserialize_with = "values::whole::<_, _, 1, 1_000_000_000_000_000>")]
    pub devnet_block_hashes: u64,
}

impl ChainConfig {
    /// Confirmations from which a block's reward is payable: by default 10 on the devnet, where a newcomer is
    /// to see a reward within minutes, and 101 on a node, where wallets spend coinbases from then on.
    pub fn maturity(&self) -> u32 {
        match (self.maturity_confirmations, self.kind) {
            (0, ChainKind::Devnet) => 10,
            (0, ChainKind::Node) => 101,
            (chosen, _) => chosen,
        }
    }

    /// The nodes, the preferred one first; none on the devnet.
    ///
    /// # Errors
    /// If an address is none of a node.
    pub fn endpoints(&self) -> Result<Vec<Endpoint>, EndpointError> {
        let first = self.url.as_ref().map(|url| (url, &self.cookie_file));
        let others = self.fallbacks.iter().map(|node| (&node.url, &node.cookie_file));
        first
            .into_iter()
            .chain(others)
            .map(|(url, cookie)| Endpoint::new(url.with_credentials(), cookie.as_deref()))
            .collect()
    }
}

impl Default for ChainConfig {
    fn default() -> Self {
        Self {
            kind: ChainKind::Devnet,
            algorithm: Algorithm::Sha256d,
            url: None,
            cookie_file: None,
            fallbacks: Vec::new(),
            poll_interval: Span::from_secs(1),
            wallet: None,
            payout_address: None,
            maturity_confirmations: 0,
            devnet_block_hashes: 15_000_000,
        }
    }
}

/// `[work]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkConfig {
    /// Time between two shares of a worker, which vardiff aims at.
    #[serde(rename = "share_interval_secs", deserialize_with = "values::share_interval")]
    pub share_interval: Span,
    /// Difficulty of a new worker.
    #[serde(deserialize_with = "values::difficulty")]
    pub start_difficulty: Difficulty,
    /// Least difficulty of vardiff.
    #[serde(deserialize_with = "values::difficulty")]
    pub min_difficulty: Difficulty,
    /// Greatest difficulty of vardiff.
    #[serde(deserialize_with = "values::difficulty")]
    pub max_difficulty: Difficulty,
    /// Time after which work on the same tip is renewed.
    #[serde(
        rename = "template_refresh_secs",
        deserialize_with = "values::secs::<_, 1, 3600>"
    )]
    pub template_refresh: Span,
    /// Time for which a job's shares are taken while its tip lasts.
    #[serde(
        rename = "job_lifetime_secs",
        deserialize_with = "values::secs::<_, 2, 86_400>"
    )]
    pub job_lifetime: Span,
}

impl Default for WorkConfig {
    fn default() -> Self {
        let difficulty = |value| Difficulty::from_f64(value).expect("the default difficulties are in range");
        Self {
            share_interval: Span::from_secs(1),
            start_difficulty: difficulty(0.000_25),
            min_difficulty: difficulty(0.000_001),
            max_difficulty: difficulty(1e12),
            template_refresh: Span::from_secs(30),
            job_lifetime: Span::from_secs(120),
        }
    }
}

/// `[rewards]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RewardsConfig {
    /// How a reward is split.
    #[serde(deserialize_with = "values::scheme")]
    pub scheme: Scheme,
    /// Where rewards come from.
    #[serde(deserialize_with = "values::source")]
    pub source: Source,
    /// Time between two rounds.
    #[serde(
        rename = "run_interval_secs",
        deserialize_with = "values::secs::<_, 1, 604_800>"
    )]
    pub run_interval: Span,
    /// The operator's part.
    #[serde(rename = "fee_bps", deserialize_with = "values::basis_points")]
    pub fee: BasisPoints,
    /// Length of the PPLNS window. Above zero.
    #[serde(deserialize_with = "values::window_units")]
    pub window_units: Units,
    /// What a round splits with [`Source::Emission`].
    #[serde(rename = "emission_sats", deserialize_with = "values::amount")]
    pub emission: Amount,
}

impl Default for RewardsConfig {
    fn default() -> Self {
        Self {
            scheme: Scheme::Pplns,
            source: Source::Blocks,
            run_interval: Span::from_secs(60),
            fee: BasisPoints::new(100).expect("one percent is a part of the whole"),
            window_units: Units::from_raw(2 * Units::ONE.raw()),
            emission: Amount::ZERO,
        }
    }
}

/// `[payouts]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PayoutsConfig {
    /// Least balance that is paid out.
    #[serde(rename = "threshold_sats", deserialize_with = "values::amount")]
    pub threshold: Amount,
    /// Least threshold that a miner may choose; zero: the dust limit.
    #[serde(rename = "threshold_min_sats", deserialize_with = "values::amount")]
    pub threshold_min: Amount,
    /// Confirmations after which a payout counts as paid.
    #[serde(deserialize_with = "values::whole::<_, _, 1, 10_000>")]
    pub confirmations: u32,
    /// Time between two payouts.
    #[serde(
        rename = "interval_secs",
        deserialize_with = "values::secs::<_, 1, 2_592_000>"
    )]
    pub interval: Span,
    /// Who pays the network's fee.
    #[serde(deserialize_with = "values::fee_payer")]
    pub fee_payer: FeePayer,
    /// What the network is offered.
    #[serde(rename = "fee_rate_sats_per_vbyte", deserialize_with = "values::fee_rate")]
    pub fee_rate: FeeRate,
    /// The most that the network may take of what is paid.
    #[serde(rename = "fee_max_bps", deserialize_with = "values::fee_max")]
    pub fee_max: BasisPoints,
    /// Outputs of one transaction, not counting the change.
    #[serde(deserialize_with = "values::whole::<_, _, 1, 2_000>")]
    pub outputs_max: usize,
    /// Least output that the network carries, as configured; zero stands for [`PayoutsConfig::dust_on`]'s choice.
    #[serde(rename = "dust_sats", deserialize_with = "values::amount")]
    pub dust: Amount,
}

impl PayoutsConfig {
    /// The least output that the network carries: by default what nodes of the algorithm's great chain relay,
    /// 546 sats on Bitcoin and 5,460 on Litecoin.
    pub fn dust_on(&self, algorithm: Algorithm) -> Amount {
        if self.dust > Amount::ZERO {
            return self.dust;
        }
        let sats = match algorithm {
            Algorithm::Sha256d => 546,
            Algorithm::Scrypt => 5_460,
        };
        Amount::from_sats(sats).expect("a few thousand sats are an amount")
    }
}

impl Default for PayoutsConfig {
    fn default() -> Self {
        Self {
            threshold: Amount::from_sats(100_000).expect("a thousandth of a coin is an amount"),
            threshold_min: Amount::ZERO,
            confirmations: 6,
            interval: Span::from_secs(600),
            fee_payer: FeePayer::Pool,
            fee_rate: FeeRate::new(10).expect("ten sats are a rate"),
            fee_max: BasisPoints::new(500).expect("five percent are a part of the whole"),
            outputs_max: 2_000,
            dust: Amount::ZERO,
        }
    }
}

/// `[admin]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminConfig {
    /// Whose signed requests may send control messages.
    #[serde(deserialize_with = "values::hotkeys")]
    pub hotkeys: Vec<Hotkey>,
}

/// `[limits]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Registered miners.
    #[serde(deserialize_with = "values::whole::<_, _, 1, 100_000_000>")]
    pub miners: u32,
    /// Workers of one miner.
    #[serde(deserialize_with = "values::whole::<_, _, 1, 1_000_000>")]
    pub workers_per_miner: u32,
    /// Messages waiting for one handler.
    #[serde(deserialize_with = "values::whole::<_, _, 1, 1_000_000>")]
    pub handler_mailbox: usize,
    /// Messages waiting for one manager.
    #[serde(deserialize_with = "values::whole::<_, _, 1, 1_000_000>")]
    pub manager_mailbox: usize,
    /// Messages waiting for the ledger.
    #[serde(deserialize_with = "values::whole::<_, _, 1, 1_000_000>")]
    pub ledger_mailbox: usize,
    /// Shares remembered against duplicates, over all live jobs.
    #[serde(deserialize_with = "values::whole::<_, _, 1000, 1_000_000_000>")]
    pub recent_shares: usize,
    /// Nonces remembered against replay.
    #[serde(deserialize_with = "values::whole::<_, _, 100, 100_000_000>")]
    pub used_nonces: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            miners: 100_000,
            workers_per_miner: 1_000,
            handler_mailbox: 1_024,
            manager_mailbox: 4_096,
            ledger_mailbox: 1_024,
            recent_shares: 2_000_000,
            used_nonces: 100_000,
        }
    }
}

/// `[stratum]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StratumConfig {
    /// Where to listen, with the difficulties of `[work]`; `None`: only `listeners`.
    #[serde(deserialize_with = "values::optional_address")]
    pub listen: Option<SocketAddr>,
    /// Listeners with settings of their own.
    pub listeners: Vec<StratumListenerConfig>,
    /// Whether a payout address is enough to mine.
    pub allow_address_login: bool,
    /// Bytes of the extranonce that miners roll.
    #[serde(deserialize_with = "values::whole::<_, _, 4, 8>")]
    pub extranonce2_bytes: usize,
    /// Threads that serve sessions, as configured; 0 stands for one less than there are cores.
    #[serde(deserialize_with = "values::whole::<_, _, 0, 1024>")]
    pub threads: usize,
    /// Open connections over all listeners.
    #[serde(deserialize_with = "values::whole::<_, _, 1, 1_000_000>")]
    pub max_connections: usize,
    /// Open connections of one address.
    #[serde(deserialize_with = "values::whole::<_, _, 1, 1_000_000>")]
    pub max_connections_per_address: usize,
    /// Open connections of one network.
    #[serde(deserialize_with = "values::whole::<_, _, 1, 1_000_000>")]
    pub max_connections_per_subnet: usize,
    /// Time until a session has subscribed and authorized.
    #[serde(
        rename = "handshake_timeout_secs",
        deserialize_with = "values::secs::<_, 1, 3600>"
    )]
    pub handshake_timeout: Span,
    /// Time for which a session may be silent.
    #[serde(
        rename = "idle_timeout_secs",
        deserialize_with = "values::secs::<_, 1, 86_400>"
    )]
    pub idle_timeout: Span,
    /// Bytes that wait for a miner that does not read.
    #[serde(deserialize_with = "values::whole::<_, _, 16_384, 16_777_216>")]
    pub unread_output_bytes: usize,
    /// Requests after which a session's refusals are looked at.
    #[serde(deserialize_with = "values::whole::<_, _, 10, 10_000>")]
    pub reject_window: u16,
    /// The most of them that may be refused, in percent.
    #[serde(deserialize_with = "values::whole::<_, _, 1, 100>")]
    pub reject_percent: u16,
    /// How long an address is kept out that was put out twice within this time.
    #[serde(rename = "ban_secs", deserialize_with = "values::secs::<_, 1, 86_400>")]
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
            reject_window: 100,
            reject_percent: 50,
            ban: Span::from_secs(600),
        }
    }
}

impl StratumConfig {
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
    #[serde(deserialize_with = "values::address")]
    pub listen: SocketAddr,
    /// Difficulty of a new session; `None`: as `[work]` says.
    #[serde(default, deserialize_with = "values::some_difficulty")]
    pub start_difficulty: Option<Difficulty>,
    /// Least difficulty; `None`: as `[work]` says.
    #[serde(default, deserialize_with = "values::some_difficulty")]
    pub min_difficulty: Option<Difficulty>,
    /// Greatest difficulty; `None`: as `[work]` says.
    #[serde(default, deserialize_with = "values::some_difficulty")]
    pub max_difficulty: Option<Difficulty>,
    /// The certificate chain for TLS, as PEM; `None`: no TLS.
    #[serde(default, deserialize_with = "values::optional_path")]
    pub tls_certificate: Option<PathBuf>,
    /// Its private key, as PEM.
    #[serde(default, deserialize_with = "values::optional_path")]
    pub tls_key: Option<PathBuf>,
    /// Proxies that begin each connection with a PROXY protocol header.
    #[serde(default, deserialize_with = "values::networks")]
    pub proxies: Vec<Network>,
}

impl StratumListenerConfig {
    /// Its start, least and greatest difficulty.
    pub fn difficulties(&self, work: &WorkConfig) -> [Difficulty; 3] {
        [
            self.start_difficulty.unwrap_or(work.start_difficulty),
            self.min_difficulty.unwrap_or(work.min_difficulty),
            self.max_difficulty.unwrap_or(work.max_difficulty),
        ]
    }
}
