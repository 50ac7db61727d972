//! Batches of exported payouts.

use dwarves_domain::payouts::BatchDigest;
use dwarves_ports::store::{NewBatch, Written};

use super::Transaction;
use super::journal::Cause;
use crate::error::{Outcome, conflict, corrupt};
use crate::read::payout_batches;
use crate::value::values;

impl Transaction<'_> {
    pub(super) fn begin_batch(&mut self, batch: &NewBatch) -> Outcome<Written> {
        let row = &batch.row;
        let head = &row.head;
        let name = &head.name;
        if let Some(known) = payout_batches::one(self.db, name)? {
            return match (&known.text, &known.csv) == (&row.text, &row.csv) {
                true => Ok(Written::Done),
                false => Err(conflict(format!("batch {name} is another one"))),
            };
        }
        if head.previous != payout_batches::last(self.db)? || head.digest != BatchDigest::of(&row.text) {
            return Err(conflict(format!(
                "batch {name} does not follow the last, or has another digest"
            )));
        }
        let last = self.last_payout()?;
        if !batch.is_as_its_head_says() || last.is_some_and(|last| last >= head.first_payout) {
            return Err(conflict(format!(
                "the payouts of batch {name} are not those of its head, or go back behind the last one"
            )));
        }
        // No miner has two.
        let parts: Vec<_> = batch.payouts.iter().flat_map(|payout| &payout.parts).collect();
        if self.lacks(&parts)? {
            return Ok(Written::PayoutRefused);
        }
        self.db.execute(
            "INSERT INTO payout_batches (id, name, at, first_payout, payouts, total, previous, digest, signer, signature,
                 csv_signature, text, csv)
             VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM payout_batches), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            values![
                name.as_str(),
                head.at,
                head.first_payout,
                head.payouts,
                head.total,
                head.previous.as_ref().map(BatchDigest::as_bytes),
                head.digest.as_bytes(),
                &head.signer,
                &head.signature,
                &head.csv_signature,
                &row.text,
                &row.csv,
            ],
        )?;
        for payout in &batch.payouts {
            self.insert(payout)?;
            let postings = payout.reservation().map_err(|error| corrupt(error.to_string()))?;
            self.enter(Cause::Payout(payout.id, "export"), payout.reserved_at, &postings)?;
        }
        Ok(Written::Done)
    }
}
