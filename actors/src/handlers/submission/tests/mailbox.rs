//! A full mailbox.

use dwarves_domain::refusal::Refusal;

use super::*;

#[actix::test]
async fn a_full_mailbox_is_refused_and_stays_bounded_and_everything_taken_is_answered() {
    let mut bench = Bench::new(&[1]).await;
    let port: Port<FetchWork> = Port::new(&bench.handler);
    let fetch = || FetchWork {
        miner: hotkey(1),
        from: client_ip(1),
        worker: worker_name("rig"),
        newer_than: None,
        client: dwarves_domain::miners::Client::Earlier,
    };
    // The actor does not run while this loop does, so everything that is taken stays in the mailbox.
    let mut taken = Vec::new();
    let mut refused = 0;
    for _ in 0..1_000 {
        match port.post(fetch()) {
            Ok(answer) => taken.push(answer),
            Err(error) => {
                assert_eq!(error, AskError::Busy);
                refused += 1;
            }
        }
    }
    // The bound is the capacity and one place for each handle.
    let capacity = LIMITS.mailbox_capacity;
    assert!((capacity..capacity + 8).contains(&taken.len()), "{}", taken.len());
    assert_eq!(taken.len() + refused, 1_000);
    settle().await;
    let mut asked = 0;
    while let Ok(assign) = bench.assign.try_recv() {
        assign.reply.answer(Err(Refusal::Paused));
        asked += 1;
    }
    assert_eq!(asked, taken.len(), "what was refused left no trace");
    for answer in taken {
        assert_eq!(answer.await, Ok(Err(Refusal::NoWork)));
    }
    assert!(port.post(fetch()).is_ok(), "there is room again");
}
