//! When the ledger stops the process, and when it closes.

use super::*;

async fn must_halt(fault: Fault, stored: usize) {
    let plan = FaultPlan {
        at: vec![(1, fault)],
        disk_full: None,
    };
    let bench = bench(plan, Acknowledge::Durable).await;
    let doubtful = bench.set("doubtful");
    settle().await;
    let waiting = bench.set("waiting");
    settle().await;
    bench.gate.open();
    for answer in [doubtful, waiting] {
        assert_eq!(answer.await.unwrap().unwrap_err().kind(), StoreErrorKind::Unknown);
    }
    assert_eq!(bench.halt.reasons().len(), 1);
    let late = bench.set("late").await.unwrap();
    assert_eq!(late.unwrap_err().action(), StoreAction::Stop);
    assert_eq!(bench.store.commits().len(), 1, "the store is left alone");
    assert_eq!(bench.settings().await.len(), stored);
}

#[actix::test]
async fn a_commit_lost_before_it_was_applied_halts_the_pool_and_nothing_is_written_after_it() {
    must_halt(Fault::LoseBefore, 0).await;
}

#[actix::test]
async fn a_commit_whose_answer_was_lost_halts_the_pool_and_nothing_is_written_after_it() {
    must_halt(Fault::LoseAfter, 1).await;
}

#[actix::test]
async fn closing_answers_after_everything_and_then_nothing_is_taken() {
    let bench = bench(FaultPlan::default(), Acknowledge::Durable).await;
    let first = bench.set("first");
    settle().await;
    let second = bench.set("second");
    let mut closed = bench.close.post(CloseLedger).unwrap();
    let late = bench.set("late");
    settle().await;
    assert!(closed.try_recv().is_err(), "something is still under way");
    bench.gate.open_for(1);
    settle().await;
    assert!(closed.try_recv().is_err(), "the second commit is under way");
    bench.gate.open_for(1);
    settle().await;
    assert!(closed.try_recv().is_ok());
    assert!(first.await.unwrap().is_ok() && second.await.unwrap().is_ok());
    assert_eq!(
        late.await.unwrap().unwrap_err().kind(),
        StoreErrorKind::Unavailable
    );
    bench.gate.open();
    let after_close = bench.set("after the close was answered").await.unwrap();
    assert_eq!(after_close.unwrap_err().kind(), StoreErrorKind::Unavailable);
    assert_eq!(bench.settings().await, ["first", "second"]);
    let again = bench.close.post(CloseLedger).unwrap();
    assert!(again.await.is_ok(), "closing twice is answered too");
}
