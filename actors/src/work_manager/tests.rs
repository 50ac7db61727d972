use std::collections::BTreeSet;
use std::sync::Arc;

use dwarves_domain::ids::{HeaderHash, WorkerId};
use dwarves_domain::refusal::Refusal;
use dwarves_domain::target::Difficulty;
use dwarves_domain::work::FrontEnd;
use dwarves_ports::store::{SharedStore, Store};
use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::build::{BEGIN, EASY_BITS, hotkey, job_key};
use dwarves_testkit::faulty_store::{Fault, FaultPlan, FaultyStore};
use dwarves_testkit::{Gate, ManualClock, PacedStore, RecordingHalt, TestChain, settle};

use super::messages::{IssueJob, IssuedJob, LookForTip, ReadWork, Subscribe, WorkControl, WorkView};
use super::*;
use crate::ask::{Ask, Request};
use crate::live_work::WorkChanged;
use crate::testing::recorder::recorded_outbox_of;
use crate::testing::{Inbox, recorded_outbox};

mod failing;
mod guarding;
mod lacking;
mod lifetime;

const REFRESH: Span = Span::from_secs(30);
const LIFETIME: Span = Span::from_secs(120);
const LET_GO_AFTER: Span = Span::from_secs(30);

/// A work manager on a chain and a store that do as they are told.
struct Bench {
    chain: TestChain,
    clock: ManualClock,
    memory: InlineStore,
    gate: Gate,
    manager: Addr<WorkManager>,
    retired: Inbox<WorkRetired>,
    payouts: Inbox<HoldPayouts>,
}

impl Bench {
    async fn new() -> Self {
        tokio::time::pause();
        let bench = Self::on(TestChain::new(EASY_BITS), InlineStore::fresh(), &[]).await;
        bench.gate.open();
        settle().await;
        bench
    }

    /// A new life on this chain and store, with the gate closed.
    async fn on(chain: TestChain, memory: InlineStore, faults: &[(u64, Fault)]) -> Self {
        Self::with_extranonces(chain, memory, faults, None).await
    }

    /// The same with these extranonces in place of a life's own.
    async fn with_extranonces(
        chain: TestChain,
        memory: InlineStore,
        faults: &[(u64, Fault)],
        extranonces: Option<JobExtraNonces>,
    ) -> Self {
        let clock = ManualClock::at(BEGIN);
        let gate = Gate::default();
        let plan = FaultPlan {
            at: faults.to_vec(),
            disk_full: None,
        };
        let faulty: SharedStore = Arc::new(FaultyStore::new(Arc::new(memory.clone()), plan));
        let stored = memory.start(BEGIN).await.unwrap();
        let ledger = crate::testing::ledger(
            Arc::new(PacedStore::new(faulty, Arc::new(gate.clone()))),
            &RecordingHalt::default(),
            (stored.last_sequence, stored.total_units),
        );
        let (miners, retired) = recorded_outbox();
        let (payouts, holds) = recorded_outbox();
        let manager = WorkManager::new(WorkManagerParts {
            chain: Arc::new(chain.clone()),
            clock: Arc::new(clock.clone()),
            ledger: Port::new(&ledger),
            miners,
            payouts,
            job_key: job_key(),
            payout_script: vec![0x51],
            tag: "/test/".to_owned(),
            refresh_every: REFRESH,
            job_lifetime: LIFETIME,
            let_go_after: LET_GO_AFTER,
            extranonces: extranonces.unwrap_or_else(|| JobExtraNonces::new(FrontEnd::default(), stored.life)),
            next_template: stored.next_template,
            stored: stored.templates,
            stored_past: stored.past_templates,
            previous_tip: Span::from_secs(60),
            past_templates_max: 32,
        })
        .start();
        settle().await;
        Self {
            chain,
            clock,
            memory,
            gate,
            manager,
            retired,
            payouts: holds,
        }
    }

