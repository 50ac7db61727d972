//! Appending shares: the hot path.
//!
//! A commit of shares goes to the server and back three times: the beginning of the transaction with the lookup of the
//! templates and the beginning of the copy; the rows; the row of their batch, with COMMIT. Rows may go out only once the
//! server waits for them. Among other writes the row of the batch goes out with the rows, and COMMIT alone.
//!
//! Shares are numbered without a gap in the order of their commits, each batch says the total before it, and every
//! transaction counts itself in the one row of `leader`, whose lock it keeps until it is committed. A commit of shares alone
//! takes that lock last ([`LAST`]): its rows are copied while the commit before it still waits for the disk and the standbys
//! (`writer/side_by_side.rs`).

use bytes::{BufMut as _, BytesMut};
use dwarves_domain::ids::TemplateId;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::codec::{Cells as _, int};
use dwarves_ports::store::{ShareRow, Written};

use super::Transaction;
use crate::batches::Tail;
use crate::error::{Fail, Outcome, conflict, corrupt, total_overflow};
use crate::value::{Number, Value, values};

/// The shares of one commit, whoever asked for them.
pub(super) struct Batch<'w> {
    before: Tail,
    committed_at: Timestamp,
    /// They are written at the end, all together.
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
        let first = self.known.place.tail.sequence.next();
        for share in shares {
            let before = self.known.place.tail;
            if !self.known.workers.contains(&share.worker) {
                let detail = format!("share {}: worker {} is not known", share.hash, share.worker);
                return Err(conflict(detail));
            }
            let tail = &mut self.known.place.tail;
            tail.sequence = before.sequence.next();
            tail.total = before.total.checked_add(share.units).ok_or_else(total_overflow)?;
            batch.shares.push(share);
            batch.committed_at = batch.committed_at.max(share.received_at);
            if let Some(block) = &share.block {
                self.add_share_block(before, share, block)?;
            }
        }
        let tail = self.known.place.tail;
        for share in shares {
            match self.templates.iter_mut().find(|(id, _)| *id == share.template) {
                Some((_, last)) => *last = tail.sequence,
                None => self.templates.push((share.template, tail.sequence)),
            }
        }
        Ok(Written::Shares {
            first,
            total: tail.total,
        })
    }

    /// Writes the shares of the commit.
    pub(super) fn end_batch(&mut self, batch: &Batch<'_>) -> Outcome<()> {
        if batch.shares.is_empty() {
            return Ok(());
        }
        let tail = self.close(batch);
        let partitions = self.known.place.partitions;
        let partitions = partitions.reach(self.db, tail.sequence.get(), self.shares_per_partition)?;
        self.known.place.partitions = partitions;
        let row = self.row(batch);
        self.copy(batch, Some((BATCH, &row)))
    }

    /// Sends the shares of a commit that has nothing else, all but the row of their batch, which [`LAST`] writes: its
    /// values but for the last one. Nothing, if they need a partition that is not there yet.
    pub(super) fn copy_batch(&mut self, batch: &Batch<'_>) -> Outcome<Option<[Value<'static>; 7]>> {
        let tail = self.close(batch);
        if batch.shares.is_empty() || !self.known.place.partitions.hold(tail.sequence.get()) {
            return Ok(None);
        }
        self.copy(batch, None)?;
        Ok(Some(self.row(batch)))
    }

    /// Sets the ledger's end behind the batch.
    fn close(&mut self, batch: &Batch<'_>) -> Tail {
        let committed_at = batch.committed_at.max(self.known.place.passed_time);
        let tail = &mut self.known.place.tail;
        if !batch.shares.is_empty() {
            tail.committed_at = committed_at;
        }
        *tail
    }

    /// The row of the batch that ends where the ledger does.
    fn row(&self, batch: &Batch<'_>) -> [Value<'static>; 7] {
        let tail = self.known.place.tail;
        let (epoch, number) = self.number;
        [
            batch.before.sequence.next().into(),
            tail.sequence.into(),
            tail.committed_at.into(),
            batch.before.total.into(),
            tail.total.into(),
            epoch.into(),
            number.into(),
        ]
    }

    /// Copies the shares to their partition, with a statement behind them, and looks at the templates that they refer to.
    fn copy(&self, batch: &Batch<'_>, behind: Option<(&str, &[Value<'_>])>) -> Outcome<()> {
        let first = batch.before.sequence.next();
        let copy = format!(
            "COPY {} (sequence, template, worker, share_bits, version, time, nonce, received_at, units, extranonce, hash)
             FROM STDIN (FORMAT binary)",
            self.known.place.partitions.table_for(first.get())
        );
        let rows = encode(first.get(), &batch.shares);
        let used: Vec<i64> = self.templates.iter().map(|(id, _)| i64::from(id.get())).collect();
        let (found, stored) = self.db.copy_between(
            (
                "templates",
                "SELECT id, retired FROM templates WHERE id = ANY($1)",
                &[Value::Other(&used)],
            ),
            (&copy, rows),
            behind,
            |cells| Ok((cells.template("id")?, cells.flag("retired")?)),
        )?;
        if stored != batch.shares.len() as u64 {
            return Err(corrupt(format!(
                "{stored} of {} shares were stored",
                batch.shares.len()
            )));
        }
        for (id, last) in &self.templates {
            let Some((_, is_dropped)) = found.iter().find(|(found, _)| found == id) else {
                return Err(unknown_template(*id));
            };
            // A share may be quicker than the news that its template is over.
            if *is_dropped {
                self.db.execute(
                    "UPDATE templates SET last_share = $2 WHERE id = $1 AND last_share < $2",
                    values![*id, *last],
                )?;
            }
        }
        Ok(())
    }
}

