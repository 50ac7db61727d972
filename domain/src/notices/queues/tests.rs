use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::time::Span;

const LIMITS: QueueLimits = QueueLimits {
    of_miner: 5,
    of_all: 12,
    places: 4,
    of_host: 2,
    of_failing: 2,
};

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn miner(n: u8) -> Hotkey {
    Hotkey::from_bytes([n; 32])
}

fn name(text: &str) -> ChannelName {
    text.parse().unwrap()
}

fn notice(key: &str, secs: i64) -> Queued {
    Queued {
        key: key.to_owned(),
        kind: NoticeKind::BlockFound,
        at: at(secs),
        text: String::new(),
        detail: "{}".to_owned(),
        failures: 0,
        next_at: at(secs),
    }
}

fn own_host(hotkey: &Hotkey, _: &ChannelName) -> Option<String> {
    Some(hotkey.to_string())
}

fn keys(places: &[Place]) -> Vec<&str> {
    places.iter().map(|place| place.key.as_str()).collect()
}

#[test]
fn miners_take_turns_and_one_thing_of_each_is_told_at_a_time() {
    let mut queues = Queues::new(LIMITS);
    for n in [1, 2, 3] {
        for secs in [1, 2, 3] {
            let key = format!("{n}{secs}");
            assert_eq!(queues.push(miner(n), &name("a"), notice(&key, secs)), []);
        }
    }
    let mut told = Vec::new();
    for _ in 0..3 {
        let turns: Vec<_> = std::iter::from_fn(|| queues.next(at(9), own_host)).collect();
        for (place, queued) in turns {
            assert_eq!(place.key, queued.key);
            told.push(place.key.clone());
            assert_eq!(queues.settle(&place, Outcome::Arrived, at(9)), Settled::Done);
        }
    }
    assert_eq!(told, ["11", "21", "31", "12", "22", "32", "13", "23", "33"]);
    assert_eq!(queues.waiting(), 0);
    assert!(queues.next(at(9), own_host).is_none());
}

#[test]
fn of_whom_too_much_waits_the_oldest_goes_and_then_of_whom_the_most_does() {
    let mut queues = Queues::new(LIMITS);
    for n in 1..=5 {
        assert_eq!(queues.push(miner(1), &name("a"), notice(&n.to_string(), n)), []);
    }
    assert_eq!(keys(&queues.push(miner(1), &name("b"), notice("6", 6))), ["1"]);
    assert_eq!(keys(&queues.push(miner(1), &name("a"), notice("7", 7))), ["2"]);
    assert_eq!(
        queues.push(miner(1), &name("a"), notice("7", 7)),
        [],
        "it waits already"
    );
    for n in 0..4 {
        queues.push(miner(2), &name("a"), notice(&format!("2{n}"), 1));
        queues.push(miner(3), &name("a"), notice(&format!("3{n}"), 1));
    }
    assert_eq!(queues.waiting(), LIMITS.of_all);
    assert_eq!(
        (queues.waiting_of(&miner(1)), queues.waiting_of(&miner(2))),
        (4, 4)
    );
    queues.drop_miner(&miner(2));
    assert_eq!(queues.waiting(), 8);
    assert_eq!(queues.drop_channel(&miner(3), &name("a")).len(), 4);
    assert_eq!(queues.waiting(), 4);
}

#[test]
fn what_fails_is_told_again_later_and_a_receiver_that_is_dead_is_given_up_with_all_that_waits() {
    let mut queues = Queues::new(LIMITS);
    queues.push(miner(1), &name("a"), notice("x", 0));
    queues.push(miner(1), &name("a"), notice("y", 0));
    let mut now = at(0);
    let mut tries = 0;
    let given_up = loop {
        let (place, _) = queues.next(now, own_host).unwrap();
        assert!(queues.next(now, own_host).is_none(), "one at a time");
        assert_eq!(place.key, "x", "what waits behind it waits with it");
        tries += 1;
        match queues.settle(&place, Outcome::Failed, now) {
            Settled::Again(failures, next_at) => {
                assert_eq!((failures, next_at > now), (tries, true));
                assert!(
                    queues
                        .next(next_at.minus(Span::from_millis(1)), own_host)
                        .is_none()
                );
                now = next_at;
            }
            Settled::GivenUp(places) => break places,
            Settled::Done => panic!("it did not arrive"),
        }
    };
    assert_eq!(keys(&given_up), ["x", "y"]);
    assert_eq!((tries, queues.waiting()), (13, 0));
    queues.push(miner(1), &name("a"), notice("z", 0));
    let (place, _) = queues.next(now, own_host).unwrap();
    assert!(matches!(queues.settle(&place, Outcome::Unwanted, now), Settled::GivenUp(all) if all.len() == 1));
    assert_eq!(
        queues.settle(&place, Outcome::Arrived, now),
        Settled::Done,
        "it is gone"
    );
}

