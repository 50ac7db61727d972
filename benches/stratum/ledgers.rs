//! The same shares for a pool whose ledger is a file, for one whose ledger is on a PostgreSQL server, and for two fronts
//! on that server, to which half of the miners come each.
//!
//! All run at the same time and are measured in turns, so that what drifts on this machine meets all of them alike. A
//! pool on a server takes that server's CPU time as well, and it is counted with the pool's.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::builds::Build;
use crate::commits::{Commits, figures};
use crate::flood::{Expect, Load, Outcome, Pace, Script, Writes};
use crate::pool::{Pool, users};
use crate::postgres::{Databases, is_open_to_all};
use crate::processes::Processes;
use crate::report::{Figures, Report, Series, Spread};
use crate::scenario::lines_needed;
use crate::session::{Line, Session};
use crate::standin::{Coin, MAINNET_TRANSACTIONS, StandIn};
use crate::{Error, Options};

/// What every answer waits for.
const DURABILITY: &str = "an accepted share is answered once it is on disk: by fdatasync (SQLite WAL, synchronous=FULL), \
                          or by a COMMIT of PostgreSQL (synchronous_commit = on, fsync = on)";
/// Where miners come from. From where fronts come to each other everybody must say who its client is.
const MINERS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// What a front says that has its link, and how long that may take.
const LINKED: &str = "dwarves_front_linked 1";
const LINKED_WITHIN: Duration = Duration::from_secs(10);
/// How long servers get to finish what the last run left, before the next begins.
const SETTLE: Duration = Duration::from_millis(300);
/// Sessions and rate of the shares that come at a fixed rate, and what of them does not count.
const STEADY_SESSIONS: usize = 1_000;
const STEADY_RATE: f64 = 1_000.0;
const STEADY_WARM_UP: Duration = Duration::from_secs(1);

/// Where shares are kept, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    File,
    OneFront,
    TwoFronts,
}

impl Way {
    const ALL: [Self; 3] = [Self::File, Self::OneFront, Self::TwoFronts];

    const fn name(self) -> &'static str {
        match self {
            Self::File => "SQLite",
            Self::OneFront => "PostgreSQL",
            Self::TwoFronts => "PostgreSQL, two fronts",
        }
    }
}

/// The pools.
struct Pools {
    /// On a file.
    file: Pool,
    /// The front that leads, and the other one.
    first: Pool,
    second: Pool,
    databases: Databases,
}

/// What was seen on one way, in the order of the rounds.
struct Seen {
    way: Way,
    series: Series,
    /// Medians of commits in milliseconds, shares of a commit, and the server's microseconds of CPU time for a share.
    commit_ms: Vec<f64>,
    commit_size: Vec<f64>,
    database_us: Vec<f64>,
}

/// Where all ledgers are, so that one disk keeps them: where the pools' are, unless the server could not go there.
pub(crate) fn parent_of(options: &Options) -> PathBuf {
    let dir = &options.builds.dir;
    match !rustix::process::geteuid().is_root() || is_open_to_all(dir) {
        true => dir.clone(),
        false => std::env::temp_dir(),
    }
}

/// A build whose ledger is this database.
pub(crate) fn on_database(mut build: Build, url: &str) -> Build {
    let settings = [("STORE__KIND", "postgres"), ("STORE__URL", url)];
    let named = settings.map(|(name, value)| (format!("DWARVES__{name}"), value.to_owned()));
    build.settings.extend(named);
    build
}

impl Pools {
    fn start(options: &Options, parent: &Path, node: &StandIn) -> Result<Self, Error> {
        let databases = Databases::open(&options.database, parent)?;
        let url = databases.database("ledger")?;
        let front = |name: &str| {
            let mut build = on_database(options.builds.this(name), &url);
            let settings = [
                ("FRONT__NAME", name),
                ("FRONT__PEERS", "[\"127.0.0.1\"]"),
                ("FRONT__LISTEN", "127.0.0.1:0"),
            ];
            let named = settings.map(|(name, value)| (format!("DWARVES__{name}"), value.to_owned()));
            build.settings.extend(named);
            build
        };
        let first = Pool::start(&front("first"), parent, node)?;
        let second = Pool::start_beside(&first, &front("second"), parent, node)?;
        Ok(Self {
            file: Pool::start(&options.builds.this("file"), parent, node)?,
            first,
            second,
            databases,
        })
    }

