//! Shares on their way to whoever judges them, and what is said to them.

use std::collections::HashMap;
use std::sync::Arc;

use dwarves_actors::block_tracker::messages::{CandidateReply, TakeCandidate};
use dwarves_actors::miner_manager::messages::{CheckedShare, CheckedShares, Judgement};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, Sequence, TemplateId, WorkerId};
use dwarves_domain::share::{AcceptedShare, Proof, ProvenShare, RejectedShare, Rejection, ShareVerdict};
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::units::Amount;
use dwarves_domain::work::{FullExtraNonce, Header, Job, JobId, JobKey, Template};

use super::refusals;
use crate::words::{self, Fate, Share, Take, Verdict, Why};

/// Jobs that are kept ready where shares are judged; others are built again from their ids.
const JOBS_MAX: usize = 65_536;

/// What is said of a request that came `sent_at - received_at` ago.
pub(crate) fn request(request: &CheckedShares, sent_at: Timestamp) -> words::Request {
    words::Request {
        miner: *request.miner.as_bytes(),
        worker: request.worker.as_ref().map(|name| name.as_str().to_owned()),
        age: sent_at.since(request.received_at).millis(),
        shares: request.shares.iter().map(share).collect(),
    }
}

fn share(share: &CheckedShare) -> Share {
    match share {
        Ok(ProvenShare { job, proof }) => Share::Proven(words::Proven {
            job: *job.id().as_bytes(),
            header: header(&proof.header),
            hash: *proof.hash.as_bytes(),
            extranonce: *proof.extranonce.as_bytes(),
            is_block: proof.is_block,
        }),
        Err(RejectedShare { reason, worker }) => Share::Rejected(why(*reason), worker.map(WorkerId::get)),
    }
}

/// Builds requests again where they are judged: their jobs from the jobs' ids, on the templates that the other front was
/// told of.
pub(crate) struct Jobs {
    key: JobKey,
    known: HashMap<JobId, Arc<Job>>,
}

impl Jobs {
    /// None yet.
    pub(crate) fn new(key: JobKey) -> Self {
        Self {
            key,
            known: HashMap::new(),
        }
    }

    /// The request that this was said of, if it can be one of this pool's; `now` is when it came.
    pub(crate) fn request(
        &mut self,
        said: words::Request,
        now: Timestamp,
        template: impl Fn(TemplateId) -> Option<Arc<Template>>,
    ) -> Option<CheckedShares> {
        let miner = Hotkey::from_bytes(said.miner);
        let worker = match said.worker {
            Some(name) => Some(name.parse().ok()?),
            None => None,
        };
        let mut shares = Vec::with_capacity(said.shares.len());
        for share in said.shares {
            shares.push(match share {
                Share::Proven(proven) => self.proven(proven, miner, &template),
                Share::Rejected(reason, worker) => Err(RejectedShare {
                    reason: rejection(reason),
                    worker: worker.map(WorkerId::new),
                }),
            });
        }
        Some(CheckedShares {
            miner,
            received_at: now.minus(Span::from_millis(said.age)),
            worker,
            shares,
        })
    }

    /// A share that was proven where it came in. A job that the pool gave to nobody is refused here as there.
    fn proven(
        &mut self,
        proven: words::Proven,
        owner: Hotkey,
        template: impl Fn(TemplateId) -> Option<Arc<Template>>,
    ) -> CheckedShare {
        let id = JobId::from_bytes(proven.job);
        let job = match self.known.get(&id).filter(|job| job.owner() == owner) {
            Some(job) => Arc::clone(job),
            None => self.restored(id, owner, template)?,
        };
        Ok(ProvenShare {
            job,
            proof: Proof {
                header: header_of(proven.header),
                hash: HeaderHash::from_bytes(proven.hash),
                extranonce: FullExtraNonce::from_bytes(proven.extranonce),
                is_block: proven.is_block,
            },
        })
    }

    fn restored(
        &mut self,
        id: JobId,
        owner: Hotkey,
        template: impl Fn(TemplateId) -> Option<Arc<Template>>,
    ) -> Result<Arc<Job>, RejectedShare> {
        let unknown = RejectedShare {
            reason: Rejection::UnknownJob,
            worker: None,
        };
        let fields = self.key.open(&id, &owner).ok_or(unknown)?;
        let template = template(fields.template).ok_or(RejectedShare {
            reason: Rejection::Stale,
            worker: Some(fields.worker),
        })?;
        let job = Arc::new(Job::restore(id, &fields, template, owner).map_err(|_| unknown)?);
        if self.known.len() >= JOBS_MAX {
            // Rare, and cheap to make good.
            self.known.clear();
        }
        self.known.insert(id, Arc::clone(&job));
        Ok(job)
    }

    /// Forgets jobs of templates that are over.
    pub(crate) fn retain(&mut self, is_kept: impl Fn(TemplateId) -> bool) {
        self.known.retain(|_, job| is_kept(job.template().id()));
    }
}

