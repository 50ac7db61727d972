//! What each of a miner's workers mined lately, for all of them at once: open minutes and the shares that are not in the
//! history yet are walked over once, however many workers there are.

use std::collections::HashMap;

use dwarves_domain::history::Step;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerName;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_ports::store::WorkerSums;
use rusqlite::Connection;

use super::moving::{Table, each_open};
use super::reading::ROWS;
use super::{Marks, each_share, secs};
use crate::columns::{Cells, all};
use crate::error::Outcome;
use crate::packed_history::Tally;

/// One worker's part of an answer.
struct Worker {
    id: u64,
    name: WorkerName,
    tallies: Vec<Tally>,
    /// When the first step with an accepted share began: an hour (or a day) of which the minute may be known, and what
    /// is known to the minute.
    first_hour: Option<Timestamp>,
    first_at: Option<Timestamp>,
}

/// Answers [`dwarves_ports::store::Store::worker_sums`].
pub(crate) fn answer(
    connection: &Connection,
    hotkey: &Hotkey,
    since: &[(Step, Timestamp)],
) -> Outcome<Vec<WorkerSums>> {
    let marks = Marks::read(connection)?;
    // What was forgotten is not told, also if it is still there.
    let since = since
        .iter()
        .map(|(step, from)| (*step, (*from).max(Timestamp::from_secs(marks.from(*step)))));
    let since: Vec<(Step, Timestamp)> = since.collect();
    let mut workers = known(connection, hotkey, since.len())?;
    for (place, (step, from)) in since.iter().enumerate() {
        add_rows(connection, &mut workers, place, *step, *from)?;
    }
    for worker in &mut workers {
        look_for_minute(connection, &marks, worker)?;
    }
    add_what_is_not_moved(connection, &marks, &mut workers, &since)?;
    let told = workers.into_iter().map(|worker| WorkerSums {
        name: worker.name,
        first_at: worker.first_at,
        sums: worker.tallies.iter().map(Tally::sums).collect(),
    });
    Ok(told.collect())
}

fn known(connection: &Connection, hotkey: &Hotkey, times: usize) -> Outcome<Vec<Worker>> {
    let sql = "SELECT id, name FROM workers WHERE hotkey = ?1 AND gone_after IS NULL ORDER BY name";
    all(connection, sql, [hotkey.as_bytes()], |row| {
        let cells = Cells::new(row, "workers");
        Ok(Worker {
            id: cells.u64("id")?,
            name: cells.named("name")?,
            tallies: vec![Tally::default(); times],
            first_hour: None,
            first_at: None,
        })
    })
}

fn earlier(first: &mut Option<Timestamp>, at: Timestamp) {
    *first = Some(first.map_or(at, |first| first.min(at)));
}

/// Adds the rows of one time, which has this place in the answer.
fn add_rows(
    connection: &Connection,
    workers: &mut [Worker],
    place: usize,
    step: Step,
    from: Timestamp,
) -> Outcome<()> {
    let table = Table::WORKERS;
    let span = step.row().secs();
    let mut next = table.next(connection, span, secs(step.row_begin(from)) - 1)?;
    while let Some(row_at) = next {
        for worker in &mut *workers {
            for (number, tally) in table.row(connection, span, row_at, worker.id)? {
                let since = Span::from_secs(number.saturating_mul(step.secs()));
                let at = Timestamp::from_secs(row_at).plus(since);
                if at < from {
                    continue;
                }
                worker.tallies[place].add(&tally);
                if tally.has_accepted() {
                    let first = match step {
                        Step::Hour => &mut worker.first_hour,
                        Step::Minute | Step::Day => &mut worker.first_at,
                    };
                    earlier(first, at);
                }
            }
        }
        next = table.next(connection, span, row_at)?;
    }
    Ok(())
}

/// Finds the minute of the first hour, if it is still known.
fn look_for_minute(connection: &Connection, marks: &Marks, worker: &mut Worker) -> Outcome<()> {
    let Some(hour) = worker.first_hour else {
        return Ok(());
    };
    let mut at = hour;
    if secs(hour) >= marks.from(Step::Minute) {
        let minutes = Table::WORKERS.row(connection, Step::Minute.row().secs(), secs(hour), worker.id)?;
        let first = minutes.into_iter().find(|(_, tally)| tally.has_accepted());
        if let Some((number, _)) = first {
            at = hour.plus(Span::from_secs(number.saturating_mul(Step::Minute.secs())));
        }
    }
    earlier(&mut worker.first_at, at);
    Ok(())
}

/// Adds what is in no row of a worker's yet.
fn add_what_is_not_moved(
    connection: &Connection,
    marks: &Marks,
    workers: &mut [Worker],
    since: &[(Step, Timestamp)],
) -> Outcome<()> {
    let places = workers
        .iter()
        .enumerate()
        .map(|(place, worker)| (worker.id, place));
    let places: HashMap<u64, usize> = places.collect();
    let Some(earliest) = since.iter().map(|(_, from)| *from).min() else {
        return Ok(());
    };
    // Where it is known to the minute when a share came, it is told to the minute.
    let first_of = |step: Step, at: Timestamp| match step {
        Step::Day => Step::Day.begin(at),
        Step::Minute | Step::Hour if secs(Step::Minute.begin(at)) >= marks.from(Step::Minute) => {
            Step::Minute.begin(at)
        }
        Step::Minute | Step::Hour => Step::Hour.begin(at),
    };
    let mut add = |worker: u64, at: Timestamp, is_accepted: bool, add: &dyn Fn(&mut Tally)| {
        let Some(worker) = places.get(&worker).and_then(|place| workers.get_mut(*place)) else {
            return;
        };
        for ((step, from), tally) in since.iter().zip(&mut worker.tallies) {
            if step.begin(at) >= *from {
                add(tally);
                if is_accepted {
                    earlier(&mut worker.first_at, first_of(*step, at));
                }
            }
        }
    };
    each_open(connection, secs(earliest), i64::MAX, |minute, worker, tally| {
        if !marks.is_moved(minute, worker) {
            let at = Timestamp::from_secs(minute);
            add(worker, at, tally.has_accepted(), &|sum| sum.add(tally));
        }
    })?;
    each_share(connection, marks.next(), ROWS, |worker, terms, at| {
        add(u64::from(worker.get()), at, true, &|sum| {
            sum.add_shares((terms.share_bits, terms.units), 1)
        });
    })?;
    Ok(())
}
