//! How the pool is, gathered from those who know.

use actix::fut::wrap_future;
use actix::prelude::*;
use serde_json::json;

use super::messages::{LifeState, PoolView, ReadPool};
use super::settings;
use super::{ASK_DEADLINE, PoolManager, PoolPeers};
use crate::ask::{Ask, Port, ReplyTo};
use crate::block_tracker::messages::ReadBlocks;
use crate::control::Controlled;
use crate::gate::{AttachGate, GateView, ReadGate};
use crate::http_gate::{AttachHttpGate, HttpGateView, ReadHttpGate};
use crate::ledger::messages::ReadLedger;
use crate::live_work::NoWork;
use crate::metagraph::{AttachMetagraph, MetagraphView, ReadMetagraph};
use crate::miner_manager::messages::{MinersView, ReadMiners};
use crate::notary::messages::{ReadStatements, StatementsView};
use crate::paymaster::messages::{PayoutsView, ReadPayouts};
use crate::reward_distributor::messages::ReadSchedule;
use crate::time_keeper::messages::{ClockView, ReadClock};
use crate::wall_time::rfc3339;
use crate::work_evaluator::messages::{EvaluatorView, ReadEvaluator};
use crate::work_manager::messages::ReadWork;

/// Where those are read who started after this actor: the gates before Stratum and before HTTP, and the metagraph.
type Gates = (
    Option<Port<ReadGate>>,
    Option<Port<ReadHttpGate>>,
    Option<Port<ReadMetagraph>>,
);

impl PoolManager {
    fn gates(&self) -> Gates {
        let stratum = self.gate.as_ref().map(|gate| gate.read.clone());
        let http = self.http_gate.as_ref().map(|gate| gate.read.clone());
        (stratum, http, self.metagraph.clone())
    }

    /// The view of the pool as far as this actor knows it, to be completed by those that it asks.
    fn own_view(&self) -> PoolView {
        PoolView {
            state: self.state,
            started_at: self.parts.clock.date_of(self.started_at),
            ledger_writes: true,
            has_work: true,
            no_work: None,
            gate: None,
            http_gate: None,
            standing: None,
            statements: None,
            hindrances: Vec::new(),
        }
    }

    pub(super) fn status(&self, reply: ReplyTo<Controlled>, ctx: &mut Context<Self>) {
        let (peers, gates) = (self.parts.peers.clone(), self.gates());
        let view = self.own_view();
        let (store, configured) = (self.parts.store.clone(), self.parts.effective.clone());
        ctx.spawn(wrap_future(async move {
            let metagraph = read_metagraph(gates.2.as_ref()).await;
            let view = complete(&peers, gates, view).await;
            let miners = peers.read_miners.ask(ReadMiners, ASK_DEADLINE).await.ok();
            let schedule = peers.read_schedule.ask(ReadSchedule, ASK_DEADLINE).await.ok();
            let payouts = peers.read_payouts.ask(ReadPayouts, ASK_DEADLINE).await.ok();
            let clock = peers.read_clock.ask(ReadClock, ASK_DEADLINE).await.ok();
            let evaluation = match &peers.evaluator {
                Some((read, _)) => read.ask(ReadEvaluator, ASK_DEADLINE).await.ok(),
                None => None,
            };
            let stored = store.settings().await.ok();
            let settings = stored.map(|stored| settings::to_json(&settings::merge(&configured, &stored)));
            reply.answer(Ok(json!({
                "state": view.state.as_str(),
                "ready": view.hindrances.is_empty(),
                "hindrances": view.hindrances,
                "chain": view.standing.as_ref().map(|standing| standing.to_json()),
                "no_work": view.no_work.as_ref().map(no_work_json),
                "stratum": view.gate.as_ref().map(GateView::to_json),
                "metagraph": metagraph.as_ref().map(MetagraphView::to_json),
                "http": view.http_gate.as_ref().map(HttpGateView::to_json),
                "statements": view.statements.as_ref().map(StatementsView::to_json),
                "evaluation": evaluation.as_ref().map(EvaluatorView::to_json),
                "miners": miners.as_ref().map(|m| m.miners),
                "workers_active": miners.as_ref().map(|m| m.workers_active),
                "shares_accepted": miners.as_ref().map(|m| m.accepted),
                "registration_open": miners.as_ref().map(|m| m.registration_open),
                "rounds_paused": schedule.as_ref().map(|s| s.paused),
                "rounds_missed": schedule.as_ref().map(|s| s.missed),
                "clock": clock.as_ref().map(ClockView::to_json),
                "last_round": schedule.as_ref().and_then(|s| s.last_round).map(|id| id.get()),
                "settings": settings,
                "payouts": payouts.as_ref().map(PayoutsView::to_json),
            })));
        }));
    }
}

/// Why no work is given out, as `status` shows it.
fn no_work_json(lack: &NoWork) -> serde_json::Value {
    json!({
        "why": lack.why.as_str(),
        "detail": lack.why.text(),
        "since": rfc3339(lack.since),
        "secs": lack.began.elapsed().secs(),
        "miners_let_go": lack.lets_go,
    })
}

