//! Evaluated work.

use dwarves_domain::evaluation::{Reading, SubmissionId};
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::codec::Cells as _;
use dwarves_ports::store::{Evaluated, NewSubmission, Written};

use super::Transaction;
use crate::error::Outcome;
use crate::value::values;

impl Transaction<'_> {
    pub(super) fn queue_submission(&self, row: &NewSubmission) -> Outcome<Written> {
        let known = self.db.one(
            "submissions",
            "SELECT id FROM submissions WHERE hotkey = $1 AND digest = $2
                 AND (evaluated_at IS NULL OR (fault IS NULL AND evaluated_at >= $3))
             ORDER BY sequence DESC LIMIT 1",
            values![&row.hotkey, row.digest.as_bytes(), row.counts_since],
            |cells| cells.array("id"),
        )?;
        if let Some(id) = known {
            let id = SubmissionId::from_bytes(id);
            return Ok(Written::Submission { id, is_new: false });
        }
        let inserted = self.db.execute(
            "INSERT INTO submissions (sequence, id, hotkey, worker, digest, received_at, work)
             SELECT (SELECT COALESCE(MAX(sequence), 0) + 1 FROM submissions), $2, hotkey, $3, $4, $5, $6
             FROM miners WHERE hotkey = $1
             ON CONFLICT (id) DO NOTHING",
            values![
                &row.hotkey,
                row.id.as_bytes(),
                row.worker.as_str(),
                row.digest.as_bytes(),
                row.received_at,
                &row.work
            ],
        )?;
        let sql = "SELECT 1 FROM submissions WHERE id = $1";
        Ok(match self.db.exists(sql, values![row.id.as_bytes()])? {
            true => Written::Submission {
                id: row.id,
                is_new: inserted > 0,
            },
            false => Written::NoMiner,
        })
    }

    pub(super) fn settle_submission(
        &self,
        id: &SubmissionId,
        evaluated: &Evaluated,
        keep: u32,
        counts_since: Timestamp,
    ) -> Outcome<()> {
        let (result, failure) = match &evaluated.outcome {
            Ok(result) => (Some(result), None),
            Err(failure) => (None, Some(failure)),
        };
        let hotkey = self.db.one(
            "submissions",
            "UPDATE submissions SET evaluated_at = $2, loss = $3, score = $4, metadata = $5, fault = $6,
                 detail = $7, work = NULL
             WHERE id = $1 AND evaluated_at IS NULL RETURNING hotkey",
            values![
                id.as_bytes(),
                evaluated.at,
                result.and_then(|result| result.loss).map(Reading::steps),
                result.and_then(|result| result.score).map(Reading::steps),
                result.and_then(|result| result.metadata.as_deref()),
                failure.map(|failure| failure.fault.name()),
                failure.map(|failure| &failure.detail),
            ],
            |cells| cells.hotkey("hotkey"),
        )?;
        let Some(hotkey) = hotkey else {
            return Ok(());
        };
        // What an older one may still be paid for, no later one has surpassed.
        self.db.execute(
            "DELETE FROM submissions WHERE sequence IN (
                 SELECT old.sequence
                 FROM (SELECT *, ROW_NUMBER() OVER (ORDER BY sequence DESC) AS place FROM submissions
                       WHERE hotkey = $1 AND evaluated_at IS NOT NULL) AS old
                 WHERE old.place > 2 * $2 OR (old.place > $2 AND (old.fault IS NOT NULL OR old.evaluated_at < $3
                     OR EXISTS (SELECT 1 FROM submissions AS new
                         WHERE new.hotkey = $1 AND new.fault IS NULL AND new.evaluated_at >= old.evaluated_at
                             AND (old.loss IS NULL OR new.loss < old.loss)
                             AND (old.score IS NULL OR new.score > old.score)))))",
            values![&hotkey, keep, counts_since],
        )?;
        Ok(())
    }

    pub(super) fn remove_submission(&self, id: &SubmissionId) -> Outcome<()> {
        self.db
            .execute("DELETE FROM submissions WHERE id = $1", values![id.as_bytes()])?;
        Ok(())
    }
}
