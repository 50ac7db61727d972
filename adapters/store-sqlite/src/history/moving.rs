//! Hours that are over move: from blobs of all workers in a minute to rows of one worker and one miner.

use std::collections::BTreeMap;

use dwarves_domain::history::Step;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{Marks, secs};
use crate::columns::{Cells, int};
use crate::error::Outcome;
use crate::packed_history::{self, Steps, Tally};

/// Workers that move in one transaction: some milliseconds.
const WORKERS: usize = 256;

/// Moves a little of an hour that is not the one of `now`. Returns whether there is more to move.
pub(crate) fn piece(connection: &Connection, now: Timestamp) -> Outcome<bool> {
    let marks = Marks::read(connection)?;
    let hour = match marks.moving {
        Some(hour) => hour,
        None => match over(connection, now)? {
            Some(hour) => {
                count_workers(connection, hour)?;
                hour
            }
            None => return Ok(false),
        },
    };
    let mut workers: BTreeMap<u64, Steps> = BTreeMap::new();
    each_open(connection, hour, hour + 3_600, |minute, worker, tally| {
        let is_full =
            workers.len() == WORKERS && workers.last_key_value().is_some_and(|(last, _)| *last < worker);
        if worker < marks.moving_worker || is_full {
            return;
        }
        let place = place_of(Step::Minute, Timestamp::from_secs(minute));
        workers.entry(worker).or_default().insert(place, tally.clone());
        if workers.len() > WORKERS {
            workers.pop_last();
        }
    })?;
    let mut miners: BTreeMap<Hotkey, Steps> = BTreeMap::new();
    let mut owner = connection.prepare_cached("SELECT hotkey FROM workers WHERE id = ?1 AND removed = 0")?;
    for (worker, minutes) in &workers {
        let hotkey = owner.query_row([int(*worker)], |row| Ok(Cells::new(row, "workers").hotkey(0)));
        let Some(hotkey) = hotkey.optional()?.transpose()? else {
            continue;
        };
        add_hour(connection, Table::WORKERS, hour, *worker, minutes)?;
        let of_miner = miners.entry(hotkey).or_default();
        for (place, tally) in minutes {
            of_miner.entry(*place).or_default().add(tally);
        }
    }
    for (hotkey, minutes) in &miners {
        let number = number_of(connection, hotkey)?;
        add_hour(connection, Table::MINERS, hour, number, minutes)?;
    }
    match workers.last_key_value() {
        Some((last, _)) if workers.len() == WORKERS => {
            connection
                .prepare_cached("UPDATE pool SET moving_hour = ?1, moving_worker = ?2")?
                .execute(params![hour, int(last + 1)])?;
            Ok(true)
        }
        _ => {
            connection
                .prepare_cached("DELETE FROM open_minutes WHERE at >= ?1 AND at < ?2")?
                .execute(params![hour, hour + 3_600])?;
            connection
                .prepare_cached("UPDATE pool SET moving_hour = NULL, moving_worker = 0")?
                .execute([])?;
            count_hour(connection, hour)?;
            Ok(over(connection, now)?.is_some())
        }
    }
}

/// The first hour of open minutes, unless it goes on.
fn over(connection: &Connection, now: Timestamp) -> Outcome<Option<i64>> {
    let sql = "SELECT at FROM open_minutes WHERE at < ?1 OR at >= ?1 + 3600 ORDER BY at LIMIT 1";
    let first: Option<i64> = connection
        .prepare_cached(sql)?
        .query_row([secs(Step::Hour.begin(now))], |row| row.get(0))
        .optional()?;
    Ok(first.map(|at| secs(Step::Hour.begin(Timestamp::from_secs(at)))))
}

/// Shows what workers came to in open minutes from `from` on and before `to`, minute by minute.
pub(crate) fn each_open(
    connection: &Connection,
    from: i64,
    to: i64,
    mut show: impl FnMut(i64, u64, &Tally),
) -> Outcome<()> {
    let sql = "SELECT at, workers FROM open_minutes WHERE at >= ?1 AND at < ?2 ORDER BY at";
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query(params![from, to])?;
    while let Some(row) = rows.next()? {
        let cells = Cells::new(row, "open_minutes");
        let minute = cells.int("at")?;
        packed_history::each(cells.blob("workers")?, |worker, tally| {
            show(minute, worker, tally)
        })?;
    }
    Ok(())
}

/// Where a step stands in its row.
pub(crate) fn place_of(step: Step, at: Timestamp) -> u64 {
    let since = step.begin(at).since(step.row_begin(at));
    since.secs() / step.secs()
}

/// A table of rows of steps.
#[derive(Clone, Copy)]
pub(crate) struct Table {
    name: &'static str,
    /// The column that says whose.
    whose: &'static str,
}

impl Table {
    pub(crate) const WORKERS: Self = Self {
        name: "worker_history",
        whose: "worker",
    };
    pub(crate) const MINERS: Self = Self {
        name: "miner_history",
        whose: "miner",
    };