/// What is said of a judgement.
pub(crate) fn judgement(judgement: Judgement) -> Result<Vec<Verdict>, words::Refused> {
    let verdict = |verdict: ShareVerdict| match verdict {
        Ok(accepted) => Verdict::Accepted {
            hash: *accepted.hash.as_bytes(),
            share_difficulty: accepted.share_difficulty.raw(),
            sequence: accepted.sequence.get(),
            is_block: accepted.is_block,
        },
        Err(reason) => Verdict::Rejected(why(reason)),
    };
    match judgement {
        Ok(verdicts) => Ok(verdicts.into_iter().map(verdict).collect()),
        Err(refusal) => Err(refusals::said(refusal)),
    }
}

/// The judgement of which this is said.
pub(crate) fn judgement_of(said: Result<Vec<Verdict>, words::Refused>) -> Judgement {
    let verdict = |said: Verdict| match said {
        Verdict::Accepted {
            hash,
            share_difficulty,
            sequence,
            is_block,
        } => Ok(AcceptedShare {
            hash: HeaderHash::from_bytes(hash),
            share_difficulty: Difficulty::from_raw(share_difficulty),
            sequence: Sequence::new(sequence),
            is_block,
        }),
        Verdict::Rejected(reason) => Err(rejection(reason)),
    };
    match said {
        Ok(verdicts) => Ok(verdicts.into_iter().map(verdict).collect()),
        Err(refused) => Err(refusals::heard(refused)),
    }
}

/// What is said of a header that meets the network's target.
pub(crate) fn take(candidate: &TakeCandidate) -> Take {
    Take {
        hash: *candidate.hash.as_bytes(),
        header: header(&candidate.header),
        extranonce: *candidate.extranonce.as_bytes(),
        template: candidate.template.get(),
        height: candidate.height,
        reward: candidate.reward.sats(),
        finder: candidate.finder.map(|finder| *finder.as_bytes()),
        is_doubtful: candidate.is_doubtful,
    }
}

/// The candidate of which this was said, with its block if `template` is there; `None` if there is no such money.
pub(crate) fn candidate(said: &Take, at: Timestamp, template: Option<&Template>) -> Option<TakeCandidate> {
    let (header, extranonce) = (
        header_of(said.header),
        FullExtraNonce::from_bytes(said.extranonce),
    );
    Some(TakeCandidate {
        hash: HeaderHash::from_bytes(said.hash),
        header,
        extranonce,
        template: TemplateId::new(said.template),
        bytes: template.map(|template| template.block(&header, extranonce)),
        height: said.height,
        reward: Amount::from_sats(said.reward)?,
        finder: said.finder.map(Hotkey::from_bytes),
        is_doubtful: said.is_doubtful,
        at,
    })
}

/// What is said of what became of it.
pub(crate) fn fate(reply: CandidateReply) -> Fate {
    match reply {
        CandidateReply::Taken => Fate::Taken,
        CandidateReply::Crowded => Fate::Crowded,
        CandidateReply::Lost => Fate::Lost,
    }
}

/// What became of it, as it was said.
pub(crate) fn fate_of(said: Fate) -> CandidateReply {
    match said {
        Fate::Taken => CandidateReply::Taken,
        Fate::Crowded => CandidateReply::Crowded,
        Fate::Lost => CandidateReply::Lost,
    }
}

fn why(reason: Rejection) -> Why {
    match reason {
        Rejection::UnknownJob => Why::UnknownJob,
        Rejection::Stale => Why::Stale,
        Rejection::Duplicate(first) => Why::Duplicate(first.get()),
        Rejection::LowDifficulty => Why::LowDifficulty,
        Rejection::TimeOutOfRange => Why::TimeOutOfRange,
        Rejection::VersionOutOfMask => Why::VersionOutOfMask,
        Rejection::OtherWorker => Why::OtherWorker,
        Rejection::JobFull { issued } => Why::JobFull(issued.raw()),
    }
}

fn rejection(why: Why) -> Rejection {
    match why {
        Why::UnknownJob => Rejection::UnknownJob,
        Why::Stale => Rejection::Stale,
        Why::Duplicate(first) => Rejection::Duplicate(Sequence::new(first)),
        Why::LowDifficulty => Rejection::LowDifficulty,
        Why::TimeOutOfRange => Rejection::TimeOutOfRange,
        Why::VersionOutOfMask => Rejection::VersionOutOfMask,
        Why::OtherWorker => Rejection::OtherWorker,
        Why::JobFull(issued) => Rejection::JobFull {
            issued: Difficulty::from_raw(issued),
        },
    }
}

fn header(header: &Header) -> words::Header {
    let bytes = header.as_bytes();
    let mut said = ([0; 32], [0; 32], [0; 16]);
    said.0.copy_from_slice(&bytes[..32]);
    said.1.copy_from_slice(&bytes[32..64]);
    said.2.copy_from_slice(&bytes[64..]);
    said
}

fn header_of(said: words::Header) -> Header {
    let mut bytes = [0; 80];
    bytes[..32].copy_from_slice(&said.0);
    bytes[32..64].copy_from_slice(&said.1);
    bytes[64..].copy_from_slice(&said.2);
    Header::from_bytes(bytes)
}
