//! The proof of work of shares whose ranges are right: at once if the hash is quick, elsewhere if it is not.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, WorkerName};
use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::Candidate;
use dwarves_domain::share::{ProvenShare, RejectedShare};
use dwarves_domain::time::Timestamp;
use dwarves_domain::work::{Algorithm, Job};
use dwarves_ports::proof_of_work::NotHashed;
use tracing::Instrument;

use super::finding::{Found, Refused};
use super::{Asker, SubmissionHandler};
use crate::miner_manager::messages::{CheckedShare, CheckedShares};

/// Slow hashes that are remembered, so that sending a share again costs no hashing again. 64 bytes each.
const HASHED_MAX: usize = 65_536;
/// Shares that were refused because the queue was full and wait to be hashed all the same, the wait until they are
/// tried again, and how often they are.
const UNHASHED_MAX: usize = 16_384;
const PROVE_AGAIN: Duration = Duration::from_millis(200);
const PROVE_TIMES_MAX: u8 = 50;

/// A share that passed, or did not pass, the cheap checks.
pub(super) enum Draft {
    /// It does not count; there is nothing more to find out.
    Rejected(RejectedShare),
    /// It is to be hashed.
    Unproven(Arc<Job>, Candidate),
    /// It does not count; it is hashed only because it may be a block.
    Refused(Box<Refused>),
}

impl Draft {
    /// What is to be hashed.
    fn candidates(&self) -> &[Candidate] {
        match self {
            Self::Rejected(_) => &[],
            Self::Unproven(_, candidate) => std::slice::from_ref(candidate),
            Self::Refused(refused) => &refused.candidates,
        }
    }

    /// What the proof-of-work hashes say, of which there is one for each candidate: what becomes of the share, and
    /// whether it is a block.
    fn judged(
        self,
        miner: Hotkey,
        mut pow_hash: impl FnMut(&Candidate) -> HeaderHash,
    ) -> (CheckedShare, Option<Found>) {
        match self {
            Self::Rejected(rejected) => (Err(rejected), None),
            Self::Unproven(job, candidate) => {
                let pow_hash = pow_hash(&candidate);
                match candidate.prove(&job, &pow_hash) {
                    Ok(proof) => {
                        let found = Found::of_share(&job, candidate, &pow_hash, miner);
                        (Ok(ProvenShare { job, proof }), found)
                    }
                    Err(reason) => {
                        let worker = Some(job.worker());
                        (Err(RejectedShare { reason, worker }), None)
                    }
                }
            }
            Self::Refused(refused) => {
                let found = refused.found(pow_hash);
                (Err(refused.rejected), found)
            }
        }
    }
}

/// A request whose shares passed the cheap checks.
pub(super) struct Drafts {
    pub(super) miner: Hotkey,
    pub(super) received_at: Timestamp,
    pub(super) worker: Option<WorkerName>,
    pub(super) shares: Vec<Draft>,
}

impl Drafts {
    /// What becomes of the shares, and which of them are blocks, by their places.
    fn judged(
        self,
        mut pow_hash: impl FnMut(&Candidate) -> HeaderHash,
    ) -> (CheckedShares, Vec<(usize, Found)>) {
        let miner = self.miner;
        let mut found = Vec::new();
        let judge = |(place, share): (usize, Draft)| {
            let (share, block) = share.judged(miner, &mut pow_hash);
            found.extend(block.map(|block| (place, block)));
            share
        };
        let shares = self.shares.into_iter().enumerate().map(judge).collect();
        let checked = CheckedShares {
            miner,
            received_at: self.received_at,
            worker: self.worker,
            shares,
        };
        (checked, found)
    }
}

/// Tells the log what the proofs of work say of a request's shares.
fn tell_judged(checked: &CheckedShares, asker: &Asker) {
    let (miner, client) = (checked.miner, asker.source.client());
    for share in &checked.shares {
        match share {
            Ok(ProvenShare { job, proof }) => tracing::debug!(
                share = %proof.hash,
                job = %job.id(),
                %miner,
                %client,
                "share is proven"
            ),
            Err(RejectedShare { reason, .. }) => {
                tracing::debug!(reason = reason.reason(), %miner, %client, "share does not count");
            }
        }
    }
}

