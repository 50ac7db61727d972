//! A pool of two miners, its blocks and what becomes of them, told step by step; a life goes on where the one before
//! was cut off.

use std::sync::Arc;
use std::time::Duration;

use dwarves_actors::ask::{Port, Request};
use dwarves_actors::assembly::{self, Placement, PoolPorts, Trade, World};
use dwarves_actors::miner_manager::messages::{
    AssignWorker, Assigned, CheckedShares, JudgeShares, MinerControl, RegisterMiner,
};
use dwarves_actors::pool_manager::messages::{ControlMessage, Deliver};
use dwarves_actors::testing::settings::pool_settings;
use dwarves_actors::work_manager::messages::{IssueJob, IssuedJob};
use dwarves_domain::ids::HeaderHash;
use dwarves_domain::share::ProvenShare;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::units::Units;
use dwarves_domain::work::Job;
use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::build::{BEGIN, EASY_BITS, hotkey, mine, worker_name};
use dwarves_testkit::{
    ChainFault, CrashPoint, FaultyChain, PacedStore, RecordingHalt, SimClock, TestChain, TestWallet,
};
use tokio::sync::watch;

use crate::check;

/// How many times six seconds the end may take: longer than a call that is never answered.
const PATIENCE: u32 = 30;

/// How the story ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// A block is orphaned while it is immature.
    Orphaned,
    /// So it is, and it comes back.
    BroughtBack,
    /// A block is orphaned after it is mature.
    DeepReorg,
}

impl Ending {
    pub(crate) const ALL: [Self; 3] = [Self::Orphaned, Self::BroughtBack, Self::DeepReorg];
}

/// What goes wrong in a life.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) crash_at: Option<u64>,
    pub(crate) fault: Option<(u64, ChainFault)>,
}

/// What happens, in order. A step that was cut off is taken again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scene {
    Register,
    Work,
    /// The first miner finds a block.
    FirstBlock,
    /// Both find a block of the same height.
    TwoBlocks,
    /// The first miner is banned, after it found blocks.
    Ban,
    /// The second finds one while the chain is down.
    BlockInTheDark,
    /// Time passes, so that rounds close.
    Rounds,
    Bury(u32),
    Reorganise(u32),
    BringBack,
    /// Until everything is deep and booked.
    Rest,
}

pub(crate) struct Story {
    memory: InlineStore,
    chain: TestChain,
    now: Timestamp,
    scenes: Vec<Scene>,
    next: usize,
    first: Option<HeaderHash>,
    /// How many shares were durable when each crash came.
    pub(crate) ends: Vec<u64>,
}

impl Story {
    pub(crate) fn new(ending: Ending) -> Self {
        use Scene::*;
        let mut scenes = vec![
            Register,
            Work,
            FirstBlock,
            Rounds,
            Work,
            TwoBlocks,
            Ban,
            BlockInTheDark,
            Rounds,
        ];
        scenes.extend(match ending {
            Ending::Orphaned => vec![Reorganise(5), Rounds],
            Ending::BroughtBack => vec![Reorganise(5), Rounds, BringBack, Rounds],
            Ending::DeepReorg => vec![Bury(12), Rounds, Reorganise(16), Rounds],
        });
        scenes.push(Rest);
        Self {
            memory: InlineStore::fresh(),
            chain: TestChain::new(EASY_BITS),
            now: BEGIN,
            scenes,
            next: 0,
            first: None,
            ends: Vec::new(),
        }
    }

    pub(crate) fn store(&self) -> &InlineStore {
        &self.memory
    }

    pub(crate) fn chain(&self) -> &TestChain {
        &self.chain
    }

    pub(crate) fn is_over(&self) -> bool {
        self.next == self.scenes.len()
    }

    /// Lives one life; gives how many steps and calls it took.
    pub(crate) fn live(&mut self, plan: Plan) -> (u64, u64) {
        self.memory = self.memory.reopen().expect("a ledger is whole after any life");
        let system = actix::System::new();
        let crash = CrashPoint::at(plan.crash_at);
        let chain = FaultyChain::new(Arc::new(self.chain.clone()), plan.fault, crash.clone());
        let calls = chain.clone();
        self.chain.set_down(false);
        system.block_on(async {
            tokio::time::pause();
            let clock = SimClock::starting_at(self.now);
            let halt = RecordingHalt::default();
            let store = PacedStore::new(Arc::new(self.memory.clone()), Arc::new(crash.clone()));
            let world = World {
                store: Arc::new(store),
                trade: Trade::Mining {
                    chain: Arc::new(chain),
                    wallet: Arc::new(TestWallet::default()),
                },
                clock: Arc::new(clock.clone()),
                halt: halt.shared(),
                stop: watch::Sender::new(false),
            };
            let mut settings = pool_settings();
            settings.rewards.terms.window = Units::from_raw(Units::ONE.raw() / 2);
            settings.rewards.run_interval = Span::from_secs(5);
            let ports = assembly::start(settings, world, &Placement::Here).await;
            let ports = ports.expect("a ledger in memory can always be read");
            tokio::select! {
                biased;
                () = halt.halted() => panic!("halted: {:?}", halt.reasons()),
                () = crash.reached() => {}
                () = self.go_on(&ports, &clock) => {}
            }
            self.now = dwarves_ports::clock::Clock::now(&clock).plus(Span::from_secs(1));
        });
        drop(system);
        self.ends.push(self.memory.shares().len() as u64);
        (crash.steps(), calls.calls())
    }

