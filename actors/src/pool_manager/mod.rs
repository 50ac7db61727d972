//! The pool manager: owns the pool's life, and the order in which everything stops.
//!
//! It asks all actors, for control only, and is asked by the admin handler, by `/readyz` and by whoever stops
//! the process. Stopping has one order: no more shares, the round in flight closes, what only memory knows is
//! saved, the ledger closes. It knows nothing of shares, work or money.

use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::time::Timestamp;
use dwarves_ports::clock::SharedClock;
use dwarves_ports::store::{SharedStore, Write};
use serde_json::json;
use tokio::sync::watch;
use tracing::Instrument;

use crate::ask::{Ask, AskError, Port, ReplyTo, bound_mailbox};
use crate::block_tracker::messages::ReadBlocks;
use crate::control::Controlled;
use crate::exporter::messages::ExporterControl;
use crate::gate::AttachGate;
use crate::http_gate::AttachHttpGate;
use crate::ledger::messages::{CloseLedger, Commit, ReadLedger};
use crate::live_work::LackOfWork;
use crate::metagraph::ReadMetagraph;
use crate::miner_manager::messages::{DrainMiners, MinerControl, ReadMiners, SetPaused};
use crate::notary::messages::ReadStatements;
use crate::paymaster::messages::{DrainPayouts, PaymasterControl, ReadPayouts};
use crate::reward_distributor::messages::{DistributorControl, DrainRounds, ReadSchedule};
use crate::time_keeper::messages::ReadClock;
use crate::work_evaluator::messages::{EvaluatorControl, ReadEvaluator};
use crate::work_manager::messages::{HoldWork, ReadWork, WorkControl};

pub mod messages;
pub mod settings;
mod status;
#[cfg(test)]
mod tests;

use messages::{ControlMessage, Deliver, LifeState, PoolControl, Stop};
use settings::{Configured, Effective};

/// Questions that may wait in the mailbox.
const MAILBOX_CAPACITY: usize = 256;
/// How long an actor may take to answer while the pool runs.
const ASK_DEADLINE: Duration = Duration::from_secs(10);
/// How long one step of draining may take before the next begins without it.
const DRAIN_STEP_DEADLINE: Duration = Duration::from_secs(10);
/// The setting that says whether the pool is paused.
const PAUSED: &str = "pool.paused";

/// Whether an admin paused the pool in an earlier life.
pub fn is_paused(settings: &std::collections::BTreeMap<String, String>) -> bool {
    settings.get(PAUSED).is_some_and(|value| value == "true")
}

/// Whom the pool manager asks.
#[derive(Clone)]
pub struct PoolPeers {
    /// Whether the ledger writes.
    pub ledger: Port<ReadLedger>,
    /// Where settings are kept.
    pub commit: Port<Commit>,
    /// Closes the ledger after its last commit.
    pub close_ledger: Port<CloseLedger>,
    /// Takes control messages for miners.
    pub miners: Port<MinerControl>,
    /// Stops and takes up shares.
    pub set_paused: Port<SetPaused>,
    /// Saves what only memory knows.
    pub drain_miners: Port<DrainMiners>,
    /// What the miners come to.
    pub read_miners: Port<ReadMiners>,
    /// Takes control messages for work.
    pub work: Port<WorkControl>,
    /// The present work.
    pub read_work: Port<ReadWork>,
    /// Keeps work from being given out.
    pub hold_work: Port<HoldWork>,
    /// Takes control messages for rewards.
    pub rewards: Port<DistributorControl>,
    /// Closes the round in flight and no more.
    pub drain_rounds: Port<DrainRounds>,
    /// When rounds are due.
    pub read_schedule: Port<ReadSchedule>,
    /// Takes control messages for payouts.
    pub payouts: Port<PaymasterControl>,
    /// Takes control messages for exported payouts, where the pool has no wallet.
    pub exporter: Option<Port<ExporterControl>>,
    /// Ends what is under way and begins no more payouts.
    pub drain_payouts: Port<DrainPayouts>,
    /// Reads open payouts, holds and troubles.
    pub read_payouts: Port<ReadPayouts>,
    /// Reads how found blocks are.
    pub read_blocks: Port<ReadBlocks>,
    /// How the machine's clock is.
    pub read_clock: Port<ReadClock>,
    /// How evaluation goes, and where its control messages go, if the pool has work evaluated.
    pub evaluator: Option<(Port<ReadEvaluator>, Port<EvaluatorControl>)>,
    /// How the making of statements goes, if there is a notary.
    pub statements: Option<Port<ReadStatements>>,
}

