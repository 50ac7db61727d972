//! Whatever ends the work, it is one fact: since when, why, and when miners are let go.

use dwarves_domain::refusal::Refusal;

use super::*;
use crate::live_work::NoWork;
use crate::work_manager::messages::HoldWork;
use crate::work_manager::messages::IssuedJob;

/// What takes the work away, and brings it back.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cause {
    NodeAwayAtStart,
    NodeAway,
    TemplatesFail,
    Held(LackOfWork),
}

impl Cause {
    const ALL: [Self; 5] = [
        Self::NodeAwayAtStart,
        Self::NodeAway,
        Self::TemplatesFail,
        Self::Held(LackOfWork::Paused),
        Self::Held(LackOfWork::Draining),
    ];

    async fn begin(self) -> Bench {
        let chain = TestChain::new(EASY_BITS);
        chain.set_down(self == Self::NodeAwayAtStart);
        let bench = Bench::on(chain, InlineStore::fresh(), &[]).await;
        bench.gate.open();
        settle().await;
        match self {
            Self::NodeAwayAtStart => {}
            Self::NodeAway => {
                assert_eq!(bench.lack().await, None);
                bench.chain.set_down(true);
                bench.pass(LIFETIME).await;
            }
            Self::TemplatesFail => {
                assert_eq!(bench.lack().await, None);
                bench.chain.set_unsound(true);
                bench.pass(REFRESH).await;
            }
            Self::Held(why) => {
                assert_eq!(bench.lack().await, None);
                bench.ask(HoldWork { why, holds: true }).await;
            }
        }
        bench.pass(Span::from_secs(1)).await;
        bench
    }

    async fn end(self, bench: &Bench) {
        bench.chain.set_down(false);
        bench.chain.set_unsound(false);
        if let Self::Held(why) = self {
            bench.ask(HoldWork { why, holds: false }).await;
        }
    }

    fn why(self) -> LackOfWork {
        match self {
            Self::NodeAwayAtStart => LackOfWork::Starting,
            Self::NodeAway | Self::TemplatesFail => LackOfWork::NoTemplate,
            Self::Held(why) => why,
        }
    }
}

impl Bench {
    async fn lack(&self) -> Option<NoWork> {
        self.view().await.work.lack.clone()
    }
}

/// The last news, if there are any.
fn last(news: &mut Inbox<WorkChanged>) -> Option<Arc<LiveWork>> {
    std::iter::from_fn(|| news.try_recv().ok())
        .last()
        .map(|news| news.0)
}

#[actix::test]
async fn whatever_takes_the_work_away_lets_miners_go_in_time_and_takes_them_back_within_a_second() {
    tokio::time::pause();
    for cause in Cause::ALL {
        let bench = cause.begin().await;
        let mut news = bench.subscribe().await;
        settle().await;
        let lack = bench.lack().await.unwrap();
        assert_eq!((lack.why, lack.lets_go), (cause.why(), false), "{cause:?}");
        let told = last(&mut news).unwrap();
        assert_eq!(told.given(), None, "{cause:?}: nothing is given out");
        assert_eq!(bench.issue().await, Err(Refusal::NoWork), "{cause:?}");

        bench.pass(LET_GO_AFTER).await;
        let after = bench.lack().await.unwrap();
        assert!(after.lets_go, "{cause:?}");
        assert_eq!((after.since, after.began), (lack.since, lack.began));
        let told = last(&mut news).unwrap();
        assert!(told.lets_go(), "{cause:?}: everybody is told");
        // It is said once, however long it lasts.
        bench.pass(LET_GO_AFTER).await;
        assert!(last(&mut news).is_none_or(|told| told.lets_go()), "{cause:?}");

        cause.end(&bench).await;
        bench.pass(Span::from_secs(1)).await;
        assert_eq!(bench.lack().await, None, "{cause:?}");
        let told = last(&mut news).unwrap();
        assert!(told.given().is_some() && !told.lets_go(), "{cause:?}");
        assert!(matches!(bench.issue().await, Ok(IssuedJob { .. })));
    }
}

#[actix::test]
async fn a_short_lack_lets_nobody_go() {
    tokio::time::pause();
    let bench = Cause::NodeAwayAtStart.begin().await;
    let mut news = bench.subscribe().await;
    bench.pass(Span::from_secs(27)).await;
    bench.chain.set_down(false);
    bench.pass(Span::from_secs(60)).await;
    assert_eq!(bench.lack().await, None);
    while let Ok(told) = news.try_recv() {
        assert!(!told.0.lets_go());
    }
}

#[actix::test]
async fn one_reason_after_another_is_one_lack() {
    tokio::time::pause();
    let bench = Cause::Held(LackOfWork::Paused).begin().await;
    let since = bench.lack().await.unwrap().since;
    bench.chain.set_down(true);
    bench.pass(Span::from_secs(20)).await;
    let draining = HoldWork {
        why: LackOfWork::Draining,
        holds: true,
    };
    bench.ask(draining).await;
    let paused = HoldWork {
        why: LackOfWork::Paused,
        holds: false,
    };
    bench.ask(paused).await;
    bench.pass(Span::from_secs(11)).await;
    let lack = bench.lack().await.unwrap();
    assert_eq!(
        (lack.why, lack.since, lack.lets_go),
        (LackOfWork::Draining, since, true)
    );
}

#[actix::test]
async fn jobs_that_are_out_stay_known_while_the_pool_is_paused() {
    let bench = Bench::new().await;
    let paused = HoldWork {
        why: LackOfWork::Paused,
        holds: true,
    };
    bench.ask(paused).await;
    bench.pass(LET_GO_AFTER).await;
    let work = bench.view().await.work;
    assert!(!work.live.is_empty() && work.current.is_some());
}

#[actix::test]
async fn the_wall_clock_neither_lets_miners_go_nor_keeps_them() {
    tokio::time::pause();
    let bench = Cause::Held(LackOfWork::Paused).begin().await;
    bench.clock.advance(Span::from_secs(7_200));
    bench.pass(Span::from_secs(2)).await;
    assert!(!bench.lack().await.unwrap().lets_go);
    bench.clock.set(BEGIN);
    bench.pass(Span::from_secs(28)).await;
    assert!(bench.lack().await.unwrap().lets_go);
}