    /// The steps of a row; none if there is no such row.
    pub(crate) fn row(self, connection: &Connection, span: u64, at: i64, whose: u64) -> Outcome<Steps> {
        let Self { name, whose: column } = self;
        let sql = format!("SELECT steps FROM {name} WHERE span = ?1 AND at = ?2 AND {column} = ?3");
        let mut select = connection.prepare_cached(&sql)?;
        let steps = select.query_row(params![int(span), at, int(whose)], |row| {
            let read = || packed_history::unpack(Cells::new(row, name).blob("steps")?);
            Ok(read())
        });
        Ok(steps.optional()?.transpose()?.unwrap_or_default())
    }

    /// Keeps the steps of a row.
    pub(crate) fn put(
        self,
        connection: &Connection,
        span: u64,
        at: i64,
        whose: u64,
        steps: &Steps,
    ) -> Outcome<()> {
        let Self { name, whose: column } = self;
        let sql = format!("REPLACE INTO {name} (span, at, {column}, steps) VALUES (?1, ?2, ?3, ?4)");
        connection.prepare_cached(&sql)?.execute(params![
            int(span),
            at,
            int(whose),
            packed_history::pack(steps)
        ])?;
        Ok(())
    }

    /// Deletes all that there is of one.
    pub(super) fn delete(self, connection: &Connection, whose: u64) -> Outcome<()> {
        let Self { name, whose: column } = self;
        let sql = format!("DELETE FROM {name} WHERE span = ?1 AND at = ?2 AND {column} = ?3");
        let mut delete = connection.prepare_cached(&sql)?;
        for step in Step::ALL {
            let span = step.row().secs();
            let mut next = self.next(connection, span, i64::MIN)?;
            while let Some(at) = next {
                delete.execute(params![int(span), at, int(whose)])?;
                next = self.next(connection, span, at)?;
            }
        }
        Ok(())
    }

    /// The first time after `at` of which there are rows, whosever.
    pub(super) fn next(self, connection: &Connection, span: u64, at: i64) -> Outcome<Option<i64>> {
        let sql = format!("SELECT MIN(at) FROM {} WHERE span = ?1 AND at > ?2", self.name);
        let mut select = connection.prepare_cached(&sql)?;
        Ok(select.query_row(params![int(span), at], |row| row.get(0))?)
    }
}

/// Adds the minutes of an hour to rows of minutes, hours and days.
fn add_hour(connection: &Connection, table: Table, hour: i64, whose: u64, minutes: &Steps) -> Outcome<()> {
    let begin = Timestamp::from_secs(hour);
    let mut whole = Tally::default();
    for tally in minutes.values() {
        whole.add(tally);
    }
    for step in Step::ALL {
        let (span, at) = (step.row().secs(), secs(step.row_begin(begin)));
        let mut steps = table.row(connection, span, at, whose)?;
        if step == Step::Minute {
            for (place, tally) in minutes {
                steps.entry(*place).or_default().add(tally);
            }
        } else {
            steps.entry(place_of(step, begin)).or_default().add(&whole);
        }
        table.put(connection, span, at, whose, &steps)?;
    }
    Ok(())
}

/// A miner's number, which it gets with its first hour.
pub(crate) fn number_of(connection: &Connection, hotkey: &Hotkey) -> Outcome<u64> {
    if let Some(number) = known_number(connection, hotkey)? {
        return Ok(number);
    }
    connection
        .prepare_cached("INSERT INTO history_miners (hotkey) VALUES (?1)")?
        .execute([hotkey.as_bytes()])?;
    Ok(connection.last_insert_rowid().unsigned_abs())
}

/// A miner's number, if it has one.
pub(super) fn known_number(connection: &Connection, hotkey: &Hotkey) -> Outcome<Option<u64>> {
    let sql = "SELECT number FROM history_miners WHERE hotkey = ?1";
    let number = connection
        .prepare_cached(sql)?
        .query_row([hotkey.as_bytes()], |row| {
            Ok(Cells::new(row, "history_miners").u64(0))
        });
    number.optional()?.transpose()
}

/// Notes how many workers there were in each minute of an hour that is over.
fn count_workers(connection: &Connection, hour: i64) -> Outcome<()> {
    let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
    each_open(connection, hour, hour + 3_600, |minute, _, tally| {
        *counts.entry(minute).or_default() += u64::from(tally.has_accepted());
    })?;
    let sql = "UPDATE pool_history SET workers = ?2 WHERE step = 60 AND at = ?1";
    for (minute, count) in counts {
        connection
            .prepare_cached(sql)?
            .execute(params![minute, int(count)])?;
    }
    Ok(())
}

/// Notes how many workers and miners there were in an hour, and in its day so far.
fn count_hour(connection: &Connection, hour: i64) -> Outcome<()> {
    let day = secs(Step::Day.begin(Timestamp::from_secs(hour)));
    let sql = "UPDATE pool_history SET
            workers = (SELECT COUNT(*) FROM worker_history WHERE span = ?1 AND at = ?2),
            miners = (SELECT COUNT(*) FROM miner_history WHERE span = ?1 AND at = ?2)
        WHERE step = ?1 AND at = ?2";
    // A row of minutes is an hour's, and one of hours a day's.
    for (span, at) in [(3_600, hour), (86_400, day)] {
        connection.prepare_cached(sql)?.execute(params![span, at])?;
    }
    Ok(())
}
