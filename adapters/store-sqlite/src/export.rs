//! A ledger's rows one after the other, oldest first, for whoever writes them down: read beside a running pool or without
//! one, from one moment, in bounded memory.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, Sequence, WorkerName};
use dwarves_domain::payouts::{Part, Payout};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::units::Units;
use dwarves_ports::store::{BlockRow, CreditRow, RoundRow, StoreError};
use rusqlite::{Connection, OptionalExtension};

use super::columns::{Cells, int};
use super::credited_miners::Hotkeys;
use super::error::{Fail, OpenError, Outcome};
use super::read::{credits, money};
use super::row_codec::{self, BLOCK_COLUMNS};
use super::{batches, open, schema};

/// A share came at most this long before its commit: more than any clock that is believed is wrong by. So shares of an
/// instant are not looked for in commits that are later than that.
const COMMITTED_WITHIN: Span = Span::from_secs(7 * 86_400);

mod lists;
mod payout_batches;

pub use lists::{ListedMiner, ListedPayout};

/// A table that can be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exportable {
    /// Accepted shares.
    Shares,
    /// What changed miners' credits.
    Credits,
    /// Each miner's part of each payout.
    Payouts,
    /// Rounds that closed.
    Rounds,
    /// Blocks that were found.
    Blocks,
}

/// From when to when: the first instant, and the first that is not wanted any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first instant.
    pub from: Timestamp,
    /// The first instant behind it.
    pub to: Timestamp,
}

impl Period {
    /// All of time.
    pub const ALL: Self = Self {
        from: Timestamp::from_millis(i64::MIN),
        to: Timestamp::from_millis(i64::MAX),
    };

    fn has(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}

/// An accepted share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedShare {
    /// Its number.
    pub sequence: Sequence,
    /// When it came.
    pub at: Timestamp,
    /// Whose, unless its worker is not known any more.
    pub worker: Option<(Hotkey, WorkerName)>,
    /// The height of a block of its work, unless that is not known any more.
    pub height: Option<u32>,
    /// The target that it had to meet.
    pub target: CompactTarget,
    /// What it counts.
    pub units: Units,
    /// Its header's hash.
    pub hash: HeaderHash,
    /// Whether it is a block of the pool.
    pub is_block: bool,
}

/// A row on its way out.
#[derive(Clone, Debug)]
pub enum Exported {
    /// An accepted share.
    Share(ExportedShare),
    /// A credit with its number.
    Credit(u64, CreditRow),
    /// A payout without its parts, and one of them.
    Payout(Payout, Part),
    /// A round.
    Round(RoundRow),
    /// A block.
    Block(BlockRow),
}

/// Why an export ends early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The ledger cannot be read.
    #[error("the ledger cannot be read: {0}")]
    Store(#[from] StoreError),
    /// It cannot be written down.
    #[error("the export cannot be written: {0}")]
    Out(#[from] io::Error),
}

impl From<Fail> for ExportError {
    fn from(fail: Fail) -> Self {
        Self::Store(fail.into_store_error("reading"))
    }
}

impl From<rusqlite::Error> for ExportError {
    fn from(error: rusqlite::Error) -> Self {
        Fail::from(error).into()
    }
}

/// Takes a row, and how many there were and may be in all.
pub type Take<'a> = &'a mut dyn FnMut(Exported, (u64, u64)) -> io::Result<()>;

/// A ledger that is only read. Nobody is held up; but as long as one long reading goes on, the log grows.
pub struct LedgerReader(Connection);

impl LedgerReader {
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

    /// Gives all rows of a table in this period, oldest first.
    ///
    /// # Errors
    /// If they cannot be read, or not be taken.
    pub fn export(&mut self, what: Exportable, period: Period, take: Take<'_>) -> Result<(), ExportError> {
        let snapshot = self.0.transaction()?;
        match what {
            Exportable::Shares => shares(&snapshot, period, take),
            Exportable::Credits => export_credits(&snapshot, period, take),
            Exportable::Payouts => payouts(&snapshot, period, take),
            Exportable::Rounds => rounds(&snapshot, period, take),
            Exportable::Blocks => blocks(&snapshot, period, take),
        }
    }
}

fn count(connection: &Connection, sql: &str, period: Period) -> Outcome<u64> {
    let bounds = [period.from.millis(), period.to.millis()];
    connection.query_row(sql, bounds, |row| Ok(Cells::new(row, "counts").u64(0)))?
}

fn shares(connection: &Connection, period: Period, take: Take<'_>) -> Result<(), ExportError> {
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

fn export_credits(connection: &Connection, period: Period, take: Take<'_>) -> Result<(), ExportError> {
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

fn payouts(connection: &Connection, period: Period, take: Take<'_>) -> Result<(), ExportError> {
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

fn rounds(connection: &Connection, period: Period, take: Take<'_>) -> Result<(), ExportError> {
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

fn blocks(connection: &Connection, period: Period, take: Take<'_>) -> Result<(), ExportError> {
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