    /// Waits until the second front has its link, by which it serves miners itself.
    async fn wait_for_link(&self) -> Result<(), Error> {
        let begin = Instant::now();
        while !figures(self.second.http()?)
            .await?
            .lines()
            .any(|line| line == LINKED)
        {
            if begin.elapsed() > LINKED_WITHIN {
                return Err(format!("the second front does not say {LINKED}").into());
            }
            tokio::time::sleep(SETTLE).await;
        }
        Ok(())
    }

    /// Runs `load` on one way, and sees how long commits took meanwhile.
    async fn run(&mut self, way: Way, load: &Load, greatest: f64) -> Result<(Outcome, [f64; 2]), Error> {
        let (entrances, processes) = {
            let [file, first, second] = [&self.file, &self.first, &self.second];
            let entrances = match way {
                Way::File => vec![file],
                Way::OneFront => vec![first],
                Way::TwoFronts => vec![first, second],
            };
            let database = self.databases.process().filter(|_| way != Way::File);
            let pids = entrances.iter().map(|pool| pool.pid()).collect();
            (entrances, Processes::new(pids, database))
        };
        let scripts = scripts(&entrances, load, lines_needed(load, greatest)).await?;
        tokio::time::sleep(SETTLE).await;
        let pool = match way {
            Way::File => &mut self.file,
            Way::OneFront | Way::TwoFronts => &mut self.first,
        };
        let before = Commits::read(pool.http()?).await?;
        let outcome = pool.run_with(&processes, scripts, load, Expect::Accepted).await?;
        let after = Commits::read(pool.http()?).await?;
        Ok((
            outcome,
            [after.median_ms_since(&before), after.size_since(&before)],
        ))
    }

    /// All ways in turns: forth in one round, back in the next. The first round is dropped.
    async fn in_turns(&mut self, load: &Load, rounds: usize, greatest: f64) -> Result<Vec<Seen>, Error> {
        let mut seen = Way::ALL.map(Seen::new);
        for round in 0..=rounds {
            let mut order = [0, 1, 2];
            if round % 2 == 1 {
                order.reverse();
            }
            for place in order {
                let (outcome, commits) = self.run(seen[place].way, load, greatest).await?;
                if round > 0 {
                    seen[place].note(&outcome, commits);
                }
            }
        }
        Ok(seen.into())
    }
}

/// A script for each session, whose miners come to these pools in turns.
async fn scripts(entrances: &[&Pool], load: &Load, count: usize) -> Result<Vec<Script>, Error> {
    let mut scripts = Vec::with_capacity(load.sessions);
    let entrances = entrances.iter().cycle();
    for (user, entrance) in users(Coin::Bitcoin, load.sessions).into_iter().zip(entrances) {
        let line = Line::connect_from(MINERS, entrance.address(Expect::Accepted)?).await?;
        let session = Session::begin(line, user).await?;
        scripts.push(Script::write(session, count, Expect::Accepted)?);
    }
    Ok(scripts)
}

impl Seen {
    fn new(way: Way) -> Self {
        Self {
            way,
            series: Series {
                name: way.name().to_owned(),
                runs: Vec::new(),
            },
            commit_ms: Vec::new(),
            commit_size: Vec::new(),
            database_us: Vec::new(),
        }
    }

    fn note(&mut self, outcome: &Outcome, [commit_ms, commit_size]: [f64; 2]) {
        self.series.runs.push(Figures::from(outcome));
        self.commit_ms.push(commit_ms);
        self.commit_size.push(commit_size);
        self.database_us.push(outcome.database_us());
    }
}

