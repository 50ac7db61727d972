//! Payouts and thresholds in memory. What a step does is the domain's to say.

use std::collections::BTreeSet;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::PayoutId;
use dwarves_domain::ledger::{Account, Balance};
use dwarves_domain::payouts::{Payee, Payout, PayoutState, Transition, Txid};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Amount;

use super::pages::page;
use super::state::{State, conflict, corrupt};
use dwarves_ports::store::ledger_rows::MinerPayoutRow;
use dwarves_ports::store::reads::{Page, PageRequest};
use dwarves_ports::store::{StoreError, Written};

impl State {
    pub(super) fn payable_of(&self, hotkey: &Hotkey) -> Amount {
        let sats = self.rest.balances.get(Account::Miner(*hotkey, Balance::Payable));
        let amount = u64::try_from(sats).ok().and_then(Amount::from_sats);
        amount.unwrap_or(Amount::ZERO)
    }

    pub(super) fn reserve_payout(&mut self, payout: &Payout) -> Result<Written, StoreError> {
        let id = payout.id;
        if let Some(known) = self.rest.payouts.get(&id) {
            return if is_same_reservation(known, payout) {
                Ok(Written::Done)
            } else {
                Err(conflict(format!("payout {id} is another one")))
            };
        }
        if self
            .rest
            .payouts
            .keys()
            .next_back()
            .is_some_and(|last| *last > id)
        {
            return Err(conflict(format!("payout {id} goes back behind the last one")));
        }
        if let Some(part) = payout
            .parts
            .iter()
            .find(|p| p.amount > self.payable_of(&p.hotkey))
        {
            log::debug!("payout {id}: {} has less than its part", part.hotkey);
            return Ok(Written::PayoutRefused);
        }
        let postings = payout.reservation().map_err(|error| corrupt(error.to_string()))?;
        self.rest
            .balances
            .apply(&postings)
            .map_err(|error| corrupt(format!("payout {id}: {error}")))?;
        self.rest.payouts.insert(id, payout.clone());
        self.check_books(&format!("payout {id}"))?;
        Ok(Written::Done)
    }

    pub(super) fn adopt_payout(&mut self, payout: &Payout) -> Result<(), StoreError> {
        let id = payout.id;
        let txid = payout.signed.as_ref().map(|signed| signed.txid);
        let txid = txid.ok_or_else(|| conflict(format!("payout {id} has no transaction")))?;
        if !self.known_txids(&[txid]).is_empty() {
            return Ok(());
        }
        if self
            .rest
            .payouts
            .keys()
            .next_back()
            .is_some_and(|last| *last >= id)
        {
            return Err(conflict(format!("payout {id} is not the next one")));
        }
        let adopted = payout.adoption(|hotkey| self.payable_of(hotkey));
        let adopted = adopted.map_err(|error| corrupt(error.to_string()))?;
        let applied = self.rest.balances.apply(&adopted.postings);
        applied.map_err(|error| corrupt(format!("payout {id}: {error}")))?;
        self.rest.payouts.insert(id, adopted.payout);
        self.check_books(&format!("payout {id}"))
    }

    pub(super) fn known_txids(&self, txids: &[Txid]) -> BTreeSet<Txid> {
        let signed = self
            .rest
            .payouts
            .values()
            .filter_map(|payout| payout.signed.as_ref());
        signed
            .map(|signed| signed.txid)
            .filter(|txid| txids.contains(txid))
            .collect()
    }

    pub(super) fn payees(&self) -> Result<Vec<Payee>, StoreError> {
        let with_address = |(hotkey, (_, address)): (&Hotkey, &(Timestamp, Option<String>))| {
            address.is_some().then(|| Payee {
                hotkey: *hotkey,
                payable: self.payable_of(hotkey),
                address: address.clone(),
                threshold: self.payout_threshold(*hotkey),
            })
        };
        Ok(self.rest.miners.iter().filter_map(with_address).collect())
    }