/// What the pool manager is made with.
pub struct PoolManagerParts {
    /// The actors that it asks.
    pub peers: PoolPeers,
    /// Where it reads the time.
    pub clock: SharedClock,
    /// Tells whoever runs the process that an admin wants it to stop.
    pub stop: watch::Sender<bool>,
    /// Whether an admin paused the pool in an earlier life.
    pub paused: bool,
    /// Where stored settings are read.
    pub store: SharedStore,
    /// Every setting of the configuration with where it comes from.
    pub effective: Vec<Effective>,
    /// What the configuration says of settings that admins can store.
    pub configured: Configured,
}

/// The actor that owns the pool's life.
pub struct PoolManager {
    parts: PoolManagerParts,
    state: LifeState,
    started_at: Timestamp,
    /// The gate before the Stratum listeners, once it is open.
    gate: Option<AttachGate>,
    /// The gate before HTTP, once it has started.
    http_gate: Option<AttachHttpGate>,
    /// Reads how the metagraph is, if there is one.
    metagraph: Option<Port<ReadMetagraph>>,
}

impl PoolManager {
    /// A pool that is starting.
    pub fn new(parts: PoolManagerParts) -> Self {
        let started_at = parts.clock.now();
        Self {
            parts,
            state: LifeState::Starting,
            started_at,
            gate: None,
            http_gate: None,
            metagraph: None,
        }
    }

    fn control(&mut self, control: PoolControl, reply: ReplyTo<Controlled>, ctx: &mut Context<Self>) {
        let order = reply.span();
        let _said_of_it = order.enter();
        match control {
            PoolControl::Status => self.status(reply, ctx),
            PoolControl::Pause => self.pause(true, reply, ctx),
            PoolControl::Resume => self.pause(false, reply, ctx),
            PoolControl::Drain => {
                self.drain(false, None, ctx);
                reply.answer(Ok(json!({ "state": self.state.as_str() })));
            }
            PoolControl::ForgetSetting(setting) => self.forget_setting(setting, reply, ctx),
            PoolControl::Shutdown => {
                // The process stops in its own order, draining included, once it is told.
                let told = self.parts.stop.send(true).is_ok();
                log::warn!("shutdown by an admin's order");
                reply.answer(if told {
                    Ok(json!({ "state": "stopping" }))
                } else {
                    Err(Refusal::ControlRefused(
                        "the process is stopping already".to_owned(),
                    ))
                });
            }
        }
    }

