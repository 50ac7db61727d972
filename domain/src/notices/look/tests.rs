use proptest::prelude::*;

use super::*;

const BEGIN: i64 = 1_000_000;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(BEGIN + secs)
}

fn rig(name: &str, last: i64) -> (WorkerName, Option<Timestamp>) {
    (name.parse().unwrap(), Some(at(last)))
}

/// A miner that is looked at once a minute, and what it was told.
struct Bench {
    watch: Watch,
    told: Told,
    work_since: Timestamp,
}

impl Bench {
    fn new() -> Self {
        Self {
            watch: Watch::default(),
            told: Told::new(),
            work_since: at(-100_000),
        }
    }

    fn look(&mut self, secs: i64, seen: &Seen) -> Vec<Change> {
        let when = When {
            now: at(secs),
            work_since: self.work_since,
        };
        let (changes, told) = self.watch.look(seen, &Thresholds::default(), &self.told, when);
        self.told = told;
        changes
    }

    /// Looks each minute from one second to another; gives what was told, with when.
    fn minutes(&mut self, from: i64, to: i64, seen: impl Fn(i64) -> Seen) -> Vec<(i64, Change)> {
        let mut told = Vec::new();
        for secs in (from..=to).step_by(60) {
            told.extend(
                self.look(secs, &seen(secs))
                    .into_iter()
                    .map(|change| (secs, change)),
            );
        }
        told
    }
}

fn with_rigs(workers: Vec<(WorkerName, Option<Timestamp>)>) -> Seen {
    Seen {
        workers,
        ..Seen::default()
    }
}

fn names(names: &[&str]) -> Vec<WorkerName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

#[test]
fn workers_that_go_together_are_told_together_once_and_so_is_their_return() {
    let mut bench = Bench::new();
    let seen = |now: i64| {
        let last = if now < 3_000 { now.min(600) } else { now };
        with_rigs(vec![
            rig("a", last),
            rig("b", last),
            rig("c", now),
            (names(&["d"])[0].clone(), None),
        ])
    };
    let told = bench.minutes(0, 6_000, seen);
    let expected = [
        (1_500, Change::Offline(names(&["a", "b"]))),
        (3_000, Change::Online(names(&["a", "b"]))),
    ];
    assert_eq!(told, expected);
    assert!(bench.told.is_empty());
}

#[test]
fn a_worker_that_was_put_away_long_ago_is_no_news_and_one_that_never_returns_is_forgotten() {
    let mut bench = Bench::new();
    assert_eq!(bench.look(0, &with_rigs(vec![rig("old", -90_000)])), []);
    let gone = with_rigs(vec![rig("gone", -900)]);
    assert_eq!(bench.look(0, &gone), [Change::Offline(names(&["gone"]))]);
    assert_eq!(bench.look(60, &gone), []);
    let late = 31 * 86_400;
    assert_eq!(bench.look(late, &gone), []);
    assert!(bench.told.is_empty());
    assert_eq!(bench.look(late + 60, &gone), [], "it is not told again");
}

#[test]
fn while_the_pool_gives_no_work_nobody_is_idle_by_their_own_fault() {
    let mut bench = Bench::new();
    bench.work_since = at(0);
    let quiet = with_rigs(vec![rig("a", -800)]);
    assert_eq!(bench.minutes(0, 840, |_| quiet.clone()), []);
    assert_eq!(bench.look(900, &quiet), [Change::Offline(names(&["a"]))]);
    // Work breaks off and comes back: what was told is not over by that.
    bench.work_since = at(950);
    assert_eq!(bench.look(960, &quiet), []);
    assert_eq!(
        bench.look(1_000, &with_rigs(vec![rig("a", 990)])),
        [Change::Online(names(&["a"]))]
    );
}

#[test]
fn a_hashrate_is_low_once_it_has_been_for_a_while_and_not_while_workers_are_away() {
    let seen = |hashrate| Seen {
        hashrate,
        usual: Some(100.0),
        ..Seen::default()
    };
    let mut bench = Bench::new();
    let told = bench.minutes(0, 6_000, |now| {
        seen(if (600..3_000).contains(&now) { 49.0 } else { 51.0 })
    });
    let expected = [
        (
            1_200,
            Change::Low {
                hashrate: 49.0,
                usual: 100.0,
            },
        ),
        (3_600, Change::NotLow { hashrate: 51.0 }),
    ];
    assert_eq!(told, expected);
    // A short dip is nothing.
    assert_eq!(
        bench.minutes(0, 6_000, |now| seen(if now % 600 < 300 { 10.0 } else { 90.0 })),
        []
    );
    // A worker that is away says it all.
    let with_away = |now: i64| Seen {
        workers: vec![rig("a", now.min(100))],
        ..seen(10.0)
    };
    let told = Bench::new().minutes(0, 9_000, with_away);
    assert_eq!(told.len(), 2, "{told:?}");
    let told = Bench::new().minutes(1_000, 9_000, with_away);
    assert_eq!(told, [(1_000, Change::Offline(names(&["a"])))]);
    // Of what is not known nothing is told, whatever was told before.
    let mut bench = Bench::new();
    bench.told.insert(LOW.to_owned(), at(0));
    assert_eq!(
        bench.minutes(0, 6_000, |_| Seen {
            usual: None,
            ..seen(0.0)
        }),
        []
    );
    assert_eq!(bench.told.len(), 1);
}

