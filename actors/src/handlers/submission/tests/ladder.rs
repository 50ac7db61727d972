//! Whoever sends mostly wrong shares over HTTP is kept out for a while, alone, and its blocks are not.

use dwarves_domain::ids::Sequence;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::Rejection;
use dwarves_domain::share::ShareVerdict;
use serde_json::{Value, json};

use super::*;
use crate::block_tracker::messages::CandidateReply;
use crate::control::Controlled;
use crate::gate::GateControl;
use crate::handlers::submission::messages::SharesAnswer;
use crate::miner_manager::messages::Judgement;

/// What a client's worker sends.
#[derive(Clone, Copy)]
struct From {
    client: u8,
    miner: u8,
    worker: Option<&'static str>,
}

const BROKEN: From = From {
    client: 1,
    miner: 1,
    worker: Some("rig"),
};

impl Bench {
    fn send(&self, from: From, shares: Vec<Option<Submission>>) -> oneshot::Receiver<SharesAnswer> {
        self.post(SubmitShares {
            miner: hotkey(from.miner),
            from: client_ip(from.client),
            worker: from.worker.map(worker_name),
            shares,
        })
    }

    /// Ten shares, all judged alike; gives the answer, or the answer without anybody having judged them.
    async fn ten(&mut self, from: From, share: Option<Submission>, verdict: ShareVerdict) -> Judgement {
        let answer = self.send(from, vec![share; 10]);
        settle().await;
        if let Ok(judge) = self.judge.try_recv() {
            judge.reply.answer(vec![Ok(vec![verdict; 10])]);
        }
        let answer = answer.await.unwrap();
        settle().await;
        answer.judged
    }

    async fn control(&self, control: GateControl) -> Controlled {
        let asked: Port<GateControl> = Port::new(&self.gate);
        asked.ask(control, Duration::from_secs(1)).await.unwrap()
    }

    async fn kept_out(&self) -> Value {
        match self.control(GateControl::Status).await {
            Ok(view) => view["kept_out"].clone(),
            other => panic!("{other:?}"),
        }
    }

    /// Three windows of wrong shares.
    async fn climb(&mut self, from: From, share: Option<Submission>) {
        for _ in 0..3 {
            let answer = self.ten(from, share, LOW).await;
            assert!(answer.is_ok(), "{answer:?}");
        }
    }
}

const LOW: ShareVerdict = Err(Rejection::LowDifficulty);

fn out(secs: u64) -> Judgement {
    Err(Refusal::KeptOut {
        try_again: Span::from_secs(secs),
    })
}

#[actix::test]
async fn the_worker_is_kept_out_alone_until_its_time_is_over_or_an_admin_lifts_it() {
    let mut bench = Bench::new(&[1]).await;
    let job = job(&template(1), 1, hotkey(1), 0);
    let wrong = Some(submission(&job, miss(&job, 0)));
    bench.climb(BROKEN, wrong).await;
    assert_eq!(bench.ten(BROKEN, wrong, LOW).await, out(60));
    for other in [
        From { client: 2, ..BROKEN },
        From { miner: 2, ..BROKEN },
        From {
            worker: Some("rig2"),
            ..BROKEN
        },
        From {
            worker: None,
            ..BROKEN
        },
    ] {
        let answer = bench.ten(other, wrong, LOW).await;
        assert!(answer.is_ok(), "{answer:?}");
    }
    let kept_out = bench.kept_out().await;
    assert_eq!(
        (&kept_out[0]["address"], &kept_out[0]["worker"], &kept_out[1]),
        (&json!("192.0.2.1"), &json!("rig"), &Value::Null)
    );
    bench.pass(20).await;
    assert_eq!(bench.ten(BROKEN, wrong, LOW).await, out(40));
    bench.pass(41).await;
    assert_eq!(bench.kept_out().await, json!([]));
    bench.climb(BROKEN, wrong).await;
    assert_eq!(bench.ten(BROKEN, wrong, LOW).await, out(60));
    let lifted = bench.control(GateControl::Lift(client_ip(1))).await;
    assert_eq!(lifted, Ok(json!({ "lifted": 1 })));
    let again = bench.control(GateControl::Lift(client_ip(1))).await;
    assert!(matches!(again, Err(Refusal::ControlRefused(_))), "{again:?}");
    bench.climb(BROKEN, wrong).await;
}

#[actix::test]
async fn late_shares_and_those_of_other_workers_climb_no_ladder() {
    let mut bench = Bench::new(&[1]).await;
    for verdict in [
        Err(Rejection::Stale),
        Err(Rejection::OtherWorker),
        Err(Rejection::JobFull {
            issued: Difficulty::MIN,
        }),
    ] {
        for _ in 0..10 {
            let answer = bench.ten(BROKEN, None, verdict).await;
            assert!(answer.is_ok(), "{answer:?}");
        }
    }
    for _ in 0..3 {
        let twice = Err(Rejection::Duplicate(Sequence::new(1)));
        let answer = bench.ten(BROKEN, None, twice).await;
        assert!(answer.is_ok(), "{answer:?}");
    }
    assert_eq!(
        bench.ten(BROKEN, None, LOW).await,
        out(60),
        "duplicates do, as in sessions"
    );
}

#[actix::test]
async fn without_a_name_the_jobs_tell_whose_shares_they_are() {
    let mut bench = Bench::new(&[1]).await;
    let unnamed = From {
        worker: None,
        ..BROKEN
    };
    let jobs = [0, 1].map(|worker| job(&template(1), 1 + u64::from(worker), hotkey(1), worker));
    let [wrong, others] = [&jobs[0], &jobs[1]].map(|job| Some(submission(job, miss(job, 0))));
    bench.climb(unnamed, wrong).await;
    assert_eq!(bench.ten(unnamed, wrong, LOW).await, out(60));
    let answer = bench.ten(unnamed, others, LOW).await;
    assert!(answer.is_ok(), "{answer:?}");
    // A request that also brings another rig's shares is judged.
    let mixed = bench.send(unnamed, vec![wrong, others]);
    let judging = bench.judging().await;
    judging.reply.answer(vec![verdicts(2)]);
    assert!(mixed.await.unwrap().judged.is_ok());
}

#[actix::test]
async fn a_block_of_a_worker_that_is_kept_out_reaches_the_chain() {
    find_block_outside(Algorithm::Sha256d).await;
}

#[actix::test]
async fn a_scrypt_block_of_a_worker_that_is_kept_out_reaches_the_chain() {
    find_block_outside(Algorithm::Scrypt).await;
}

async fn find_block_outside(algorithm: Algorithm) {
    let mut bench = Bench::with(&[1], Arc::new(HashHere(algorithm))).await;
    let job = job(&template(1), 1, hotkey(1), 0);
    bench.climb(BROKEN, None).await;
    let target = job.template().network_target();
    let pow_hash = |nonce: u32| {
        let candidate = dwarves_domain::share::Draft::new(&job, &submission(&job, nonce))
            .unwrap()
            .hashed();
        algorithm.pow_hash(candidate.header())
    };
    let block = (0..).find(|nonce| target.is_met_by(&pow_hash(*nonce))).unwrap();
    let answer = bench.send(BROKEN, vec![Some(submission(&job, block))]);
    settle().await;
    let taken = bench.blocks.try_recv().unwrap();
    taken.reply.answer(CandidateReply::Taken);
    assert!(bench.judge.try_recv().is_err(), "nothing is credited");
    let SharesAnswer { judged, blocks } = answer.await.unwrap();
    assert_eq!((judged, blocks), (out(60), vec![0]));
}
