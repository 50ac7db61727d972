//! The proof of work of shares whose ranges are right: at once if the hash is quick, elsewhere if it is not.

use std::collections::HashMap;
use std::sync::Arc;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, WorkerName};
use dwarves_domain::share::{Candidate, Rejection};
use dwarves_domain::work::{Algorithm, Job};

use super::messages::SubmitSharesReply;
use super::{Asker, SubmissionHandler};
use crate::miner_manager::messages::{CheckedShare, CheckedShares};
use crate::proof_of_work::NotHashed;

/// Slow hashes that are remembered, so that sending a share again costs no hashing again. 64 bytes each.
const HASHED_MAX: usize = 65_536;

/// A share that passed, or did not pass, the cheap checks.
pub(super) enum Draft {
    /// There is nothing more to find out.
    Judged(CheckedShare),
    /// It is to be hashed.
    Unproven(Arc<Job>, Candidate),
}

impl Draft {
    /// What the cheap checks found.
    pub(super) fn new(job: Arc<Job>, candidate: Result<Candidate, Rejection>) -> Self {
        match candidate {
            Ok(candidate) => Self::Unproven(job, candidate),
            Err(reason) => Self::Judged(CheckedShare::Rejected {
                reason,
                worker: Some(job.worker()),
            }),
        }
    }

    /// What the proof-of-work hashes say, of which there is one for each unproven share.
    fn judged(self, pow_hash: impl FnOnce(&Candidate) -> HeaderHash) -> CheckedShare {
        match self {
            Self::Judged(share) => share,
            Self::Unproven(job, candidate) => match candidate.prove(&job, &pow_hash(&candidate)) {
                Ok(proof) => CheckedShare::Proven { job, proof },
                Err(reason) => CheckedShare::Rejected {
                    reason,
                    worker: Some(job.worker()),
                },
            },
        }
    }
}

/// A request whose shares passed the cheap checks.
pub(super) struct Drafts {
    pub(super) miner: Hotkey,
    pub(super) worker: Option<WorkerName>,
    pub(super) shares: Vec<Draft>,
}

impl Drafts {
    fn judged(self, mut pow_hash: impl FnMut(&Candidate) -> HeaderHash) -> CheckedShares {
        CheckedShares {
            miner: self.miner,
            worker: self.worker,
            shares: self
                .shares
                .into_iter()
                .map(|share| share.judged(&mut pow_hash))
                .collect(),
        }
    }
}

impl SubmissionHandler {
    /// Hashes what is to be hashed and takes the request into the next message to the miner manager.
    pub(super) fn prove(&mut self, drafts: Drafts, asker: Asker, ctx: &mut Context<Self>) {
        if self.proof_of_work.algorithm() == Algorithm::Sha256d {
            return self.enqueue(drafts.judged(Candidate::hash), asker, ctx);
        }
        let mut hashed = HashMap::new();
        let mut unknown = Vec::new();
        for share in &drafts.shares {
            if let Draft::Unproven(_, candidate) = share {
                match self.hashed.get(&candidate.hash()) {
                    Some(pow_hash) => drop(hashed.insert(candidate.hash(), *pow_hash)),
                    None => unknown.push(*candidate),
                }
            }
        }
        if unknown.is_empty() {
            return self.enqueue(drafts.judged(|candidate| hashed[&candidate.hash()]), asker, ctx);
        }
        let headers = unknown.iter().map(|candidate| *candidate.header()).collect();
        let hashes = self.proof_of_work.hash(asker.source, headers);
        ctx.spawn(wrap_future::<_, Self>(hashes).map(move |hashes, this, ctx| {
            let hashes = match hashes {
                Ok(hashes) => hashes,
                Err(NotHashed::TooMany) => return this.answer_one(asker, SubmitSharesReply::Busy),
                Err(NotHashed::Ended) => return this.answer_one(asker, SubmitSharesReply::Unavailable),
            };
            assert_eq!(hashes.len(), unknown.len(), "every header gets a hash");
            let fresh: Vec<_> = unknown.iter().map(Candidate::hash).zip(hashes).collect();
            this.remember(&fresh);
            hashed.extend(fresh);
            this.enqueue(drafts.judged(|candidate| hashed[&candidate.hash()]), asker, ctx);
        }));
    }

    fn remember(&mut self, fresh: &[(HeaderHash, HeaderHash)]) {
        if self.hashed.len() + fresh.len() > HASHED_MAX {
            // Rare, and cheap to make good: what comes again is hashed again.
            self.hashed.clear();
        }
        self.hashed.extend(fresh.iter().copied());
    }
}
