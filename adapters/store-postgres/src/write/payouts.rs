//! Payouts: reserving, stepping, and what each books. What a step does is the domain's to say.

use std::collections::BTreeMap;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::PayoutId;
use dwarves_domain::ledger::{Account, Balance};
use dwarves_domain::payouts::{PaymentReference, Payout, Transition};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Amount;
use dwarves_ports::store::Written;
use dwarves_ports::store::codec::Cells as _;
use dwarves_ports::store::codec::lists::encode_inputs;

use super::journal::Cause;
use super::{Transaction, expect_stored};
use crate::error::{Outcome, conflict, corrupt};
use crate::read::payouts::{self, Parts};
use crate::value::values;

impl Transaction<'_> {
    pub(super) fn payable_of(&self, hotkey: &Hotkey) -> Outcome<Amount> {
        let account = Account::Miner(*hotkey, Balance::Payable);
        let sql = "SELECT amount FROM balances WHERE account = $1 AND hotkey = $2";
        let amount = self
            .db
            .one("balances", sql, values![account.code(), hotkey], |cells| {
                cells.amount("amount")
            })?;
        // No row: nothing ever moved there.
        Ok(amount.unwrap_or(Amount::ZERO))
    }

    /// The last payout's number.
    pub(super) fn last_payout(&self) -> Outcome<Option<PayoutId>> {
        let sql = "SELECT id FROM payouts ORDER BY id DESC LIMIT 1";
        self.db
            .one("payouts", sql, &[], |cells| Ok(PayoutId::new(cells.u64("id")?)))
    }

    /// What each miner of a payout has payable.
    fn payable_of_parts(&self, payout: &Payout) -> Outcome<BTreeMap<Hotkey, Amount>> {
        let parts = payout.parts.iter();
        parts
            .map(|part| Ok((part.hotkey, self.payable_of(&part.hotkey)?)))
            .collect()
    }

    pub(super) fn reserve_payout(&mut self, payout: &Payout) -> Outcome<Written> {
        let id = payout.id;
        if let Some(known) = payouts::one(self.db, id, Parts::With)? {
            let of = |payout: &Payout| {
                let parts = payout.parts.iter();
                let parts = parts.map(|part| (part.hotkey, part.address.clone(), part.amount));
                (payout.reserved_at, parts.collect::<Vec<_>>())
            };
            return if of(&known) == of(payout) {
                Ok(Written::Done)
            } else {
                Err(conflict(format!("payout {id} is another one")))
            };
        }
        if self.last_payout()?.is_some_and(|last| last > id) {
            return Err(conflict(format!("payout {id} goes back behind the last one")));
        }
        for part in &payout.parts {
            if part.amount > self.payable_of(&part.hotkey)? {
                log::debug!("payout {id}: {} has less than its part", part.hotkey);
                return Ok(Written::PayoutRefused);
            }
        }
        self.insert(payout)?;
        let postings = payout.reservation().map_err(|error| corrupt(error.to_string()))?;
        self.enter(Cause::Payout(id, "reserve"), payout.reserved_at, &postings)?;
        Ok(Written::Done)
    }

    /// Writes a new payout with its parts.
    pub(super) fn insert(&self, payout: &Payout) -> Outcome<()> {
        self.save(payout)?;
        for (part, place) in payout.parts.iter().zip(0_i64..) {
            self.db.execute(
                "INSERT INTO payout_parts (payout, place, hotkey, address, amount, fee, borne)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
                values![
                    payout.id,
                    place,
                    &part.hotkey,
                    &part.address,
                    part.amount,
                    part.fee,
                    part.borne
                ],
            )?;
        }
        Ok(())
    }

    pub(super) fn adopt_payout(&mut self, payout: &Payout) -> Outcome<()> {
        let id = payout.id;
        let txid = payout.signed.as_ref().map(|signed| signed.txid);
        let txid = txid.ok_or_else(|| conflict(format!("payout {id} has no transaction")))?;
        if !payouts::known(self.db, &[txid])?.is_empty() {
            return Ok(());
        }
        if self.last_payout()?.is_some_and(|last| last >= id) {
            return Err(conflict(format!("payout {id} is not the next one")));
        }
        let payable = self.payable_of_parts(payout)?;
        let payable = |hotkey: &Hotkey| *payable.get(hotkey).expect("every part's miner was looked up");
        let adopted = payout.adoption(payable);
        let adopted = adopted.map_err(|error| corrupt(error.to_string()))?;
        self.insert(&adopted.payout)?;
        self.enter(Cause::Payout(id, "adopt"), payout.reserved_at, &adopted.postings)
    }

    pub(super) fn step_payout(&mut self, id: PayoutId, step: &Transition, at: Timestamp) -> Outcome<()> {
        // Thousands of parts are read and written only for steps that move money or fix their fees.
        let parts = match step {
            Transition::Send | Transition::Depth(_) | Transition::Forget => Parts::Without,
            _ => Parts::With,
        };
        let payout = payouts::one(self.db, id, parts)?;
        let payout = payout.ok_or_else(|| conflict(format!("payout {id} is not stored")))?;
        let payable = match step {
            Transition::Revive(_) => self.payable_of_parts(&payout)?,
            _ => BTreeMap::new(),
        };
        // Only a revival asks.
        let payable = |hotkey: &Hotkey| *payable.get(hotkey).expect("every part's miner was looked up");
        let stepped = payout.step(step, at, payable);
        let stepped = stepped.map_err(|error| conflict(error.to_string()))?;
        if stepped.payout == payout {
            return Ok(());
        }
        self.save(&stepped.payout)?;
        if stepped.payout.parts != payout.parts {
            for (part, place) in stepped.payout.parts.iter().zip(0_i64..) {
                self.db.execute(
                    "UPDATE payout_parts SET fee = $3, borne = $4 WHERE payout = $1 AND place = $2",
                    values![id, place, part.fee, part.borne],
                )?;
            }
        }
        self.enter(Cause::Payout(id, step.name()), at, &stepped.postings)
    }

    /// Writes all of a payout but its parts.
    fn save(&self, payout: &Payout) -> Outcome<()> {
        let signed = payout.signed.as_ref();
        let inputs = signed.map(|signed| encode_inputs(&signed.inputs));
        let exported = payout.exported.as_ref();
        self.db.execute(
            "INSERT INTO payouts (id, state, reserved_at, sent_at, changed_at, fee_payer, fee_rate, txid, bytes, inputs,
                 fee, confirmations, is_watched, note, batch, reference)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
             ON CONFLICT (id) DO UPDATE SET state = excluded.state, sent_at = excluded.sent_at,
                 changed_at = excluded.changed_at, txid = excluded.txid, bytes = excluded.bytes,
                 inputs = excluded.inputs, fee = excluded.fee, confirmations = excluded.confirmations,
                 is_watched = excluded.is_watched, note = excluded.note, reference = excluded.reference",
            values![
                payout.id,
                payout.state.name(),
                payout.reserved_at,
                payout.sent_at,
                payout.changed_at,
                payout.payer.name(),
                payout.fee_rate.sats_per_vbyte(),
                signed.map(|signed| &signed.txid),
                signed.map(|signed| &signed.bytes),
                inputs.as_ref(),
                signed.map(|signed| signed.fee),
                payout.confirmations,
                payout.is_watched,
                &payout.note,
                exported.map(|exported| exported.batch.as_str()),
                exported
                    .and_then(|exported| exported.reference.as_ref())
                    .map(PaymentReference::as_str),
            ],
        )?;
        Ok(())
    }

    pub(super) fn set_payout_threshold(&self, hotkey: &Hotkey, threshold: Option<Amount>) -> Outcome<()> {
        let known = self
            .db
            .exists("SELECT 1 FROM miners WHERE hotkey = $1", values![hotkey])?;
        expect_stored(u64::from(known), || format!("miner {hotkey}"))?;
        match threshold {
            Some(threshold) => self.db.execute(
                "INSERT INTO payout_thresholds (hotkey, amount) VALUES ($1, $2)
                 ON CONFLICT (hotkey) DO UPDATE SET amount = excluded.amount",
                values![hotkey, threshold],
            )?,
            None => self
                .db
                .execute("DELETE FROM payout_thresholds WHERE hotkey = $1", values![hotkey])?,
        };
        Ok(())
    }
}
