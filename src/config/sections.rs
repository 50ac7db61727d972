//! The settings, one struct a section of `config.toml`, with their defaults.
//!
//! `config.toml` says what each is for; here are types and ranges.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::rewards::{Scheme, Source};
use dwarves_domain::source::SharedLimit;
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::Span;
use dwarves_domain::units::{Amount, BasisPoints, Units};
use dwarves_domain::work::Algorithm;
use dwarves_domain::work::{FrontEnd, VersionRolling};
use serde::Deserialize;

use super::values;
use dwarves_peers::Network;

mod chain;
mod clock;
mod payouts;
mod stratum;

pub use chain::{ChainConfig, ChainKind, FallbackNode, NodeUrl};
pub use clock::ClockConfig;
pub use payouts::PayoutsConfig;
pub use stratum::{StratumConfig, StratumListenerConfig};

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
    /// How much the machine's clock is believed.
    pub clock: ClockConfig,
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
    /// What is told of what happens.
    pub log: LogConfig,
}

impl Config {
    /// Start, least and greatest difficulty. What is not given is fit for the chain's miners: on the devnet a CPU
    /// thread's, else those of the machines that mine Bitcoin and Litecoin, with room below for the small ones.
    pub fn difficulties(&self) -> [Difficulty; 3] {
        let work = &self.work;
        let (start, least) = match (self.chain.kind, self.chain.algorithm) {
            (ChainKind::Devnet, _) => (0.000_25, 0.000_001),
            (ChainKind::Node, Algorithm::Sha256d) => (64.0, 0.001),
            (ChainKind::Node, Algorithm::Scrypt) => (0.062_5, 0.000_004),
        };
        let of_chain = |value| Difficulty::from_f64(value).expect("the chains' difficulties are in range");
        let max = work.max_difficulty;
        let given = work.start_difficulty.unwrap_or(max);
        let min = work.min_difficulty.unwrap_or(of_chain(least).min(given).min(max));
        let start = work.start_difficulty.unwrap_or(of_chain(start).max(min).min(max));
        [start, min, max]
    }
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
    /// Which of several pools on one ledger this is.
    #[serde(deserialize_with = "values::front_end")]
    pub front_end: FrontEnd,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            name: "Dwarves".to_owned(),
            tag: "/Dwarves/".to_owned(),
            front_end: FrontEnd::default(),
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
    /// Bytes of bodies on their way of one worker.
    #[serde(deserialize_with = "values::whole::<_, _, 1024, 17_179_869_184>")]
    pub bodies_bytes: usize,
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
    /// More connections over all workers, for operators alone.
    #[serde(deserialize_with = "values::whole::<_, _, 1, 10_000>")]
    pub reserved_connections: usize,
    /// How long an answer may wait for a client that does not read on.
    #[serde(
        rename = "unread_output_secs",
        deserialize_with = "values::secs::<_, 1, 3600>"
    )]
    pub unread_output: Span,
    /// Longest wait of a long poll.
    #[serde(rename = "longpoll_secs", deserialize_with = "values::secs::<_, 1, 60>")]
    pub longpoll: Span,
    /// Requests at once of one worker.
    #[serde(deserialize_with = "values::whole::<_, _, 1, 1_000_000>")]
    pub requests_in_flight: usize,
    /// Proxies whose word for a client's address is taken.
    #[serde(deserialize_with = "values::networks")]
    pub proxies: Vec<Network>,
    /// Signed requests a second of one worker.
    #[serde(deserialize_with = "values::whole::<_, _, 1, 1_000_000>")]
    pub signed_requests_per_sec: u32,
    /// Shares after which a worker's wrong ones are looked at.
    #[serde(deserialize_with = "values::whole::<_, _, 10, 10_000>")]
    pub reject_window: u16,
    /// The most of them that may be wrong, in percent.
    #[serde(deserialize_with = "values::whole::<_, _, 1, 100>")]
    pub reject_percent: u16,
    /// How long a worker is kept out after three windows with more.
    #[serde(rename = "ban_secs", deserialize_with = "values::secs::<_, 1, 86_400>")]
    pub ban: Span,
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
            bodies_bytes: 33_554_432,
            header_timeout: Span::from_secs(5),
            disconnect_timeout: Span::from_secs(5),
            keep_alive: Span::from_secs(75),
            max_connections: 10_000,
            reserved_connections: 32,
            unread_output: Span::from_secs(60),
            longpoll: Span::from_secs(60),
            requests_in_flight: 2_400,
            proxies: Vec::new(),
            signed_requests_per_sec: 2_000,
            reject_window: 100,
            reject_percent: 50,
            ban: Span::from_secs(600),
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

