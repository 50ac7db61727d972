//! History: rows of many steps, and minutes that are still open, as a row for each step. `packing` is the other way.

use std::collections::{BTreeMap, HashMap};

use dwarves_domain::history::{Step, Sums};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_ports::store::copying::{Datum, Key, Row};
use rusqlite::{Connection, params};

use super::bytes_after;
use crate::columns::{Cells, all, int};
use crate::error::Outcome;
use crate::history::moving::{self, each_open};
use crate::history::{Marks, roll::pool_sums};
use crate::packed_history::Tally;

mod packing;

pub(super) use packing::{write_miners, write_workers};

/// Workers or miners whose open minutes are in memory at a time.
const AT_A_TIME: usize = 4_096;

/// Of whom there is history, in the order in which they are copied, and of when: read once.
pub(super) struct Whose {
    workers: Vec<u64>,
    miners: Vec<Hotkey>,
    /// The number that a miner has in its rows, if it has some.
    numbers: HashMap<Hotkey, u64>,
    /// Whose each worker is, but for those whose miner was removed.
    owners: HashMap<u64, Hotkey>,
    times: [[Vec<i64>; 3]; 2],
    open_of_workers: Open<u64>,
    open_of_miners: Open<Hotkey>,
}

/// Open minutes of some who stand behind each other.
struct Open<W> {
    first: Option<W>,
    last: Option<W>,
    minutes: BTreeMap<W, BTreeMap<i64, Tally>>,
}

impl<W> Default for Open<W> {
    fn default() -> Self {
        Self {
            first: None,
            last: None,
            minutes: BTreeMap::new(),
        }
    }
}

impl<W: Copy + Ord> Open<W> {
    /// Reads the open minutes of these, if they are not read already.
    fn fill(
        &mut self,
        connection: &Connection,
        marks: &Marks,
        next: &[W],
        whose: impl Fn(u64) -> Option<W>,
    ) -> Outcome<()> {
        let next = &next[..next.len().min(AT_A_TIME)];
        let (Some(first), Some(last)) = (next.first(), next.last()) else {
            return Ok(());
        };
        if self.first.is_some_and(|known| known <= *first) && self.last.is_some_and(|known| known >= *first) {
            return Ok(());
        }
        self.minutes.clear();
        each_open(connection, i64::MIN, i64::MAX, |minute, worker, tally| {
            if marks.is_moved(minute, worker) {
                return;
            }
            if let Some(whose) = whose(worker).filter(|whose| first <= whose && whose <= last) {
                let minutes = self.minutes.entry(whose).or_default();
                minutes.entry(minute).or_default().add(tally);
            }
        })?;
        (self.first, self.last) = (Some(*first), Some(*last));
        Ok(())
    }
}

impl Whose {
    fn read(connection: &Connection) -> Outcome<Self> {
        let owners = all(
            connection,
            "SELECT id, hotkey FROM workers WHERE removed = 0",
            [],
            |row| {
                let cells = Cells::new(row, "workers");
                Ok((cells.u64("id")?, cells.hotkey("hotkey")?))
            },
        )?;
        let owners: HashMap<u64, Hotkey> = owners.into_iter().collect();
        let numbers = all(
            connection,
            "SELECT number, hotkey FROM history_miners",
            [],
            |row| {
                let cells = Cells::new(row, "history_miners");
                Ok((cells.hotkey("hotkey")?, cells.u64("number")?))
            },
        )?;
        let numbers: HashMap<Hotkey, u64> = numbers.into_iter().collect();
        let mut workers = all(
            connection,
            "SELECT DISTINCT worker FROM worker_history",
            [],
            |row| Cells::new(row, "worker_history").u64("worker"),
        )?;
        let mut miners: Vec<Hotkey> = numbers.keys().copied().collect();
        let marks = Marks::read(connection)?;
        let mut open = std::collections::BTreeSet::new();
        each_open(connection, i64::MIN, i64::MAX, |minute, worker, _| {
            if !marks.is_moved(minute, worker) {
                open.insert(worker);
            }
        })?;
        for (worker, owner) in open
            .into_iter()
            .filter_map(|worker| Some((worker, owners.get(&worker)?)))
        {
            workers.push(worker);
            miners.push(*owner);
        }
        workers.sort_unstable();
        workers.dedup();
        miners.sort_unstable_by_key(|hotkey| *hotkey.as_bytes());
        miners.dedup();
        let times = |table: &str| -> Outcome<[Vec<i64>; 3]> {
            let sql = format!("SELECT DISTINCT at FROM {table} WHERE span = ?1 ORDER BY at");
            let of = |step: Step| all(connection, &sql, [int(step.row().secs())], |row| Ok(row.get(0)?));
            Ok([of(Step::ALL[0])?, of(Step::ALL[1])?, of(Step::ALL[2])?])
        };
        Ok(Self {
            times: [times("worker_history")?, times("miner_history")?],
            workers,
            miners,
            numbers,
            owners,
            open_of_workers: Open::default(),
            open_of_miners: Open::default(),
        })
    }
}