/// Writes the row of a batch.
const BATCH: &str =
    "INSERT INTO batches (first_sequence, last_sequence, committed_at, total_before, total_after, epoch, commit)
     VALUES ($1, $2, $3, $4, $5, $6, $7)";

/// The same as the last statement of a transaction that has not counted itself yet: it does so now, and fails, by a column
/// without its value, if a newer epoch was taken, the commit before it is not there, or it was given up: then somebody has
/// looked ($8) at what was committed.
pub(crate) const LAST: &str =
    "WITH counted AS (UPDATE leader SET commits = $7 WHERE id = 1 AND epoch = $6 AND commits = $7 - 1 AND looks = $8
         RETURNING epoch)
     INSERT INTO batches (first_sequence, last_sequence, committed_at, total_before, total_after, epoch, commit)
     VALUES ($1, $2, $3, $4, $5, (SELECT epoch FROM counted), $7)";

pub(super) fn unknown_template(id: TemplateId) -> Fail {
    conflict(format!(
        "template {id} is not known, but shares of it are to be stored"
    ))
}

/// Bytes of a share on its way, about.
const SHARE_BYTES: usize = 190;

/// The rows of these shares in the database's binary form: of each how many columns, and each one's length and bytes.
fn encode(first: u64, shares: &[&ShareRow]) -> bytes::Bytes {
    let mut rows = BytesMut::with_capacity(32 + shares.len() * SHARE_BYTES);
    rows.put_slice(b"PGCOPY\n\xff\r\n\0");
    // No flags, and no more of a header.
    rows.put_u32(0);
    rows.put_u32(0);
    for (share, sequence) in shares.iter().zip(first..) {
        rows.put_i16(11);
        for number in [
            int(sequence),
            i64::from(share.template.get()),
            i64::from(share.worker.get()),
            i64::from(share.share_bits.bits()),
            i64::from(share.version),
            i64::from(share.time),
            i64::from(share.nonce),
            share.received_at.millis(),
        ] {
            rows.put_i32(8);
            rows.put_i64(number);
        }
        // The length stands before the number, and is known behind it.
        let at = rows.len();
        rows.put_i32(0);
        Number(share.units.raw()).put(&mut rows);
        let length = i32::try_from(rows.len() - at - 4).expect("a number has few digits");
        rows[at..at + 4].copy_from_slice(&length.to_be_bytes());
        rows.put_i32(12);
        rows.put_slice(share.extranonce.as_bytes());
        rows.put_i32(32);
        rows.put_slice(share.hash.as_bytes());
    }
    rows.put_i16(-1);
    rows.freeze()
}
