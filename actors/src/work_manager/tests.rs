use std::collections::BTreeSet;
use std::sync::Arc;

use dwarves_domain::ids::WorkerId;
use dwarves_domain::target::Difficulty;
use dwarves_domain::work::FrontEnd;

use super::messages::{IssueJob, IssueJobReply, ReadWork, Subscribe, WorkControl, WorkView};
use super::*;
use crate::ask::{Ask, Request};
use crate::ledger::{Acknowledge, Ledger, LedgerParts};
use crate::testing::recorder::recorded_outbox_of;
use crate::testing::{Inbox, recorded_outbox};
use dwarves_ports::store::{SharedStore, Store};
use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::build::{BEGIN, EASY_BITS, hotkey, job_key};
use dwarves_testkit::faulty_store::{Fault, FaultPlan, FaultyStore};
use dwarves_testkit::{Gate, ManualClock, PacedStore, RecordingHalt, TestChain, settle};

mod guarding;
mod lacking;

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
        let ledger = Ledger::new(LedgerParts {
            mailbox_capacity: 1_024,
            store: Arc::new(PacedStore::new(faulty, Arc::new(gate.clone()))),
            halt: RecordingHalt::default().shared(),
            acknowledge: Acknowledge::Durable,
            position: (stored.last_sequence, stored.total_units),
        })
        .start();
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

    async fn issue(&self) -> IssueJobReply {
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
    assert_eq!(bench.issue().await, IssueJobReply::NoWork);
    bench.gate.open();
    settle().await;
    let work = news.try_recv().unwrap().0;
    let current = work.current.clone().unwrap();
    assert_eq!(current.chain().previous, bench.chain.tip().hash);
    let stored = bench.memory.start(BEGIN).await.unwrap();
    assert_eq!(stored.templates.len(), 1);
    assert_eq!(stored.templates[0].id, current.id());
    let IssueJobReply::Issued { job, expires_at } = bench.issue().await else {
        panic!("there is work")
    };
    assert!(Arc::ptr_eq(job.template(), &current));
    assert_eq!(expires_at, BEGIN.plus(LIFETIME));
    assert_eq!(job.owner(), hotkey(1));
}

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
        bench.ask(WorkControl::Refresh).await;
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
async fn an_admin_can_refresh_and_live_templates_are_bounded() {
    let mut bench = Bench::new().await;
    for _ in 0..LIVE_TEMPLATES_MAX + 3 {
        bench.ask(WorkControl::Refresh).await;
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
async fn a_chain_that_fails_leaves_the_last_work_and_is_asked_again_more_and_more_rarely() {
    let bench = Bench::new().await;
    bench.chain.set_down(true);
    bench.pass(Span::from_secs(40)).await;
    assert_eq!(bench.live().await, [1]);
    assert!(bench.view().await.trouble.is_some());
    assert!(matches!(bench.issue().await, IssueJobReply::Issued { .. }));
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
    assert_eq!(bench.issue().await, IssueJobReply::NoWork);
    let mut last = news.try_recv().unwrap().0;
    while let Ok(newer) = news.try_recv() {
        last = newer.0;
    }
    assert_eq!(last.current, None, "everybody is told");

    bench.chain.set_unsound(false);
    bench.pass(Span::from_secs(16)).await;
    assert!(matches!(bench.issue().await, IssueJobReply::Issued { .. }));
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
async fn work_whose_time_is_over_ends_even_if_the_chain_gives_no_new_one() {
    let mut bench = Bench::new().await;
    let mut news = bench.subscribe().await;
    bench.chain.set_down(true);
    bench.pass(LIFETIME).await;
    bench.pass(Span::from_secs(1)).await;
    assert_eq!(bench.issue().await, IssueJobReply::NoWork);
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
async fn stored_templates_of_the_same_tip_stay_live_after_a_restart() {
    let bench = Bench::new().await;
    bench.ask(WorkControl::Refresh).await;
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

#[actix::test]
async fn extranonces_never_repeat_across_jobs_and_lives() {
    let mut seen = BTreeSet::new();
    let mut bench = Bench::new().await;
    for _ in 0..3 {
        for _ in 0..100 {
            let IssueJobReply::Issued { job, .. } = bench.issue().await else {
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
        let IssueJobReply::Issued { job, .. } = bench.issue().await else {
            panic!("there are extranonces")
        };
        seen.insert(job.extranonce());
    }
    assert_eq!(bench.issue().await, IssueJobReply::Exhausted);
    bench.chain.others_find(1);
    settle().await;
    let IssueJobReply::Issued { job, .. } = bench.issue().await else {
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

#[actix::test]
async fn a_template_that_is_none_is_refused_and_asked_for_again() {
    tokio::time::pause();
    // A network target of zero.
    let chain = TestChain::new(0);
    let bench = Bench::on(chain, InlineStore::fresh(), &[]).await;
    bench.gate.open();
    bench.pass(Span::from_secs(10)).await;
    assert_eq!(bench.issue().await, IssueJobReply::NoWork);
    let view = bench.view().await;
    assert!(view.trouble.unwrap().contains("bits"));
    assert!((3..=12).contains(&bench.chain.templates()));
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