impl SubmissionHandler {
    /// Hashes what is to be hashed and takes the request into the next message to the miner manager.
    pub(super) fn prove(&mut self, drafts: Drafts, asker: Asker, ctx: &mut Context<Self>) {
        if self.proof_of_work.algorithm() == Algorithm::Sha256d {
            return self.on_judged(drafts.judged(Candidate::hash), asker, ctx);
        }
        let mut hashed = HashMap::new();
        let mut unknown = Vec::new();
        for share in &drafts.shares {
            for candidate in share.candidates() {
                match self.hashed.get(&candidate.hash()) {
                    Some(pow_hash) => drop(hashed.insert(candidate.hash(), *pow_hash)),
                    None => unknown.push(*candidate),
                }
            }
        }
        if unknown.is_empty() {
            return self.on_judged(drafts.judged(|candidate| hashed[&candidate.hash()]), asker, ctx);
        }
        let headers = unknown.iter().map(|candidate| *candidate.header()).collect();
        let hashes = self
            .proof_of_work
            .hash(asker.source, headers)
            .instrument(asker.span.clone());
        ctx.spawn(wrap_future::<_, Self>(hashes).map(move |hashes, this, ctx| {
            let hashes = match hashes {
                Ok(hashes) => hashes,
                Err(NotHashed::TooMany) => return this.prove_later(drafts, asker, ctx),
                Err(NotHashed::Ended) => {
                    return this.answer_one(asker, Err(Refusal::Unavailable), ctx);
                }
            };
            assert_eq!(hashes.len(), unknown.len(), "every header gets a hash");
            let fresh: Vec<_> = unknown.iter().map(Candidate::hash).zip(hashes).collect();
            this.remember(&fresh);
            hashed.extend(fresh);
            this.on_judged(drafts.judged(|candidate| hashed[&candidate.hash()]), asker, ctx);
        }));
    }

    /// The hashes are known. Blocks go to the chain before anybody asks whether their shares count.
    fn on_judged(
        &mut self,
        (checked, found): (CheckedShares, Vec<(usize, Found)>),
        mut asker: Asker,
        ctx: &mut Context<Self>,
    ) {
        let span = asker.span.clone();
        let _said_of_them = span.enter();
        tell_judged(&checked, &asker);
        if !found.is_empty() {
            asker.candidates = self.hand_over(found, ctx);
        }
        if let Some(refusal) = asker.refused.take() {
            return self.answer_one(asker, Err(refusal), ctx);
        }
        self.enqueue(checked, asker, ctx);
    }

    /// The queue is full, so the shares do not count. They are hashed later all the same: one may be a block.
    fn prove_later(&mut self, drafts: Drafts, mut asker: Asker, ctx: &mut Context<Self>) {
        let count = drafts.shares.len();
        let refusal = asker.refused.get_or_insert(Refusal::Busy).clone();
        if self.unhashed + count > UNHASHED_MAX || asker.times >= PROVE_TIMES_MAX {
            tracing::debug!("{count} shares of miner={} are not even looked at", drafts.miner);
            return self.answer_one(asker, Err(refusal), ctx);
        }
        asker.times += 1;
        self.unhashed += count;
        ctx.run_later(PROVE_AGAIN, move |this, ctx| {
            this.unhashed -= count;
            this.prove(drafts, asker, ctx);
        });
    }

    fn remember(&mut self, fresh: &[(HeaderHash, HeaderHash)]) {
        if self.hashed.len() + fresh.len() > HASHED_MAX {
            // Rare, and cheap to make good: what comes again is hashed again.
            self.hashed.clear();
        }
        self.hashed.extend(fresh.iter().copied());
    }
}
