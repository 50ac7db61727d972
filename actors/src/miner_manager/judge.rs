//! Judging shares: what is decided at once, and what is known only when the commit has come back.
//!
//! Deciding claims headers; nothing else changes until the shares are on disk. Then every claim becomes a
//! sequence number, or is given back.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, Sequence, TemplateId, WorkerId};
use dwarves_domain::miners::{CountedShare, RecentShares, Registry, ShareClaim, Slot};
use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::{AcceptedShare, ProvenShare, RejectedShare, Rejection};
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Units;
use dwarves_domain::work::JobMark;
use dwarves_ports::store::{FoundBlock, ShareRow, WorkerRow};

use super::messages::CheckedShares;
use super::welcome;
use crate::miner_manager::messages::Judgement;

/// A job that brought as many shares as one may is renewed so many times harder.
const RAISED_BY: f64 = 20.0;

/// A share whose verdict is known, or will be when the commit has come back.
enum Pending {
    /// Among the rows, at this place.
    Row(usize),
    /// The same header is among these requests or those before them, on its way.
    SameAs(TemplateId, HeaderHash, WorkerId),
    /// It does not count.
    Rejected(RejectedShare),
}

impl Pending {
    fn rejected(reason: Rejection, worker: Option<WorkerId>) -> Self {
        Self::Rejected(RejectedShare { reason, worker })
    }
}

/// What one request came to so far.
enum JudgedRequest {
    Judged { miner: Hotkey, shares: Vec<Pending> },
    Refused(Refusal),
}

/// What is remembered of a row until it is on disk.
struct Claimed {
    template: TemplateId,
    hash: HeaderHash,
    miner: Hotkey,
    /// To whom it is credited.
    worker: WorkerId,
    /// To whom its job was given.
    steered: WorkerId,
    job: JobMark,
    slot: Slot,
    share_difficulty: Difficulty,
    units: Units,
    is_block: bool,
}

/// Requests that were judged and wait for their commit.
pub(super) struct JudgedRequests {
    requests: Vec<JudgedRequest>,
    claimed: Vec<Claimed>,
    /// When they were sent here: in running time, and as a date.
    sent_at: Timestamp,
    dated: Timestamp,
    /// The rows to be stored.
    pub(super) rows: Vec<ShareRow>,
    /// Workers whose first shares these are; they are to be stored with them.
    pub(super) new_workers: Vec<WorkerRow>,
    /// The same, by number: they are known to be stored once the commit has come back.
    stored_with: Vec<WorkerId>,
    /// Whether numbers for workers ran out.
    pub(super) needs_numbers: bool,
}

impl JudgedRequests {
    /// Judges `requests`: claims new headers, and decides everything that can be decided now.
    pub(super) fn judge(
        sent_at: Timestamp,
        dated: Timestamp,
        requests: Vec<CheckedShares>,
        registry: &mut Registry,
        recent: &mut RecentShares,
    ) -> Self {
        let mut judged = Self {
            requests: Vec::with_capacity(requests.len()),
            claimed: Vec::new(),
            sent_at,
            dated,
            rows: Vec::new(),
            new_workers: Vec::new(),
            stored_with: Vec::new(),
            needs_numbers: false,
        };
        let shares = requests.iter().flat_map(|request| &request.shares);
        recent.look_ahead(shares.filter_map(|share| {
            let ProvenShare { job, proof } = share.as_ref().ok()?;
            Some((job.template().id(), &proof.hash))
        }));
        for request in requests {
            let request = judged.judge_request(request, registry, recent);
            judged.requests.push(request);
        }
        judged
    }