#[test]
fn rejects_are_counted_over_the_last_minutes_and_few_shares_say_nothing() {
    // 10 shares a minute, of which two are rejected in the second hour.
    let seen = |now: i64| {
        let minutes = now.unsigned_abs() / 60;
        let rejected = minutes.saturating_sub(60).min(60) * 2;
        Seen {
            accepted: minutes * 10 - rejected,
            rejected,
            ..Seen::default()
        }
    };
    let mut bench = Bench::new();
    let told = bench.minutes(0, 10_000, seen);
    let (began, begin) = &told[0];
    assert!((3_600..4_200).contains(began), "{told:?}");
    assert!(
        matches!(begin, Change::Rejects { rejected, shares } if rejected * 10 >= *shares && *shares == 100)
    );
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[1].1, Change::FewRejects);
    let few = |now: i64| Seen {
        rejected: now.unsigned_abs() / 60 * 4,
        ..Seen::default()
    };
    assert_eq!(Bench::new().minutes(0, 6_000, few), []);
    // Counters that a crash put back begin anew, and overflow nothing.
    let mut bench = Bench::new();
    bench.look(
        0,
        &Seen {
            accepted: 500,
            rejected: 9,
            ..Seen::default()
        },
    );
    assert_eq!(
        bench.look(
            60,
            &Seen {
                accepted: 499,
                rejected: 9,
                ..Seen::default()
            }
        ),
        []
    );
}

#[test]
fn a_missing_address_is_told_once_and_that_it_is_set_is_no_news() {
    let seen = |now: i64| Seen {
        lacks_address: (60..5_000).contains(&now),
        ..Seen::default()
    };
    let mut bench = Bench::new();
    assert_eq!(bench.minutes(0, 8_000, seen), [(660, Change::NoAddress)]);
    assert!(bench.told.is_empty());
}

proptest! {
    /// Whatever is seen: what ends has begun and what begins had not, for each thing; and what a later life knows is what
    /// was told.
    #[test]
    fn beginnings_and_ends_take_turns(
        looks in proptest::collection::vec(
            (1i64..2_000, proptest::collection::vec(any::<bool>(), 3), 0u8..4, 0u64..200, 0u64..60, any::<bool>(), any::<bool>()),
            1..200,
        ),
    ) {
        let mut bench = Bench::new();
        let (mut now, mut lasts, mut accepted, mut rejected) = (0, [0i64; 3], 0, 0);
        let mut open = std::collections::BTreeSet::new();
        for (wait, works, rate, more, wrong, lacks, is_new_life) in looks {
            now += wait;
            for (last, works) in lasts.iter_mut().zip(&works) {
                if *works {
                    *last = now;
                }
            }
            accepted += more;
            rejected += wrong;
            if is_new_life {
                bench.watch = Watch::default();
            }
            let seen = Seen {
                workers: vec![rig("a", lasts[0]), rig("b", lasts[1]), rig("c", lasts[2])],
                hashrate: f64::from(rate) * 30.0,
                usual: (rate < 3 || now % 2 == 0).then_some(100.0),
                accepted,
                rejected,
                lacks_address: lacks,
            };
            for change in bench.look(now, &seen) {
                let keys: Vec<_> = match &change {
                    Change::Offline(names) | Change::Online(names) => {
                        names.iter().map(|name| format!("{WORKER}{name}")).collect()
                    }
                    Change::Low { .. } | Change::NotLow { .. } => vec![LOW.to_owned()],
                    Change::Rejects { .. } | Change::FewRejects => vec![REJECTS.to_owned()],
                    Change::NoAddress => vec![ADDRESS.to_owned()],
                };
                prop_assert!(!keys.is_empty());
                for key in keys {
                    if change.begins() {
                        prop_assert!(open.insert(key) || change == Change::NoAddress);
                    } else {
                        prop_assert!(open.remove(&key));
                    }
                }
            }
            // An address that was set ends without a word, and so does a worker that was forgotten.
            open.retain(|key| bench.told.contains_key(key));
            prop_assert!(bench.told.keys().all(|key| open.contains(key)));
        }
    }
}
