//! Measures the Stratum server under load: `cargo bench --bench stratum -- [options]`, `--help` for the options.
//!
//! It starts the pool's own binary on a stand-in for a node, whose templates are as mainnet's, opens sessions and
//! submits: shares that are accepted, each on disk before it is answered, and such that are refused for their
//! difficulty. Every answer is checked, and at the end the pool's own count of accepted shares must be what was
//! answered. Submits are made before a run, each with an extranonce of its own, as big machines send them.
//!
//! Machines differ, and one machine differs from minute to minute. So each figure stands next to the same run against a
//! *bare* server, measured in turns with it, that parses each line and answers that all is well. The ratio to it is
//! what can be compared between machines. The generator runs on one thread of the same machine.
//!
//! Submits are sent in both ways: many lines a write, and one a write as most miners do, whose rate is told as a part of
//! the other's. Proofs of work by scrypt take so long that they have a scenario of their own, of refused ones: the
//! generator need not seek any.
//!
//! Two scenarios are of ledgers on PostgreSQL: `ledgers` beside one in a file, and `sizes`, which is only measured if it
//! is named, on ledgers of very many shares. They start a server of what is installed, or take `--postgres URL`.
//!
//! With `--quick`, and when cargo runs it as a test, it is a smoke test of about 30 seconds that fails only on what
//! does not depend on the clock: the answers, their order, the totals before and after a crash. What a share and a
//! session take of memory, the test `allocations` counts exactly.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use postgres::Databases;

mod bare;
#[path = "../common/builds.rs"]
mod builds;
#[path = "../common/child.rs"]
mod child;
#[path = "../common/client.rs"]
mod client;
mod commits;
mod filling;
mod flood;
mod ledgers;
mod many;
mod pool;
mod postgres;
#[path = "../common/proc.rs"]
mod proc;
mod processes;
#[path = "../common/report.rs"]
mod report;
#[path = "../common/runner.rs"]
mod runner;
mod scenario;
mod session;
mod sizes;
mod standin;
mod turns;
mod watching;
mod work;

/// As in the pool, so that the bare server has the same.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What can go wrong here: nobody handles it, everybody reads it.
type Error = Box<dyn std::error::Error + Send + Sync>;

/// Loads a pool's Stratum port and measures it against a bare server.
#[derive(Debug, Parser)]
struct Options {
    /// A smoke test of about 30 seconds that judges no time.
    #[arg(long)]
    quick: bool,
    /// What to measure; everything but `sizes` if absent.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Connections of the scenario `flood`.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: u16,
    /// Submits that each of them has on the way.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=100))]
    in_flight: u16,
    /// Sessions of the scenario `many`.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u16).range(1..=19_000))]
    sessions: u16,
    /// Event streams that are open, beside a scrape of the figures a second, while this build is flooded. Measure it against
    /// itself to see what they cost: `--against target/release/dwarves`.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=2_000))]
    streams: u16,
    /// Rounds that count, of which the medians are taken; one before them is dropped.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// Measured seconds of one flood. At most 20: its lines are made before it, and their work lives for 120.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// How submits are sent; both ways if absent.
    #[arg(long, value_enum, value_delimiter = ',')]
    writes: Vec<flood::Writes>,
    /// Submits a second for which lines are made before a flood.
    #[arg(long, default_value_t = 300_000.0)]
    greatest: f64,
    #[command(flatten)]
    builds: builds::Builds,
    #[command(flatten)]
    database: postgres::Where,
    #[command(flatten)]
    sizes: sizes::Sizes,
    /// Be the bare server.
    #[arg(long, hide = true, requires = "listen_file")]
    bare: bool,
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
    /// As many answers as there can be, of shares that are accepted and of such that are refused.
    Flood,
    /// As many refusals as there can be of proofs of work by scrypt.
    Scrypt,
    /// 1,000 shares a second over 1,000 sessions.
    Steady,
    /// Very many sessions that wait: their memory, and when they hear of a block.
    Many,
    /// A ledger on PostgreSQL beside one in a file, and two fronts on it.
    Ledgers,
    /// What starts, rounds and pages take on ledgers of very many shares.
    Sizes,
}

impl Options {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    fn measured(&self) -> Result<Duration, Error> {
        if !(0.05..=20.0).contains(&self.seconds) {
            return Err("--seconds must be from 0.05 to 20".into());
        }
        Ok(Duration::from_secs_f64(self.seconds))
    }
}

fn run(options: &Options) -> Result<(), Error> {
    // Each connection is an open file, here as there.
    rlimit::increase_nofile_limit(u64::from(options.sessions) + u64::from(options.streams) + 1_000)?;
    if options.bare
        && let Some(listen_file) = &options.listen_file
    {
        return bare::serve(listen_file);
    }
    options.builds.check()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // All connections run on this one thread and share what they note.
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, measure(options))
}

/// Measures what was asked for.
async fn measure(options: &Options) -> Result<(), Error> {
    let is_named = |part| options.only.contains(&part);
    let needs_postgres = [Part::Ledgers, Part::Sizes];
    let only_ledgers =
        !options.only.is_empty() && options.only.iter().all(|part| needs_postgres.contains(part));
    let is_quick = options.quick || !options.bench;
    match (only_ledgers, is_quick) {
        (true, _) => {}
        (false, true) => scenario::quick(options).await?,
        (false, false) => scenario::full(options).await?,
    }
    if is_named(Part::Ledgers)
        || (options.only.is_empty() && !is_quick && Databases::can_be_had(&options.database))
    {
        ledgers::full(options).await?;
    } else if options.only.is_empty() {
        println!(
            "ledgers: not measured; it needs PostgreSQL's server, and is never part of --quick (--only ledgers)"
        );
    }
    if is_named(Part::Sizes) {
        sizes::full(options).await?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let options = Options::parse();
    if options.runner.only_asks() {
        return ExitCode::SUCCESS;
    }
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stratum: {error}");
            ExitCode::FAILURE
        }
    }
}
