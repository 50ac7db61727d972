//! History: what was mined in each minute, hour and day, derived from the shares by the store itself.
//!
//! `pool.history_through` says which shares are in the history. Every ten seconds of shares the writer adds up those behind
//! it, between two commits and after their answers, and adds them to the rows of their minutes, hours and days (`roll`). A
//! question adds up the rows, and the shares that are not in the history yet (`reading`), so it is up to date with the
//! last commit. What is older than it is kept goes little by little (`forgetting`).
//!
//! A share counts when it came, by its own time, however the clock was set.

use dwarves_domain::history::{Step, Sums};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{Sequence, WorkerId};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::codec::Cells as _;

use super::client::Db;
use super::error::{Outcome, corrupt};
use super::value::values;

pub(crate) mod by_worker;
pub(crate) mod forgetting;
pub(crate) mod reading;
pub(crate) mod roll;

/// How far history is.
struct Marks {
    /// Shares up to this one are in it, or deleted.
    through: Sequence,
    /// What began before is forgotten, by step, s.
    from: [i64; 3],
}

impl Marks {
    fn read(db: &Db) -> Outcome<Self> {
        let sql = "SELECT GREATEST(history_through, pruned_through) AS through, minutes_from, hours_from, days_from FROM pool";
        db.always("pool", sql, &[], |cells| {
            Ok(Self {
                through: cells.sequence("through")?,
                from: [
                    cells.int("minutes_from")?,
                    cells.int("hours_from")?,
                    cells.int("days_from")?,
                ],
            })
        })
    }

    /// When the first step that is kept began, s.
    fn from(&self, step: Step) -> i64 {
        match step {
            Step::Minute => self.from[0],
            Step::Hour => self.from[1],
            Step::Day => self.from[2],
        }
    }
}

/// What a step came to, with the target that was issued for its last share.
#[derive(Clone, Copy, Default)]
pub(crate) struct Worked {
    pub(crate) sums: Sums,
    pub(crate) last_bits: Option<CompactTarget>,
}

impl Worked {
    /// Adds what came later.
    fn add(&mut self, later: &Self) {
        self.sums.add(&later.sums);
        self.last_bits = later.last_bits.or(self.last_bits);
    }
}

/// Shares of one worker that are worth the same and came in one minute.
pub(crate) struct Run {
    pub(crate) worker: WorkerId,
    /// Whose worker it is, unless the miner was removed.
    pub(crate) hotkey: Option<Hotkey>,
    /// When the minute began.
    pub(crate) minute: Timestamp,
    pub(crate) worked: Worked,
}

/// Which shares are wanted.
#[derive(Clone, Copy)]
pub(crate) enum Of<'a> {
    All,
    Miner(&'a Hotkey),
    Worker(WorkerId),
}

/// Shares behind `after` through `last`, added up by worker, minute and worth, in the order of each one's last share.
pub(crate) fn runs(db: &Db, of: Of<'_>, after: Sequence, last: Sequence) -> Outcome<Vec<Run>> {
    let (which, owner, worker) = match of {
        Of::All => ("$3::bytea IS NULL AND $4::bigint IS NULL", None, None),
        Of::Miner(hotkey) => (
            "worker IN (SELECT id FROM workers WHERE hotkey = $3 AND NOT removed) AND $4::bigint IS NULL",
            Some(hotkey),
            None,
        ),
        Of::Worker(worker) => ("worker = $4 AND $3::bytea IS NULL", None, Some(worker)),
    };
    // Whose they are is asked of each sum, and not of each share: that takes a third of the time.
    let sql = format!(
        "SELECT runs.*, workers.hotkey AS hotkey, workers.removed AS removed
         FROM (SELECT worker, GREATEST(received_at, 0) / 60000 * 60 AS minute, share_bits, units, COUNT(*) AS count,
                 MAX(sequence) AS last
             FROM shares WHERE sequence > $1 AND sequence <= $2 AND {which} GROUP BY 1, 2, 3, 4) AS runs
         LEFT JOIN workers ON workers.id = runs.worker ORDER BY last"
    );
    db.all("shares", &sql, values![after, last, owner, worker], |cells| {
        let hotkey = cells.optional("hotkey", |cells, column| cells.hotkey(column))?;
        let worker = cells.worker("worker")?;
        let hotkey = hotkey.ok_or_else(|| corrupt(format!("shares: worker {worker} is not known")))?;
        let bits = cells.compact("share_bits")?;
        let mut sums = Sums::default();
        sums.add_shares(bits, cells.units("units")?, cells.u64("count")?);
        Ok(Run {
            worker,
            hotkey: Some(hotkey).filter(|_| !cells.flag("removed").is_ok_and(|removed| removed)),
            minute: Timestamp::from_secs(cells.int("minute")?),
            worked: Worked {
                sums,
                last_bits: Some(bits),
            },
        })
    })
}

/// The columns of a row's sums, added up over rows.
pub(crate) const SUMS: &str = "SUM(accepted)::bigint AS accepted, SUM(units) AS units, SUM(hashes) AS hashes,
     SUM(squares) AS squares, SUM(rejected_unknown_job)::bigint AS rejected_unknown_job,
     SUM(rejected_stale)::bigint AS rejected_stale, SUM(rejected_duplicate)::bigint AS rejected_duplicate,
     SUM(rejected_low_difficulty)::bigint AS rejected_low_difficulty,
     SUM(rejected_time_out_of_range)::bigint AS rejected_time_out_of_range,
     SUM(rejected_version_out_of_mask)::bigint AS rejected_version_out_of_mask";
