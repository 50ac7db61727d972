//! One miner's connection: its socket, its conversation and what is under way for it.
//!
//! Nearly everything happens in one future (`Pump`), which runs whenever the socket, an answer or the dispatcher
//! wakes it: read what there is, handle whole lines, write what is due. What one read brought goes to the submission
//! handler as one message, and what one commit answered goes out as one write. There are no buffers while there is
//! nothing in them: reading goes through a place that the thread's sessions share, and so does new work.
//!
//! A session is no actor of its own. It belongs to its thread's dispatcher, an actor, and its future runs on the same
//! thread, so that the dispatcher can write new work to thousands of sessions one after the other: a message and a
//! wake-up for each would take longer than the text.
//!
//! | module | its one job |
//! |---|---|
//! | `handshake` | the PROXY header and the TLS handshake, before the first line |
//! | `input` | bytes become lines, lines become steps |
//! | `batches` | the shares of one read go to the submission handler together, and wait while it is busy |
//! | `pending_answers` | answers that are waited for, in the order of their requests |
//! | `span` | what the lines of the log belong to that a session says |
//! | `keepalive` | time-outs, keep-alive, and whether workers are still welcome |
//! | `news` | what the dispatcher brings, above all new work |
//! | `leaving` | why a session ends, and what is said and looked at before |

use std::cell::RefCell;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context as Wake, Poll, Waker, ready};

use dwarves_actors::meter;
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
mod news;
mod pending_answers;
mod span;

use batches::{Knocking, ReadShares};
use handshake::Opening;
use input::Waiting;
use keepalive::Checking;
use leaving::End;
use pending_answers::DueQueue;

/// Reads of one turn, after which other sessions of the thread have theirs.
const READS_PER_TURN: usize = 4;

/// News from the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Look at time-outs.
    Look,
    /// Answer what was asked, and end.
    End,
    /// An operator decided something about this miner.
    Recheck(Hotkey),
    /// There is no work: end, so that the miner can work elsewhere.
    LetGo,
}

/// The way to a session. It ends when its connection does, whoever still knows the way.
pub struct SessionHandle(Weak<Seat>);

/// Where a session lives. It is boxed, so that what stays behind while somebody knows the way is some words.
type Seat = RefCell<Box<StratumSession>>;

impl SessionHandle {
    /// Begins a session with this newcomer, on this thread.
    ///
    /// # Errors
    /// If its connection cannot be used on this thread.
    pub fn start(newcomer: Newcomer, thread: Rc<Thread>) -> std::io::Result<Self> {
        let session = StratumSession::new(newcomer, thread)?;
        session
            .span
            .in_scope(|| tracing::debug!("session begins ip={}", session.ip));
        let session = Rc::new(Seat::new(Box::new(session)));
        let handle = Self(Rc::downgrade(&session));
        tokio::task::spawn_local(Pump(session));
        Ok(handle)
    }

    /// Brings news. Returns whether there is anybody to bring them to.
    pub fn hear(&self, news: News) -> bool {
        self.with(|session| session.hear(news)).is_some()
    }

    /// Tells the miner at once that there is new work, as far as its connection takes it. Returns whether there is
    /// anybody to tell.
    pub fn hear_of_work(&self) -> bool {
        self.with(|session| session.hear_of_work()).is_some()
    }

    fn with<T>(&self, act: impl FnOnce(&mut StratumSession) -> T) -> Option<T> {
        let session = self.0.upgrade()?;
        // Its own future is not running now: a thread runs one thing at a time.
        Some(act(&mut session.borrow_mut()))
    }

    /// The difficulty that its shares have earned, which goes with its hashrate; 0 before the first, or if it is gone.
    pub fn earned(&self) -> f32 {
        self.with(|session| session.to_report()[1]).unwrap_or(0.0)
    }
}

/// The state of one connection.
struct StratumSession {
    thread: Rc<Thread>,
    listener: usize,
    ip: IpAddr,
    /// Its extranonce, once it has subscribed.
    lease: Option<Arc<Lease>>,
    _places: (Place, Place),
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
    /// Runs its future, once that has run for the first time.
    waker: Option<Waker>,
    /// What the log says of it belongs together.
    span: Span,
}

impl StratumSession {
    fn new(newcomer: Newcomer, thread: Rc<Thread>) -> std::io::Result<Self> {
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
            _places: newcomer.places,
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
            waker: None,
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
        let before = self.talk.issued();
        let written = self.out.len();
        self.say(|talk, scene, out| talk.tell_work(telling, scene, out));
        if self.out.len() > written {
            meter::JOBS_STRATUM.add(1);
        }
        if before.is_some() && self.talk.issued() != before {
            // Reported before the miner can know it: whoever leaves and comes back at once, maybe to another thread, goes on
            // at what it was told.
            self.report();
        }
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
        if !self.poll_write(wake)? {
            return Ok(());
        }
        // The memory goes back at once: there may be thousands of sessions that have nothing to say.
        self.out = Vec::new();
        self.written = 0;
        self.poll_sent(wake)
    }

    /// Sees to it that what was written is on its way.
    fn poll_sent(&mut self, wake: &mut Wake<'_>) -> Result<(), End> {
        match self.transport.poll_flush(wake) {
            Poll::Ready(Err(_)) => Err(End::Gone),
            _ => Ok(()),
        }
    }

    /// Writes what the connection takes. Returns whether that is all.
    fn poll_write(&mut self, wake: &mut Wake<'_>) -> Result<bool, End> {
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
                Poll::Pending => return Ok(false),
            }
        }
        Ok(true)
    }

    fn unwritten(&self) -> usize {
        self.out.len() - self.written
    }
}

/// The future in which a session lives. It ends with the session.
struct Pump(Rc<Seat>);

impl Future for Pump {
    type Output = ();

    fn poll(self: Pin<&mut Self>, wake: &mut Wake<'_>) -> Poll<()> {
        let session = &mut *self.0.borrow_mut();
        let span = session.span.clone();
        let _said_of_it = span.enter();
        if session.waker.is_none() {
            session.waker = Some(wake.waker().clone());
        }
        let end = ready!(session.pump(wake));
        session.look_for_blocks_at(end, wake);
        tracing::debug!("session ended ip={} why={end:?}", session.ip);
        session.report();
        Poll::Ready(())
    }
}
