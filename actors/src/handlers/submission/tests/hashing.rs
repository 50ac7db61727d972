//! Shares of a chain whose hash is slow: hashed elsewhere, after the cheap checks, and refused if too many wait.

use dwarves_domain::ids::HeaderHash;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::Rejection;
use dwarves_domain::source::Source;
use dwarves_domain::work::Header;
use dwarves_ports::proof_of_work::{HashesFuture, NotHashed, ProofOfWork};

use super::*;
use crate::block_tracker::messages::CandidateReply;
use crate::handlers::submission::messages::SharesAnswer;

/// Headers that were handed over, and who waits for their hashes.
type Handed = (Vec<Header>, oneshot::Sender<Vec<HeaderHash>>);

/// Hashing that the test does itself; one batch may wait.
struct ByHand(tokio::sync::mpsc::Sender<Handed>);

impl ProofOfWork for ByHand {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Scrypt
    }

    fn hash(&self, _: Source, headers: Vec<Header>) -> HashesFuture {
        let (reply, hashes) = oneshot::channel();
        if self.0.try_send((headers, reply)).is_err() {
            return Box::pin(std::future::ready(Err(NotHashed::TooMany)));
        }
        Box::pin(async move { hashes.await.map_err(|_| NotHashed::Ended) })
    }
}

async fn bench() -> (Bench, tokio::sync::mpsc::Receiver<Handed>) {
    let (sender, handed) = tokio::sync::mpsc::channel(1);
    (Bench::with(&[1], Arc::new(ByHand(sender))).await, handed)
}

const MET: HeaderHash = HeaderHash::from_bytes([0; 32]);
/// A share that is no block.
const SHARE: HeaderHash = HeaderHash::from_bytes([0x7f; 32]);
const MISSED: HeaderHash = HeaderHash::from_bytes([0xff; 32]);

#[actix::test]
async fn what_fails_the_cheap_checks_is_hashed_for_a_block_alone_and_hashes_decide_over_the_rest() {
    let (mut bench, mut handed) = bench().await;
    let job = build::job_at(&template(1), 1, hotkey(1), 0, Difficulty::from_f64(1.0).unwrap());
    let early = Submission {
        time: Some(0),
        ..submission(&job, 1)
    };
    let answer = bench.submit(vec![
        Some(submission(&job, 1)),
        Some(early),
        None,
        Some(submission(&job, 2)),
    ]);
    settle().await;
    assert!(bench.judge.try_recv().is_err(), "not before it is hashed");
    let (headers, reply) = handed.try_recv().unwrap();
    assert_eq!(headers.iter().map(Header::nonce).collect::<Vec<_>>(), [1, 1, 2]);
    assert_eq!(headers[1].time(), 0);
    reply.send(vec![MET, MET, MISSED]).unwrap();
    let judging = bench.judging().await;
    let expected = [
        Ok(()),
        Err(Rejection::TimeOutOfRange),
        Err(Rejection::UnknownJob),
        Err(Rejection::LowDifficulty),
    ];
    assert_eq!(found(&judging.payload), [expected]);
    judging.reply.answer(vec![verdicts(4)]);
    // The first two meet the network's target. What becomes of the first is in its row.
    for is_doubtful in [false, true] {
        let taken = bench.blocks.recv().await.unwrap();
        assert_eq!(taken.payload.is_doubtful, is_doubtful);
        assert_eq!(taken.payload.hash, headers[usize::from(is_doubtful)].hash());
        taken.reply.answer(CandidateReply::Taken);
    }
    let SharesAnswer { judged, blocks } = answer.await.unwrap();
    assert!(judged.is_ok());
    assert_eq!(blocks, [0, 1], "none of them was accepted here");
}

#[actix::test]
async fn a_share_that_comes_again_is_not_hashed_again() {
    let (mut bench, mut handed) = bench().await;
    let job = job(&template(1), 1, hotkey(1), 0);
    for round in 0..2 {
        let answer = bench.submit(vec![Some(submission(&job, 1))]);
        settle().await;
        if round == 0 {
            let (_, reply) = handed.try_recv().unwrap();
            reply.send(vec![MET]).unwrap();
        }
        assert!(handed.try_recv().is_err());
        let judging = bench.judging().await;
        assert_eq!(
            found(&judging.payload),
            [[Ok(())]],
            "whether it is a duplicate is decided elsewhere"
        );
        judging.reply.answer(vec![verdicts(1)]);
        answer.await.unwrap();
    }
}

#[actix::test]
async fn too_much_to_hash_is_busy_and_hashing_that_ended_is_unavailable() {
    let (bench, mut handed) = bench().await;
    let job = job(&template(1), 1, hotkey(1), 0);
    let first = bench.submit(vec![Some(submission(&job, 1))]);
    settle().await;
    let second = bench.submit(vec![Some(submission(&job, 2))]);
    assert_eq!(second.await.unwrap(), Err(Refusal::Busy).into());
    drop(handed.try_recv().unwrap());
    assert_eq!(first.await.unwrap(), Err(Refusal::Unavailable).into());
}

#[actix::test]
async fn what_was_refused_because_the_queue_was_full_is_hashed_later_for_it_may_be_a_block() {
    let (mut bench, mut handed) = bench().await;
    let job = job(&template(1), 1, hotkey(1), 0);
    let _first = bench.submit(vec![Some(submission(&job, 1))]);
    settle().await;
    let second = bench.submit(vec![Some(submission(&job, 2))]);
    settle().await;
    let (_first_hashes, _reply) = handed.try_recv().unwrap();
    let (headers, reply) = handed.recv().await.unwrap();
    assert_eq!(headers[0].nonce(), 2);
    reply.send(vec![MET]).unwrap();
    let taken = bench.blocks.recv().await.unwrap();
    taken.reply.answer(CandidateReply::Taken);
    let SharesAnswer { judged, blocks } = second.await.unwrap();
    assert_eq!((judged, blocks), (Err(Refusal::Busy), vec![0]));
}

#[actix::test]
async fn requests_that_are_being_hashed_are_in_flight_and_a_client_has_only_its_share_of_places() {
    let (mut bench, mut handed) = bench().await;
    let job = job(&template(1), 1, hotkey(1), 0);
    let mut hashing = Vec::new();
    let mut answers = Vec::new();
    for nonce in 0..LIMITS.requests_in_flight.per_client as u32 {
        answers.push(bench.submit(vec![Some(submission(&job, nonce))]));
        settle().await;
        hashing.push(handed.try_recv().unwrap());
    }
    let one_more = bench.submit(vec![Some(submission(&job, 1_000))]);
    settle().await;
    let (_, reply) = handed.try_recv().expect("it may be a block");
    reply.send(vec![MISSED]).unwrap();
    assert_eq!(one_more.await.unwrap(), Err(Refusal::Busy).into());
    assert!(bench.judge.try_recv().is_err(), "its shares do not count");
    // Another client's places are its own, and whoever is answered gives one back.
    let elsewhere = bench.submit_from(2, vec![Some(submission(&job, 2_000))]);
    settle().await;
    let (_, reply) = handed.try_recv().unwrap();
    reply.send(vec![SHARE]).unwrap();
    let judging = bench.judging().await;
    judging.reply.answer(vec![verdicts(1)]);
    assert!(elsewhere.await.unwrap().judged.is_ok());
    drop(hashing.pop());
    assert_eq!(
        answers.pop().unwrap().await.unwrap(),
        Err(Refusal::Unavailable).into()
    );
    let _again = bench.submit(vec![Some(submission(&job, 3_000))]);
    settle().await;
    assert!(handed.try_recv().is_ok());
}
