//! What the pool stands on: its key, its operator's token, its ledger and its chain.

use std::path::Path;
use std::sync::Arc;

use dwarves_keys::{AdminToken, PoolKey};
use dwarves_ports::clock::SharedClock;
use dwarves_ports::store::SharedStore;
use dwarves_system::SystemRandomness;
use dwarves_system::clock::PoolClock;

use super::chain::OpenChain;
use super::lead::Database;
use super::{StartError, ledger, listen_file};
use crate::config::Config;

/// What the pool stands on: opened first, closed last.
pub(super) struct Ground {
    pub(super) clock: SharedClock,
    pub(super) store: SharedStore,
    /// The same for pages, which a standby may answer.
    pub(super) shown: SharedStore,
    pub(super) chain: OpenChain,
    pub(super) pool_key: PoolKey,
    pub(super) admin_token: AdminToken,
}

impl Ground {
    /// Opens key, token, ledger and chain in the data directory.
    pub(super) async fn open(
        config: &Config,
        data_dir: &Path,
        database: Option<Database>,
    ) -> Result<Self, StartError> {
        let unusable = |source| StartError::DataDir {
            path: data_dir.to_owned(),
            source,
        };
        std::fs::create_dir_all(data_dir).map_err(unusable)?;
        let clock: SharedClock = Arc::new(PoolClock::start());
        ledger::key_must_be_there(config, data_dir)?;
        let pool_key = PoolKey::open_or_create(data_dir, &SystemRandomness)?;
        let admin_token = AdminToken::open_or_create(data_dir, &SystemRandomness)?;
        for warning in [pool_key.warning(), admin_token.warning()].into_iter().flatten() {
            log::warn!("{warning}");
        }
        let ledger::Opened { store, shown } = match database {
            Some(database) => database.opened(),
            None => ledger::open_file(config, data_dir)?,
        };
        // Only now is it sure that no other pool runs here, whose file it would be.
        listen_file::remove(data_dir).map_err(unusable)?;
        let chain = OpenChain::open(config, data_dir, &pool_key, &clock).await?;
        Ok(Self {
            clock,
            store,
            shown,
            chain,
            pool_key,
            admin_token,
        })
    }
}
