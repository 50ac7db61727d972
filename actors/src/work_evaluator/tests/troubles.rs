//! Evaluators that fail, answer badly or are away; a disk that takes nothing; restarts; removals.

use super::*;

#[actix::test]
async fn a_failing_evaluation_is_tried_again_and_then_given_up() {
    let mut bench = Bench::new().await;
    let mut reply = bench.submit(1, "{}").await;
    let first = bench.next_says(failed()).await;
    assert!(bench.is_idle(), "not at once");
    bench.seconds(2).await;
    let garbage = bench.next_says(Ok(b"<html>".to_vec())).await;
    assert_eq!(first.id, garbage.id, "under the same name");
    bench.seconds(3).await;
    assert!(bench.is_idle(), "each time later");
    bench.seconds(1).await;
    bench
        .next_says(Err(EvaluatorError::Late(Duration::from_secs(30))))
        .await;
    assert_eq!(said(&mut reply), Ok("late".to_owned()));
    assert_eq!(bench.stored(1).await, ["late"]);
    let view = bench.view().await;
    assert_eq!(view.faults.get(&Fault::Late), Some(&1));
    // A work that makes it fail opens nothing for others.
    assert_eq!(view.endpoints[0].breaker, BreakerState::Closed);
    // What failed may be sent again, and is another submission.
    bench.submit(1, "{}").await;
    bench.clock.advance(Span::from_millis(5));
    let anew = bench.next_says(loss("1")).await;
    assert_ne!(anew.id, first.id);
    assert_eq!(bench.stored(1).await, ["1", "late"]);
}

