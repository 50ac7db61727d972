//! The scenarios, and the order in which the servers take their turns.

use std::net::SocketAddr;
use std::time::Duration;

use crate::builds::Build;
use crate::child::{Child, new_dir};
use crate::flood::{self, Expect, Load, Outcome, Pace, Script, Writes};
use crate::many::{Crowd, Heard};
use crate::pool::{Pool, users};
use crate::report::{Figures, Report, Series, Spread};
use crate::session::Line;
use crate::standin::{Coin, MAINNET_TRANSACTIONS, StandIn};
use crate::turns::{Turn, compare, spread};
use crate::watching::Watching;
use crate::{Error, Options, Part, many};

/// What the build that is measured is called.
const THIS: &str = "pool";
/// No machine checks as many proofs of scrypt a second, for which lines are made.
const SCRYPT_GREATEST: f64 = 50_000.0;
/// Nor are as many answered by a build for debugging.
const QUICK_GREATEST: f64 = 60_000.0;
/// What the pool's answer to an accepted share waits for.
const DURABILITY: &str = "an accepted share is answered after fdatasync (SQLite WAL, synchronous=FULL)";
/// How long a server gets to finish what the last run left, before the next begins.
const SETTLE: Duration = Duration::from_millis(300);
/// Sessions and rate of the scenario `steady`.
const STEADY_SESSIONS: usize = 1_000;
const STEADY_RATE: f64 = 1_000.0;
/// Sessions of the pool that a crowd's memory is compared with.
const FEW: usize = 100;
/// Seconds of its runs, and blocks of the scenario `many`.
const STEADY_SECS: u64 = 5;
const BLOCKS: usize = 5;

/// The bare server, as a process of its own.
struct Bare(Child);

impl Bare {
    fn start(options: &Options) -> Result<Self, Error> {
        let dir = new_dir(&options.builds.dir)?;
        Ok(Self(Child::this_program(dir, &["--bare".as_ref()])?))
    }

    fn address(&self) -> Result<SocketAddr, Error> {
        let address = self.0.listening["stratum"][0].as_str();
        Ok(address.ok_or("a bare server without a port")?.parse()?)
    }

    /// Runs `load` with scripts that were written for a pool.
    async fn run(&self, scripts: Vec<Script>, load: &Load) -> Result<Outcome, Error> {
        let mut through = Vec::with_capacity(scripts.len());
        for script in scripts {
            through.push(script.through(Line::connect(self.address()?).await?));
        }
        // It says of everything that it is accepted.
        flood::run(&self.0.pid().into(), through, load, Expect::Accepted)
            .await
            .map_err(|error| format!("bare: {error}").into())
    }
}

/// Lines that each session needs for a run, if all together submit `greatest` a second.
pub(crate) fn lines_needed(load: &Load, greatest: f64) -> usize {
    let rate = match load.pace {
        Pace::InFlight(..) => greatest,
        Pace::Steady(rate) => rate,
    };
    let in_all = rate * (load.warm_up + load.measured).as_secs_f64();
    (in_all / load.sessions as f64 * 1.1).ceil() as usize + 64
}

async fn run_pool(pool: &mut Pool, load: &Load, expect: Expect, greatest: f64) -> Result<Outcome, Error> {
    let scripts = pool
        .scripts(load.sessions, lines_needed(load, greatest), expect)
        .await?;
    tokio::time::sleep(SETTLE).await;
    pool.run(scripts, load, expect).await
}

/// What one scenario floods with.
struct Flood<'a> {
    connections: usize,
    in_flight: usize,
    measured: Duration,
    /// The answers that are looked for.
    expects: &'a [Expect],
    /// The ways of sending.
    writes: &'a [Writes],
    /// Submits a second for which lines are made.
    greatest: f64,
    rounds: usize,
    /// Event streams that are open while this build is flooded.
    streams: usize,
}

impl Flood<'_> {
    fn load(&self, writes: Writes) -> Load {
        Load {
            sessions: self.connections,
            pace: Pace::InFlight(self.in_flight, writes),
            warm_up: self.measured.div_f64(5.0),
            measured: self.measured,
        }
    }

    /// All pools, with each answer and each way of sending, and the bare server, in turns: forth in one round, back in the
    /// next, so that what drifts on this machine meets all of them alike. The first round is dropped.
    async fn in_turns(&self, pools: &mut [Pool], bare: Option<&Bare>) -> Result<Vec<Turn>, Error> {
        let mut turns: Vec<Turn> = Vec::new();
        for &writes in self.writes {
            for pool in 0..pools.len() {
                let each = self.expects.iter();
                turns.extend(each.map(|&expect| Turn::new(pools, Some(pool), expect, writes)));
            }
            turns.extend(bare.map(|_| Turn::new(pools, None, Expect::Refused, writes)));
        }
        for round in 0..=self.rounds {
            let mut order: Vec<usize> = (0..turns.len()).collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for index in order {
                let turn = &mut turns[index];
                let load = self.load(turn.writes);
                let outcome = match (turn.pool, bare) {
                    (Some(pool), _) => {
                        let streams = if pool == 0 { self.streams } else { 0 };
                        let watching = Watching::begin(pools[pool].http()?, streams).await?;
                        let pool = &mut pools[pool];
                        let outcome = run_pool(pool, &load, turn.expect, self.greatest).await?;
                        watching.end()?;
                        outcome
                    }
                    (None, Some(bare)) => {
                        let count = lines_needed(&load, self.greatest);
                        let scripts = pools[0].scripts(load.sessions, count, turn.expect).await?;
                        bare.run(scripts, &load).await?
                    }
                    (None, None) => return Err("there is no bare server".into()),
                };
                if round > 0 {
                    turn.series.runs.push(Figures::from(&outcome));
                }
            }
        }
        Ok(turns)
    }
}

