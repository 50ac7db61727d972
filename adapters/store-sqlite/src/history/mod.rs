//! History: what was mined in each minute, hour and day, derived from the shares by the store itself.
//!
//! No share is written twice and none is forgotten, because everything is told by marks that move in the transactions
//! that they speak of:
//!
//! 1. `pool.history_through` says which shares are in the history. Every ten seconds of shares the writer walks over
//!    those behind it, between two commits and after their answers, and adds them to the minutes (`roll`): to the pool's
//!    sums, and to one blob of all workers for each minute. Nothing is kept in memory, so a killed process leaves nothing
//!    to make good, and a share costs the way to the ledger nothing.
//! 2. Once an hour is over its blobs are moved, some workers at a time, into a row for each worker and miner (`moving`):
//!    their minutes, and into their hours of the day and their days of 32. Which workers are moved already, two columns of
//!    `pool` say.
//! 3. A question adds up the rows, what is not moved yet, and the shares that are not in the history yet (`reading`).
//!    So it is up to date with the last commit.
//! 4. What is older than it is kept goes little by little (`forgetting`).
//!
//! A share counts when it came, by its own time. So a clock that steps back adds to an earlier minute: that minute is moved
//! again and added to what was there.

use dwarves_domain::history::Step;
use dwarves_domain::ids::Sequence;
use dwarves_domain::time::Timestamp;
use rusqlite::Connection;

use super::columns::Cells;
use super::error::Outcome;
use super::packed_shares::{PackedShares, Terms};
use dwarves_domain::ids::WorkerId;

pub(super) mod by_worker;
pub(super) mod forgetting;
pub(super) mod moving;
pub(super) mod reading;
pub(super) mod roll;

/// A time as history's tables have it: whole seconds.
fn secs(at: Timestamp) -> i64 {
    at.secs()
}

/// How far history is.
pub(crate) struct Marks {
    /// Shares up to this one are in it.
    through: Sequence,
    /// Shares up to this one are deleted.
    pruned: Sequence,
    /// The hour that is being moved.
    moving: Option<i64>,
    /// The first worker of it that still is to be moved.
    moving_worker: u64,
    /// What began before is forgotten, by step.
    from: [i64; 3],
}

impl Marks {
    pub(crate) fn read(connection: &Connection) -> Outcome<Self> {
        let sql =
            "SELECT history_through, pruned_through, moving_hour, moving_worker, minutes_from, hours_from,
            days_from FROM pool";
        connection.prepare_cached(sql)?.query_row([], |row| {
            let cells = Cells::new(row, "pool");
            let read = || -> Outcome<_> {
                Ok(Self {
                    through: cells.sequence("history_through")?,
                    pruned: cells.sequence("pruned_through")?,
                    moving: cells.optional("moving_hour", |cells, column| cells.int(column))?,
                    moving_worker: cells.u64("moving_worker")?,
                    from: [
                        cells.int("minutes_from")?,
                        cells.int("hours_from")?,
                        cells.int("days_from")?,
                    ],
                })
            };
            Ok(read())
        })?
    }

    /// The first share that is not in the history yet.
    fn next(&self) -> Sequence {
        self.through.max(self.pruned).next()
    }

    /// Whether this worker's part of a minute that is still open has been moved.
    pub(crate) fn is_moved(&self, minute: i64, worker: u64) -> bool {
        let hour = secs(Step::Hour.begin(Timestamp::from_secs(minute)));
        self.moving == Some(hour) && worker < self.moving_worker
    }

    pub(crate) fn from(&self, step: Step) -> i64 {
        match step {
            Step::Minute => self.from[0],
            Step::Hour => self.from[1],
            Step::Day => self.from[2],
        }
    }
}

/// Shows shares from `first` on, in rows of `batches` of which at most `rows` are looked at. Returns the last that was shown
/// and whether there may be more.
fn each_share(
    connection: &Connection,
    first: Sequence,
    rows: u32,
    mut show: impl FnMut(WorkerId, &Terms, Timestamp),
) -> Outcome<(Option<Sequence>, bool)> {
    let mut select = connection.prepare_cached(
        "SELECT first_sequence, committed_at, shares FROM batches
         WHERE first_sequence >= COALESCE(
             (SELECT first_sequence FROM batches WHERE first_sequence <= ?1 ORDER BY first_sequence DESC LIMIT 1), ?1)
         ORDER BY first_sequence LIMIT ?2",
    )?;
    let mut found = select.query(rusqlite::params![super::columns::int(first.get()), rows])?;
    let (mut last, mut count) = (None, 0);
    while let Some(row) = found.next()? {
        count += 1;
        let cells = Cells::new(row, "batches");
        let begin = cells.u64(0)?;
        let shares = PackedShares::open(cells.blob(2)?, cells.time(1)?)?;
        let end = begin + shares.count() as u64 - 1;
        if end < first.get() {
            continue;
        }
        let from = first.get().saturating_sub(begin);
        // A row has at most 255 shares.
        shares.each_worth(usize::try_from(from).unwrap_or(usize::MAX), &mut show)?;
        last = Some(Sequence::new(end));
    }
    Ok((last, count == rows))
}
