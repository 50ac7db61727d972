//! Answers to questions of history: rows, what has not been moved into them yet, and the shares that are not in the
//! history yet.

use std::collections::{BTreeMap, HashMap, HashSet};

use dwarves_domain::history::{Step, Sums};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerName;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_ports::store::{History, HistoryOf, HistoryQuestion, HistoryStep, LifeRow};
use rusqlite::{Connection, OptionalExtension, params};

use super::moving::{Table, each_open, known_number};
use super::roll::pool_sums;
use super::{Marks, each_share, secs};
use crate::columns::{Cells, all, int};
use crate::error::Outcome;
use crate::packed_history::{Tally, Worth};

/// Rows of shares that are not in the history yet and are looked at all the same. There are so many only while a ledger
/// of an older version is brought up to date.
pub(super) const ROWS: u32 = 40_000;

/// Answers a question.
pub(crate) fn answer(connection: &Connection, question: &HistoryQuestion) -> Outcome<Option<History>> {
    let marks = Marks::read(connection)?;
    let steps = match &question.of {
        HistoryOf::Pool => of_pool(connection, &marks, question)?,
        HistoryOf::Miner(hotkey) => {
            let Some(theirs) = Theirs::of_miner(connection, hotkey)? else {
                return Ok(None);
            };
            theirs.steps(connection, &marks, question)?
        }
        HistoryOf::Worker(hotkey, name) => {
            let Some(theirs) = Theirs::of_worker(connection, hotkey, name)? else {
                return Ok(None);
            };
            theirs.steps(connection, &marks, question)?
        }
    };
    Ok(Some(History {
        begins: begins(connection, &marks, question.step)?,
        steps,
        lives: lives(connection, question)?,
    }))
}

fn lives(connection: &Connection, question: &HistoryQuestion) -> Outcome<Vec<LifeRow>> {
    let sql = "SELECT * FROM lives WHERE (started_at >= ?1 AND started_at < ?2)
        OR (stopped_at >= ?1 AND stopped_at < ?2) ORDER BY life";
    let span = [question.from.millis(), question.to.millis()];
    all(connection, sql, span, |row| {
        let cells = Cells::new(row, "lives");
        Ok(LifeRow {
            life: cells.u32("life")?,
            started_at: cells.time("started_at")?,
            stopped_at: cells.optional("stopped_at", |cells, column| cells.time(column))?,
        })
    })
}

/// The first step of the pool that is known.
fn begins(connection: &Connection, marks: &Marks, step: Step) -> Outcome<Option<Timestamp>> {
    let from = marks.from(step);
    let sql = "SELECT MIN(at) FROM pool_history WHERE step = ?1 AND at >= ?2";
    let mut first: Option<i64> = connection
        .prepare_cached(sql)?
        .query_row(params![int(step.secs()), from], |row| row.get(0))?;
    each_share(connection, marks.next(), ROWS, |_, _, at| {
        let at = secs(step.begin(at));
        if at >= from {
            first = Some(first.map_or(at, |first| first.min(at)));
        }
    })?;
    Ok(first.map(Timestamp::from_secs))
}

/// Whether a step is asked for and known.
fn is_wanted(marks: &Marks, question: &HistoryQuestion, at: Timestamp) -> bool {
    at >= question.from && at < question.to && secs(at) >= marks.from(question.step)
}

fn of_pool(connection: &Connection, marks: &Marks, question: &HistoryQuestion) -> Outcome<Vec<HistoryStep>> {
    let step = question.step;
    // A step begins at a full second.
    let from = secs(question.from.moved(999)).max(marks.from(step));
    let sql = "SELECT * FROM pool_history WHERE step = ?1 AND at >= ?2 AND at < ?3";
    let to = secs(question.to.moved(999));
    let rows = all(connection, sql, params![int(step.secs()), from, to], |row| {
        let cells = Cells::new(row, "pool_history");
        let at = Timestamp::from_secs(cells.int("at")?);
        let step = HistoryStep {
            at,
            sums: pool_sums(&cells)?,
            last_bits: None,
            miners: cells.optional("miners", |cells, column| cells.u64(column))?,
            workers: cells.optional("workers", |cells, column| cells.u64(column))?,
        };
        Ok((at, step))
    })?;
    let mut steps: BTreeMap<Timestamp, HistoryStep> = rows.into_iter().collect();
    let mut worths: HashMap<(Timestamp, Worth), u64> = HashMap::new();
    each_share(connection, marks.next(), ROWS, |_, terms, at| {
        let at = step.begin(at);
        if is_wanted(marks, question, at) {
            *worths.entry((at, (terms.share_bits, terms.units))).or_default() += 1;
        }
    })?;
    for ((at, (bits, units)), count) in worths {
        let step = steps.entry(at).or_insert_with(|| empty(at));
        step.sums.add_shares(bits, units, count);
    }
    Ok(steps.into_values().collect())
}