/// `[work]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkConfig {
    /// Time between two shares of a worker, which vardiff aims at.
    #[serde(rename = "share_interval_secs", deserialize_with = "values::share_interval")]
    pub share_interval: Span,
    /// Difficulty of a new worker; `None`: by the chain, see [`Config::difficulties`].
    #[serde(deserialize_with = "values::difficulty_or_zero")]
    pub start_difficulty: Option<Difficulty>,
    /// Least difficulty of vardiff; `None`: by the chain.
    #[serde(deserialize_with = "values::difficulty_or_zero")]
    pub min_difficulty: Option<Difficulty>,
    /// Greatest difficulty of vardiff.
    #[serde(deserialize_with = "values::difficulty")]
    pub max_difficulty: Difficulty,
    /// Time after which work on the same tip is renewed.
    #[serde(
        rename = "template_refresh_secs",
        deserialize_with = "values::secs::<_, 1, 3600>"
    )]
    pub template_refresh: Span,
    /// The bits of the version that miners may roll.
    #[serde(deserialize_with = "values::version_rolling")]
    pub version_rolling: VersionRolling,
    /// Time for which a job's shares are taken while its tip lasts.
    #[serde(
        rename = "job_lifetime_secs",
        deserialize_with = "values::secs::<_, 2, 86_400>"
    )]
    pub job_lifetime: Span,
    /// Time for which blocks are taken on a tip that was replaced.
    #[serde(rename = "previous_tip_secs", deserialize_with = "values::secs::<_, 0, 3600>")]
    pub previous_tip: Span,
    /// Time without live work after which miners are let go.
    #[serde(
        rename = "let_go_after_secs",
        deserialize_with = "values::secs::<_, 1, 86_400>"
    )]
    pub let_go_after: Span,
}

impl Default for WorkConfig {
    fn default() -> Self {
        let difficulty = |value| Difficulty::from_f64(value).expect("the default difficulties are in range");
        Self {
            share_interval: Span::from_secs(1),
            start_difficulty: None,
            min_difficulty: None,
            max_difficulty: difficulty(1e12),
            template_refresh: Span::from_secs(30),
            version_rolling: VersionRolling::Bip323,
            job_lifetime: Span::from_secs(120),
            previous_tip: Span::from_secs(60),
            let_go_after: Span::from_secs(30),
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
    /// Missed rounds that are closed in a minute at most.
    #[serde(deserialize_with = "values::whole::<_, _, 1, 100_000>")]
    pub missed_rounds_per_minute: u32,
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
            missed_rounds_per_minute: 120,
            fee: BasisPoints::new(100).expect("one percent is a part of the whole"),
            window_units: Units::from_raw(2 * Units::ONE.raw()),
            emission: Amount::ZERO,
        }
    }
}

/// What a line of the log looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Time, level, target and text.
    #[default]
    Text,
    /// An object with the same, and with the fields of what the line belongs to.
    Json,
}