/// Everything that was asked for.
pub(crate) async fn full(options: &Options) -> Result<(), Error> {
    let rounds = usize::from(options.rounds);
    let node = StandIn::start(Coin::Bitcoin, MAINNET_TRANSACTIONS)?;
    let mut pools = start_pools(options, &node)?;
    let bare = Bare::start(options)?;
    let mut report = Report::default();
    for pool in &pools {
        report.remark(&format!("{}: SHA-256d is hashed by {}", pool.name, pool.lanes()?));
    }
    let writes = match options.writes.as_slice() {
        [] => &[Writes::Many, Writes::One],
        some => some,
    };
    let flood = Flood {
        connections: usize::from(options.connections),
        in_flight: usize::from(options.in_flight),
        measured: options.measured()?,
        expects: &[Expect::Accepted, Expect::Refused],
        writes,
        greatest: options.greatest,
        rounds,
        streams: usize::from(options.streams),
    };
    let scenario = format!("c={} x {}", flood.connections, flood.in_flight);
    if options.streams > 0 {
        let what = format!(
            "{THIS}: {} event streams are open and read, and /metrics is read every second",
            options.streams
        );
        report.remark(&what);
    }
    if options.wants(Part::Flood) {
        let turns = flood.in_turns(&mut pools, Some(&bare)).await?;
        compare(&scenario, &turns, [">= 150000", "<= 8", ">= 0.3"], &mut report);
    }
    if options.wants(Part::Steady) {
        for pool in &mut pools {
            steady(pool, rounds, options.greatest, &mut report).await?;
        }
    }
    for pool in &pools {
        pool.check_totals().await?;
        println!("{}: {}, as it counted itself", pool.name, pool.totals());
    }
    drop(pools);
    if options.wants(Part::Scrypt) {
        let node = StandIn::start(Coin::Litecoin, MAINNET_TRANSACTIONS)?;
        let flood = Flood {
            expects: &[Expect::Refused],
            greatest: options.greatest.min(SCRYPT_GREATEST),
            ..flood
        };
        let turns = flood.in_turns(&mut start_pools(options, &node)?, None).await?;
        compare(&format!("scrypt, {scenario}"), &turns, ["none"; 3], &mut report);
    }
    if options.wants(Part::Many) {
        many(options, &node, &bare, usize::from(options.sessions), &mut report).await?;
    }
    report.print(DURABILITY, rounds, options.seconds);
    Ok(())
}

/// This build of the pool and the others, each with a ledger of its own.
fn start_pools(options: &Options, node: &StandIn) -> Result<Vec<Pool>, Error> {
    builds(options)
        .map(|build| Pool::start(&build, &options.builds.dir, node))
        .collect()
}

/// This build and the others.
fn builds(options: &Options) -> impl Iterator<Item = Build> {
    let watched = options.streams > 0;
    let builds = [options.builds.this(THIS)].into_iter();
    builds.chain(options.builds.others()).map(move |mut build| {
        if watched {
            // All event streams come from here. Both builds have it, so that nothing else differs.
            let all = (
                "DWARVES__LIMITS__CLIENT_SHARE_PERCENT".to_owned(),
                "100".to_owned(),
            );
            build.settings.push(all);
        }
        build
    })
}

/// A fixed rate over many sessions: what each waits.
async fn steady(pool: &mut Pool, rounds: usize, greatest: f64, report: &mut Report) -> Result<(), Error> {
    let load = Load {
        sessions: STEADY_SESSIONS,
        pace: Pace::Steady(STEADY_RATE),
        warm_up: Duration::from_secs(1),
        measured: Duration::from_secs(STEADY_SECS),
    };
    let mut series = Series {
        name: pool.name.clone(),
        runs: Vec::new(),
    };
    for round in 0..=rounds {
        let outcome = run_pool(pool, &load, Expect::Accepted, greatest).await?;
        if round > 0 {
            series.runs.push(Figures::from(&outcome));
        }
    }
    let name = series.name.clone();
    report.row(&format!("c={STEADY_SESSIONS} at {STEADY_RATE}/s"), &series);
    report.line(
        &format!("{name}: steady p50 ms"),
        spread(&series, |run| run.latency_ms[0]),
        "ckpool 0.35",
    );
    report.line(
        &format!("{name}: steady p99 ms"),
        spread(&series, |run| run.latency_ms[1]),
        "<= 5 to 6.5",
    );
    Ok(())
}

