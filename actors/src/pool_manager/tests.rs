use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use dwarves_domain::ids::RoundId;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::rewards::{Scheme, Source};
use dwarves_domain::time::Span;
use dwarves_domain::units::{Amount, BasisPoints, Units};
use dwarves_ports::chain::Standing;
use dwarves_ports::clock::Moment;
use dwarves_ports::store::{StoreError, StoreErrorKind, Written};
use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::build::{BEGIN, template};
use dwarves_testkit::{ManualClock, settle};
use tokio::sync::oneshot;

use super::messages::{PoolView, ReadPool};
use super::*;
use crate::ask::Request;
use crate::block_tracker::messages::{BlocksView, ReadBlocks};
use crate::control::Controlled;
use crate::gate::{GateControl, GateView};
use crate::ledger::messages::LedgerView;
use crate::live_work::{LiveWork, NoWork};
use crate::miner_manager::messages::{GaveWay, MinersView, NewcomersRefused};
use crate::notary::messages::{ReadStatements, StatementsView};
use crate::paymaster::messages::PayoutsView;
use crate::reward_distributor::messages::ScheduleView;
use crate::testing::{Inbox, recorded_port};
use crate::time_keeper::messages::ClockView;
use crate::work_manager::messages::WorkView;

mod status;
mod stopping;

/// A time keeper that knows one hindrance at most.
struct Keeper(Rc<Cell<Option<&'static str>>>);

impl Actor for Keeper {
    type Context = Context<Self>;
}

impl Handler<Ask<ReadClock>> for Keeper {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadClock>, _: &mut Self::Context) {
        ask.reply.answer(ClockView {
            hindrance: self.0.get().map(str::to_owned),
            ..ClockView::default()
        });
    }
}

/// A notary that knows one hindrance at most.
struct Stating(Rc<Cell<Option<&'static str>>>);

impl Actor for Stating {
    type Context = Context<Self>;
}

impl Handler<Ask<ReadStatements>> for Stating {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadStatements>, _: &mut Self::Context) {
        ask.reply.answer(StatementsView {
            hindrance: self.0.get().map(str::to_owned),
            overdue: self.0.get().map(|_| Span::from_secs(7)),
            ..StatementsView::default()
        });
    }
}

/// A pool manager whose peers the test plays itself.
struct Bench {
    clock_hindrance: Rc<Cell<Option<&'static str>>>,
    statements_hindrance: Rc<Cell<Option<&'static str>>>,
    manager: Addr<PoolManager>,
    stop: watch::Receiver<bool>,
    ledger: Inbox<Ask<ReadLedger>>,
    commit: Inbox<Ask<Commit>>,
    close_ledger: Inbox<Ask<CloseLedger>>,
    miners: Inbox<Ask<MinerControl>>,
    set_paused: Inbox<Ask<SetPaused>>,
    drain_miners: Inbox<Ask<DrainMiners>>,
    read_miners: Inbox<Ask<ReadMiners>>,
    is_nearly_full: bool,
    work: Inbox<Ask<WorkControl>>,
    read_work: Inbox<Ask<ReadWork>>,
    hold_work: Inbox<Ask<HoldWork>>,
    rewards: Inbox<Ask<DistributorControl>>,
    drain_rounds: Inbox<Ask<DrainRounds>>,
    read_schedule: Inbox<Ask<ReadSchedule>>,
    payouts: Inbox<Ask<PaymasterControl>>,
    drain_payouts: Inbox<Ask<DrainPayouts>>,
    read_payouts: Inbox<Ask<ReadPayouts>>,
}

/// A block tracker that always says the same.
struct Blocks;

impl Actor for Blocks {
    type Context = Context<Self>;
}

impl Handler<Ask<ReadBlocks>> for Blocks {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadBlocks>, _: &mut Self::Context) {
        ask.reply.answer(BlocksView::default());
    }
}

