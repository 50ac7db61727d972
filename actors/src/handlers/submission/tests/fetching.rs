//! Work is fetched at once, or when there is newer work, or when the wait is over.

use dwarves_domain::refusal::Refusal;

use super::*;
use crate::miner_manager::messages::Assigned;
use crate::work_manager::messages::IssuedJob;

#[actix::test]
async fn work_is_fetched_from_those_who_own_it() {
    let mut bench = Bench::new(&[1]).await;
    assert!(
        bench.subscribe.try_recv().is_ok(),
        "it asks to be told of new work"
    );
    let answer = bench.fetch(None);
    let job = bench.give_job(1).await;
    assert_eq!(
        answer.await.unwrap(),
        Ok(IssuedJob {
            job: Arc::clone(&job),
            expires_at: BEGIN
        })
    );
    let _answer = bench.submit(vec![good(&job, 0)]);
    assert_eq!(found(&bench.judging().await.payload), [[Ok(())]]);
}

#[actix::test]
async fn each_refusal_is_told_as_what_it_is() {
    let mut bench = Bench::new(&[1]).await;
    let banned = Refusal::Banned {
        reason: "spam".to_owned(),
    };
    let refusals = [
        (
            Err(banned),
            Err(Refusal::Banned {
                reason: "spam".to_owned(),
            }),
        ),
        (Err(Refusal::MinerUnknown), Err(Refusal::MinerUnknown)),
        (Err(Refusal::Paused), Err(Refusal::NoWork)),
        (Err(Refusal::Unavailable), Err(Refusal::Unavailable)),
    ];
    for (said, told) in refusals {
        let answer = bench.fetch(None);
        settle().await;
        bench.assign.try_recv().unwrap().reply.answer(said);
        assert_eq!(answer.await.unwrap(), told);
    }
    let answer = bench.fetch(None);
    settle().await;
    let assigned = Ok(Assigned {
        worker: WorkerId::new(0),
        share_target: Difficulty::MIN.target(),
    });
    bench.assign.try_recv().unwrap().reply.answer(assigned);
    settle().await;
    let issue = bench.issue.try_recv().unwrap();
    issue.reply.answer(Err(Refusal::NoWork));
    assert_eq!(answer.await.unwrap(), Err(Refusal::NoWork));
}

#[actix::test]
async fn a_long_poll_waits_for_newer_work_and_wakes_when_it_comes() {
    let mut bench = Bench::new(&[1]).await;
    let known = job(&template(1), 1, hotkey(1), 0).id();
    let mut answer = bench.fetch(Some(known));
    bench.pass(3).await;
    assert!(answer.try_recv().is_err());
    // The same work again, and no work at all, are not newer.
    bench.work(&[1]).await;
    bench.work(&[]).await;
    assert!(bench.assign.try_recv().is_err());
    bench.work(&[1, 2]).await;
    let job = bench.give_job(2).await;
    assert!(matches!(answer.await, Ok(Ok(IssuedJob { job: got, .. })) if got == job));
    // Who knows old work does not wait at all.
    let answer = bench.fetch(Some(known));
    let job = bench.give_job(2).await;
    assert!(matches!(answer.await, Ok(Ok(IssuedJob { job: got, .. })) if got == job));
}

#[actix::test]
async fn a_long_poll_that_waited_long_enough_gets_what_there_is() {
    let mut bench = Bench::new(&[1]).await;
    let known = job(&template(1), 1, hotkey(1), 0).id();
    let answer = bench.fetch(Some(known));
    bench.pass(LIMITS.longpoll.secs() - 1).await;
    assert!(bench.assign.try_recv().is_err());
    bench.pass(2).await;
    bench.give_job(1).await;
    assert!(matches!(answer.await, Ok(Ok(IssuedJob { .. }))));
}

#[actix::test]
async fn a_job_of_another_pool_or_miner_is_no_reason_to_wait() {
    let mut bench = Bench::new(&[1]).await;
    let others = job(&template(1), 1, hotkey(2), 0).id();
    let answer = bench.fetch(Some(others));
    let job = bench.give_job(1).await;
    assert!(matches!(answer.await, Ok(Ok(IssuedJob { job: got, .. })) if got == job));
}

#[actix::test]
async fn those_who_wait_are_bounded_and_those_who_gave_up_make_room() {
    let mut bench = Bench::new(&[1]).await;
    let known = job(&template(1), 1, hotkey(1), 0).id();
    let waiting: Vec<_> = (0..LIMITS.waiting.per_client)
        .map(|_| bench.fetch(Some(known)))
        .collect();
    settle().await;
    assert_eq!(bench.fetch(Some(known)).await, Ok(Err(Refusal::Busy)));
    // Another client's place is its own.
    let mut elsewhere = bench.fetch_from(2, Some(known));
    settle().await;
    assert!(elsewhere.try_recv().is_err(), "it waits");
    drop(elsewhere);
    // Who does not want to wait is served all the same.
    let answer = bench.fetch(None);
    let job = bench.give_job(1).await;
    assert!(matches!(answer.await, Ok(Ok(IssuedJob { job: got, .. })) if got == job));
    drop(waiting);
    bench.pass(2).await;
    let mut next = bench.fetch(Some(known));
    settle().await;
    assert!(next.try_recv().is_err(), "it waits");
    // Nobody is asked for those who gave up.
    bench.work(&[2]).await;
    bench.give_job(2).await;
    settle().await;
    assert!(bench.assign.try_recv().is_err());
    assert!(matches!(next.await, Ok(Ok(IssuedJob { .. }))));
}

#[actix::test]
async fn who_waits_is_answered_when_miners_are_let_go_and_waits_again_when_there_is_work() {
    let mut bench = Bench::new(&[1]).await;
    let known = job(&template(1), 1, hotkey(1), 0).id();
    let mut answer = bench.fetch(Some(known));
    bench.lack(&[1], false).await;
    assert!(answer.try_recv().is_err(), "it may be over in a moment");
    bench.lack(&[1], true).await;
    assert_eq!(answer.await, Ok(Err(Refusal::NoWork)));
    assert_eq!(bench.fetch(Some(known)).await, Ok(Err(Refusal::NoWork)));
    bench.work(&[1]).await;
    let mut answer = bench.fetch(Some(known));
    settle().await;
    assert!(answer.try_recv().is_err());
    // A newer template that nobody gets is no newer work.
    bench.lack(&[2], false).await;
    assert!(bench.assign.try_recv().is_err());
}

#[actix::test]
async fn what_an_operator_decides_about_a_miner_reaches_those_who_wait_at_once() {
    let mut bench = Bench::new(&[1]).await;
    let watch = bench.watch.try_recv().unwrap();
    let first = bench.fetch(None);
    let job = bench.give_job(1).await;
    assert!(matches!(first.await, Ok(Ok(IssuedJob { job: got, .. })) if got == job));
    let mut waiting = bench.fetch(Some(job.id()));
    settle().await;
    watch.payload.watcher.tell(MinerChanged(hotkey(2))).unwrap();
    settle().await;
    assert!(waiting.try_recv().is_err(), "it was somebody else");
    watch.payload.watcher.tell(MinerChanged(hotkey(1))).unwrap();
    let again = bench.give_job(1).await;
    let Ok(IssuedJob { job, .. }) = waiting.await.unwrap() else {
        panic!("there is work")
    };
    assert_eq!(job, again);
}
