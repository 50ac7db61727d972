//! A chain or a store that fails or gives nonsense.

use super::*;
use crate::work_manager::messages::IssuedJob;
use dwarves_domain::refusal::Refusal;

#[actix::test]
async fn a_chain_that_fails_leaves_the_last_work_and_is_asked_again_more_and_more_rarely() {
    let bench = Bench::new().await;
    bench.chain.set_down(true);
    bench.pass(Span::from_secs(40)).await;
    assert_eq!(bench.live().await, [1]);
    assert!(bench.view().await.trouble.is_some());
    assert!(matches!(bench.issue().await, Ok(IssuedJob { .. })));
    let asked = bench.chain.templates();
    bench.pass(Span::from_secs(60)).await;
    let asked = bench.chain.templates() - asked;
    assert!((1..=6).contains(&asked), "asked {asked} times in a minute");
    bench.chain.set_down(false);
    bench.pass(Span::from_secs(16)).await;
    assert!(bench.live().await.len() > 1);
    assert_eq!(bench.view().await.trouble, None);
}

#[actix::test]
async fn a_chain_that_would_not_take_a_block_ends_the_giving_out_of_work_and_not_the_taking_of_shares() {
    let bench = Bench::new().await;
    let mut news = bench.subscribe().await;
    bench.chain.set_unsound(true);
    bench.pass(REFRESH).await;
    let view = bench.view().await;
    assert_eq!(view.work.current, None);
    assert_eq!(
        view.work.live.len(),
        1,
        "shares of jobs that miners have still count"
    );
    assert!(view.trouble.unwrap().contains("bad-cb-amount"));
    assert_eq!(bench.issue().await, Err(Refusal::NoWork));
    let mut last = news.try_recv().unwrap().0;
    while let Ok(newer) = news.try_recv() {
        last = newer.0;
    }
    assert_eq!(last.current, None, "everybody is told");

    bench.chain.set_unsound(false);
    bench.pass(Span::from_secs(16)).await;
    assert!(matches!(bench.issue().await, Ok(IssuedJob { .. })));
    assert_eq!(bench.view().await.trouble, None);
}

#[actix::test]
async fn a_long_outage_does_not_pile_up_questions_for_when_it_ends() {
    let bench = Bench::new().await;
    bench.chain.set_down(true);
    bench.pass(Span::from_secs(600)).await;
    let before = bench.chain.templates();
    bench.chain.set_down(false);
    bench.pass(Span::from_secs(20)).await;
    let asked = bench.chain.templates() - before;
    assert!((1..=3).contains(&asked), "asked {asked} times");
}

#[actix::test]
async fn a_template_that_could_not_be_stored_is_not_given_out_and_another_comes_soon() {
    tokio::time::pause();
    // The commits: the first template, retiring before it, the template of the new tip.
    let faults = [(3, Fault::Refuse)];
    let bench = Bench::on(TestChain::new(EASY_BITS), InlineStore::fresh(), &faults).await;
    bench.gate.open();
    settle().await;
    bench.chain.others_find(1);
    settle().await;
    assert_eq!(bench.live().await, [1], "the new tip's template is not stored");
    assert!(bench.view().await.trouble.is_some());
    bench.pass(Span::from_secs(1)).await;
    assert_eq!(bench.live().await, [3], "its number is not used again");
    assert_eq!(bench.view().await.trouble, None);
}

#[actix::test]
async fn a_template_that_is_none_is_refused_and_asked_for_again() {
    tokio::time::pause();
    // A network target of zero.
    let chain = TestChain::new(0);
    let bench = Bench::on(chain, InlineStore::fresh(), &[]).await;
    bench.gate.open();
    bench.pass(Span::from_secs(10)).await;
    assert_eq!(bench.issue().await, Err(Refusal::NoWork));
    let view = bench.view().await;
    assert!(view.trouble.unwrap().contains("bits"));
    assert!((3..=12).contains(&bench.chain.templates()));
}
