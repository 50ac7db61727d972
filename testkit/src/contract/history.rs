//! History: what was mined in each minute, hour and day.

use dwarves_domain::history::{Step, Sums};
use dwarves_domain::ids::WorkerId;
use dwarves_domain::target::CompactTarget;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Units;

use super::Backend;
use super::fixtures::{
    append, at, close_round, commit, empty_round, furnished, key, register, seq, share, start, worker,
};
use dwarves_ports::store::{
    CounterRow, HistoryOf, HistoryQuestion, HistoryStep, ShareRow, SharedStore, Write, Written,
};

/// A full hour, from which the cases count.
pub(super) const HOUR: i64 = 1_699_999_200;

pub(super) fn when(secs: i64) -> Timestamp {
    Timestamp::from_secs(HOUR + secs)
}

/// Share `n` of a worker, which came so many seconds after the full hour.
pub(super) fn came(n: u64, of: u32, units: u128, secs: i64) -> ShareRow {
    ShareRow {
        received_at: when(secs),
        ..share(n, of, units)
    }
}

pub(super) async fn steps(store: &SharedStore, of: HistoryOf, step: Step) -> Vec<HistoryStep> {
    let question = HistoryQuestion {
        of,
        step,
        from: Timestamp::EPOCH,
        to: when(1_000 * 86_400),
    };
    store.history(question).await.unwrap().unwrap().steps
}

/// Accepted shares and their work in each step: when it began, in seconds after the full hour.
async fn work(store: &SharedStore, of: HistoryOf, step: Step) -> Vec<(i64, u64, u128)> {
    let steps = steps(store, of, step).await.into_iter();
    steps
        .map(|step| (step.at.secs() - HOUR, step.sums.accepted, step.sums.units.raw()))
        .collect()
}

pub(super) fn rig(id: u32, miner: u8) -> HistoryOf {
    HistoryOf::Worker(key(miner), worker(id, miner).name)
}

fn all() -> [HistoryOf; 5] {
    [
        HistoryOf::Pool,
        HistoryOf::Miner(key(1)),
        HistoryOf::Miner(key(2)),
        rig(1, 1),
        rig(2, 2),
    ]
}

fn total(steps: &[HistoryStep]) -> (u64, u128) {
    let mut sums = Sums::default();
    for step in steps {
        sums.add(&step.sums);
    }
    (sums.accepted, sums.units.raw())
}

/// Minutes, hours and days each come to what the shares come to, across restarts and for all whose they are.
pub async fn minutes_hours_and_days_add_up_to_the_shares<B: Backend>(backend: B) {
    let mut store = furnished(&backend).await;
    let mut expected = [(0, 0); 5];
    let mut n = 0;
    // Two days, a commit about every eight minutes, each with shares of three workers of different work.
    for commit in 0..360_i64 {
        let mut shares = Vec::new();
        for of in 1..=3_u32 {
            n += 1;
            let units = 10_u128.pow(20) + u128::from(n) * 7;
            shares.push(came(n, of, units, commit * 479 + i64::from(of)));
            let theirs: &[usize] = match of {
                1 => &[0, 1, 3],
                2 => &[0, 2, 4],
                _ => &[0, 1],
            };
            for whose in theirs {
                expected[*whose].0 += 1;
                expected[*whose].1 += units;
            }
        }
        append(&store, shares).await;
        if commit % 97 == 50 {
            drop(store);
            store = backend.open();
            start(&store).await;
        }
        if commit % 60 == 59 {
            for (of, expected) in all().into_iter().zip(expected) {
                for step in Step::ALL {
                    let found = total(&steps(&store, of.clone(), step).await);
                    assert_eq!(found, expected, "{of:?} by {step:?} after {commit} commits");
                }
            }
        }
    }
    let minutes = steps(&store, HistoryOf::Pool, Step::Minute).await;
    for (step, count) in [(Step::Hour, 48), (Step::Day, 3)] {
        for of in all() {
            let steps = steps(&store, of.clone(), step).await;
            assert_eq!(steps.len(), count, "{of:?}");
            if of == HistoryOf::Pool {
                for whole in steps {
                    let parts: Vec<_> = minutes
                        .iter()
                        .filter(|part| step.begin(part.at) == whole.at)
                        .cloned()
                        .collect();
                    assert_eq!(total(&parts), (whole.sums.accepted, whole.sums.units.raw()));
                }
            }
        }
    }
}

