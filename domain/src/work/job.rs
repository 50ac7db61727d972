//! A job: immutable work with its target, given to one worker.

use std::sync::{Arc, OnceLock};

use super::header::Header;
use super::job_id::{JobFields, JobId, JobKey};
use super::template::Template;
use crate::hotkey::Hotkey;
use crate::ids::{ExtraNonce, WorkerId};
use crate::target::{Difficulty, Target, TargetError};
use crate::units::Units;

/// Work that was given to one worker. Shared as `Arc<Job>`; nothing in it ever changes.
#[derive(Debug)]
pub struct Job {
    id: JobId,
    template: Arc<Template>,
    owner: Hotkey,
    worker: WorkerId,
    extranonce: ExtraNonce,
    share_target: Target,
    share_difficulty: Difficulty,
    /// Made when it is first asked for. Nobody asks for that of a job whose extranonce the miner rolls, and it costs
    /// what a share costs.
    header: OnceLock<Header>,
    units: Units,
}

impl Job {
    /// Makes the job of `template` with this extranonce for a worker of `owner`.
    ///
    /// The share target is rounded to what a job id can hold and is never harder than the network's.
    pub fn issue(
        key: &JobKey,
        template: Arc<Template>,
        extranonce: ExtraNonce,
        owner: Hotkey,
        worker: WorkerId,
        share_target: Target,
    ) -> Self {
        let share_target = share_target
            .no_harder_than(template.network_target())
            .rounded_to_compact();
        let fields = JobFields {
            template: template.id(),
            extranonce,
            share_bits: share_target.to_compact(),
            worker,
        };
        Self::assemble(key.seal(&fields, &owner), &fields, template, owner, share_target)
    }

    /// Builds the job that `fields` (from [`JobKey::open`]) stand for, on its template.
    ///
    /// # Errors
    /// If the fields' target is none, which the pool never seals.
    pub fn restore(
        id: JobId,
        fields: &JobFields,
        template: Arc<Template>,
        owner: Hotkey,
    ) -> Result<Self, TargetError> {
        let share_target = Target::from_compact(fields.share_bits)?;
        Ok(Self::assemble(id, fields, template, owner, share_target))
    }

    fn assemble(
        id: JobId,
        fields: &JobFields,
        template: Arc<Template>,
        owner: Hotkey,
        share_target: Target,
    ) -> Self {
        Self {
            id,
            owner,
            worker: fields.worker,
            extranonce: fields.extranonce,
            share_target,
            share_difficulty: share_target.difficulty(),
            header: OnceLock::new(),
            units: share_target.units(template.network_target()),
            template,
        }
    }

    /// The job's name.
    pub fn id(&self) -> JobId {
        self.id
    }

    /// The template that it is made of.
    pub fn template(&self) -> &Arc<Template> {
        &self.template
    }

    /// The miner that it was given to.
    pub fn owner(&self) -> Hotkey {
        self.owner
    }

    /// The worker that it was given to.
    pub fn worker(&self) -> WorkerId {
        self.worker
    }

    /// What makes its coinbase unlike every other's.
    pub fn extranonce(&self) -> ExtraNonce {
        self.extranonce
    }

    /// The target that its shares must meet.
    pub fn share_target(&self) -> Target {
        self.share_target
    }

    /// The difficulty of that target.
    pub fn share_difficulty(&self) -> Difficulty {
        self.share_difficulty
    }

    /// What each of its shares counts for.
    pub fn units(&self) -> Units {
        self.units
    }

    /// The header with nonce 0; if the miner rolls the extranonce, the header of the first.
    pub fn header(&self) -> &Header {
        self.header.get_or_init(|| self.template.header(self.extranonce))
    }
}

/// Its id says all that is in it but whose it is.
impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        (self.id, self.owner) == (other.id, other.owner)
    }
}

impl Eq for Job {}

#[cfg(test)]
pub(crate) mod tests;