    pub(super) fn step_payout(
        &mut self,
        id: PayoutId,
        step: &Transition,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(payout) = self.rest.payouts.get(&id) else {
            return Err(conflict(format!("payout {id} is not stored")));
        };
        let stepped = payout.step(step, at, |hotkey| self.payable_of(hotkey));
        let stepped = stepped.map_err(|error| conflict(error.to_string()))?;
        self.rest
            .balances
            .apply(&stepped.postings)
            .map_err(|error| corrupt(format!("payout {id}: {error}")))?;
        self.rest.payouts.insert(id, stepped.payout);
        self.check_books(&format!("payout {id}"))
    }

    pub(super) fn set_payout_threshold(
        &mut self,
        hotkey: Hotkey,
        threshold: Option<Amount>,
    ) -> Result<(), StoreError> {
        if !self.rest.miners.contains_key(&hotkey) {
            return Err(conflict(format!("miner {hotkey} is not registered")));
        }
        match threshold {
            Some(threshold) => self.rest.thresholds.insert(hotkey, threshold),
            None => self.rest.thresholds.remove(&hotkey),
        };
        Ok(())
    }

    pub(super) fn payout_threshold(&self, hotkey: Hotkey) -> Option<Amount> {
        self.rest.thresholds.get(&hotkey).copied()
    }

    pub(super) fn payout_candidates(&self, least: Amount) -> Result<Vec<Payee>, StoreError> {
        let payable = self
            .rest
            .balances
            .iter()
            .filter_map(|(account, sats)| match account {
                Account::Miner(hotkey, Balance::Payable) => Some((hotkey, sats)),
                _ => None,
            });
        let candidates = payable.map(|(hotkey, sats)| {
            let amount = u64::try_from(sats).ok().and_then(Amount::from_sats);
            Ok(Payee {
                hotkey,
                payable: amount.ok_or_else(|| corrupt("a miner's balance is below zero"))?,
                address: self
                    .rest
                    .miners
                    .get(&hotkey)
                    .and_then(|(_, address)| address.clone()),
                threshold: self.payout_threshold(hotkey),
            })
        });
        let candidates: Vec<Payee> = candidates.collect::<Result<_, StoreError>>()?;
        Ok(candidates.into_iter().filter(|c| c.payable >= least).collect())
    }

    pub(super) fn watched_payouts(&self, limit: u32) -> Vec<Payout> {
        let watched = self.rest.payouts.values().filter(|payout| payout.is_watched);
        let slim = |payout: &Payout| {
            let mut payout = Payout {
                parts: Vec::new(),
                ..payout.clone()
            };
            let is_sent = matches!(payout.state, PayoutState::Signed | PayoutState::Broadcast);
            if let Some(signed) = payout.signed.as_mut().filter(|_| !is_sent) {
                signed.bytes.clear();
            }
            payout
        };
        watched.take(limit as usize).map(slim).collect()
    }

    pub(super) fn payout(&self, id: PayoutId) -> Option<Payout> {
        self.rest.payouts.get(&id).cloned()
    }

    pub(super) fn miner_payouts(&self, hotkey: Hotkey, request: PageRequest) -> Page<MinerPayoutRow> {
        let rows = self.rest.payouts.values().filter_map(|payout| {
            let part = payout.parts.iter().find(|part| part.hotkey == hotkey)?;
            let row = MinerPayoutRow {
                payout: payout.id,
                state: payout.state,
                txid: payout.signed.as_ref().map(|signed| signed.txid),
                exported: payout.exported.clone(),
                confirmations: payout.confirmations,
                reserved_at: payout.reserved_at,
                sent_at: payout.sent_at,
                address: part.address.clone(),
                amount: part.amount,
                fee: part.fee,
                note: payout.note.clone(),
            };
            Some((payout.id.get(), row))
        });
        page(rows, request)
    }
}

/// Whether both set the same money aside for the same miners at the same time.
fn is_same_reservation(known: &Payout, payout: &Payout) -> bool {
    let of = |payout: &Payout| {
        let parts = payout.parts.iter();
        parts
            .map(|part| (part.hotkey, part.address.clone(), part.amount))
            .collect::<Vec<_>>()
    };
    known.reserved_at == payout.reserved_at && of(known) == of(payout)
}
