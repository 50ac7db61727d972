//! Measures the running pool under load: `cargo bench --bench load -- [options]`, `--help` for the options.
//!
//! It starts the pool's own binary in an empty data directory, registers miners with signed requests, opens
//! sessions, fetches work and submits valid shares over HTTP. The share difficulty is the lowest that there
//! is, so that about every fourth nonce is a share: what is measured is the pool, not hashing. Every verdict
//! is checked, and at the end the pool's own count of accepted shares must be what was acknowledged.
//!
//! Machines differ, and one machine differs from minute to minute. So each figure stands next to the same run
//! against a *bare* server, measured in turns with it: an actix-web route with as many workers and the same
//! allocator that parses the same JSON and answers with the pool's own answer, fixed. It is the most that a
//! server of this kind can do here, and the ratio to it is what can be compared between machines. A second bare server
//! reads a request as the pool does and writes its answer anew, but judges nothing: what is between the two is the
//! price of being strict, what is between it and the pool is the share's own way.
//!
//! Latencies are taken in the generator, which runs on one thread of the same machine: they include its own
//! part of the work, and shares per second include the CPU that it takes.
//!
//! With `--quick`, and when cargo runs it as a test, it is a smoke test of about 20 seconds that fails only on
//! what does not depend on the clock: every share is accepted and named by its hash, no sequence number is
//! given twice, and the totals agree.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

mod bare;
#[path = "../common/builds.rs"]
mod builds;
#[path = "../common/child.rs"]
mod child;
#[path = "../common/client.rs"]
mod client;
mod disk;
mod load;
mod pool;
#[path = "../common/proc.rs"]
mod proc;
#[path = "../common/report.rs"]
mod report;
#[path = "../common/runner.rs"]
mod runner;
mod scenario;
mod server;
mod shares;

/// As in the pool, so that the bare server has the same.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What can go wrong here: nobody handles it, everybody reads it.
type Error = Box<dyn std::error::Error + Send + Sync>;

/// Loads a pool with shares and measures it against a bare server.
#[derive(Debug, Parser)]
struct Options {
    /// A smoke test of about 20 seconds that judges no time.
    #[arg(long)]
    quick: bool,
    /// What to measure; everything if absent.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Connections of the scenario `single`.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: u16,
    /// Connections of the scenario `batch`.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=4096))]
    batch_connections: u16,
    /// Shares of one request in the scenario `batch`.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    batch: u16,
    /// Rounds that count, of which the medians are taken; one before them is dropped.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// Measured seconds of one run. At most 60: work is fetched before each run and lives 120.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    #[command(flatten)]
    builds: builds::Builds,
    /// Be the bare server, and answer with this file's text.
    #[arg(long, value_name = "FILE", hide = true, requires = "listen_file")]
    bare: Option<PathBuf>,
    /// Which of them.
    #[arg(long, value_enum, hide = true, default_value = "bare")]
    kind: bare::Kind,
    /// Where the bare server writes its address.
    #[arg(long, value_name = "FILE", hide = true)]
    listen_file: Option<PathBuf>,
    /// What `cargo bench` passes; without it cargo runs this as a test.
    #[arg(long, hide = true)]
    bench: bool,
    #[command(flatten)]
    runner: runner::Runner,
}

/// One scenario, which `--only` can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// One share a request: the pool, the bare server and the pool that does not await the disk.
    Single,
    /// Many shares a request.
    Batch,
    /// One connection, next to what the disk takes for one flush.
    One,
    /// Requests at half of the greatest rate, at fixed times.
    Half,
    /// One share a request over 512 connections.
    Many,
}

impl Options {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    fn measured(&self) -> Result<Duration, Error> {
        if !(0.05..=60.0).contains(&self.seconds) {
            return Err("--seconds must be from 0.05 to 60".into());
        }
        Ok(Duration::from_secs_f64(self.seconds))
    }
}

fn run(options: &Options) -> Result<(), Error> {
    if let (Some(answer), Some(listen_file)) = (&options.bare, &options.listen_file) {
        return bare::serve(options.kind, answer, listen_file);
    }
    options.builds.check()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // All connections run on this one thread and share what they note.
    let local = tokio::task::LocalSet::new();
    if options.quick || !options.bench {
        local.block_on(&runtime, scenario::quick(options))
    } else {
        local.block_on(&runtime, scenario::full(options))
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    if options.runner.only_asks() {
        return ExitCode::SUCCESS;
    }
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}
