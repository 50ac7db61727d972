//! Pausing, draining and stopping, in their order.

use super::*;
use dwarves_domain::refusal::Refusal;

#[actix::test]
async fn pausing_is_stored_then_told_then_answered() {
    let mut bench = bench(false).await;
    assert_eq!(bench.view(true, None).await.state, LifeState::Running);
    assert_eq!(bench.pause(PoolControl::Pause).await, state("paused"));
    let view = bench.view(true, None).await;
    assert_eq!(view.state, LifeState::Paused);
    assert_eq!(view.hindrances, ["the pool is paused by an admin"]);
    assert_eq!(bench.pause(PoolControl::Resume).await, state("running"));
    assert_eq!(bench.view(true, None).await.hindrances, [""; 0]);
}

#[actix::test]
async fn a_pause_that_could_not_be_stored_does_not_hold() {
    let mut bench = bench(false).await;
    let answer = bench.deliver(PoolControl::Pause);
    settle().await;
    let refused = StoreError::new(StoreErrorKind::Unavailable, "disk full");
    bench.commit.try_recv().unwrap().reply.answer(Err(refused));
    assert_eq!(answer.await.unwrap(), Err(Refusal::Unavailable));
    assert!(bench.set_paused.try_recv().is_err());
    assert_eq!(bench.view(true, None).await.state, LifeState::Running);
}

#[actix::test]
async fn a_pause_outlives_a_restart() {
    let settings = |value: &str| [(PAUSED.to_owned(), value.to_owned())].into();
    assert!(is_paused(&settings("true")));
    assert!(!is_paused(&settings("false")));
    assert!(!is_paused(&Default::default()));
    let mut bench = bench(true).await;
    let told = bench.set_paused.try_recv().unwrap();
    assert_eq!(
        told.payload,
        SetPaused(true),
        "before anybody else can ask the miner manager"
    );
    bench.hold(LackOfWork::Paused, true);
    assert_eq!(bench.view(true, None).await.state, LifeState::Paused);
    assert_eq!(bench.pause(PoolControl::Resume).await, state("running"));
}

#[actix::test]
async fn stopping_has_one_order_and_each_step_waits_for_the_one_before() {
    let mut bench = bench(false).await;
    let mut stopped = bench.post(Stop);
    settle().await;
    // No more shares.
    assert!(bench.drain_rounds.try_recv().is_err());
    let paused = bench.set_paused.try_recv().unwrap();
    assert_eq!(paused.payload, SetPaused(true));
    paused.reply.answer(());
    settle().await;
    // No more work.
    assert!(bench.drain_rounds.try_recv().is_err());
    bench.hold(LackOfWork::Draining, true);
    settle().await;
    // The round in flight.
    assert!(bench.drain_miners.try_recv().is_err());
    bench.drain_rounds.try_recv().unwrap().reply.answer(());
    settle().await;
    // Payouts under way.
    assert!(bench.drain_miners.try_recv().is_err());
    bench.drain_payouts.try_recv().unwrap().reply.answer(());
    settle().await;
    // What only memory knows.
    assert!(bench.close_ledger.try_recv().is_err());
    bench.drain_miners.try_recv().unwrap().reply.answer(());
    settle().await;
    // The ledger.
    assert!(stopped.try_recv().is_err());
    bench.close_ledger.try_recv().unwrap().reply.answer(());
    settle().await;
    assert!(stopped.try_recv().is_ok());
    assert!(
        bench.commit.try_recv().is_err(),
        "the pause of a stop is not stored"
    );
    assert_eq!(bench.view(true, None).await.state, LifeState::Draining);
}

#[actix::test]
async fn a_step_that_overruns_does_not_keep_the_pool_from_stopping() {
    let mut bench = bench(false).await;
    let stopped = bench.post(Stop);
    tokio::time::sleep(DRAIN_STEP_DEADLINE * 6).await;
    assert!(stopped.await.is_ok());
    assert!(bench.close_ledger.try_recv().is_ok(), "every step was tried");
}

#[actix::test]
async fn a_drained_pool_keeps_its_ledger_open_and_is_not_resumed() {
    let mut bench = bench(false).await;
    assert_eq!(bench.deliver(PoolControl::Drain).await, Ok(state("draining")));
    settle().await;
    bench.set_paused.try_recv().unwrap().reply.answer(());
    settle().await;
    bench.hold(LackOfWork::Draining, true);
    settle().await;
    bench.drain_rounds.try_recv().unwrap().reply.answer(());
    settle().await;
    bench.drain_payouts.try_recv().unwrap().reply.answer(());
    settle().await;
    bench.drain_miners.try_recv().unwrap().reply.answer(());
    settle().await;
    assert!(bench.close_ledger.try_recv().is_err());
    for control in [PoolControl::Pause, PoolControl::Resume] {
        assert!(matches!(
            bench.deliver(control).await,
            Ok(Err(Refusal::ControlRefused(_)))
        ));
    }
    let view = bench.view(true, None).await;
    assert_eq!(view.hindrances, ["the pool is draining"]);
}

#[actix::test]
async fn a_shutdown_tells_whoever_runs_the_process() {
    let bench = bench(false).await;
    assert!(!*bench.stop.borrow());
    let told = bench.deliver(PoolControl::Shutdown).await.unwrap();
    assert_eq!(told, state("stopping"));
    assert!(*bench.stop.borrow());
    let Bench { manager, stop, .. } = bench;
    drop(stop);
    let again = Port::new(&manager)
        .post(Deliver(ControlMessage::Pool(PoolControl::Shutdown)))
        .unwrap();
    assert!(matches!(again.await, Ok(Err(Refusal::ControlRefused(_)))));
}
