//! Several fronts on one ledger: one leads, and who follows it when it is gone.

use std::time::Duration;

use dwarves_domain::hotkey::Hotkey;
use dwarves_ports::clock::Moment;
use dwarves_ports::store::{Store as _, StoreErrorKind};
use dwarves_store_postgres::{Front, NewFront, OpenError, PostgresOptions, PostgresStore};

use super::cluster::{Cluster, Database, shared};
use super::losing::{block_on, commit, furniture, share, stored};

/// How long a takeover may take.
const TAKEOVER_MAX: Duration = Duration::from_secs(5);

fn new_front(name: &str) -> NewFront {
    NewFront {
        name: name.to_owned(),
        hotkey: Hotkey::from_bytes([5; 32]),
        listeners: vec![("http".to_owned(), "0.0.0.0:8080".parse().unwrap())],
        address: None,
        version: "0.3.0".to_owned(),
    }
}

fn join(options: &PostgresOptions, name: &str) -> Front {
    Front::join(options, &new_front(name)).unwrap()
}

fn lead(options: &PostgresOptions, front: Front) -> PostgresStore {
    PostgresStore::lead(options, front)
        .map_err(|failed| failed.1)
        .unwrap()
}

/// Waits until the front may lead.
fn wait_for_lead(front: &Front) -> Duration {
    let (begin, may_lead) = (Moment::now(), front.may_lead());
    while !*may_lead.borrow() {
        assert!(
            begin.elapsed().to_std() < Duration::from_secs(20),
            "it may never lead"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    begin.elapsed().to_std()
}

fn must_wait(front: &Front, how_long: Duration) {
    let (begin, may_lead) = (Moment::now(), front.may_lead());
    while begin.elapsed().to_std() < how_long {
        assert!(
            !*may_lead.borrow(),
            "it may lead after {:?}",
            begin.elapsed().to_std()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Ends sessions of `front`, as if its machine were gone: by what they asked last.
fn end_sessions(database: &Database, which: &str) {
    let sql = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND {which}"
    );
    database.sql(&sql);
}

#[test]
#[ignore = "needs postgres"]
fn one_leads_and_the_next_follows_at_once_when_it_stops_in_order() {
    let database = Database::new();
    let options = database.options();
    let first = join(&options, "first");
    assert!(*first.may_lead().borrow(), "nobody led yet");
    let first = lead(&options, first);
    commit(&first, furniture()).unwrap();
    commit(&first, vec![share(1)]).unwrap();
    let second = join(&options, "second");
    assert_eq!(second.number().get(), 2);
    must_wait(&second, Duration::from_secs(4));
    // Who tries all the same comes too late, and is a front still.
    let too_late = PostgresStore::lead(&options, second).err().unwrap();
    assert!(matches!(too_late.1, OpenError::InUse(_)), "{}", too_late.1);
    let second = too_late.0;
    let seen = second.seen().borrow().clone();
    assert_eq!(seen.leader().map(|leader| leader.name.as_str()), Some("first"));
    assert_eq!(seen.name(), "second");
    assert!(
        seen.all.len() == 2 && seen.all.iter().all(|front| front.lives()),
        "{seen:?}"
    );
    assert_eq!(
        seen.leader().and_then(|leader| leader.place("http")),
        Some("127.0.0.1:8080")
    );
    drop(first);
    let waited = wait_for_lead(&second);
    assert!(waited < Duration::from_millis(1_500), "{waited:?}");
    let second = lead(&options, second);
    commit(&second, vec![share(2)]).unwrap();
    assert_eq!(stored(shared(), &database.name), [1, 2]);
}

/// The process is there and its sessions are, but it does nothing any more.
#[test]
#[ignore = "needs postgres"]
fn a_front_that_stands_still_is_followed_and_writes_nothing_any_more() {
    let database = Database::new();
    let options = database.options();
    // Without beats: `open` has the lock as a front that stopped in the middle of its work has it.
    let paused = PostgresStore::open(&options).unwrap();
    commit(&paused, furniture()).unwrap();
    commit(&paused, vec![share(1)]).unwrap();
    let gone = join(&options, "gone");
    let second = join(&options, "second");
    database.sql("UPDATE leader SET front = (SELECT number FROM fronts WHERE name = 'gone')");
    must_wait(&second, Duration::from_secs(4));
    drop(gone);
    let begin = Moment::now();
    wait_for_lead(&second);
    let second = lead(&options, second);
    assert!(
        begin.elapsed().to_std() < TAKEOVER_MAX,
        "{:?}",
        begin.elapsed().to_std()
    );
    commit(&second, vec![share(2)]).unwrap();
    // It wakes up: it hears that another leads, and that is for good.
    let woken = commit(&paused, vec![share(3)]);
    assert!(woken.is_err(), "{woken:?}");
    assert_eq!(commit(&paused, vec![share(3)]), Err(StoreErrorKind::Conflict));
    drop(second);
    assert_eq!(commit(&paused, vec![share(3)]), Err(StoreErrorKind::Conflict));
    assert_eq!(stored(shared(), &database.name), [1, 2]);
}

#[test]
#[ignore = "needs postgres"]
fn who_leads_hears_that_another_has_taken_the_lead() {
    let database = Database::new();
    let options = database.options();
    let first = lead(&options, join(&options, "first"));
    let superseded = first.front().unwrap().is_superseded();
    assert!(!*superseded.borrow());
    // It lost its lock, and another one was quicker than it.
    database.sql("UPDATE leader SET epoch = epoch + 1, front = 7");
    let begin = Moment::now();
    while !*superseded.borrow() {
        assert!(begin.elapsed().to_std() < TAKEOVER_MAX);
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A server that restarts ends every session: whoever led goes on, and nobody else takes the lead.
#[test]
#[ignore = "needs postgres"]
fn who_led_goes_on_after_the_server_has_restarted() {
    let mut cluster = Cluster::start("");
    cluster.sql("postgres", "CREATE DATABASE ledger");
    let options = cluster.options("ledger");
    let first = lead(&options, join(&options, "first"));
    commit(&first, furniture()).unwrap();
    let second = join(&options, "second");
    cluster.kill();
    std::thread::sleep(Duration::from_secs(4));
    cluster.restart();
    must_wait(&second, Duration::from_secs(3));
    let begin = Moment::now();
    while commit(&first, vec![share(1)]).is_err() {
        assert!(begin.elapsed().to_std() < TAKEOVER_MAX);
        std::thread::sleep(Duration::from_millis(100));
    }
    must_wait(&second, Duration::from_secs(2));
    assert_eq!(block_on(first.totals()).unwrap().shares, 1);
    assert_eq!(second.seen().borrow().epoch, 1);
}

/// A front that stands by may be newer than the one that leads: it leaves the schema alone until it leads.
#[test]
#[ignore = "needs postgres"]
fn the_schema_is_brought_up_to_date_by_whoever_leads() {
    let database = Database::new();
    let options = database.options();
    let front = join(&options, "newer");
    let version = || database.sql("SELECT MAX(version) FROM dwarves_schema");
    assert_eq!(version(), ["2"]);
    let _led = lead(&options, front);
    let newest: u32 = version()[0].parse().unwrap();
    assert!(newest >= 2);
    let second = join(&options, "second");
    assert_eq!(version(), [newest.to_string()]);
    must_wait(&second, Duration::from_millis(500));
}

#[test]
#[ignore = "needs postgres"]
fn a_lead_is_taken_by_one_of_many() {
    let database = Database::new();
    let options = database.options();
    let first = lead(&options, join(&options, "first"));
    commit(&first, furniture()).unwrap();
    let others: Vec<Front> = (0..4).map(|n| join(&options, &format!("other-{n}"))).collect();
    drop(first);
    for front in &others {
        wait_for_lead(front);
    }
    let racing = others.into_iter().map(|front| {
        let options = options.clone();
        std::thread::spawn(move || PostgresStore::lead(&options, front))
    });
    let racing: Vec<_> = racing.collect();
    let ended = racing.into_iter().map(|thread| thread.join().unwrap());
    let (led, late): (Vec<_>, Vec<_>) = ended.partition(Result::is_ok);
    assert_eq!((led.len(), late.len()), (1, 3));
}

#[test]
#[ignore = "needs postgres"]
fn a_name_is_had_by_one_process_and_its_next_one_gets_the_number() {
    let database = Database::new();
    let options = database.options();
    let first = lead(&options, join(&options, "first"));
    let taken = Front::join(&options, &new_front("first")).err().unwrap();
    assert_eq!(taken, OpenError::NameTaken("first".to_owned()));
    let other_pool = NewFront {
        hotkey: Hotkey::from_bytes([6; 32]),
        ..new_front("second")
    };
    let refused = Front::join(&options, &other_pool).err().unwrap();
    assert!(matches!(refused, OpenError::OtherPool { .. }), "{refused}");
    drop(first);
    let again = join(&options, "first");
    assert_eq!(again.number().get(), 1);
    assert_eq!(again.seen().borrow().all.len(), 1);
    assert!(*again.may_lead().borrow());
    let again = lead(&options, again);
    // It was killed, and comes back before the server has noticed: its sessions seem to live, and say nothing.
    let number = again.front().unwrap().number();
    end_sessions(&database, "query LIKE '%fronts%'");
    database.sql("UPDATE fronts SET lease = lease + 1, beat_at = beat_at - 60000");
    let begin = Moment::now();
    let next = join(&options, "first");
    assert_eq!(next.number(), number);
    wait_for_lead(&next);
    let next = lead(&options, next);
    assert!(
        begin.elapsed().to_std() < TAKEOVER_MAX,
        "{:?}",
        begin.elapsed().to_std()
    );
    assert_eq!(database.sql("SELECT epoch FROM leader"), ["3"]);
    commit(&next, furniture()).unwrap();
    assert!(commit(&again, vec![share(1)]).is_err());
}