    /// Takes back what an admin stored: what is configured is put into force by the message that stores it, and
    /// with it what is stored is forgotten.
    fn forget_setting(&self, setting: String, reply: ReplyTo<Controlled>, ctx: &mut Context<Self>) {
        let Some(stored_as) = settings::stored_as(&setting) else {
            let why =
                format!("{setting} is none of the settings that admins can store; see `settings` of status");
            return reply.answer(Err(Refusal::ControlRefused(why)));
        };
        let Some(put_back) = settings::put_back(&setting, &self.parts.configured) else {
            let why = format!("{setting} names no miner or worker");
            return reply.answer(Err(Refusal::ControlRefused(why)));
        };
        let store = self.parts.store.clone();
        let me = ctx.address();
        let span = reply.span();
        let forgotten = async move {
            match store.settings().await {
                Ok(settings) if settings.contains_key(&stored_as) => {}
                Ok(_) => {
                    let why = format!("{setting} is not stored: what is configured holds");
                    return reply.answer(Err(Refusal::ControlRefused(why)));
                }
                Err(_) => return reply.answer(Err(Refusal::Unavailable)),
            }
            let forget = Write::SaveSetting {
                key: stored_as,
                value: None,
            };
            let done = json!({ "forgotten": setting });
            let order = reply.order().cloned().unwrap_or_default();
            let order = order.by_way_of(forget, done.clone());
            let deliver: Port<Deliver> = Port::new(&me);
            let put_back = deliver.ask_by_order(Deliver(put_back), Some(order), DRAIN_STEP_DEADLINE);
            match put_back.await {
                Ok(Ok(_)) => {
                    log::warn!("setting={setting} is taken back: what is configured holds");
                    reply.answer(Ok(done));
                }
                Ok(outcome) => reply.answer(outcome),
                Err(_) => reply.answer(Err(Refusal::Unavailable)),
            }
        };
        ctx.spawn(wrap_future(forgotten.instrument(span)));
    }

    /// Pauses or resumes: stored first, then told to the miner manager, then answered.
    fn pause(&mut self, paused: bool, reply: ReplyTo<Controlled>, ctx: &mut Context<Self>) {
        if self.state == LifeState::Draining {
            return reply.answer(Err(Refusal::ControlRefused("the pool is draining".to_owned())));
        }
        let write = Write::SaveSetting {
            key: PAUSED.to_owned(),
            value: Some(paused.to_string()),
        };
        let state = match paused {
            true => LifeState::Paused,
            false => LifeState::Running,
        };
        let writes = reply.commit(vec![write], &json!({ "state": state.as_str() }));
        let peers = self.parts.peers.clone();
        let hold = HoldWork {
            why: LackOfWork::Paused,
            holds: paused,
        };
        let done = async move {
            match peers.commit.ask(Commit { writes }, ASK_DEADLINE).await {
                Ok(Ok(written)) => {
                    let told = peers.set_paused.ask(SetPaused(paused), ASK_DEADLINE).await;
                    let held = told.is_ok() && peers.hold_work.ask(hold, ASK_DEADLINE).await.is_ok();
                    Some((written, held))
                }
                Ok(Err(_)) | Err(_) => None,
            }
        };
        ctx.spawn(wrap_future::<_, Self>(done).map(move |done, this, _| {
            let order = reply.span();
            let _said_of_it = order.enter();
            let Some((written, held)) = done else {
                return reply.answer(Err(Refusal::Unavailable));
            };
            reply.committed(&written);
            if !held {
                return reply.answer(Err(Refusal::Unavailable));
            }
            if this.state != LifeState::Draining {
                this.state = state;
            }
            log::warn!("pool state={}", this.state.as_str());
            let told = json!({ "state": this.state.as_str() });
            reply.answer(crate::control::done(told, &written));
        }));
    }

    /// Takes no more shares, closes the round in flight, ends the look at payouts, saves what only memory knows; with `close` the ledger
    /// is closed too. Then `done` is answered, if anybody waits for it.
    fn drain(&mut self, close: bool, done: Option<ReplyTo<()>>, ctx: &mut Context<Self>) {
        self.state = LifeState::Draining;
        log::info!("draining");
        let peers = self.parts.peers.clone();
        let drained = async move {
            let shares = peers.set_paused.ask(SetPaused(true), DRAIN_STEP_DEADLINE).await;
            report("the shares", shares);
            let hold = HoldWork {
                why: LackOfWork::Draining,
                holds: true,
            };
            report("the work", peers.hold_work.ask(hold, DRAIN_STEP_DEADLINE).await);
            let rounds = peers.drain_rounds.ask(DrainRounds, DRAIN_STEP_DEADLINE).await;
            report("the round in flight", rounds);
            let payouts = peers.drain_payouts.ask(DrainPayouts, DRAIN_STEP_DEADLINE).await;
            report("the payouts", payouts);
            let miners = peers.drain_miners.ask(DrainMiners, DRAIN_STEP_DEADLINE).await;
            report("the miners", miners);
            if close {
                report(
                    "the ledger",
                    peers.close_ledger.ask(CloseLedger, DRAIN_STEP_DEADLINE).await,
                );
            }
            log::info!("drained");
            if let Some(done) = done {
                done.answer(());
            }
        };
        // An admin's order, if this is by one.
        ctx.spawn(wrap_future(drained.in_current_span()));
    }
}

