//! Commits that fail, or of which nobody knows.

use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::RejectedShare;

use super::*;
use crate::miner_manager::messages::Assigned;

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
        vec![Err(RejectedShare {
            reason: dwarves_domain::share::Rejection::LowDifficulty,
            worker: None,
        })],
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

fn assign(n: u8, name: &str) -> AssignWorker {
    AssignWorker {
        hotkey: hotkey(n),
        worker: worker_name(name),
        client: dwarves_domain::miners::Client::Owner(hotkey(n)),
    }
}

fn number(reply: Result<Assigned, Refusal>) -> u32 {
    match reply {
        Ok(Assigned { worker, .. }) => worker.get(),
        other => panic!("expected a number, got {other:?}"),
    }
}

#[actix::test]
async fn a_name_that_could_not_be_stored_is_stored_with_the_next_share() {
    // The first commit says which numbers may be given.
    let bench = Bench::failing(&[(1, Fault::Refuse), (3, Fault::Refuse)]).await;
    assert_eq!(bench.ask(assign(1, "new")).await, Err(Refusal::Unavailable));
    assert_eq!(number(bench.ask(assign(1, "new")).await), 2);
    let job = build::job(&template(1), 1, hotkey(1), 2);
    let share = |nonce| judge_one(checked(&job, nonce));
    assert_eq!(words(&bench.ask(share(0)).await), ["unavailable"]);
    assert_eq!(bench.miner(1).await.workers.len(), 1, "only rig");
    assert_eq!(words(&bench.ask(share(0)).await), ["accepted 1"]);
    assert_eq!(words(&bench.ask(share(5_000)).await), ["accepted 2"]);
    assert_eq!(number(bench.ask(assign(1, "newer")).await), 3);
    let bench = bench.restarted().await;
    assert_eq!(number(bench.ask(assign(1, "new")).await), 2);
    assert!(
        number(bench.ask(assign(1, "newer")).await) > 3,
        "its jobs may be about"
    );
    assert_eq!(number(bench.ask(assign(1, "rig")).await), 0);
}

#[actix::test]
async fn a_worker_asked_for_twice_at_once_has_one_number() {
    let bench = Bench::gated().await;
    let mut first = bench.post(assign(1, "new"));
    let mut second = bench.post(assign(1, "new"));
    settle().await;
    assert!(first.try_recv().is_err() && second.try_recv().is_err());
    bench.gate.open();
    assert_eq!(first.await.unwrap(), second.await.unwrap());
    assert_eq!(
        bench.store.commits().len(),
        2,
        "numbers are stored once, and nobody waits for more"
    );
    let stranger = bench.ask(assign(9, "rig")).await;
    assert_eq!(stranger, Err(Refusal::MinerUnknown));
}
