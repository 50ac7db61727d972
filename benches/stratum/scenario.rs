//! The scenarios, and the order in which the servers take their turns.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::child::{Child, new_dir};
use crate::flood::{self, Expect, Load, Outcome, Pace, Script};
use crate::many::{Crowd, Heard};
use crate::pool::{Pool, users};
use crate::report::{Figures, Report, Series, Spread};
use crate::session::Line;
use crate::standin::{MAINNET_TRANSACTIONS, StandIn};
use crate::{Error, Options, Part, many};

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
        let dir = new_dir(&options.dir)?;
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
        flood::run(self.0.pid(), through, load, Expect::Accepted)
            .await
            .map_err(|error| format!("bare: {error}").into())
    }
}

/// Lines that each session needs for a run, if all together submit `greatest` a second.
fn lines_needed(load: &Load, greatest: f64) -> usize {
    let rate = match load.pace {
        Pace::InFlight(_) => greatest,
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

/// All pools, each accepting and refusing, and the bare server, in turns: forth in one round, back in the next, so
/// that what drifts on this machine meets all of them alike. The first round is dropped.
async fn flood_in_turns(
    pools: &mut [Pool],
    bare: &Bare,
    load: &Load,
    options: &Options,
    report: &mut Report,
) -> Result<(), Error> {
    let kinds = [Expect::Accepted, Expect::Refused];
    let mut all: Vec<Series> = Vec::new();
    for pool in pools.iter() {
        for kind in kinds {
            let name = format!(
                "{} {}",
                pool.name,
                if kind == Expect::Accepted {
                    "accepts"
                } else {
                    "refuses"
                }
            );
            all.push(Series {
                name,
                runs: Vec::new(),
            });
        }
    }
    all.push(Series {
        name: "bare".to_owned(),
        runs: Vec::new(),
    });
    for round in 0..=options.rounds {
        let mut order: Vec<usize> = (0..all.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for index in order {
            let kind = kinds[index % 2];
            let outcome = match pools.get_mut(index / 2) {
                Some(pool) => run_pool(pool, load, kind, options.greatest).await?,
                None => {
                    let count = lines_needed(load, options.greatest);
                    let scripts = pools[0].scripts(load.sessions, count, Expect::Refused).await?;
                    bare.run(scripts, load).await?
                }
            };
            if round > 0 {
                all[index].runs.push(Figures::from(&outcome));
            }
        }
    }
    let scenario = match load.pace {
        Pace::InFlight(depth) => format!("c={} x {depth}", load.sessions),
        Pace::Steady(rate) => format!("c={} at {rate}/s", load.sessions),
    };
    for series in &all {
        report.row(&scenario, series);
    }
    let bare = all.last().ok_or("the bare server has figures")?;
    for (series, _) in all.iter().zip([Expect::Accepted, Expect::Refused]) {
        report.line(
            &format!("{}: answers a second", series.name),
            spread(series, |run| run.rate),
            ">= 150000",
        );
        let cpu = spread(series, |run| run.server_cpu);
        report.line(
            &format!("{}: CPU s of the server a million", series.name),
            cpu,
            "<= 8",
        );
        report.line(
            &format!("{} / bare", series.name),
            series.ratio_to(bare),
            ">= 0.3",
        );
    }
    Ok(())
}

fn spread(series: &Series, figure: impl Fn(&Figures) -> f64) -> Spread {
    Spread::of(series.runs.iter().map(figure).collect())
}

/// Everything that was asked for.
pub(crate) async fn full(options: &Options) -> Result<(), Error> {
    let rounds = usize::from(options.rounds);
    let node = StandIn::start(MAINNET_TRANSACTIONS)?;
    let mut pools = vec![Pool::start("pool", &options.binary, &options.dir, &node)?];
    if let Some(other) = &options.against {
        pools.push(Pool::start("other", other, &options.dir, &node)?);
    }
    let bare = Bare::start(options)?;
    let mut report = Report::default();
    if options.wants(Part::Flood) {
        let measured = options.measured()?;
        let load = Load {
            sessions: usize::from(options.connections),
            pace: Pace::InFlight(usize::from(options.in_flight)),
            warm_up: measured.div_f64(5.0),
            measured,
        };
        flood_in_turns(&mut pools, &bare, &load, options, &mut report).await?;
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
    if options.wants(Part::Many) {
        many(options, &node, &bare, usize::from(options.sessions), &mut report).await?;
    }
    report.print(DURABILITY, rounds, options.seconds);
    Ok(())
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
async fn crowd(options: &Options, binary: &Path, node: &StandIn, sessions: usize) -> Result<Crowd, Error> {
    let pool = Pool::start("pool", binary, &options.dir, node)?;
    let address = pool.address(Expect::Accepted)?;
    many::at_pool(address, pool.pid(), node, users(sessions), BLOCKS).await
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
    let mut builds = vec![("pool", &options.binary)];
    builds.extend(options.against.as_ref().map(|binary| ("other", binary)));
    for (name, binary) in builds {
        let few = crowd(options, binary, node, FEW).await?;
        let crowd = crowd(options, binary, node, sessions).await?;
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
    let node = StandIn::start(FEW_TRANSACTIONS)?;
    let mut pool = Pool::start("pool", &options.binary, &options.dir, &node)?;
    let bare = Bare::start(options)?;
    let load = Load {
        sessions: SESSIONS,
        pace: Pace::InFlight(16),
        warm_up: Duration::from_millis(200),
        measured: Duration::from_secs(1),
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
            &run_pool(&mut pool, &load, kind, options.greatest).await?,
        );
        note(
            "steady",
            &run_pool(&mut pool, &slow, kind, options.greatest).await?,
        );
    }
    let scripts = pool
        .scripts(SESSIONS, lines_needed(&load, options.greatest), Expect::Refused)
        .await?;
    note("bare", &bare.run(scripts, &load).await?);
    pool.check_totals().await?;
    // What was acknowledged is on disk: a crash now takes none of it away.
    let pool = pool.crash_and_restart(&options.binary)?;
    pool.check_totals().await?;
    drop(pool);

    many(options, &node, &bare, CROWD, &mut report).await?;
    report.print(DURABILITY, 1, load.measured.as_secs_f64());
    Ok(())
}
