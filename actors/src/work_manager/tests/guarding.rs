//! Work on a tip that is over, and on the wrong chain.

use dwarves_domain::chain_guard::Verdict;
use dwarves_domain::refusal::Refusal;
use dwarves_ports::chain::Standing;

use super::*;
use crate::control::hold::Hold;
use crate::work_manager::messages::IssuedJob;

fn minority() -> Standing {
    Standing {
        verdict: Verdict::Minority,
        trouble: Some("http://a: block 5 is not the pinned one".to_owned()),
        holds_payouts: Some("http://a is on another chain".to_owned()),
        ..Standing::default()
    }
}

/// Everything that the paymaster was told, as what is in force after it.
fn told(payouts: &mut Inbox<HoldPayouts>) -> Vec<Option<String>> {
    std::iter::from_fn(|| payouts.try_recv().ok())
        .inspect(|told| assert_eq!(told.hold, Hold::Chain))
        .map(|told| told.detail)
        .collect()
}

#[actix::test]
async fn work_on_a_tip_that_is_over_ends_at_once_if_there_is_no_other() {
    let bench = Bench::new().await;
    assert_eq!(bench.live().await, [1]);
    bench.chain.set_templateless(true);
    // Templates alone fail: the tip is the same, and a block on it would still win.
    bench.pass(REFRESH).await;
    assert_eq!(bench.live().await, [1]);
    bench.chain.others_find(2);
    settle().await;
    let view = bench.view().await;
    assert!(
        view.work.live.is_empty() && view.work.current.is_none(),
        "shares on it are stale"
    );
    assert_eq!(view.work.lack.as_ref().unwrap().why, LackOfWork::NoTemplate);
    assert!(view.trouble.unwrap().contains("bad-txns-vin-empty"));
    assert_eq!(bench.issue().await, Err(Refusal::NoWork));

    bench.chain.set_templateless(false);
    bench.pass(Span::from_secs(2)).await;
    assert_eq!(
        bench.view().await.work.current.as_ref().unwrap().chain().height,
        103
    );
    assert_eq!(bench.view().await.work.lack, None);
}

#[actix::test]
async fn work_on_a_tip_that_is_over_lasts_until_its_successor_is_there() {
    let bench = Bench::new().await;
    let mut news = bench.subscribe().await;
    settle().await;
    while news.try_recv().is_ok() {}
    bench.chain.others_find(1);
    settle().await;
    // Nobody is told of a gap that lasts for as long as a template takes.
    let first = news.try_recv().unwrap().0;
    assert_eq!(first.current.as_ref().unwrap().chain().height, 102);
    assert_eq!(first.lack, None);
}

#[actix::test]
async fn a_template_that_takes_too_long_does_not_keep_the_old_tip_alive() {
    tokio::time::pause();
    let bench = Bench::on(TestChain::new(EASY_BITS), InlineStore::fresh(), &[]).await;
    // The ledger takes the first template and the retiring of what was before, and then nothing.
    bench.gate.open_for(2);
    settle().await;
    assert_eq!(bench.live().await, [1]);
    bench.chain.others_find(1);
    settle().await;
    assert_eq!(bench.live().await, [1]);
    bench.pass(Span::from_secs(2)).await;
    assert!(bench.view().await.work.live.is_empty());
    bench.gate.open();
    bench.pass(Span::from_secs(1)).await;
    assert_eq!(bench.live().await, [2]);
}

#[actix::test]
async fn the_wrong_chain_ends_work_and_holds_payouts_for_as_long_as_it_lasts() {
    let mut bench = Bench::new().await;
    let second = Span::from_secs(1);
    bench.pass(second).await;
    assert!(told(&mut bench.payouts).is_empty(), "there is nothing to hold");
    for _ in 0..2 {
        bench.chain.set_standing(minority());
        bench.pass(second).await;
        let view = bench.view().await;
        assert_eq!(view.standing.verdict, Verdict::Minority);
        assert!(view.work.live.is_empty() && view.work.current.is_none());
        assert_eq!(view.work.lack.as_ref().unwrap().why, LackOfWork::WrongChain);
        assert_eq!(bench.issue().await, Err(Refusal::NoWork));
        assert_eq!(told(&mut bench.payouts), [minority().holds_payouts]);
        // It lasts, and is told once.
        bench.pass(REFRESH).await;
        assert!(told(&mut bench.payouts).is_empty());
        assert_eq!(
            bench.view().await.work.given(),
            None,
            "templates that come are not given out"
        );

        bench.chain.set_standing(Standing::trusted());
        bench.pass(second).await;
        assert_eq!(told(&mut bench.payouts), [None]);
        bench.pass(REFRESH).await;
        assert_eq!(bench.view().await.work.lack, None);
        assert!(matches!(bench.issue().await, Ok(IssuedJob { .. })));
    }
}

#[actix::test]
async fn whatever_is_no_minority_gives_work() {
    let bench = Bench::new().await;
    for verdict in Verdict::ALL
        .into_iter()
        .filter(|verdict| *verdict != Verdict::Minority)
    {
        bench.chain.set_standing(Standing {
            verdict,
            ..Standing::default()
        });
        bench.pass(Span::from_secs(1)).await;
        assert_eq!(bench.view().await.standing.verdict, verdict);
        assert!(matches!(bench.issue().await, Ok(IssuedJob { .. })), "{verdict}");
    }
}
