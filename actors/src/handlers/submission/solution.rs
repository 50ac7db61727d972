//! What a miner submitted, on its way from the cheap checks to its proof of work: whether it is a share that counts, and
//! whether it is a block. Its [`Draft`]s are hashed together with those of others; the [`Candidate`]s that come of it are
//! held beside it, in their order.

use std::sync::Arc;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, WorkerName};
use dwarves_domain::share::{Candidate, Draft, ProvenShare, RejectedShare, Rejection};
use dwarves_domain::time::Timestamp;
use dwarves_domain::work::{BareTemplate, Job, Template};

use crate::miner_manager::messages::{CheckedShare, CheckedShares};

/// A share that does not count, before it is known whether it is a block.
pub(super) struct Refused {
    pub(super) template: Arc<BareTemplate>,
    /// The header; several if nobody knows which version it had.
    pub(super) drafts: Vec<Draft>,
    /// Whose work it is, if that is known.
    pub(super) finder: Option<Hotkey>,
    /// What becomes of the share.
    pub(super) rejected: RejectedShare,
}

/// A header that meets the network's target.
pub(super) struct Found {
    pub(super) candidate: Candidate,
    pub(super) template: OfTemplate,
    pub(super) finder: Option<Hotkey>,
    pub(super) is_doubtful: bool,
}

/// The template of a header, as far as it is known here.
pub(super) enum OfTemplate {
    Whole(Arc<Template>),
    Bare(Arc<BareTemplate>),
}

impl Found {
    /// The block that a share is, if it is one.
    pub(super) fn of_share(
        job: &Arc<Job>,
        candidate: Candidate,
        pow_hash: &HeaderHash,
        finder: Hotkey,
    ) -> Option<Self> {
        let template = job.template();
        template.network_target().is_met_by(pow_hash).then(|| Self {
            candidate,
            template: OfTemplate::Whole(Arc::clone(template)),
            finder: Some(finder),
            is_doubtful: false,
        })
    }
}

impl Refused {
    /// The block that one of its candidates is, if one is.
    fn found(
        &self,
        candidates: &[Candidate],
        mut pow_hash: impl FnMut(&Candidate) -> HeaderHash,
    ) -> Option<Found> {
        let target = self.template.network_target();
        let is_met = |candidate: &&Candidate| target.is_met_by(&pow_hash(candidate));
        let candidate = candidates.iter().find(is_met)?;
        Some(Found {
            candidate: *candidate,
            template: OfTemplate::Bare(Arc::clone(&self.template)),
            finder: self.finder,
            is_doubtful: matches!(
                self.rejected.reason,
                Rejection::TimeOutOfRange | Rejection::VersionOutOfMask
            ),
        })
    }
}

/// A share that passed, or did not pass, the cheap checks.
pub(super) enum Solution {
    /// It does not count; there is nothing more to find out.
    Rejected(RejectedShare),
    /// It is to be hashed.
    Unproven(Arc<Job>, Draft),
    /// It does not count; it is hashed only because it may be a block.
    Refused(Box<Refused>),
}

impl Solution {
    /// What is to be hashed.
    pub(super) fn drafts(&self) -> &[Draft] {
        match self {
            Self::Rejected(_) => &[],
            Self::Unproven(_, draft) => std::slice::from_ref(draft),
            Self::Refused(refused) => &refused.drafts,
        }
    }

    /// What the proof-of-work hashes of its candidates say: what becomes of the share, and whether it is a block.
    pub(super) fn judged(
        self,
        miner: Hotkey,
        candidates: &[Candidate],
        mut pow_hash: impl FnMut(&Candidate) -> HeaderHash,
    ) -> (CheckedShare, Option<Found>) {
        match self {
            Self::Rejected(rejected) => (Err(rejected), None),
            Self::Unproven(job, _) => {
                let candidate = candidates[0];
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
                let found = refused.found(candidates, pow_hash);
                (Err(refused.rejected), found)
            }
        }
    }
}

/// A request whose shares passed the cheap checks.
pub(super) struct Solutions {
    pub(super) miner: Hotkey,
    pub(super) worker: Option<WorkerName>,
    pub(super) shares: Vec<Solution>,
}

impl Solutions {
    /// What is to be hashed of all of them.
    pub(super) fn drafts(&self) -> impl Iterator<Item = &Draft> {
        self.shares.iter().flat_map(Solution::drafts)
    }

    /// What becomes of the shares, which came then, and which of them are blocks, by their places. There is one candidate for
    /// each draft.
    pub(super) fn judged(
        self,
        received_at: Timestamp,
        mut candidates: &[Candidate],
        mut pow_hash: impl FnMut(&Candidate) -> HeaderHash,
    ) -> (CheckedShares, Vec<(usize, Found)>) {
        let miner = self.miner;
        let mut found = Vec::new();
        let judge = |(place, share): (usize, Solution)| {
            let of_it;
            (of_it, candidates) = candidates.split_at(share.drafts().len());
            let (share, block) = share.judged(miner, of_it, &mut pow_hash);
            found.extend(block.map(|block| (place, block)));
            share
        };
        let shares = self.shares.into_iter().enumerate().map(judge).collect();
        let checked = CheckedShares {
            miner,
            received_at,
            worker: self.worker,
            shares,
        };
        (checked, found)
    }
}
