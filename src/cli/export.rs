//! `dwarves export`: the ledger's tables as CSV or as JSON, a line each row.
//!
//! The ledger itself is read, not the API: so it works beside a running pool and without one, whoever may ask the pool for
//! what, and gives all rows of one moment, of which the API knows only pages.

use std::io::{self, BufWriter, Write};

use chrono::{DateTime, NaiveDate, Utc};
use clap::{Args, ValueEnum};
use dwarves_api_types::books::{BLOCK_COLUMNS, Block, ROUND_COLUMNS, Round};
use dwarves_api_types::credits::MinerCredit;
use dwarves_api_types::csv::{self, Cell};
use dwarves_api_types::scalars::{Hash, Instant, Ss58};
use dwarves_domain::payouts::{Part, Payout};
use dwarves_domain::target::{CompactTarget, Target};
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::export::{ExportError, Exportable, Exported, Period};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Failure, PoolArgs};
use crate::config::Config;
use crate::terminal::Bar;

/// Rows between two tells of the progress.
const TELL_EVERY: u64 = 1_024;

/// Arguments of `dwarves export`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(
    after_help = "Rows come oldest first, all of one moment; the same ledger gives the same bytes. In CSV (RFC 4180) a text that a
spreadsheet would take for a formula has an apostrophe in front. Amounts are in sats, instants in UTC.
Shares count by when they came, blocks by when they were found, rounds and credits by when the round closed, payouts by when
their money was set aside.

Examples:
  dwarves export credits --from 2026-10-01 --to 2026-11-01 > october.csv
  dwarves export shares --format jsonl --from 2026-11-28T12:00:00Z | head"
)]
pub struct ExportArgs {
    /// The table
    #[arg(value_enum)]
    pub table: TableName,
    /// The first day or instant: 2026-11-01 (UTC) or 2026-11-01T12:00:00Z [default: the beginning]
    #[arg(long, value_name = "DATE", value_parser = parse_instant)]
    pub from: Option<Instant>,
    /// The first day or instant that is not wanted any more [default: none]
    #[arg(long, value_name = "DATE", value_parser = parse_instant)]
    pub to: Option<Instant>,
    /// How rows are written
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    pub format: Format,
    /// Where the pool finds its settings and its data.
    #[command(flatten)]
    pub pool: PoolArgs,
}

/// What can be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TableName {
    /// Accepted shares
    Shares,
    /// What changed miners' credits
    Credits,
    /// Each miner's part of each payout
    Payouts,
    /// Rounds that closed
    Rounds,
    /// Blocks that were found
    Blocks,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// RFC 4180, with a header
    Csv,
    /// A JSON object a line
    Jsonl,
}

impl TableName {
    fn table(self) -> Exportable {
        match self {
            Self::Shares => Exportable::Shares,
            Self::Credits => Exportable::Credits,
            Self::Payouts => Exportable::Payouts,
            Self::Rounds => Exportable::Rounds,
            Self::Blocks => Exportable::Blocks,
        }
    }

    /// The columns. More may come behind these; none changes its place or its meaning.
    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Shares => &[
                "sequence",
                "at",
                "hotkey",
                "worker",
                "height",
                "issued_difficulty",
                "units",
                "hash",
                "is_block",
            ],
            Self::Credits => &[
                "id",
                "round_id",
                "closed_at",
                "hotkey",
                "kind",
                "units",
                "amount_sats",
                "block",
            ],
            Self::Payouts => &[
                "payout_id",
                "state",
                "reserved_at",
                "sent_at",
                "txid",
                "confirmations",
                "hotkey",
                "address",
                "amount_sats",
                "fee_sats",
                "note",
                "batch",
                "reference",
            ],
            Self::Rounds => ROUND_COLUMNS,
            Self::Blocks => BLOCK_COLUMNS,
        }
    }
}

/// A day (its beginning in UTC) or an instant.
fn parse_instant(text: &str) -> Result<Instant, String> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let day = day
        .and_then(|day| day.and_hms_opt(0, 0, 0))
        .map(|day| day.and_utc());
    let instant = day.or_else(|| Some(DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Utc)));
    instant
        .map(|instant| Instant(Timestamp::from_millis(instant.timestamp_millis())))
        .ok_or_else(|| {
            "expected a day such as 2026-11-01 or an instant such as 2026-11-01T12:00:00Z".to_owned()
        })
}

