//! The hashes of shares: all that came together are hashed together, and their proofs of work made at once if that is
//! quick, elsewhere if it is not.

use std::collections::HashMap;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::ids::HeaderHash;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::{Candidate, ProvenShare, RejectedShare};
use dwarves_domain::work::Algorithm;
use dwarves_ports::proof_of_work::NotHashed;
use tracing::Instrument;

use super::solution::{Found, Solutions};
use super::{Asker, SubmissionHandler};
use crate::miner_manager::messages::CheckedShares;

/// Slow hashes that are remembered, so that sending a share again costs no hashing again. 64 bytes each.
const HASHED_MAX: usize = 65_536;
/// Requests and headers for which there is room in the buffers between two rushes: some 400 kilobytes.
const GATHERED_KEPT: usize = 1_024;
/// Shares that were refused because the queue was full and wait to be hashed all the same, the wait until they are
/// tried again, and how often they are.
const UNHASHED_MAX: usize = 16_384;
const PROVE_AGAIN: Duration = Duration::from_millis(200);
const PROVE_TIMES_MAX: u8 = 50;

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
    /// Takes a request that is to be hashed. Other requests that this thread is about to read are hashed with it, and sent
    /// on with it: they have one turn for that.
    pub(super) fn gather(&mut self, solutions: Solutions, asker: Asker, ctx: &mut Context<Self>) {
        self.gathered.push((solutions, asker));
        if self.gathered.len() == 1 {
            ctx.spawn(
                wrap_future::<_, Self>(tokio::task::yield_now()).map(|(), this, ctx| this.hash_gathered(ctx)),
            );
        }
    }

    /// Hashes all that was gathered, and sends on what is proven by that.
    fn hash_gathered(&mut self, ctx: &mut Context<Self>) {
        let mut gathered = std::mem::take(&mut self.gathered);
        let mut candidates = std::mem::take(&mut self.candidates);
        let drafts = gathered.iter().flat_map(|(solutions, _)| solutions.drafts());
        self.drafts.extend(drafts.cloned());
        self.hasher.hash(&self.drafts, &mut candidates);
        self.drafts.clear();
        let mut rest = &candidates[..];
        for (solutions, asker) in gathered.drain(..) {
            let of_it;
            (of_it, rest) = rest.split_at(solutions.drafts().count());
            self.prove(solutions, of_it, asker, ctx);
        }
        self.judge_checked_if_free(ctx);
        assert!(
            self.gathered.is_empty(),
            "requests are gathered by messages alone"
        );
        candidates.clear();
        self.keep_buffers(gathered, candidates);
    }

    /// Keeps emptied buffers, so that they need not grow again, unless one rush has made them large.
    fn keep_buffers(&mut self, gathered: Vec<(Solutions, Asker)>, candidates: Vec<Candidate>) {
        self.gathered = gathered;
        self.candidates = candidates;
        self.gathered.shrink_to(GATHERED_KEPT);
        self.candidates.shrink_to(GATHERED_KEPT);
        self.drafts.shrink_to(GATHERED_KEPT);
    }

    /// Takes a request into the next message to the miner manager, once its proofs of work are there.
    fn prove(
        &mut self,
        solutions: Solutions,
        candidates: &[Candidate],
        asker: Asker,
        ctx: &mut Context<Self>,
    ) {
        if self.proof_of_work.algorithm() == Algorithm::Sha256d {
            let judged = solutions.judged(asker.received_at, candidates, Candidate::hash);
            return self.on_judged(judged, asker, ctx);
        }
        let mut hashed = HashMap::new();
        let mut unknown = Vec::new();
        for candidate in candidates {
            match self.hashed.get(&candidate.hash()) {
                Some(pow_hash) => drop(hashed.insert(candidate.hash(), *pow_hash)),
                None => unknown.push(*candidate),
            }
        }
        if unknown.is_empty() {
            let pow_hash = |candidate: &Candidate| hashed[&candidate.hash()];
            return self.on_judged(
                solutions.judged(asker.received_at, candidates, pow_hash),
                asker,
                ctx,
            );
        }
        let candidates = candidates.to_vec();
        let headers = unknown.iter().map(|candidate| *candidate.header()).collect();
        let hashes = self
            .proof_of_work
            .hash(asker.source, headers)
            .instrument(asker.span.clone());
        ctx.spawn(wrap_future::<_, Self>(hashes).map(move |hashes, this, ctx| {
            let hashes = match hashes {
                Ok(hashes) => hashes,
                Err(NotHashed::TooMany) => return this.prove_later(solutions, candidates, asker, ctx),
                Err(NotHashed::Ended) => {
                    return this.answer_one(asker, Err(Refusal::Unavailable), ctx);
                }
            };
            assert_eq!(hashes.len(), unknown.len(), "every header gets a hash");
            let fresh: Vec<_> = unknown.iter().map(Candidate::hash).zip(hashes).collect();
            this.remember(&fresh);
            hashed.extend(fresh);
            let pow_hash = |candidate: &Candidate| hashed[&candidate.hash()];
            this.on_judged(
                solutions.judged(asker.received_at, &candidates, pow_hash),
                asker,
                ctx,
            );
            this.judge_checked_if_free(ctx);
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
        self.checked.push((checked, asker));
    }

    /// The queue is full, so the shares do not count. They are hashed later all the same: one may be a block.
    fn prove_later(
        &mut self,
        solutions: Solutions,
        candidates: Vec<Candidate>,
        mut asker: Asker,
        ctx: &mut Context<Self>,
    ) {
        let count = solutions.shares.len();
        let refusal = asker.refused.get_or_insert(Refusal::Busy).clone();
        if self.unhashed + count > UNHASHED_MAX || asker.times >= PROVE_TIMES_MAX {
            tracing::debug!(
                "{count} shares of miner={} are not even looked at",
                solutions.miner
            );
            return self.answer_one(asker, Err(refusal), ctx);
        }
        asker.times += 1;
        self.unhashed += count;
        ctx.run_later(PROVE_AGAIN, move |this, ctx| {
            this.unhashed -= count;
            this.prove(solutions, &candidates, asker, ctx);
            this.judge_checked_if_free(ctx);
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