    fn judge_request(
        &mut self,
        request: CheckedShares,
        registry: &mut Registry,
        recent: &mut RecentShares,
    ) -> JudgedRequest {
        let miner = request.miner;
        if let Err(refusal) = welcome(registry, &miner, self.dated) {
            return JudgedRequest::Refused(refusal);
        }
        let before = (self.rows.len(), self.new_workers.len());
        let mut shares = Vec::with_capacity(request.shares.len());
        for share in request.shares {
            let (job, proof) = match share {
                Err(rejected) => {
                    shares.push(Pending::Rejected(rejected));
                    continue;
                }
                Ok(ProvenShare { job, proof }) => (job, proof),
            };
            // The number of a name that gave way says nothing of the request's.
            let named_other = request.worker.as_ref().is_some_and(|name| {
                registry
                    .worker(job.worker())
                    .is_some_and(|worker| worker.hotkey == miner && worker.name != *name)
            });
            let refused = |why| tracing::debug!(share = %proof.hash, %miner, why, "share does not count");
            if named_other {
                refused("other_worker");
                shares.push(Pending::rejected(Rejection::OtherWorker, None));
                continue;
            }
            let worker = Some(job.worker());
            let template = job.template().id();
            if recent.was_over(template, request.received_at) {
                refused("stale");
                shares.push(Pending::rejected(Rejection::Stale, worker));
                continue;
            }
            let mark = job.id().mark();
            match recent.claim(template, proof.hash, miner, mark) {
                ShareClaim::Duplicate(first) => {
                    refused("duplicate");
                    shares.push(Pending::rejected(Rejection::Duplicate(first), worker));
                }
                ShareClaim::Pending => {
                    shares.push(Pending::SameAs(template, proof.hash, job.worker()));
                }
                ShareClaim::Full => {
                    // Nothing of this request may count if not all of it can be judged.
                    refused("recent_shares_full");
                    self.give_back_from(before, registry, recent);
                    return JudgedRequest::Refused(Refusal::Busy);
                }
                ShareClaim::MinerFull => {
                    refused("miner_full");
                    self.give_back_from(before, registry, recent);
                    return JudgedRequest::Refused(Refusal::MinerFull);
                }
                ShareClaim::JobFull => {
                    refused("job_full");
                    let issued = job.share_difficulty();
                    registry.raise(job.worker(), self.sent_at, issued, RAISED_BY);
                    shares.push(Pending::rejected(Rejection::JobFull { issued }, worker));
                }
                ShareClaim::New(slot) => {
                    let named = request.worker.as_ref();
                    let Ok(credit) = registry.credit(miner, job.worker(), named, self.sent_at) else {
                        recent.release(template, proof.hash, mark);
                        self.give_back_from(before, registry, recent);
                        self.needs_numbers = true;
                        return JudgedRequest::Refused(Refusal::Busy);
                    };
                    if !credit.is_stored {
                        self.store_with(credit.worker, registry);
                    }
                    shares.push(Pending::Row(self.rows.len()));
                    let chain = job.template().chain();
                    let block = proof.is_block.then(|| FoundBlock {
                        height: chain.height,
                        reward: chain.coinbase_value,
                        finder: Some(miner),
                        bytes: job.template().block(&proof.header, proof.extranonce),
                    });
                    self.claimed.push(Claimed {
                        template,
                        hash: proof.hash,
                        miner,
                        worker: credit.worker,
                        steered: job.worker(),
                        job: mark,
                        slot,
                        share_difficulty: job.share_difficulty(),
                        units: job.units(),
                        is_block: proof.is_block,
                    });
                    self.rows.push(ShareRow {
                        template,
                        extranonce: proof.extranonce,
                        worker: credit.worker,
                        share_bits: job.share_target().to_compact(),
                        units: job.units(),
                        hash: proof.hash,
                        version: proof.header.version(),
                        time: proof.header.time(),
                        nonce: proof.header.nonce(),
                        received_at: self.dated,
                        block,
                    });
                }
            }
        }
        JudgedRequest::Judged { miner, shares }
    }

    /// Notes that this worker is to be stored with the rows.
    fn store_with(&mut self, id: WorkerId, registry: &Registry) {
        if self.new_workers.iter().any(|row| row.id == id) {
            return;
        }
        if let Some(worker) = registry.worker(id) {
            self.new_workers.push(WorkerRow {
                id,
                hotkey: worker.hotkey,
                name: worker.name.clone(),
            });
            self.stored_with.push(id);
        }
    }

    fn give_back_from(
        &mut self,
        (first_row, first_worker): (usize, usize),
        registry: &mut Registry,
        recent: &mut RecentShares,
    ) {
        for claimed in self.claimed.drain(first_row..) {
            recent.release(claimed.template, claimed.hash, claimed.job);
            registry.on_lost(claimed.worker);
        }
        self.rows.truncate(first_row);
        self.new_workers.truncate(first_worker);
        self.stored_with.truncate(first_worker);
    }

    /// Whether the commit must be waited for: there are new shares, or repeats of shares on their way.
    pub(super) fn needs_commit(&self) -> bool {
        let waits = |share: &Pending| !matches!(share, Pending::Rejected(_));
        self.requests.iter().any(|request| match request {
            JudgedRequest::Judged { shares, .. } => shares.iter().any(waits),
            JudgedRequest::Refused(_) => false,
        })
    }

