//! The ledger beside its wallet: whether the wallet sent what the ledger does not know, as it has after a restore of
//! an older ledger.
//!
//! Compared at every start before anything is planned or sent, and again before every plan. The pool's own payouts are
//! known by the ids of their transactions, which are stored before anybody else sees them. What is not among them holds
//! payouts until an operator has looked:
//!
//! | what the wallet sent | at a start | later |
//! |---|---|---|
//! | a stored payout, or a payment to the wallet itself | go | go |
//! | to a miner's address | hold | hold |
//! | to others, after what was compared last | hold | go, and it is remembered |
//! | to others, and this ledger was never compared | go, and it is remembered | - |
//!
//! What was looked at is remembered with the ledger: a mark deep in the chain, and what was seen behind it.

use std::collections::{BTreeMap, BTreeSet};

use dwarves_domain::address::AddressFormat;
use dwarves_domain::payouts::{Payees, Spend, Txid};
use dwarves_domain::units::Amount;
use dwarves_ports::store::{SharedStore, StoreError};
use dwarves_ports::wallet::{SharedWallet, WalletError};
use serde_json::{Value, json};

use super::deadline::patiently;

/// The setting that remembers what was compared.
pub const COMPARED: &str = "ledger.compared_with_wallet";

/// The setting by which a ledger says that it was restored from a backup, with the words that an operator is told.
/// `dwarves restore` writes it; once what the wallet sent is booked, or an operator has let payouts go on, it is taken
/// out.
pub const RESTORED: &str = "ledger.restored";

/// What of the wallet's history was compared with the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    mark: Option<String>,
    seen: BTreeSet<Txid>,
}

impl Compared {
    /// Reads it from the stored settings; `None`: this ledger was never compared.
    pub fn read(settings: &BTreeMap<String, String>) -> Option<Self> {
        let value: Value = serde_json::from_str(settings.get(COMPARED)?).ok()?;
        let seen = value["seen"].as_array().into_iter().flatten();
        Some(Self {
            mark: value["mark"].as_str().map(str::to_owned),
            seen: seen.filter_map(|txid| txid.as_str()?.parse().ok()).collect(),
        })
    }

    pub(super) fn to_text(&self) -> String {
        let seen: Vec<String> = self.seen.iter().map(ToString::to_string).collect();
        json!({ "mark": self.mark, "seen": seen }).to_string()
    }
}

/// What the wallet sent and the ledger does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// The transaction that the ledger does not know.
    pub spend: Spend,
    /// Which of its outputs are miners', in the order of the outputs.
    pub to_miner: Vec<bool>,
}

impl Stranger {
    /// Whether it pays a miner.
    pub fn pays_miner(&self) -> bool {
        self.to_miner.contains(&true)
    }

    /// What it pays in all.
    pub fn total(&self) -> Amount {
        let amounts = self.spend.outputs.iter().map(|(_, amount)| *amount);
        // It is only told: what the node claims and does not fit is told as the most that does.
        Amount::checked_sum(amounts).unwrap_or(Amount::MAX)
    }

    /// As an operator reads it.
    pub fn to_json(&self) -> Value {
        let outputs = self.spend.outputs.iter().zip(&self.to_miner);
        json!({
            "txid": self.spend.txid.to_string(),
            "confirmations": self.spend.confirmations,
            "outputs": outputs.map(|((address, amount), is_miner)| json!({
                "address": address,
                "amount_sats": amount.sats(),
                "to_miner": is_miner,
            })).collect::<Vec<_>>(),
        })
    }
}

/// Ledger and wallet side by side.
pub struct Comparison {
    /// What the wallet sent and the ledger does not know, oldest first.
    pub strangers: Vec<Stranger>,
    /// What is remembered once an operator has looked at it, or nothing need be looked at.
    pub(super) next: Compared,
}

/// Why there is no comparison.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompareError {
    /// The wallet does not answer.
    #[error(transparent)]
    Wallet(#[from] WalletError),
    /// The ledger does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Compares ledger and wallet.
///
/// # Errors
/// If one of them does not answer.
pub async fn compare(
    wallet: &SharedWallet,
    store: &SharedStore,
    compared: Option<&Compared>,
    addresses: AddressFormat,
) -> Result<Comparison, CompareError> {
    let mark = compared.and_then(|compared| compared.mark.clone());
    let sent = patiently(wallet.spends(mark)).await?;
    let txids: Vec<Txid> = sent.spends.iter().map(|spend| spend.txid).collect();
    let known = store.known_txids(txids).await?;
    let seen = compared.map(|compared| &compared.seen);
    let is_strange = |spend: &&Spend| !known.contains(&spend.txid) && !spend.outputs.is_empty();
    let unknown: Vec<Spend> = sent.spends.iter().filter(is_strange).cloned().collect();
    let still_told = unknown.iter().map(|spend| spend.txid).collect();
    let is_new = |spend: &Spend| seen.is_none_or(|seen| !seen.contains(&spend.txid));
    let unknown: Vec<Spend> = unknown.into_iter().filter(is_new).collect();
    let strangers = if unknown.is_empty() {
        Vec::new()
    } else {
        let payees = Payees::new(store.payees().await?, addresses);
        let stranger = |spend: Spend| Stranger {
            to_miner: spend
                .outputs
                .iter()
                .map(|(address, _)| payees.has(address))
                .collect(),
            spend,
        };
        unknown.into_iter().map(stranger).collect()
    };
    Ok(Comparison {
        strangers,
        next: Compared {
            mark: sent.mark,
            seen: still_told,
        },
    })
}

/// Whether a spend that the ledger does not know holds payouts.
pub fn holds(pays_miner: bool, was_compared: bool, is_start: bool) -> bool {
    pays_miner || (was_compared && is_start)
}

impl Comparison {
    /// What holds payouts.
    pub fn holding(&self, was_compared: bool, is_start: bool) -> impl Iterator<Item = &Stranger> {
        let holding = move |stranger: &&Stranger| holds(stranger.pays_miner(), was_compared, is_start);
        self.strangers.iter().filter(holding)
    }
}
