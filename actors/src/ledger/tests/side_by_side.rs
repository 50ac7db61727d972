//! Commits of shares that begin before the one before them is durable.

use super::*;

async fn two_at_a_time(plan: FaultPlan) -> Bench {
    bench_of(plan, Acknowledge::Durable, 2).await
}

#[actix::test]
async fn shares_begin_before_those_ahead_are_durable_and_are_answered_in_order() {
    let bench = two_at_a_time(FaultPlan::default()).await;
    let first = bench.post(vec![shares(0, 2)]);
    settle().await;
    let second = bench.post(vec![shares(1_000, 3)]);
    settle().await;
    let waits = [
        bench.post(vec![shares(2_000, 1)]),
        bench.post(vec![shares(3_000, 1)]),
    ];
    settle().await;
    assert_eq!(bench.store.commits().len(), 2, "two are under way, and no more");
    bench.gate.open_for(1);
    settle().await;
    assert_eq!(first_of(&first.await.unwrap().unwrap()), 1);
    let sizes: Vec<usize> = bench.store.commits().iter().map(Vec::len).collect();
    assert_eq!(sizes, [1, 1, 2], "what came meanwhile is one commit");
    bench.gate.open();
    assert_eq!(first_of(&second.await.unwrap().unwrap()), 3);
    let [third, fourth] = waits;
    assert_eq!(first_of(&third.await.unwrap().unwrap()), 6);
    assert_eq!(first_of(&fourth.await.unwrap().unwrap()), 7);
}

#[actix::test]
async fn what_is_not_shares_alone_waits_for_what_is_under_way_and_lets_nothing_pass() {
    let bench = two_at_a_time(FaultPlan::default()).await;
    let first = bench.post(vec![shares(0, 1)]);
    settle().await;
    let setting = bench.set("between");
    let last = bench.post(vec![shares(1_000, 1)]);
    settle().await;
    assert_eq!(bench.store.commits().len(), 1);
    bench.gate.open_for(1);
    assert!(first.await.unwrap().is_ok());
    settle().await;
    assert_eq!(bench.store.commits()[1].len(), 2);
    let late = bench.post(vec![shares(2_000, 1)]);
    settle().await;
    assert_eq!(bench.store.commits().len(), 2, "nor does anything go beside it");
    bench.gate.open();
    assert!(setting.await.unwrap().is_ok());
    assert_eq!(first_of(&last.await.unwrap().unwrap()), 2);
    assert_eq!(first_of(&late.await.unwrap().unwrap()), 3);
}

#[actix::test]
async fn one_that_fails_takes_no_later_one_with_it_and_is_answered_first() {
    let plan = FaultPlan {
        at: vec![(1, Fault::Refuse)],
        disk_full: None,
    };
    let bench = two_at_a_time(plan).await;
    let first = bench.post(vec![shares(0, 1)]);
    settle().await;
    let second = bench.post(vec![shares(1_000, 1)]);
    settle().await;
    bench.gate.open();
    assert_eq!(
        first.await.unwrap().unwrap_err().kind(),
        StoreErrorKind::Unavailable
    );
    assert_eq!(first_of(&second.await.unwrap().unwrap()), 1);
    let view = bench
        .read
        .ask(ReadLedger, std::time::Duration::from_secs(1))
        .await;
    let view = view.unwrap();
    assert_eq!((view.trouble, view.commits), (None, 1));
}

#[actix::test]
async fn closing_waits_for_both() {
    let bench = two_at_a_time(FaultPlan::default()).await;
    let shares = [bench.post(vec![shares(0, 1)]), bench.post(vec![shares(1_000, 1)])];
    settle().await;
    let mut closed = bench.close.post(CloseLedger).unwrap();
    settle().await;
    bench.gate.open_for(1);
    settle().await;
    assert!(closed.try_recv().is_err());
    bench.gate.open();
    closed.await.unwrap();
    for answer in shares {
        assert!(answer.await.unwrap().is_ok());
    }
}
