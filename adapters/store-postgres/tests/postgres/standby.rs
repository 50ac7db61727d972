//! Pages that are read from a standby: within its bound, and from the primary whenever it is not what it should be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dwarves_domain::history::Step;
use dwarves_domain::ids::Sequence;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_ports::clock::Moment;
use dwarves_ports::store::{AuditRow, HistoryOf, HistoryQuestion, PageRequest, StandbyState, Store, Write};
use dwarves_store_postgres::{PostgresOptions, PostgresStore, WhyNot};

use super::cluster::Cluster;
use super::losing::{block_on, commit, furniture, share};

/// Long enough for what a test does within it, also on a busy machine.
const LAG_MAX: Span = Span::from_secs(5);

/// A primary with a ledger, a standby of it, and a store on both.
struct Pair {
    primary: Cluster,
    standby: Cluster,
    /// Whoever decides.
    store: PostgresStore,
    /// Pages.
    shown: PostgresStore,
}

fn options(primary: &Cluster, standby: &PostgresOptions) -> PostgresOptions {
    primary.options("ledger").with_standby(standby.clone(), LAG_MAX)
}

impl Pair {
    fn new(settings: &str) -> Self {
        let primary = Cluster::start("");
        primary.sql("postgres", "CREATE DATABASE ledger");
        let standby = primary.standby(settings);
        let store = PostgresStore::open(&options(&primary, &standby.options("ledger"))).unwrap();
        commit(&store, furniture()).unwrap();
        commit(&store, vec![share(1)]).unwrap();
        let shown = store.to_show();
        let pair = Self {
            primary,
            standby,
            store,
            shown,
        };
        pair.wait("it answers", |state| state.answers && pair.is_read_there());
        pair
    }

    fn state(&self) -> StandbyState {
        self.store.standby().unwrap()
    }