/// Writes the rows to standard output.
///
/// # Errors
/// If the ledger cannot be read, or the output not be written.
pub fn run(args: ExportArgs) -> Result<(), Failure> {
    let config = Config::load(args.pool.config.as_deref())?;
    let period = Period {
        from: args.from.map_or(Period::ALL.from, |from| from.0),
        to: args.to.map_or(Period::ALL.to, |to| to.0),
    };
    if period.from >= period.to {
        return Err("--from must lie before --to".into());
    }
    let mut ledger = super::ledger_reader(&config, &args.pool.data_dir)?;
    // So few rows that nothing is told of them need no bar.
    let mut bar = None;
    let out = BufWriter::new(io::stdout().lock());
    let mut rows = Rows {
        columns: args.table.columns(),
        format: args.format,
        line: String::new(),
        out,
    };
    let mut written = 0;
    let done = rows.begin().map_err(ExportError::from).and_then(|()| {
        ledger.export(args.table.table(), period, &mut |row, (done, all)| {
            written += 1;
            if written % TELL_EVERY == 0 {
                bar.get_or_insert_with(|| Bar::new("exporting rows"))
                    .at(done, all);
            }
            rows.write(&cells(row)?)
        })
    });
    let done = done.and_then(|()| Ok(rows.out.flush()?));
    if let Some(bar) = bar {
        bar.end();
    }
    match done {
        // Whoever reads has had enough.
        Err(ExportError::Out(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => Ok(done?),
    }
}

/// Writes rows in their format.
struct Rows<W> {
    columns: &'static [&'static str],
    format: Format,
    line: String,
    out: W,
}

impl<W: Write> Rows<W> {
    fn begin(&mut self) -> io::Result<()> {
        self.line.clear();
        if self.format == Format::Csv {
            csv::header(&mut self.line, self.columns);
        }
        self.out.write_all(self.line.as_bytes())
    }

    fn write(&mut self, cells: &[Cell]) -> io::Result<()> {
        self.line.clear();
        match self.format {
            Format::Csv => csv::row(&mut self.line, cells),
            Format::Jsonl => self.object(cells)?,
        }
        self.out.write_all(self.line.as_bytes())
    }

    /// An object whose fields have the order of the columns.
    fn object(&mut self, cells: &[Cell]) -> io::Result<()> {
        for (place, (name, cell)) in self.columns.iter().zip(cells).enumerate() {
            self.line.push(if place == 0 { '{' } else { ',' });
            self.line.push_str(&serde_json::to_string(name)?);
            self.line.push(':');
            self.line.push_str(&serde_json::to_string(&cell.to_json())?);
        }
        self.line.push_str("}\n");
        Ok(())
    }
}

/// A row's cells in the order of its columns. What the API shows too is written as the API writes it.
fn cells(row: Exported) -> io::Result<Vec<Cell>> {
    Ok(match row {
        Exported::Share(share) => {
            let (hotkey, worker) = share.worker.unzip();
            vec![
                share.sequence.get().into(),
                scalar(Instant(share.at))?,
                hotkey.map(|hotkey| hotkey.to_string()).into(),
                worker.map(|worker| worker.to_string()).into(),
                share.height.into(),
                difficulty(share.target).into(),
                share.units.to_string().into(),
                scalar(Hash(share.hash))?,
                Cell::Bool(share.is_block),
            ]
        }
        Exported::Credit(id, credit) => {
            let hotkey = Ss58(credit.hotkey).to_string();
            let fields = object(MinerCredit::from(credit))?;
            let mut cells = picked(
                &fields,
                &["round_id", "closed_at", "kind", "units", "amount_sats", "block"],
            );
            cells.insert(0, id.into());
            cells.insert(3, hotkey.into());
            cells
        }
        Exported::Payout(payout, part) => payout_cells(payout, part)?,
        Exported::Round(round) => picked(&object(Round::from(round))?, TableName::Rounds.columns()),
        Exported::Block(block) => picked(&object(Block::from(block))?, TableName::Blocks.columns()),
    })
}

fn payout_cells(payout: Payout, part: Part) -> io::Result<Vec<Cell>> {
    let exported = payout.exported.as_ref();
    let reference = exported.and_then(|exported| exported.reference.as_ref());
    Ok(vec![
        payout.id.get().into(),
        payout.state.name().into(),
        scalar(Instant(payout.reserved_at))?,
        payout.sent_at.map(Instant).map(scalar).transpose()?.into(),
        payout.signed.map(|signed| signed.txid.to_string()).into(),
        payout.confirmations.into(),
        part.hotkey.to_string().into(),
        part.address.into(),
        part.amount.sats().into(),
        part.fee.sats().into(),
        payout.note.into(),
        exported.map(|exported| exported.batch.to_string()).into(),
        reference.map(ToString::to_string).into(),
    ])
}

fn difficulty(target: CompactTarget) -> Option<f64> {
    Some(Target::from_compact(target).ok()?.difficulty().to_f64())
}

fn scalar(value: impl Serialize) -> io::Result<Cell> {
    Ok(Cell::of(&serde_json::to_value(value)?))
}

fn object(value: impl Serialize) -> io::Result<Map<String, Value>> {
    match serde_json::to_value(value)? {
        Value::Object(fields) => Ok(fields),
        _ => Ok(Map::new()),
    }
}

fn picked(fields: &Map<String, Value>, names: &[&str]) -> Vec<Cell> {
    // `outer.inner` is a field of a field.
    let cell = |name: &&str| {
        let (outer, inner) = name
            .split_once('.')
            .map_or((*name, None), |(outer, inner)| (outer, Some(inner)));
        let value = fields.get(outer);
        let value = inner.map_or(value, |inner| value?.get(inner));
        value.map_or(Cell::Empty, Cell::of)
    };
    names.iter().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_in_utc_and_instants_may_have_an_offset() {
        let millis = |text| parse_instant(text).map(|instant| instant.0.millis());
        assert_eq!(millis("1970-01-02"), Ok(86_400_000));
        assert_eq!(millis("1970-01-01T00:00:01.5Z"), Ok(1_500));
        assert_eq!(millis("1970-01-01T01:00:00+01:00"), Ok(0));
        for wrong in [
            "",
            "yesterday",
            "1970-13-01",
            "1970-01-01T00:00:00",
            "1970-01-01 x",
        ] {
            assert!(millis(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_row_has_a_cell_for_each_column_in_both_formats() {
        let mut rows = Rows {
            columns: &["a", "b"],
            format: Format::Jsonl,
            line: String::new(),
            out: Vec::new(),
        };
        rows.begin().unwrap();
        rows.write(&["=1".into(), Cell::Empty]).unwrap();
        assert_eq!(
            String::from_utf8(rows.out).unwrap(),
            "{\"a\":\"=1\",\"b\":null}\n"
        );
    }
}
