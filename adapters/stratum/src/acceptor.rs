//! The gate: accepts connections on every listener and hands each to a thread. It owns who may connect and which
//! extranonces are taken; it knows nothing of what is said in a session.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_actors::ask::{Ask, AskError, Outbox, Request, bound_mailbox};
use dwarves_actors::gate::{GateControl, GateView, KeptOut, ReadGate};
use dwarves_actors::live_work::WorkChanged;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::time::Span;
use dwarves_ports::clock::{SharedClock, poke_every};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::connection_limiter::{ConnectionLimiter, NoSeat, Place};
use super::messages::{Admit, LetGo, Newcomer, PutOut, TakeExtraNonce};
use super::penalties::KeptOutWorkers;
use super::settings::Listener;

/// Connections that may wait in the mailbox, beside the sessions' questions.
const ARRIVING_MAX: usize = 1_024;
/// How often it is looked who may come in again.
const LOOK_EVERY: Span = Span::from_secs(2);
/// The wait after accepting failed, for want of file handles for example.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Accepts no more connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseGate;

impl Request for CloseGate {
    type Reply = ();
}

/// The actor that owns who may connect.
pub struct StratumAcceptor {
    seats: ConnectionLimiter,
    clock: SharedClock,
    /// Tells the threads which workers are kept out.
    kept_out: watch::Sender<Arc<KeptOutWorkers>>,
    /// What was counted since the start.
    counts: GateView,
    bound: Vec<std::net::TcpListener>,
    listeners: Arc<[Listener]>,
    /// Of each listener, one more than it has connections.
    by_listener: Vec<Place>,
    fronts: Vec<Outbox<Newcomer>>,
    next_front: usize,
    accepting: Vec<SpawnHandle>,
    /// There has been no live work for too long: whoever comes is sent away, so that it can work elsewhere.
    is_shut: bool,
}

impl StratumAcceptor {
    /// A gate before these bound listeners. It opens when it is told of the threads behind it.
    pub fn new(
        seats: ConnectionLimiter,
        clock: SharedClock,
        kept_out: watch::Sender<Arc<KeptOutWorkers>>,
        bound: Vec<std::net::TcpListener>,
        listeners: Arc<[Listener]>,
    ) -> Self {
        Self {
            seats,
            clock,
            kept_out,
            counts: GateView::default(),
            bound,
            by_listener: listeners.iter().map(|_| Place::default()).collect(),
            listeners,
            fronts: Vec::new(),
            next_front: 0,
            accepting: Vec::new(),
            is_shut: false,
        }
    }

    fn accept_on(&mut self, number: usize, bound: std::net::TcpListener, ctx: &mut Context<Self>) {
        let listener = match TcpListener::from_std(bound) {
            Ok(listener) => listener,
            Err(error) => {
                log::error!("{} accepts nobody: {error}", self.listeners[number].address);
                return;
            }
        };
        let me = ctx.address().downgrade();
        let accepting = async move {
            loop {
                match listener.accept().await {
                    Ok((stream, peer)) => {
                        let Some(me) = me.upgrade() else { return };
                        let outbox = Outbox::new(&me);
                        let arrived = Arrived {
                            stream,
                            ip: peer.ip(),
                            listener: number,
                        };
                        if outbox.tell(arrived).is_err() {
                            log::debug!("the gate is busy; {peer} must come again");
                        }
                    }
                    Err(error) => {
                        log::warn!("a connection could not be accepted: {error}");
                        tokio::time::sleep(AFTER_FAILURE).await;
                    }
                }
            }
        };
        let handle = ctx.spawn(wrap_future(accepting));
        self.accepting.push(handle);
    }

    /// Gives a connection its places and a thread.
    fn let_in(&mut self, arrived: Arrived) -> Result<(), NoSeat> {
        let place = self.seats.take()?;
        let listener = &self.listeners[arrived.listener];
        let is_proxy = listener.proxies.iter().any(|subnet| subnet.contains(arrived.ip));
        let address_seat = if is_proxy {
            None
        } else {
            Some(self.seats.take_for(arrived.ip, self.clock.now())?)
        };
        let stream = match arrived.stream.into_std() {
            Ok(stream) => stream,
            Err(error) => {
                log::debug!("a connection was lost: {error}");
                return Ok(());
            }
        };
        let newcomer = Newcomer {
            stream,
            ip: arrived.ip,
            listener: arrived.listener,
            places: (place, Arc::clone(&self.by_listener[arrived.listener])),
            address_seat,
        };
        self.next_front = (self.next_front + 1) % self.fronts.len().max(1);
        if let Some(front) = self.fronts.get(self.next_front)
            && front.tell(newcomer).is_err()
        {
            log::debug!("a thread is busy; {} must come again", arrived.ip);
        }
        Ok(())
    }
}

impl Actor for StratumAcceptor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // A session asks one thing at a time.
        bound_mailbox(ctx, self.seats.caps().total + ARRIVING_MAX);
        let me = Outbox::new(&ctx.address());
        ctx.spawn(wrap_future(poke_every(LOOK_EVERY, move || {
            me.tell(LookAtOffenders) != Err(AskError::Gone)
        })));
    }
}

/// Opens the gate to these threads.
#[derive(Message)]
#[rtype(result = "()")]
pub struct OpenGate(pub Vec<Outbox<Newcomer>>);

impl Handler<OpenGate> for StratumAcceptor {
    type Result = ();

