//! History takes no more room the longer the pool runs: what is older than it is kept goes.

use dwarves_domain::ids::WorkerId;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_ports::store::{ShareRow, Store, Write};
use dwarves_store_sqlite::InlineStore;

use super::block_on;
use super::size::{Draws, share};

/// How long minutes, hours and days are kept here, days.
const KEPT: [u64; 3] = [2, 10, 64];
/// Workers of one miner, each with a share an hour.
const WORKERS: u32 = 3;
const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;

/// Midnight.
const BEGIN: Timestamp = Timestamp::from_secs(1_764_028_800);

/// Rows and bytes of the tables that grow: of workers, of the miner, of the pool, and of minutes that are open.
fn sizes(store: &InlineStore) -> [(u64, u64); 4] {
    let sums = [
        "SELECT COUNT(*), SUM(LENGTH(steps)) FROM worker_history",
        "SELECT COUNT(*), SUM(LENGTH(steps)) FROM miner_history",
        "SELECT COUNT(*), COUNT(*) * 120 FROM pool_history",
        "SELECT COUNT(*), SUM(LENGTH(workers)) FROM open_minutes",
    ];
    store
        .look(|connection| {
            sums.map(|sql| {
                let sums = connection.query_row(sql, [], |row| {
                    let (rows, bytes): (i64, Option<i64>) = (row.get(0)?, row.get(1)?);
                    Ok((rows.unsigned_abs(), bytes.unwrap_or(0).unsigned_abs()))
                });
                sums.unwrap()
            })
        })
        .unwrap()
}

/// Lives for so many days, and gives the sizes at the end of each.
fn live(days: u64, is_kept_for_ever: bool) -> Vec<[(u64, u64); 4]> {
    let store = InlineStore::fresh();
    let commit = |writes| block_on(store.commit(writes)).unwrap();
    commit(super::furniture());
    commit(super::size::workers());
    let mut draws = Draws::new(7);
    let (mut number, mut seen) = (0, Vec::new());
    for hour in 0..days * 24 {
        let now = BEGIN.plus(Span::from_secs(hour * HOUR));
        let mut shares = Vec::new();
        for worker in 1..=WORKERS {
            number += 1;
            let after = Span::from_secs(number * 97 % HOUR);
            shares.push(ShareRow {
                worker: WorkerId::new(worker),
                received_at: now.plus(after),
                ..share(&mut draws, number, 1)
            });
        }
        shares.sort_by_key(|share| share.received_at);
        commit(vec![Write::AppendShares(shares)]);
        if !is_kept_for_ever {
            let [minutes, hours, days] = KEPT.map(|kept| now.minus(Span::from_secs(kept * DAY)));
            commit(vec![Write::PruneHistory { minutes, hours, days }]);
        }
        if hour % 24 == 23 {
            seen.push(sizes(&store));
        }
    }
    seen
}

#[test]
fn history_takes_as_much_room_after_two_hundred_days_as_it_may_and_no_more() {
    // A row has the minutes of an hour, the hours of a day, the days of 32; one more is never whole, and one is on its way.
    let rows_of_one = KEPT[0] * 24 + 2 + KEPT[1] + 2 + KEPT[2] / 32 + 2;
    let steps = KEPT[0] * 24 * u64::from(WORKERS) + 60 + (KEPT[1] + 1) * 24 + KEPT[2] + 32;
    let seen = live(200, false);
    for (day, [workers, miner, pool, open]) in seen.iter().enumerate() {
        assert!(
            workers.0 <= rows_of_one * u64::from(WORKERS),
            "day {day}: {workers:?}"
        );
        assert!(miner.0 <= rows_of_one, "day {day}: {miner:?}");
        assert!(pool.0 <= steps, "day {day}: {pool:?}");
        assert!(open.0 <= 2 * u64::from(WORKERS) * 60, "day {day}: {open:?}");
    }
    let most = |days: std::ops::Range<usize>| {
        let bytes = seen[days]
            .iter()
            .map(|sizes| sizes.iter().map(|(_, bytes)| bytes).sum::<u64>());
        bytes.max().unwrap()
    };
    // Days are forgotten by 32, so every 32 days it is as large again as it was.
    let (before, after) = (most(96..148), most(148..200));
    assert!(after <= before + before / 50, "{before} bytes, and {after} later");
    // Without that it would have grown beyond.
    let grown = live(40, true);
    let [workers, ..] = grown.last().unwrap();
    assert!(workers.0 > 5 * rows_of_one * u64::from(WORKERS), "{workers:?}");
}
