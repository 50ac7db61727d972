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
use dwarves_domain::payouts::{Payees, Payout, PayoutState, Signed, Spend, Transition, Txid};
use dwarves_domain::refusal::Refusal;
use dwarves_domain::units::Amount;
use dwarves_ports::store::{SharedStore, StoreError, Write};
use dwarves_ports::wallet::{SharedWallet, WalletError};
use serde_json::{Value, json};

use super::machine::{Ended, Machine, patiently};
use super::trouble::{Trouble, TroubleKind};
use crate::control::Controlled;
use crate::spans;

/// The setting that remembers what was compared.
pub const COMPARED: &str = "ledger.compared_with_wallet";
/// Spends that are booked by one order; the next order takes the next.
const ADOPT_MAX: usize = 100;
/// Spends that are named one by one.
const NAMED_MAX: usize = 20;

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

    fn to_text(&self) -> String {
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
    next: Compared,
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

/// What an operator wants done about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settle {
    /// Book it as a payout.
    Adopt {
        /// This one; `None`: all that pay miners.
        only: Option<Txid>,
        /// Also if balances do not cover it.
        reserve_bears: bool,
    },
    /// They are looked at, and what is not booked is none of the pool's payouts.
    Release,
}

impl Comparison {
    /// What holds payouts.
    pub fn holding(&self, was_compared: bool, is_start: bool) -> impl Iterator<Item = &Stranger> {
        let holding = move |stranger: &&Stranger| holds(stranger.pays_miner(), was_compared, is_start);
        self.strangers.iter().filter(holding)
    }
}

impl From<CompareError> for Ended {
    fn from(error: CompareError) -> Self {
        Self::Trouble(match error {
            CompareError::Wallet(error) => Trouble::of_wallet(&error),
            CompareError::Store(error) => Trouble::new(TroubleKind::Ledger, error.to_string()),
        })
    }
}

impl Machine {
    async fn side_by_side(&self) -> Result<Comparison, Ended> {
        let compared = self.report.errand.compared.as_ref();
        let comparison = compare(&self.wallet, &self.store, compared, self.settings.addresses).await;
        Ok(comparison?)
    }

    /// Compares ledger and wallet, and holds payouts if they do not agree.
    pub(super) async fn compare(&mut self) -> Result<(), Ended> {
        let comparison = self.side_by_side().await?;
        let errand = &self.report.errand;
        let (was_compared, is_start) = (errand.compared.is_some(), !errand.is_compared);
        let holding: Vec<&Stranger> = comparison.holding(was_compared, is_start).collect();
        if holding.is_empty() {
            for stranger in &comparison.strangers {
                let (txid, total) = (stranger.spend.txid, stranger.total());
                log::warn!(
                    "the wallet sent {total} sats elsewhere txid={txid}: it is none of the pool's payouts"
                );
            }
            return self.remember(comparison.next, None).await;
        }
        let txids = holding
            .iter()
            .take(3)
            .map(|stranger| stranger.spend.txid.to_string());
        let detail = format!(
            "the wallet sent {} transactions that the ledger does not know, {} of them to miners: {}",
            holding.len(),
            holding.iter().filter(|stranger| stranger.pays_miner()).count(),
            txids.collect::<Vec<_>>().join(", ")
        );
        self.report.restored = Some(Some(detail));
        Ok(())
    }

    /// Keeps what was compared, so that the next start goes on from there.
    async fn remember(&mut self, next: Compared, ordered: Option<&Value>) -> Result<(), Ended> {
        if self.report.errand.compared.as_ref() != Some(&next) {
            let write = Write::SaveSetting {
                key: COMPARED.to_owned(),
                value: Some(next.to_text()),
            };
            match ordered {
                Some(done) => self.commit_order(vec![write], done).await?,
                None => self.commit(vec![write]).await?,
            };
        }
        self.report.errand.compared = Some(next);
        self.report.errand.is_compared = true;
        self.report.restored = Some(None);
        Ok(())
    }

    /// Does what an operator wants done about what the ledger does not know.
    pub(super) async fn settle(&mut self, settle: Settle) -> Result<Controlled, Ended> {
        match settle {
            Settle::Adopt { only, reserve_bears } => self.adopt(only, reserve_bears).await,
            Settle::Release => {
                let comparison = self.side_by_side().await?;
                let named = comparison.strangers.iter().take(NAMED_MAX).map(Stranger::to_json);
                let named: Vec<Value> = named.collect();
                for stranger in &comparison.strangers {
                    let (txid, total) = (stranger.spend.txid, stranger.total());
                    log::warn!(
                        "an operator says that txid={txid} of {total} sats is none of the pool's payouts"
                    );
                }
                let count = comparison.strangers.len();
                let done = json!({
                    "released": "restored",
                    "left_out": count,
                    "spends": named,
                });
                self.remember(comparison.next, Some(&done)).await?;
                Ok(Ok(done))
            }
        }
    }

