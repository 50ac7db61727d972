//! Epochs and their statements, read from every share anew.

use dwarves_domain::ids::Sequence;
use dwarves_domain::statements::epoch::AHEAD_MAX;
use dwarves_domain::statements::{Epoch, EpochId, StatementDigest, WorkOfAll};
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::reads::{Page, PageRequest};
use dwarves_ports::store::{EndedEpoch, EpochsState, OpenEpoch, StatementHead, StatementRow, StoreError};

use super::state::{State, conflict, corrupt};

impl State {
    pub(super) fn epochs(&self) -> EpochsState {
        let epochs = &self.rest.epochs;
        let last = epochs.statements.values().next_back();
        EpochsState {
            open: epochs.open,
            ended: epochs.ended,
            last: last.map(|row| (row.head.ended.epoch, row.head.digest)),
        }
    }

    pub(super) fn pass_time(&mut self, at: Timestamp) {
        self.rest.passed_time = self.rest.passed_time.max(Some(at));
    }

    /// The last share of the commits before this one.
    fn committed(&self) -> Sequence {
        self.batches.last().map_or(Sequence::new(0), |batch| batch.last)
    }

    pub(super) fn begin_epochs(&mut self, start: EpochId) -> Result<(), StoreError> {
        let known = self.epochs();
        if known.open.is_some_and(|open| open.start == start) {
            return Ok(());
        }
        if known.last.is_some_and(|(last, _)| last.end > start) {
            return Err(conflict("there is a statement behind this start"));
        }
        let after = self.committed();
        self.rest.epochs.cease();
        self.rest.epochs.open = Some(OpenEpoch { start, after });
        self.pass_time(start.start());
        Ok(())
    }

    pub(super) fn end_epoch(&mut self, epoch: Epoch, at: Timestamp) -> Result<(), StoreError> {
        let known = self.epochs();
        let is_known = known.last.is_some_and(|(last, _)| last == epoch)
            || known.ended.is_some_and(|ended| ended.epoch == epoch);
        if is_known {
            return Ok(());
        }
        let open = known.open.filter(|open| open.start == epoch.start);
        let Some(open) = open.filter(|_| known.ended.is_none() && epoch.end > epoch.start) else {
            return Err(conflict(
                "this epoch is not open, or the one before is not stated",
            ));
        };
        let end = epoch.end.start();
        let is_ahead = self
            .batches
            .last()
            .is_some_and(|batch| batch.committed_at > at.plus(AHEAD_MAX));
        let through = match is_ahead {
            true => self.committed(),
            false => self.position_at(end.moved(-1)).sequence,
        };
        let through = through.max(open.after);
        self.rest.epochs.ended = Some(EndedEpoch {
            epoch,
            after: open.after,
            through,
        });
        self.rest.epochs.open = Some(OpenEpoch {
            start: epoch.end,
            after: through,
        });
        self.pass_time(end);
        Ok(())
    }

    pub(super) fn add_statement(&mut self, row: &StatementRow) -> Result<(), StoreError> {
        let known = self.epochs();
        let epoch = row.head.ended.epoch;
        if let Some(stored) = self.rest.epochs.statements.get(&epoch.start) {
            return match stored.text == row.text {
                true => Ok(()),
                false => Err(conflict("the epoch is stated with another text")),
            };
        }
        let follows = known.ended == Some(row.head.ended)
            && row.head.previous == known.last.map(|(_, digest)| digest)
            && row.head.digest == StatementDigest::of(&row.text);
        if !follows {
            return Err(conflict("the statement is not of the epoch that has ended"));
        }
        let epochs = &mut self.rest.epochs;
        epochs.statements.insert(epoch.start, row.clone());
        epochs.ended = None;
        epochs.rejected.retain(|(at, ..)| *at >= epoch.end.start());
        Ok(())
    }

    pub(super) fn work_between(
        &self,
        after: Sequence,
        through: Sequence,
        limit: u32,
    ) -> Result<WorkOfAll, StoreError> {
        let last = through.get().min(after.get().saturating_add(u64::from(limit)));
        let wanted = self
            .shares
            .iter()
            .filter(|share| share.sequence > after && share.sequence.get() <= last);
        let mut work = WorkOfAll::new();
        for share in wanted {
            let batch = self.batches.iter().find(|batch| share.sequence <= batch.last);
            let at = batch.expect("every share is in a batch").committed_at;
            let one = dwarves_domain::statements::Worked::default().with_share(
                share.row.share_bits,
                share.row.units,
                at,
            );
            let of = self.rest.epochs.names[&share.row.worker].clone();
            let added = one.and_then(|one| work.add_worked(of, &one));
            added.ok_or_else(|| corrupt("the sum does not fit"))?;
        }
        Ok(work)
    }

    pub(super) fn rejected_before(&self, end: EpochId) -> Result<WorkOfAll, StoreError> {
        let mut work = WorkOfAll::new();
        let rejected = &self.rest.epochs.rejected;
        for (_, of, counts) in rejected.iter().filter(|(at, ..)| *at < end.start()) {
            let added = work.add_rejected(of.clone(), counts);
            added.ok_or_else(|| corrupt("the sum does not fit"))?;
        }
        Ok(work)
    }

    pub(super) fn statements(&self, page: PageRequest) -> Page<StatementHead> {
        let rows = self.rest.epochs.statements.iter();
        super::pages::page(rows.map(|(id, row)| (id.get(), row.head.clone())), page)
    }

    pub(super) fn statement(&self, epoch: EpochId) -> Option<StatementRow> {
        self.rest.epochs.statements.get(&epoch).cloned()
    }
}