async fn bench(paused: bool) -> Bench {
    tokio::time::pause();
    let (ledger, ledger_inbox) = recorded_port();
    let (commit, commit_inbox) = recorded_port();
    let (close_ledger, close_ledger_inbox) = recorded_port();
    let (miners, miners_inbox) = recorded_port();
    let (set_paused, set_paused_inbox) = recorded_port();
    let (drain_miners, drain_miners_inbox) = recorded_port();
    let (read_miners, read_miners_inbox) = recorded_port();
    let (work, work_inbox) = recorded_port();
    let (read_work, read_work_inbox) = recorded_port();
    let (hold_work, hold_work_inbox) = recorded_port();
    let (rewards, rewards_inbox) = recorded_port();
    let (drain_rounds, drain_rounds_inbox) = recorded_port();
    let (read_schedule, read_schedule_inbox) = recorded_port();
    let (payouts, payouts_inbox) = recorded_port();
    let (drain_payouts, drain_payouts_inbox) = recorded_port();
    let (read_payouts, read_payouts_inbox) = recorded_port();
    let (stop, stopped) = watch::channel(false);
    let clock_hindrance = Rc::default();
    let statements_hindrance = Rc::default();
    let manager = PoolManager::new(PoolManagerParts {
        peers: PoolPeers {
            ledger,
            commit,
            close_ledger,
            miners,
            set_paused,
            drain_miners,
            read_miners,
            work,
            read_work,
            hold_work,
            rewards,
            drain_rounds,
            read_schedule,
            payouts,
            exporter: None,
            drain_payouts,
            read_payouts,
            read_blocks: Port::new(&Blocks.start()),
            read_clock: Port::new(&Keeper(Rc::clone(&clock_hindrance)).start()),
            evaluator: None,
            statements: Some(Port::new(&Stating(Rc::clone(&statements_hindrance)).start())),
        },
        clock: Arc::new(ManualClock::at(BEGIN)),
        stop,
        paused,
        store: Arc::new(InlineStore::fresh()),
        effective: Vec::new(),
        configured: Configured {
            threshold: Amount::ZERO,
            run_interval: Span::from_secs(10),
            fee: BasisPoints::default(),
            emission: Amount::ZERO,
        },
    })
    .start();
    settle().await;
    Bench {
        clock_hindrance,
        statements_hindrance,
        manager,
        stop: stopped,
        ledger: ledger_inbox,
        commit: commit_inbox,
        close_ledger: close_ledger_inbox,
        miners: miners_inbox,
        set_paused: set_paused_inbox,
        drain_miners: drain_miners_inbox,
        read_miners: read_miners_inbox,
        is_nearly_full: false,
        work: work_inbox,
        read_work: read_work_inbox,
        hold_work: hold_work_inbox,
        rewards: rewards_inbox,
        drain_rounds: drain_rounds_inbox,
        read_schedule: read_schedule_inbox,
        payouts: payouts_inbox,
        drain_payouts: drain_payouts_inbox,
        read_payouts: read_payouts_inbox,
    }
}

impl Bench {
    fn post<R: Request>(&self, payload: R) -> oneshot::Receiver<R::Reply>
    where
        PoolManager: Handler<Ask<R>>,
    {
        Port::new(&self.manager).post(payload).unwrap()
    }

    fn deliver(&self, control: PoolControl) -> oneshot::Receiver<Controlled> {
        self.post(Deliver(ControlMessage::Pool(control)))
    }

    /// Answers everything that a look at the pool asks.
    async fn view(&mut self, has_work: bool, trouble: Option<&str>) -> PoolView {
        let answer = self.post(ReadPool);
        self.answer_reads(has_work, trouble).await;
        answer.await.unwrap()
    }

    /// The work manager is told of this hold, and notes it.
    fn hold(&mut self, why: LackOfWork, holds: bool) {
        let told = self.hold_work.try_recv().unwrap();
        assert_eq!(told.payload, HoldWork { why, holds });
        told.reply.answer(());
    }

    async fn answer_reads(&mut self, has_work: bool, trouble: Option<&str>) {
        settle().await;
        let mut work = LiveWork::none();
        if has_work {
            work.current = Some(template(1));
        }
        if !has_work {
            work.lack = Some(no_work());
        }
        self.read_work.try_recv().unwrap().reply.answer(WorkView {
            work: Arc::new(work),
            trouble: None,
            standing: Arc::new(Standing::trusted()),
        });
        settle().await;
        let payouts = self.read_payouts.try_recv().unwrap();
        payouts.reply.answer(PayoutsView::default());
        settle().await;
        let miners = self.read_miners.try_recv().unwrap();
        miners.reply.answer(MinersView {
            recent_shares_nearly_full: self.is_nearly_full,
            ..miners_view()
        });
        settle().await;
        self.ledger.try_recv().unwrap().reply.answer(LedgerView {
            trouble: trouble.map(str::to_owned),
            commits: 1,
        });
        settle().await;
    }

