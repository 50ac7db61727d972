//! The front of one I/O thread: starts a session for each newcomer, and brings all of them the news.
//!
//! It owns the sessions. New work is taken in once and then written to one session after the other, to those that
//! hash most first; between some and the next, the thread reads and answers as ever. In turns, so that it never is all
//! at once, each session looks at its own time-outs.

use std::rc::Rc;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_actors::ask::{Ask, AskError, Outbox, Port, ReplyTo, Request, bound_mailbox};
use dwarves_actors::live_work::WorkChanged;
use dwarves_actors::miner_manager::messages::{MinerChanged, WatchMiners};
use dwarves_actors::work_manager::messages::Subscribe;
use dwarves_domain::time::Span;
use dwarves_ports::clock::poke_every;

use super::messages::{LetGo, Newcomer};
use super::roster::{Roster, TURNS};
use super::session::{News, SessionHandle};
use super::thread::Thread;

/// Newcomers that may wait in the mailbox.
const MAILBOX_CAPACITY: usize = 4_096;
/// How often some of the sessions look at themselves.
const LOOK_EVERY: Span = Span::from_millis(500);
/// Sessions that hear of new work before the thread looks at what came meanwhile: half a millisecond's worth.
const TELL_AT_ONCE: usize = 64;
/// Sessions that are let go at once, and how long after them the next are: closing thousands must keep nobody waiting.
const LET_GO_AT_ONCE: usize = 250;
const LET_GO_EVERY: Span = Span::from_millis(25);
/// How often it is looked whether every session has ended, when the pool stops.
const LEAVING_EVERY: Span = Span::from_millis(50);

/// Asks all sessions to end once what was submitted is answered. Answered when they have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndSessions;

impl Request for EndSessions {
    type Reply = ();
}

/// The actor that owns the sessions of a thread.
pub struct StratumDispatcher {
    thread: Rc<Thread>,
    subscribe: Port<Subscribe>,
    watch: Port<WatchMiners>,
    sessions: Roster<SessionHandle>,
    turn: usize,
    is_leaving: bool,
    /// New work is being told, some sessions at a time.
    is_telling: bool,
    /// Sessions are being let go, some at a time.
    is_letting_go: bool,
}

impl StratumDispatcher {
    /// A front without sessions.
    pub fn new(thread: Thread, subscribe: Port<Subscribe>, watch: Port<WatchMiners>) -> Self {
        Self {
            thread: Rc::new(thread),
            subscribe,
            watch,
            sessions: Roster::default(),
            turn: 0,
            is_leaving: false,
            is_telling: false,
            is_letting_go: false,
        }
    }

    fn subscribe(&mut self, ctx: &mut Context<Self>) {
        let subscriber = Outbox::new(&ctx.address());
        if let Err(AskError::Busy) = self.subscribe.post(Subscribe { subscriber }) {
            ctx.run_later(LOOK_EVERY.to_std(), |this, ctx| this.subscribe(ctx));
        }
    }

    /// Asks to be told what operators decide about miners.
    fn watch(&mut self, ctx: &mut Context<Self>) {
        let watcher = Outbox::new(&ctx.address());
        if let Err(AskError::Busy) = self.watch.post(WatchMiners { watcher }) {
            ctx.run_later(LOOK_EVERY.to_std(), |this, ctx| this.watch(ctx));
        }
    }

    /// Tells the next sessions of the present work, and then those after them.
    fn tell_next(&mut self, ctx: &mut Context<Self>) {
        for session in self.sessions.next_to_tell(TELL_AT_ONCE) {
            // Those that are gone are forgotten when they are looked at.
            session.hear_of_work();
        }
        self.is_telling = self.sessions.is_telling();
        if self.is_telling {
            // Until the sockets were looked at and whoever has something to read had a turn.
            let others = wrap_future::<_, Self>(tokio::task::yield_now());
            ctx.spawn(others.map(|(), this, ctx| this.tell_next(ctx)));
        }
    }
}