/// Asks the work manager and the ledger how they are.
async fn complete(peers: &PoolPeers, gates: Gates, mut view: PoolView) -> PoolView {
    let (stratum, http, metagraph) = gates;
    if let Some(read) = stratum {
        view.gate = read.ask(ReadGate, ASK_DEADLINE).await.ok();
    }
    if let Some(read) = http {
        view.http_gate = read.ask(ReadHttpGate, ASK_DEADLINE).await.ok();
    }
    match view.state {
        LifeState::Running => {}
        LifeState::Starting => view.hindrances.push("the pool is starting".to_owned()),
        LifeState::Paused => view.hindrances.push("the pool is paused by an admin".to_owned()),
        LifeState::Draining => view.hindrances.push("the pool is draining".to_owned()),
    }
    match &peers.evaluator {
        None => look_at_work(peers, &mut view).await,
        // There is always work to be brought.
        Some((read, _)) => match read.ask(ReadEvaluator, ASK_DEADLINE).await {
            Ok(evaluator) => view.hindrances.extend(evaluator.hindrance),
            Err(error) => {
                view.has_work = false;
                view.hindrances
                    .push(format!("the work evaluator does not answer: {error}"));
            }
        },
    }
    // What hinders payouts hinders no miner: it is told, but the pool stays ready.
    match peers.read_payouts.ask(ReadPayouts, ASK_DEADLINE).await {
        Ok(payouts) => {
            let holds = payouts.holds.lines();
            view.hindrances
                .extend(holds.map(|hold| format!("payouts are held by {hold}")));
            let troubles = payouts.troubles.iter();
            view.hindrances
                .extend(troubles.map(|trouble| format!("payouts: {trouble}")));
        }
        Err(error) => view
            .hindrances
            .push(format!("the paymaster does not answer: {error}")),
    }
    match peers.read_blocks.ask(ReadBlocks, ASK_DEADLINE).await {
        Ok(blocks) => view.hindrances.extend(blocks.troubles),
        Err(error) => view
            .hindrances
            .push(format!("the block tracker does not answer: {error}")),
    }
    // Nor does a clock that is wrong: miners go on by the time that passes.
    match peers.read_clock.ask(ReadClock, ASK_DEADLINE).await {
        Ok(clock) => view.hindrances.extend(clock.hindrance),
        Err(error) => view
            .hindrances
            .push(format!("the time keeper does not answer: {error}")),
    }
    match peers.read_miners.ask(ReadMiners, ASK_DEADLINE).await {
        Ok(miners) => view.hindrances.extend(recent_shares(&miners)),
        Err(error) => view
            .hindrances
            .push(format!("the miner manager does not answer: {error}")),
    }
    // It keeps out who registered since, and nobody else.
    let metagraph = read_metagraph(metagraph.as_ref()).await;
    view.hindrances
        .extend(metagraph.and_then(|metagraph| metagraph.hindrance()));
    if let Some(read) = &peers.statements {
        match read.ask(ReadStatements, ASK_DEADLINE).await {
            Ok(statements) => {
                view.hindrances.extend(statements.hindrance());
                view.statements = Some(statements);
            }
            Err(error) => view
                .hindrances
                .push(format!("the notary does not answer: {error}")),
        }
    }
    match peers.ledger.ask(ReadLedger, ASK_DEADLINE).await {
        Ok(ledger) => {
            view.ledger_writes = ledger.trouble.is_none();
            view.hindrances.extend(
                ledger
                    .trouble
                    .map(|why| format!("the ledger cannot write: {why}")),
            );
        }
        Err(error) => {
            view.ledger_writes = false;
            view.hindrances
                .push(format!("the ledger does not answer: {error}"));
        }
    }
    view
}

/// Asks the work manager what there is to mine.
async fn look_at_work(peers: &PoolPeers, view: &mut PoolView) {
    match peers.read_work.ask(ReadWork, ASK_DEADLINE).await {
        Ok(work) => {
            view.has_work = work.work.current.is_some();
            view.no_work = work.work.lack.clone();
            view.hindrances
                .extend(view.no_work.as_ref().map(NoWork::to_string));
            view.hindrances.extend(work.trouble);
            let doubt = work.standing.trouble.iter();
            view.hindrances
                .extend(doubt.map(|trouble| format!("chain {}: {trouble}", work.standing.verdict)));
            view.standing = Some(work.standing);
        }
        Err(error) => {
            view.has_work = false;
            view.hindrances
                .push(format!("the work manager does not answer: {error}"));
        }
    }
}

async fn read_metagraph(port: Option<&Port<ReadMetagraph>>) -> Option<MetagraphView> {
    port?.ask(ReadMetagraph, ASK_DEADLINE).await.ok()
}

/// What is to be said of the room for live shares, if it is nearly full.
fn recent_shares(miners: &MinersView) -> Option<String> {
    let (recent, room) = miners.recent_shares;
    miners.recent_shares_nearly_full.then(|| {
        format!(
            "recent_shares is nearly full: {recent} of {room} live shares are remembered, and when it is full shares \
             are refused"
        )
    })
}

impl Handler<Ask<ReadPool>> for PoolManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadPool>, ctx: &mut Self::Context) {
        let (peers, gates) = (self.parts.peers.clone(), self.gates());
        let view = self.own_view();
        ctx.spawn(wrap_future(async move {
            ask.reply.answer(complete(&peers, gates, view).await);
        }));
    }
}

impl Handler<Ask<AttachHttpGate>> for PoolManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<AttachHttpGate>, _: &mut Self::Context) {
        self.http_gate = Some(ask.payload);
        ask.reply.answer(());
    }
}

impl Handler<Ask<AttachGate>> for PoolManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<AttachGate>, _: &mut Self::Context) {
        self.gate = Some(ask.payload);
        ask.reply.answer(());
    }
}

impl Handler<Ask<AttachMetagraph>> for PoolManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<AttachMetagraph>, _: &mut Self::Context) {
        let AttachMetagraph(read) = ask.payload;
        self.metagraph = Some(read);
        ask.reply.answer(());
    }
}
