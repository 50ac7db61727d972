//! A header that meets the network's target reaches the chain and the ledger, whatever becomes of its share: every way
//! in and every state, with the very pool.

use std::time::Duration;

use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::RejectedShare;
use dwarves_domain::share::Rejection;
use dwarves_domain::work::ExtraNonce1;
use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::build::EASY_BITS;
use dwarves_testkit::{RecordingHalt, TestChain, TestWallet};

use super::*;
use crate::assembly::{self, Placement, PoolPorts, PoolSettings, Trade, World};
use crate::handlers::submission::messages::RolledShare;
use crate::miner_manager::messages::{MinerControl, RegisterMiner};
use crate::pool_manager::messages::{ControlMessage, Deliver, PoolControl};
use crate::testing::settings::pool_settings;
use crate::work_manager::messages::IssuedJob;
use crate::work_manager::messages::WorkControl;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// A job's name, over HTTP and JSON-RPC.
    Named,
    /// A session that rolls its extranonce and refused the share by itself.
    Rolled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Paused,
    Draining,
    Banned,
    Unregistered,
    TooOld,
    ManyRefreshes,
    TipBefore,
    OtherWorker,
    OtherLogin,
    Time,
    Version,
    Restarted,
    /// There is no room for another live share.
    NoRoom,
}

const STATES: [State; 13] = [
    State::Paused,
    State::Draining,
    State::Banned,
    State::Unregistered,
    State::TooOld,
    State::ManyRefreshes,
    State::TipBefore,
    State::OtherWorker,
    State::OtherLogin,
    State::Time,
    State::Version,
    State::Restarted,
    State::NoRoom,
];

struct Pool {
    memory: InlineStore,
    chain: TestChain,
    clock: ManualClock,
    ports: PoolPorts,
    handler: Addr<SubmissionHandler>,
}

async fn asked<R: Request>(port: &Port<R>, payload: R) -> R::Reply {
    port.ask(payload, Duration::from_secs(60)).await.unwrap()
}

impl Pool {
    async fn on(memory: InlineStore, chain: TestChain) -> Self {
        Self::with(pool_settings(), memory, chain).await
    }

    async fn with(settings: PoolSettings, memory: InlineStore, chain: TestChain) -> Self {
        let clock = ManualClock::at(BEGIN);
        let world = World {
            store: Arc::new(memory.clone()),
            trade: Trade::Mining {
                chain: Arc::new(chain.clone()),
                wallet: Arc::new(TestWallet::default()),
            },
            clock: Arc::new(clock.clone()),
            halt: RecordingHalt::default().shared(),
            stop: tokio::sync::watch::Sender::new(false),
        };
        let ports = assembly::start(settings, world, &Placement::Here).await.unwrap();
        let peers = ports.submission.clone();
        let handler = SubmissionHandler::new(peers, LIMITS, job_key(), Arc::new(clock.clone())).start();
        settle().await;
        Self {
            memory,
            chain,
            clock,
            ports,
            handler,
        }
    }

    async fn control(&self, message: ControlMessage) {
        asked(&self.ports.deliver, Deliver(message)).await.unwrap();
    }

