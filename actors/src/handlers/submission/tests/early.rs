//! Shares whose work is not known here yet: another handler was told of it first.

use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::Rejection;

use super::*;
use crate::handlers::submission::messages::SharesAnswer;

async fn nothing_is_judged(bench: &mut Bench) {
    settle().await;
    assert!(bench.judge.try_recv().is_err(), "its work is not known yet");
}

/// The handler knows these templates, and a share of the one after them comes.
async fn a_share_waits(known: &[u32], next: u32) {
    let mut bench = Bench::new(known).await;
    let job = job(&template(next), 1, hotkey(1), 0);
    let answer = bench.submit(vec![good(&job, 0)]);
    nothing_is_judged(&mut bench).await;
    // News of something else changes nothing.
    bench.lack(known, false).await;
    nothing_is_judged(&mut bench).await;
    bench.work(&[next]).await;
    let judging = bench.judging().await;
    assert_eq!(found(&judging.payload), [vec![Ok(())]]);
    judging.reply.answer(vec![verdicts(1)]);
    assert!(matches!(answer.await, Ok(SharesAnswer { judged: Ok(_), .. })));
}

#[actix::test]
async fn shares_wait_for_the_news_of_newer_work() {
    a_share_waits(&[1], 2).await;
}

#[actix::test]
async fn shares_wait_for_the_news_of_the_first_work() {
    a_share_waits(&[], 1).await;
}

#[actix::test]
async fn a_block_that_came_before_the_news_goes_to_the_chain() {
    let mut bench = Bench::new(&[1]).await;
    let job = job(&template(2), 1, hotkey(1), 0);
    let block = submission(&job, mine(&job, 0, true).0);
    let _answer = bench.submit(vec![Some(block)]);
    nothing_is_judged(&mut bench).await;
    assert!(bench.blocks.try_recv().is_err());
    bench.work(&[2]).await;
    bench.blocks.try_recv().unwrap();
}

#[actix::test]
async fn without_news_the_wait_ends_and_the_share_is_stale() {
    let mut bench = Bench::new(&[1]).await;
    let job = job(&template(7), 1, hotkey(1), 0);
    let _answer = bench.submit(vec![good(&job, 0)]);
    nothing_is_judged(&mut bench).await;
    bench.pass(5).await;
    let judging = bench.judging().await;
    let (came, sent) = (judging.payload.requests[0].received_at, judging.payload.sent_at);
    assert_eq!(
        (came, sent),
        (BEGIN, BEGIN.plus(Span::from_secs(3))),
        "a share is held against its arrival"
    );
    assert_eq!(found(&judging.payload), [vec![Err(Rejection::Stale)]]);
}

#[actix::test]
async fn a_forged_job_waits_for_nothing() {
    let mut bench = Bench::new(&[1]).await;
    let others = job(&template(2), 1, hotkey(2), 0);
    let _answer = bench.submit(vec![good(&others, 0)]);
    let judging = bench.judging().await;
    assert_eq!(found(&judging.payload), [vec![Err(Rejection::UnknownJob)]]);
}

#[actix::test]
async fn those_who_wait_are_as_many_as_may_be_in_flight() {
    let mut bench = Bench::new(&[1]).await;
    let job = job(&template(2), 1, hotkey(1), 0);
    let room = LIMITS.requests_in_flight.per_client;
    let waiting: Vec<_> = (0..room as u32)
        .map(|n| bench.submit(vec![good(&job, 100 * n)]))
        .collect();
    assert_eq!(
        bench.submit(vec![good(&job, 0)]).await,
        Ok(Err(Refusal::Busy).into())
    );
    bench.work(&[2]).await;
    let judging = bench.judging().await;
    judging.reply.answer(vec![verdicts(1); room]);
    for answer in waiting {
        assert!(matches!(answer.await, Ok(SharesAnswer { judged: Ok(_), .. })));
    }
}