/// A crowd at a pool of its own.
async fn crowd(options: &Options, build: &Build, node: &StandIn, sessions: usize) -> Result<Crowd, Error> {
    let pool = Pool::start(build, &options.builds.dir, node)?;
    let address = pool.address(Expect::Accepted)?;
    many::at_pool(address, pool.pid(), node, users(node.coin, sessions), BLOCKS).await
}

/// A crowd next to few sessions and to a crowd at the bare server. With another build its crowd takes turns with the
/// pool's.
async fn many(
    options: &Options,
    node: &StandIn,
    bare: &Bare,
    sessions: usize,
    report: &mut Report,
) -> Result<(), Error> {
    for build in builds(options) {
        let name = &build.name;
        let few = crowd(options, &build, node, FEW).await?;
        let crowd = crowd(options, &build, node, sessions).await?;
        let address = bare.address()?;
        let bare = many::at_bare(address, bare.0.pid(), sessions, &like_a_notify(), BLOCKS).await?;
        let bytes = crowd.bytes_each(&few);
        report.line(
            &format!("{name}, {sessions} sessions: bytes of each"),
            Spread::of(vec![bytes[0]]),
            "<= 4000",
        );
        report.line("  after 5 blocks", Spread::of(vec![bytes[1]]), "<= 6000");
        heard(&crowd.hearing, &bare, report);
    }
    Ok(())
}

fn heard(pool: &Heard, bare: &Heard, report: &mut Report) {
    let column = |heard: &Heard, at: usize| Spread::of(heard.ms.iter().map(|row| row[at]).collect());
    for (at, who) in ["the first", "half", "the last"].into_iter().enumerate() {
        let goal = if at == 2 { "<= 100" } else { "none" };
        report.line(
            &format!("  a block reaches {who} of them, ms"),
            column(pool, at),
            goal,
        );
    }
    let last = "  a text of the bare server reaches the last, ms";
    report.line(last, column(bare, 2), "none");
    let ratio = pool.ms.iter().zip(&bare.ms).map(|(pool, bare)| pool[2] / bare[2]);
    report.line("  pool / bare", Spread::of(ratio.collect()), "<= 1.5");
    let cpu = |heard: &Heard| Spread::of(vec![heard.cpu_us]);
    report.line("  CPU us of the server, each session a block", cpu(pool), "none");
    report.line("  the same of the bare server", cpu(bare), "none");
}

/// A text as long as a notify with the branch of 2,500 transactions.
fn like_a_notify() -> String {
    format!(
        "{{\"id\":null,\"method\":\"mining.notify\",\"params\":[\"{}\",true]}}\n",
        "0".repeat(1_300)
    )
}

/// The smoke test: what must hold on any machine, however slow.
pub(crate) async fn quick(options: &Options) -> Result<(), Error> {
    const SESSIONS: usize = 20;
    const CROWD: usize = 500;
    const FEW_TRANSACTIONS: usize = 10;
    let node = StandIn::start(Coin::Bitcoin, FEW_TRANSACTIONS)?;
    let build = options.builds.this(THIS);
    let mut pool = Pool::start(&build, &options.builds.dir, &node)?;
    let bare = Bare::start(options)?;
    let load = Load {
        sessions: SESSIONS,
        pace: Pace::InFlight(16, Writes::Many),
        warm_up: Duration::from_millis(200),
        measured: Duration::from_secs(1),
    };
    let one_a_write = Load {
        pace: Pace::InFlight(16, Writes::One),
        ..load
    };
    let slow = Load {
        pace: Pace::Steady(200.0),
        ..load
    };
    let mut report = Report::default();
    let mut note = |name: &str, outcome: &Outcome| {
        let runs = vec![Figures::from(outcome)];
        report.row(
            "quick",
            &Series {
                name: name.to_owned(),
                runs,
            },
        );
    };
    for kind in [Expect::Accepted, Expect::Refused] {
        note(
            "in flight",
            &run_pool(&mut pool, &load, kind, QUICK_GREATEST).await?,
        );
        note(
            "one a write",
            &run_pool(&mut pool, &one_a_write, kind, QUICK_GREATEST).await?,
        );
        note("steady", &run_pool(&mut pool, &slow, kind, QUICK_GREATEST).await?);
    }
    let scripts = pool
        .scripts(SESSIONS, lines_needed(&load, QUICK_GREATEST), Expect::Refused)
        .await?;
    note("bare", &bare.run(scripts, &load).await?);
    pool.check_totals().await?;
    // What was acknowledged is on disk: a crash now takes none of it away.
    let pool = pool.crash_and_restart(&build)?;
    pool.check_totals().await?;
    drop(pool);

    many(options, &node, &bare, CROWD, &mut report).await?;
    report.print(DURABILITY, 1, load.measured.as_secs_f64());
    Ok(())
}
