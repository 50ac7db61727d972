//! One life of the pool: everything is started from the store, and in the end it stops in order or just ends.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use dwarves_actors::assembly::{self, Placement, PoolSettings, Trade, World};
use dwarves_actors::exporter::ExportSettings;
use dwarves_actors::pool_manager::messages::Stop;
use dwarves_actors::testing::settings::pool_settings;
use dwarves_actors::work_evaluator::EvaluatorSettings;
use dwarves_domain::address::AddressFormat;
use dwarves_domain::evaluation::Reading as Figure;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::payouts::FeePayer;
use dwarves_domain::rewards::Source;
use dwarves_domain::rewards::evaluated::EvaluatedTerms;
use dwarves_domain::time::Span;
use dwarves_domain::timekeeping::Rules;
use dwarves_domain::units::BasisPoints;
use dwarves_ports::clock::Clock;
use dwarves_ports::signer::Signer;
use dwarves_testkit::build::sats;
use dwarves_testkit::faulty_store::{Fault, FaultPlan, FaultyStore};
use dwarves_testkit::{PacedStore, Prng, RecordingHalt, SimClock};
use tokio::sync::watch;

use super::operator::Operator;
use super::oracle;
use super::reading::Reading;
use super::sender::{self, Door};
use super::{AT_ONCE, LOSS_FLOOR, MAX_AGE, Simulation, TIMEOUT, TRIES, Terms, WINNER_BPS};
use crate::life::{Ended, Ending, RandomPace};

/// How many times a second what is left may take in the last life.
const PATIENCE: u32 = 900;

/// How a life goes.
pub(super) struct Plan {
    faults: FaultPlan,
    length: Span,
    ending: Ending,
    seed: u64,
    /// Evaluators are good in the end, and all work is evaluated.
    pub(super) is_last: bool,
}

impl Plan {
    pub(super) fn new(prng: &mut Prng, is_last: bool) -> Self {
        let mut faults = FaultPlan::default();
        if !is_last {
            for _ in 0..prng.below(4) {
                faults.at.push((1 + prng.below(80), Fault::Refuse));
            }
            if prng.chance(20) {
                let from = 1 + prng.below(60);
                faults.disk_full = Some(from..from + 1 + prng.below(20));
            }
            if prng.chance(60) {
                let fault = if prng.chance(50) {
                    Fault::LoseBefore
                } else {
                    Fault::LoseAfter
                };
                faults.at.push((1 + prng.below(100), fault));
            }
        }
        Self {
            faults,
            length: Span::from_millis(3_000 + prng.below(40_000)),
            ending: if is_last || prng.chance(25) {
                Ending::Stop
            } else {
                Ending::Crash
            },
            seed: prng.bits(),
            is_last,
        }
    }
}

fn settings(terms: &Terms) -> PoolSettings {
    let mut settings = pool_settings();
    let of_rewards = &mut settings.rewards.terms;
    of_rewards.scheme = terms.scheme;
    of_rewards.source = Source::Emission;
    of_rewards.emission = sats(terms.emission);
    of_rewards.unearned = terms.unearned;
    of_rewards.fee = BasisPoints::new(terms.fee_bps).expect("a part");
    of_rewards.evaluated = EvaluatedTerms {
        measure: terms.measure,
        loss_floor: Figure::from_steps(u128::from(LOSS_FLOOR)).expect("a loss"),
        winner: BasisPoints::new(WINNER_BPS as u16).expect("a part"),
        max_age: MAX_AGE,
    };
    // Whoever is owed anything is in the next batch.
    settings.payouts.threshold = sats(1);
    settings.payouts.threshold_min = sats(1);
    settings.payouts.dust = sats(0);
    settings.payouts.payer = FeePayer::Pool;
    settings.payouts.addresses = AddressFormat::Nothing;
    settings.rewards.run_interval = Span::from_secs(3);
    settings.clock = Rules {
        tolerance: Span::from_secs(600),
        settle: Span::from_secs(5),
    };
    settings
}

