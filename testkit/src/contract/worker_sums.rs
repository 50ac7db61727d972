//! What each of a miner's workers mined lately.

use dwarves_domain::history::{Step, Sums};
use dwarves_domain::ids::WorkerId;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{CounterRow, HistoryQuestion, SharedStore, WorkerSums, Write};

use super::Backend;
use super::fixtures::{append, commit, furnished, key, seq, start};
use super::history::{came, rig, when};

async fn sums(store: &SharedStore, miner: u8, since: &[(Step, i64)]) -> Vec<WorkerSums> {
    let since = since.iter().map(|(step, secs)| (*step, when(*secs)));
    store.worker_sums(key(miner), since.collect()).await.unwrap()
}

fn first(of: &WorkerSums) -> Option<i64> {
    of.first_at.map(|at| at.secs() - when(0).secs())
}

/// Each worker's sums are those of its own history, wherever its shares are by then: not in the history yet, in minutes
/// that are open, or in rows of their own.
pub async fn worker_sums_are_those_of_each_workers_history<B: Backend>(backend: B) {
    let mut store = furnished(&backend).await;
    let since = [
        (Step::Minute, 90_000),
        (Step::Minute, 3_600),
        (Step::Hour, 7_200),
        (Step::Day, 0),
    ];
    let mut n = 0;
    for round in 0..300_i64 {
        n += 2;
        let secs = round * 311;
        let mut shares = vec![came(n, 1, u128::from(n) + 5, secs)];
        // The other of the same miner has a difficulty of its own, and comes and goes.
        if round % 7 < 3 {
            shares.push(came(n + 1, 3, u128::from(n) * 3, secs + 1));
        }
        append(&store, shares).await;
        if round == 150 {
            let counter = CounterRow {
                accepted: 151,
                rejected: [0, 1, 0, 2, 0, 0],
                ..CounterRow::default()
            };
            let save = Write::SaveCounters {
                at: when(secs),
                through: seq(1),
                counters: vec![(WorkerId::new(1), counter)],
            };
            commit(&store, vec![save]).await;
            drop(store);
            store = backend.open();
            start(&store).await;
        }
        if round % 50 != 49 {
            continue;
        }
        let told = sums(&store, 1, &since).await;
        let names: Vec<_> = told.iter().map(|of| of.name.to_string()).collect();
        assert_eq!(names, ["rig-1", "rig-3"]);
        for (of, id) in told.iter().zip([1, 3]) {
            for ((step, from), found) in since.iter().zip(&of.sums) {
                let question = HistoryQuestion {
                    of: rig(id, 1),
                    step: *step,
                    from: step.begin(when(*from).moved(-1)).plus(step.span()),
                    to: when(1_000_000),
                };
                let history = store.history(question).await.unwrap().unwrap();
                let mut expected = Sums::default();
                history.steps.iter().for_each(|step| expected.add(&step.sums));
                assert_eq!(
                    (found.accepted, found.units, found.rejected),
                    (expected.accepted, expected.units, expected.rejected),
                    "worker {id} by {step:?} since {from} after {round}"
                );
                assert!((found.hashes - expected.hashes).abs() <= 1e-9 * expected.hashes);
                assert!((found.squares - expected.squares).abs() <= 1e-9 * expected.squares);
            }
        }
    }
    assert_eq!(sums(&store, 9, &since).await, [], "nobody knows that miner");
    let none = sums(&store, 2, &[]).await;
    assert_eq!((none.len(), first(&none[0]), none[0].sums.len()), (1, None, 0));
}

/// When a worker's first share came is known to the minute as long as minutes are kept, and to the hour from then on.
pub async fn a_workers_first_share_is_known_to_the_minute<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    let hours = [(Step::Minute, 40_000), (Step::Hour, 0)];
    assert_eq!(sums(&store, 1, &hours).await.iter().filter_map(first).count(), 0);
    append(&store, vec![came(1, 1, 1, 5_000)]).await;
    let of = |told: &[WorkerSums]| told.iter().map(first).collect::<Vec<_>>();
    assert_eq!(of(&sums(&store, 1, &hours).await), [Some(4_980), None]);
    append(&store, vec![came(2, 3, 1, 11_111)]).await;
    assert_eq!(of(&sums(&store, 1, &hours).await), [Some(4_980), Some(11_100)]);
    // Hours are over, and moved.
    for n in 0..12 {
        append(
            &store,
            vec![came(10 + n, 1, 1, 20_000 + 3_600 * i64::try_from(n).unwrap())],
        )
        .await;
    }
    assert_eq!(of(&sums(&store, 1, &hours).await), [Some(4_980), Some(11_100)]);
    let later = [(Step::Minute, 40_000), (Step::Hour, 7_200)];
    assert_eq!(of(&sums(&store, 1, &later).await), [Some(19_980), Some(11_100)]);
    let prune = Write::PruneHistory {
        minutes: when(10_000),
        hours: Timestamp::EPOCH,
        days: Timestamp::EPOCH,
    };
    commit(&store, vec![prune]).await;
    assert_eq!(of(&sums(&store, 1, &hours).await), [Some(3_600), Some(11_100)]);
}
