//! The ledger, wherever the settings say that it is kept.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dwarves_keys::pool_key;
use dwarves_ports::store::SharedStore;
use dwarves_store_postgres::{OpenError, PostgresOptions, PostgresStore};
use dwarves_store_sqlite::{SqliteOptions, SqliteStore};

use super::StartError;
use crate::config::{Config, LedgerUrl, StoreKind};

/// Where the ledger's database is; `None` if the ledger is a file.
///
/// # Errors
/// If there is no address, or a file that is named cannot be read.
pub fn database(config: &Config) -> Result<Option<PostgresOptions>, StartError> {
    let store = &config.store;
    if store.kind == StoreKind::Sqlite {
        return Ok(None);
    }
    let unusable = |setting: &str, path: &Path, why: &dyn std::fmt::Display| {
        StartError::Settings(format!("store.{setting}: {}: {why}", path.display()))
    };
    let url = store.url.as_ref();
    let url = url.ok_or_else(|| StartError::Settings("store.url is missing".to_owned()))?;
    let read = |setting: &str, path: &Option<PathBuf>| {
        let read = |path: &PathBuf| std::fs::read(path).map_err(|error| unusable(setting, path, &error));
        path.as_ref().map(read).transpose()
    };
    let password = read("password_file", &store.password_file)?;
    let password = match (&password, &store.password_file) {
        (Some(bytes), Some(path)) => {
            let text = str::from_utf8(bytes).map_err(|error| unusable("password_file", path, &error))?;
            Some(text.trim_end_matches(['\r', '\n']))
        }
        _ => None,
    };
    let authorities = read("ca_file", &store.ca_file)?;
    let at = |setting: &str, url: &LedgerUrl| {
        PostgresOptions::new(url.with_credentials(), password, authorities.as_deref())
            .map_err(|error| StartError::Settings(error.to_string().replacen("store.url", setting, 1)))
    };
    let options = at("store.url", url)?;
    let Some(standby) = &store.read_url else {
        return Ok(Some(options));
    };
    let standby = at("store.read_url", standby)?;
    Ok(Some(options.with_standby(standby, store.read_lag_max)))
}

/// The ledger, for those who decide and for those who show it.
pub(super) struct Opened {
    /// For all that is decided: it is up to date with the last commit.
    pub(super) store: SharedStore,
    /// For pages alone: a standby may answer.
    pub(super) shown: SharedStore,
}

/// Makes sure that the pool's key is there if the ledger has a history.
///
/// # Errors
/// If it is missing, or a ledger in a database cannot be asked.
pub fn key_must_be_there(config: &Config, data_dir: &Path) -> Result<(), StartError> {
    let Some(options) = database(config)? else {
        return Ok(pool_key::must_be_there(
            data_dir,
            &config.store.file_in(data_dir),
        )?);
    };
    // Whoever has the key need not ask.
    if data_dir.join(pool_key::FILE_NAME).exists() {
        return Ok(());
    }
    let has_history = PostgresStore::has_history(&options).map_err(|source| in_database(&options, source))?;
    let place = PathBuf::from(options.place());
    Ok(pool_key::must_be_there_if(data_dir, &place, has_history)?)
}

/// Opens the ledger, if it is a file.
pub(super) fn open_file(config: &Config, data_dir: &Path) -> Result<Opened, StartError> {
    let path = config.store.file_in(data_dir);
    let store = SqliteStore::open(&path, SqliteOptions::default())
        .map_err(|source| StartError::OpenStore { path, source })?;
    let store: SharedStore = Arc::new(store);
    let shown = Arc::clone(&store);
    Ok(Opened { store, shown })
}

pub(super) fn in_database(options: &PostgresOptions, source: OpenError) -> StartError {
    StartError::OpenDatabase {
        place: options.place(),
        source,
    }
}
