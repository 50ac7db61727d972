//! What admins tell the distributor: stored before it holds, and in force in the next life.

use dwarves_domain::refusal::Refusal;
use serde_json::json;

use super::*;
use crate::control::Controlled;

fn done(outcome: Controlled) -> serde_json::Value {
    match outcome {
        Ok(value) => value,
        other => panic!("expected it done, got {other:?}"),
    }
}

fn refused(outcome: Controlled) -> String {
    match outcome {
        Err(Refusal::ControlRefused(why)) => why,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[actix::test]
async fn distribute_now_closes_the_next_round_early_and_the_schedule_counts_from_it() {
    let bench = Bench::new().await;
    bench.usual_work().await;
    bench.clock.set(at(4));
    let told = done(bench.ask(DistributorControl::DistributeNow).await);
    let expected = json!({
        "round": 1, "reward_sats": 1_000_000, "credited_sats": 990_000, "fee_sats": 10_000
    });
    assert_eq!(told, expected);
    assert_eq!(bench.closings().await, [4]);
    let why = refused(bench.ask(DistributorControl::DistributeNow).await);
    assert!(why.contains("after"), "no time has passed: {why}");
    bench.tick_at(13).await;
    assert_eq!(bench.closings().await, [4]);
    bench.tick_at(14).await;
    assert_eq!(bench.closings().await, [4, 14]);
}

#[actix::test]
async fn distribute_now_is_refused_while_a_round_is_closing_or_the_pool_drains() {
    let bench = Bench::gated().await;
    bench.tick_at(10).await;
    let why = refused(bench.ask(DistributorControl::DistributeNow).await);
    assert!(why.contains("being closed"), "{why}");
    bench.gate.open();
    settle().await;
    bench.ask(DrainRounds).await;
    bench.clock.set(at(15));
    let why = refused(bench.ask(DistributorControl::DistributeNow).await);
    assert!(why.contains("draining"), "{why}");
    assert_eq!(bench.closings().await, [10]);
}

#[actix::test]
async fn distribute_now_is_answered_when_the_round_is_booked_at_last() {
    let bench = Bench::with(terms(), &[(1, Fault::Refuse)]).await;
    bench.clock.set(at(4));
    let mut answer = bench.post(DistributorControl::DistributeNow);
    settle().await;
    assert!(answer.try_recv().is_err());
    tokio::time::sleep(RETRY_AFTER).await;
    settle().await;
    assert_eq!(done(answer.try_recv().unwrap())["round"], 1);
}

#[actix::test]
async fn interval_fee_and_pause_hold_at_once_and_outlive_a_restart() {
    let bench = Bench::new().await;
    let interval = Span::from_millis(2_500);
    done(bench.ask(DistributorControl::SetRunInterval(interval)).await);
    let fee = BasisPoints::new(250).unwrap();
    done(bench.ask(DistributorControl::SetFee(fee)).await);
    let told = done(bench.ask(DistributorControl::Pause).await);
    assert_eq!(told, json!({ "paused": true }));
    for _ in 0..2 {
        let view = bench.schedule().await;
        assert_eq!((view.run_interval, view.fee, view.paused), (interval, fee, true));
    }
    let bench = bench.restarted(terms()).await;
    let view = bench.schedule().await;
    assert_eq!((view.run_interval, view.fee, view.paused), (interval, fee, true));
    assert_eq!(view.next_round_at, BEGIN.plus(interval));
    bench.usual_work().await;
    bench.tick_at(5).await;
    assert_eq!(bench.rounds().await, [], "it is paused");
    done(bench.ask(DistributorControl::Resume).await);
    settle().await;
    let rounds = bench.rounds().await;
    assert_eq!(rounds.len(), 2, "missed rounds follow");
    assert_eq!(rounds.iter().map(|round| round.fee.sats()).sum::<u64>(), 25_000);
    let bench = bench.restarted(terms()).await;
    assert!(!bench.schedule().await.paused);
    assert_eq!(bench.schedule().await.last_round, Some(RoundId::new(2)));
}

#[actix::test]
async fn an_interval_counts_from_the_last_closing_and_is_never_zero() {
    let bench = Bench::new().await;
    bench.tick_at(10).await;
    bench.clock.set(at(14));
    let told = done(
        bench
            .ask(DistributorControl::SetRunInterval(Span::from_secs(3)))
            .await,
    );
    assert_eq!(told["run_interval_secs"], 3);
    settle().await;
    assert_eq!(bench.closings().await, [10, 13]);
    let why = refused(
        bench
            .ask(DistributorControl::SetRunInterval(Span::default()))
            .await,
    );
    assert!(why.contains("at least"), "{why}");
}

#[actix::test]
async fn what_could_not_be_stored_does_not_hold_but_a_pause_does_and_says_so() {
    let faults: Vec<_> = (1..=3).map(|n| (n, Fault::Refuse)).collect();
    let bench = Bench::with(terms(), &faults).await;
    let before = bench.schedule().await;
    for control in [
        DistributorControl::SetFee(BasisPoints::new(1).unwrap()),
        DistributorControl::SetRunInterval(Span::from_secs(1)),
    ] {
        assert_eq!(bench.ask(control).await, Err(Refusal::Unavailable));
    }
    assert_eq!(bench.schedule().await, before);
    let told = done(bench.ask(DistributorControl::Pause).await);
    assert_eq!((&told["paused"], &told["saved"]), (&true.into(), &false.into()));
    assert_ne!(bench.schedule().await, before, "paused");
}

#[test]
fn stored_terms_that_make_no_sense_are_left_out() {
    let settings = [
        ("rewards.run_interval_millis", "soon"),
        ("rewards.fee_bps", "10001"),
        ("rewards.paused", "yes"),
        ("pool.paused", "true"),
    ];
    let settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(StoredTerms::read(&settings.into()), StoredTerms::default());
}
