//! A hashing thread: takes work, tries headers, tells what it finds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError};
use std::time::Duration;

use dwarves_api_types::work::Work;
use dwarves_domain::share::Submission;
use dwarves_domain::work::Algorithm;
use dwarves_lanes::Lanes;

use super::expiry::Term;
use super::search::{Freedom, Search};
use dwarves_system::clock::Stopwatch;

/// Nonces between two looks at the inbox: about 10 ms.
const fn batch(algorithm: Algorithm) -> u32 {
    match algorithm {
        Algorithm::Sha256d => 1 << 16,
        // As many as fill all lanes.
        Algorithm::Scrypt => 4 * 24,
    }
}

/// Batches a second of a throttled thread.
const THROTTLED_BATCHES: u64 = 20;
/// How long an idle thread waits for work between two looks at `halt`.
const IDLE: Duration = Duration::from_millis(100);

/// Work, and how long it is good.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) work: Work,
    pub(super) term: Term,
}

/// A share that a thread found, with the work that it belongs to.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) task: Arc<Task>,
    pub(super) share: Submission,
}

/// One hashing thread.
pub(super) struct Digger {
    /// Which part of the nonces, of how many.
    pub(super) part: u64,
    pub(super) parts: u64,
    /// What it hashes in.
    pub(super) lanes: Lanes,
    /// New work; only the newest matters.
    pub(super) inbox: Receiver<Arc<Task>>,
    pub(super) found: SyncSender<Found>,
    /// Hashes done by all threads.
    pub(super) hashes: Arc<AtomicU64>,
    pub(super) halt: Arc<AtomicBool>,
    /// Hashes per second at most.
    pub(super) throttle: Option<u32>,
}

impl Digger {
    /// Hashes until it is told to halt or nobody gives work any more.
    pub(super) fn run(self) {
        let mut present: Option<(Arc<Task>, Search)> = None;
        while !self.halt.load(Ordering::Relaxed) {
            match self.newest_work(present.is_none()) {
                Ok(Some(task)) => present = Some((Arc::clone(&task), self.search(&task.work))),
                Ok(None) => {}
                Err(Gone) => return,
            }
            let Some((task, search)) = &mut present else {
                continue;
            };
            // Shares of a job that is over count for nothing, so that hashing on would waste power.
            if task.term.is_over() || self.dig(task, search).is_none() {
                present = None;
            }
        }
    }

    /// Work that came in since the last look; waits a little for it if there is nothing else to do.
    fn newest_work(&self, idle: bool) -> Result<Option<Arc<Task>>, Gone> {
        let mut newest = None;
        if idle {
            match self.inbox.recv_timeout(IDLE) {
                Ok(work) => newest = Some(work),
                Err(RecvTimeoutError::Timeout) => return Ok(None),
                Err(RecvTimeoutError::Disconnected) => return Err(Gone),
            }
        }
        loop {
            match self.inbox.try_recv() {
                Ok(work) => newest = Some(work),
                Err(TryRecvError::Empty) => return Ok(newest),
                // The last work is still good until it expires.
                Err(TryRecvError::Disconnected) => return Ok(newest),
            }
        }
    }

    fn search(&self, work: &Work) -> Search {
        let freedom = Freedom {
            time_min: work.time_min,
            time_max: work.time_max,
            version_mask: work.version_mask,
        };
        Search::new(
            work.header,
            work.algorithm,
            self.lanes,
            freedom,
            self.part,
            self.parts,
        )
    }

    /// Tries one batch. `None` if all headers were tried, or nobody takes what is found any more.
    fn dig(&self, task: &Arc<Task>, search: &mut Search) -> Option<()> {
        let work = &task.work;
        let watch = Stopwatch::start();
        let batch = batch(work.algorithm);
        let most = self.throttle.map_or(batch, |rate| {
            let even = u64::from(rate).div_ceil(THROTTLED_BATCHES);
            u32::try_from(even).unwrap_or(batch).clamp(1, batch)
        });
        let batch = search.next_batch(most)?;
        let changed = |now: u32, before: u32| (now != before).then_some(now);
        let mut shares = Vec::new();
        batch
            .hasher
            .scan(batch.first, batch.count, work.share_target, |nonce| {
                shares.push(Submission {
                    job_id: work.job_id,
                    nonce,
                    time: changed(batch.time, work.header.time()),
                    version: changed(batch.version, work.header.version()),
                });
            });
        self.hashes.fetch_add(u64::from(batch.count), Ordering::Relaxed);
        for share in shares {
            // Waits while the submitter has as many as it may: a pool that cannot be reached stops the
            // search rather than losing what was found.
            let task = Arc::clone(task);
            self.found.send(Found { task, share }).ok()?;
        }
        if let Some(rate) = self.throttle {
            let due = Duration::from_secs_f64(f64::from(batch.count) / f64::from(rate.max(1)));
            std::thread::sleep(due.saturating_sub(watch.elapsed()));
        }
        Some(())
    }
}

/// Nobody gives work any more.
struct Gone;
