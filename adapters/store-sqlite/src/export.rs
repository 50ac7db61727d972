//! A ledger's rows one after the other, oldest first, for whoever writes them down: read beside a running pool or without
//! one, from one moment, in bounded memory.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{RoundId, Sequence};
use dwarves_domain::payouts::BatchName;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::export::{
    COMMITTED_WITHIN, ExportError, Exportable, Exported, ExportedShare, LedgerReader, ListedMiner,
    ListedPayout, Period, Take, rounds_asked,
};
use dwarves_ports::store::{BatchRow, BatchSummary, CounterRow, CreditRow, PageRequest, RoundRow, WorkerRow};
use rusqlite::{Connection, OptionalExtension};

use super::columns::{Cells, int};
use super::credited_miners::Hotkeys;
use super::error::{Fail, OpenError, Outcome};
use super::read::{credits, money, payout_batches};
use super::row_codec::{self, BLOCK_COLUMNS};
use super::{batches, open, schema};

mod lists;

/// Why an export ends early.
enum Ended {
    Unread(Fail),
    Unwritten(io::Error),
}

impl From<Fail> for Ended {
    fn from(fail: Fail) -> Self {
        Self::Unread(fail)
    }
}

impl From<rusqlite::Error> for Ended {
    fn from(error: rusqlite::Error) -> Self {
        Self::Unread(error.into())
    }
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Self::Unwritten(error)
    }
}

impl From<Ended> for ExportError {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Unread(fail) => Self::Store(fail.into_store_error("reading")),
            Ended::Unwritten(error) => Self::Out(error),
        }
    }
}

/// A ledger that is only read. Nobody is held up; but as long as one long reading goes on, the log grows.
pub struct SqliteReader(Connection);

impl SqliteReader {
    /// Opens the ledger, whether a pool runs on it or not.
    ///
    /// # Errors
    /// If there is none, or its schema is not this program's.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        if !path.exists() {
            return Err(OpenError::Io {
                path: path.to_owned(),
                detail: "there is no ledger".to_owned(),
            });
        }
        let connection = open::reader(&open::real_path(path)?)?;
        let version = schema::version_of(&connection)?;
        if version != schema::newest() {
            return Err(OpenError::Database(format!(
                "its schema is version {version}, and this program's is {}: the next start of a pool brings it up to date",
                schema::newest()
            )));
        }
        Ok(Self(connection))
    }

    /// Asks for something of one moment.
    fn ask<T>(&mut self, read: impl FnOnce(&Connection) -> Result<T, Ended>) -> Result<T, ExportError> {
        let snapshot = self.0.transaction().map_err(Ended::from)?;
        Ok(read(&snapshot)?)
    }
}

impl LedgerReader for SqliteReader {
    fn export(&mut self, what: Exportable, period: Period, take: Take<'_>) -> Result<(), ExportError> {
        self.ask(|snapshot| match what {
            Exportable::Shares => shares(snapshot, period, take),
            Exportable::Credits => export_credits(snapshot, period, take),
            Exportable::Payouts => payouts(snapshot, period, take),
            Exportable::Rounds => rounds(snapshot, period, take),
            Exportable::Blocks => blocks(snapshot, period, take),
        })
    }

    fn miners(&mut self, limit: u32) -> Result<Vec<ListedMiner>, ExportError> {
        self.ask(|snapshot| Ok(lists::miners(snapshot, limit)?))
    }

    fn workers(&mut self, miner: Option<Hotkey>) -> Result<Vec<(WorkerRow, CounterRow)>, ExportError> {
        self.ask(|snapshot| Ok(lists::workers(snapshot, miner)?))
    }

    fn payouts(&mut self, limit: u32) -> Result<Vec<ListedPayout>, ExportError> {
        self.ask(|snapshot| Ok(lists::payouts(snapshot, limit)?))
    }

    fn payout_batches(&mut self, limit: u32) -> Result<Vec<BatchSummary>, ExportError> {
        let newest = PageRequest { cursor: None, limit };
        self.ask(|snapshot| Ok(payout_batches::list(snapshot, newest)?.rows))
    }

