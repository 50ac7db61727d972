//! One miner's connection: an actor that owns its socket, its conversation and what is under way for it.
//!
//! Everything happens in one future (`Pump`), which the actor's context polls whenever the socket, an answer or
//! a message wakes it: read what there is, handle whole lines, write what is due. What one read brought goes to
//! the submission handler as one message, and what one commit answered goes out as one write. There are no
//! buffers while there is nothing in them: reading goes through a place that the thread's sessions share.
//!
//! | module | its one job |
//! |---|---|
//! | `handshake` | the PROXY header and the TLS handshake, before the first line |
//! | `input` | bytes become lines, lines become steps |
//! | `batches` | the shares of one read go to the submission handler together, and wait while it is busy |
//! | `pending_answers` | answers that are waited for, in the order of their requests |
//! | `span` | what the lines of the log belong to that a session says |
//! | `keepalive` | time-outs, keep-alive, and whether workers are still welcome |
//! | `leaving` | why a session ends, and what is said and looked at before |

use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as Wake, Poll, ready};

use actix::fut::ActorFuture;
use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::time::Timestamp;
use tokio::net::TcpStream;
use tracing::Span;

use super::connection_limiter::{AddressSeat, Lease, Place};
use super::conversation::{Conversation, Telling};
use super::messages::Newcomer;
use super::settings::Listener;
use super::thread::Thread;
use super::transport::Transport;

mod batches;
mod handshake;
mod input;
mod keepalive;
mod leaving;
mod pending_answers;
mod span;

use batches::{Knocking, ReadShares};
use handshake::Opening;
use input::Waiting;
use keepalive::Checking;
use leaving::End;
use pending_answers::DueQueue;

/// News that may wait for one session: it has little to say to it.
const MAILBOX_CAPACITY: usize = 2;
/// Reads of one turn, after which other sessions of the thread have theirs.
const READS_PER_TURN: usize = 4;

/// News from the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq, actix::Message)]
#[rtype(result = "()")]
pub enum News {
    /// There is new work.
    Work,
    /// Look at time-outs.
    Look,
    /// Answer what was asked, and end.
    End,
    /// An operator decided something about this miner.
    Recheck(Hotkey),
    /// There is no work: end, so that the miner can work elsewhere.
    LetGo,
}

/// The actor of one connection.
pub struct StratumSession {
    thread: Rc<Thread>,
    listener: usize,
    ip: IpAddr,
    /// Its extranonce, once it has subscribed.
    lease: Option<Arc<Lease>>,
    _place: Place,
    address_seat: Option<AddressSeat>,
    transport: Transport,
    opening: Opening,
    talk: Conversation,
    /// What was read and not handled yet.
    unread: Vec<u8>,
    /// The shares of the present read.
    batch: ReadShares,
    waiting: Option<Box<Waiting>>,
    knocking: Option<Box<Knocking>>,
    due: DueQueue,
    checking: Option<Box<Checking>>,
    /// What is to be written, and how much of it was.
    out: Vec<u8>,
    written: usize,
    began_at: Timestamp,
    heard_at: Timestamp,
    wrote_at: Timestamp,
    checked_at: Timestamp,
    /// What the miner manager knows of the session's difficulties.
    reported: [f32; 2],
    /// Why it ends once everything is answered.
    leaving: Option<End>,
    is_let_go: bool,
    /// Why it ends at once.
    over: Option<End>,
    /// What the log says of it belongs together.
    span: Span,
}

impl StratumSession {
    /// A session with this newcomer.
    ///
    /// # Errors
    /// If its connection cannot be used on this thread.
    pub fn new(newcomer: Newcomer, thread: Rc<Thread>) -> std::io::Result<Self> {
        let stream = TcpStream::from_std(newcomer.stream)?;
        handshake::set_options(&stream)?;
        let now = thread.now();
        let span = span::of(&stream, newcomer.ip);
        let listener = &thread.listeners[newcomer.listener];
        let talk = Conversation::new(&listener.rules, now);
        let mut transport = Transport::Plain(stream);
        let opening = if newcomer.address_seat.is_none() {
            Opening::proxy()
        } else {
            handshake::begin(&mut transport, listener)
        };
        Ok(Self {
            listener: newcomer.listener,
            ip: newcomer.ip,
            lease: None,
            _place: newcomer.place,
            address_seat: newcomer.address_seat,
            transport,
            opening,
            talk,
            unread: Vec::new(),
            batch: ReadShares::default(),
            waiting: None,
            knocking: None,
            due: DueQueue::default(),
            checking: None,
            out: Vec::new(),
            written: 0,
            began_at: now,
            heard_at: now,
            wrote_at: now,
            checked_at: now,
            reported: [0.0; 2],
            leaving: None,
            is_let_go: false,
            over: None,
            span,
            thread,
        })
    }

