//! What the ledger tells of what it wrote.

use std::time::Duration;

use dwarves_domain::blocks::BlockState;
use dwarves_domain::units::Amount;
use dwarves_ports::store::FoundBlock;

use super::*;
use crate::news::News;
use crate::testing::recorder::recorded_outbox;

/// Nothing is announced that a crash could take back.
#[actix::test]
async fn what_happened_is_told_once_it_is_durable_and_never_if_it_failed() {
    let found = |n| Write::RecordCandidate {
        hash: HeaderHash::from_bytes([n; 32]),
        block: FoundBlock {
            height: 101,
            reward: Amount::ZERO,
            finder: Some(hotkey(1)),
            bytes: Vec::new(),
        },
        at: BEGIN,
    };
    let (outbox, mut told) = recorded_outbox();
    let plan = FaultPlan {
        at: vec![(3, Fault::Refuse)],
        ..FaultPlan::default()
    };
    let bench = bench(plan, Acknowledge::Durable).await;
    bench
        .attach
        .ask(AttachNews(outbox), Duration::from_secs(60))
        .await
        .unwrap();
    let first = bench.post(vec![setting("a"), found(1)]);
    settle().await;
    assert!(told.try_recv().is_err(), "it is not durable yet");
    bench.gate.open();
    assert!(first.await.unwrap().is_ok());
    settle().await;
    let news = |n| News::Block {
        hash: HeaderHash::from_bytes([n; 32]),
        state: BlockState::Submitted,
    };
    assert_eq!(told.try_recv().unwrap().news, [news(1)]);
    let (mut failed, mut n) = (false, 1);
    while !failed {
        n += 1;
        failed = bench.post(vec![found(n)]).await.unwrap().is_err();
        settle().await;
        assert_eq!(told.try_recv().is_ok(), !failed);
    }
}
