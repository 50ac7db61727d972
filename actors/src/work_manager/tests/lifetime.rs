//! How long templates live, and what is kept of them for blocks.

use super::*;
use dwarves_domain::refusal::Refusal;

#[actix::test]
async fn a_new_tip_retires_what_was_before_and_a_refresh_keeps_it() {
    let mut bench = Bench::new().await;
    assert_eq!(bench.live().await, [1]);
    bench.pass(REFRESH).await;
    bench.pass(Span::from_secs(1)).await;
    assert_eq!(bench.live().await, [1, 2], "jobs of the older template stay good");
    assert_eq!(bench.retired_before(), Some(1));
    bench.chain.others_find(1);
    settle().await;
    assert_eq!(bench.live().await, [3]);
    assert_eq!(bench.retired_before(), Some(3));
    let stored = bench.memory.start(BEGIN).await.unwrap();
    let stored: Vec<u32> = stored.templates.iter().map(|row| row.id.get()).collect();
    assert_eq!(stored, [3], "the store retires them too");
}

/// The templates of which blocks are taken, as handlers know them, and as they are whole in the store.
async fn kept(bench: &Bench) -> (Vec<u32>, Vec<u32>) {
    let work = bench.view().await.work;
    let known: Vec<u32> = work.kept.iter().map(|t| t.id().get()).collect();
    for id in &known {
        assert!(work.kept(TemplateId::new(*id)).is_some());
    }
    let mut whole = Vec::new();
    for id in 1..100 {
        if bench
            .memory
            .template(TemplateId::new(id))
            .await
            .unwrap()
            .is_some()
        {
            whole.push(id);
        }
    }
    (known, whole)
}

fn both(ids: &[u32]) -> (Vec<u32>, Vec<u32>) {
    (ids.to_vec(), ids.to_vec())
}

#[actix::test]
async fn templates_are_kept_for_blocks_beyond_their_life_for_credit() {
    let bench = Bench::new().await;
    assert_eq!(kept(&bench).await, both(&[1]));
    // The tip stays, and the job is too old for credit.
    bench.pass(LIFETIME).await;
    bench.pass(REFRESH).await;
    let live = bench.live().await;
    assert!(live[0] > 1);
    let last = *live.last().unwrap();
    let all: Vec<u32> = (1..=last).collect();
    assert_eq!(kept(&bench).await, both(&all));
    // Another tip: the race may still be won.
    bench.chain.others_find(1);
    settle().await;
    assert_eq!(bench.live().await, [last + 1]);
    let all: Vec<u32> = (1..=last + 1).collect();
    assert_eq!(kept(&bench).await, both(&all));
    bench.pass(Span::from_secs(58)).await;
    assert_eq!(kept(&bench).await.0[0], 1);
    bench.pass(Span::from_secs(3)).await;
    let (known, whole) = kept(&bench).await;
    assert_eq!(known[0], last + 1);
    assert_eq!(whole, known);
}

#[actix::test]
async fn a_tip_that_comes_back_brings_its_templates_back() {
    let bench = Bench::new().await;
    let first = bench.chain.tip().hash;
    bench.chain.others_find(1);
    settle().await;
    bench.pass(Span::from_secs(30)).await;
    bench.chain.invalidate_tip();
    settle().await;
    let current = bench.view().await.work.current.clone().unwrap();
    assert_eq!(current.chain().previous, first);
    bench.pass(Span::from_secs(45)).await;
    assert_eq!(kept(&bench).await.0[0], 1, "it is the chain's tip again");
    bench.pass(Span::from_secs(30)).await;
    let (known, whole) = kept(&bench).await;
    assert!(known.contains(&1) && !known.contains(&2), "{known:?}");
    // The store drops what is older than all that are kept.
    assert!(whole.contains(&1));
}

#[actix::test]
async fn kept_templates_are_bounded_and_come_back_after_a_restart_even_without_a_chain() {
    let bench = Bench::new().await;
    for _ in 0..40 {
        bench.ask(WorkControl::Refresh).await.unwrap();
        settle().await;
    }
    let last = *bench.live().await.last().unwrap();
    let expected: Vec<u32> = (last - 31..=last).collect();
    assert_eq!(kept(&bench).await, both(&expected));
    // The same chain, which the earlier life does not see any more.
    let chain = TestChain::new(EASY_BITS);
    chain.set_down(true);
    let bench = Bench::on(chain, bench.memory, &[]).await;
    bench.gate.open();
    settle().await;
    assert_eq!(bench.live().await, [0; 0]);
    assert_eq!(kept(&bench).await, both(&expected));
    bench.pass(Span::from_secs(90)).await;
    assert_eq!(
        kept(&bench).await,
        both(&expected),
        "nobody said that their tip is over"
    );
    bench.chain.others_find(1);
    bench.chain.set_down(false);
    bench.pass(Span::from_secs(10)).await;
    let (known, whole) = kept(&bench).await;
    assert!(known.len() == 32 && known == whole, "{known:?} {whole:?}");
    assert!(known.contains(&last), "its tip was replaced a moment ago");
    bench.pass(Span::from_secs(61)).await;
    let (known, whole) = kept(&bench).await;
    assert!(known[0] > last && whole == known, "{known:?} {whole:?}");
}

#[actix::test]
async fn work_whose_time_is_over_ends_even_if_the_chain_gives_no_new_one() {
    let mut bench = Bench::new().await;
    let mut news = bench.subscribe().await;
    bench.chain.set_down(true);
    bench.pass(LIFETIME).await;
    bench.pass(Span::from_secs(1)).await;
    assert_eq!(bench.issue().await, Err(Refusal::NoWork));
    assert_eq!(bench.live().await, [0; 0]);
    let mut last = None;
    while let Ok(changed) = news.try_recv() {
        last = Some(changed.0);
    }
    assert!(last.unwrap().live.is_empty(), "handlers call its shares stale");
    assert_eq!(bench.retired_before(), Some(2));
    bench.chain.set_down(false);
    bench.pass(Span::from_secs(16)).await;
    assert!(!bench.live().await.is_empty());
}

#[actix::test]
async fn stored_templates_of_the_same_tip_stay_live_after_a_restart() {
    let bench = Bench::new().await;
    bench.ask(WorkControl::Refresh).await.unwrap();
    settle().await;
    assert_eq!(bench.live().await, [1, 2]);
    let bench = Bench::on(bench.chain, bench.memory, &[]).await;
    bench.gate.open();
    settle().await;
    assert_eq!(bench.live().await, [1, 2, 3]);
    // While the pool was away the tip moved.
    bench.chain.others_find(1);
    let mut bench = Bench::on(bench.chain, bench.memory, &[]).await;
    bench.gate.open();
    settle().await;
    assert_eq!(bench.live().await.len(), 1);
    assert!(bench.retired_before() > Some(3));
}

#[test]
fn a_live_template_is_found_by_its_number() {
    let template = dwarves_testkit::build::template(4);
    let work = LiveWork {
        current: Some(Arc::clone(&template)),
        live: vec![template],
        next: TemplateId::new(5),
        since: BEGIN,
        kept: Arc::default(),
        lack: None,
    };
    assert!(work.template(TemplateId::new(4)).is_some());
    assert!(work.template(TemplateId::new(5)).is_none());
}
