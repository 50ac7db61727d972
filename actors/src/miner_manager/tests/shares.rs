//! Verdicts on shares: what counts, what counts once, and what does not.

use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::{AcceptedShare, ProvenShare, RejectedShare, Rejection, check_rolled};
use dwarves_domain::target::Difficulty;
use dwarves_domain::work::{Algorithm, ExtraNonce1, FullExtraNonce};

use super::*;
use crate::miner_manager::messages::Assigned;

#[actix::test]
async fn a_share_is_stored_before_it_is_acknowledged_and_numbered_in_order() {
    let bench = Bench::gated().await;
    let job = job_1();
    let requests = vec![
        request(1, vec![checked(&job, 0), checked(&job, 1_000)]),
        request(2, vec![checked(&build::job(&template(2), 2, hotkey(2), 1), 0)]),
    ];
    let mut answer = bench.post(judge(requests));
    settle().await;
    assert!(answer.try_recv().is_err());
    assert_eq!(bench.miners().await.accepted, 0, "memory follows the store");
    bench.gate.open();
    let judgements = answer.await.unwrap();
    assert_eq!(words(&judgements), ["accepted 1, accepted 2", "accepted 3"]);
    let stored = bench.stored_shares();
    assert_eq!(stored.len(), 3);
    let Ok(verdicts) = &judgements[0] else {
        panic!("verdicts")
    };
    let Ok(AcceptedShare {
        hash,
        share_difficulty,
        ..
    }) = verdicts[1]
    else {
        panic!("accepted")
    };
    assert_eq!(
        (hash, share_difficulty),
        (stored[1].1.hash, job.share_difficulty())
    );
    assert_eq!(stored[1].1.units, job.units());
    assert_eq!(bench.miner(1).await.units.raw(), 2 * job.units().raw());
}

#[actix::test]
async fn a_repeat_is_a_duplicate_of_the_first_within_one_request_and_between_requests() {
    let bench = Bench::new().await;
    let share = checked(&job_1(), 0);
    let other = checked(&job_1(), 500);
    let requests = vec![
        request(1, vec![share.clone(), other, share.clone()]),
        request(1, vec![share.clone()]),
    ];
    let judgements = bench.ask(judge(requests)).await;
    assert_eq!(
        words(&judgements),
        ["accepted 1, accepted 2, duplicate 1", "duplicate 1"]
    );
    assert_eq!(words(&bench.ask(judge_one(share)).await), ["duplicate 1"]);
    assert_eq!(bench.stored_shares().len(), 2);
    assert_eq!(bench.miners().await.rejected[2], 3);
}

#[actix::test]
async fn repeats_across_messages_in_flight_wait_for_the_first() {
    let bench = Bench::gated().await;
    let share = checked(&job_1(), 0);
    let first = bench.post(judge_one(share.clone()));
    settle().await;
    // These are under way while the first is: alone, beside a new share, and twice.
    let repeats = [
        bench.post(judge_one(share.clone())),
        bench.post(judge(vec![request(
            1,
            vec![checked(&job_1(), 500), share.clone()],
        )])),
        bench.post(judge_one(share.clone())),
    ];
    settle().await;
    bench.gate.open();
    assert_eq!(words(&first.await.unwrap()), ["accepted 1"]);
    let [alone, beside, again] = repeats;
    assert_eq!(words(&alone.await.unwrap()), ["duplicate 1"]);
    assert_eq!(words(&beside.await.unwrap()), ["accepted 2, duplicate 1"]);
    assert_eq!(words(&again.await.unwrap()), ["duplicate 1"]);
    assert_eq!(bench.stored_shares().len(), 2);
}

#[actix::test]
async fn many_messages_answered_by_one_commit_are_noted_in_their_order() {
    let bench = Bench::gated().await;
    let job = job_1();
    let before = bench.post(judge_one(checked(&job, 0)));
    settle().await;
    // One commit answers all of these at once. Each repeats the share of the one before it.
    let mut nonce = 1_000;
    let mut last = checked(&job, nonce);
    let mut answers = vec![bench.post(judge_one(last.clone()))];
    for _ in 0..20 {
        nonce += 1_000;
        let share = checked(&job, nonce);
        answers.push(bench.post(judge(vec![request(1, vec![last, share.clone()])])));
        last = share;
    }
    settle().await;
    bench.gate.open();
    assert_eq!(words(&before.await.unwrap()), ["accepted 1"]);
    for (index, answer) in answers.into_iter().enumerate() {
        let expected = match index {
            0 => "accepted 2".to_owned(),
            _ => format!("duplicate {}, accepted {}", index + 1, index + 2),
        };
        assert_eq!(words(&answer.await.unwrap()), [expected]);
    }
}