fn empty(at: Timestamp) -> HistoryStep {
    HistoryStep {
        at,
        sums: Sums::default(),
        last_bits: None,
        miners: None,
        workers: None,
    }
}

/// What belongs to a miner or a worker.
struct Theirs {
    table: Table,
    /// Its number in the table, if it has one.
    number: Option<u64>,
    /// Its workers.
    workers: HashSet<u64>,
}

impl Theirs {
    fn of_miner(connection: &Connection, hotkey: &Hotkey) -> Outcome<Option<Self>> {
        let is_known = connection
            .prepare_cached("SELECT 1 FROM miners WHERE hotkey = ?1")?
            .exists([hotkey.as_bytes()])?;
        if !is_known {
            return Ok(None);
        }
        let sql = "SELECT id FROM workers WHERE hotkey = ?1 AND removed = 0";
        let workers = all(connection, sql, [hotkey.as_bytes()], |row| {
            Cells::new(row, "workers").u64("id")
        })?;
        Ok(Some(Self {
            table: Table::MINERS,
            number: known_number(connection, hotkey)?,
            workers: workers.into_iter().collect(),
        }))
    }

    fn of_worker(connection: &Connection, hotkey: &Hotkey, name: &WorkerName) -> Outcome<Option<Self>> {
        let sql = "SELECT id FROM workers WHERE hotkey = ?1 AND name = ?2 AND gone_after IS NULL";
        let worker = connection
            .prepare_cached(sql)?
            .query_row(params![hotkey.as_bytes(), name.as_str()], |row| {
                Ok(Cells::new(row, "workers").u64("id"))
            });
        let worker = worker.optional()?.transpose()?;
        Ok(worker.map(|worker| Self {
            table: Table::WORKERS,
            number: Some(worker),
            workers: HashSet::from([worker]),
        }))
    }

    fn steps(
        &self,
        connection: &Connection,
        marks: &Marks,
        question: &HistoryQuestion,
    ) -> Outcome<Vec<HistoryStep>> {
        let step = question.step;
        let mut tallies: BTreeMap<Timestamp, Tally> = BTreeMap::new();
        if let Some(number) = self.number {
            self.add_rows(connection, number, question, &mut tallies)?;
        }
        // Open minutes of steps that are asked for. A question's end is at most the end of time.
        let end = question.to.plus(step.span());
        each_open(
            connection,
            secs(question.from),
            secs(end),
            |minute, worker, tally| {
                if self.workers.contains(&worker) && !marks.is_moved(minute, worker) {
                    let at = step.begin(Timestamp::from_secs(minute));
                    tallies.entry(at).or_default().add(tally);
                }
            },
        )?;
        each_share(connection, marks.next(), ROWS, |worker, terms, at| {
            if self.workers.contains(&u64::from(worker.get())) {
                let tally = tallies.entry(step.begin(at)).or_default();
                tally.add_shares((terms.share_bits, terms.units), 1);
            }
        })?;
        let wanted = tallies
            .into_iter()
            .filter(|(at, _)| is_wanted(marks, question, *at));
        let step_of = |(at, tally): (Timestamp, Tally)| HistoryStep {
            sums: tally.sums(),
            last_bits: tally
                .last_bits()
                .filter(|_| matches!(question.of, HistoryOf::Worker(..))),
            ..empty(at)
        };
        Ok(wanted.map(step_of).collect())
    }

    fn add_rows(
        &self,
        connection: &Connection,
        number: u64,
        question: &HistoryQuestion,
        tallies: &mut BTreeMap<Timestamp, Tally>,
    ) -> Outcome<()> {
        let step = question.step;
        let span = step.row().secs();
        let before = secs(step.row_begin(question.from)) - 1;
        let mut next = self.table.next(connection, span, before)?;
        while let Some(at) = next.filter(|at| *at <= secs(question.to)) {
            for (place, tally) in self.table.row(connection, span, at, number)? {
                let since = Span::from_secs(place.saturating_mul(step.secs()));
                let step = tallies.entry(Timestamp::from_secs(at).plus(since)).or_default();
                step.add(&tally);
            }
            next = self.table.next(connection, span, at)?;
        }
        Ok(())
    }
}
