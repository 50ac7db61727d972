//! What a start, a round and a miner's pages take on a ledger of very many shares, beside one of few.
//!
//! Each ledger is filled through the store: the same miners over the same day, only that they brought more. Rounds are
//! closed through the store as well, with all that a pool asks for one. Starts and pages are the pool's own: it is
//! killed and started again, and right after that asked for the pages.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use dwarves_ports::store::SharedStore;
use dwarves_store_postgres::{PostgresOptions, PostgresStore};
use dwarves_store_sqlite::{SqliteOptions, SqliteStore};

use crate::builds::Build;
use crate::client::Client;
use crate::filling::{Filling, miner};
use crate::ledgers::{on_database, parent_of};
use crate::pool::Pool;
use crate::postgres::Databases;
use crate::report::median_of;
use crate::standin::{Coin, MAINNET_TRANSACTIONS, StandIn};
use crate::{Error, Options, proc};

/// How often each is measured.
const TIMES: usize = 5;
/// How much longer anything may take on a greater ledger.
const GOAL: f64 = 1.5;
/// The ledger's file, in a pool's directory.
const FILE: &str = "data/dwarves.db";

/// Which ledgers.
#[derive(Debug, Args)]
pub(crate) struct Sizes {
    /// Shares of the ledgers of the scenario `sizes`; those after the first are compared with it.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000_000, 50_000_000],
        value_parser = clap::value_parser!(u64).range(10_000..=1_000_000_000))]
    shares: Vec<u64>,
    /// What keeps them.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Kept::Postgres])]
    kept: Vec<Kept>,
}

/// What keeps a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kept {
    /// A PostgreSQL server.
    Postgres,
    /// A file, by SQLite.
    Sqlite,
}

/// What took how long, each time, in milliseconds.
struct Times {
    start: Vec<f64>,
    round: Vec<f64>,
    page: Vec<f64>,
    history: Vec<f64>,
}

impl Times {
    /// Their names and medians.
    fn medians(&self) -> [(&'static str, f64); 4] {
        [
            ("a start after kill -9, until miners may come", &self.start),
            ("a reward round, until it is stored", &self.round),
            ("GET /v1/miners/{hotkey}", &self.page),
            ("GET /v1/miners/{hotkey}/history", &self.history),
        ]
        .map(|(name, times)| (name, median_of(&mut times.clone())))
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Measures all of it.
pub(crate) async fn full(options: &Options) -> Result<(), Error> {
    let parent = parent_of(options);
    println!(
        "{}; Linux {}; medians of {TIMES} in ms",
        proc::processor(),
        proc::kernel()
    );
    for &kept in &options.sizes.kept {
        let databases = match kept {
            Kept::Postgres => Some(Databases::open(&options.database, &parent)?),
            Kept::Sqlite => None,
        };
        match &databases {
            Some(Databases::Named { .. }) if options.sizes.shares.len() > 1 => {
                return Err("there is one database of --postgres, so --shares can name one number".into());
            }
            Some(databases) => println!("PostgreSQL: {}", databases.words()),
            None => println!("SQLite: WAL, synchronous=FULL"),
        }
        let mut first: Option<Times> = None;
        for &shares in &options.sizes.shares {
            let times = measure(options, &parent, databases.as_ref(), shares).await?;
            for (place, (name, median)) in times.medians().into_iter().enumerate() {
                let few = first.as_ref().map(|few| few.medians()[place].1);
                let ratio = few.map(|few| format!(", {:.2} times as long (goal <= {GOAL})", median / few));
                println!(
                    "{shares:>11} shares, {name:<46} {median:>8.1}{}",
                    ratio.unwrap_or_default()
                );
            }
            first.get_or_insert(times);
        }
    }
    Ok(())
}

/// Fills a ledger, and measures on it.
async fn measure(
    options: &Options,
    parent: &Path,
    databases: Option<&Databases>,
    shares: u64,
) -> Result<Times, Error> {
    let node = StandIn::start(Coin::Bitcoin, MAINNET_TRANSACTIONS)?;
    let build = options.builds.this("pool");
    let url = databases
        .map(|databases| databases.database(&format!("ledger_{shares}")))
        .transpose()?;
    let build = url
        .as_deref()
        .map_or(build.clone(), |url| on_database(build, url));
    // It is a pool's ledger before it is filled: it has its keys, and knows its chain.
    let dir = Pool::start(&build, parent, &node)?.crash()?;
    let mut filling = Filling::begin(open(url.as_deref(), &dir.path().join(FILE))?, shares).await?;
    filling.fill().await?;
    let mut round = Vec::new();
    // The first one fills caches, on every ledger.
    for time in 0..=TIMES {
        let took = filling.round().await?;
        round.extend((time > 0).then(|| millis(took)));
    }
    filling.end().await?;
    let mut pool = Pool::start_in(dir, &build, &node)?;
    let (mut start, mut page, mut history) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TIMES {
        let took;
        (pool, took) = restart(pool, &build)?;
        start.push(millis(took));
        let mut client = Client::connect(pool.http()?).await?;
        let path = format!("/v1/miners/{}", miner(7));
        page.push(get(&mut client, &path).await?);
        history.push(get(&mut client, &format!("{path}/history")).await?);
    }
    Ok(Times {
        start,
        round,
        page,
        history,
    })
}

fn open(url: Option<&str>, file: &Path) -> Result<SharedStore, Error> {
    Ok(match url {
        Some(url) => Arc::new(PostgresStore::open(&PostgresOptions::new(url, None, None)?)?),
        None => Arc::new(SqliteStore::open(file, SqliteOptions::default())?),
    })
}

/// Kills the pool and starts it again. How long it took until it said where it listens.
fn restart(pool: Pool, build: &Build) -> Result<(Pool, Duration), Error> {
    let begin = Instant::now();
    let pool = pool.crash_and_restart(build)?;
    Ok((pool, begin.elapsed()))
}

/// Asks for a page. How long it took.
async fn get(client: &mut Client, path: &str) -> Result<f64, Error> {
    let begin = Instant::now();
    let answer = client.request("GET", path, "", b"").await?;
    match answer.status {
        200 => Ok(millis(begin.elapsed())),
        status => Err(format!("GET {path}: {status} {}", answer.body).into()),
    }
}
