//! The statement of an epoch that has ended.
//!
//! With tens of thousands of workers its text has megabytes: to add their work up, to write and to sign it takes a long
//! while. All of that is done on a thread of its own, and the actors' thread waits for nothing but its end.

use dwarves_domain::ids::Sequence;
use dwarves_domain::statements::{Statement, StatementDigest, WorkOfAll};
use dwarves_ports::store::{EndedEpoch, StatementHead, StatementRow};

use super::{Hindrance, NotaryParts};

/// Shares whose work is read at once: some tens of milliseconds of one of the store's readers.
const SHARES_AT_ONCE: u32 = 200_000;

/// Does something that takes long on a thread of its own.
async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Hindrance> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Hindrance::BrokenOff(error.to_string()))
}

/// What was done before, and what was done later; `None`: the sum does not fit.
async fn added(mut before: WorkOfAll, later: WorkOfAll) -> Result<Option<WorkOfAll>, Hindrance> {
    beside(move || before.append(later).map(|()| before)).await
}

impl NotaryParts {
    /// What was done in an epoch; `None`: the sum does not fit.
    async fn work_of(&self, ended: EndedEpoch) -> Result<Option<WorkOfAll>, Hindrance> {
        let mut work = WorkOfAll::new();
        let mut from = ended.after;
        while from < ended.through {
            let piece = self
                .store
                .work_between(from, ended.through, SHARES_AT_ONCE)
                .await?;
            let Some(sum) = added(work, piece).await? else {
                return Ok(None);
            };
            work = sum;
            from = Sequence::new(from.get().saturating_add(u64::from(SHARES_AT_ONCE)));
        }
        let rejected = self.store.rejected_before(ended.epoch.end).await?;
        added(work, rejected).await
    }

    /// The statement of an epoch that has ended.
    pub(super) async fn state(
        &self,
        ended: EndedEpoch,
        previous: Option<StatementDigest>,
    ) -> Result<StatementRow, Hindrance> {
        let EndedEpoch {
            epoch,
            after,
            through,
        } = ended;
        let incomplete = || Hindrance::Incomplete(epoch.start);
        let work = self.work_of(ended).await?.ok_or_else(incomplete)?;
        let workers = work.len();
        let signer = self.settings.signer.clone();
        let statement = Statement {
            pool: signer.hotkey(),
            algorithm: self.settings.algorithm,
            epoch,
            after,
            through,
            previous,
            work,
        };
        let written = move || {
            let text = statement.text()?;
            Some(StatementRow {
                head: StatementHead {
                    ended,
                    digest: StatementDigest::of(&text),
                    previous,
                    signer: signer.hotkey(),
                    signature: signer.sign(text.as_bytes()),
                },
                text,
            })
        };
        let row = beside(written).await?.ok_or_else(incomplete)?;
        log::info!(
            "an epoch is stated, epoch={} shares={} workers={workers}",
            epoch.start,
            through.get() - after.get(),
        );
        Ok(row)
    }
}
