use std::sync::Arc;
use std::time::Duration;

use actix::Arbiter;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::HeaderHash;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::ProvenShare;
use dwarves_domain::units::{BasisPoints, Units};
use dwarves_ports::chain::BlockStatus;
use dwarves_ports::clock::Clock;
use dwarves_ports::store::{BlockState, Store};
use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::build::{self, BEGIN, EASY_BITS, hotkey, mine, worker_name};
use dwarves_testkit::{ManualClock, RecordingHalt, TestChain, TestWallet, settle};

use super::*;
use crate::ask::Request;
use crate::miner_manager::messages::Registered;
use crate::miner_manager::messages::{
    AssignWorker, Assigned, CheckedShares, JudgeShares, ReadStanding, RegisterMiner,
};
use crate::pool_manager::messages::{ControlMessage, LifeState, PoolControl};
use crate::reward_distributor::messages::DistributorControl;
use crate::testing::settings::pool_settings;
use crate::work_manager::messages::{IssueJob, IssuedJob};

struct Bench {
    store: InlineStore,
    chain: TestChain,
    clock: ManualClock,
    ports: PoolPorts,
}

async fn ask<R: Request>(port: &Port<R>, payload: R) -> R::Reply {
    port.ask(payload, Duration::from_secs(30)).await.unwrap()
}

impl Bench {
    async fn new() -> Self {
        tokio::time::pause();
        Self::on(InlineStore::fresh(), TestChain::new(EASY_BITS), &Placement::Here).await
    }

    async fn on(store: InlineStore, chain: TestChain, placement: &Placement) -> Self {
        let clock = ManualClock::at(BEGIN);
        let world = World {
            store: Arc::new(store.clone()),
            trade: Trade::Mining {
                chain: Arc::new(chain.clone()),
                wallet: Arc::new(TestWallet::default()),
            },
            clock: Arc::new(clock.clone()),
            halt: RecordingHalt::default().shared(),
            stop: watch::Sender::new(false),
        };
        let ports = start(pool_settings(), world, placement).await.unwrap();
        settle().await;
        Self {
            store,
            chain,
            clock,
            ports,
        }
    }

    async fn restarted(self) -> Self {
        Self::on(self.store, self.chain, &Placement::Here).await
    }

    async fn control(&self, control: ControlMessage) {
        let outcome = ask(&self.ports.deliver, Deliver(control)).await;
        assert!(outcome.is_ok(), "{outcome:?}");
    }

    async fn register(&self, hotkey: Hotkey) {
        let register = RegisterMiner {
            hotkey,
            payout_address: None,
            payout_threshold: None,
            from: std::net::Ipv4Addr::LOCALHOST.into(),
        };
        let reply = ask(&self.ports.registration.register, register).await;
        assert!(matches!(reply, Ok(Registered { .. })));
    }

    /// A miner's first share on the present work that is a block.
    async fn find_block(&self, hotkey: Hotkey) -> HeaderHash {
        let assign = AssignWorker {
            hotkey,
            worker: worker_name("rig"),
            client: dwarves_domain::miners::Client::Earlier,
        };
        let Ok(Assigned { worker, share_target }) = ask(&self.ports.submission.assign, assign).await else {
            panic!("a registered miner gets a worker")
        };
        let issue = IssueJob {
            owner: hotkey,
            worker,
            share_target,
        };
        let Ok(IssuedJob { job, .. }) = ask(&self.ports.submission.issue, issue).await else {
            panic!("there is work")
        };
        let (_, proof) = mine(&job, 0, true);
        let judge = JudgeShares {
            sent_at: self.clock.now(),
            requests: vec![CheckedShares {
                miner: hotkey,
                received_at: self.clock.now(),
                worker: None,
                shares: vec![Ok(ProvenShare { job, proof })],
            }],
        };
        let judgements = ask(&self.ports.submission.judge, judge).await;
        assert!(judgements[0].is_ok());
        proof.hash
    }
}