    async fn ask<R: Request>(&self, payload: R) -> R::Reply
    where
        WorkManager: Handler<Ask<R>>,
    {
        let port = Port::new(&self.manager);
        port.ask(payload, Duration::from_secs(60)).await.unwrap()
    }

    async fn view(&self) -> WorkView {
        self.ask(ReadWork).await
    }

    /// Numbers of the live templates; the current one is the last of them.
    async fn live(&self) -> Vec<u32> {
        let work = self.view().await.work;
        let live: Vec<u32> = work.live.iter().map(|t| t.id().get()).collect();
        assert_eq!(work.current.as_ref().map(|t| t.id().get()), live.last().copied());
        live
    }

    async fn issue(&self) -> Result<IssuedJob, Refusal> {
        self.ask(IssueJob {
            owner: hotkey(1),
            worker: WorkerId::new(0),
            share_target: Difficulty::MIN.target(),
        })
        .await
    }

    /// Time passes, on the clock and for the timers.
    async fn pass(&self, span: Span) {
        for _ in 0..span.secs() {
            self.clock.advance(Span::from_secs(1));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        settle().await;
    }

    async fn subscribe(&self) -> Inbox<WorkChanged> {
        let (subscriber, inbox) = recorded_outbox();
        self.ask(Subscribe { subscriber }).await;
        inbox
    }

    fn retired_before(&mut self) -> Option<u32> {
        let mut last = None;
        while let Ok(news) = self.retired.try_recv() {
            last = Some(news.oldest.get());
        }
        last
    }
}

#[actix::test]
async fn a_template_is_stored_before_it_is_published() {
    tokio::time::pause();
    let bench = Bench::on(TestChain::new(EASY_BITS), InlineStore::fresh(), &[]).await;
    let mut news = bench.subscribe().await;
    settle().await;
    let before = news.try_recv().unwrap().0;
    assert!(before.live.is_empty() && before.current.is_none());
    assert_eq!(
        before.lack.as_ref().map(|lack| lack.why),
        Some(LackOfWork::Starting)
    );
    assert_eq!(bench.issue().await, Err(Refusal::NoWork));
    bench.gate.open();
    settle().await;
    let work = news.try_recv().unwrap().0;
    let current = work.current.clone().unwrap();
    assert_eq!(current.chain().previous, bench.chain.tip().hash);
    let stored = bench.memory.start(BEGIN).await.unwrap();
    assert_eq!(stored.templates.len(), 1);
    assert_eq!(stored.templates[0].id, current.id());
    let Ok(IssuedJob { job, expires_at }) = bench.issue().await else {
        panic!("there is work")
    };
    assert!(Arc::ptr_eq(job.template(), &current));
    assert_eq!(expires_at, BEGIN.plus(LIFETIME));
    assert_eq!(job.owner(), hotkey(1));
}

#[actix::test]
async fn a_tip_that_others_have_is_looked_for_unless_it_is_known() {
    tokio::time::pause();
    let bench = Bench::on(TestChain::new(EASY_BITS), InlineStore::fresh(), &[]).await;
    bench.gate.open();
    settle().await;
    assert_eq!(bench.live().await, [1]);
    let hint = Outbox::new(&bench.manager);
    hint.tell(LookForTip(bench.chain.tip().hash)).unwrap();
    settle().await;
    assert_eq!(bench.live().await, [1], "it is known");
    hint.tell(LookForTip(HeaderHash::from_bytes([0x77; 32]))).unwrap();
    settle().await;
    assert_eq!(bench.live().await, [1, 2], "there may be new work");
}

#[actix::test]
async fn an_admin_can_refresh_and_live_templates_are_bounded() {
    let mut bench = Bench::new().await;
    for _ in 0..LIVE_TEMPLATES_MAX + 3 {
        bench.ask(WorkControl::Refresh).await.unwrap();
        settle().await;
    }
    let live = bench.live().await;
    assert_eq!(live.len(), LIVE_TEMPLATES_MAX);
    assert_eq!(bench.retired_before(), live.first().copied());
}

#[actix::test]
async fn a_template_that_is_asked_for_while_another_is_on_its_way_is_not_forgotten() {
    tokio::time::pause();
    let bench = Bench::on(TestChain::new(EASY_BITS), InlineStore::fresh(), &[]).await;
    // The first template waits for the store; meanwhile the tip moves.
    bench.chain.others_find(1);
    settle().await;
    bench.gate.open();
    settle().await;
    let current = bench.view().await.work.current.clone().unwrap();
    assert_eq!(current.chain().previous, bench.chain.tip().hash);
}

#[actix::test]
async fn extranonces_never_repeat_across_jobs_and_lives() {
    let mut seen = BTreeSet::new();
    let mut bench = Bench::new().await;
    for _ in 0..3 {
        for _ in 0..100 {
            let Ok(IssuedJob { job, .. }) = bench.issue().await else {
                panic!("there is work")
            };
            assert!(seen.insert(job.extranonce()), "{} again", job.extranonce());
        }
        bench = Bench::on(bench.chain, bench.memory, &[]).await;
        bench.gate.open();
        settle().await;
    }
}

#[actix::test]
async fn when_live_jobs_have_every_extranonce_it_is_said_and_a_new_tip_brings_them_back() {
    let few = JobExtraNonces::new(FrontEnd::default(), 1).limited_to(5);
    tokio::time::pause();
    let (chain, memory) = (TestChain::new(EASY_BITS), InlineStore::fresh());
    let bench = Bench::with_extranonces(chain, memory, &[], Some(few)).await;
    bench.gate.open();
    settle().await;
    let mut seen = BTreeSet::new();
    for _ in 0..5 {
        let Ok(IssuedJob { job, .. }) = bench.issue().await else {
            panic!("there are extranonces")
        };
        seen.insert(job.extranonce());
    }
    assert_eq!(bench.issue().await, Err(Refusal::NoExtranonce));
    bench.chain.others_find(1);
    settle().await;
    let Ok(IssuedJob { job, .. }) = bench.issue().await else {
        panic!("those of the old tip are free")
    };
    assert!(seen.contains(&job.extranonce()));
}

#[actix::test]
async fn a_subscriber_whose_mailbox_was_full_is_told_as_soon_as_it_has_room() {
    let bench = Bench::new().await;
    let (subscriber, mut inbox) = recorded_outbox_of::<WorkChanged>(1);
    settle().await;
    // The work manager runs before the subscriber does, and finds its mailbox full.
    let subscribe: Port<Subscribe> = Port::new(&bench.manager);
    let answer = subscribe
        .post(Subscribe {
            subscriber: subscriber.clone(),
        })
        .unwrap();
    let none = || WorkChanged(Arc::new(LiveWork::none()));
    while subscriber.tell(none()).is_ok() {}
    answer.await.unwrap();
    bench.pass(Span::from_secs(2)).await;
    let mut last = None;
    while let Ok(changed) = inbox.try_recv() {
        last = Some(changed.0);
    }
    assert_eq!(last.unwrap().current.as_ref().map(|t| t.id().get()), Some(1));
    // Once told, it is not told again.
    bench.pass(Span::from_secs(5)).await;
    assert!(inbox.try_recv().is_err());
}

#[actix::test]
async fn work_is_refreshed_in_time_and_also_after_the_clock_stepped_back() {
    let bench = Bench::new().await;
    bench.pass(Span::from_secs(29)).await;
    assert_eq!(bench.live().await, [1]);
    bench.pass(Span::from_secs(2)).await;
    assert_eq!(bench.live().await, [1, 2]);
    bench.clock.set(BEGIN.minus(Span::from_secs(3_600)));
    bench.pass(Span::from_secs(1)).await;
    assert_eq!(bench.live().await.last(), Some(&3));
}