#[actix::test]
async fn a_request_that_names_another_worker_than_the_jobs_does_not_count() {
    let bench = Bench::new().await;
    let named = |name: &str, nonce| CheckedShares {
        miner: hotkey(1),
        received_at: CAME_AT,
        worker: Some(worker_name(name)),
        shares: vec![checked(&job_1(), nonce)],
    };
    let judgements = bench.ask(judge(vec![named("other", 0), named("rig", 0)])).await;
    assert_eq!(words(&judgements), ["other_worker", "accepted 1"]);
    assert_eq!(bench.miners().await.rejected[0], 1);
}

#[actix::test]
async fn unknown_and_banned_miners_are_refused_and_claim_nothing() {
    let bench = Bench::new().await;
    let ban = MinerControl::Ban {
        hotkey: hotkey(2),
        reason: "spam".to_owned(),
        until: None,
    };
    bench.ask(ban).await.unwrap();
    let job = build::job(&template(1), 9, hotkey(2), 1);
    let share = checked(&job, 0);
    let requests = vec![
        request(9, vec![share.clone()]),
        request(2, vec![share.clone()]),
        request(1, vec![checked(&job_1(), 0)]),
    ];
    let judgements = bench.ask(judge(requests)).await;
    assert_eq!(words(&judgements), ["unknown", "banned: spam", "accepted 1"]);
    bench
        .ask(MinerControl::Unban { hotkey: hotkey(2) })
        .await
        .unwrap();
    let judgements = bench.ask(judge(vec![request(2, vec![share])])).await;
    assert_eq!(words(&judgements), ["accepted 2"]);
}

#[actix::test]
async fn a_paused_pool_takes_nothing_and_claims_nothing() {
    let bench = Bench::new().await;
    bench.ask(SetPaused(true)).await;
    let share = checked(&job_1(), 0);
    assert_eq!(words(&bench.ask(judge_one(share.clone())).await), ["paused"]);
    let assign = AssignWorker {
        hotkey: hotkey(1),
        worker: worker_name("rig"),
        client: dwarves_domain::miners::Client::Earlier,
    };
    assert_eq!(bench.ask(assign).await, Err(Refusal::Paused));
    bench.ask(SetPaused(false)).await;
    assert_eq!(words(&bench.ask(judge_one(share)).await), ["accepted 1"]);
}

#[actix::test]
async fn a_full_recent_set_is_busy_and_claims_nothing() {
    let mut settings = memory_settings();
    settings.recent_shares_max = 3;
    let bench = Bench::with(settings).await;
    let job = job_1();
    let shares: Vec<_> = (0..5).map(|n| checked(&job, n * 1_000)).collect();
    let requests = vec![
        request(1, shares[0..2].to_vec()),
        request(1, shares[2..5].to_vec()),
        request(1, shares[2..3].to_vec()),
    ];
    let judgements = bench.ask(judge(requests)).await;
    assert_eq!(
        words(&judgements),
        ["accepted 1, accepted 2", "busy", "accepted 3"]
    );
    assert_eq!(bench.stored_shares().len(), 3);
    // Repeats are known as such, new shares must wait until a template retires.
    assert_eq!(
        words(&bench.ask(judge_one(shares[0].clone())).await),
        ["duplicate 1"]
    );
    assert_eq!(words(&bench.ask(judge_one(shares[4].clone())).await), ["busy"]);
    bench.retire_before(2).await;
    let live = build::job(&template(2), 1, hotkey(1), 0);
    assert_eq!(
        words(&bench.ask(judge_one(checked(&live, 0))).await),
        ["accepted 4"]
    );
}