    /// The commit came back: `first` is the sequence of the first row, if there were rows. Notes everything in
    /// memory, `record` too, and tells the verdicts.
    pub(super) fn applied(
        self,
        first: Option<Sequence>,
        registry: &mut Registry,
        recent: &mut RecentShares,
        mut record: impl FnMut(Hotkey, Units),
    ) -> Vec<Judgement> {
        let sequence_of = |row: usize| {
            let first = first.expect("requests with rows have a first sequence");
            Sequence::new(first.get() + row as u64)
        };
        for id in &self.stored_with {
            registry.worker_saved(*id);
        }
        let of_row = |(row, claimed): (usize, &Claimed)| (claimed.template, claimed.slot, sequence_of(row));
        recent.confirm_all(self.claimed.iter().enumerate().map(of_row));
        for (row, claimed) in self.claimed.iter().enumerate() {
            tracing::debug!(
                share = %claimed.hash,
                sequence = sequence_of(row).get(),
                miner = %claimed.miner,
                worker = claimed.worker.get(),
                "share is stored and counts"
            );
            let share = CountedShare {
                issued: claimed.share_difficulty,
                units: claimed.units,
                is_block: claimed.is_block,
            };
            registry.on_accepted(claimed.worker, self.sent_at, &share);
            if claimed.steered != claimed.worker {
                registry.steer(claimed.steered, self.sent_at, claimed.share_difficulty);
            }
            record(claimed.miner, claimed.units);
        }
        let claimed = &self.claimed;
        let finish = |miner: &Hotkey, share: Pending, registry: &mut Registry| match share {
            Pending::Row(row) => {
                let share = &claimed[row];
                Some(Ok(AcceptedShare {
                    hash: share.hash,
                    share_difficulty: share.share_difficulty,
                    sequence: sequence_of(row),
                    is_block: share.is_block,
                }))
            }
            Pending::SameAs(template, hash, worker) => {
                let duplicate = Rejection::Duplicate(recent.sequence_of(template, &hash)?);
                registry.on_rejected(miner, Some(worker), duplicate);
                Some(Err(duplicate))
            }
            Pending::Rejected(RejectedShare { reason, worker }) => {
                registry.on_rejected(miner, worker, reason);
                Some(Err(reason))
            }
        };
        self.requests
            .into_iter()
            .map(|request| match request {
                JudgedRequest::Refused(refusal) => Err(refusal),
                JudgedRequest::Judged { miner, shares } => {
                    let verdicts: Option<_> = shares
                        .into_iter()
                        .map(|share| finish(&miner, share, registry))
                        .collect();
                    // A header that was on its way got lost with its own commit. Repeating the request is
                    // safe: what did count will be told as duplicate, with its number.
                    verdicts.ok_or(Refusal::Unavailable)
                }
            })
            .collect()
    }

    /// The sequence of the last row, if there were rows.
    pub(super) fn last_sequence(&self, first: Option<Sequence>) -> Option<Sequence> {
        let behind = self.claimed.len().checked_sub(1)?;
        Some(Sequence::new(first?.get() + behind as u64))
    }

    /// Nobody knows whether the commit happened. The headers stay claimed: repeating cannot count twice.
    pub(super) fn unknown(self) -> Vec<Judgement> {
        self.requests
            .into_iter()
            .map(|request| match request {
                JudgedRequest::Refused(refusal) => Err(refusal),
                JudgedRequest::Judged { .. } => Err(Refusal::Unavailable),
            })
            .collect()
    }

    /// The commit failed: nothing counts, and every header may come again. Requests without new shares get
    /// their verdicts all the same.
    pub(super) fn failed(self, registry: &mut Registry, recent: &mut RecentShares) -> Vec<Judgement> {
        for claimed in &self.claimed {
            recent.release(claimed.template, claimed.hash, claimed.job);
            registry.on_lost(claimed.worker);
            tracing::debug!(share = %claimed.hash, miner = %claimed.miner, "share is not stored");
        }
        self.requests
            .into_iter()
            .map(|request| match request {
                JudgedRequest::Refused(refusal) => Err(refusal),
                JudgedRequest::Judged { shares, .. } => {
                    let known = |share| match share {
                        Pending::Rejected(rejected) => Ok(Err(rejected.reason)),
                        Pending::Row(_) | Pending::SameAs(..) => Err(Refusal::Unavailable),
                    };
                    shares.into_iter().map(known).collect()
                }
            })
            .collect()
    }
}
