//! The scenarios, and the order in which the servers take their turns.

use std::time::Duration;

use crate::bare::Kind;
use crate::builds::Build;
use crate::load::{Expect, Load, Outcome};
use crate::pool::{Pool, PoolSpec};
use crate::report::{Figures, Report, Series, Spread};
use crate::server::Server;
use crate::{Error, Options, Part, disk, load};

/// What the pool's answer waits for, as it was started here.
const DURABILITY: &str = "every answer waits for fdatasync (SQLite WAL, synchronous=FULL)";
/// The pool that does not await the disk, and how it is told so.
const QUEUED: &str = "queued";
/// Connections of the scenario `many`.
const MANY: usize = 512;
/// How long the disk is measured before a run with one connection.
const DISK_PROBE: Duration = Duration::from_secs(1);
/// How long a server gets to finish what the last run left, before the next begins.
const SETTLE: Duration = Duration::from_millis(300);

/// Runs `load` against a pool, with fresh work.
async fn run_pool(pool: &mut Pool, load: &Load) -> Result<Outcome, Error> {
    pool.refresh_work(load.connections).await?;
    tokio::time::sleep(SETTLE).await;
    let (address, pid) = (pool.server.address, pool.server.pid());
    let mut outcome = load::run(address, pid, &mut pool.miners, load, Expect::Verdicts)
        .await
        .map_err(|error| format!("{}: {error}", pool.name))?;
    pool.acknowledged += outcome.acknowledged;
    pool.sequences.append(&mut outcome.sequences);
    Ok(outcome)
}

/// A bare server that runs.
struct Bare {
    kind: Kind,
    server: Server,
}

impl Bare {
    /// One of each kind, which repeat the pool's answer to so many shares.
    async fn start_all(options: &Options, pool: &mut Pool, shares: usize) -> Result<Vec<Self>, Error> {
        let answer = pool.sample_answer(shares).await?;
        let start = |kind| {
            let server = Server::bare(&options.builds.dir, kind, &answer)?;
            Ok(Self { kind, server })
        };
        Kind::ALL.into_iter().map(start).collect()
    }

    /// Runs `load` with bodies of the pool's miners.
    async fn run(&self, pool: &mut Pool, load: &Load) -> Result<Outcome, Error> {
        pool.refresh_work(load.connections).await?;
        tokio::time::sleep(SETTLE).await;
        let (address, pid) = (self.server.address, self.server.pid());
        load::run(address, pid, &mut pool.miners, load, Expect::Fixed)
            .await
            .map_err(|error| format!("{}: {error}", self.kind.name()).into())
    }
}

