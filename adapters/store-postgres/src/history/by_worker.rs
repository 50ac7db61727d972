//! What each of a miner's workers mined lately, for all of them at once.

use std::collections::HashMap;

use dwarves_domain::history::{Step, Sums};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{WorkerId, WorkerName};
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::WorkerSums;
use dwarves_ports::store::codec::{Cells as _, records};

use super::reading::LAST;
use super::{Marks, Of, SUMS, runs};
use crate::client::Db;
use crate::error::Outcome;
use crate::value::values;

/// One worker's part of an answer.
struct Worker {
    name: WorkerName,
    sums: Vec<Sums>,
    first_at: Option<Timestamp>,
}

impl Worker {
    fn began(&mut self, at: Timestamp) {
        self.first_at = Some(self.first_at.map_or(at, |first| first.min(at)));
    }
}

/// Answers [`dwarves_ports::store::Store::worker_sums`].
pub(crate) fn answer(db: &Db, hotkey: &Hotkey, since: &[(Step, Timestamp)]) -> Outcome<Vec<WorkerSums>> {
    let marks = Marks::read(db)?;
    // What was forgotten is not told, also if it is still there.
    let since = since
        .iter()
        .map(|(step, from)| (*step, (*from).max(Timestamp::from_secs(marks.from(*step)))));
    let since: Vec<(Step, Timestamp)> = since.collect();
    let sql = "SELECT id, name FROM workers WHERE hotkey = $1 AND gone_after IS NULL ORDER BY name";
    let known = db.all("workers", sql, values![hotkey], |cells| {
        let worker = Worker {
            name: cells.named("name")?,
            sums: vec![Sums::default(); since.len()],
            first_at: None,
        };
        Ok((cells.worker("id")?, worker))
    })?;
    let order: Vec<WorkerId> = known.iter().map(|(id, _)| *id).collect();
    let mut workers: HashMap<WorkerId, Worker> = known.into_iter().collect();
    for (place, (step, from)) in since.iter().enumerate() {
        add_rows(db, &marks, hotkey, &mut workers, place, *step, *from)?;
    }
    let is_known_to_the_minute = |at: Timestamp| at.secs() >= marks.from(Step::Minute);
    for run in runs(db, Of::Miner(hotkey), marks.through, LAST)? {
        let Some(worker) = workers.get_mut(&run.worker) else {
            continue;
        };
        for (place, (step, from)) in since.iter().enumerate() {
            if step.begin(run.minute) >= *from {
                worker.sums[place].add(&run.worked.sums);
                // Where it is known to the minute when a share came, it is told to the minute.
                worker.began(match step {
                    Step::Day => Step::Day.begin(run.minute),
                    Step::Minute | Step::Hour if is_known_to_the_minute(run.minute) => run.minute,
                    Step::Minute | Step::Hour => Step::Hour.begin(run.minute),
                });
            }
        }
    }
    let told = order.iter().filter_map(|id| workers.remove(id));
    Ok(told
        .map(|worker| WorkerSums {
            name: worker.name,
            first_at: worker.first_at,
            sums: worker.sums,
        })
        .collect())
}

/// Adds the rows of one time, which has this place in the answer.
fn add_rows(
    db: &Db,
    marks: &Marks,
    hotkey: &Hotkey,
    workers: &mut HashMap<WorkerId, Worker>,
    place: usize,
    step: Step,
    from: Timestamp,
) -> Outcome<()> {
    let from = from.moved(999).secs();
    let sql = format!(
        "SELECT whose, {SUMS}, MIN(at) FILTER (WHERE accepted > 0) AS first
         FROM worker_history WHERE step = $2 AND at >= $3
             AND whose IN (SELECT id FROM workers WHERE hotkey = $1 AND gone_after IS NULL)
         GROUP BY whose"
    );
    let rows = db.all(
        "worker_history",
        &sql,
        values![hotkey, step.secs(), from],
        |cells| {
            let first = cells.optional("first", |cells, column| cells.int(column))?;
            Ok((cells.worker("whose")?, records::sums(cells)?, first))
        },
    )?;
    for (id, sums, first) in rows {
        let Some(worker) = workers.get_mut(&id) else {
            continue;
        };
        worker.sums[place].add(&sums);
        let Some(first) = first else {
            continue;
        };
        let mut at = first;
        // The minute of the first hour, if it is still known.
        if step == Step::Hour && first >= marks.from(Step::Minute) {
            let sql = "SELECT MIN(at) AS at FROM worker_history
                WHERE whose = $1 AND step = 60 AND at >= $2 AND at < $2 + 3600 AND accepted > 0";
            let minute = db.always("worker_history", sql, values![id, first], |cells| {
                cells.optional("at", |cells, column| cells.int(column))
            })?;
            at = minute.unwrap_or(first);
        }
        worker.began(Timestamp::from_secs(at));
    }
    Ok(())
}