fn trade(sim: &Simulation) -> Trade {
    let evaluator = EvaluatorSettings {
        evaluator: Arc::new(sim.judge.clone()),
        timeout: TIMEOUT,
        at_once: AT_ONCE,
        waiting_max: 10,
        of_miner_max: 4,
        tries: TRIES,
        retry_after: Span::from_millis(500),
        history: sim.terms.keep,
        measure: sim.terms.measure,
        max_age: MAX_AGE,
        mailbox_capacity: 64,
    };
    let exports = ExportSettings {
        unit: "TAO".to_owned(),
        decimals: 9,
        signer: Arc::new(NoSignature),
    };
    Trade::Evaluating {
        evaluator: Box::new(evaluator),
        exports,
    }
}

/// Signs for a pool whose signatures nobody checks.
struct NoSignature;

impl Signer for NoSignature {
    fn hotkey(&self) -> Hotkey {
        Hotkey::from_bytes([9; 32])
    }

    fn sign(&self, _: &[u8]) -> [u8; 64] {
        [0; 64]
    }
}

/// Lives one life; whatever is under way when it ends is lost.
pub(super) fn live(sim: &mut Simulation, plan: &Plan) -> Ended {
    sim.memory = sim.memory.reopen().expect("a ledger is whole after any life");
    let system = actix::System::new();
    let ended = system.block_on(async {
        tokio::time::pause();
        let clock = SimClock::starting_at(sim.now);
        let ended = live_inside(sim, plan, &clock).await;
        sim.now = clock.now();
        ended
    });
    // Dropping the system drops every actor and every future, as a crash does.
    drop(system);
    ended
}

async fn live_inside(sim: &Simulation, plan: &Plan, clock: &SimClock) -> Ended {
    let halt = RecordingHalt::default();
    let mut prng = Prng::new(plan.seed);
    let (memory, readings) = (sim.memory.clone(), sim.readings.clone());
    let faulty = FaultyStore::new(Arc::new(sim.memory.clone()), plan.faults.clone()).telling_of_results(
        move |until| {
            if let Some(reading) = Reading::of(&memory, until) {
                readings.send_modify(|readings| readings.push(reading));
            }
        },
    );
    let pace = RandomPace(AtomicU64::new(prng.bits()));
    let world = World {
        store: Arc::new(PacedStore::new(Arc::new(faulty), Arc::new(pace))),
        trade: trade(sim),
        clock: Arc::new(clock.clone()),
        halt: halt.shared(),
        stop: watch::Sender::new(false),
    };
    let ports = assembly::start(settings(&sim.terms), world, &Placement::Here)
        .await
        .expect("a ledger in memory can always be read");
    let door = Door {
        evaluator: ports.evaluator.clone().expect("the pool has work evaluated"),
        ports: ports.clone(),
        memory: sim.memory.clone(),
        records: sim.records.clone(),
        keeps_all: sim.terms.keep == u32::MAX,
    };
    let operator = Operator {
        door: door.clone(),
        judge: sim.judge.clone(),
        clock: clock.clone(),
        prng: prng.fork(),
        miners: sim.miners.len() as u8,
    };
    operator.calm().await;
    for state in &sim.miners {
        actix::spawn(sender::send(state.clone(), door.clone()));
    }
    let work = async {
        if plan.is_last {
            tokio::time::sleep(plan.length.to_std()).await;
            sim.miners
                .iter()
                .for_each(|state| state.borrow_mut().retired = true);
            // Whoever was about to send something has done so.
            tokio::time::sleep(Duration::from_secs(40)).await;
            sim.judge.be_good();
            for _ in 0..PATIENCE {
                if oracle::nothing_waits(&sim.memory) {
                    break;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        } else {
            actix::spawn(operator.rage());
            tokio::time::sleep(plan.length.to_std()).await;
        }
        match plan.ending {
            Ending::Crash => Ended::Crashed,
            Ending::Stop => {
                let stopped = ports.stop.ask(Stop, Duration::from_secs(60)).await;
                stopped.expect("the pool stops within a minute");
                Ended::Stopped
            }
        }
    };
    tokio::select! {
        biased;
        () = halt.halted() => Ended::Halted(halt.reasons().join("; ")),
        ended = work => ended,
    }
}
