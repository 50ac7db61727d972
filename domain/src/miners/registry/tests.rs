use super::*;
use crate::target::Target;
use crate::time::Span;
use crate::units::Units;

mod difficulty;
mod room;

const NOW: Timestamp = Timestamp::from_secs(10_000_000);
const DAY: u64 = 86_400;
const OWNER: Client = Client::Owner(Hotkey::from_bytes([1; 32]));

fn miner(n: u8) -> Hotkey {
    Hotkey::from_bytes([n; 32])
}

fn name(text: &str) -> WorkerName {
    text.parse().unwrap()
}

fn difficulty(value: f64) -> Difficulty {
    Difficulty::from_f64(value).unwrap()
}

fn ban(until: Option<Timestamp>) -> Option<Ban> {
    Some(Ban {
        reason: "spam".to_owned(),
        until,
    })
}

/// Room for two miners with two workers each; miner 1 is registered.
fn registry() -> Registry {
    let limits = RegistryLimits {
        miners: 2,
        address_miners: 1,
        workers_per_miner: 2,
        worker_idle: Span::from_secs(DAY),
        names_waiting: 4,
    };
    let settings = vardiff::Settings::new(Span::from_secs(10), difficulty(0.01), difficulty(100.0));
    let mut registry = Registry::new(limits, settings.unwrap(), difficulty(1.0), NOW);
    registry.note_miner(miner(1), NOW, Some("address".to_owned()), OWNER);
    registry.give_numbers(WorkerId::new(0), 1_000);
    registry
}

/// The worker of miner 1 with this name, numbered if it is new.
fn number(registry: &mut Registry, text: &str) -> WorkerId {
    registry
        .find_or_number(miner(1), &name(text), OWNER, NOW)
        .unwrap()
}

/// The same worker, and the store knows it.
fn stored(registry: &mut Registry, text: &str) -> WorkerId {
    let id = number(registry, text);
    let credit = registry.credit(miner(1), id, None, NOW).unwrap();
    assert_eq!(credit.worker, id);
    registry.worker_saved(id);
    registry.on_accepted(id, NOW, &counted(difficulty(1.0).target()));
    id
}

/// A share of one unit that is a block.
fn counted(issued: Target) -> CountedShare {
    CountedShare {
        issued: issued.difficulty(),
        units: Units::ONE,
        is_block: true,
    }
}

#[test]
fn a_miner_keeps_its_date_and_takes_its_new_address() {
    let mut registry = registry();
    let later = NOW.plus(Span::from_secs(5));
    registry.note_miner(miner(1), later, Some("other".to_owned()), OWNER);
    let known = registry.miner(&miner(1)).unwrap();
    assert_eq!(known.registered_at, NOW);
    assert_eq!(known.payout_address.as_deref(), Some("other"));
    assert!(registry.has_room(0));
    assert!(!registry.has_room(1), "one that is being stored counts");
    registry.note_miner(miner(2), later, None, OWNER);
    assert!(!registry.has_room(0));
    let hotkeys: Vec<_> = registry.miners().map(|(hotkey, _)| *hotkey).collect();
    assert_eq!(hotkeys, [miner(1), miner(2)]);
}

#[test]
fn addresses_have_room_of_their_own_and_are_counted_once() {
    let mut registry = registry();
    assert!(registry.has_room_for_address(0));
    assert!(
        !registry.has_room_for_address(1),
        "one that is being stored counts"
    );
    registry.note_miner(miner(2), NOW, Some("address".to_owned()), OWNER);
    for _ in 0..2 {
        registry.note_is_address(&miner(2));
        registry.note_miner(miner(2), NOW, Some("address".to_owned()), OWNER);
    }
    registry.note_is_address(&miner(3));
    assert_eq!(registry.address_miners(), 1);
    assert!(!registry.has_room_for_address(0));
}