/// Runs `load` against all pools and the bare servers in turns: forth in one round, back in the next, so that
/// what drifts on this machine meets all of them alike. The first round is dropped.
async fn take_turns(
    pools: &mut [Pool],
    bares: &[Bare],
    load: &Load,
    rounds: usize,
) -> Result<Vec<Series>, Error> {
    let named = |name: &str| Series {
        name: name.to_owned(),
        runs: Vec::new(),
    };
    let mut all: Vec<Series> = pools.iter().map(|pool| named(&pool.name)).collect();
    all.extend(bares.iter().map(|bare| named(bare.kind.name())));
    let pool_count = pools.len();
    for round in 0..=rounds {
        let mut order: Vec<usize> = (0..all.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for index in order {
            let outcome = match pools.get_mut(index) {
                Some(pool) => run_pool(pool, load).await?,
                None => bares[index - pool_count].run(&mut pools[0], load).await?,
            };
            if round > 0 {
                all[index].runs.push(Figures::from(&outcome));
            }
        }
    }
    Ok(all)
}

/// Closed load: each connection sends as soon as it has its answer.
fn closed(connections: usize, shares: usize, measured: Duration) -> Load {
    Load {
        connections,
        shares,
        offered: None,
        warm_up: measured.div_f64(5.0),
        measured,
    }
}

/// Everything that was asked for.
pub(crate) async fn full(options: &Options) -> Result<(), Error> {
    let measured = options.measured()?;
    let rounds = usize::from(options.rounds);
    let connections = usize::from(options.connections);
    let batch = usize::from(options.batch);
    let batch_connections = usize::from(options.batch_connections);
    let miners = if options.wants(Part::Many) { MANY } else { 1 }
        .max(connections)
        .max(batch_connections);
    let spec = |build, acknowledge| PoolSpec {
        build,
        parent: &options.builds.dir,
        acknowledge,
        miners,
        is_strict: false,
    };
    let mut pools = vec![
        Pool::start(&spec(options.builds.this("durable"), "durable")).await?,
        Pool::start(&spec(options.builds.this(QUEUED), QUEUED)).await?,
    ];
    for other in options.builds.others() {
        pools.push(Pool::start(&spec(other, "durable")).await?);
    }
    let mut report = Report::default();
    for pool in &pools {
        report.remark(&format!(
            "{}: SHA-256d is hashed by {}",
            pool.name,
            pool.server.lanes()?
        ));
    }

    if options.wants(Part::Single) {
        let bares = Bare::start_all(options, &mut pools[0], 1).await?;
        let load = closed(connections, 1, measured);
        let all = take_turns(&mut pools, &bares, &load, rounds).await?;
        compare(
            &mut report,
            &format!("1 share, c={connections}"),
            &all,
            [">= 0.6", ">= 0.9"],
        );
    }
    if options.wants(Part::Batch) {
        let bares = Bare::start_all(options, &mut pools[0], batch).await?;
        let load = closed(batch_connections, batch, measured);
        let all = take_turns(&mut pools, &bares, &load, rounds).await?;
        let scenario = format!("{batch} shares, c={batch_connections}");
        compare(&mut report, &scenario, &all, ["none", "none"]);
        let rates = all[0].runs.iter().map(|run| run.rate).collect();
        report.line("  durable shares a second", Spread::of(rates), ">= 150000");
    }
    if options.wants(Part::One) {
        one(&mut pools, measured, rounds, &mut report).await?;
    }
    if options.wants(Part::Half) {
        half(&mut pools[0], connections, measured, rounds, &mut report).await?;
    }
    if options.wants(Part::Many) {
        let bares = Bare::start_all(options, &mut pools[0], 1).await?;
        let load = closed(MANY, 1, measured);
        let all = take_turns(&mut pools, &bares, &load, rounds).await?;
        compare(
            &mut report,
            &format!("1 share, c={MANY}"),
            &all,
            [">= 0.6", ">= 0.9"],
        );
    }
    for pool in &mut pools {
        pool.check_totals().await?;
    }
    report.print(DURABILITY, rounds, options.seconds);
    Ok(())
}

/// Rows of all servers, and the ratios of the first, the durable pool.
fn compare(report: &mut Report, scenario: &str, all: &[Series], goals: [&str; 2]) {
    for series in all {
        report.row(scenario, series);
    }
    let [to_bare, to_queued] = goals;
    for other in all.iter().skip(1) {
        let is_bare = Kind::ALL.iter().any(|kind| kind.name() == other.name);
        let goal = match other.name.as_str() {
            QUEUED => to_queued,
            name if name == Kind::Plain.name() => to_bare,
            _ => "none",
        };
        let what = format!("{scenario}: durable / {}", other.name);
        report.line(&what, all[0].ratio_to(other), goal);
        if !is_bare && other.name != QUEUED {
            let cpu = all[0].ratio_of(other, |run| run.server_cpu);
            report.line("  the same of the server's CPU time a share", cpu, "none");
        }
    }
}

/// One connection: what it waits, next to what the disk takes in the same seconds.
async fn one(
    pools: &mut [Pool],
    measured: Duration,
    rounds: usize,
    report: &mut Report,
) -> Result<(), Error> {
    let load = closed(1, 1, measured);
    let mut all: Vec<Series> = Vec::new();
    for pool in pools.iter().filter(|pool| pool.name != QUEUED) {
        all.push(Series {
            name: pool.name.clone(),
            runs: Vec::new(),
        });
    }
    let (mut flushes, mut allowed) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let flush = disk::append_and_sync(pools[0].server.dir(), DISK_PROBE)?.as_secs_f64() * 1_000.0;
        for series in &mut all {
            let pool = pools.iter_mut().find(|pool| pool.name == series.name);
            let outcome = run_pool(pool.ok_or("every series is of a pool")?, &load).await?;
            if round == 0 {
                continue;
            }
            let figures = Figures::from(&outcome);
            if series.name == "durable" {
                flushes.push(flush);
                allowed.push(figures.latency_ms[0] / (2.0 * flush + 0.3));
            }
            series.runs.push(figures);
        }
    }
    for series in &all {
        report.row("1 share, c=1", series);
    }
    report.line("fdatasync of a 4 KiB append, p50 ms", Spread::of(flushes), "none");
    report.line("c=1: p50 / (2 x fdatasync + 0.3 ms)", Spread::of(allowed), "<= 1");
    Ok(())
}

