//! Appending shares: the hot path.

use dwarves_domain::ids::TemplateId;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{ShareRow, Written};
use rusqlite::{OptionalExtension, params};

use super::{Transaction, total_overflow};
use crate::batches::Tail;
use crate::columns::{int, units};
use crate::error::{Outcome, conflict};
use crate::packed_shares::{SHARES_PER_ROW, StoredShare, pack};

/// The shares of one commit, whoever asked for them.
pub(super) struct Batch<'w> {
    before: Tail,
    committed_at: Timestamp,
    /// They are written at the end: what a row holds once, it holds for all of its shares.
    shares: Vec<&'w ShareRow>,
}

impl Batch<'_> {
    pub(super) fn new(tail: Tail) -> Self {
        Self {
            before: tail,
            committed_at: tail.committed_at,
            shares: Vec::new(),
        }
    }

    /// The ledger's end before this commit.
    pub(super) const fn before(&self) -> Tail {
        self.before
    }
}

impl Transaction<'_> {
    pub(super) fn append_shares<'w>(
        &mut self,
        shares: &'w [ShareRow],
        batch: &mut Batch<'w>,
    ) -> Outcome<Written> {
        let first = self.known.tail.sequence.next();
        for share in shares {
            let before = self.known.tail;
            if !self.known.workers.contains(&share.worker) {
                let detail = format!("share {}: worker {} is not known", share.hash, share.worker);
                return Err(conflict(detail));
            }
            self.use_template(share)?;
            let sequence = before.sequence.next();
            let total = before.total.checked_add(share.units).ok_or_else(total_overflow)?;
            batch.shares.push(share);
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

    /// Writes the shares of the commit, in rows of about as many each.
    pub(super) fn end_batch(&mut self, batch: &Batch<'_>) -> Outcome<()> {
        let rows = batch.shares.len().div_ceil(SHARES_PER_ROW);
        if rows == 0 {
            return Ok(());
        }
        let committed_at = batch.committed_at.max(self.known.passed_time);
        self.known.tail.committed_at = committed_at;
        let mut insert = self.statement(
            "INSERT INTO batches (first_sequence, place, committed_at, total_before, shares)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        let (mut first, mut place, mut total) =
            (batch.before.sequence.next().get(), 0_u64, batch.before.total);
        for shares in batch.shares.chunks(batch.shares.len().div_ceil(rows)) {
            let packed = pack(shares.iter().map(|share| StoredShare::of(share)), committed_at);
            insert.raw_bind_parameter(1, int(first))?;
            insert.raw_bind_parameter(2, int(place))?;
            insert.raw_bind_parameter(3, committed_at.millis())?;
            insert.raw_bind_parameter(4, units(total))?;
            insert.raw_bind_parameter(5, packed)?;
            insert.raw_execute()?;
            let of_row = shares
                .iter()
                .try_fold(total, |sum, share| sum.checked_add(share.units));
            total = of_row.ok_or_else(total_overflow)?;
            first += shares.len() as u64;
            place += shares.len() as u64;
        }
        Ok(())
    }
}