/// The table, and how the ways compare.
fn compare(scenario: &str, seen: &[Seen], is_flood: bool, report: &mut Report) {
    for way in seen {
        report.row(scenario, &way.series);
    }
    for way in seen {
        let name = format!("{scenario}, {}", way.series.name);
        report.line(
            &format!("{name}: ms of a commit"),
            Spread::of(way.commit_ms.clone()),
            "none",
        );
        report.line(
            "  shares of a commit",
            Spread::of(way.commit_size.clone()),
            "none",
        );
        if way.way != Way::File {
            let database = Spread::of(way.database_us.clone());
            report.line("  CPU us of the server alone for a share", database, "none");
        }
    }
    let [file, one, two] = seen else {
        return;
    };
    let commits = one
        .commit_ms
        .iter()
        .zip(&file.commit_ms)
        .map(|(one, file)| one / file);
    let commits = Spread::of(commits.collect());
    let cpu = |run: &Figures| run.server_cpu;
    let latency = |run: &Figures| run.latency_ms[0];
    let name = format!("{scenario}, {} / {}", one.series.name, file.series.name);
    if is_flood {
        report.line(
            &format!("{name}: shares a second"),
            one.series.ratio_to(&file.series),
            ">= 0.5",
        );
        let cpu_ratio = one.series.ratio_of(&file.series, cpu);
        report.line("  CPU time of pool and server for a share", cpu_ratio, "<= 2.5");
        report.line("  a commit, p50", commits, "<= 2.5");
        let name = format!("{scenario}, two fronts / one");
        report.line(
            &format!("{name}: shares a second"),
            two.series.ratio_to(&one.series),
            ">= 0.9",
        );
        report.line(
            "  CPU time of all for a share",
            two.series.ratio_of(&one.series, cpu),
            "none",
        );
    } else {
        report.line(&format!("{name}: a commit, p50"), commits, "<= 2.5");
        let waited = one.series.ratio_of(&file.series, latency);
        report.line("  acknowledged, p50", waited, "<= 2.5");
        let waited = two.series.ratio_of(&one.series, latency);
        report.line("  two fronts / one: acknowledged, p50", waited, "none");
    }
}

/// Measures all of it.
pub(crate) async fn full(options: &Options) -> Result<(), Error> {
    let (rounds, measured) = match options.quick {
        true => (1, Duration::from_millis(500)),
        false => (usize::from(options.rounds), options.measured()?),
    };
    let parent = parent_of(options);
    let node = StandIn::start(Coin::Bitcoin, MAINNET_TRANSACTIONS)?;
    let mut pools = Pools::start(options, &parent, &node)?;
    pools.wait_for_link().await?;
    let mut report = Report::default();
    report.remark(&format!(
        "PostgreSQL: {}; all ledgers are in {}",
        pools.databases.words(),
        parent.display()
    ));
    let writes = match options.writes.as_slice() {
        [] => &[Writes::Many],
        some => some,
    };
    let (sessions, depth) = (usize::from(options.connections), usize::from(options.in_flight));
    for &writes in writes {
        let load = Load {
            sessions,
            pace: Pace::InFlight(depth, writes),
            warm_up: measured.div_f64(5.0),
            measured,
        };
        let how = match writes {
            Writes::Many => "",
            Writes::One => ", one a write",
        };
        let seen = pools.in_turns(&load, rounds, options.greatest).await?;
        compare(&format!("c={sessions} x {depth}{how}"), &seen, true, &mut report);
    }
    let load = Load {
        sessions: STEADY_SESSIONS,
        pace: Pace::Steady(STEADY_RATE),
        warm_up: STEADY_WARM_UP,
        measured,
    };
    let seen = pools.in_turns(&load, rounds, options.greatest).await?;
    compare(
        &format!("c={STEADY_SESSIONS} at {STEADY_RATE}/s"),
        &seen,
        false,
        &mut report,
    );
    for pool in [&pools.file, &pools.first] {
        pool.check_totals().await?;
        println!("{}: {}, as it counted itself", pool.name, pool.totals());
    }
    report.print(DURABILITY, rounds, measured.as_secs_f64());
    Ok(())
}
