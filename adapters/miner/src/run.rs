//! The threads of a run and what they tell each other.
//!
//! ```text
//!   fetcher --work--> diggers --found--> submitter
//!      |                 | (a counter)       |
//!      +---------------- events -------------+--> the caller's thread --> sink
//! ```

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use dwarves_domain::ids::WorkerName;
use dwarves_lanes::Lanes;

use super::api::PoolClient;
use super::backoff::sleep_unless;
use super::events::{Event, MinerError};
use super::fetcher::Fetcher;
use super::hashing_thread::{Digger, Found};
use super::progress::{Money, Progress, RateMeter};
use super::submitter::Submitter;
use dwarves_keys::HotkeyFile;
use dwarves_system::clock::Stopwatch;

/// Jobs on their way to a hashing thread, shares on their way to the submitter, events on their way here.
const WORK_QUEUE: usize = 16;
const FOUND_QUEUE: usize = 1_024;
const EVENT_QUEUE: usize = 256;
/// How often the sink is told at least.
const TICK: Duration = Duration::from_millis(250);
/// How often the pool is asked for the miner's balances.
const STATUS_EVERY: Duration = Duration::from_secs(5);

/// What to mine, where and how.
#[derive(Clone, Debug)]
pub struct MinerOptions {
    /// The pool's address, such as `http://127.0.0.1:8080`.
    pub pool_url: String,
    /// The miner's key.
    pub key: Arc<HotkeyFile>,
    /// The name of this machine.
    pub worker: WorkerName,
    /// Threads that hash.
    pub threads: NonZeroU32,
    /// Where payouts shall go; `None` leaves it as the pool has it.
    pub payout_address: Option<String>,
    /// End after this long; `None`: when told to stop.
    pub duration: Option<Duration>,
    /// Hashes per second of each thread at most; `None`: as many as it can.
    pub throttle: Option<u32>,
}

/// Mines until `stop` is set, the duration is over, or the pool refuses for good. Tells `sink` four times a
/// second, and returns what the run came to. A pool that cannot be reached is tried again and again.
///
/// Two threads may outlive the call by up to 75 s: those that wait for an answer of the pool. They do no
/// work then.
///
/// # Errors
/// See [`MinerError`].
pub fn run(
    options: &MinerOptions,
    stop: &AtomicBool,
    sink: impl FnMut(&Progress),
) -> Result<Progress, MinerError> {
    let mut client = PoolClient::new(
        &options.pool_url,
        Arc::clone(&options.key),
        options.payout_address.clone(),
    )
    .map_err(MinerError::Pool)?;
    let (events, inbox) = mpsc::sync_channel(EVENT_QUEUE);
    let (found, found_inbox) = mpsc::sync_channel(FOUND_QUEUE);
    let mut crew = Crew::default();
    let started = start(&mut crew, options, &client, events, found, found_inbox);
    let mut watch = Watch {
        progress: Progress::default(),
        started: Stopwatch::start(),
        meter: RateMeter::default(),
        hashes: Arc::clone(&crew.hashes),
        sink,
    };
    let outcome = started.and_then(|()| watch.until_end(&inbox, options.duration, stop));
    crew.halt.store(true, Ordering::Relaxed);
    for worker in crew.workers {
        // Events are taken in while waiting: a full queue would keep a thread from ending.
        while !worker.is_finished() {
            if let Err(error) = watch.take_in(&inbox, Duration::from_millis(20)) {
                log::debug!("while stopping: {error}");
            }
        }
        if worker.join().is_err() {
            log::error!("a thread of the miner panicked");
        }
    }
    while let Ok(true) = watch.take_in(&inbox, Duration::ZERO) {}
    // A last look, so that the summary is up to date; not at a pool that was not there a moment ago.
    if watch.progress.trouble.is_none()
        && let Ok(status) = client.status()
        && let Some(money) = Money::of(&status)
    {
        watch.progress.money = Some(money);
    }
    outcome?;
    watch.tell();
    Ok(watch.progress)
}

/// The threads that are waited for, and what they share: two numbers.
#[derive(Default)]
struct Crew {
    halt: Arc<AtomicBool>,
    hashes: Arc<AtomicU64>,
    workers: Vec<thread::JoinHandle<()>>,
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<thread::JoinHandle<()>, MinerError> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(|error| MinerError::Thread(error.to_string()))
}