#[test]
fn a_ban_holds_until_it_ends_or_is_lifted() {
    let mut registry = registry();
    assert_eq!(registry.standing(&miner(2), NOW), Standing::Unknown);
    assert_eq!(registry.standing(&miner(1), NOW), Standing::Good);
    let until = NOW.plus(Span::from_secs(60));
    assert!(registry.set_ban(&miner(1), ban(Some(until))));
    let last = Timestamp::from_millis(until.millis() - 1);
    assert_eq!(registry.standing(&miner(1), last), Standing::Banned("spam"));
    assert_eq!(registry.standing(&miner(1), until), Standing::Good);
    assert!(registry.set_ban(&miner(1), ban(None)));
    let far = Timestamp::from_secs(1 << 40);
    assert_eq!(registry.standing(&miner(1), far), Standing::Banned("spam"));
    assert!(registry.set_ban(&miner(1), None));
    assert_eq!(registry.standing(&miner(1), NOW), Standing::Good);
    assert!(!registry.set_ban(&miner(2), ban(None)), "only miners are banned");
    // Registering again does not lift a ban.
    registry.set_ban(&miner(1), ban(None));
    registry.note_miner(miner(1), NOW, None, OWNER);
    assert_eq!(registry.standing(&miner(1), NOW), Standing::Banned("spam"));
}

#[test]
fn names_are_numbered_once_and_each_number_is_given_once() {
    let mut registry = registry();
    registry.limits.names_waiting = 100;
    let first = number(&mut registry, "a");
    assert_eq!(first, WorkerId::new(0));
    assert_eq!(number(&mut registry, "a"), first);
    registry.note_miner(miner(2), NOW, None, OWNER);
    let other = registry.find_or_number(miner(2), &name("a"), OWNER, NOW).unwrap();
    assert_eq!(
        other,
        WorkerId::new(1),
        "names are a miner's own, numbers the pool's"
    );
    assert_eq!(registry.worker(other).unwrap().hotkey, miner(2));
    assert_eq!(registry.workers().count(), 0, "none of them has work");
    assert!(registry.forget_waiting(first));
    assert_eq!(
        number(&mut registry, "a"),
        WorkerId::new(2),
        "its jobs may be about"
    );
    registry.give_numbers(WorkerId::new(u32::MAX - 1), 6);
    let numbers: Vec<_> = (0..4)
        .map(|n| number(&mut registry, &format!("n{n}")).get())
        .collect();
    assert_eq!(numbers, [u32::MAX - 1, u32::MAX, 0, 3], "1 and 2 are in use");
    registry.give_numbers(WorkerId::new(0), 0);
    let none = registry.find_or_number(miner(1), &name("late"), OWNER, NOW);
    assert_eq!(none, Err(OutOfNumbers));
    assert_eq!(
        registry.find_or_number(miner(1), &name("n3"), OWNER, NOW),
        Ok(WorkerId::new(3))
    );
}

#[test]
fn what_the_store_has_is_restored_and_its_numbers_are_not_given_again() {
    let mut registry = registry();
    let counters = Counters {
        accepted: 7,
        rejected: [1, 0, 0, 0, 0, 2],
        units: Units::ONE,
        blocks: 1,
        last_share_at: Some(NOW),
    };
    registry.note_worker(WorkerId::new(1), miner(1), name("old"), counters, NOW);
    registry.note_gone_number(WorkerId::new(0));
    assert_eq!(registry.worker(WorkerId::new(1)).unwrap().counters, counters);
    assert_eq!(number(&mut registry, "old"), WorkerId::new(1));
    assert_eq!(number(&mut registry, "new"), WorkerId::new(2));
    // A worker of nobody is left out.
    registry.note_worker(WorkerId::new(9), miner(9), name("x"), counters, NOW);
    assert!(registry.worker(WorkerId::new(9)).is_none());
    assert_eq!(registry.first_to_give_way(false), None, "it has work");
}

