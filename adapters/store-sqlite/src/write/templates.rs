//! Templates: kept whole while blocks may be made of them, then without their transactions.

use dwarves_domain::ids::TemplateId;
use dwarves_ports::store::TemplateRow;
use rusqlite::{OptionalExtension, params};

use super::Transaction;
use crate::columns::{int, sats};
use crate::error::{Outcome, conflict};
use crate::row_codec;

impl Transaction<'_> {
    pub(super) fn save_template(&mut self, row: &TemplateRow) -> Outcome<()> {
        let chain = &row.chain;
        let known = self
            .statement("SELECT * FROM templates WHERE id = ?1")?
            .query_row([row.id.get()], |cells| Ok(row_codec::template(cells)))
            .optional()?
            .transpose()?;
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
        let last_share = self.known.tail.sequence;
        self.statement(
            "INSERT INTO templates (id, received_at, height, previous, version, version_mask, bits, time,
                 time_min, time_max, subsidy, coinbase_value, witness_commitment, payout_script, tag, retired,
                 first_share, last_share, trailer, transactions, coinbase_form)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, 0, ?16, ?17, ?18, ?19, ?20)",
        )?
        .execute(params![
            row.id.get(),
            row.received_at.millis(),
            chain.height,
            chain.previous.as_bytes(),
            chain.version,
            chain.version_mask,
            chain.bits.bits(),
            chain.time,
            chain.time_min,
            chain.time_max,
            sats(chain.subsidy),
            sats(chain.coinbase_value),
            chain.witness_commitment,
            row.payout_script,
            row.tag,
            int(last_share.next().get()),
            int(last_share.get()),
            chain.trailer,
            row_codec::encode_transactions(&chain.transactions),
            chain.coinbase_form.as_str(),
        ])?;
        Ok(())
    }

    pub(super) fn retire_templates(&mut self, before: TemplateId) -> Outcome<()> {
        self.statement("UPDATE pool SET live_from = ?1 WHERE live_from < ?1")?
            .execute([before.get()])?;
        Ok(())
    }

    pub(super) fn drop_templates(&mut self, before: TemplateId) -> Outcome<()> {
        self.retire_templates(before)?;
        self.statement(
            "UPDATE templates SET retired = 1, last_share = ?2, trailer = x'', transactions = x''
             WHERE retired = 0 AND id < ?1",
        )?
        .execute(params![before.get(), int(self.known.tail.sequence.get())])?;
        // Those of which this transaction has shares may get more of them, late ones from now on.
        for (id, is_dropped) in &mut self.templates {
            *is_dropped |= *id < before;
        }
        Ok(())
    }
}
