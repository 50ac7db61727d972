//! What is measured while the pool works: how long things take, how much waits, how often something happens.
//!
//! Everything here is atomic numbers that whoever does the thing adds to and `/metrics` reads, so that measuring costs a
//! few nanoseconds, waits for nobody and takes no memory. They are the process's own and begin at zero with it; what has
//! to outlive it is in the ledger. Labels are kinds of actors, protocols and listeners, never miners, so that there are only
//! as many as the program has.
//!
//! | module | what |
//! |---|---|
//! | [`histogram`] | counts by size, in fixed buckets |
//! | [`actors`] | of each kind of actor, how many questions wait and how long each keeps its thread |

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use dwarves_ports::clock::Moment;

pub mod actors;
pub mod histogram;

use histogram::{Histogram, LATENCY, SIZES, Scale};

/// How long the shares of a request over HTTP waited for their verdicts, each share counted.
pub static ACKNOWLEDGED_HTTP: Histogram = Histogram::new(LATENCY, Scale::Seconds);
/// The same for shares of Stratum sessions.
pub static ACKNOWLEDGED_STRATUM: Histogram = Histogram::new(LATENCY, Scale::Seconds);
/// How long the store took for a commit, the disk's flush included.
pub static COMMITTED: Histogram = Histogram::new(LATENCY, Scale::Seconds);
/// How many shares (and other writes) shared a commit.
pub static COMMIT_SIZE: Histogram = Histogram::new(SIZES, Scale::Units);
/// How long a round took from the reading of its input to its commit.
pub static ROUND_CLOSED: Histogram = Histogram::new(LATENCY, Scale::Seconds);
/// How long after it was due a round was in the ledger.
pub static ROUND_LAG: Histogram = Histogram::new(LATENCY, Scale::Seconds);
/// Jobs that were given out over HTTP.
pub static JOBS_HTTP: Counter = Counter::new();
/// Jobs that were given out in Stratum sessions.
pub static JOBS_STRATUM: Counter = Counter::new();

/// Open connections to the HTTP listener.
pub static CONNECTIONS_HTTP: Level = Level::new();

/// How many there are of something that comes and goes.
#[derive(Debug)]
pub struct Level(AtomicI64);

impl Level {
    const fn new() -> Self {
        Self(AtomicI64::new(0))
    }

    /// One came.
    pub fn rise(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// One went.
    pub fn fall(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many there are now.
    pub fn now(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What only grows.
#[derive(Debug)]
pub struct Counter(AtomicU64);

impl Counter {
    const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// It happened this often.
    pub fn add(&self, times: usize) {
        // Nothing else is published by it, here or anywhere in this module.
        self.0.fetch_add(times as u64, Ordering::Relaxed);
    }

    /// How often it has happened since the start.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Notes in `histogram` how long ago `since` was, for so many things of which it is true.
pub fn note_since(histogram: &Histogram, since: Moment, times: usize) {
    histogram.note(Moment::now().nanos_since(since), times);
}