    async fn adopt(&mut self, only: Option<Txid>, reserve_bears: bool) -> Result<Controlled, Ended> {
        let comparison = self.side_by_side().await?;
        let is_wanted = |stranger: &&Stranger| match only {
            Some(txid) => stranger.spend.txid == txid,
            None => stranger.pays_miner(),
        };
        let wanted = comparison.strangers.iter().filter(is_wanted).take(ADOPT_MAX);
        let wanted: Vec<Spend> = wanted.map(|stranger| stranger.spend.clone()).collect();
        if wanted.is_empty() {
            let why = match only {
                Some(txid) => format!("the wallet sent no {txid} that the ledger does not know"),
                None => "the wallet sent nothing to miners that the ledger does not know".to_owned(),
            };
            return Ok(Err(Refusal::ControlRefused(why)));
        }
        let (writes, ids) = match self.bookings(&wanted, reserve_bears).await? {
            Ok(bookings) => bookings,
            Err(why) => return Ok(Err(Refusal::ControlRefused(why))),
        };
        let adopted = writes.iter().filter_map(|write| match write {
            Write::AdoptPayout(payout) => Some(describe(payout)),
            _ => None,
        });
        let done = json!({ "adopted": adopted.collect::<Vec<_>>() });
        self.commit_order(writes, &done).await?;
        self.report.errand.last_payout = ids.last().copied().max(self.report.errand.last_payout);
        let mut booked = Vec::new();
        for id in ids {
            let payout = self.store.payout(id).await;
            let payout = payout.map_err(|error| self.store_failed(&error))?;
            booked.extend(payout.map(|payout| describe(&payout)));
        }
        self.compare().await?;
        let left = self.side_by_side().await?.strangers;
        Ok(Ok(json!({
            "adopted": booked,
            "left": left.len(),
            "spends_left": left.iter().take(NAMED_MAX).map(Stranger::to_json).collect::<Vec<_>>(),
        })))
    }

    /// What books these spends: what was set aside and never signed is given back first, since it may be just what
    /// was sent.
    async fn bookings(
        &mut self,
        wanted: &[Spend],
        reserve_bears: bool,
    ) -> Result<Result<(Vec<Write>, Vec<dwarves_domain::ids::PayoutId>), String>, Ended> {
        let at = self.clock.date();
        let payees = self.store.payees().await;
        let payees = payees.map_err(|error| self.store_failed(&error))?;
        let mut payees = Payees::new(payees, self.settings.addresses);
        let mut writes = Vec::new();
        let mut ids = Vec::new();
        for watched in self.watched().await? {
            if watched.state != PayoutState::Reserved {
                continue;
            }
            let reserved = self.store.payout(watched.id).await;
            let reserved = reserved.map_err(|error| self.store_failed(&error))?;
            payees.change(&reserved.map(|payout| payout.parts).unwrap_or_default(), true);
            writes.push(Write::StepPayout {
                id: watched.id,
                step: Transition::Cancel("what the wallet sent meanwhile is booked first".to_owned()),
                at,
            });
        }
        let mut next = self.report.errand.last_payout;
        for spend in wanted {
            let txid = spend.txid;
            let Some(sent) = patiently(self.wallet.sent(txid)).await? else {
                return Ok(Err(format!("the wallet does not know {txid} any more")));
            };
            let adopted = match payees.adopt(spend, sent.fee, self.settings.payer) {
                Ok(adopted) => adopted,
                Err(error) => return Ok(Err(format!("{txid} cannot be booked: {error}"))),
            };
            if adopted.uncovered > Amount::ZERO && !reserve_bears {
                return Ok(Err(format!(
                    "{txid} paid {} sats more than its miners have payable: wait until the rewards of recovered blocks \
                     are payable, or let the reserve bear it now (reserve_bears=true; the miners keep what comes later)",
                    adopted.uncovered
                )));
            }
            payees.change(&adopted.parts, false);
            let signed = Signed {
                txid,
                bytes: sent.bytes,
                inputs: sent.inputs,
                fee: sent.fee,
            };
            let id = next.map_or(
                dwarves_domain::ids::PayoutId::new(1),
                dwarves_domain::ids::PayoutId::next,
            );
            next = Some(id);
            let payout = Payout::adopt(id, at, adopted, self.settings.fee_rate, signed);
            spans::of_payout(id).in_scope(|| {
                tracing::warn!(
                    "payout={id} is booked by an operator's order: the wallet had sent txid={txid}"
                );
            });
            writes.push(Write::AdoptPayout(Box::new(payout)));
            ids.push(id);
        }
        Ok(Ok((writes, ids)))
    }
}

fn describe(payout: &Payout) -> Value {
    let borne = Amount::checked_sum(payout.parts.iter().map(|part| part.borne));
    json!({
        "payout": payout.id.get(),
        "txid": payout.signed.as_ref().map(|signed| signed.txid.to_string()),
        "miners": payout.parts.len(),
        "total_sats": payout.total().sats(),
        "fee_sats": payout.signed.as_ref().map(|signed| signed.fee.sats()),
        "borne_by_reserve_sats": borne.unwrap_or(Amount::ZERO).sats(),
        "note": payout.note,
    })
}