/// Half of the greatest rate, which is measured just before, at fixed times.
async fn half(
    pool: &mut Pool,
    connections: usize,
    measured: Duration,
    rounds: usize,
    report: &mut Report,
) -> Result<(), Error> {
    let greatest = closed(connections, 1, measured);
    let mut series = Series {
        name: pool.name.clone(),
        runs: Vec::new(),
    };
    let mut kept_up = Vec::new();
    for round in 0..=rounds {
        let offered = Figures::from(&run_pool(pool, &greatest).await?).rate / 2.0;
        let load = Load {
            offered: Some(offered),
            ..greatest
        };
        let figures = Figures::from(&run_pool(pool, &load).await?);
        if round > 0 {
            kept_up.push(figures.rate / offered);
            series.runs.push(figures);
        }
    }
    let p99 = series.runs.iter().map(|run| run.latency_ms[1]).collect();
    report.row("half of the greatest rate", &series);
    report.line("half rate: p99 ms", Spread::of(p99), "< 20");
    report.line("half rate: answered / offered", Spread::of(kept_up), ">= 0.98");
    Ok(())
}

/// The smoke test: what must hold on any machine, however slow.
pub(crate) async fn quick(options: &Options) -> Result<(), Error> {
    const CONNECTIONS: usize = 16;
    const BATCH: usize = 100;
    let measured = Duration::from_secs(2);
    let spec = |build: &Build, acknowledge| PoolSpec {
        build: build.clone(),
        parent: &options.builds.dir,
        acknowledge,
        miners: CONNECTIONS,
        is_strict: true,
    };
    let build = options.builds.this("durable");
    let mut durable = Pool::start(&spec(&build, "durable")).await?;
    let mut queued = Pool::start(&spec(&options.builds.this(QUEUED), QUEUED)).await?;
    let bares = Bare::start_all(options, &mut durable, 1).await?;

    let single = closed(CONNECTIONS, 1, measured);
    let steady = Load {
        offered: Some(500.0),
        ..single
    };
    let mut report = Report::default();
    let mut note = |scenario: &str, name: &str, outcome: &Outcome| {
        let runs = vec![Figures::from(outcome)];
        let name = name.to_owned();
        report.row(scenario, &Series { name, runs });
    };
    note("1 share", "durable", &run_pool(&mut durable, &single).await?);
    note("1 share", "queued", &run_pool(&mut queued, &single).await?);
    for bare in &bares {
        note(
            "1 share",
            bare.kind.name(),
            &bare.run(&mut durable, &single).await?,
        );
    }
    note(
        "100 shares",
        "durable",
        &run_pool(&mut durable, &closed(4, BATCH, measured)).await?,
    );
    note("500 shares/s", "durable", &run_pool(&mut durable, &steady).await?);
    note(
        "1 share, c=1",
        "durable",
        &run_pool(&mut durable, &closed(1, 1, measured)).await?,
    );
    durable.check_totals().await?;
    queued.check_totals().await?;
    drop((queued, bares));

    // What was acknowledged is on disk: a crash now takes none of it away.
    durable.server = durable.server.crash_and_restart(&build, "durable")?;
    durable.check_totals().await?;
    report.print(DURABILITY, 1, measured.as_secs_f64());
    println!(
        "{} shares were acknowledged and counted, before and after a crash",
        durable.acknowledged
    );
    Ok(())
}
