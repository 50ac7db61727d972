//! The settings, one struct a section of `config.toml`, with their defaults.
//!
//! `config.toml` says what each is for; here are types and ranges.

use dwarves_domain::address::AddressFormat;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::settings::word;
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::Span;
use dwarves_domain::work::{Algorithm, FrontEnd};
use serde::{Deserialize, Deserializer};

use super::readers::{self, Secs, Whole};

mod bittensor;
mod chain;
mod clock;
mod evaluator;
mod front;
mod hashing;
mod history;
mod http;
mod limits;
mod miner_notifications;
mod mining;
mod notifications;
mod payouts;
mod privacy;
mod statements;
mod store;
mod stratum;
mod validators;

pub use bittensor::BittensorConfig;
pub use chain::{ChainConfig, ChainKind, FallbackNode, NodeUrl};
pub use clock::ClockConfig;
pub use evaluator::EvaluatorConfig;
pub use front::FrontConfig;
pub use hashing::{HashingConfig, LanesChoice};
pub use history::HistoryConfig;
pub use http::{AuthConfig, HttpConfig};
pub use limits::LimitsConfig;
pub use miner_notifications::MinerNotificationsConfig;
pub use mining::{RewardsConfig, WorkConfig, WorkKind};
pub use notifications::{ChannelConfig, ChannelKind, NotificationsConfig};
pub use payouts::PayoutsConfig;
pub use privacy::PrivacyConfig;
pub use statements::StatementsConfig;
pub use store::{Acknowledge, LedgerUrl, StoreConfig, StoreKind};
pub use stratum::{StratumConfig, StratumListenerConfig};
pub use validators::{HotkeyNames, TokenConfig, ValidatorsConfig};

/// Every setting, with the sections of `config.toml`.
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
    /// This process among those that share the ledger.
    pub front: FrontConfig,
    /// How long history is kept.
    pub history: HistoryConfig,
    /// The chain that is mined.
    pub chain: ChainConfig,
    /// How much the machine's clock is believed.
    pub clock: ClockConfig,
    /// Jobs and their difficulty.
    pub work: WorkConfig,
    /// Who says what submitted work is worth.
    pub evaluator: EvaluatorConfig,
    /// How rewards are split.
    pub rewards: RewardsConfig,
    /// How balances are paid.
    pub payouts: PayoutsConfig,
    /// Who may steer the pool.
    pub admin: AdminConfig,
    /// What of a miner is for everybody.
    pub privacy: PrivacyConfig,
    /// Bounds of everything that could grow.
    pub limits: LimitsConfig,
    /// The Stratum server.
    pub stratum: StratumConfig,
    /// The listener for dendrites.
    pub bittensor: BittensorConfig,
    /// What validators are told of miners' work.
    pub statements: StatementsConfig,
    /// Who may read miners' work in the forms of subnets' own software.
    pub validators: ValidatorsConfig,
    /// With what of the processor shares are hashed.
    pub hashing: HashingConfig,
    /// Who is told of what happens, and how.
    pub notifications: NotificationsConfig,
    /// What miners may be told, and where it may go.
    pub miner_notifications: MinerNotificationsConfig,
    /// What the log tells of what happens.
    pub log: LogConfig,
}

impl Config {
    /// Whether work is evaluated, and no chain is mined.
    pub fn is_evaluated(&self) -> bool {
        self.work.kind == WorkKind::Evaluated
    }

    /// What amounts are counted in, and its decimal places.
    pub fn unit(&self) -> (String, u8) {
        let of_chain = match (self.chain.kind, self.chain.algorithm) {
            (ChainKind::Devnet, _) => "devnet coins",
            (ChainKind::Node, Algorithm::Sha256d) => "BTC",
            (ChainKind::Node, Algorithm::Scrypt) => "LTC",
        };
        match &self.pool.unit {
            Some(unit) if self.is_evaluated() => (unit.clone(), self.pool.decimals),
            _ => (of_chain.to_owned(), 8),
        }
    }

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
    #[serde(deserialize_with = "readers::name")]
    pub name: String,
    /// Text in the pool's coinbases, at most 64 bytes.
    #[serde(deserialize_with = "readers::tag")]
    pub tag: String,
    /// Which of several pools on one ledger this is.
    pub front_end: FrontEnd,
    /// The name by which miners reach it; `None`: whatever they reached it by.
    #[serde(deserialize_with = "readers::public_host")]
    pub public_host: Option<String>,
    /// What amounts are counted in, if the pool has no chain; see [`Config::unit`].
    #[serde(deserialize_with = "readers::optional_unit")]
    pub unit: Option<String>,
    /// Decimal places of the unit, if the pool has no chain.
    #[serde(with = "Whole::<0, 12>")]
    pub decimals: u8,
    /// Which payout addresses are right, if the pool has no chain.
    pub payout_addresses: AccountKind,
}

/// Which payout addresses are right in a pool that has no chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccountKind {
    /// None: whoever is paid is known by the hotkey.
    #[default]
    Nothing,
    /// SS58, as Bittensor has it.
    Ss58,
    /// Those of Ethereum and its kin.
    Evm,
}

impl AccountKind {
    /// How they are written.
    pub const fn format(self) -> AddressFormat {
        match self {
            Self::Nothing => AddressFormat::Nothing,
            Self::Ss58 => AddressFormat::Ss58,
            Self::Evm => AddressFormat::Evm,
        }
    }
}

impl<'de> Deserialize<'de> for AccountKind {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        word(
            d,
            &[("none", Self::Nothing), ("ss58", Self::Ss58), ("evm", Self::Evm)],
        )
    }
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            name: "Dwarves".to_owned(),
            tag: "/Dwarves/".to_owned(),
            front_end: FrontEnd::default(),
            public_host: None,
            unit: None,
            decimals: 9,
            payout_addresses: AccountKind::default(),
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

impl<'de> Deserialize<'de> for LogFormat {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        word(d, &Self::ALL)
    }
}

/// `[log]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// What a line looks like.
    pub format: LogFormat,
}

/// `[admin]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminConfig {
    /// Whose signed requests may send control messages.
    #[serde(deserialize_with = "readers::hotkeys")]
    pub hotkeys: Vec<Hotkey>,
    /// How long an operator stays logged in at the page.
    #[serde(rename = "session_secs", with = "Secs::<60, 2_592_000>")]
    pub session: Span,
    /// Whether the page's cookie goes over TLS alone, whatever is known of the connection.
    pub secure_cookie: bool,
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self {
            hotkeys: Vec::new(),
            session: Span::from_secs(43_200),
            secure_cookie: false,
        }
    }
}
