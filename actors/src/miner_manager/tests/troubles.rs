//! Commits that fail, or of which nobody knows.

use super::*;

#[actix::test]
async fn a_failed_commit_does_not_mutate_memory_and_the_shares_may_come_again() {
    let bench = Bench::failing(&[(1, Fault::Refuse)]).await;
    let shares = vec![checked(&job_1(), 0), checked(&job_1(), 500)];
    let before = (bench.miners().await, bench.miner(1).await);
    let judgements = bench.ask(judge(vec![request(1, shares.clone())])).await;
    assert_eq!(words(&judgements), ["unavailable"]);
    assert_eq!((bench.miners().await, bench.miner(1).await), before);
    let judgements = bench.ask(judge(vec![request(1, shares)])).await;
    assert_eq!(words(&judgements), ["accepted 1, accepted 2"]);
    assert_eq!(bench.stored_shares().len(), 2);
}

#[actix::test]
async fn a_repeat_of_a_share_whose_commit_fails_is_unavailable_too() {
    let bench = Bench::gated().await;
    let plan = FaultPlan {
        at: vec![(1, Fault::Refuse)],
        disk_full: None,
    };
    let bench = Bench::on(bench.memory, plan, memory_settings()).await;
    let share = checked(&job_1(), 0);
    let first = bench.post(judge_one(share.clone()));
    settle().await;
    let repeat = bench.post(judge_one(share.clone()));
    let known = bench.post(judge(vec![request(
        1,
        vec![CheckedShare::Rejected {
            reason: dwarves_domain::share::Rejection::LowDifficulty,
            worker: None,
        }],
    )]));
    settle().await;
    bench.gate.open();
    assert_eq!(words(&first.await.unwrap()), ["unavailable"]);
    assert_eq!(words(&repeat.await.unwrap()), ["unavailable"]);
    assert_eq!(words(&known.await.unwrap()), ["low_difficulty"]);
    assert_eq!(words(&bench.ask(judge_one(share)).await), ["accepted 1"]);
}

#[actix::test]
async fn a_share_that_may_be_stored_is_not_stored_again_in_this_life() {
    for_each_loss(Fault::LoseAfter, 1, "duplicate 1").await;
}

#[actix::test]
async fn a_share_that_is_not_stored_counts_in_the_next_life() {
    for_each_loss(Fault::LoseBefore, 0, "accepted 1").await;
}

async fn for_each_loss(fault: Fault, stored: usize, in_next_life: &str) {
    let bench = Bench::failing(&[(1, fault)]).await;
    let share = checked(&job_1(), 0);
    assert_eq!(words(&bench.ask(judge_one(share.clone())).await), ["unavailable"]);
    assert_eq!(bench.halt.reasons().len(), 1, "the pool is to stop");
    // Until it has stopped, a repeat must not be stored as well.
    assert_eq!(words(&bench.ask(judge_one(share.clone())).await), ["unavailable"]);
    assert_eq!(bench.stored_shares().len(), stored);
    let bench = bench.restarted().await;
    assert_eq!(words(&bench.ask(judge_one(share)).await), [in_next_life]);
    assert_eq!(bench.stored_shares().len(), 1);
}

#[actix::test]
async fn a_worker_that_could_not_be_stored_gets_no_job_and_the_same_number_later() {
    let bench = Bench::failing(&[(1, Fault::Refuse)]).await;
    let assign = |name: &str| AssignWorker {
        hotkey: hotkey(1),
        worker: worker_name(name),
    };
    assert_eq!(bench.ask(assign("new")).await, AssignWorkerReply::Unavailable);
    let number = |reply| match reply {
        AssignWorkerReply::Assigned { worker, .. } => worker.get(),
        other => panic!("expected a number, got {other:?}"),
    };
    assert_eq!(number(bench.ask(assign("new")).await), 2);
    assert_eq!(number(bench.ask(assign("newer")).await), 3);
    assert_eq!(number(bench.ask(assign("rig")).await), 0);
    let bench = bench.restarted().await;
    assert_eq!(number(bench.ask(assign("new")).await), 2);
    assert_eq!(number(bench.ask(assign("newest")).await), 4);
}

#[actix::test]
async fn a_worker_asked_for_twice_at_once_has_one_number_and_waits_until_it_is_stored() {
    let bench = Bench::gated().await;
    let assign = || AssignWorker {
        hotkey: hotkey(1),
        worker: worker_name("new"),
    };
    let mut first = bench.post(assign());
    let mut second = bench.post(assign());
    settle().await;
    assert!(first.try_recv().is_err() && second.try_recv().is_err());
    bench.gate.open();
    assert_eq!(first.await.unwrap(), second.await.unwrap());
}

#[actix::test]
async fn a_miner_has_a_bounded_number_of_workers() {
    let mut settings = memory_settings();
    settings.limits.workers_per_miner = 2;
    let bench = Bench::with(settings).await;
    let assign = |name: &str| AssignWorker {
        hotkey: hotkey(1),
        worker: worker_name(name),
    };
    assert!(matches!(
        bench.ask(assign("two")).await,
        AssignWorkerReply::Assigned { .. }
    ));
    assert_eq!(
        bench.ask(assign("three")).await,
        AssignWorkerReply::TooManyWorkers { limit: 2 }
    );
    assert!(matches!(
        bench.ask(assign("rig")).await,
        AssignWorkerReply::Assigned { .. }
    ));
    let stranger = AssignWorker {
        hotkey: hotkey(9),
        worker: worker_name("rig"),
    };
    assert_eq!(
        bench.ask(stranger).await,
        AssignWorkerReply::Refused(Standing::Unknown)
    );
}
