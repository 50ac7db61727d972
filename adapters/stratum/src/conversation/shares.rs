//! A submit becomes a share of a job.
//!
//! In the order of the protocol: is there a session, is the worker let in, is the job the session's, is it
//! live. Ranges, proof of work and duplicates are judged by those who judge every other share.

use std::sync::Arc;

use dwarves_actors::handlers::submission::messages::RolledShare;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerId;
use dwarves_domain::login::parse_user;
use dwarves_domain::share::{RejectedShare, Rejection, Submission};
use dwarves_domain::target::Target;
use dwarves_domain::work::{ExtraNonce1, FullExtraNonce, Job, SessionJobId, SessionSeat, Template};

use super::{Conversation, Member, Scene, VERSION_MASK};
use crate::protocol::fault::Fault;
use crate::protocol::params::{self, Submit};

/// What a submit came to so far.
#[derive(Debug)]
pub enum Attempt {
    /// To be judged, or at least counted, for this miner.
    Share(Hotkey, RolledShare),
    /// Refused so, whatever the verdict: it is looked at only because it may be a block.
    Stray(Hotkey, RolledShare, Fault),
    /// It is no share at all.
    Fault(Fault),
}

impl Conversation {
    pub(super) fn on_submit(&mut self, params: &str, scene: &Scene<'_>) -> Attempt {
        let attempt = self.attempt(params, scene);
        // A worker that is kept out has been counted.
        if let Attempt::Fault(fault) | Attempt::Stray(_, _, fault) = &attempt
            && !matches!(fault, Fault::KeptOut { .. })
        {
            self.rejects.note(true);
        }
        attempt
    }

    fn attempt(&mut self, params: &str, scene: &Scene<'_>) -> Attempt {
        let Some(SessionSeat { extranonce1, .. }) = self.seat else {
            return Attempt::Fault(Fault::NotSubscribed);
        };
        let submit = match params::submit(params, scene.rules.extranonce2_len) {
            Ok(submit) => submit,
            Err(fault) => return Attempt::Fault(fault),
        };
        let Some(member) = self.member(&submit.user) else {
            return self.stray(&submit, extranonce1, scene);
        };
        let (miner, worker) = (member.miner, member.worker);
        if let Some(until) = member.kept_out_until
            && scene.now < until
        {
            let fault = Fault::KeptOut {
                try_again: until.since(scene.now),
            };
            let refused = self.refused(&submit, extranonce1, (Rejection::UnknownJob, miner, None), scene);
            return match refused {
                Some(share) => Attempt::Stray(miner, share, fault),
                None => Attempt::Fault(fault),
            };
        }
        let share = match self.solution(&submit, extranonce1, (miner, worker), scene) {
            Ok(share) => share,
            Err(reason) => self
                .refused(&submit, extranonce1, (reason, miner, Some(worker)), scene)
                .unwrap_or(RolledShare::Rejected(RejectedShare {
                    reason,
                    worker: Some(worker),
                })),
        };
        Attempt::Share(miner, share)
    }

    /// A share of a user that is not let in. If it is of a job of this session, it may be a block.
    fn stray(&self, submit: &Submit<'_>, extranonce1: ExtraNonce1, scene: &Scene<'_>) -> Attempt {
        let named = parse_user(&submit.user, scene.rules.logins).ok();
        let named = named.map(|(identity, _)| identity.hotkey());
        let member = self.members.first().map(|member| member.miner);
        let share = named.or(member).and_then(|finder| {
            let share = self.refused(submit, extranonce1, (Rejection::UnknownJob, finder, None), scene)?;
            Some((member.unwrap_or(finder), share))
        });
        match share {
            Some((miner, share)) => Attempt::Stray(miner, share, Fault::UNAUTHORIZED),
            None => Attempt::Fault(Fault::UNAUTHORIZED),
        }
    }

    /// A share that does not count, as far as it may be a block: if its job is this session's and blocks of its template
    /// are still taken.
    fn refused(
        &self,
        submit: &Submit<'_>,
        extranonce1: ExtraNonce1,
        (reason, finder, worker): (Rejection, Hotkey, Option<WorkerId>),
        scene: &Scene<'_>,
    ) -> Option<RolledShare> {
        let job = scene.job_key.open_session_job(extranonce1, &submit.job?)?;
        let template = scene.work.kept(job.template)?;
        Some(RolledShare::Refused {
            template: template.id(),
            extranonce: FullExtraNonce::rolled(extranonce1, submit.extranonce2.as_bytes())?,
            time: submit.time,
            nonce: submit.nonce,
            versions: self.versions(submit.version_bits, template.version()),
            finder,
            rejected: RejectedShare { reason, worker },
        })
    }

