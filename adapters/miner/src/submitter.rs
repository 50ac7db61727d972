//! The thread that submits shares: gathers them, keeps them while the pool cannot be reached, and repeats
//! what was not answered.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use dwarves_api_types::work::ShareResult;
use dwarves_domain::ids::WorkerName;
use dwarves_domain::share::Submission;

use super::api::{Advice, PoolClient, explain};
use super::backoff::{Backoff, sleep_unless};
use super::events::{Event, MinerError};
use super::hashing_thread::Found;
use super::progress::EXPIRED_UNSENT;
use super::transport::ApiError;
use dwarves_system::clock::Stopwatch;
use dwarves_system::entropy::SystemRandomness;

/// How long shares are gathered before they are sent.
const GATHER: Duration = Duration::from_millis(200);
/// How many shares go into one request at most.
const BATCH_MAX: usize = 100;
/// How many shares are kept at most; the hashing threads wait when there are more.
const PENDING_MAX: usize = 10_000;
/// How long to wait for a share between two looks at `halt`.
const IDLE: Duration = Duration::from_millis(100);

/// A share that was not answered yet.
struct Pending {
    found: Found,
    /// Whether it was sent before: the pool may have it, though its answer was lost.
    sent: bool,
}

/// Submits shares, again if an answer got lost.
pub(super) struct Submitter {
    client: PoolClient,
    worker: WorkerName,
    inbox: Receiver<Found>,
    events: SyncSender<Event>,
    halt: Arc<AtomicBool>,
    pending: VecDeque<Pending>,
}

impl Submitter {
    pub(super) fn new(
        client: PoolClient,
        worker: WorkerName,
        inbox: Receiver<Found>,
        events: SyncSender<Event>,
        halt: Arc<AtomicBool>,
    ) -> Self {
        Self {
            client,
            worker,
            inbox,
            events,
            halt,
            pending: VecDeque::new(),
        }
    }

    /// Submits what comes in until every hashing thread has ended; then what is left, once.
    pub(super) fn run(mut self) {
        let mut backoff = Backoff::default();
        loop {
            let diggers_left = self.gather();
            self.drop_expired();
            if self.pending.is_empty() {
                if !diggers_left {
                    return;
                }
                continue;
            }
            match self.submit() {
                Ok(()) => backoff.reset(),
                Err(error) => match error.advice() {
                    Advice::GiveUp => {
                        let _nobody_listens = self.events.send(Event::Fatal(MinerError::Pool(error)));
                        return;
                    }
                    // Nobody waits for a pool that cannot be reached when the run is to end.
                    Advice::Retry(_) if self.halt.load(Ordering::Relaxed) => return,
                    Advice::Retry(asked) => {
                        let told = self.events.send(Event::Trouble(explain(&error))).is_ok();
                        if !told {
                            return;
                        }
                        sleep_unless(&self.halt, backoff.next(asked, &SystemRandomness));
                    }
                },
            }
        }
    }

    /// Takes in shares for a while. Whether more can come.
    fn gather(&mut self) -> bool {
        let watch = Stopwatch::start();
        while self.pending.len() < PENDING_MAX {
            let wait = if self.pending.is_empty() {
                IDLE
            } else if self.pending.len() >= BATCH_MAX {
                Duration::ZERO
            } else {
                GATHER.saturating_sub(watch.elapsed())
            };
            match self.inbox.recv_timeout(wait) {
                Ok(found) => self.pending.push_back(Pending { found, sent: false }),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        true
    }

    /// Forgets shares whose job is over: nobody takes them any more.
    fn drop_expired(&mut self) {
        let before = self.pending.len();
        self.pending.retain(|pending| !pending.found.task.term.is_over());
        let dropped = before - self.pending.len();
        if dropped > 0 {
            self.tell(0, 0, vec![EXPIRED_UNSENT.to_owned(); dropped]);
        }
    }

    /// Submits the oldest shares. If this fails they stay.
    fn submit(&mut self) -> Result<(), ApiError> {
        let batch: Vec<Submission> = self
            .pending
            .iter()
            .take(BATCH_MAX)
            .map(|pending| pending.found.share)
            .collect();
        let answer = self.client.submit(&self.worker, &batch);
        let verdicts = match answer {
            Ok(verdicts) => verdicts,
            Err(error) => {
                for pending in self.pending.iter_mut().take(batch.len()) {
                    pending.sent = true;
                }
                return self.refused(error, batch.len());
            }
        };
        let (mut accepted, mut blocks, mut rejected) = (0, 0, Vec::new());
        for (pending, verdict) in self.pending.drain(..batch.len()).zip(verdicts) {
            match verdict {
                ShareResult::Accepted { block, .. } => {
                    accepted += 1;
                    blocks += u64::from(block);
                }
                // Sent before and not answered: the first time counted.
                ShareResult::Rejected { reason, .. } if reason.is_duplicate() && pending.sent => {
                    accepted += 1
                }
                ShareResult::Rejected { reason, .. } => rejected.push(reason.0.into_owned()),
            }
        }
        self.tell(accepted, blocks, rejected);
        Ok(())
    }

    /// A request that the pool will never take as it is must not be repeated for ever: its shares are given
    /// up, in sight. What forbids the miner itself ends the run instead.
    fn refused(&mut self, error: ApiError, count: usize) -> Result<(), ApiError> {
        match (error.status(), error.code()) {
            (Some(400 | 413 | 415 | 422), Some(code)) => {
                let reason = code.to_owned();
                self.pending.drain(..count);
                self.tell(0, 0, vec![reason; count]);
                Ok(())
            }
            _ => Err(error),
        }
    }

    fn tell(&self, accepted: u64, blocks: u64, rejected: Vec<String>) {
        let _nobody_listens = self.events.send(Event::Verdicts {
            accepted,
            blocks,
            rejected,
            waiting: self.pending.len() as u64,
        });
    }
}
