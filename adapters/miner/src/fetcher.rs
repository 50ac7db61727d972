//! The thread that fetches work and hands it to the hashing threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use dwarves_domain::ids::WorkerName;
use dwarves_domain::work::JobId;

use super::api::{Advice, PoolClient, explain};
use super::backoff::{Backoff, sleep_unless};
use super::events::{Event, MinerError};
use super::hashing_thread::Task;
use super::transport::ApiError;
use dwarves_system::clock::Stopwatch;
use dwarves_system::entropy::SystemRandomness;

/// A long poll that brings nothing new is not repeated sooner than this.
const SHORTEST_POLL: Duration = Duration::from_secs(1);

/// Fetches work for all threads, by long poll.
pub(super) struct Fetcher {
    pub(super) client: PoolClient,
    pub(super) worker: WorkerName,
    pub(super) diggers: Vec<SyncSender<Arc<Task>>>,
    pub(super) events: SyncSender<Event>,
    pub(super) halt: Arc<AtomicBool>,
}

impl Fetcher {
    /// Registers, and fetches work until it is told to halt.
    pub(super) fn run(mut self) {
        let mut backoff = Backoff::default();
        let mut registered = false;
        let mut told_clock = false;
        let mut newest: Option<JobId> = None;
        let mut handed_out: Option<JobId> = None;
        while !self.halt.load(Ordering::Relaxed) {
            let watch = Stopwatch::start();
            let answer = if registered {
                self.client.fetch_task(&self.worker, newest)
            } else {
                self.client.register().and_then(|()| {
                    registered = true;
                    self.client.fetch_task(&self.worker, None)
                })
            };
            match answer {
                Ok(task) => {
                    backoff.reset();
                    if !std::mem::replace(&mut told_clock, true)
                        && let Some(off) = self.client.clock_is_off()
                        && self.events.send(Event::ClockIsOff(off)).is_err()
                    {
                        return;
                    }
                    newest = Some(task.work.job_id);
                    // Handing out the same job again would begin its search anew and find duplicates.
                    if handed_out == newest {
                        if self.events.send(Event::Reached).is_err() {
                            return;
                        }
                        sleep_unless(&self.halt, SHORTEST_POLL.saturating_sub(watch.elapsed()));
                        continue;
                    }
                    handed_out = newest;
                    if !self.hand_out(task) {
                        return;
                    }
                }
                Err(error) => {
                    // After trouble the present job may be gone; ask for work at once, not for newer work.
                    newest = None;
                    if !self.wait_after(&error, &mut backoff) {
                        return;
                    }
                }
            }
        }
    }

    /// Whether anybody is left to work on it.
    fn hand_out(&self, task: Task) -> bool {
        let event = Event::Work {
            height: task.work.height,
            share_difficulty: task.work.share_target.difficulty().to_f64(),
        };
        let task = Arc::new(task);
        self.events.send(event).is_ok()
            && self
                .diggers
                .iter()
                .all(|digger| digger.send(Arc::clone(&task)).is_ok())
    }

    /// Whether to go on.
    fn wait_after(&self, error: &ApiError, backoff: &mut Backoff) -> bool {
        match error.advice() {
            Advice::GiveUp => {
                let _nobody_listens = self.events.send(Event::Fatal(MinerError::Pool(error.clone())));
                false
            }
            Advice::Retry(asked) => {
                let told = self.events.send(Event::Trouble(explain(error))).is_ok();
                told && sleep_unless(&self.halt, backoff.next(asked, &SystemRandomness))
            }
        }
    }
}
