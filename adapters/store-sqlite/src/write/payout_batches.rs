//! Batches of exported payouts.

use dwarves_domain::payouts::BatchDigest;
use dwarves_ports::store::{NewBatch, Written};
use rusqlite::params;

use super::Transaction;
use super::journal::Cause;
use crate::columns::{int, sats};
use crate::deflated::deflated;
use crate::error::{Outcome, conflict, corrupt};
use crate::read::payout_batches;

impl Transaction<'_> {
    pub(super) fn begin_batch(&mut self, batch: &NewBatch) -> Outcome<Written> {
        let row = &batch.row;
        let head = &row.head;
        let name = &head.name;
        if let Some(known) = payout_batches::one(self.connection, name)? {
            return match (&known.text, &known.csv) == (&row.text, &row.csv) {
                true => Ok(Written::Done),
                false => Err(conflict(format!("batch {name} is another one"))),
            };
        }
        if head.previous != payout_batches::last(self.connection)?
            || head.digest != BatchDigest::of(&row.text)
        {
            return Err(conflict(format!(
                "batch {name} does not follow the last, or has another digest"
            )));
        }
        let last: Option<i64> = self
            .statement("SELECT MAX(id) FROM payouts")?
            .query_row([], |row| row.get(0))?;
        if !batch.is_as_its_head_says() || last.is_some_and(|last| last >= int(head.first_payout.get())) {
            return Err(conflict(format!(
                "the payouts of batch {name} are not those of its head, or go back behind the last one"
            )));
        }
        // No miner has two.
        for part in batch.payouts.iter().flat_map(|payout| &payout.parts) {
            if part.amount > self.payable_of(&part.hotkey)? {
                log::debug!("batch {name}: {} has less than its payout", part.hotkey);
                return Ok(Written::PayoutRefused);
            }
        }
        self.statement(
            "INSERT INTO payout_batches (name, at, first_payout, payouts, total, previous, digest, signer, signature,
                 csv_signature, length, text, csv_length, csv)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?
        .execute(params![
            name.as_str(),
            head.at.millis(),
            int(head.first_payout.get()),
            int(head.payouts),
            sats(head.total),
            head.previous.as_ref().map(BatchDigest::as_bytes),
            head.digest.as_bytes(),
            head.signer.as_bytes(),
            head.signature,
            head.csv_signature,
            int(row.text.len() as u64),
            deflated(&row.text)?,
            int(row.csv.len() as u64),
            deflated(&row.csv)?,
        ])?;
        for payout in &batch.payouts {
            self.insert(payout)?;
            let postings = payout.reservation().map_err(|error| corrupt(error.to_string()))?;
            self.enter(Cause::Payout(payout.id, "export"), payout.reserved_at, &postings)?;
        }
        Ok(Written::Done)
    }
}
