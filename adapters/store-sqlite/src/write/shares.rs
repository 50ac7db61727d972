//! Appending shares: the hot path.

use dwarves_domain::ids::{BatchId, Sequence, TemplateId};
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{ShareRow, Written};
use rusqlite::{OptionalExtension, params};

use super::{Transaction, total_overflow};
use crate::append_state::Tail;
use crate::columns::{int, units};
use crate::error::{Outcome, conflict};

/// The shares of one commit, whoever asked for them.
pub(super) struct Batch {
    before: Tail,
    committed_at: Timestamp,
}

impl Batch {
    pub(super) fn new(tail: Tail) -> Self {
        Self {
            before: tail,
            committed_at: tail.committed_at,
        }
    }
}

impl Transaction<'_> {
    pub(super) fn append_shares(&mut self, shares: &[ShareRow], batch: &mut Batch) -> Outcome<Written> {
        let first = self.known.tail.sequence.next();
        let mut insert = self.statement(
            "INSERT INTO shares (sequence, template, extranonce, worker, share_bits, version, time, nonce,
                                 received_at, units, total, hash, extranonce_tail)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?;
        for share in shares {
            let before = self.known.tail;
            if !self.known.workers.contains(&share.worker) {
                let detail = format!("share {}: worker {} is not known", share.hash, share.worker);
                return Err(conflict(detail));
            }
            self.use_template(share)?;
            let sequence = before.sequence.next();
            let total = before.total.checked_add(share.units).ok_or_else(total_overflow)?;
            insert.raw_bind_parameter(1, int(sequence.get()))?;
            insert.raw_bind_parameter(2, share.template.get())?;
            insert.raw_bind_parameter(3, share.extranonce.head().get().cast_signed())?;
            insert.raw_bind_parameter(4, share.worker.get())?;
            insert.raw_bind_parameter(5, share.share_bits.bits())?;
            insert.raw_bind_parameter(6, share.version)?;
            insert.raw_bind_parameter(7, share.time)?;
            insert.raw_bind_parameter(8, share.nonce)?;
            insert.raw_bind_parameter(9, share.received_at.millis())?;
            insert.raw_bind_parameter(10, units(share.units))?;
            insert.raw_bind_parameter(11, units(total))?;
            insert.raw_bind_parameter(12, share.hash.as_bytes())?;
            insert.raw_bind_parameter(13, share.extranonce.tail())?;
            insert.raw_execute()?;
            self.known.tail.sequence = sequence;
            self.known.tail.total = total;
            batch.committed_at = batch.committed_at.max(share.received_at);
            if let Some(block) = &share.block {
                self.add_share_block(before, share, block)?;
            }
        }
        let tail = self.known.tail;
        // A share may be quicker than the news that its template is over.
        let late = self.templates.iter().filter(|(_, is_dropped)| *is_dropped);
        let has_some = |id: &TemplateId| shares.iter().any(|share| share.template == *id);
        let late: Vec<TemplateId> = late.map(|(id, _)| *id).filter(has_some).collect();
        for id in late {
            self.statement("UPDATE templates SET last_share = ?2 WHERE id = ?1")?
                .execute(params![id.get(), int(tail.sequence.get())])?;
        }
        Ok(Written::Shares {
            first,
            total: tail.total,
        })
    }

    /// Looks a share's template up, once a transaction.
    fn use_template(&mut self, share: &ShareRow) -> Outcome<()> {
        let id = share.template;
        if self.templates.iter().any(|(seen, _)| *seen == id) {
            return Ok(());
        }
        let dropped = self
            .statement("SELECT retired FROM templates WHERE id = ?1")?
            .query_row([id.get()], |row| row.get(0))
            .optional()?;
        let Some(is_dropped) = dropped else {
            return Err(conflict(format!(
                "share {}: template {id} is not known",
                share.hash
            )));
        };
        self.templates.push((id, is_dropped));
        Ok(())
    }

    /// Writes down which shares were committed together.
    pub(super) fn end_batch(&mut self, batch: &Batch) -> Outcome<()> {
        let (before, tail) = (batch.before, &mut self.known.tail);
        if tail.sequence == before.sequence {
            return Ok(());
        }
        tail.batch = BatchId::next(before.batch);
        tail.committed_at = batch.committed_at;
        let tail = *tail;
        self.statement(
            "INSERT INTO batches (id, first_sequence, last_sequence, committed_at, total_before, total_after)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            int(tail.batch.get()),
            int(Sequence::next(before.sequence).get()),
            int(tail.sequence.get()),
            tail.committed_at.millis(),
            units(before.total),
            units(tail.total),
        ])?;
        Ok(())
    }
}
