//! Evaluated work.

use dwarves_domain::evaluation::{Reading, SubmissionId};
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{Evaluated, NewSubmission, Written};
use rusqlite::{OptionalExtension, params};

use super::Transaction;
use crate::columns::Cells;
use crate::error::Outcome;

fn steps(reading: Option<Reading>) -> Option<[u8; 16]> {
    reading.map(|reading| reading.steps().to_be_bytes())
}

impl Transaction<'_> {
    pub(super) fn queue_submission(&self, row: &NewSubmission) -> Outcome<Written> {
        let known = "SELECT id FROM submissions WHERE hotkey = ?1 AND digest = ?2
                AND (evaluated_at IS NULL OR (fault IS NULL AND evaluated_at >= ?3))
             ORDER BY sequence DESC LIMIT 1";
        let known = self.statement(known)?.query_row(
            params![
                row.hotkey.as_bytes(),
                row.digest.as_bytes(),
                row.counts_since.millis()
            ],
            |row| Ok(Cells::new(row, "submissions").array("id")),
        );
        if let Some(id) = known.optional()?.transpose()? {
            let id = SubmissionId::from_bytes(id);
            return Ok(Written::Submission { id, is_new: false });
        }
        let insert = "INSERT INTO submissions (id, hotkey, worker, digest, received_at, work)
             SELECT ?2, hotkey, ?3, ?4, ?5, ?6 FROM miners WHERE hotkey = ?1
             ON CONFLICT (id) DO NOTHING";
        let inserted = self.statement(insert)?.execute(params![
            row.hotkey.as_bytes(),
            row.id.as_bytes(),
            row.worker.as_str(),
            row.digest.as_bytes(),
            row.received_at.millis(),
            row.work
        ])?;
        let is_stored = "SELECT EXISTS (SELECT 1 FROM submissions WHERE id = ?1)";
        let is_stored: bool = self
            .statement(is_stored)?
            .query_row([row.id.as_bytes()], |row| row.get(0))?;
        Ok(match is_stored {
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
        let settle =
            "UPDATE submissions SET evaluated_at = ?2, loss = ?3, score = ?4, metadata = ?5, fault = ?6,
                detail = ?7, work = NULL
             WHERE id = ?1 AND evaluated_at IS NULL RETURNING hotkey";
        let hotkey = self.statement(settle)?.query_row(
            params![
                id.as_bytes(),
                evaluated.at.millis(),
                steps(result.and_then(|result| result.loss)),
                steps(result.and_then(|result| result.score)),
                result.and_then(|result| result.metadata.as_deref()),
                failure.map(|failure| failure.fault.name()),
                failure.map(|failure| &failure.detail),
            ],
            |row| Ok(Cells::new(row, "submissions").hotkey("hotkey")),
        );
        let Some(hotkey) = hotkey.optional()?.transpose()? else {
            return Ok(());
        };
        // What an older one may still be paid for, no later one has surpassed.
        let forget = "DELETE FROM submissions WHERE sequence IN (
                SELECT old.sequence
                FROM (SELECT *, ROW_NUMBER() OVER (ORDER BY sequence DESC) AS place FROM submissions
                      WHERE hotkey = ?1 AND evaluated_at IS NOT NULL) AS old
                WHERE old.place > 2 * ?2 OR (old.place > ?2 AND (old.fault IS NOT NULL OR old.evaluated_at < ?3
                    OR EXISTS (SELECT 1 FROM submissions AS new
                        WHERE new.hotkey = ?1 AND new.fault IS NULL AND new.evaluated_at >= old.evaluated_at
                            AND (old.loss IS NULL OR new.loss < old.loss)
                            AND (old.score IS NULL OR new.score > old.score)))))";
        self.statement(forget)?
            .execute(params![hotkey.as_bytes(), keep, counts_since.millis()])?;
        Ok(())
    }

    pub(super) fn remove_submission(&self, id: &SubmissionId) -> Outcome<()> {
        self.statement("DELETE FROM submissions WHERE id = ?1")?
            .execute([id.as_bytes()])?;
        Ok(())
    }
}