    fn listener(&self) -> &Listener {
        &self.thread.listeners[self.listener]
    }

    /// Lets the conversation write, with everything at hand.
    fn say<T>(
        &mut self,
        act: impl FnOnce(&mut Conversation, &super::conversation::Scene<'_>, &mut Vec<u8>) -> T,
    ) -> T {
        let thread = Rc::clone(&self.thread);
        let rules = &thread.listeners[self.listener].rules;
        thread.on_stage(rules, |scene| act(&mut self.talk, scene, &mut self.out))
    }

    /// Whether another connection goes on as this session.
    fn is_taken_over(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.is_over())
    }

    fn tell_work(&mut self, telling: Telling) {
        self.say(|talk, scene, out| talk.tell_work(telling, scene, out));
    }

    /// Does what there is to do, until only others can wake it.
    fn pump(&mut self, wake: &mut Wake<'_>) -> Poll<End> {
        if let Some(end) = self.over {
            return Poll::Ready(end);
        }
        if self.is_taken_over() {
            return Poll::Ready(End::TakenOver);
        }
        if self.is_let_go {
            self.poll_due(wake);
            return Poll::Ready(self.take_leave(wake));
        }
        if let Err(end) = ready!(self.poll_opening(wake)) {
            return Poll::Ready(end);
        }
        for _ in 0..READS_PER_TURN {
            // Lines first: whatever they ask for is waited for right after.
            let handled = self.handle_lines();
            let is_held = !self.unread.is_empty() && !self.has_room();
            self.poll_knocking(wake);
            self.poll_due(wake);
            self.poll_waiting(wake);
            self.poll_checking(wake);
            if let Err(end) = handled.and_then(|()| self.climb()) {
                return Poll::Ready(self.last_words(end, wake));
            }
            if let Err(end) = self.poll_flush(wake) {
                return Poll::Ready(end);
            }
            let is_quiet = self.due.is_empty()
                && self.knocking.is_none()
                && self.waiting.is_none()
                && self.out.is_empty();
            if let Some(end) = self.leaving.filter(|_| is_quiet) {
                return Poll::Ready(end);
            }
            match self.poll_read(wake) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(end)) => return Poll::Ready(self.last_words(end, wake)),
                // What was answered or written may have made room for lines that were read before.
                Poll::Pending if is_held && self.has_room() => {}
                Poll::Pending => return Poll::Pending,
            }
        }
        // There may be more; the others come first.
        wake.waker().wake_by_ref();
        Poll::Pending
    }

    /// Writes what there is to write.
    fn poll_flush(&mut self, wake: &mut Wake<'_>) -> Result<(), End> {
        while self.written < self.out.len() {
            match self.transport.poll_write(wake, &self.out[self.written..]) {
                Poll::Ready(Ok(n)) if n > 0 => {
                    self.written += n;
                    self.wrote_at = self.thread.now();
                }
                Poll::Ready(_) => return Err(End::Gone),
                Poll::Pending if self.unwritten() > self.thread.limits.unread_max => {
                    return Err(End::SlowReader);
                }
                Poll::Pending => return Ok(()),
            }
        }
        // The memory goes back at once: there may be thousands of sessions that have nothing to say.
        self.out = Vec::new();
        self.written = 0;
        match self.transport.poll_flush(wake) {
            Poll::Ready(Err(_)) => Err(End::Gone),
            _ => Ok(()),
        }
    }

    fn unwritten(&self) -> usize {
        self.out.len() - self.written
    }
}

impl Actor for StratumSession {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_CAPACITY);
        self.span
            .in_scope(|| tracing::debug!("session begins ip={}", self.ip));
        ctx.spawn(Pump);
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.span.clone().in_scope(|| self.report());
    }
}

/// The future in which a session lives. It ends with the session.
struct Pump;

impl ActorFuture<StratumSession> for Pump {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        session: &mut StratumSession,
        ctx: &mut Context<StratumSession>,
        wake: &mut Wake<'_>,
    ) -> Poll<()> {
        let span = session.span.clone();
        let _said_of_it = span.enter();
        let end = ready!(session.pump(wake));
        session.look_for_blocks_at(end, wake);
        tracing::debug!("session ended ip={} why={end:?}", session.ip);
        ctx.stop();
        Poll::Ready(())
    }
}

impl Handler<News> for StratumSession {
    type Result = ();

    /// Only notes what is to be done: the pump is polled right after.
    fn handle(&mut self, news: News, _: &mut Self::Context) {
        let span = self.span.clone();
        let _said_of_it = span.enter();
        match news {
            News::Work => self.tell_work(Telling::IfNew),
            News::Look => {
                self.over = self.look();
            }
            News::End => self.leaving = Some(End::Stopping),
            News::LetGo => self.is_let_go = true,
            News::Recheck(miner) => self.recheck(&miner),
        }
    }
}
