//! The time keeper over a chain that tells a header's time, or does not.

use std::sync::Arc;

use super::*;
use crate::ask::Port;
use crate::testing::Inbox;
use crate::testing::recorder::recorded_outbox_of;
use dwarves_ports::clock::Clock;
use dwarves_testkit::build::{BEGIN, EASY_BITS};
use dwarves_testkit::{ManualClock, TestChain, settle};

const RULES: Rules = Rules {
    tolerance: Span::from_secs(7_200),
    settle: Span::from_secs(60),
};
const HOUR: i64 = 3_600_000;
const YEAR: i64 = 365 * 24 * HOUR;

struct Bench {
    clock: ManualClock,
    chain: TestChain,
    keeper: Addr<TimeKeeper>,
    rounds: Inbox<ClockNews>,
    payouts: Inbox<HoldPayouts>,
}

impl Bench {
    /// A life that begins while the wall is wrong by so much, an hour after the one before.
    async fn new(wrong: i64, has_header: bool) -> Self {
        let clock = ManualClock::at(BEGIN.moved(wrong));
        let chain = TestChain::new(EASY_BITS);
        chain.set_header_time(has_header.then_some(BEGIN));
        let (outbox, rounds) = recorded_outbox_of(100_000);
        let (payouts, payouts_inbox) = recorded_outbox_of(100_000);
        let keeper = TimeKeeper::new(TimeKeeperParts {
            clock: Arc::new(clock.clone()),
            chain: Some(Arc::new(chain.clone())),
            rules: RULES,
            last_seen: BEGIN.moved(-HOUR),
            rounds: outbox,
            statements: None,
            payouts,
        })
        .start();
        settle().await;
        Self {
            clock,
            chain,
            keeper,
            rounds,
            payouts: payouts_inbox,
        }
    }

    /// This many seconds pass, also on the chain.
    async fn seconds(&self, secs: u64) {
        for _ in 0..secs {
            self.clock.advance(Span::from_secs(1));
            Outbox::new(&self.keeper).tell(LookAtClocks).unwrap();
            settle().await;
        }
    }

    async fn view(&self) -> ClockView {
        let port = Port::new(&self.keeper);
        port.ask(ReadClock, std::time::Duration::from_secs(60))
            .await
            .unwrap()
    }

    async fn hindrance(&self) -> Option<String> {
        let text = self.view().await.hindrance?;
        Some(text.split(':').next().unwrap().to_owned())
    }

    /// What the distributor was told last.
    fn told(&mut self) -> ClockNews {
        let mut last = None;
        while let Ok(news) = self.rounds.try_recv() {
            last = Some(news);
        }
        last.expect("it is told at every look")
    }

    /// Whether payouts are held, as the paymaster was told last.
    fn are_payouts_held(&mut self) -> bool {
        let mut last = None;
        while let Ok(told) = self.payouts.try_recv() {
            assert_eq!(told.hold, Hold::Clock);
            last = Some(told.detail.is_some());
        }
        last.expect("it is told at every look")
    }
}

#[actix::test]
async fn a_right_clock_is_confirmed_at_once() {
    tokio::time::pause();
    for has_header in [false, true] {
        let mut bench = Bench::new(0, has_header).await;
        let expected = ClockNews {
            refused: None,
            is_confirmed: true,
            steps: 0,
        };
        assert_eq!(bench.told(), expected);
        assert_eq!(bench.hindrance().await, None);
    }
}

#[actix::test]
async fn a_clock_that_the_chain_contradicts_is_refused_from_the_start_until_it_is_right() {
    tokio::time::pause();
    for wrong in [YEAR, -YEAR, 3 * HOUR, -3 * HOUR] {
        let mut bench = Bench::new(wrong, true).await;
        assert_eq!(
            bench.hindrance().await.as_deref(),
            Some("clock_refused"),
            "{wrong}"
        );
        let told = bench.told();
        assert!(told.refused.is_some() && !told.is_confirmed, "{wrong}: {told:?}");
        assert!(bench.are_payouts_held(), "{wrong}");
        let before = bench.view().await.hindrance;
        bench.seconds(5).await;
        assert_eq!(bench.view().await.hindrance, before, "its words do not change");
        // Somebody sets it right.
        bench.clock.jump_wall(-wrong);
        bench.seconds(1).await;
        let told = bench.told();
        assert!(told.refused.is_none() && told.is_confirmed, "{wrong}: {told:?}");
        assert!(!bench.are_payouts_held(), "{wrong}");
        assert_eq!(
            told.steps, 1,
            "the date follows at once: the chain refused the old one"
        );
        assert_eq!(bench.clock.date(), bench.clock.wall());
    }
}

#[actix::test]
async fn without_a_chain_jumps_are_seen_and_followed_when_they_last() {
    tokio::time::pause();
    for jump in [YEAR, -YEAR, HOUR, -HOUR] {
        let mut bench = Bench::new(0, false).await;
        bench.clock.jump_wall(jump);
        bench.seconds(6).await;
        assert_eq!(bench.hindrance().await.as_deref(), Some("clock_jumped"), "{jump}");
        assert_eq!(bench.clock.date(), bench.clock.now(), "{jump}");
        assert!(!bench.are_payouts_held(), "time passes as before: {jump}");
        bench.clock.jump_wall(-jump);
        bench.seconds(1).await;
        assert_eq!(bench.hindrance().await, None, "{jump}");
        assert_eq!(bench.told().steps, 0, "{jump}");
        bench.clock.jump_wall(jump);
        bench.seconds(61).await;
        assert_eq!(bench.told().steps, 1, "{jump}");
        assert_eq!(bench.clock.date(), bench.clock.wall(), "{jump}");
        assert_eq!(bench.hindrance().await, None, "{jump}");
    }
}

#[actix::test]
async fn a_chain_that_does_not_answer_leaves_the_verdict_as_it_was() {
    tokio::time::pause();
    let bench = Bench::new(0, true).await;
    bench.chain.set_down(true);
    bench.seconds(3 * 3_600).await;
    assert_eq!(bench.hindrance().await, None, "time passes on the chain too");
    bench.clock.jump_wall(YEAR);
    bench.seconds(70).await;
    assert_eq!(bench.hindrance().await.as_deref(), Some("clock_refused"));
    bench.chain.set_header_time(None);
    bench.chain.set_down(false);
    bench.seconds(11).await;
    assert_eq!(
        bench.hindrance().await,
        None,
        "a chain without times says nothing"
    );
}

#[actix::test]
async fn a_long_time_away_is_confirmed_by_the_chain_or_by_waiting() {
    tokio::time::pause();
    for has_header in [false, true] {
        let mut bench = Bench::new(0, has_header).await;
        let clock = bench.clock.clone();
        let (outbox, rounds) = recorded_outbox_of(100_000);
        let (payouts, _inbox) = recorded_outbox_of(100_000);
        bench.rounds = rounds;
        bench.keeper = TimeKeeper::new(TimeKeeperParts {
            clock: Arc::new(clock),
            chain: Some(Arc::new(bench.chain.clone())),
            rules: RULES,
            last_seen: BEGIN.moved(-YEAR),
            rounds: outbox,
            statements: None,
            payouts,
        })
        .start();
        settle().await;
        assert_eq!(bench.told().is_confirmed, has_header);
        bench.seconds(60).await;
        assert!(bench.told().is_confirmed);
    }
}
