//! Payouts: reserving, stepping, and what each books. What a step does is the domain's to say.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::PayoutId;
use dwarves_domain::ledger::{Account, Balance};
use dwarves_domain::payouts::{PaymentReference, Payout, Transition};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Amount;
use dwarves_ports::store::Written;
use rusqlite::{OptionalExtension, params};

use super::journal::Cause;
use super::{Transaction, expect_stored};
use crate::columns::{Cells, int, sats};
use crate::error::{Outcome, conflict, corrupt};
use crate::read::payouts::{self, Parts};
use crate::row_codec::encode_inputs;

impl Transaction<'_> {
    pub(super) fn payable_of(&self, hotkey: &Hotkey) -> Outcome<Amount> {
        let account = Account::Miner(*hotkey, Balance::Payable);
        let amount = self
            .statement("SELECT amount FROM balances WHERE account = ?1 AND hotkey = ?2")?
            .query_row(params![account.code(), hotkey.as_bytes()], |row| {
                Ok(Cells::new(row, "balances").amount("amount"))
            })
            .optional()?
            .transpose()?;
        // No row: nothing ever moved there.
        Ok(amount.unwrap_or(Amount::ZERO))
    }

    pub(super) fn reserve_payout(&mut self, payout: &Payout) -> Outcome<Written> {
        let id = payout.id;
        if let Some(known) = payouts::one(self.connection, id, Parts::With)? {
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
        let last: Option<i64> = self
            .statement("SELECT MAX(id) FROM payouts")?
            .query_row([], |row| row.get(0))?;
        if last.is_some_and(|last| last > int(id.get())) {
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
        let mut insert = self.statement(
            "INSERT INTO payout_parts (payout, place, hotkey, address, amount, fee, borne)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        for (part, place) in payout.parts.iter().zip(0_i64..) {
            insert.execute(params![
                int(payout.id.get()),
                place,
                part.hotkey.as_bytes(),
                part.address,
                sats(part.amount),
                sats(part.fee),
                sats(part.borne),
            ])?;
        }
        Ok(())
    }

    pub(super) fn adopt_payout(&mut self, payout: &Payout) -> Outcome<()> {
        let id = payout.id;
        let txid = payout.signed.as_ref().map(|signed| signed.txid);
        let txid = txid.ok_or_else(|| conflict(format!("payout {id} has no transaction")))?;
        if !payouts::known(self.connection, &[txid])?.is_empty() {
            return Ok(());
        }
        let last: Option<i64> = self
            .statement("SELECT MAX(id) FROM payouts")?
            .query_row([], |row| row.get(0))?;
        if last.is_some_and(|last| last >= int(id.get())) {
            return Err(conflict(format!("payout {id} is not the next one")));
        }
        let mut payable = std::collections::BTreeMap::new();
        for part in &payout.parts {
            payable.insert(part.hotkey, self.payable_of(&part.hotkey)?);
        }
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
        let payout = payouts::one(self.connection, id, parts)?;
        let payout = payout.ok_or_else(|| conflict(format!("payout {id} is not stored")))?;
        let mut payable = std::collections::BTreeMap::new();
        if matches!(step, Transition::Revive(_)) {
            for part in &payout.parts {
                payable.insert(part.hotkey, self.payable_of(&part.hotkey)?);
            }
        }
        // Only a revival asks.
        let payable = |hotkey: &Hotkey| *payable.get(hotkey).expect("every part's miner was looked up");
        let stepped = payout.step(step, at, payable);
        let stepped = stepped.map_err(|error| conflict(error.to_string()))?;
        if stepped.payout == payout {
            return Ok(());
        }
        self.save(&stepped.payout)?;
        if stepped.payout.parts != payout.parts {
            let mut update = self
                .statement("UPDATE payout_parts SET fee = ?3, borne = ?4 WHERE payout = ?1 AND place = ?2")?;
            for (part, place) in stepped.payout.parts.iter().zip(0_i64..) {
                let (fee, borne) = (sats(part.fee), sats(part.borne));
                update.execute(params![int(id.get()), place, fee, borne])?;
            }
        }
        self.enter(Cause::Payout(id, step.name()), at, &stepped.postings)
    }

    /// Writes all of a payout but its parts.
    fn save(&self, payout: &Payout) -> Outcome<()> {
        let signed = payout.signed.as_ref();
        let exported = payout.exported.as_ref();
        let upsert =
            "INSERT INTO payouts (id, state, reserved_at, sent_at, changed_at, fee_payer, fee_rate, txid, bytes, inputs,
                 fee, confirmations, is_watched, note, batch, reference)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
             ON CONFLICT (id) DO UPDATE SET state = excluded.state, sent_at = excluded.sent_at,
                 changed_at = excluded.changed_at, txid = excluded.txid, bytes = excluded.bytes,
                 inputs = excluded.inputs, fee = excluded.fee, confirmations = excluded.confirmations,
                 is_watched = excluded.is_watched, note = excluded.note, reference = excluded.reference";
        self.statement(upsert)?.execute(params![
            int(payout.id.get()),
            payout.state.name(),
            payout.reserved_at.millis(),
            payout.sent_at.map(Timestamp::millis),
            payout.changed_at.millis(),
            payout.payer.name(),
            payout.fee_rate.sats_per_vbyte(),
            signed.map(|signed| signed.txid.as_bytes()),
            signed.map(|signed| &signed.bytes),
            signed.map(|signed| encode_inputs(&signed.inputs)),
            signed.map(|signed| sats(signed.fee)),
            payout.confirmations,
            payout.is_watched,
            payout.note,
            exported.map(|exported| exported.batch.as_str()),
            exported
                .and_then(|exported| exported.reference.as_ref())
                .map(PaymentReference::as_str),
        ])?;
        Ok(())
    }

    pub(super) fn set_payout_threshold(&self, hotkey: &Hotkey, threshold: Option<Amount>) -> Outcome<()> {
        let known = self
            .statement("SELECT 1 FROM miners WHERE hotkey = ?1")?
            .exists([hotkey.as_bytes()])?;
        expect_stored(usize::from(known), || format!("miner {hotkey}"))?;
        match threshold {
            Some(threshold) => {
                let upsert = "INSERT INTO payout_thresholds (hotkey, amount) VALUES (?1, ?2)
                     ON CONFLICT (hotkey) DO UPDATE SET amount = excluded.amount";
                self.statement(upsert)?
                    .execute(params![hotkey.as_bytes(), sats(threshold)])?;
            }
            None => {
                self.statement("DELETE FROM payout_thresholds WHERE hotkey = ?1")?
                    .execute([hotkey.as_bytes()])?;
            }
        }
        Ok(())
    }
}