/// A question is answered by the steps that begin in its time, and each says when it began.
pub async fn history_is_read_by_when_steps_begin<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    let unknown = |of| HistoryQuestion {
        of,
        step: Step::Minute,
        from: when(0),
        to: when(60),
    };
    assert_eq!(
        store.history(unknown(HistoryOf::Miner(key(9)))).await.unwrap(),
        None
    );
    assert_eq!(store.history(unknown(rig(2, 1))).await.unwrap(), None);
    let nothing = store.history(unknown(HistoryOf::Pool)).await.unwrap().unwrap();
    assert_eq!((nothing.begins, nothing.steps), (None, Vec::new()));
    for (n, secs) in [(1, 59), (2, 60), (3, 119), (4, 120), (5, 7_200)] {
        append(&store, vec![came(n, 1, 1 << n, secs)]).await;
    }
    for of in [HistoryOf::Pool, HistoryOf::Miner(key(1)), rig(1, 1)] {
        let minutes = [(0, 1, 2), (60, 2, 12), (120, 1, 16), (7_200, 1, 32)];
        assert_eq!(work(&store, of.clone(), Step::Minute).await, minutes);
        assert_eq!(
            work(&store, of.clone(), Step::Hour).await,
            [(0, 4, 30), (7_200, 1, 32)]
        );
        for (from, to, expected) in [
            (0, 60, &minutes[..1]),
            (1, 121, &minutes[1..3]),
            (60, 120, &minutes[1..2]),
        ] {
            let question = HistoryQuestion {
                of: of.clone(),
                step: Step::Minute,
                from: when(from),
                to: when(to),
            };
            let history = store.history(question).await.unwrap().unwrap();
            assert_eq!(history.begins, Some(when(0)));
            let found: Vec<_> = history
                .steps
                .iter()
                .map(|step| (step.at.secs() - HOUR, step.sums.accepted, step.sums.units.raw()))
                .collect();
            assert_eq!(found, expected, "{of:?} from {from} to {to}");
        }
    }
    assert_eq!(work(&store, HistoryOf::Miner(key(2)), Step::Minute).await, []);
}

/// A share counts in the minute in which it came, also if that is before all others or far behind them.
pub async fn history_goes_by_the_shares_time_however_the_clock_was_set<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    let times = [0, 30, 4_000, 10, 200_000, 4_010, 3_999, 400_000, 20, 4_020];
    for (n, secs) in (1..).zip(times) {
        append(&store, vec![came(n, 1, 1, secs), came(n + 100, 2, 1, secs)]).await;
    }
    for of in [HistoryOf::Miner(key(1)), rig(1, 1), rig(2, 2)] {
        let minutes = work(&store, of.clone(), Step::Minute).await;
        let found: Vec<_> = minutes.iter().map(|(at, count, _)| (*at, *count)).collect();
        let expected = [(0, 4), (3_960, 3), (3_960 + 60, 1), (199_980, 1), (399_960, 1)];
        // 4,000 and 4,010 and 3,999 are of one minute, 4,020 of the next.
        assert_eq!(found, expected, "{of:?}");
    }
}

/// The last target that was issued in a step is known of a worker.
pub async fn history_knows_the_last_difficulty_of_a_worker<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    let (easy, hard) = (
        CompactTarget::from_bits(0x1f00_ffff),
        CompactTarget::from_bits(0x1e00_ffff),
    );
    let of = |n, secs, share_bits| ShareRow {
        share_bits,
        ..came(n, 1, 5, secs)
    };
    append(&store, vec![of(1, 0, easy), of(2, 1, hard), of(3, 70, hard)]).await;
    append(
        &store,
        vec![of(4, 71, easy), of(5, 130, easy), came(6, 1, 5, 9_000)],
    )
    .await;
    let minutes = steps(&store, rig(1, 1), Step::Minute).await;
    let last: Vec<_> = minutes.iter().map(|step| step.last_bits).collect();
    assert_eq!(last, [Some(hard), Some(easy), Some(easy), Some(easy)]);
    let hashes: Vec<_> = minutes.iter().map(|step| step.sums.hashes).collect();
    assert_eq!(hashes[0] / hashes[2], 257.0);
    assert!((minutes[0].sums.relative_error().unwrap() - 256_f64.hypot(1.0) / 257.0).abs() < 1e-9);
}

