//! Where a ledger is, as it is said on the command line.

use std::path::{Path, PathBuf};

use dwarves_ports::store::copying::LedgerEnd;
use dwarves_store_postgres::{PostgresEnd, PostgresOptions};
use dwarves_store_sqlite::SqliteEnd;

use crate::cli::{Failure, PoolArgs};
use crate::config::{Config, LedgerUrl, StoreConfig, StoreKind};
use crate::wiring::ledger::database;

/// Where a ledger is.
pub(super) enum Place {
    File(PathBuf),
    Database(Box<PostgresOptions>),
}

impl Place {
    /// What is said: a file, `sqlite:FILE` or `postgresql://…`; nothing: the ledger of the settings.
    pub(super) fn new(
        said: Option<&str>,
        password_file: Option<&Path>,
        ca_file: Option<&Path>,
        pool: &PoolArgs,
    ) -> Result<Self, Failure> {
        let Some(said) = said else {
            if password_file.is_some() || ca_file.is_some() {
                return Err(
                    "a file with a password or authorities belongs to a database that is named".into(),
                );
            }
            let config = Config::load(pool.config.as_deref())?;
            return Self::of(&config, &pool.data_dir);
        };
        if let Some(path) = said.strip_prefix("sqlite:") {
            return Ok(Self::File(path.into()));
        }
        let Some((_, _)) = said.split_once("://") else {
            return Ok(Self::File(said.into()));
        };
        let url = LedgerUrl::parse(said).ok_or(
            "a database is named as postgresql://USER@HOST:PORT/DATABASE, with a password, if any, in a file",
        )?;
        let config = Config {
            store: StoreConfig {
                kind: StoreKind::Postgres,
                url: Some(url),
                password_file: password_file.map(Path::to_owned),
                ca_file: ca_file.map(Path::to_owned),
                ..StoreConfig::default()
            },
            ..Config::default()
        };
        Self::of(&config, &pool.data_dir)
    }

    fn of(config: &Config, data_dir: &Path) -> Result<Self, Failure> {
        Ok(match database(config)? {
            Some(options) => Self::Database(Box::new(options)),
            None => Self::File(config.store.file_in(data_dir)),
        })
    }

    /// For people.
    pub(super) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Database(options) => options.place(),
        }
    }

    /// Takes the ledger that is there.
    pub(super) fn ledger(&self) -> Result<Box<dyn LedgerEnd>, Failure> {
        Ok(match self {
            Self::File(path) => Box::new(SqliteEnd::of_ledger(path).map_err(|error| self.named(&error))?),
            Self::Database(options) => {
                Box::new(PostgresEnd::of_ledger(options).map_err(|error| self.named(&error))?)
            }
        })
    }

    /// Takes the ledger, and makes an empty one if there is none.
    pub(super) fn ledger_or_new(&self) -> Result<Box<dyn LedgerEnd>, Failure> {
        Ok(match self {
            Self::File(path) => Box::new(SqliteEnd::open(path).map_err(|error| self.named(&error))?),
            Self::Database(options) => {
                Box::new(PostgresEnd::open(options).map_err(|error| self.named(&error))?)
            }
        })
    }

    fn named(&self, error: &dyn std::error::Error) -> Failure {
        let (name, error) = (self.name(), error.to_string());
        match error.starts_with(&name) {
            true => error.into(),
            false => format!("{name}: {error}").into(),
        }
    }
}
