//! Shares are checked here and judged there, many requests in one message.

use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::Rejection;
use dwarves_domain::share::{ProvenShare, RejectedShare};

use super::*;
use crate::handlers::submission::messages::SharesAnswer;

#[actix::test]
async fn requests_that_arrive_together_go_in_one_message_and_what_comes_while_two_are_under_way_in_the_next()
{
    let mut bench = Bench::new(&[1]).await;
    let job = job(&template(1), 1, hotkey(1), 0);
    let first: Vec<_> = (0..3).map(|n| bench.submit(vec![good(&job, n * 100)])).collect();
    let judging = bench.judging().await;
    assert_eq!(judging.payload.requests.len(), 3);
    assert_eq!(judging.payload.sent_at, BEGIN);
    let meanwhile = bench.submit(vec![good(&job, 500)]);
    let second = bench.judging().await;
    assert_eq!(second.payload.requests.len(), 1);
    let later = [
        bench.submit(vec![good(&job, 1_000), good(&job, 2_000)]),
        bench.submit(vec![good(&job, 3_000)]),
    ];
    settle().await;
    assert!(bench.judge.try_recv().is_err(), "two messages at a time");
    judging
        .reply
        .answer(vec![verdicts(1), Err(Refusal::Busy), verdicts(1)]);
    let next = bench.judging().await;
    assert_eq!(found(&next.payload), [vec![Ok(()), Ok(())], vec![Ok(())]]);
    next.reply.answer(vec![verdicts(2), Err(Refusal::Paused)]);
    second.reply.answer(vec![Err(Refusal::Unavailable)]);
    let mut replies = Vec::new();
    for answer in first.into_iter().chain(later).chain([meanwhile]) {
        replies.push(answer.await.unwrap().judged);
    }
    let one = Ok(vec![Err(Rejection::OtherWorker)]);
    let two = Ok(vec![Err(Rejection::OtherWorker); 2]);
    let expected = [
        one.clone(),
        Err(Refusal::Busy),
        one,
        two,
        Err(Refusal::Paused),
        Err(Refusal::Unavailable),
    ];
    assert_eq!(replies, expected);
}

#[actix::test]
async fn each_judgement_becomes_the_reply_of_its_request() {
    let mut bench = Bench::new(&[1]).await;
    let answers: Vec<_> = (0..4).map(|_| bench.submit(vec![None])).collect();
    let banned = Refusal::Banned {
        reason: "spam".to_owned(),
    };
    bench.judging().await.reply.answer(vec![
        Err(banned),
        Err(Refusal::MinerUnknown),
        Err(Refusal::Unavailable),
        Err(Refusal::Paused),
    ]);
    let mut replies = Vec::new();
    for answer in answers {
        replies.push(answer.await.unwrap().judged);
    }
    let banned = Err(Refusal::Banned {
        reason: "spam".to_owned(),
    });
    let expected = [
        banned,
        Err(Refusal::MinerUnknown),
        Err(Refusal::Unavailable),
        Err(Refusal::Paused),
    ];
    assert_eq!(replies, expected);
}

#[actix::test]
async fn requests_in_flight_are_bounded_and_the_room_comes_back() {
    let mut bench = Bench::new(&[1]).await;
    let room = LIMITS.requests_in_flight.per_client;
    let full: Vec<_> = (0..room).map(|_| bench.submit(vec![None])).collect();
    let judging = bench.judging().await;
    assert_eq!(bench.submit(vec![None]).await, Ok(Err(Refusal::Busy).into()));
    judging.reply.answer(vec![verdicts(1); room]);
    for answer in full {
        assert!(matches!(answer.await, Ok(SharesAnswer { judged: Ok(_), .. })));
    }
    let after = bench.submit(vec![None; 2]);
    bench.judging().await.reply.answer(vec![verdicts(2)]);
    assert!(matches!(after.await, Ok(SharesAnswer { judged: Ok(_), .. })));
}

#[actix::test]
async fn a_miner_manager_that_drops_its_question_makes_it_unavailable_and_the_room_comes_back() {
    let mut bench = Bench::new(&[1]).await;
    for _ in 0..3 * LIMITS.requests_in_flight.per_client {
        let answer = bench.submit(vec![None]);
        drop(bench.judging().await);
        assert_eq!(answer.await, Ok(Err(Refusal::Unavailable).into()));
    }
}

#[actix::test]
async fn jobs_are_built_again_from_their_ids_however_many_there_are() {
    let mut bench = Bench::new(&[1, 2]).await;
    // More jobs than the cache holds, none of which this handler gave out, twice.
    for _ in 0..2 {
        for extranonce in 0..3 * LIMITS.jobs_cached_max as u64 {
            let job = job(&template(1 + extranonce as u32 % 2), extranonce, hotkey(1), 3);
            let _answer = bench.submit(vec![good(&job, 0)]);
            let judging = bench.judging().await;
            let Ok(ProvenShare { job: built, proof }) = &judging.payload.requests[0].shares[0] else {
                panic!("it is a share")
            };
            assert_eq!(**built, *job);
            assert_eq!(*proof, mine(&job, 0, false).1);
            judging.reply.answer(vec![verdicts(1)]);
        }
    }
}

