use super::*;
use crate::target::Target;
use crate::time::Span;
use crate::units::Units;

const NOW: Timestamp = Timestamp::from_secs(1_000);

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
    };
    let settings = vardiff::Settings::new(Span::from_secs(10), difficulty(0.01), difficulty(100.0));
    let mut registry = Registry::new(limits, settings.unwrap(), difficulty(1.0), NOW);
    registry.note_miner(miner(1), NOW, Some("address".to_owned()));
    registry
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
    registry.note_miner(miner(1), later, Some("other".to_owned()));
    let known = registry.miner(&miner(1)).unwrap();
    assert_eq!(known.registered_at, NOW);
    assert_eq!(known.payout_address.as_deref(), Some("other"));
    assert!(registry.has_room());
    registry.note_miner(miner(2), later, None);
    assert!(!registry.has_room());
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
    registry.note_miner(miner(2), NOW, Some("address".to_owned()));
    assert!(!registry.has_room_for_address(0), "the others took the room");
    for _ in 0..2 {
        registry.note_is_address(&miner(2));
        registry.note_miner(miner(2), NOW, Some("address".to_owned()));
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
    registry.note_miner(miner(1), NOW, None);
    assert_eq!(registry.standing(&miner(1), NOW), Standing::Banned("spam"));
}

#[test]
fn workers_are_numbered_once_and_bounded() {
    let mut registry = registry();
    let first = registry.find_or_number(miner(1), &name("a"), NOW).unwrap();
    assert_eq!(first, (WorkerId::new(0), false));
    assert_eq!(
        registry.find_or_number(miner(1), &name("a"), NOW),
        Ok(first),
        "not stored yet"
    );
    registry.worker_saved(first.0);
    assert_eq!(
        registry.find_or_number(miner(1), &name("a"), NOW),
        Ok((WorkerId::new(0), true))
    );
    registry.find_or_number(miner(1), &name("b"), NOW).unwrap();
    assert_eq!(registry.find_or_number(miner(1), &name("c"), NOW), Err(2));
    registry.note_miner(miner(2), NOW, None);
    let other = registry.find_or_number(miner(2), &name("a"), NOW).unwrap();
    assert_eq!(
        other,
        (WorkerId::new(2), false),
        "names are a miner's own, numbers the pool's"
    );
    assert_eq!(registry.worker(other.0).unwrap().hotkey, miner(2));
    assert_eq!(registry.workers().count(), 3);
}

#[test]
fn numbers_with_gaps_are_restored_and_not_given_again() {
    let mut registry = registry();
    let counters = Counters {
        accepted: 7,
        rejected: [1, 0, 0, 0, 0, 2],
        units: Units::ONE,
        blocks: 1,
        last_share_at: Some(NOW),
    };
    registry.note_worker(WorkerId::new(5), miner(1), name("old"), counters, NOW);
    assert!(registry.worker(WorkerId::new(4)).is_none());
    assert!(registry.worker(WorkerId::new(6)).is_none());
    assert_eq!(registry.worker(WorkerId::new(5)).unwrap().counters, counters);
    assert_eq!(
        registry.find_or_number(miner(1), &name("old"), NOW),
        Ok((WorkerId::new(5), true))
    );
    assert_eq!(
        registry.find_or_number(miner(1), &name("new"), NOW),
        Ok((WorkerId::new(6), false))
    );
    // A worker of nobody is left out.
    registry.note_worker(WorkerId::new(9), miner(9), name("x"), counters, NOW);
    assert!(registry.worker(WorkerId::new(9)).is_none());
}

#[test]
fn shares_are_counted_and_each_change_is_taken_once() {
    let mut registry = registry();
    let (worker, _) = registry.find_or_number(miner(1), &name("a"), NOW).unwrap();
    assert!(registry.take_changed().is_empty());
    let target = difficulty(1.0).target();
    let at = NOW.plus(Span::from_secs(10));
    registry.on_accepted(worker, at, &counted(target));
    registry.on_rejected(&miner(1), Some(worker), Rejection::Stale);
    registry.on_rejected(&miner(1), None, Rejection::UnknownJob);
    // Another miner's name for this worker: it is that miner's own fault.
    registry.note_miner(miner(2), NOW, None);
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
    assert_eq!(registry.miner(&miner(1)).unwrap().rejected, [1, 0, 0, 0, 0, 0]);
    assert_eq!(registry.miner(&miner(2)).unwrap().rejected, [0, 0, 0, 1, 0, 0]);
    let hashes = target.difficulty().expected_hashes() / 10.0;
    for shown in [
        registry.hashrate(at),
        registry.worker(worker).unwrap().hashrate(at),
    ] {
        assert!((shown / hashes - 1.0).abs() < 0.05, "{shown} instead of {hashes}");
    }
}

#[test]
fn a_fixed_difficulty_of_a_worker_goes_before_its_miners_and_both_before_vardiff() {
    let mut registry = registry();
    let (worker, _) = registry.find_or_number(miner(1), &name("a"), NOW).unwrap();
    let next = |registry: &mut Registry| {
        let next = registry.next_difficulty(worker, NOW);
        assert_eq!(registry.shown_difficulty(registry.worker(worker).unwrap()), next);
        next
    };
    assert_eq!(next(&mut registry), difficulty(1.0));
    assert!(registry.fix_difficulty(&miner(1), None, Some(difficulty(2.0))));
    assert_eq!(next(&mut registry), difficulty(2.0));
    assert!(registry.fix_difficulty(&miner(1), Some(&name("a")), Some(difficulty(3.0))));
    assert_eq!(next(&mut registry), difficulty(3.0));
    assert!(registry.fix_difficulty(&miner(1), Some(&name("a")), None));
    assert!(registry.fix_difficulty(&miner(1), None, None));
    assert_eq!(next(&mut registry), difficulty(1.0));
    assert!(!registry.fix_difficulty(&miner(1), Some(&name("b")), None));
    assert!(!registry.fix_difficulty(&miner(2), None, None));
    // A worker that nobody knows begins where all begin.
    assert_eq!(registry.next_difficulty(WorkerId::new(9), NOW), difficulty(1.0));
}

#[test]
fn vardiff_follows_the_shares_of_a_worker_and_its_silence() {
    let mut registry = registry();
    let (worker, _) = registry.find_or_number(miner(1), &name("a"), NOW).unwrap();
    let mut now = NOW;
    for _ in 0..20 {
        now = now.plus(Span::from_millis(500));
        let issued = registry.next_difficulty(worker, now).target();
        registry.on_accepted(worker, now, &counted(issued));
    }
    let fast = registry.next_difficulty(worker, now);
    assert!(fast > difficulty(1.0), "twenty shares in the time of one");
    now = now.plus(Span::from_secs(600));
    assert!(
        registry.next_difficulty(worker, now) < fast,
        "ten minutes of silence"
    );
}