impl Actor for StratumDispatcher {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        bound_mailbox(ctx, MAILBOX_CAPACITY);
        self.subscribe(ctx);
        self.watch(ctx);
        let me = Outbox::new(&ctx.address());
        ctx.spawn(wrap_future(poke_every(LOOK_EVERY, move || {
            me.tell(LookAtSessions) != Err(AskError::Gone)
        })));
    }
}

impl Handler<Newcomer> for StratumDispatcher {
    type Result = ();

    fn handle(&mut self, newcomer: Newcomer, _: &mut Self::Context) {
        // Whoever is closed at once goes to another pool.
        if self.is_leaving || self.thread.lets_go() {
            return;
        }
        let ip = newcomer.ip;
        match SessionHandle::start(newcomer, Rc::clone(&self.thread)) {
            Ok(session) => self.sessions.admit(session),
            Err(error) => log::debug!("the connection of {ip} was lost: {error}"),
        }
    }
}

impl Handler<WorkChanged> for StratumDispatcher {
    type Result = ();

    fn handle(&mut self, news: WorkChanged, ctx: &mut Self::Context) {
        let is_other = self.thread.set_work(news.0);
        if !self.thread.lets_go() {
            if is_other {
                self.sessions.begin_telling();
            }
            if !self.is_telling {
                self.tell_next(ctx);
            }
        } else if !std::mem::replace(&mut self.is_letting_go, true) {
            self.let_go(ctx);
        }
    }
}

impl Handler<MinerChanged> for StratumDispatcher {
    type Result = ();

    fn handle(&mut self, news: MinerChanged, _: &mut Self::Context) {
        for session in self.sessions.iter() {
            session.hear(News::Recheck(news.0));
        }
    }
}

/// A hint that some sessions should look at themselves.
#[derive(Message)]
#[rtype(result = "()")]
struct LookAtSessions;

impl Handler<LookAtSessions> for StratumDispatcher {
    type Result = ();

    fn handle(&mut self, _: LookAtSessions, _: &mut Self::Context) {
        self.turn = (self.turn + 1) % TURNS;
        self.sessions.look(self.turn, |session| {
            session.hear(News::Look).then(|| session.earned())
        });
    }
}

impl StratumDispatcher {
    /// Lets some sessions go, and then the next, unless there is work again.
    fn let_go(&mut self, ctx: &mut Context<Self>) {
        let sessions = self.sessions.take_last(LET_GO_AT_ONCE);
        // It ends with this word.
        let let_go = sessions.filter(|session| session.hear(News::LetGo)).count() as u64;
        if self.thread.peers.let_go.tell(LetGo(let_go)).is_err() {
            log::debug!("the gate is busy; {let_go} sessions that were let go are not counted");
        }
        self.is_letting_go = self.thread.lets_go() && !self.sessions.is_empty();
        if self.is_letting_go {
            ctx.run_later(LET_GO_EVERY.to_std(), |this, ctx| {
                this.is_letting_go = this.thread.lets_go();
                if this.is_letting_go {
                    this.let_go(ctx);
                }
            });
        }
    }
}

impl Handler<Ask<EndSessions>> for StratumDispatcher {
    type Result = ();

    fn handle(&mut self, ask: Ask<EndSessions>, ctx: &mut Self::Context) {
        self.is_leaving = true;
        self.end_sessions(ask.reply, ctx);
    }
}

impl StratumDispatcher {
    fn end_sessions(&mut self, reply: ReplyTo<()>, ctx: &mut Context<Self>) {
        self.sessions.keep(|session| session.hear(News::End));
        if self.sessions.is_empty() || reply.is_abandoned() {
            return reply.answer(());
        }
        ctx.run_later(LEAVING_EVERY.to_std(), |this, ctx| this.end_sessions(reply, ctx));
    }
}

#[cfg(test)]
mod tests;