/// What is older than it is kept goes by whole hours, days and months of 32 days, each by itself.
pub async fn old_history_is_forgotten<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    for (n, day) in (1..).zip(0..80) {
        append(
            &store,
            vec![
                came(2 * n, 1, 1, day * 86_400),
                came(2 * n + 1, 1, 1, day * 86_400 + 3_700),
            ],
        )
        .await;
    }
    let before = steps(&store, rig(1, 1), Step::Minute).await;
    assert_eq!(before.len(), 160);
    let bound = |secs: i64| when(79 * 86_400 + secs);
    let prune = Write::PruneHistory {
        minutes: bound(3_700),
        hours: bound(100),
        days: bound(0),
    };
    commit(&store, vec![prune.clone()]).await;
    let older = Write::PruneHistory {
        minutes: when(0),
        hours: when(0),
        days: when(0),
    };
    commit(&store, vec![older]).await;
    let store = {
        drop(store);
        backend.open()
    };
    commit(&store, vec![prune]).await;
    for of in [HistoryOf::Pool, HistoryOf::Miner(key(1)), rig(1, 1)] {
        for (step, kept) in [
            (Step::Minute, bound(3_600)),
            (Step::Hour, bound(0)),
            (Step::Day, bound(0)),
        ] {
            let from = step.row_begin(kept);
            let left = steps(&store, of.clone(), step).await;
            assert!(left.iter().all(|step| step.at >= from), "{of:?} {step:?}");
            assert_eq!(
                left.last().map(|step| step.sums.accepted),
                Some(match step {
                    Step::Minute | Step::Hour => 1,
                    Step::Day => 2,
                })
            );
            let question = HistoryQuestion {
                of: of.clone(),
                step,
                from: Timestamp::EPOCH,
                to: bound(90_000),
            };
            let begins = store.history(question).await.unwrap().unwrap().begins.unwrap();
            assert!(
                begins >= from && left.first().map(|step| step.at) == Some(begins),
                "{of:?} {step:?}"
            );
        }
    }
}

/// A worker that is taken out leaves its history to its miner; a miner that is removed takes its own with it, and the
/// pool keeps all.
pub async fn history_goes_with_its_miner_and_stays_the_pools<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    let mut n = 0;
    let mut mine = async |secs: i64| {
        n += 3;
        let shares = vec![
            came(n, 1, 1, secs),
            came(n + 1, 2, 1, secs),
            came(n + 2, 3, 1, secs),
        ];
        append(&store, shares).await;
    };
    for hour in 0..3 {
        mine(hour * 3_600).await;
    }
    commit(
        &store,
        vec![Write::RetireWorkers {
            workers: vec![(WorkerId::new(3), CounterRow::default())],
        }],
    )
    .await;
    let accepted = async |of: HistoryOf| total(&steps(&store, of, Step::Hour).await).0;
    assert_eq!(accepted(HistoryOf::Miner(key(1))).await, 6);
    append(&store, vec![came(900, 1, 1, 14_400), came(901, 2, 1, 14_400)]).await;
    assert_eq!(accepted(HistoryOf::Miner(key(1))).await, 7);
    assert_eq!(accepted(rig(1, 1)).await, 4);
    let removed = commit(&store, vec![Write::RemoveMiner { hotkey: key(1) }]).await;
    assert_eq!(removed, [Written::Done]);
    assert_eq!(accepted(HistoryOf::Pool).await, 11);
    assert_eq!(accepted(HistoryOf::Miner(key(2))).await, 4);
    // Whoever comes again begins anew, whatever of it was still on its way.
    commit(&store, vec![register(1), Write::AddWorker(worker(9, 1))]).await;
    assert_eq!(accepted(HistoryOf::Miner(key(1))).await, 0);
    append(
        &store,
        vec![
            came(950, 9, 1, 14_401),
            came(951, 2, 1, 30_000),
            came(952, 2, 1, 60_000),
        ],
    )
    .await;
    assert_eq!(accepted(HistoryOf::Miner(key(1))).await, 1);
    assert_eq!(accepted(HistoryOf::Pool).await, 14);
}

/// Shares that are deleted stay in the history.
pub async fn history_outlives_its_shares<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    append(
        &store,
        (1..=10)
            .map(|n| came(n, 1, 3, 5 * i64::try_from(n).unwrap()))
            .collect(),
    )
    .await;
    let over = Write::RetireTemplates {
        before: dwarves_domain::ids::TemplateId::new(2),
    };
    let counted = Write::SaveCounters {
        at: when(60),
        through: seq(10),
        counters: Vec::new(),
    };
    let prune = Write::PruneShares { through: seq(10) };
    commit(
        &store,
        vec![over, counted, close_round(empty_round(1), &[], 10), prune],
    )
    .await;
    let left = store.weights_between(seq(0), seq(10)).await.unwrap();
    assert_eq!(left.total(), 0, "the shares are gone");
    let store = {
        drop(store);
        backend.open()
    };
    for of in [HistoryOf::Pool, HistoryOf::Miner(key(1)), rig(1, 1)] {
        assert_eq!(work(&store, of, Step::Minute).await, [(0, 10, 30)]);
    }
    assert_eq!(store.position_at(at(0)).await.unwrap().total, Units::from_raw(30));
}