#[actix::test]
async fn a_block_is_told_at_once_beside_the_commit() {
    let mut bench = Bench::gated().await;
    let job = job_1();
    let (_, proof) = mine(&job, 0, true);
    let share = Ok(ProvenShare {
        job: Arc::clone(&job),
        proof,
    });
    let answer = bench.post(judge_one(share));
    settle().await;
    let found = bench.blocks.try_recv().unwrap();
    assert_eq!(found.hash, proof.hash);
    assert_eq!(found.block.finder, Some(hotkey(1)));
    assert_eq!(found.block.reward, build::sats(build::COINBASE_SATS));
    assert_eq!(
        found.block.bytes,
        job.template().block(&proof.header, job.extranonce())
    );
    bench.gate.open();
    let judgements = answer.await.unwrap();
    assert!(matches!(
        &judgements[0],
        Ok(verdicts) if matches!(verdicts[..], [Ok(AcceptedShare { is_block: true, .. })])
    ));
    assert!(bench.blocks.try_recv().is_err(), "told once");
}

#[actix::test]
async fn rejections_are_counted_for_the_worker_if_it_is_known_and_else_for_the_miner() {
    let bench = Bench::new().await;
    let rejected = |reason, worker| Err(RejectedShare { reason, worker });
    let shares = vec![
        rejected(Rejection::LowDifficulty, Some(WorkerId::new(0))),
        rejected(Rejection::UnknownJob, None),
        // Another miner's worker: it cannot be made to look bad.
        rejected(Rejection::TimeOutOfRange, Some(WorkerId::new(1))),
    ];
    let judgements = bench.ask(judge(vec![request(1, shares)])).await;
    assert_eq!(
        words(&judgements),
        ["low_difficulty, unknown_job, time_out_of_range"]
    );
    assert_eq!(bench.miner(1).await.rejected, [1, 0, 0, 1, 1, 0]);
    assert_eq!(bench.miner(2).await.rejected, [0; 6]);
    assert_eq!(bench.store.commits().len(), 0, "nothing to store");
}

#[actix::test]
async fn vardiff_moves_the_next_job_and_does_not_reprice_issued_ones() {
    let bench = Bench::new().await;
    let assign = || AssignWorker {
        hotkey: hotkey(1),
        worker: worker_name("rig"),
        client: dwarves_domain::miners::Client::Earlier,
    };
    let target_of = |reply| match reply {
        Ok(Assigned { share_target, .. }) => share_target,
        other => panic!("expected a target, got {other:?}"),
    };
    let easy = target_of(bench.ask(assign()).await);
    assert_eq!(easy, Difficulty::MIN.target());
    let job = job_1();
    // Twenty shares in a second where one is wanted: the next job gets harder.
    for n in 0..20u32 {
        bench.clock.advance(Span::from_millis(50));
        let mut one = judge_one(checked(&job, n * 1_000));
        one.sent_at = bench.now();
        bench.ask(one).await;
    }
    let hard = target_of(bench.ask(assign()).await);
    assert!(hard < easy);
    let judgements = bench.ask(judge_one(checked(&job, 90_000))).await;
    let Ok(verdicts) = &judgements[0] else {
        panic!("verdicts")
    };
    assert!(matches!(
        verdicts[0],
        Ok(AcceptedShare { share_difficulty, .. }) if share_difficulty == job.share_difficulty()
    ));
    let stored = bench.stored_shares();
    assert!(stored.iter().all(|(_, row)| row.units == job.units()));
}

#[actix::test]
async fn a_share_is_stored_with_all_that_its_miner_rolled() {
    let bench = Bench::gated().await;
    bench.gate.open();
    let session = ExtraNonce1::numbered(1);
    let job = build::job(&template(1), session.of_jobs().get(), hotkey(1), 0);
    let rolled = FullExtraNonce::rolled(session, &[8, 7, 6, 5, 4, 3, 2, 1]).unwrap();
    let of_header = build::submission(&job, 0);
    let proof = check_rolled(&job, rolled, &of_header, Algorithm::Sha256d, |header| {
        header.hash()
    });
    let share = Ok(ProvenShare {
        job: job.clone(),
        proof: proof.unwrap(),
    });
    let judgements = bench.ask(judge_one(share)).await;
    assert_eq!(words(&judgements), ["accepted 1"]);
    let row = &bench.stored_shares()[0].1;
    assert_eq!(row.extranonce, rolled);
    let rebuilt = job.template().header(row.extranonce);
    assert_eq!(rebuilt.rolled(row.version, row.time, row.nonce).hash(), row.hash);
}

impl Bench {
    fn now(&self) -> Timestamp {
        dwarves_ports::clock::Clock::now(&self.clock)
    }
}
