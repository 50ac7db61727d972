//! Shares come into the history: into the pool's sums and into the blobs of minutes that are still open.

use std::collections::{BTreeMap, HashMap};

use dwarves_domain::history::{Step, Sums};
use dwarves_domain::ids::Sequence;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::codec::records;
use rusqlite::{Connection, OptionalExtension, params};

use super::{Marks, each_share, secs};
use crate::columns::{Cells, int, units};
use crate::error::Outcome;
use crate::packed_history::{self, Steps, Worth};

/// Rows of shares that are walked over in one transaction: some milliseconds.
const ROWS: u32 = 1_024;

/// What one transaction brought into the history.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rolled {
    /// There are more shares to come in.
    pub(crate) is_more: bool,
    /// When the last share came that came in.
    pub(crate) latest: Option<Timestamp>,
}

/// Brings some more shares in.
pub(crate) fn piece(connection: &Connection) -> Outcome<Rolled> {
    let marks = Marks::read(connection)?;
    let mut minutes: BTreeMap<Timestamp, Steps> = BTreeMap::new();
    let mut latest = None;
    let (last, is_more) = each_share(connection, marks.next(), ROWS, |worker, terms, at| {
        let minute = minutes.entry(minute_of(&marks, at)).or_default();
        let tally = minute.entry(u64::from(worker.get())).or_default();
        tally.add_shares((terms.share_bits, terms.units), 1);
        latest = Some(at);
    })?;
    let Some(last) = last else {
        return Ok(Rolled::default());
    };
    for (at, workers) in &minutes {
        add(connection, *at, marks.next(), workers)?;
    }
    connection
        .prepare_cached("UPDATE pool SET history_through = ?1")?
        .execute([int(last.get())])?;
    Ok(Rolled { is_more, latest })
}

/// Brings in all shares up to this one, unless an hour is being moved, which comes first. Returns up to which share all
/// are in.
pub(crate) fn through(connection: &Connection, last: Sequence) -> Outcome<Sequence> {
    loop {
        let marks = Marks::read(connection)?;
        let is_in = marks.next() > last;
        if is_in || marks.moving.is_some() || !piece(connection)?.is_more {
            return Ok(Marks::read(connection)?.through.max(marks.pruned));
        }
    }
}

/// The minute in which something counts: nothing may come into an hour while it is being moved, so it counts in the first
/// minute behind.
fn minute_of(marks: &Marks, at: Timestamp) -> Timestamp {
    match marks.moving {
        Some(hour) if secs(Step::Hour.begin(at)) == hour => {
            Timestamp::from_secs(hour).plus(Step::Hour.span())
        }
        _ => Step::Minute.begin(at),
    }
}

/// Adds what workers came to in a minute. `first`: no share of it is before this one.
fn add(connection: &Connection, minute: Timestamp, first: Sequence, workers: &Steps) -> Outcome<()> {
    let select = "SELECT first_share, workers FROM open_minutes WHERE at = ?1";
    let mut select = connection.prepare_cached(select)?;
    let known = select.query_row([secs(minute)], |row| {
        let cells = Cells::new(row, "open_minutes");
        let read = || -> Outcome<_> {
            let steps = packed_history::unpack(cells.blob("workers")?)?;
            Ok((cells.sequence("first_share")?, steps))
        };
        Ok(read())
    });
    let (first, mut steps) = known.optional()?.transpose()?.unwrap_or((first, Steps::new()));
    let mut worths: HashMap<Worth, u64> = HashMap::new();
    let mut sums = Sums::default();
    for (worker, tally) in workers {
        steps.entry(*worker).or_default().add(tally);
        let (runs, rest) = tally.parts();
        for (worth, count) in runs {
            *worths.entry(*worth).or_default() += count;
        }
        sums.add(&rest);
    }
    connection
        .prepare_cached("REPLACE INTO open_minutes (at, first_share, workers) VALUES (?1, ?2, ?3)")?
        .execute(params![
            secs(minute),
            int(first.get()),
            packed_history::pack(&steps)
        ])?;
    for ((bits, units), count) in worths {
        sums.add_shares(bits, units, count);
    }
    for step in Step::ALL {
        add_to_pool(connection, step, step.begin(minute), &sums)?;
    }
    Ok(())
}

fn add_to_pool(connection: &Connection, step: Step, at: Timestamp, more: &Sums) -> Outcome<()> {
    let key = params![int(step.secs()), secs(at)];
    let mut select = connection.prepare_cached("SELECT * FROM pool_history WHERE step = ?1 AND at = ?2")?;
    let known = select.query_row(key, |row| Ok(pool_sums(&Cells::new(row, "pool_history"))));
    let mut sums = known.optional()?.transpose()?.unwrap_or_default();
    sums.add(more);
    let [unknown, stale, duplicate, low, time, version] = sums.rejected.map(int);
    connection
        .prepare_cached(
            "INSERT INTO pool_history (step, at, accepted, units, hashes, squares, rejected_unknown_job, rejected_stale,
                 rejected_duplicate, rejected_low_difficulty, rejected_time_out_of_range, rejected_version_out_of_mask)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             ON CONFLICT (step, at) DO UPDATE SET accepted = excluded.accepted, units = excluded.units,
                 hashes = excluded.hashes, squares = excluded.squares,
                 rejected_unknown_job = excluded.rejected_unknown_job, rejected_stale = excluded.rejected_stale,
                 rejected_duplicate = excluded.rejected_duplicate,
                 rejected_low_difficulty = excluded.rejected_low_difficulty,
                 rejected_time_out_of_range = excluded.rejected_time_out_of_range,
                 rejected_version_out_of_mask = excluded.rejected_version_out_of_mask",
        )?
        .execute(params![
            int(step.secs()),
            secs(at),
            int(sums.accepted),
            units(sums.units),
            sums.hashes,
            sums.squares,
            unknown,
            stale,
            duplicate,
            low,
            time,
            version,
        ])?;
    Ok(())
}

/// The sums of a row of `pool_history`.
pub(crate) fn pool_sums(cells: &Cells<'_, '_>) -> Outcome<Sums> {
    records::sums(cells)
}

/// Adds rejected shares of workers, which came up to `at`. `last_share`: no share that is to come is before this one.
pub(crate) fn add_rejected(
    connection: &Connection,
    at: Timestamp,
    last_share: Sequence,
    workers: &Steps,
) -> Outcome<()> {
    let marks = Marks::read(connection)?;
    add(connection, minute_of(&marks, at), last_share, workers)
}