    /// Pauses or resumes, with a store and a miner manager that do their part.
    async fn pause(&mut self, control: PoolControl) -> Controlled {
        let answer = self.deliver(control.clone());
        settle().await;
        let commit = self.commit.try_recv().unwrap();
        assert!(
            self.set_paused.try_recv().is_err(),
            "it is stored before it holds"
        );
        commit.reply.answer(Ok(vec![Written::Done]));
        settle().await;
        let told = self.set_paused.try_recv().unwrap();
        assert_eq!(told.payload, SetPaused(control == PoolControl::Pause));
        told.reply.answer(());
        settle().await;
        self.hold(LackOfWork::Paused, control == PoolControl::Pause);
        let expected = Write::SaveSetting {
            key: PAUSED.to_owned(),
            value: Some((control == PoolControl::Pause).to_string()),
        };
        assert_eq!(commit.payload.writes, [expected]);
        answer.await.unwrap()
    }
}

fn miners_view() -> MinersView {
    MinersView {
        miners: 3,
        address_miners: 1,
        addresses_refused: NewcomersRefused { rate: 4, no_room: 5 },
        registrations_refused: NewcomersRefused { rate: 6, no_room: 7 },
        gave_way: GaveWay {
            miners: 8,
            workers: 9,
        },
        names_waiting: 10,
        recent_shares: (11, 12),
        recent_shares_nearly_full: false,
        workers: 4,
        workers_active: 2,
        hashrate: 1.0,
        hashrate_error: None,
        accepted: 7,
        rejected: [0; 6],
        registration_open: true,
    }
}

fn no_work() -> NoWork {
    NoWork {
        why: LackOfWork::Starting,
        since: BEGIN,
        began: Moment::now(),
        lets_go: true,
    }
}

fn state(state: &str) -> Controlled {
    Ok(json!({ "state": state }))
}

#[actix::test]
async fn control_messages_reach_their_actor_and_its_answer_comes_back() {
    let mut bench = bench(false).await;
    let done = |n: u64| Ok(json!({ "n": n }));
    let miners = bench.post(Deliver(ControlMessage::Miners(MinerControl::OpenRegistration)));
    let work = bench.post(Deliver(ControlMessage::Work(WorkControl::Refresh)));
    let rewards = bench.post(Deliver(ControlMessage::Rewards(DistributorControl::Pause)));
    let payouts = bench.post(Deliver(ControlMessage::Payouts(PaymasterControl::Resume)));
    settle().await;
    let asked = bench.payouts.try_recv().unwrap();
    assert_eq!(asked.payload, PaymasterControl::Resume);
    asked.reply.answer(done(4));
    assert_eq!(payouts.await, Ok(done(4)));
    let asked = bench.miners.try_recv().unwrap();
    assert_eq!(asked.payload, MinerControl::OpenRegistration);
    asked.reply.answer(done(1));
    bench.work.try_recv().unwrap().reply.answer(done(2));
    let asked = bench.rewards.try_recv().unwrap();
    assert_eq!(asked.payload, DistributorControl::Pause);
    drop(asked);
    assert_eq!(miners.await, Ok(done(1)));
    assert_eq!(work.await, Ok(done(2)));
    assert_eq!(rewards.await, Ok(Err(Refusal::Unavailable)));
}

#[actix::test]
async fn the_gate_is_asked_once_there_is_one() {
    let mut bench = bench(false).await;
    let lift = || Deliver(ControlMessage::Gate(GateControl::Lift([192, 0, 2, 1].into())));
    assert!(matches!(
        bench.post(lift()).await,
        Ok(Err(Refusal::ControlRefused(_)))
    ));
    let (read, mut read_inbox) = recorded_port();
    let (control, mut control_inbox) = recorded_port();
    bench.post(AttachGate { read, control }).await.unwrap();
    let lifted = bench.post(lift());
    settle().await;
    let asked = control_inbox.try_recv().unwrap();
    assert_eq!(asked.payload, GateControl::Lift([192, 0, 2, 1].into()));
    asked.reply.answer(Ok(json!({})));
    assert_eq!(lifted.await, Ok(Ok(json!({}))));
    let answer = bench.post(ReadPool);
    settle().await;
    let gate = GateView {
        let_go: 7,
        ..GateView::default()
    };
    read_inbox.try_recv().unwrap().reply.answer(gate.clone());
    bench.answer_reads(true, None).await;
    assert_eq!(answer.await.unwrap().gate, Some(gate));
}