    async fn pass(&self, secs: u64) {
        for _ in 0..secs {
            self.clock.advance(Span::from_secs(1));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        settle().await;
    }

    async fn job(&self) -> Arc<Job> {
        let fetch = FetchWork {
            miner: hotkey(1),
            from: std::net::IpAddr::from([192, 0, 2, 1]),
            worker: build::worker_name("rig"),
            client: dwarves_domain::miners::Client::Earlier,
            newer_than: None,
        };
        match asked(&Port::new(&self.handler), fetch).await {
            Ok(IssuedJob { job, .. }) => job,
            other => panic!("{other:?}"),
        }
    }
}

/// Finds a block in this state and sees what becomes of it.
async fn find(way: Way, state: State) {
    let case = format!("{way:?} {state:?}");
    let mut settings = pool_settings();
    if state == State::NoRoom {
        settings.miners.recent_shares_max = 0;
    }
    let mut pool = Pool::with(settings, InlineStore::fresh(), TestChain::new(EASY_BITS)).await;
    let register = RegisterMiner {
        hotkey: hotkey(1),
        payout_address: None,
        payout_threshold: None,
        from: std::net::Ipv4Addr::LOCALHOST.into(),
    };
    asked(&pool.ports.registration.register, register).await.unwrap();
    let job = pool.job().await;
    let chain = job.template().chain().clone();
    // The header that is a block: of the job itself, or of an extranonce that a session's miner rolled.
    let session = ExtraNonce1::numbered(7);
    let extranonce = match way {
        Way::Named => job.extranonce().into(),
        Way::Rolled => dwarves_domain::work::FullExtraNonce::rolled(session, &[1, 2]).unwrap(),
    };
    let time = if state == State::Time {
        chain.time_max + 1
    } else {
        chain.time
    };
    let version = if state == State::Version {
        chain.version ^ 1
    } else {
        chain.version
    };
    let base = job.template().header(extranonce);
    let nonce = (0..)
        .find(|nonce| {
            let hash = base.rolled(version, time, *nonce).hash();
            job.template().network_target().is_met_by(&hash)
        })
        .unwrap();
    let hash = base.rolled(version, time, nonce).hash();
    let mut miner = hotkey(1);
    let mut worker = None;
    match state {
        State::Paused => pool.control(ControlMessage::Pool(PoolControl::Pause)).await,
        State::Draining => pool.control(ControlMessage::Pool(PoolControl::Drain)).await,
        State::Banned => {
            let ban = MinerControl::Ban {
                hotkey: miner,
                reason: "a test".to_owned(),
                until: None,
            };
            pool.control(ControlMessage::Miners(ban)).await;
        }
        State::Unregistered | State::OtherLogin => miner = hotkey(9),
        State::TooOld => pool.pass(200).await,
        State::ManyRefreshes => {
            for _ in 0..20 {
                pool.control(ControlMessage::Work(WorkControl::Refresh)).await;
                settle().await;
            }
        }
        State::TipBefore => {
            pool.chain.others_find(1);
            settle().await;
            pool.pass(30).await;
        }
        State::OtherWorker => worker = Some(build::worker_name("another")),
        State::Time | State::Version | State::NoRoom => {}
        State::Restarted => {
            let chain = TestChain::new(EASY_BITS);
            chain.set_down(true);
            pool = Pool::on(pool.memory.clone(), chain).await;
        }
    }
    let submit = async |pool: &Pool| {
        let from = std::net::IpAddr::from([192, 0, 2, 1]);
        let reply = match way {
            Way::Named => {
                let submission = Submission {
                    job_id: job.id(),
                    nonce,
                    time: Some(time),
                    version: Some(version),
                };
                let submit = SubmitShares {
                    miner,
                    from,
                    worker: worker.clone(),
                    shares: vec![Some(submission)],
                };
                asked(&Port::new(&pool.handler), submit).await
            }
            Way::Rolled => {
                let share = RolledShare::Refused {
                    template: job.template().id(),
                    extranonce,
                    time,
                    nonce,
                    versions: vec![version ^ 2, version],
                    finder: miner,
                    rejected: RejectedShare {
                        reason: Rejection::Stale,
                        worker: None,
                    },
                };
                let submit = SubmitRolled {
                    miner,
                    from,
                    shares: vec![share],
                };
                asked(&Port::new(&pool.handler), submit).await
            }
        };
        settle().await;
        (reply.judged, reply.blocks)
    };
    let (first, blocks) = submit(&pool).await;
    assert_eq!(blocks, [0], "{case}: {first:?}");
    match &first {
        Ok(verdicts) => assert!(verdicts[0].is_err(), "{case}: {first:?}"),
        Err(refusal) => assert_ne!(*refusal, Refusal::Unavailable, "{case}"),
    }
    let stored = pool.memory.found_blocks();
    assert_eq!(stored.len(), 1, "{case}");
    // Whose work it is, not who brings it. A session's extranonce is its own.
    let finder = match way {
        Way::Named => hotkey(1),
        Way::Rolled => miner,
    };
    assert_eq!((stored[0].hash, stored[0].finder), (hash, Some(finder)), "{case}");
    assert!(
        stored[0].units.is_zero() && pool.memory.shares().is_empty(),
        "{case}: no credit"
    );
    if state == State::Restarted {
        pool.chain.set_down(false);
        pool.pass(10).await;
    }
    assert_eq!(pool.chain.submitted(), [hash], "{case}");
    // However often it comes again, nothing grows.
    for _ in 0..5 {
        assert_eq!(submit(&pool).await.1, [0], "{case}");
    }
    assert_eq!(pool.memory.found_blocks().len(), 1, "{case}");
    assert_eq!(pool.chain.submitted(), [hash], "{case}");
}

#[actix::test]
async fn a_block_is_the_pools_whatever_becomes_of_its_share_by_every_way_in_every_state() {
    tokio::time::pause();
    for way in [Way::Named, Way::Rolled] {
        for state in STATES {
            find(way, state).await;
        }
    }
}

/// Somebody overhears a block and brings it first, by a handler that never saw its job. Whether the owner's share still
/// counts, or the thief's block has ended its work: the owner found it, and is paid for it under `solo`.
#[actix::test]
async fn whoever_brings_the_block_of_anothers_work_first_did_not_find_it() {
    tokio::time::pause();
    for ends_work in [false, true] {
        let pool = Pool::on(InlineStore::fresh(), TestChain::new(EASY_BITS)).await;
        for n in [1, 9] {
            let register = RegisterMiner {
                hotkey: hotkey(n),
                payout_address: None,
                payout_threshold: None,
                from: std::net::Ipv4Addr::LOCALHOST.into(),
            };
            asked(&pool.ports.registration.register, register).await.unwrap();
        }
        if !ends_work {
            pool.chain
                .set_submissions(dwarves_testkit::chain::Submissions::LostBefore);
        }
        let job = pool.job().await;
        let (nonce, proof) = build::mine(&job, 0, true);
        let peers = pool.ports.submission.clone();
        let other = SubmissionHandler::new(peers, LIMITS, job_key(), Arc::new(pool.clock.clone())).start();
        settle().await;
        let bring = async |handler: &Addr<SubmissionHandler>, miner: u8| {
            let submit = SubmitShares {
                miner: hotkey(miner),
                from: std::net::IpAddr::from([192, 0, 2, miner]),
                worker: None,
                shares: vec![Some(build::submission(&job, nonce))],
            };
            let reply = asked(&Port::new(handler), submit).await;
            settle().await;
            (reply.judged, reply.blocks)
        };
        let finder = || {
            let blocks = pool.memory.found_blocks();
            assert_eq!((blocks.len(), blocks[0].hash), (1, proof.hash));
            blocks[0].finder
        };
        let unknown = Ok(vec![Err(Rejection::UnknownJob)]);
        assert_eq!(bring(&other, 9).await, (unknown.clone(), vec![0]));
        assert_eq!(finder(), None, "not the thief");
        let (answer, blocks) = bring(&other, 1).await;
        let counts = matches!(&answer, Ok(verdicts) if verdicts[0].is_ok());
        assert_eq!(
            (counts, blocks.is_empty()),
            (!ends_work, !ends_work),
            "{answer:?}"
        );
        assert_eq!(finder(), Some(hotkey(1)));
        assert_eq!(bring(&other, 9).await, (unknown, vec![0]));
        assert_eq!(finder(), Some(hotkey(1)));
    }
}
