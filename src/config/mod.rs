//! Settings: what there is, how it is read, and how a mistake is explained.
//!
//! | module | its one job |
//! |---|---|
//! | [`schema`] | the settings, one struct a section of `config.toml`, with their defaults |
//! | `readers` | what a value may be, beside those that read themselves: ranges, lists, texts |
//! | `document` | a file of settings: what is right in it, what is wrong, and where |
//! | `load` | file and environment, merged; where each key came from |
//! | `mistake` | what is wrong, and where |
//! | [`origin`] | every setting with its value and where it comes from |
//! | `check` | rules between several keys |
//!
//! `config.toml` at the top of the repository documents every key.

mod check;
mod document;
mod load;
mod mistake;
pub mod origin;
mod readers;
pub mod schema;

pub use load::{FILE_NAME, Reading};
pub use mistake::{ConfigError, Doubts, Place};
pub use schema::{
    Acknowledge, AdminConfig, AuthConfig, BittensorConfig, ChainConfig, ChainKind, ChannelConfig,
    ChannelKind, ClockConfig, Config, EvaluatorConfig, FallbackNode, FrontConfig, HashingConfig, HotkeyNames,
    HttpConfig, LanesChoice, LedgerUrl, LimitsConfig, LogConfig, LogFormat, MinerNotificationsConfig,
    NodeUrl, NotificationsConfig, PayoutsConfig, PoolConfig, RewardsConfig, StatementsConfig, StoreConfig,
    StoreKind, StratumConfig, StratumListenerConfig, TokenConfig, ValidatorsConfig, WorkConfig, WorkKind,
};

#[cfg(test)]
mod tests;