fn start(
    crew: &mut Crew,
    options: &MinerOptions,
    client: &PoolClient,
    events: SyncSender<Event>,
    found: SyncSender<Found>,
    found_inbox: Receiver<Found>,
) -> Result<(), MinerError> {
    let parts = u64::from(options.threads.get());
    let lanes = Lanes::best();
    let mut diggers = Vec::new();
    for part in 0..parts {
        let (sender, inbox) = mpsc::sync_channel(WORK_QUEUE);
        let digger = Digger {
            part,
            parts,
            lanes,
            inbox,
            found: found.clone(),
            hashes: Arc::clone(&crew.hashes),
            halt: Arc::clone(&crew.halt),
            throttle: options.throttle,
        };
        crew.workers
            .push(spawn(&format!("digger-{part}"), move || digger.run())?);
        diggers.push(sender);
    }
    let submitter = Submitter::new(
        client.clone(),
        options.worker.clone(),
        found_inbox,
        events.clone(),
        Arc::clone(&crew.halt),
    );
    crew.workers.push(spawn("submitter", move || submitter.run())?);
    let fetcher = Fetcher {
        client: client.clone(),
        worker: options.worker.clone(),
        diggers,
        events: events.clone(),
        halt: Arc::clone(&crew.halt),
    };
    // These two wait for the pool for up to a long poll's time and cannot be interrupted: nobody waits for
    // them. They end when they see `halt`, or that nobody listens to them.
    spawn("fetcher", move || fetcher.run())?;
    let (mut client, halt) = (client.clone(), Arc::clone(&crew.halt));
    spawn("status", move || watch_balance(&mut client, &events, &halt))?;
    Ok(())
}

/// Tells again and again what the pool shows as earned. Failures are told by others.
fn watch_balance(client: &mut PoolClient, events: &SyncSender<Event>, halt: &AtomicBool) {
    while sleep_unless(halt, STATUS_EVERY) {
        if let Ok(status) = client.status()
            && let Some(money) = Money::of(&status)
            && events.send(Event::Money(money)).is_err()
        {
            return;
        }
    }
}

/// The caller's thread: adds up what the others tell.
struct Watch<S> {
    progress: Progress,
    started: Stopwatch,
    meter: RateMeter,
    hashes: Arc<AtomicU64>,
    sink: S,
}

impl<S: FnMut(&Progress)> Watch<S> {
    fn until_end(
        &mut self,
        inbox: &Receiver<Event>,
        duration: Option<Duration>,
        stop: &AtomicBool,
    ) -> Result<(), MinerError> {
        let mut since_told = Stopwatch::start();
        while !stop.load(Ordering::Relaxed) {
            let elapsed = self.started.elapsed();
            if duration.is_some_and(|duration| elapsed >= duration) {
                break;
            }
            if since_told.elapsed() >= TICK {
                since_told.lap();
                self.tell();
            }
            self.take_in(inbox, TICK.saturating_sub(since_told.elapsed()))?;
        }
        Ok(())
    }

    /// Takes in one event, if one comes in time. Whether one came.
    fn take_in(&mut self, inbox: &Receiver<Event>, wait: Duration) -> Result<bool, MinerError> {
        let event = match inbox.recv_timeout(wait) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => return Ok(false),
            // Every thread has ended, which they do when they are told to: nothing can come any more.
            Err(RecvTimeoutError::Disconnected) => {
                thread::sleep(wait);
                return Ok(false);
            }
        };
        let progress = &mut self.progress;
        match event {
            Event::Work {
                height,
                share_difficulty,
            } => {
                progress.jobs += 1;
                progress.height = Some(height);
                progress.share_difficulty = Some(share_difficulty);
                progress.trouble = None;
            }
            Event::Verdicts {
                accepted,
                blocks,
                rejected,
                waiting,
            } => {
                progress.accepted += accepted;
                progress.blocks += blocks;
                progress.waiting = waiting;
                if accepted > 0 {
                    progress.trouble = None;
                }
                for reason in rejected {
                    *progress.rejected.entry(reason).or_insert(0) += 1;
                }
            }
            Event::Reached => progress.trouble = None,
            Event::Money(money) => progress.money = Some(money),
            Event::ClockIsOff(clock) => progress.clock = Some(clock),
            Event::Trouble(trouble) => progress.trouble = Some(trouble),
            Event::Fatal(error) => return Err(error),
        }
        Ok(true)
    }

    fn tell(&mut self) {
        self.progress.elapsed = self.started.elapsed();
        self.progress.hashes = self.hashes.load(Ordering::Relaxed);
        self.progress.hashrate = self.meter.note(self.progress.elapsed, self.progress.hashes);
        (self.sink)(&self.progress);
    }
}