    fn payout_batch(&mut self, name: &BatchName) -> Result<Option<BatchRow>, ExportError> {
        self.ask(|snapshot| Ok(payout_batches::one(snapshot, name)?))
    }

    fn last_rounds(
        &mut self,
        through: Option<RoundId>,
        count: u64,
    ) -> Result<Vec<(RoundRow, Vec<CreditRow>)>, ExportError> {
        let newest = PageRequest {
            cursor: None,
            limit: 1,
        };
        self.ask(|snapshot| {
            let newest = money::rounds(snapshot, newest)?.rows.first().map(|row| row.id);
            let ids = rounds_asked(newest, through, count);
            let rounds = ids.filter_map(|id| money::round(snapshot, id).transpose());
            Ok(rounds.collect::<Outcome<Vec<_>>>()?)
        })
    }
}

fn count(connection: &Connection, sql: &str, period: Period) -> Outcome<u64> {
    let bounds = [period.from.millis(), period.to.millis()];
    connection.query_row(sql, bounds, |row| Ok(Cells::new(row, "counts").u64(0)))?
}

fn shares(connection: &Connection, period: Period, take: Take<'_>) -> Result<(), Ended> {
    // The first commit that may have one: none is earlier than its shares.
    let before = Timestamp::from_millis(period.from.millis().saturating_sub(1));
    let Some(first) = batches::first_after(connection, before)? else {
        return Ok(());
    };
    let end = Timestamp::from_millis(
        period
            .to
            .millis()
            .saturating_add(COMMITTED_WITHIN.millis().cast_signed()),
    );
    let last = match batches::first_after(connection, end)? {
        Some(later) => later.first.get().saturating_sub(1),
        None => batches::tail(connection)?.sequence.get(),
    };
    let all = last.saturating_sub(first.first.get()) + 1;
    let mut worker = connection.prepare_cached("SELECT hotkey, name FROM workers WHERE id = ?1")?;
    let mut template = connection.prepare_cached("SELECT height FROM templates WHERE id = ?1")?;
    let mut block = connection.prepare_cached("SELECT 1 FROM blocks WHERE hash = ?1")?;
    let (mut known_worker, mut known_template) = (None, None);
    let mut failed = None;
    batches::walk(connection, first.first, Sequence::new(last), |found| {
        let share = &found.share;
        if !period.has(share.received_at) {
            return Ok(ControlFlow::Continue(()));
        }
        // Shares come in runs of one worker's and one template's.
        if known_worker.as_ref().is_none_or(|(id, _)| *id != share.worker) {
            let row = worker.query_row([share.worker.get()], |row| {
                let cells = Cells::new(row, "workers");
                let read = || -> Outcome<_> { Ok((cells.hotkey("hotkey")?, cells.named("name")?)) };
                Ok(read())
            });
            known_worker = Some((share.worker, row.optional()?.transpose()?));
        }
        if known_template.is_none_or(|(id, _)| id != share.terms.template) {
            let row = template.query_row([share.terms.template.get()], |row| {
                Ok(Cells::new(row, "templates").u32(0))
            });
            known_template = Some((share.terms.template, row.optional()?.transpose()?));
        }
        let exported = ExportedShare {
            sequence: found.sequence,
            at: share.received_at,
            worker: known_worker.as_ref().and_then(|(_, worker)| worker.clone()),
            height: known_template.and_then(|(_, height)| height),
            target: share.terms.share_bits,
            units: share.terms.units,
            hash: share.hash,
            is_block: block.exists([share.hash.as_bytes()])?,
        };
        let done = found.sequence.get().saturating_sub(first.first.get()) + 1;
        match take(Exported::Share(exported), (done, all)) {
            Ok(()) => Ok(ControlFlow::Continue(())),
            Err(error) => {
                failed = Some(error);
                Ok(ControlFlow::Break(()))
            }
        }
    })?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

fn export_credits(connection: &Connection, period: Period, take: Take<'_>) -> Result<(), Ended> {
    let bounds = [period.from.millis(), period.to.millis()];
    let older = "SELECT COUNT(*) FROM credits JOIN rounds ON rounds.id = credits.round
        WHERE closed_at >= ?1 AND closed_at < ?2";
    let packed = "SELECT COUNT(*) FROM packed_credits JOIN rounds ON rounds.id = packed_credits.round
        WHERE closed_at >= ?1 AND closed_at < ?2";
    let all = count(connection, older, period)? + count(connection, packed, period)?;
    let mut done = 0;
    let sql = format!(
        "SELECT {} FROM credits JOIN rounds ON rounds.id = credits.round
         WHERE closed_at >= ?1 AND closed_at < ?2 ORDER BY credits.id",
        row_codec::CREDIT_COLUMNS
    );
    let mut select = connection.prepare(&sql)?;
    let mut rows = select.query(bounds)?;
    while let Some(row) = rows.next()? {
        done += 1;
        let id = Cells::new(row, "credits").u64("id")?;
        take(Exported::Credit(id, row_codec::credit(row)?), (done, all))?;
    }
    let mut hotkeys = Hotkeys::new(connection);
    let mut select = connection.prepare(&credits::packed_in_period())?;
    let mut rows = select.query(bounds)?;
    while let Some(row) = rows.next()? {
        done += 1;
        for (id, credit) in credits::of_packed_row(row, &mut hotkeys)? {
            take(Exported::Credit(id, credit), (done, all))?;
        }
    }
    Ok(())
}

fn payouts(connection: &Connection, period: Period, take: Take<'_>) -> Result<(), Ended> {
    let parts = "SELECT COUNT(*) FROM payout_parts JOIN payouts ON payouts.id = payout_parts.payout
        WHERE reserved_at >= ?1 AND reserved_at < ?2";
    let all_parts = count(connection, parts, period)?;
    let mut done = 0;
    let sql = "SELECT id, state, reserved_at, sent_at, changed_at, fee_payer, fee_rate, txid, x'' AS bytes, x'' AS inputs, fee,
            confirmations, is_watched, note, batch, reference
        FROM payouts WHERE reserved_at >= ?1 AND reserved_at < ?2 ORDER BY id";
    let mut select = connection.prepare(sql)?;
    let mut rows = select.query([period.from.millis(), period.to.millis()])?;
    while let Some(row) = rows.next()? {
        let payout = row_codec::payout(row)?;
        let mut parts =
            connection.prepare_cached("SELECT * FROM payout_parts WHERE payout = ?1 ORDER BY place")?;
        let mut parts = parts.query([int(payout.id.get())])?;
        while let Some(row) = parts.next()? {
            done += 1;
            take(
                Exported::Payout(payout.clone(), row_codec::part(row)?),
                (done, all_parts),
            )?;
        }
    }
    Ok(())
}

fn rounds(connection: &Connection, period: Period, take: Take<'_>) -> Result<(), Ended> {
    let all = count(
        connection,
        "SELECT COUNT(*) FROM rounds WHERE closed_at >= ?1 AND closed_at < ?2",
        period,
    )?;
    let mut select =
        connection.prepare("SELECT * FROM rounds WHERE closed_at >= ?1 AND closed_at < ?2 ORDER BY id")?;
    let mut rows = select.query([period.from.millis(), period.to.millis()])?;
    let mut done = 0;
    while let Some(row) = rows.next()? {
        done += 1;
        let id = Cells::new(row, "rounds").round("id")?;
        let blocks = money::credited_blocks(connection, id)?;
        let round = row_codec::round(row, blocks, money::emitted(connection, id)?)?;
        take(Exported::Round(round), (done, all))?;
    }
    Ok(())
}

fn blocks(connection: &Connection, period: Period, take: Take<'_>) -> Result<(), Ended> {
    let all = count(
        connection,
        "SELECT COUNT(*) FROM blocks WHERE found_at >= ?1 AND found_at < ?2",
        period,
    )?;
    let sql =
        format!("SELECT {BLOCK_COLUMNS} FROM blocks WHERE found_at >= ?1 AND found_at < ?2 ORDER BY id");
    let mut select = connection.prepare(&sql)?;
    let mut rows = select.query([period.from.millis(), period.to.millis()])?;
    let mut done = 0;
    while let Some(row) = rows.next()? {
        done += 1;
        take(Exported::Block(row_codec::block(row)?), (done, all))?;
    }
    Ok(())
}
