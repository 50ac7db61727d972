//! What the pool says of itself, and what hinders it.

use super::*;

#[actix::test]
async fn the_view_names_everything_that_hinders() {
    let mut bench = bench(false).await;
    let view = bench.view(false, Some("disk full")).await;
    assert!(!view.has_work && !view.ledger_writes);
    assert_eq!(view.started_at, BEGIN);
    assert_eq!(
        view.hindrances,
        [
            "no live work (starting): the chain has not given any since the pool's start; miners are let go",
            "the ledger cannot write: disk full"
        ]
    );
    // Actors that do not answer are a hindrance too.
    let answer = bench.post(ReadPool);
    tokio::time::sleep(ASK_DEADLINE * 3).await;
    let view = answer.await.unwrap();
    assert!(!view.has_work && !view.ledger_writes);
    assert_eq!(view.hindrances.len(), 4);
}

#[actix::test]
async fn a_room_for_shares_that_is_nearly_full_is_named_and_the_pool_is_ready_all_the_same() {
    let mut bench = bench(false).await;
    bench.is_nearly_full = true;
    let view = bench.view(true, None).await;
    assert!(
        view.hindrances[0].starts_with("recent_shares is nearly full: 11 of 12"),
        "{view:?}"
    );
    assert!(view.has_work && view.ledger_writes);
    bench.is_nearly_full = false;
    assert_eq!(bench.view(true, None).await.hindrances, [""; 0]);
}

#[actix::test]
async fn a_clock_that_is_wrong_is_named() {
    let mut bench = bench(false).await;
    bench.clock_hindrance.set(Some("clock_refused: a day ahead"));
    let view = bench.view(true, None).await;
    assert_eq!(view.hindrances, ["clock_refused: a day ahead"]);
    assert!(view.has_work && view.ledger_writes, "miners go on");
}

#[actix::test]
async fn statements_that_wait_are_named() {
    let mut bench = bench(false).await;
    bench
        .statements_hindrance
        .set(Some("the store: it cannot be read"));
    let view = bench.view(true, None).await;
    assert_eq!(view.hindrances, ["statements_wait: the store: it cannot be read"]);
    assert!(view.has_work && view.ledger_writes, "miners go on");
    let overdue = view.statements.and_then(|view| view.overdue);
    assert_eq!(overdue, Some(Span::from_secs(7)));
}

#[actix::test]
async fn the_status_sums_up_what_the_others_say() {
    let mut bench = bench(false).await;
    let answer = bench.deliver(PoolControl::Status);
    bench.answer_reads(true, None).await;
    bench.read_miners.try_recv().unwrap().reply.answer(miners_view());
    settle().await;
    bench
        .read_schedule
        .try_recv()
        .unwrap()
        .reply
        .answer(ScheduleView {
            scheme: Scheme::Pplns,
            source: Source::Blocks,
            fee: BasisPoints::new(100).unwrap(),
            window: Units::ONE,
            run_interval: Span::from_secs(10),
            next_round_at: BEGIN,
            last_round: Some(RoundId::new(5)),
            paused: false,
            missed: 2,
            emission: None,
        });
    settle().await;
    let payouts = PayoutsView {
        paused: true,
        ..PayoutsView::default()
    };
    bench
        .read_payouts
        .try_recv()
        .unwrap()
        .reply
        .answer(payouts.clone());
    let Ok(status) = answer.await.unwrap() else {
        panic!("it is known")
    };
    assert_eq!(
        status,
        json!({
            "state": "running", "ready": true, "hindrances": [], "chain": Standing::trusted().to_json(),
            "no_work": null, "stratum": null, "http": null, "metagraph": null, "statements": StatementsView::default().to_json(), "evaluation": null, "miners": 3, "workers_active": 2, "settings": [],
            "shares_accepted": 7, "registration_open": true, "rounds_paused": false, "last_round": 5,
            "rounds_missed": 2, "clock": ClockView::default().to_json(),
            "payouts": payouts.to_json(),
        })
    );
}