#[actix::test]
async fn a_job_of_nobody_or_of_another_miner_is_unknown_and_one_of_old_work_is_stale() {
    let mut bench = Bench::new(&[2, 3]).await;
    let old = job(&template(1), 1, hotkey(1), 0);
    let live = job(&template(2), 1, hotkey(1), 0);
    let others = job(&template(2), 1, hotkey(2), 0);
    let forged = {
        let mut id = live.id().to_string();
        id.replace_range(55.., if id.ends_with('0') { "1" } else { "0" });
        Submission {
            job_id: id.parse().unwrap(),
            ..submission(&live, 0)
        }
    };
    // The other miner's job is in the cache of this handler.
    let theirs = bench.post(SubmitShares {
        miner: hotkey(2),
        from: client_ip(2),
        worker: None,
        shares: vec![good(&others, 0)],
    });
    bench.judging().await.reply.answer(vec![verdicts(1)]);
    assert!(theirs.await.is_ok());
    let shares = vec![
        good(&old, 0),
        good(&live, 0),
        good(&others, 0),
        Some(forged),
        None,
    ];
    let _answer = bench.submit(shares);
    let expected = [
        Err(Rejection::Stale),
        Ok(()),
        Err(Rejection::UnknownJob),
        Err(Rejection::UnknownJob),
        Err(Rejection::UnknownJob),
    ];
    assert_eq!(found(&bench.judging().await.payload), [expected]);
}

#[actix::test]
async fn a_job_of_the_cache_is_stale_as_soon_as_its_work_is_over() {
    let mut bench = Bench::new(&[1]).await;
    let job = job(&template(1), 1, hotkey(1), 0);
    let _first = bench.submit(vec![good(&job, 0)]);
    bench.judging().await.reply.answer(vec![verdicts(1)]);
    bench.work(&[2]).await;
    let _second = bench.submit(vec![good(&job, 100)]);
    assert_eq!(found(&bench.judging().await.payload), [[Err(Rejection::Stale)]]);
}

/// Whether its work is still kept or not: the job's id says whose it is, and so which of the miner's machines is late.
#[actix::test]
async fn a_stale_share_is_counted_for_its_worker() {
    let mut bench = Bench::new(&[1]).await;
    let of_worker_3 = |n| job(&template(n), 1, hotkey(1), 3);
    let (kept, gone) = (of_worker_3(1), of_worker_3(0));
    let _first = bench.submit(vec![good(&kept, 0)]);
    bench.judging().await.reply.answer(vec![verdicts(1)]);
    bench.work(&[2]).await;
    let _answer = bench.submit(vec![good(&kept, 100), good(&gone, 0)]);
    let stale = Err(RejectedShare {
        reason: Rejection::Stale,
        worker: Some(WorkerId::new(3)),
    });
    let judging = bench.judging().await;
    assert_eq!(judging.payload.requests[0].shares, [stale.clone(), stale]);
}

#[actix::test]
async fn a_bad_proof_is_counted_for_its_worker() {
    let mut bench = Bench::new(&[1]).await;
    let job = build::job_at(&template(1), 1, hotkey(1), 3, Difficulty::from_f64(1e-6).unwrap());
    let low = submission(&job, miss(&job, 0));
    let late = Submission {
        time: Some(u32::MAX),
        ..low
    };
    let odd = Submission {
        version: Some(1),
        ..low
    };
    let _answer = bench.submit(vec![Some(low), Some(late), Some(odd)]);
    let judging = bench.judging().await;
    let expected = [
        Rejection::LowDifficulty,
        Rejection::TimeOutOfRange,
        Rejection::VersionOutOfMask,
    ]
    .map(|reason| {
        Err(RejectedShare {
            reason,
            worker: Some(WorkerId::new(3)),
        })
    });
    assert_eq!(judging.payload.requests[0].shares, expected);
}

#[actix::test]
async fn shares_that_are_not_judged_in_time_are_answered_and_the_next_go_on() {
    let mut bench = Bench::new(&[1]).await;
    let mut under_way = Vec::new();
    for _ in 0..2 {
        let late = bench.submit(vec![None]);
        under_way.push((late, bench.judging().await));
    }
    let next = bench.submit(vec![None, None]);
    bench.pass(LIMITS.judge_deadline.to_std().as_secs() + 1).await;
    for (late, judging) in under_way {
        assert_eq!(late.await, Ok(Err(Refusal::Unavailable).into()));
        // What comes too late finds nobody, and does not disturb those who came after it.
        judging.reply.answer(vec![verdicts(1)]);
    }
    bench.judging().await.reply.answer(vec![verdicts(2)]);
    let two = Ok(vec![Err(Rejection::OtherWorker); 2]);
    assert_eq!(next.await.unwrap().judged, two);
}
