//! All rows of a table, oldest first.

use dwarves_domain::ids::Sequence;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::codec::rows::{self, BLOCK_COLUMNS, CREDIT_COLUMNS};
use dwarves_ports::store::codec::{Cells as _, int};
use dwarves_ports::store::export::{COMMITTED_WITHIN, ExportError, Exported, ExportedShare, Period, Take};

use crate::batches;
use crate::cells::Cells;
use crate::client::Db;
use crate::error::Outcome;
use crate::read::{money, payouts as read_payouts};
use crate::value::{Value, values};

/// Rows that are in memory at a time.
const PIECE: u64 = 5_000;

/// Where rows go, with how many there were and may be in all.
struct Out<'a> {
    take: Take<'a>,
    done: u64,
    all: u64,
}

impl Out<'_> {
    fn put(&mut self, row: Exported) -> Result<(), ExportError> {
        self.done += 1;
        Ok((self.take)(row, (self.done, self.all))?)
    }
}

/// How many rows there are of this period, whose first and last instants are `$1` and `$2`.
fn count(db: &Db, which: &str, period: Period) -> Outcome<u64> {
    let sql = format!("SELECT COUNT(*) AS count FROM {which}");
    db.always("counts", &sql, values![period.from, period.to], |cells| {
        cells.u64("count")
    })
}

/// Gives the rows of a statement piece by piece. It has them in the order of their numbers, `id`: those of the period from `$1`
/// to `$2` behind the number `$3`, `$4` at most.
fn in_pieces<T>(
    db: &Db,
    table: &'static str,
    sql: &str,
    period: Period,
    read: impl Fn(&Cells) -> Outcome<T>,
    mut each: impl FnMut(u64, T) -> Result<(), ExportError>,
) -> Result<(), ExportError> {
    let mut last = i64::MIN;
    loop {
        let values: [Value<'_>; 4] = [
            period.from.into(),
            period.to.into(),
            Value::Int(last),
            PIECE.into(),
        ];
        let piece = db.all(table, sql, &values, |cells| Ok((cells.u64("id")?, read(cells)?)))?;
        let Some((id, _)) = piece.last() else {
            return Ok(());
        };
        last = int(*id);
        for (id, row) in piece {
            each(id, row)?;
        }
    }
}

pub(super) fn shares(db: &Db, period: Period, take: Take<'_>) -> Result<(), ExportError> {
    // The first commit that may have one: none is earlier than its shares.
    let before = Timestamp::from_millis(period.from.millis().saturating_sub(1));
    let Some(first) = batches::first_after(db, before)? else {
        return Ok(());
    };
    let end = period
        .to
        .millis()
        .saturating_add(COMMITTED_WITHIN.millis().cast_signed());
    let last = match batches::first_after(db, Timestamp::from_millis(end))? {
        Some(later) => Sequence::new(later.first.get().saturating_sub(1)),
        None => batches::tail(db)?.sequence,
    };
    let first = first.first.max(batches::pruned_through(db)?.next());
    let sql = "SELECT shares.sequence AS sequence, shares.received_at AS received_at, shares.share_bits AS share_bits,
            shares.units AS units, shares.hash AS hash, workers.hotkey AS hotkey, workers.name AS name, templates.height AS height, blocks.hash IS NOT NULL AS is_block
        FROM shares LEFT JOIN workers ON workers.id = shares.worker LEFT JOIN templates ON templates.id = shares.template
            LEFT JOIN blocks ON blocks.hash = shares.hash
        WHERE shares.sequence >= $1 AND shares.sequence <= $2 AND shares.received_at >= $3 AND shares.received_at < $4
        ORDER BY shares.sequence";
    let all = (last.get() + 1).saturating_sub(first.get());
    let mut next = first;
    while next <= last {
        let end = last.min(Sequence::new(next.get().saturating_add(PIECE - 1)));
        let values = values![next, end, period.from, period.to];
        for share in db.all("shares", sql, values, share)? {
            let done = share.sequence.get().saturating_sub(first.get()) + 1;
            take(Exported::Share(share), (done, all))?;
        }
        next = end.next();
    }
    Ok(())
}

fn share(cells: &Cells) -> Outcome<ExportedShare> {
    let hotkey = cells.optional("hotkey", |cells, column| cells.hotkey(column))?;
    let worker = match hotkey {
        Some(hotkey) => Some((hotkey, cells.named("name")?)),
        None => None,
    };
    Ok(ExportedShare {
        sequence: cells.sequence("sequence")?,
        at: cells.time("received_at")?,
        worker,
        height: cells.optional("height", |cells, column| cells.u32(column))?,
        target: cells.compact("share_bits")?,
        units: cells.units("units")?,
        hash: cells.hash("hash")?,
        is_block: cells.flag("is_block")?,
    })
}

pub(super) fn credits(db: &Db, period: Period, take: Take<'_>) -> Result<(), ExportError> {
    let which = "credits JOIN rounds ON rounds.id = credits.round WHERE closed_at >= $1 AND closed_at < $2";
    let all = count(db, which, period)?;
    let mut out = Out { take, done: 0, all };
    let sql =
        format!("SELECT {CREDIT_COLUMNS} FROM {which} AND credits.id > $3 ORDER BY credits.id LIMIT $4");
    in_pieces(db, "credits", &sql, period, rows::credit, |id, credit| {
        out.put(Exported::Credit(id, credit))
    })
}

pub(super) fn payouts(db: &Db, period: Period, take: Take<'_>) -> Result<(), ExportError> {
    let parts = "payout_parts JOIN payouts ON payouts.id = payout_parts.payout
        WHERE reserved_at >= $1 AND reserved_at < $2";
    let all = count(db, parts, period)?;
    let mut out = Out { take, done: 0, all };
    let sql = "SELECT id, state, reserved_at, sent_at, changed_at, fee_payer, fee_rate, txid,
            CASE WHEN txid IS NULL THEN NULL ELSE ''::bytea END AS bytes, ''::bytea AS inputs, fee, confirmations, is_watched,
            note, batch, reference
        FROM payouts WHERE reserved_at >= $1 AND reserved_at < $2 AND id > $3 ORDER BY id LIMIT $4";
    in_pieces(db, "payouts", sql, period, rows::payout, |_, payout| {
        for part in read_payouts::parts(db, payout.id)? {
            out.put(Exported::Payout(payout.clone(), part))?;
        }
        Ok(())
    })
}

pub(super) fn rounds(db: &Db, period: Period, take: Take<'_>) -> Result<(), ExportError> {
    let which = "rounds WHERE closed_at >= $1 AND closed_at < $2";
    let all = count(db, which, period)?;
    let mut out = Out { take, done: 0, all };
    let sql = format!("SELECT * FROM {which} AND id > $3 ORDER BY id LIMIT $4");
    let read = |cells: &Cells| money::of_round(db, cells);
    in_pieces(db, "rounds", &sql, period, read, |_, round| {
        out.put(Exported::Round(round))
    })
}

pub(super) fn blocks(db: &Db, period: Period, take: Take<'_>) -> Result<(), ExportError> {
    let which = "blocks WHERE found_at >= $1 AND found_at < $2";
    let all = count(db, which, period)?;
    let mut out = Out { take, done: 0, all };
    let sql = format!("SELECT {BLOCK_COLUMNS} FROM {which} AND id > $3 ORDER BY id LIMIT $4");
    in_pieces(db, "blocks", &sql, period, rows::block, |_, block| {
        out.put(Exported::Block(block))
    })
}
