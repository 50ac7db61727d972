//! What is asked through a link.

use dwarves_actors::block_tracker::messages::{CandidateReply, TakeCandidate};
use dwarves_actors::miner_manager::messages::{AssignWorker, CheckedShares, Joined, JudgeShares};
use dwarves_domain::ids::{Sequence, WorkerId};
use dwarves_domain::miners::{Client, ForeignName};
use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::{AcceptedShare, ProvenShare, RejectedShare, Rejection};
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::Span;
use dwarves_testkit::build::{BEGIN, hotkey, job, mine, template, worker_name};
use std::sync::Arc;

use super::{Leader, PATIENCE, join, next, work_of};

#[actix::test]
async fn shares_are_judged_by_the_front_that_leads() {
    let mut leader = Leader::start();
    let template = template(5);
    let linked = leader.linked(&work_of(&[Arc::clone(&template)])).await;
    let miner = hotkey(9);
    let job = job(&template, 77, miner, 4);
    let (_, proof) = mine(&job, 0, false);
    let rejected = RejectedShare {
        reason: Rejection::LowDifficulty,
        worker: Some(WorkerId::new(4)),
    };
    let proven = ProvenShare {
        job: Arc::clone(&job),
        proof,
    };
    let request = |age: u64| CheckedShares {
        miner,
        received_at: BEGIN.minus(Span::from_millis(age)),
        worker: Some(worker_name("rig")),
        shares: vec![Ok(proven.clone()), Err(rejected)],
    };
    // A job of a template that the front that leads has never told of is over; one that nobody sealed is nobody's.
    let strange = dwarves_testkit::build::job(&dwarves_testkit::build::template(6), 1, miner, 4);
    let other = CheckedShares {
        miner: hotkey(8),
        ..request(0)
    };
    let of_strange = CheckedShares {
        shares: vec![Ok(ProvenShare { job: strange, proof })],
        ..request(0)
    };
    leader.clock.set(BEGIN.plus(Span::from_secs(1_000)));
    let judge = JudgeShares {
        sent_at: BEGIN,
        requests: vec![request(250), other, of_strange],
    };
    let answer = linked.submission.judge.post(judge).unwrap();
    let asked = next(&mut leader.judges).await;
    let here = BEGIN.plus(Span::from_secs(1_000));
    assert_eq!(asked.payload.sent_at, here, "by the clock of whoever judges");
    let [first, second, third] = &asked.payload.requests[..] else {
        panic!("three requests");
    };
    assert_eq!(first.received_at, here.minus(Span::from_millis(250)));
    assert_eq!((first.miner, &first.worker), (miner, &Some(worker_name("rig"))));
    assert_eq!(first.shares, [Ok(proven.clone()), Err(rejected)]);
    let reasons = |request: &CheckedShares| request.shares[0].as_ref().map(|_| ()).unwrap_err().reason;
    assert_eq!(
        (reasons(second), reasons(third)),
        (Rejection::UnknownJob, Rejection::Stale)
    );
    let verdicts = vec![
        Ok(vec![
            Ok(AcceptedShare {
                hash: proof.hash,
                share_difficulty: job.share_difficulty(),
                sequence: Sequence::new(12),
                is_block: false,
            }),
            Err(Rejection::Duplicate(Sequence::new(3))),
        ]),
        Err(Refusal::Banned {
            reason: "by chance".to_owned(),
        }),
        Err(Refusal::MinerFull),
    ];
    asked.reply.answer(verdicts.clone());
    assert_eq!(answer.await.unwrap(), verdicts);
    linked.close();
}

#[actix::test]
async fn workers_are_let_in_and_kept_out_by_the_front_that_leads() {
    let mut leader = Leader::start();
    let linked = leader.linked(&work_of(&[template(1)])).await;
    let refusals = [
        Refusal::MinerUnknown,
        Refusal::RegistrationClosed,
        Refusal::PoolFull,
        Refusal::AddressesFull,
        Refusal::TooManyNew {
            try_again: Span::from_secs(9),
        },
        Refusal::WorkerForeign(ForeignName::NotBound),
        Refusal::WorkerForeign(ForeignName::Shared),
        Refusal::Paused,
        Refusal::NoWork,
        Refusal::NoExtranonce,
        Refusal::Busy,
        Refusal::Unavailable,
    ];
    let joined = Joined {
        miner: hotkey(4),
        worker: WorkerId::new(6),
        fixed: Difficulty::from_f64(8.0),
        earned: None,
    };
    for said in refusals.into_iter().map(Err).chain([Ok(joined)]) {
        let answer = linked.join.post(join()).unwrap();
        let asked = next(&mut leader.joins).await;
        assert_eq!(asked.payload, join());
        asked.reply.answer(said.clone());
        assert_eq!(answer.await.unwrap(), said);
    }
    // Jobs over HTTP are given out by the front that leads alone.
    let assign = AssignWorker {
        hotkey: hotkey(1),
        worker: worker_name("rig"),
        client: Client::Owner(hotkey(1)),
    };
    assert_eq!(
        linked.submission.assign.ask(assign, PATIENCE).await,
        Ok(Err(Refusal::NoWork))
    );
    linked.close();
}

#[actix::test]
async fn a_block_is_made_whole_where_it_is_stored() {
    let mut leader = Leader::start();
    let template = template(5);
    let linked = leader.linked(&work_of(&[Arc::clone(&template)])).await;
    let job = job(&template, 77, hotkey(9), 4);
    let (_, proof) = mine(&job, 0, true);
    let take = TakeCandidate {
        hash: proof.hash,
        header: proof.header,
        extranonce: proof.extranonce,
        template: template.id(),
        bytes: Some(template.block(&proof.header, proof.extranonce)),
        height: template.chain().height,
        reward: template.chain().coinbase_value,
        finder: Some(hotkey(9)),
        is_doubtful: false,
        at: BEGIN,
    };
    let answer = linked.submission.blocks.post(take.clone()).unwrap();
    let asked = next(&mut leader.candidates).await;
    assert_eq!(asked.payload, take);
    asked.reply.answer(CandidateReply::Crowded);
    assert_eq!(answer.await.unwrap(), CandidateReply::Crowded);
    linked.close();
}