#[actix::test]
async fn a_block_goes_all_the_way_from_a_share_to_what_a_miner_is_owed() {
    let bench = Bench::new().await;
    bench.register(hotkey(1)).await;
    let hash = bench.find_block(hotkey(1)).await;
    settle().await;
    assert_eq!(bench.chain.tip().hash, hash, "it reached the chain");
    bench.chain.others_find(9);
    // Nobody tells the tracker but the work manager: it is subscribed.
    settle().await;
    assert_eq!(
        bench.chain.status_of(hash),
        BlockStatus::MainChain { confirmations: 10 }
    );
    assert_eq!(bench.store.found_blocks()[0].state, BlockState::Mature);
    for _ in 0..2 {
        bench.clock.advance(Span::from_secs(10));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let balances = bench.store.miner_balances(hotkey(1)).await.unwrap();
    assert_eq!(balances.payable.sats(), build::COINBASE_SATS / 100 * 99);
}

#[actix::test]
async fn what_admins_changed_is_in_force_in_the_next_life() {
    let bench = Bench::new().await;
    let fee = BasisPoints::new(7).unwrap();
    bench
        .control(ControlMessage::Rewards(DistributorControl::SetFee(fee)))
        .await;
    let interval = Span::from_secs(77);
    let set = DistributorControl::SetRunInterval(interval);
    bench.control(ControlMessage::Rewards(set)).await;
    bench
        .control(ControlMessage::Rewards(DistributorControl::Pause))
        .await;
    bench.control(ControlMessage::Pool(PoolControl::Pause)).await;
    bench.register(hotkey(1)).await;
    let bench = bench.restarted().await;
    let schedule = ask(&bench.ports.read_schedule, ReadSchedule).await;
    assert_eq!(
        (schedule.fee, schedule.run_interval, schedule.paused),
        (fee, interval, true)
    );
    assert_eq!(schedule.next_round_at, BEGIN.plus(interval));
    let pool = ask(&bench.ports.read_pool, ReadPool).await;
    assert_eq!(pool.state, LifeState::Paused);
    let assign = AssignWorker {
        hotkey: hotkey(1),
        worker: worker_name("rig"),
        client: dwarves_domain::miners::Client::Earlier,
    };
    let paused = ask(&bench.ports.submission.assign, assign).await;
    assert_eq!(paused, Err(Refusal::Paused));
    bench.control(ControlMessage::Pool(PoolControl::Resume)).await;
    let bench = bench.restarted().await;
    let pool = ask(&bench.ports.read_pool, ReadPool).await;
    assert_eq!(pool.hindrances, [""; 0]);
}

#[actix::test]
async fn performances_and_open_blocks_are_known_in_the_next_life() {
    let bench = Bench::new().await;
    bench.register(hotkey(1)).await;
    let hash = bench.find_block(hotkey(1)).await;
    settle().await;
    let before = ask(&bench.ports.read_miner, ReadMiner { hotkey: hotkey(1) }).await;
    bench.chain.others_find(1);
    let bench = bench.restarted().await;
    let after = ask(&bench.ports.read_miner, ReadMiner { hotkey: hotkey(1) }).await;
    let units = |view: &Option<crate::miner_manager::messages::MinerView>| view.as_ref().unwrap().units;
    assert!(units(&after) > Units::ZERO);
    assert_eq!(units(&after), units(&before));
    let block = &bench.store.found_blocks()[0];
    assert_eq!((block.hash, block.confirmations), (hash, 2));
}

#[actix::test]
async fn a_stopped_pool_has_saved_everything_and_writes_no_more() {
    let bench = Bench::new().await;
    bench.register(hotkey(1)).await;
    bench.find_block(hotkey(1)).await;
    ask(&bench.ports.stop, Stop).await;
    let stored = bench.store.start(BEGIN).await.unwrap();
    assert_eq!(stored.workers[0].1.accepted, 1);
    let write = dwarves_ports::store::Write::SaveSetting {
        key: "late".to_owned(),
        value: None,
    };
    let late = ask(&bench.ports.commit, Commit { writes: vec![write] }).await;
    assert!(late.is_err());
}

#[actix::test]
async fn settings_that_can_not_be_are_refused_at_start() {
    let world = || World {
        store: Arc::new(InlineStore::fresh()),
        trade: Trade::Mining {
            chain: Arc::new(TestChain::new(EASY_BITS)),
            wallet: Arc::new(TestWallet::default()),
        },
        clock: Arc::new(ManualClock::at(BEGIN)),
        halt: RecordingHalt::default().shared(),
        stop: watch::Sender::new(false),
    };
    let mut settings = pool_settings();
    settings.rewards.run_interval = Span::default();
    let error = start(settings, world(), &Placement::Here).await.err().unwrap();
    assert!(error.to_string().contains("run_interval"), "{error}");
    let mut settings = pool_settings();
    settings.rewards.terms.window = Units::ZERO;
    let error = start(settings, world(), &Placement::Here).await.err().unwrap();
    assert!(error.to_string().contains("window"), "{error}");
}

#[actix::test]
async fn the_owners_run_on_an_arbiter_of_their_own_as_well() {
    // Another thread: here time is real.
    let arbiter = Arbiter::new();
    let store = InlineStore::fresh();
    let chain = TestChain::new(EASY_BITS);
    let bench = Bench::on(store, chain, &Placement::Arbiter(arbiter.handle())).await;
    bench.register(hotkey(1)).await;
    let standing = ask(
        &bench.ports.registration.standing,
        ReadStanding { hotkey: hotkey(1) },
    )
    .await;
    assert_eq!(standing, Ok(()));
    ask(&bench.ports.stop, Stop).await;
    arbiter.stop();
    arbiter.join().unwrap();
}

#[actix::test]
async fn a_stored_setting_is_shown_and_taken_back_at_once_and_for_good() {
    use crate::paymaster::messages::PaymasterControl;
    use dwarves_testkit::build::sats;

    let bench = Bench::new().await;
    let configured = pool_settings();
    let fee = BasisPoints::new(777).unwrap();
    bench
        .control(ControlMessage::Rewards(DistributorControl::SetFee(fee)))
        .await;
    bench
        .control(ControlMessage::Payouts(PaymasterControl::SetThreshold(sats(
            999_999,
        ))))
        .await;
    bench
        .control(ControlMessage::Payouts(PaymasterControl::Pause))
        .await;
    let bench = bench.restarted().await;
    let status = ControlMessage::Pool(PoolControl::Status);
    let Ok(told) = ask(&bench.ports.deliver, Deliver(status)).await else {
        panic!("status is always told");
    };
    let told: Vec<(&str, &str)> = told["settings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|setting| {
            (
                setting["setting"].as_str().unwrap(),
                setting["from"].as_str().unwrap(),
            )
        })
        .collect();
    let keys = ["payouts.paused", "payouts.threshold_sats", "rewards.fee_bps"];
    assert_eq!(told, keys.map(|key| (key, "stored by an admin")));
    for key in keys {
        let forget = |key: &str| ControlMessage::Pool(PoolControl::ForgetSetting(key.to_owned()));
        bench.control(forget(key)).await;
        let again = ask(&bench.ports.deliver, Deliver(forget(key))).await;
        assert!(
            matches!(again, Err(Refusal::ControlRefused(_))),
            "{key}: {again:?}"
        );
    }
    let bench = bench.restarted().await;
    {
        let schedule = ask(
            &bench.ports.read_schedule,
            crate::reward_distributor::messages::ReadSchedule,
        )
        .await;
        assert_eq!(schedule.fee, configured.rewards.terms.fee);
        let payouts = ask(&bench.ports.read_payouts, ReadPayouts).await;
        assert_eq!(
            (payouts.threshold, payouts.paused),
            (configured.payouts.threshold, false)
        );
        assert!(settings::stored(&bench.store.settings().await.unwrap()).is_empty());
    }
    let unknown = ControlMessage::Pool(PoolControl::ForgetSetting("ledger.chain".to_owned()));
    let refused = ask(&bench.ports.deliver, Deliver(unknown)).await;
    assert!(
        matches!(refused, Err(Refusal::ControlRefused(_))),
        "what the ledger remembers is no setting"
    );
}