/// What is credited to whom, by what became of the job's worker.
#[test]
fn every_share_is_credited_to_its_name_or_else_to_its_miners_default() {
    type Case = (
        &'static str,
        fn(&mut Registry) -> WorkerId,
        Option<&'static str>,
        &'static str,
        bool,
    );
    let full = |registry: &mut Registry| {
        stored(registry, "a");
        stored(registry, "b");
    };
    let cases: [Case; 8] = [
        ("its first work", |r| number(r, "rig"), None, "rig", false),
        ("known work", |r| stored(r, "rig"), None, "rig", true),
        (
            "a name that was pushed out",
            |_| WorkerId::new(77),
            None,
            "default",
            false,
        ),
        (
            "the same, named by the request",
            |r| {
                stored(r, "rig");
                WorkerId::new(77)
            },
            Some("rig"),
            "rig",
            true,
        ),
        (
            "the same, by a name that nobody knows",
            |_| WorkerId::new(77),
            Some("rig"),
            "default",
            false,
        ),
        (
            "another miner's number",
            |r| {
                r.note_miner(miner(2), NOW, None, OWNER);
                r.find_or_number(miner(2), &name("rig"), OWNER, NOW).unwrap()
            },
            None,
            "default",
            false,
        ),
        (
            "a name that is leaving",
            |r| {
                let id = stored(r, "rig");
                assert!(r.begin_leaving(id).is_some());
                id
            },
            Some("rig"),
            "default",
            false,
        ),
        (
            "work of default itself",
            |r| stored(r, "default"),
            None,
            "default",
            true,
        ),
    ];
    for (what, prepare, named, expected, is_stored) in cases {
        let mut registry = registry();
        let id = prepare(&mut registry);
        let credit = registry
            .credit(miner(1), id, named.map(name).as_ref(), NOW)
            .unwrap();
        let worker = registry.worker(credit.worker).unwrap();
        assert_eq!(
            (worker.name.as_str(), credit.is_stored),
            (expected, is_stored),
            "{what}"
        );
        assert_eq!(worker.hotkey, miner(1), "{what}");
        let again = registry
            .credit(miner(1), id, named.map(name).as_ref(), NOW)
            .unwrap();
        assert_eq!(again, credit, "{what}: until it is stored");
    }
    let mut registry = registry();
    full(&mut registry);
    let late = number(&mut registry, "late");
    let credit = registry.credit(miner(1), late, Some(&name("late")), NOW).unwrap();
    assert!(
        registry.worker(credit.worker).unwrap().name.is_unnamed(),
        "a full list refuses nobody"
    );
    registry.give_numbers(WorkerId::new(0), 0);
    let unnumbered = registry.credit(miner(1), late, None, NOW).unwrap();
    assert_eq!(unnumbered, credit);
}

#[test]
fn shares_are_counted_and_each_change_is_taken_once() {
    let mut registry = registry();
    let worker = number(&mut registry, "a");
    // A name without work has no counters of its own.
    registry.on_rejected(&miner(1), Some(worker), Rejection::UnknownJob);
    registry.credit(miner(1), worker, None, NOW).unwrap();
    registry.worker_saved(worker);
    assert!(registry.take_changed().is_empty());
    let target = difficulty(1.0).target();
    let at = NOW.plus(Span::from_secs(10));
    registry.on_accepted(worker, at, &counted(target));
    registry.on_rejected(&miner(1), Some(worker), Rejection::Stale);
    registry.on_rejected(&miner(1), None, Rejection::UnknownJob);
    // Another miner's name for this worker: it is that miner's own fault.
    registry.note_miner(miner(2), NOW, None, OWNER);
    registry.on_rejected(&miner(2), Some(worker), Rejection::LowDifficulty);
    // Nobody's shares are nobody's.
    registry.on_rejected(&miner(9), None, Rejection::UnknownJob);
    let expected = Counters {
        accepted: 1,
        rejected: [0, 1, 0, 0, 0, 0],
        units: Units::ONE,
        blocks: 1,
        last_share_at: Some(at),
    };
    assert_eq!(registry.take_changed(), [(worker, expected)]);
    assert!(registry.take_changed().is_empty());
    registry.keep_changed([worker]);
    assert_eq!(
        registry.take_changed(),
        [(worker, expected)],
        "it could not be saved"
    );
    assert_eq!(registry.miner(&miner(1)).unwrap().rejected, [2, 0, 0, 0, 0, 0]);
    assert_eq!(registry.miner(&miner(2)).unwrap().rejected, [0, 0, 0, 1, 0, 0]);
    let hashes = target.difficulty().expected_hashes() / 10.0;
    for shown in [
        registry.hashrate(at),
        registry.worker(worker).unwrap().hashrate(at),
    ] {
        assert!((shown / hashes - 1.0).abs() < 0.05, "{shown} instead of {hashes}");
    }
}
