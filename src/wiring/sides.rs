//! Ledger, chain and wallet side by side, for `dwarves check`: opened as the pool opens them, and nothing is written.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dwarves_actors::identity::{self, Belonging, Identity, Sides};
use dwarves_actors::paymaster::comparison::{CompareError, Compared, Comparison, compare};
use dwarves_domain::address::AddressFormat;
use dwarves_ports::clock::SharedClock;
use dwarves_ports::store::{SharedStore, StoreError};
use dwarves_ports::wallet::SharedWallet;

use super::StartError;
use super::chain::OpenChain;
use crate::config::Config;
use dwarves_keys::PoolKey;
use dwarves_system::SystemRandomness;
use dwarves_system::clock::SystemClock;

/// How often the chain is asked whether it is the ledger's.
const TRIES: u32 = 20;

/// The chain and its wallet beside a ledger.
pub struct OpenSides {
    chain: OpenChain,
    wallet: SharedWallet,
    sides: Sides,
    addresses: AddressFormat,
}

/// Opens the chain and its wallet beside `store`. The pool's key must be there.
///
/// # Errors
/// As the pool's start.
pub async fn open_sides(
    config: &Config,
    data_dir: &Path,
    store: SharedStore,
) -> Result<OpenSides, StartError> {
    let key = PoolKey::open_or_create(data_dir, &SystemRandomness)?;
    let clock: SharedClock = Arc::new(SystemClock);
    let chain = OpenChain::open(config, data_dir, &key, &clock).await?;
    let addresses = chain.addresses;
    let (shared, wallet) = chain
        .shared()
        .ok_or_else(|| StartError::Settings("there is no chain: work is evaluated".to_owned()))?;
    let sides = Sides {
        chain: shared,
        store,
        depth: config.chain.maturity(),
        is_private: addresses.is_private(),
    };
    Ok(OpenSides {
        chain,
        wallet,
        sides,
        addresses,
    })
}

impl OpenSides {
    /// Whether the ledger belongs to the chain.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub async fn belonging(&self, settings: &BTreeMap<String, String>) -> Result<Belonging, StoreError> {
        identity::ask_patiently(&self.sides, Identity::read(settings), TRIES).await
    }

    /// What the wallet sent and the ledger does not know, and whether that would hold payouts at a start.
    ///
    /// # Errors
    /// If wallet or ledger do not answer.
    pub async fn strangers(
        &self,
        settings: &BTreeMap<String, String>,
    ) -> Result<(Comparison, bool), CompareError> {
        let compared = Compared::read(settings);
        let store = &self.sides.store;
        let comparison = compare(&self.wallet, store, compared.as_ref(), self.addresses).await?;
        let holds = comparison.holding(compared.is_some(), true).next().is_some();
        Ok((comparison, holds))
    }

    /// Closes what has a file.
    pub async fn close(self) {
        self.chain.close().await;
    }
}
