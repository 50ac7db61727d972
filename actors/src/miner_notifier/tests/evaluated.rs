//! In a pool that has work evaluated.

use dwarves_domain::evaluation::{SubmissionId, WorkDigest};
use dwarves_ports::store::NewSubmission;

use super::*;

/// Work of a miner's worker that comes now.
fn submission(byte: u8, worker: &str, at: Timestamp) -> Write {
    let digest = WorkDigest::of(&at.millis().to_string());
    Write::QueueSubmission(Box::new(NewSubmission {
        id: SubmissionId::of(&hotkey(byte), &digest, at),
        hotkey: hotkey(byte),
        worker: worker.parse().unwrap(),
        digest,
        received_at: at,
        work: "{}".to_owned(),
        counts_since: Timestamp::EPOCH,
    }))
}

#[actix::test]
async fn a_worker_that_brings_no_work_is_told_of_and_no_share_is() {
    let mut bench = Bench::new().await;
    Outbox::new(&bench.notifier).tell(End).unwrap();
    bench.begin_again(true).await;
    bench.write(vec![submission(1, "gpu", bench.clock.date())]).await;
    bench
        .subscribe(1, vec![webhook("hook", "https://example.com/")])
        .await
        .unwrap();
    bench.seconds(1_100).await;
    assert_eq!(bench.texts(), ["Worker gpu brings no work any more"]);
    bench.write(vec![submission(1, "gpu", bench.clock.date())]).await;
    bench.seconds(120).await;
    assert_eq!(bench.texts(), ["Worker gpu brings work again"]);
}

#[actix::test]
async fn nobody_is_idle_while_no_work_is_taken() {
    let mut bench = Bench::new().await;
    Outbox::new(&bench.notifier).tell(End).unwrap();
    bench.begin_again(true).await;
    bench.write(vec![submission(1, "gpu", bench.clock.date())]).await;
    bench.world.send_modify(|state| state.is_held = true);
    bench
        .subscribe(1, vec![webhook("hook", "https://example.com/")])
        .await
        .unwrap();
    bench.seconds(1_100).await;
    assert_eq!(bench.texts(), [""; 0]);
    bench.world.send_modify(|state| state.is_held = false);
    bench.seconds(600).await;
    assert_eq!(
        bench.texts(),
        [""; 0],
        "its time counts from when there was work again"
    );
    bench.seconds(500).await;
    assert_eq!(bench.texts(), ["Worker gpu brings no work any more"]);
}

/// Whether a miner with something to come and no address is told that it has none.
async fn is_told_to_give_an_address(takes_addresses: bool) -> bool {
    let mut bench = Bench::new().await;
    bench.settings.takes_addresses = takes_addresses;
    Outbox::new(&bench.notifier).tell(End).unwrap();
    bench.begin_again(true).await;
    // Work of before counts as something to come.
    bench.world.send_modify(|state| {
        let mut miner = view(1, bench.clock.date());
        miner.payout_address = None;
        state.miners.insert(hotkey(1), miner);
    });
    bench
        .subscribe(1, vec![webhook("hook", "https://example.com/")])
        .await
        .unwrap();
    bench.seconds(800).await;
    bench
        .texts()
        .iter()
        .any(|text| text.contains("no payout address"))
}

#[actix::test]
async fn who_is_paid_to_an_address_is_told_to_give_one() {
    assert!(is_told_to_give_an_address(true).await);
}

#[actix::test]
async fn who_is_paid_by_the_hotkey_lacks_no_address() {
    assert!(!is_told_to_give_an_address(false).await);
}