/// The steps of one: rows, and open minutes.
fn steps(
    connection: &Connection,
    marks: &Marks,
    table: moving::Table,
    times: &[Vec<i64>; 3],
    number: Option<u64>,
    open: Option<&BTreeMap<i64, Tally>>,
    mut show: impl FnMut(Step, i64, &Tally),
) -> Outcome<()> {
    for (step, times) in Step::ALL.into_iter().zip(times) {
        let mut tallies: BTreeMap<i64, Tally> = BTreeMap::new();
        for at in times {
            let Some(number) = number else {
                break;
            };
            for (place, tally) in table.row(connection, step.row().secs(), *at, number)? {
                let since = Span::from_secs(place.saturating_mul(step.secs()));
                let at = Timestamp::from_secs(*at).plus(since).secs();
                tallies.entry(at).or_default().add(&tally);
            }
        }
        for (minute, tally) in open.into_iter().flatten() {
            let at = step.begin(Timestamp::from_secs(*minute)).secs();
            tallies.entry(at).or_default().add(tally);
        }
        // What is forgotten may still be there.
        for (at, tally) in tallies.range(marks.from(step)..) {
            show(step, *at, tally);
        }
    }
    Ok(())
}

fn row(whose: Datum, step: Step, at: i64, sums: &Sums) -> Row {
    let mut row = vec![
        whose,
        Datum::Int(int(step.secs())),
        Datum::Int(at),
        Datum::Int(int(sums.accepted)),
        Datum::Number(sums.units.raw()),
        Datum::Real(sums.hashes),
        Datum::Real(sums.squares),
    ];
    row.extend(sums.rejected.iter().map(|count| Datum::Int(int(*count))));
    row
}

/// The history of the next workers.
pub(super) fn read_workers(
    connection: &Connection,
    after: Option<&Key>,
    most: usize,
    known: &mut Option<Whose>,
) -> Outcome<Vec<Row>> {
    let known = match known {
        Some(known) => known,
        None => known.insert(Whose::read(connection)?),
    };
    let marks = Marks::read(connection)?;
    let after = after.and_then(|key| key.first()?.as_int());
    let begin = known
        .workers
        .partition_point(|worker| after.is_some_and(|after| int(*worker) <= after));
    let mut rows = Vec::new();
    for (place, worker) in known.workers.iter().enumerate().skip(begin) {
        if rows.len() >= most {
            break;
        }
        let owners = &known.owners;
        let whose = |worker: u64| owners.contains_key(&worker).then_some(worker);
        known
            .open_of_workers
            .fill(connection, &marks, &known.workers[place..], whose)?;
        let open = known.open_of_workers.minutes.get(worker);
        let (of, times) = (moving::Table::WORKERS, &known.times[0]);
        steps(
            connection,
            &marks,
            of,
            times,
            Some(*worker),
            open,
            |step, at, tally| {
                let mut row = row(Datum::Int(int(*worker)), step, at, &tally.sums());
                let bits = tally.last_bits().map(|bits| Datum::Int(i64::from(bits.bits())));
                row.push(bits.unwrap_or(Datum::Null));
                rows.push(row);
            },
        )?;
    }
    Ok(rows)
}

/// The history of the pool, and then of the next miners.
pub(super) fn read_miners(
    connection: &Connection,
    after: Option<&Key>,
    most: usize,
    known: &mut Option<Whose>,
) -> Outcome<Vec<Row>> {
    let known = match known {
        Some(known) => known,
        None => known.insert(Whose::read(connection)?),
    };
    let marks = Marks::read(connection)?;
    let mut rows = match after {
        None => pool(connection, &marks)?,
        Some(_) => Vec::new(),
    };
    let after = bytes_after(after).unwrap_or_default();
    let begin = known
        .miners
        .partition_point(|hotkey| &hotkey.as_bytes()[..] <= after);
    for (place, hotkey) in known.miners.iter().enumerate().skip(begin) {
        if rows.len() >= most {
            break;
        }
        let owners = &known.owners;
        let whose = |worker: u64| owners.get(&worker).copied();
        known
            .open_of_miners
            .fill(connection, &marks, &known.miners[place..], whose)?;
        let open = known.open_of_miners.minutes.get(hotkey);
        let number = known.numbers.get(hotkey).copied();
        let (of, times) = (moving::Table::MINERS, &known.times[1]);
        steps(connection, &marks, of, times, number, open, |step, at, tally| {
            let whose = Datum::Bytes(hotkey.as_bytes().to_vec());
            let mut row = row(whose, step, at, &tally.sums());
            row.extend([Datum::Null, Datum::Null]);
            rows.push(row);
        })?;
    }
    Ok(rows)
}

fn pool(connection: &Connection, marks: &Marks) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    for step in Step::ALL {
        let sql = "SELECT * FROM pool_history WHERE step = ?1 AND at >= ?2 ORDER BY at";
        rows.extend(all(
            connection,
            sql,
            params![int(step.secs()), marks.from(step)],
            |stored| {
                let cells = Cells::new(stored, "pool_history");
                let whose = Datum::Bytes(Vec::new());
                let mut row = row(whose, step, cells.int("at")?, &pool_sums(&cells)?);
                for column in ["miners", "workers"] {
                    let count = cells.optional(column, |cells, column| cells.int(column))?;
                    row.push(count.map_or(Datum::Null, Datum::Int));
                }
                Ok(row)
            },
        )?);
    }
    Ok(rows)
}