    fn handle(&mut self, open: OpenGate, ctx: &mut Self::Context) {
        self.fronts = open.0;
        for (number, bound) in std::mem::take(&mut self.bound).into_iter().enumerate() {
            self.accept_on(number, bound, ctx);
        }
    }
}

/// A connection was accepted.
#[derive(Message)]
#[rtype(result = "()")]
struct Arrived {
    stream: TcpStream,
    ip: IpAddr,
    listener: usize,
}

impl Handler<Arrived> for StratumAcceptor {
    type Result = ();

    fn handle(&mut self, arrived: Arrived, _: &mut Self::Context) {
        let ip = arrived.ip;
        if self.is_shut {
            log::debug!("{ip} is sent away: there is no work");
            self.counts.sent_away += 1;
            return;
        }
        if let Err(why) = self.let_in(arrived) {
            log::debug!("{ip} is not let in: {why:?}");
            self.counts.refused += u64::from(why == NoSeat::Banned);
        }
    }
}

impl Handler<WorkChanged> for StratumAcceptor {
    type Result = ();

    fn handle(&mut self, news: WorkChanged, _: &mut Self::Context) {
        self.is_shut = news.0.lets_go();
    }
}

impl Handler<Ask<TakeExtraNonce>> for StratumAcceptor {
    type Result = ();

    fn handle(&mut self, ask: Ask<TakeExtraNonce>, _: &mut Self::Context) {
        let earlier = ask.payload.earlier.and_then(|seat| self.seats.resume(seat));
        let lease = earlier.unwrap_or_else(|| self.seats.lease());
        ask.reply.answer(lease);
    }
}

impl Handler<Ask<Admit>> for StratumAcceptor {
    type Result = ();

    fn handle(&mut self, ask: Ask<Admit>, _: &mut Self::Context) {
        let seat = self.seats.take_for(ask.payload.0, self.clock.now());
        self.counts.refused += u64::from(matches!(seat, Err(NoSeat::Banned)));
        ask.reply.answer(seat);
    }
}

impl Handler<PutOut> for StratumAcceptor {
    type Result = ();

    fn handle(&mut self, news: PutOut, _: &mut Self::Context) {
        let now = self.clock.now();
        let kept_out = self.seats.offenders().on_put_out(news.ip, news.worker, now);
        for one in &kept_out {
            log::warn!("kept out for refused shares: {}", named(one));
        }
        if !kept_out.is_empty() {
            self.tell_kept_out();
        }
    }
}

impl Handler<LetGo> for StratumAcceptor {
    type Result = ();

    fn handle(&mut self, news: LetGo, _: &mut Self::Context) {
        self.counts.let_go += news.0;
    }
}

/// A hint to look who may come in again.
#[derive(Message)]
#[rtype(result = "()")]
struct LookAtOffenders;

impl Handler<LookAtOffenders> for StratumAcceptor {
    type Result = ();

    fn handle(&mut self, _: LookAtOffenders, _: &mut Self::Context) {
        let now = self.clock.now();
        let over = self.seats.offenders().expire(now);
        for one in &over {
            log::info!("kept out no longer: {}", named(one));
        }
        if !over.is_empty() {
            self.tell_kept_out();
        }
    }
}

impl StratumAcceptor {
    fn tell_kept_out(&mut self) {
        let workers = self.seats.offenders().workers();
        self.kept_out.send_replace(Arc::new(workers));
    }

    fn view(&mut self) -> GateView {
        let mut kept_out = self.seats.offenders().kept_out();
        for one in &mut kept_out {
            one.until = self.clock.date_of(one.until);
        }
        GateView {
            connections: self.seats.connections(),
            listeners: self
                .listeners
                .iter()
                .zip(&self.by_listener)
                .map(|(listener, places)| (listener.address, Arc::strong_count(places) as u64 - 1))
                .collect(),
            kept_out,
            ..self.counts.clone()
        }
    }
}

impl Handler<Ask<ReadGate>> for StratumAcceptor {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadGate>, _: &mut Self::Context) {
        let view = self.view();
        ask.reply.answer(view);
    }
}

impl Handler<Ask<GateControl>> for StratumAcceptor {
    type Result = ();

    fn handle(&mut self, ask: Ask<GateControl>, _: &mut Self::Context) {
        let order = ask.reply.span();
        let _said_of_it = order.enter();
        let outcome = match ask.payload {
            GateControl::Status => Ok(self.view().to_json()),
            GateControl::Lift(address) => match self.seats.offenders().lift(address) {
                lifted if lifted.is_empty() => Err(Refusal::ControlRefused(format!(
                    "nobody behind {address} is kept out"
                ))),
                lifted => {
                    for one in &lifted {
                        log::warn!("let in again by an admin: {}", named(one));
                    }
                    self.tell_kept_out();
                    Ok(json!({ "lifted": lifted.len() }))
                }
            },
        };
        ask.reply.answer(outcome);
    }
}

/// Who is kept out, for the log.
fn named(one: &KeptOut) -> String {
    match &one.worker {
        Some((hotkey, name)) => format!("ip={} hotkey={hotkey} worker={name}", one.address),
        None => format!("ip={} everybody", one.address),
    }
}

impl Handler<Ask<CloseGate>> for StratumAcceptor {
    type Result = ();

    fn handle(&mut self, ask: Ask<CloseGate>, ctx: &mut Self::Context) {
        for handle in std::mem::take(&mut self.accepting) {
            ctx.cancel_future(handle);
        }
        ask.reply.answer(());
    }
}