impl LogFormat {
    /// The variable of the environment that says it.
    pub const VARIABLE: &str = "DWARVES__LOG__FORMAT";
    /// Every format, as settings name it.
    pub const ALL: [(&'static str, Self); 2] = [("text", Self::Text), ("json", Self::Json)];
}

/// `[log]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// What a line looks like.
    #[serde(deserialize_with = "values::log_format")]
    pub format: LogFormat,
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
    /// The part of them that may be payout addresses, in percent.
    #[serde(deserialize_with = "values::whole::<_, _, 0, 100>")]
    pub address_miners_percent: u32,
    /// New payout addresses that one client address may bring in an hour.
    #[serde(deserialize_with = "values::whole::<_, _, 1, 100_000>")]
    pub new_addresses_per_hour: u32,
    /// New hotkeys that one client address may register in an hour.
    #[serde(deserialize_with = "values::whole::<_, _, 1, 100_000>")]
    pub new_miners_per_hour: u32,
    /// Named workers of one miner.
    #[serde(deserialize_with = "values::whole::<_, _, 1, 1_000_000>")]
    pub workers_per_miner: u32,
    /// Time without a share after which a worker gives way to one that needs its place.
    #[serde(
        rename = "worker_idle_days",
        deserialize_with = "values::days::<_, 1, 36_500>"
    )]
    pub worker_idle: Span,
    /// Names of workers without work, of all miners together.
    #[serde(deserialize_with = "values::whole::<_, _, 100, 10_000_000>")]
    pub names_without_work: usize,
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
    /// How much of that room one miner may take while it is alone, in percent.
    #[serde(deserialize_with = "values::whole::<_, _, 1, 100>")]
    pub recent_shares_per_miner_percent: u32,
    /// How many times its due a job may bring; 0: any number.
    #[serde(deserialize_with = "values::whole::<_, _, 0, 1_000_000>")]
    pub recent_shares_per_job_times: u32,
    /// Templates kept for the blocks that may still be found on them.
    #[serde(deserialize_with = "values::whole::<_, _, 32, 100_000>")]
    pub past_templates: usize,
    /// Found blocks of one height that are kept.
    #[serde(deserialize_with = "values::whole::<_, _, 1, 1_000>")]
    pub block_candidates: usize,
    /// The part in percent that one client may take of what clients share.
    #[serde(deserialize_with = "values::whole::<_, _, 1, 100>")]
    pub client_share_percent: u32,
    /// Headers that wait to be hashed.
    #[serde(deserialize_with = "values::whole::<_, _, 100, 10_000_000>")]
    pub hashing_queue: usize,
    /// Headers given out without a name that are remembered.
    #[serde(deserialize_with = "values::whole::<_, _, 100, 100_000_000>")]
    pub headers: usize,
    /// Nonces remembered against replay.
    #[serde(deserialize_with = "values::whole::<_, _, 100, 100_000_000>")]
    pub used_nonces: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            miners: 100_000,
            address_miners_percent: 50,
            new_addresses_per_hour: 200,
            new_miners_per_hour: 200,
            workers_per_miner: 1_000,
            worker_idle: Span::from_secs(30 * 86_400),
            names_without_work: 20_000,
            handler_mailbox: 1_024,
            manager_mailbox: 4_096,
            ledger_mailbox: 1_024,
            recent_shares: 2_000_000,
            recent_shares_per_miner_percent: 50,
            recent_shares_per_job_times: 20,
            past_templates: 256,
            block_candidates: 8,
            client_share_percent: 25,
            hashing_queue: 16_384,
            headers: 65_536,
            used_nonces: 100_000,
        }
    }
}

impl LimitsConfig {
    /// This many places, of which one client may take its share.
    pub fn shared(&self, total: usize) -> SharedLimit {
        SharedLimit::shared(total, self.client_share_percent as usize)
    }

    /// One client's share of this many, at least one.
    pub fn share_of(&self, total: u32) -> u32 {
        let share = (u64::from(total) * u64::from(self.client_share_percent)).div_ceil(100);
        u32::try_from(share).unwrap_or(total).max(1)
    }

    /// Registered miners that may be payout addresses.
    pub fn address_miners(&self) -> usize {
        (u64::from(self.miners) * u64::from(self.address_miners_percent)).div_ceil(100) as usize
    }
}