fn report(step: &str, result: Result<(), AskError>) {
    if let Err(error) = result {
        log::error!("draining {step} overran: {error}; the store makes it good at the next start");
    }
}

impl Actor for PoolManager {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        bound_mailbox(ctx, MAILBOX_CAPACITY);
        if !self.parts.paused {
            self.state = LifeState::Running;
            return;
        }
        self.state = LifeState::Paused;
        log::warn!("the pool is paused, as an admin ordered");
        // Their mailboxes are empty: they were started just before this actor.
        let _told = self.parts.peers.set_paused.post(SetPaused(true));
        let _told = self.parts.peers.hold_work.post(HoldWork {
            why: LackOfWork::Paused,
            holds: true,
        });
    }
}

impl Handler<Ask<Deliver>> for PoolManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<Deliver>, ctx: &mut Self::Context) {
        let reply = ask.reply;
        let peers = &self.parts.peers;
        match ask.payload.0 {
            ControlMessage::Pool(control) => self.control(control, reply, ctx),
            ControlMessage::Miners(control) => pass_on(&peers.miners, control, reply, ctx),
            ControlMessage::Work(control) => pass_on(&peers.work, control, reply, ctx),
            ControlMessage::Rewards(control) => pass_on(&peers.rewards, control, reply, ctx),
            ControlMessage::Gate(control) => match &self.gate {
                Some(gate) => pass_on(&gate.control, control, reply, ctx),
                None => reply.answer(refused("no Stratum listener is open; set stratum.listen")),
            },
            ControlMessage::HttpGate(control) => match &self.http_gate {
                Some(gate) => pass_on(&gate.control, control, reply, ctx),
                None => reply.answer(Err(Refusal::Busy)),
            },
            ControlMessage::Evaluator(control) => match &peers.evaluator {
                Some((_, port)) => pass_on(port, control, reply, ctx),
                None => reply.answer(refused(
                    "this pool mines a chain; work.kind = \"evaluated\" has work evaluated",
                )),
            },
            ControlMessage::Payouts(control) => pass_on(&peers.payouts, control, reply, ctx),
            ControlMessage::Exports(control) => match &peers.exporter {
                Some(port) => pass_on(port, control, reply, ctx),
                None => reply.answer(refused(
                    "this pool pays by its own wallet; paymaster pay_now does so at once",
                )),
            },
        }
    }
}

fn refused(why: &str) -> Controlled {
    Err(Refusal::ControlRefused(why.to_owned()))
}

/// Takes an admin's message to its actor, and the actor's answer back.
fn pass_on<C: crate::ask::Request<Reply = Controlled>>(
    port: &Port<C>,
    control: C,
    reply: ReplyTo<Controlled>,
    ctx: &mut Context<PoolManager>,
) {
    let (port, order) = (port.clone(), reply.order().cloned());
    ctx.spawn(wrap_future(async move {
        let outcome = port.ask_by_order(control, order, DRAIN_STEP_DEADLINE).await;
        reply.answer(outcome.unwrap_or_else(|error| Err(error.into())));
    }));
}

impl Handler<Ask<Stop>> for PoolManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<Stop>, ctx: &mut Self::Context) {
        self.drain(true, Some(ask.reply), ctx);
    }
}
