//! History: shares that did not count.

use dwarves_domain::history::Step;
use dwarves_domain::ids::WorkerId;

use super::Backend;
use super::fixtures::{append, commit, furnished, key, seq};
use super::history::{HOUR, came, rig, steps, when};
use dwarves_ports::store::{CounterRow, HistoryOf, Write};

/// Rejected shares count in the minute until which they were saved, once, for their worker, its miner and the pool.
pub async fn rejected_shares_are_in_the_history_once<B: Backend>(backend: B) {
    let mut store = furnished(&backend).await;
    let save = |secs, through, id, stale, low| {
        let mut row = CounterRow::default();
        row.rejected[1] = stale;
        row.rejected[3] = low;
        Write::SaveCounters {
            at: when(secs),
            through: seq(through),
            counters: vec![(WorkerId::new(id), row)],
        }
    };
    append(&store, vec![came(1, 1, 1, 0)]).await;
    commit(&store, vec![save(30, 1, 1, 2, 0), save(40, 1, 3, 5, 0)]).await;
    commit(&store, vec![save(90, 1, 1, 3, 1)]).await;
    // The same totals again, and older ones, add nothing.
    commit(&store, vec![save(95, 1, 1, 3, 1), save(96, 0, 1, 9, 9)]).await;
    store = {
        drop(store);
        backend.open()
    };
    append(&store, vec![came(2, 2, 1, 7_200)]).await;
    commit(&store, vec![save(7_210, 2, 1, 4, 1)]).await;
    let rejected = async |of, step| {
        let steps = steps(&store, of, step).await.into_iter();
        let few = steps.map(|step| {
            (
                step.at.secs() - HOUR,
                step.sums.rejected[1],
                step.sums.rejected[3],
            )
        });
        few.filter(|(_, stale, low)| stale + low > 0).collect::<Vec<_>>()
    };
    assert_eq!(
        rejected(rig(1, 1), Step::Minute).await,
        [(0, 2, 0), (60, 1, 1), (7_200, 1, 0)]
    );
    assert_eq!(rejected(rig(1, 1), Step::Hour).await, [(0, 3, 1), (7_200, 1, 0)]);
    for of in [HistoryOf::Miner(key(1)), HistoryOf::Pool] {
        assert_eq!(
            rejected(of.clone(), Step::Minute).await,
            [(0, 7, 0), (60, 1, 1), (7_200, 1, 0)]
        );
        assert_eq!(rejected(of, Step::Hour).await, [(0, 8, 1), (7_200, 1, 0)]);
    }
}