#[test]
fn what_a_miner_asked_for_goes_first_and_is_not_tried_for_days() {
    let mut queues = Queues::new(LIMITS);
    let asked = |key: &str| Queued {
        kind: NoticeKind::Test,
        ..notice(key, 5)
    };
    queues.push(miner(1), &name("a"), notice("x", 0));
    queues.push(miner(1), &name("a"), asked("test"));
    let mut now = at(5);
    for tries in 1.. {
        let (place, _) = queues.next(now, own_host).unwrap();
        assert_eq!(place.key, "test");
        match queues.settle(&place, Outcome::Failed, now) {
            Settled::Again(_, next_at) => now = next_at,
            settled => {
                assert_eq!((settled, tries), (Settled::Done, 4));
                break;
            }
        }
    }
    assert_eq!(queues.next(now, own_host).unwrap().0.key, "x");
}

#[test]
fn a_host_and_those_that_fail_have_some_of_the_places() {
    let mut queues = Queues::new(LIMITS);
    for n in 1..=8 {
        let failures = u32::from(n > 4);
        queues.push(
            miner(n),
            &name("a"),
            Queued {
                failures,
                ..notice("x", 0)
            },
        );
    }
    let one_host = |_: &Hotkey, _: &ChannelName| Some("same".to_owned());
    let mut same = queues.clone();
    assert_eq!(
        std::iter::from_fn(|| same.next(at(0), one_host)).count(),
        LIMITS.of_host
    );
    for n in 1..=4 {
        queues.drop_miner(&miner(n));
    }
    assert_eq!(
        std::iter::from_fn(|| queues.next(at(0), own_host)).count(),
        LIMITS.of_failing
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// However many miners have receivers that never answer: the limits hold at every moment, and what waits for one that
    /// answers arrives, once for each time it was pushed, before long.
    #[test]
    fn the_dead_keep_the_living_waiting_for_a_bounded_time(
        pushes in proptest::collection::vec((0u8..12, 0u8..2, 1i64..30), 1..80),
    ) {
        const TIMEOUT: i64 = 10;
        let is_dead = |hotkey: &Hotkey| !hotkey.as_bytes()[0].is_multiple_of(3);
        let limits = QueueLimits { of_all: 1_000, of_miner: 100, ..LIMITS };
        let mut queues = Queues::new(limits);
        let mut flying: Vec<(i64, Place)> = Vec::new();
        let (mut now, mut arrived) = (0, BTreeSet::new());
        let mut pushed = Vec::new();
        let mut pending = pushes.iter().enumerate().peekable();
        let mut next_push = 0;
        while now < 4_000 {
            now += 1;
            while let Some((n, (who, channel, wait))) = pending.next_if(|_| next_push <= now) {
                let key = n.to_string();
                let channel = name(["a", "b"][usize::from(*channel)]);
                queues.push(miner(*who), &channel, notice(&key, now));
                if !is_dead(&miner(*who)) {
                    pushed.push((key, now));
                }
                next_push = now + wait;
            }
            let (done, still): (Vec<_>, Vec<_>) = flying.into_iter().partition(|(until, _)| *until <= now);
            flying = still;
            for (_, place) in done {
                let outcome = if is_dead(&place.hotkey) { Outcome::Failed } else { Outcome::Arrived };
                queues.settle(&place, outcome, at(now));
                if outcome == Outcome::Arrived {
                    prop_assert!(arrived.insert(place.key.clone()), "it arrived twice");
                    let (_, since) = pushed.iter().find(|(key, _)| *key == place.key).unwrap();
                    // All dead ones may have their first try before it, each place for the whole time-out; then half of the
                    // places are its own.
                    prop_assert!(now - since <= 100 * TIMEOUT, "{} s", now - since);
                }
            }
            while let Some((place, queued)) = queues.next(at(now), own_host) {
                prop_assert!(queued.next_at <= at(now));
                let takes = if is_dead(&place.hotkey) { TIMEOUT } else { 1 };
                flying.push((now + takes, place));
            }
            prop_assert!(flying.len() <= limits.places);
            let who: BTreeSet<_> = flying.iter().map(|(_, place)| place.hotkey).collect();
            prop_assert_eq!(who.len(), flying.len());
        }
        prop_assert_eq!(arrived.len(), pushed.len());
    }

}

proptest! {
    /// Whatever is pushed: the bounds hold, and what is not waiting was dropped and said so.
    #[test]
    fn nothing_grows_beyond_its_bound_and_nothing_goes_unsaid(
        pushes in proptest::collection::vec((0u8..6, 0u8..3, 0u8..20, 0i64..50), 1..300),
    ) {
        let mut queues = Queues::new(LIMITS);
        let mut held = BTreeSet::new();
        for (who, channel, key, secs) in pushes {
            let channel = name(["a", "b", "c"][usize::from(channel)]);
            let place = Place { hotkey: miner(who), channel: channel.clone(), key: key.to_string() };
            let is_new = held.insert(place.clone());
            let dropped = queues.push(miner(who), &channel, notice(&key.to_string(), secs));
            prop_assert!(is_new || dropped.is_empty());
            for gone in dropped {
                prop_assert!(held.remove(&gone));
            }
            prop_assert_eq!(queues.waiting(), held.len());
            prop_assert!(queues.waiting() <= LIMITS.of_all);
            prop_assert!((0..6).all(|n| queues.waiting_of(&miner(n)) <= LIMITS.of_miner));
            prop_assert!(held.iter().all(|place| queues.get(place).is_some()));
        }
    }
}
