//! Templates: kept whole while blocks may be made of them, then without their transactions.

use dwarves_domain::ids::TemplateId;
use dwarves_ports::store::TemplateRow;
use dwarves_ports::store::codec::{lists, rows};

use super::Transaction;
use super::shares::unknown_template;
use crate::error::{Outcome, conflict};
use crate::value::values;

impl Transaction<'_> {
    pub(super) fn save_template(&mut self, row: &TemplateRow) -> Outcome<()> {
        let chain = &row.chain;
        let sql = "SELECT * FROM templates WHERE id = $1";
        let known = self.db.one("templates", sql, values![row.id], rows::template)?;
        if let Some((known, is_dropped)) = known {
            let mut row = row.clone();
            if is_dropped {
                row.chain.transactions.clear();
                row.chain.trailer.clear();
            }
            return if known == row {
                Ok(())
            } else {
                Err(conflict(format!(
                    "template {} is stored with other content",
                    row.id
                )))
            };
        }
        // Shares come after their template, in a transaction, too.
        if self.templates.iter().any(|(id, _)| *id == row.id) {
            return Err(unknown_template(row.id));
        }
        let last_share = self.known.place.tail.sequence;
        self.db.execute(
            "INSERT INTO templates (id, received_at, height, previous, version, version_mask, bits, time,
                 time_min, time_max, subsidy, coinbase_value, witness_commitment, payout_script, tag, retired,
                 first_share, last_share, trailer, transactions, coinbase_form)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, false, $16, $17, $18, $19, $20)",
            values![
                row.id,
                row.received_at,
                chain.height,
                &chain.previous,
                chain.version,
                chain.version_mask,
                chain.bits.bits(),
                chain.time,
                chain.time_min,
                chain.time_max,
                chain.subsidy,
                chain.coinbase_value,
                chain.witness_commitment.as_ref(),
                &row.payout_script,
                &row.tag,
                last_share.next(),
                last_share,
                &chain.trailer,
                &lists::encode_transactions(&chain.transactions),
                chain.coinbase_form.as_str(),
            ],
        )?;
        Ok(())
    }

    pub(super) fn retire_templates(&mut self, before: TemplateId) -> Outcome<()> {
        let sql = "UPDATE pool SET live_from = $1 WHERE live_from < $1";
        self.db.execute(sql, values![before])?;
        Ok(())
    }

    pub(super) fn drop_templates(&mut self, before: TemplateId) -> Outcome<()> {
        self.retire_templates(before)?;
        self.db.execute(
            "UPDATE templates SET retired = true, last_share = $2, trailer = '', transactions = ''
             WHERE NOT retired AND id < $1",
            values![before, self.known.place.tail.sequence],
        )?;
        Ok(())
    }
}
