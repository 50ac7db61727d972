//! Epochs and their statements.

use dwarves_domain::ids::{Sequence, WorkerId};
use dwarves_domain::share::Rejection;
use dwarves_domain::statements::epoch::AHEAD_MAX;
use dwarves_domain::statements::{Epoch, EpochId, StatementDigest};
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{EndedEpoch, StatementRow};

use super::Transaction;
use crate::batches::{self, Tail};
use crate::error::{Outcome, conflict};
use crate::read::statements;
use crate::value::values;

impl Transaction<'_> {
    pub(super) fn pass_time(&mut self, at: Timestamp) -> Outcome<()> {
        if at > self.known.place.passed_time {
            self.db.execute("UPDATE pool SET passed_time = $1", values![at])?;
            self.known.place.passed_time = at;
        }
        Ok(())
    }

    pub(super) fn begin_epochs(&mut self, start: EpochId, before: Tail) -> Outcome<()> {
        let known = statements::epochs(self.db)?;
        if known.open.is_some_and(|open| open.start == start) {
            return Ok(());
        }
        if let Some((last, _)) = known.last.filter(|(last, _)| last.end > start) {
            return Err(conflict(format!(
                "epochs begin with {start}, but there is a statement up to {}",
                last.end
            )));
        }
        self.cease_epochs()?;
        self.db.execute(
            "UPDATE pool SET epoch_start = $1, epoch_after = $2",
            values![start.get(), before.sequence],
        )?;
        self.pass_time(start.start())
    }

    pub(super) fn cease_epochs(&self) -> Outcome<()> {
        self.db.execute(
            "UPDATE pool SET epoch_start = NULL, epoch_after = 0, ended_start = NULL, ended_after = NULL",
            &[],
        )?;
        self.db.execute("DELETE FROM epoch_rejects", &[])?;
        Ok(())
    }

    pub(super) fn end_epoch(&mut self, epoch: Epoch, at: Timestamp, before: Tail) -> Outcome<()> {
        let known = statements::epochs(self.db)?;
        let stated = known.last.map(|(stated, _)| stated);
        if stated == Some(epoch) || known.ended.is_some_and(|ended| ended.epoch == epoch) {
            return Ok(());
        }
        let Some(open) = known.open.filter(|open| open.start == epoch.start) else {
            return Err(conflict(format!("epoch {} is not open", epoch.start)));
        };
        if known.ended.is_some() || epoch.end <= epoch.start {
            return Err(conflict(format!(
                "epoch {} ends while the one before is not stated, or before it began",
                epoch.start
            )));
        }
        let end = epoch.end.start();
        let is_ahead = before.committed_at > at.plus(AHEAD_MAX);
        let later = match is_ahead {
            true => None,
            false => batches::first_after(self.db, end.moved(-1))?,
        };
        let through = match later {
            Some(batch) => Sequence::new(batch.first.get().saturating_sub(1)),
            None => before.sequence,
        };
        self.db.execute(
            "UPDATE pool SET ended_start = epoch_start, ended_after = epoch_after, epoch_start = $1, epoch_after = $2",
            values![epoch.end.get(), through.max(open.after)],
        )?;
        self.pass_time(end)
    }

    pub(super) fn add_statement(&self, row: &StatementRow) -> Outcome<()> {
        let head = &row.head;
        let EndedEpoch {
            epoch,
            after,
            through,
        } = head.ended;
        if let Some(known) = statements::one(self.db, epoch.start)? {
            return match known.text == row.text {
                true => Ok(()),
                false => Err(conflict(format!(
                    "epoch {} is stated with another text",
                    epoch.start
                ))),
            };
        }
        let known = statements::epochs(self.db)?;
        if known.ended != Some(head.ended) {
            return Err(conflict(format!(
                "epoch {} has not ended so, or not at all",
                epoch.start
            )));
        }
        if head.previous != known.last.map(|(_, digest)| digest)
            || head.digest != StatementDigest::of(&row.text)
        {
            return Err(conflict(format!(
                "the statement of epoch {} does not follow the last, or has another digest",
                epoch.start
            )));
        }
        self.db.execute(
            "INSERT INTO statements (start, ends, after_share, through_share, previous, digest, signer, signature, text)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            values![
                epoch.start.get(),
                epoch.end.get(),
                after,
                through,
                head.previous.as_ref().map(StatementDigest::as_bytes),
                head.digest.as_bytes(),
                &head.signer,
                &head.signature,
                &row.text,
            ],
        )?;
        self.db
            .execute("UPDATE pool SET ended_start = NULL, ended_after = NULL", &[])?;
        self.db.execute(
            "DELETE FROM epoch_rejects WHERE at < $1",
            values![epoch.end.start()],
        )?;
        Ok(())
    }

    /// Keeps what a worker's rejected shares came to for the statement of the epoch that is open at `at`, or of the open one
    /// if that is stated already.
    pub(super) fn keep_rejected(
        &self,
        at: Timestamp,
        worker: WorkerId,
        more: &[u64; Rejection::REASONS.len()],
    ) -> Outcome<()> {
        let [unknown, stale, duplicate, low, time, version] = *more;
        self.db.execute(
            "INSERT INTO epoch_rejects AS known (hotkey, worker, at, rejected_unknown_job, rejected_stale,
                 rejected_duplicate, rejected_low_difficulty, rejected_time_out_of_range, rejected_version_out_of_mask)
             SELECT hotkey, name, GREATEST($2, epoch_start * 1000), $3, $4, $5, $6, $7, $8 FROM workers CROSS JOIN pool
             WHERE workers.id = $1 AND epoch_start IS NOT NULL
             ON CONFLICT (hotkey, worker, at) DO UPDATE SET
                 rejected_unknown_job = known.rejected_unknown_job + excluded.rejected_unknown_job,
                 rejected_stale = known.rejected_stale + excluded.rejected_stale,
                 rejected_duplicate = known.rejected_duplicate + excluded.rejected_duplicate,
                 rejected_low_difficulty = known.rejected_low_difficulty + excluded.rejected_low_difficulty,
                 rejected_time_out_of_range = known.rejected_time_out_of_range + excluded.rejected_time_out_of_range,
                 rejected_version_out_of_mask = known.rejected_version_out_of_mask + excluded.rejected_version_out_of_mask",
            values![worker, at, unknown, stale, duplicate, low, time, version],
        )?;
        Ok(())
    }
}
