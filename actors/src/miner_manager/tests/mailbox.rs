//! A full mailbox.

use super::*;

#[actix::test]
async fn a_full_mailbox_is_refused_and_stays_bounded_and_everything_taken_is_answered() {
    let bench = Bench::gated().await;
    let port: Port<JudgeShares> = Port::new(&bench.manager);
    let job = job_1();
    // The actor does not run while this loop does, so everything that is taken stays in the mailbox.
    let mut taken = Vec::new();
    let mut refused = 0;
    for n in 0..1_000u32 {
        match port.post(judge_one(checked(&job, n * 100))) {
            Ok(answer) => taken.push(answer),
            Err(error) => {
                assert_eq!(error, AskError::Busy);
                refused += 1;
            }
        }
    }
    // The bound is the capacity and one place for each handle.
    assert!((MAILBOX_CAPACITY..MAILBOX_CAPACITY + 8).contains(&taken.len()));
    assert_eq!(refused + taken.len(), 1_000);
    let count = taken.len() as u64;
    bench.gate.open();
    for answer in taken {
        assert!(words(&answer.await.unwrap())[0].starts_with("accepted"));
    }
    assert_eq!(
        bench.stored_shares().len() as u64,
        count,
        "what was refused left no trace"
    );
    assert_eq!(
        words(&bench.ask(judge_one(checked(&job, 999_900))).await).len(),
        1
    );
}