    /// Which version the header may have: miners differ in what they do with bits that are not theirs to roll.
    fn versions(&self, bits: Option<u32>, version: u32) -> Vec<u32> {
        let Some(bits) = bits else {
            return vec![version];
        };
        let of_mask = |mask: u32| version & !mask | bits & mask;
        let mut versions = vec![
            of_mask(self.told_mask),
            of_mask(self.miner_mask.unwrap_or(VERSION_MASK)),
            version & !VERSION_MASK | bits,
            version | bits,
            version ^ bits,
        ];
        versions.sort_unstable();
        versions.dedup();
        versions
    }

    /// The worker that submits under this name: the one that logged in so, or, for software that leaves the worker's
    /// name away when it submits, the first of this miner.
    fn member(&self, user: &str) -> Option<&Member> {
        let exact = self.members.iter().find(|member| *member.user == *user);
        let is_first_of = |member: &&Member| {
            let rest = member.user.strip_prefix(user);
            !user.is_empty()
                && !user.contains(['.', '_'])
                && rest.is_some_and(|rest| rest.starts_with(['.', '_']))
        };
        exact.or_else(|| self.members.iter().find(is_first_of))
    }

    fn solution(
        &mut self,
        submit: &Submit<'_>,
        extranonce1: ExtraNonce1,
        (miner, worker): (Hotkey, WorkerId),
        scene: &Scene<'_>,
    ) -> Result<RolledShare, Rejection> {
        let id = submit.job.ok_or(Rejection::UnknownJob)?;
        let job = match self.known_job(&id, (miner, worker)) {
            Some(job) => job,
            None => self.make_job(id, extranonce1, (miner, worker), scene)?,
        };
        let template = job.template();
        // The pool gave it out; if its template is not live any more, its time is over.
        scene.work.template(template.id()).ok_or(Rejection::Stale)?;
        let version = self.version(submit.version_bits, template)?;
        let extranonce = FullExtraNonce::rolled(extranonce1, submit.extranonce2.as_bytes())
            .ok_or(Rejection::UnknownJob)?;
        Ok(RolledShare::Solved {
            submission: Submission {
                job_id: job.id(),
                nonce: submit.nonce,
                time: Some(submit.time),
                version,
            },
            job,
            extranonce,
        })
    }

    /// The job of the last share, if it is this one. It is the pool's: its tag was checked when it was made.
    fn known_job(&self, id: &SessionJobId, (miner, worker): (Hotkey, WorkerId)) -> Option<Arc<Job>> {
        let (known, job) = self.job.as_ref()?;
        let is_it = known == id && job.worker() == worker && job.owner() == miner;
        is_it.then(|| Arc::clone(job))
    }

    fn make_job(
        &mut self,
        id: SessionJobId,
        extranonce1: ExtraNonce1,
        (miner, worker): (Hotkey, WorkerId),
        scene: &Scene<'_>,
    ) -> Result<Arc<Job>, Rejection> {
        let session_job = scene
            .job_key
            .open_session_job(extranonce1, &id)
            .ok_or(Rejection::UnknownJob)?;
        let template = scene
            .work
            .template(session_job.template)
            .ok_or(Rejection::Stale)?;
        let target = Target::from_compact(session_job.share_bits).map_err(|_| Rejection::UnknownJob)?;
        let extranonce = extranonce1.of_jobs();
        let template = Arc::clone(template);
        let job = Arc::new(Job::issue(
            scene.job_key,
            template,
            extranonce,
            miner,
            worker,
            target,
        ));
        self.job = Some((id, Arc::clone(&job)));
        Ok(job)
    }

    /// The header's version: the miner's bits where it may roll, the job's everywhere else (BIP310).
    fn version(&self, bits: Option<u32>, template: &Template) -> Result<Option<u32>, Rejection> {
        let Some(bits) = bits else {
            return Ok(None);
        };
        let chain = template.chain();
        let mask = self.miner_mask.unwrap_or(0) & chain.version_mask;
        if bits & !mask != 0 {
            return Err(Rejection::VersionOutOfMask);
        }
        Ok(Some(chain.version & !mask | bits & mask))
    }
}
