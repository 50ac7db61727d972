//! Which shares a round lets go.

use super::*;

/// How far each round asked the store to prune.
fn pruned(bench: &Bench) -> Vec<Sequence> {
    let through = |write: Write| match write {
        Write::PruneShares { through } => Some(through),
        _ => None,
    };
    bench
        .store
        .commits()
        .into_iter()
        .flatten()
        .filter_map(through)
        .collect()
}

#[actix::test]
async fn old_history_is_let_go_with_each_round() {
    let bench = Bench::with(terms(), &[]).await;
    bench.tick_at(3 * INTERVAL.secs()).await;
    let asked = |write: Write| match write {
        Write::PruneHistory { minutes, hours, days } => Some([minutes, hours, days]),
        _ => None,
    };
    let asked: Vec<_> = bench
        .store
        .commits()
        .into_iter()
        .flatten()
        .filter_map(asked)
        .collect();
    let HistoryKept { minutes, hours, days } = HISTORY;
    let last = asked.last().expect("a round closed");
    let closed_at = last[0].plus(minutes);
    assert_eq!(*last, [minutes, hours, days].map(|kept| closed_at.minus(kept)));
    let round = bench
        .store
        .rounds(PageRequest {
            cursor: None,
            limit: 1,
        })
        .await
        .unwrap();
    assert_eq!(round.rows[0].closed_at, closed_at);
}

#[actix::test]
async fn shares_are_let_go_when_they_are_old_and_behind_every_window() {
    let one_unit = Terms {
        window: Units::ONE,
        ..terms()
    };
    let bench = Bench::with(one_unit, &[]).await;
    for secs in 1..=3 {
        bench.share(1, 60, secs, None).await;
    }
    // Until the end of their retention they stay, however far behind the window.
    bench.tick_at(RETENTION.secs()).await;
    assert_eq!(pruned(&bench), []);
    // Then goes what lies behind the last unit of work: the first share of 0.6 of three.
    bench.tick_at(RETENTION.secs() + INTERVAL.secs()).await;
    assert_eq!(pruned(&bench), [Sequence::new(1)]);
}

#[actix::test]
async fn a_proportional_pool_keeps_what_the_next_block_pays() {
    let proportional = Terms {
        scheme: Scheme::Proportional,
        ..terms()
    };
    let bench = Bench::with(proportional, &[]).await;
    bench.share(1, 60, 1, Some(1)).await;
    bench.share(1, 60, 2, None).await;
    bench.share(1, 60, 3, Some(2)).await;
    bench.share(1, 60, 4, None).await;
    bench.tick_at(RETENTION.secs() + INTERVAL.secs()).await;
    // The second block pays what came after the first one's share.
    assert_eq!(pruned(&bench), [Sequence::new(1)]);
}
