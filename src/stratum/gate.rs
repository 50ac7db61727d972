//! The gate: accepts connections on every listener and hands each to a thread. It owns who may connect and which
//! extranonces are taken; it knows nothing of what is said in a session.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_actors::ask::{Ask, Outbox, Request};
use dwarves_actors::clock::SharedClock;
use dwarves_actors::work_manager::messages::WorkChanged;
use dwarves_domain::work::SessionSeat;
use tokio::net::{TcpListener, TcpStream};

use super::front::Newcomer;
use super::seats::{AddressSeat, Lease, NoSeat, Seats};
use super::settings::Listener;

/// Connections that may wait in the mailbox, beside the sessions' questions.
const ARRIVING_MAX: usize = 1_024;
/// The wait after accepting failed, for want of file handles for example.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Asks for an extranonce: that of an earlier session, if its miner showed its id, or else a new one. It is asked
/// for when a miner subscribes: a connection alone takes none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakeExtraNonce {
    /// The session to go on as.
    pub earlier: Option<SessionSeat>,
}

impl Request for TakeExtraNonce {
    /// Of the earlier session's seat, or a new one if it is another's by now.
    type Reply = Arc<Lease>;
}

/// Asks for the places of an address that a proxy told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admit(pub IpAddr);

impl Request for Admit {
    type Reply = Result<AddressSeat, NoSeat>;
}

/// A session of this address was put out for its many refused requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, actix::Message)]
#[rtype(result = "()")]
pub struct PutOut(pub IpAddr);

/// Accepts no more connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseGate;

impl Request for CloseGate {
    type Reply = ();
}

/// The actor that owns who may connect.
pub struct StratumGate {
    seats: Seats,
    clock: SharedClock,
    bound: Vec<std::net::TcpListener>,
    listeners: Arc<[Listener]>,
    fronts: Vec<Outbox<Newcomer>>,
    next_front: usize,
    accepting: Vec<SpawnHandle>,
    /// There has been no live work for too long: whoever comes is sent away, so that it can work elsewhere.
    is_shut: bool,
}

impl StratumGate {
    /// A gate before these bound listeners. It opens when it is told of the threads behind it.
    pub fn new(
        seats: Seats,
        clock: SharedClock,
        bound: Vec<std::net::TcpListener>,
        listeners: Arc<[Listener]>,
    ) -> Self {
        Self {
            seats,
            clock,
            bound,
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
        let is_proxy = listener.proxies.iter().any(|network| network.holds(arrived.ip));
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
            place,
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

impl Actor for StratumGate {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // A session asks one thing at a time.
        ctx.set_mailbox_capacity(self.seats.caps().total + ARRIVING_MAX);
    }
}

/// Opens the gate to these threads.
#[derive(Message)]
#[rtype(result = "()")]
pub struct OpenGate(pub Vec<Outbox<Newcomer>>);

impl Handler<OpenGate> for StratumGate {
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

impl Handler<Arrived> for StratumGate {
    type Result = ();

    fn handle(&mut self, arrived: Arrived, _: &mut Self::Context) {
        let ip = arrived.ip;
        if self.is_shut {
            log::debug!("{ip} is sent away: there is no work");
            return;
        }
        if let Err(why) = self.let_in(arrived) {
            log::debug!("{ip} is not let in: {why:?}");
        }
    }
}

impl Handler<WorkChanged> for StratumGate {
    type Result = ();

    fn handle(&mut self, news: WorkChanged, _: &mut Self::Context) {
        self.is_shut = news.0.lets_go();
    }
}

impl Handler<Ask<TakeExtraNonce>> for StratumGate {
    type Result = ();

    fn handle(&mut self, ask: Ask<TakeExtraNonce>, _: &mut Self::Context) {
        let earlier = ask.payload.earlier.and_then(|seat| self.seats.resume(seat));
        let lease = earlier.unwrap_or_else(|| self.seats.lease());
        ask.reply.answer(lease);
    }
}

impl Handler<Ask<Admit>> for StratumGate {
    type Result = ();

    fn handle(&mut self, ask: Ask<Admit>, _: &mut Self::Context) {
        let seat = self.seats.take_for(ask.payload.0, self.clock.now());
        ask.reply.answer(seat);
    }
}

impl Handler<PutOut> for StratumGate {
    type Result = ();

    fn handle(&mut self, news: PutOut, _: &mut Self::Context) {
        if self.seats.on_put_out(news.0, self.clock.now()) {
            log::warn!("kept out for a while, after many refused shares: ip={}", news.0);
        }
    }
}

impl Handler<Ask<CloseGate>> for StratumGate {
    type Result = ();

    fn handle(&mut self, ask: Ask<CloseGate>, ctx: &mut Self::Context) {
        for handle in std::mem::take(&mut self.accepting) {
            ctx.cancel_future(handle);
        }
        ask.reply.answer(());
    }
}
