//! Payouts: reserving, stepping, and what each books. What a step does is the domain's to say.

use std::collections::BTreeMap;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::PayoutId;
use dwarves_domain::ledger::{Account, Balance};
use dwarves_domain::payouts::{Part, PaymentReference, Payout, Transition};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Amount;
use dwarves_ports::store::Written;
use dwarves_ports::store::codec::lists::encode_inputs;
use dwarves_ports::store::codec::{Cells as _, sats};

use super::journal::Cause;
use super::{Transaction, expect_stored};
use crate::error::{Outcome, conflict, corrupt};
use crate::read::payouts::{self, Parts};
use crate::value::{Value, values};

impl Transaction<'_> {
    /// The last payout's number.
    pub(super) fn last_payout(&self) -> Outcome<Option<PayoutId>> {
        let sql = "SELECT id FROM payouts ORDER BY id DESC LIMIT 1";
        self.db
            .one("payouts", sql, &[], |cells| Ok(PayoutId::new(cells.u64("id")?)))
    }

    /// What each of these miners has payable.
    fn payable_of_all<'p>(
        &self,
        hotkeys: impl IntoIterator<Item = &'p Hotkey>,
    ) -> Outcome<BTreeMap<Hotkey, Amount>> {
        // No row: nothing ever moved there.
        let mut payable: BTreeMap<Hotkey, Amount> = hotkeys
            .into_iter()
            .map(|hotkey| (*hotkey, Amount::ZERO))
            .collect();
        let Some((any, _)) = payable.first_key_value() else {
            return Ok(payable);
        };
        let account = Account::Miner(*any, Balance::Payable);
        let wanted: Vec<&[u8]> = payable.keys().map(|hotkey| &hotkey.as_bytes()[..]).collect();
        let sql = "SELECT hotkey, amount FROM balances WHERE account = $1 AND hotkey = ANY($2)";
        let values = values![account.code(), Value::Other(&wanted)];
        let found = self.db.all("balances", sql, values, |cells| {
            Ok((cells.hotkey("hotkey")?, cells.amount("amount")?))
        })?;
        payable.extend(found);
        Ok(payable)
    }

    /// What each miner of a payout has payable.
    fn payable_of_parts(&self, payout: &Payout) -> Outcome<BTreeMap<Hotkey, Amount>> {
        self.payable_of_all(payout.parts.iter().map(|part| &part.hotkey))
    }

    /// Whether a miner has less than its part.
    pub(super) fn lacks(&self, parts: &[&Part]) -> Outcome<bool> {
        let payable = self.payable_of_all(parts.iter().map(|part| &part.hotkey))?;
        let lacking = parts
            .iter()
            .find(|part| payable.get(&part.hotkey).is_none_or(|has| part.amount > *has));
        if let Some(part) = lacking {
            log::debug!("{} has less than its part of a payout", part.hotkey);
        }
        Ok(lacking.is_some())
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
        if self.lacks(&payout.parts.iter().collect::<Vec<_>>())? {
            return Ok(Written::PayoutRefused);
        }
        self.insert(payout)?;
        let postings = payout.reservation().map_err(|error| corrupt(error.to_string()))?;
        self.enter(Cause::Payout(id, "reserve"), payout.reserved_at, &postings)?;
        Ok(Written::Done)
    }

    /// Writes a new payout with its parts.
    pub(super) fn insert(&self, payout: &Payout) -> Outcome<()> {
        self.save(payout)?;
        let parts = &payout.parts;
        let hotkeys: Vec<&[u8]> = parts.iter().map(|part| &part.hotkey.as_bytes()[..]).collect();
        let addresses: Vec<&str> = parts.iter().map(|part| part.address.as_str()).collect();
        let column =
            |of: fn(&Part) -> Amount| -> Vec<i64> { parts.iter().map(|part| sats(of(part))).collect() };
        let (amounts, fees) = (column(|part| part.amount), column(|part| part.fee));
        let borne = column(|part| part.borne);
        self.db.execute(
            "INSERT INTO payout_parts (payout, place, hotkey, address, amount, fee, borne)
             SELECT $1, place - 1, hotkey, address, amount, fee, borne
             FROM unnest($2::bytea[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[]) WITH ORDINALITY
                 AS part (hotkey, address, amount, fee, borne, place)",
            values![
                payout.id,
                Value::Other(&hotkeys),
                Value::Other(&addresses),
                Value::Other(&amounts),
                Value::Other(&fees),
                Value::Other(&borne)
            ],
        )?;
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