    fn wait(&self, what: &str, is_so: impl Fn(&StandbyState) -> bool) {
        let begin = Moment::now();
        while !is_so(&self.state()) {
            assert!(
                begin.elapsed() < Span::from_secs(30),
                "{what}: {:?}",
                self.state()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Whether a page is read from the standby now.
    fn is_read_there(&self) -> bool {
        let asked = |state: &StandbyState| state.answered + state.passed_on;
        let before = self.state();
        shares(&self.shown);
        // The thread that answers counts the question after its answer is out.
        self.wait("it is counted", |state| asked(state) > asked(&before));
        self.state().answered > before.answered
    }

    fn pause(&self) {
        self.standby.sql("ledger", "SELECT pg_wal_replay_pause()");
        let state = "SELECT pg_get_wal_replay_pause_state()";
        while self.standby.sql("ledger", state) != ["paused"] {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Accepted shares by the pool's history.
fn shares(store: &PostgresStore) -> u64 {
    let question = HistoryQuestion {
        of: HistoryOf::Pool,
        step: Step::Day,
        from: Timestamp::EPOCH,
        to: Timestamp::from_secs(2_000_000_000),
    };
    let history = block_on(store.history(question)).unwrap().unwrap();
    history.steps.iter().map(|step| step.sums.accepted).sum()
}

fn order() -> Write {
    Write::AppendAudit(AuditRow {
        id: 0,
        at: Timestamp::from_secs(1_700_000_000),
        who: "token".to_owned(),
        actor: "pool_manager".to_owned(),
        message: "pause".to_owned(),
        fields: "{}".to_owned(),
        outcome: "{}".to_owned(),
    })
}

fn audit(store: &PostgresStore) -> usize {
    let page = PageRequest {
        cursor: None,
        limit: 10,
    };
    block_on(store.audit(page)).unwrap().rows.len()
}

#[test]
#[ignore = "needs postgres"]
fn a_page_is_read_from_the_standby_and_whoever_decides_asks_the_primary() {
    let pair = Pair::new("");
    pair.pause();
    commit(&pair.store, vec![share(2)]).unwrap();
    // A chart may end a little earlier.
    assert_eq!((shares(&pair.shown), shares(&pair.store)), (1, 2));
    // What is not there may not be there yet.
    assert_eq!(block_on(pair.shown.share(Sequence::new(9))).unwrap(), None);
    let second = block_on(pair.shown.share(Sequence::new(2))).unwrap();
    assert!(second.is_some());
    // Figures that only grow never go back.
    assert_eq!(block_on(pair.shown.totals()).unwrap().shares, 2);
    // Whoever is told sees it.
    commit(&pair.store, vec![order()]).unwrap();
    assert_eq!(audit(&pair.shown), 1);
    assert_eq!(shares(&pair.shown), 2);
    // The bound passes.
    pair.wait("it is late", |state| !state.answers);
    let state = pair.state();
    assert!(
        state
            .why
            .unwrap()
            .contains("more than store.read_lag_max_secs = 5")
    );
    assert!(state.lag.unwrap() > LAG_MAX, "{:?}", state.lag);
    commit(&pair.store, vec![share(3)]).unwrap();
    assert_eq!(shares(&pair.shown), 3);
    assert!(!pair.is_read_there());
    let late = PostgresStore::check_standby(&options(&pair.primary, &pair.standby.options("ledger")));
    assert!(
        matches!(late, Err(WhyNot::Late { .. } | WhyNot::Unknown)),
        "{late:?}"
    );
    pair.standby.sql("ledger", "SELECT pg_wal_replay_resume()");
    pair.wait("it comes back", |state| state.answers && pair.is_read_there());
    assert_eq!((shares(&pair.shown), audit(&pair.shown)), (3, 1));
    assert!(
        pair.state().lag.unwrap() <= Span::from_secs(1),
        "{:?}",
        pair.state()
    );
    // A ledger to which nothing is written is no late one.
    std::thread::sleep(LAG_MAX.to_std() + Duration::from_millis(500));
    assert!(pair.state().answers && pair.is_read_there());
    let found = PostgresStore::check_standby(&options(&pair.primary, &pair.standby.options("ledger")));
    let found = found.unwrap().unwrap();
    assert!(found.lag < Span::from_secs(2) && found.version.starts_with(char::is_numeric));
}

#[test]
#[ignore = "needs postgres"]
fn a_killed_standby_costs_no_page_and_is_asked_again_once_it_is_well() {
    let mut pair = Pair::new("");
    pair.standby.kill();
    for number in 2..20 {
        commit(&pair.store, vec![share(number)]).unwrap();
        let begin = Moment::now();
        assert_eq!(shares(&pair.shown), number);
        assert!(begin.elapsed() < Span::from_secs(2), "{:?}", begin.elapsed());
    }
    pair.wait("it is gone", |state| !state.answers);
    assert!(pair.state().why.unwrap().starts_with("does not answer"));
    pair.standby.restart();
    pair.wait("it comes back", |state| state.answers && pair.is_read_there());
    assert_eq!(shares(&pair.shown), 19);
}

#[test]
#[ignore = "needs postgres"]
fn a_standby_that_is_promoted_is_refused_by_name() {
    let pair = Pair::new("");
    pair.standby.sql("postgres", "SELECT pg_promote()");
    commit(&pair.store, vec![share(2)]).unwrap();
    assert_eq!(shares(&pair.shown), 2);
    pair.wait("it is refused", |state| !state.answers);
    assert!(pair.state().why.unwrap().contains("it was promoted"));
    let refused = PostgresStore::check_standby(&options(&pair.primary, &pair.standby.options("ledger")));
    assert_eq!(refused, Err(WhyNot::Promoted));
    // It has a way of its own now.
    pair.standby
        .sql("ledger", "INSERT INTO lives (life, started_at) VALUES (999, 0)");
    std::thread::sleep(Duration::from_secs(4));
    assert!(!pair.state().answers && !pair.is_read_there());
}

#[test]
#[ignore = "needs postgres"]
fn who_is_no_standby_of_this_ledger_is_refused_by_name() {
    let pair = Pair::new("");
    let check =
        |other: &PostgresOptions| PostgresStore::check_standby(&options(&pair.primary, other)).unwrap_err();
    assert_eq!(check(&pair.primary.options("ledger")), WhyNot::Promoted);
    let other = Cluster::start("");
    other.sql("postgres", "CREATE DATABASE ledger");
    drop(PostgresStore::open(&other.options("ledger")).unwrap());
    let standby = other.standby("");
    let refused = check(&standby.options("ledger"));
    assert!(matches!(refused, WhyNot::OtherSystem { .. }), "{refused}");
    // A pool that is given it starts, and has its pages read from the primary.
    let primary = Cluster::start("");
    primary.sql("postgres", "CREATE DATABASE ledger");
    let store = PostgresStore::open(&options(&primary, &standby.options("ledger"))).unwrap();
    commit(&store, furniture()).unwrap();
    commit(&store, vec![share(1)]).unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(shares(&store.to_show()), 1);
    let state = store.standby().unwrap();
    assert!(!state.answers && state.why.unwrap().contains("a standby of another server"));
    // Another ledger of the same server.
    pair.primary.sql("postgres", "CREATE DATABASE second");
    drop(PostgresStore::open(&pair.primary.options("second")).unwrap());
    let second = pair.standby.options("second");
    let made = "SELECT 1 FROM dwarves_schema";
    while pair.standby.try_sql("second", made).map_or(0, |rows| rows.len()) == 0 {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(check(&second), WhyNot::OtherDatabase);
    pair.primary.sql(
        "second",
        "INSERT INTO dwarves_schema (version, name) VALUES (9000, 'later')",
    );
    std::thread::sleep(Duration::from_millis(500));
    let refused = check(&second);
    assert!(
        matches!(refused, WhyNot::OtherSchema { found: 9_000, .. }),
        "{refused}"
    );
    let nobody = PostgresOptions::new("host=/nowhere user=dwarves dbname=ledger", None, None).unwrap();
    assert!(matches!(check(&nobody), WhyNot::Silent(_)));
}

/// A standby follows a primary that was given up, and has what the new one never had.
#[test]
#[ignore = "needs postgres"]
fn a_standby_that_is_ahead_follows_another_server() {
    let first = Cluster::start("");
    first.sql("postgres", "CREATE DATABASE ledger");
    drop(PostgresStore::open(&first.options("ledger")).unwrap());
    let second = first.standby("");
    let third = first.standby("");
    second.sql("postgres", "SELECT pg_promote()");
    // What the old primary takes yet comes to the third alone.
    for _ in 0..3 {
        first.sql(
            "ledger",
            "INSERT INTO lives (life, started_at, stopped_at) SELECT 1000 + COUNT(*), 0, 0 FROM lives; SELECT pg_switch_wal()",
        );
    }
    let caught_up = "SELECT COUNT(*) FROM lives";
    while third.sql("ledger", caught_up) != first.sql("ledger", caught_up) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let refused = PostgresStore::check_standby(&options(&second, &third.options("ledger")));
    assert_eq!(refused, Err(WhyNot::Ahead));
}

/// The standby's replay ends questions that are in its way. Nobody hears of it.
#[test]
#[ignore = "needs postgres"]
fn a_question_that_replay_cancels_is_asked_on_the_primary() {
    let pair = Pair::new("max_standby_streaming_delay = 0");
    for number in 2..200 {
        commit(&pair.store, vec![share(number)]).unwrap();
    }
    let stopping = Arc::new(AtomicBool::new(false));
    let conflicts = "SELECT confl_lock FROM pg_stat_database_conflicts WHERE datname = 'ledger'";
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..3)
            .map(|_| {
                let (shown, stopping) = (&pair.shown, &stopping);
                scope.spawn(move || {
                    while !stopping.load(Ordering::Relaxed) {
                        assert!(shares(shown) <= 199);
                    }
                })
            })
            .collect();
        let begin = Moment::now();
        let mut seen = 0;
        while seen < 3 && begin.elapsed() < Span::from_secs(60) {
            for _ in 0..50 {
                pair.primary.sql(
                    "ledger",
                    "BEGIN; LOCK TABLE miner_history, lives IN ACCESS EXCLUSIVE MODE; COMMIT",
                );
            }
            seen = pair.standby.sql("ledger", conflicts)[0].parse().unwrap();
        }
        stopping.store(true, Ordering::Relaxed);
        for asker in asking {
            asker.join().unwrap();
        }
        assert!(seen >= 3, "replay cancelled nothing");
    });
    assert_eq!(shares(&pair.store), 199);
}
