//! Where the ledger is kept.

use std::fmt;
use std::path::{Path, PathBuf};

use dwarves_domain::settings::{text, word};
use dwarves_domain::time::Span;
use serde::{Deserialize, Deserializer};

use super::readers::{self, Days, Secs};

/// When a share is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acknowledge {
    /// When it is on disk.
    #[default]
    Durable,
    /// When it is queued for the disk. Only for measuring what durability costs.
    Queued,
}

impl<'de> Deserialize<'de> for Acknowledge {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        word(d, &[("durable", Self::Durable), ("queued", Self::Queued)])
    }
}

/// What keeps the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoreKind {
    /// A file of this machine.
    #[default]
    Sqlite,
    /// A database of a PostgreSQL server.
    Postgres,
}

impl<'de> Deserialize<'de> for StoreKind {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        word(d, &[("sqlite", Self::Sqlite), ("postgres", Self::Postgres)])
    }
}

/// Where a PostgreSQL database is. It may hold a password, which `Debug` and `Display` leave out.
#[derive(Clone, PartialEq, Eq)]
pub struct LedgerUrl(String);

impl LedgerUrl {
    /// From a text that begins with `postgresql://` or `postgres://`, and has a password in no other place than before
    /// the host.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text
            .strip_prefix("postgresql://")
            .or_else(|| text.strip_prefix("postgres://"))?;
        let plain = !rest.is_empty() && rest.chars().all(|c| !c.is_whitespace() && !c.is_control());
        (plain && !rest.contains("password=")).then(|| Self(text.to_owned()))
    }

    /// The address with its password.
    pub fn with_credentials(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LedgerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.split_once("://"), self.0.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => write!(f, "{scheme}://***@{host}"),
            _ => f.write_str(&self.0),
        }
    }
}

impl fmt::Debug for LedgerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LedgerUrl({self})")
    }
}

/// A refusal does not repeat the address: it may hold a password.
impl<'de> Deserialize<'de> for LedgerUrl {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        const EXPECTED: &str = "an address such as \"postgresql://dwarves@db.example/dwarves\", with a password, if any, \
                                before the @ or in store.password_file";
        text(d, EXPECTED, |found| {
            Self::parse(found).ok_or_else(|| format!("expected {EXPECTED}"))
        })
    }
}

/// `[store]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// What keeps the ledger.
    pub kind: StoreKind,
    /// The ledger's file, as configured, if it is one; see [`StoreConfig::file_in`].
    #[serde(deserialize_with = "readers::path")]
    pub path: PathBuf,
    /// The ledger's database, if it is one.
    #[serde(deserialize_with = "readers::optional")]
    pub url: Option<LedgerUrl>,
    /// The file with the password, if the url has none.
    #[serde(deserialize_with = "readers::optional")]
    pub password_file: Option<PathBuf>,
    /// The file with the certificates of the authorities that the server's certificate is checked against.
    #[serde(deserialize_with = "readers::optional")]
    pub ca_file: Option<PathBuf>,
    /// A standby of the ledger's database that pages are read from, if there is one.
    #[serde(deserialize_with = "readers::optional")]
    pub read_url: Option<LedgerUrl>,
    /// How far it may be behind.
    #[serde(rename = "read_lag_max_secs", with = "Secs::<1, 3600>")]
    pub read_lag_max: Span,
    /// When a share is answered.
    pub acknowledge: Acknowledge,
    /// How long shares are kept behind every window.
    #[serde(rename = "retention_days", with = "Days::<1, 36_500>")]
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
            kind: StoreKind::Sqlite,
            path: PathBuf::from("dwarves.db"),
            url: None,
            password_file: None,
            ca_file: None,
            read_url: None,
            read_lag_max: Span::from_secs(5),
            acknowledge: Acknowledge::Durable,
            retention: Span::from_secs(30 * 86_400),
        }
    }
}