#[actix::test]
async fn bad_results_and_refusals_are_final_at_once() {
    let mut bench = Bench::new().await;
    for (number, (answer, expected)) in [
        (loss("NaN"), "not_a_number"),
        (loss("-1"), "negative"),
        (loss("1e400"), "absurd"),
        (loss("Infinity"), "infinite"),
        (Ok(b"{\"error\":\"no model\"}".to_vec()), "refused"),
        (Err(EvaluatorError::Refused("no model".to_owned())), "refused"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut reply = bench.submit(1, &format!("{{\"w\":{number}}}")).await;
        bench.next_says(answer).await;
        assert_eq!(said(&mut reply), Ok(expected.to_owned()));
    }
    assert!(bench.is_idle());
}

#[actix::test]
async fn while_nobody_can_be_reached_work_waits_and_costs_no_tries() {
    let mut bench = Bench::new().await;
    for miner in [1, 2, 3] {
        bench.submit(miner, "{}").await;
    }
    let mut asked = 0;
    for _ in 0..120 {
        while let Ok(task) = bench.tasks.try_recv() {
            asked += 1;
            bench.answer(task, away()).await;
        }
        bench.seconds(1).await;
    }
    assert!((3..30).contains(&asked), "it was left alone: asked {asked} times");
    let view = bench.view().await;
    assert_ne!(view.endpoints[0].breaker, BreakerState::Closed);
    assert!(view.hindrance.unwrap().starts_with("evaluator_away: "));
    // It is back: one is tried, then all.
    let mut answered = 0;
    for _ in 0..400 {
        while let Ok(task) = bench.tasks.try_recv() {
            answered += 1;
            bench.answer(task, loss("2")).await;
        }
        bench.seconds(1).await;
    }
    assert_eq!(answered, 3);
    for miner in [1, 2, 3] {
        assert_eq!(bench.stored(miner).await, ["2"]);
    }
    assert_eq!(bench.view().await.hindrance, None);
}

#[actix::test]
async fn several_evaluators_share_the_work_and_stand_in_for_each_other() {
    let mut bench = Bench::by(FaultPlan::default(), 2).await;
    for miner in 1..=4 {
        bench.submit(miner, "{}").await;
    }
    let mut which = Vec::new();
    for _ in 0..4 {
        let asked = bench.task();
        which.push(asked.which);
        let answer = if asked.which == 0 { failed() } else { loss("1") };
        bench.answer(asked, answer).await;
    }
    which.sort_unstable();
    assert_eq!(which, [0, 0, 1, 1]);
    for _ in 0..60 {
        while let Ok(asked) = bench.tasks.try_recv() {
            let answer = if asked.which == 0 { failed() } else { loss("1") };
            bench.answer(asked, answer).await;
        }
        bench.seconds(1).await;
    }
    for miner in 1..=4 {
        assert_eq!(bench.stored(miner).await, ["1"], "miner {miner}");
    }
}

#[actix::test]
async fn what_waits_outlives_a_restart_and_is_evaluated_once() {
    let mut bench = Bench::new().await;
    for work in ["{\"w\":1}", "{\"w\":2}"] {
        bench.submit(1, work).await;
    }
    let lost = bench.task();
    let mut bench = bench.restart().await;
    assert_eq!(bench.stored(1).await, ["queued", "queued"]);
    let again = bench.next_says(loss("1")).await;
    assert_eq!((again.id, again.work), (lost.task.id, lost.task.work));
    // Whoever was there before is counted.
    bench.submit(1, "{\"w\":3}").await;
    let fourth = said(&mut bench.submit(1, "{\"w\":4}").await);
    assert_eq!(fourth, Err(Refusal::TooMuchWaits { limit: 2 }));
    bench.next_says(loss("2")).await;
    bench.next_says(loss("3")).await;
    assert_eq!(bench.stored(1).await, ["3", "2", "1"]);
}

#[actix::test]
async fn no_result_is_lost_while_the_disk_takes_nothing() {
    let plan = FaultPlan {
        at: vec![(2, StoreFault::Refuse), (3, StoreFault::Refuse)],
        disk_full: None,
    };
    let mut bench = Bench::by(plan, 1).await;
    let mut reply = bench.submit(1, "{}").await;
    bench.next_says(loss("0.5")).await;
    assert!(reply.try_recv().is_err(), "it is not on disk");
    bench.seconds(5).await;
    assert_eq!(said(&mut reply), Ok("0.5".to_owned()));
    assert_eq!(bench.stored(1).await, ["0.5"]);
    assert!(bench.is_idle(), "nobody was asked again");
}

#[actix::test]
async fn what_the_disk_does_not_take_is_refused_and_not_evaluated() {
    let refused = FaultPlan {
        at: vec![(1, StoreFault::Refuse)],
        disk_full: None,
    };
    let mut bench = Bench::by(refused, 1).await;
    let unstored = said(&mut bench.submit(1, "{}").await);
    assert_eq!(unstored, Err(Refusal::Unavailable));
    assert!(bench.is_idle() && bench.stored(1).await.is_empty());
}

#[actix::test]
async fn what_is_removed_is_told_nobody_and_paid_nobody() {
    let mut bench = Bench::new().await;
    let mut reply = bench.submit(1, "{}").await;
    let asked = bench.task();
    let id = asked.task.id;
    let remove = |owner: Hotkey| RemoveSubmission { id, owner };
    assert_eq!(bench.ask(remove(hotkey(2))).await.unwrap(), Ok(false));
    assert_eq!(bench.ask(remove(hotkey(1))).await.unwrap(), Ok(true));
    bench.answer(asked, loss("1")).await;
    assert!(matches!(
        reply.try_recv(),
        Err(oneshot::error::TryRecvError::Closed)
    ));
    assert!(bench.stored(1).await.is_empty());
    bench.submit(2, "{}").await;
    let other = bench.next_says(loss("1")).await.id;
    let order = |id| EvaluatorControl::RemoveSubmission(id);
    assert!(bench.ask(order(other)).await.unwrap().is_ok());
    let gone = bench.ask(order(other)).await.unwrap();
    assert!(matches!(gone, Err(Refusal::ControlRefused(_))));
    let never = SubmissionId::of(&hotkey(1), &WorkDigest::of(""), bench.clock.now());
    assert!(bench.ask(order(never)).await.unwrap().is_err());
    assert!(bench.stored(2).await.is_empty());
    let status = bench.ask(EvaluatorControl::Status).await.unwrap().unwrap();
    assert_eq!(status["evaluated"], 2);
}