    async fn go_on(&mut self, ports: &PoolPorts, clock: &SimClock) {
        while let Some(scene) = self.scenes.get(self.next).copied() {
            self.play(scene, ports, clock).await;
            self.next += 1;
        }
    }

    async fn play(&mut self, scene: Scene, ports: &PoolPorts, clock: &SimClock) {
        match scene {
            Scene::Register => {
                for n in [1, 2] {
                    let register = RegisterMiner {
                        hotkey: hotkey(n),
                        payout_address: None,
                        payout_threshold: None,
                        from: std::net::Ipv4Addr::LOCALHOST.into(),
                    };
                    // The crash may have come before the answer.
                    let _registered = ask(&ports.registration.register, register).await;
                }
            }
            Scene::Work => {
                for n in [1, 2, 1] {
                    let job = self.job(n, ports).await;
                    send(ports, clock, n, &job, 4, None).await;
                }
            }
            Scene::FirstBlock => {
                let job = self.job(1, ports).await;
                self.first = Some(send(ports, clock, 1, &job, 1, Some(0)).await);
            }
            Scene::TwoBlocks => {
                let (one, two) = (self.job(1, ports).await, self.job(2, ports).await);
                // Both are sent before either has its answer, or the second would be stale.
                let first = send(ports, clock, 1, &one, 2, Some(0));
                tokio::join!(first, send(ports, clock, 2, &two, 1, Some(0)));
            }
            Scene::Ban => {
                let ban = MinerControl::Ban {
                    hotkey: hotkey(1),
                    reason: "a test".to_owned(),
                    until: None,
                };
                let _banned = ask(&ports.deliver, Deliver(ControlMessage::Miners(ban))).await;
            }
            Scene::BlockInTheDark => {
                let job = self.job(2, ports).await;
                self.chain.set_down(true);
                send(ports, clock, 2, &job, 1, Some(0)).await;
                sleep(20).await;
                self.chain.set_down(false);
                sleep(20).await;
            }
            Scene::Rounds => sleep(11).await,
            // What happens to the chain happens at once and is not done again.
            Scene::Bury(blocks) => self.chain.others_find(blocks),
            Scene::Reorganise(depth) => self.chain.reorganise(depth.min(self.chain.tip().height - 100)),
            Scene::BringBack => {
                if let Some(first) = self.first {
                    self.chain.bring_back(first);
                }
            }
            Scene::Rest => {
                // Deeper than any block of the story is followed.
                self.chain.others_find(25);
                for _ in 0..PATIENCE {
                    sleep(6).await;
                    if check::is_at_rest(&self.memory, &self.chain) {
                        return;
                    }
                }
            }
        }
    }

    /// A job for a miner, as soon as there is work on the chain's tip.
    async fn job(&self, n: u8, ports: &PoolPorts) -> Arc<Job> {
        loop {
            let assign = AssignWorker {
                hotkey: hotkey(n),
                worker: worker_name("rig"),
                client: dwarves_domain::miners::Client::Earlier,
            };
            let assigned = ask(&ports.submission.assign, assign).await;
            if let Ok(Assigned { worker, share_target }) = assigned {
                let issue = IssueJob {
                    owner: hotkey(n),
                    worker,
                    share_target,
                };
                if let Ok(IssuedJob { job, .. }) = ask(&ports.submission.issue, issue).await
                    && job.template().chain().previous == self.chain.tip().hash
                {
                    return job;
                }
            }
            sleep(1).await;
        }
    }
}

/// Sends shares of a job, one of them a block if it is wanted, and gives the last one's hash.
async fn send(
    ports: &PoolPorts,
    clock: &SimClock,
    n: u8,
    job: &Arc<Job>,
    shares: u32,
    block_at: Option<u32>,
) -> HeaderHash {
    let mut nonce = 0;
    let mut checked = Vec::new();
    let mut last = HeaderHash::from_bytes([0; 32]);
    for share in 0..shares {
        let is_block = block_at.is_some_and(|at| at + share + 1 == shares);
        let (found, proof) = mine(job, nonce, is_block);
        nonce = found + 1;
        last = proof.hash;
        checked.push(Ok(ProvenShare {
            job: Arc::clone(job),
            proof,
        }));
    }
    let judge = JudgeShares {
        sent_at: dwarves_ports::clock::Clock::now(clock),
        requests: vec![CheckedShares {
            miner: hotkey(n),
            received_at: dwarves_ports::clock::Clock::now(clock),
            worker: None,
            shares: checked,
        }],
    };
    ask(&ports.submission.judge, judge).await;
    last
}

async fn ask<R: Request>(port: &Port<R>, payload: R) -> R::Reply {
    let answer = port.ask(payload, Duration::from_secs(300)).await;
    answer.expect("the pool answers within five minutes")
}

async fn sleep(secs: u64) {
    tokio::time::sleep(Duration::from_secs(secs)).await;
}
