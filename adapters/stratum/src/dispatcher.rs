//! The front of one I/O thread: starts a session for each newcomer, and brings all of them the news.
//!
//! It owns the way to each session. New work is taken in once, then each session is poked to tell its own miner;
//! and in turns, so that it never is all at once, each is poked to look at its own time-outs.

use std::rc::Rc;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_actors::ask::{Ask, AskError, Outbox, Port, ReplyTo, Request};
use dwarves_actors::live_work::WorkChanged;
use dwarves_actors::miner_manager::messages::{MinerChanged, WatchMiners};
use dwarves_actors::work_manager::messages::Subscribe;
use dwarves_domain::time::Span;
use dwarves_ports::clock::poke_every;

use super::messages::{LetGo, Newcomer};
use super::session::{News, StratumSession};
use super::thread::Thread;

/// Newcomers that may wait in the mailbox.
const MAILBOX_CAPACITY: usize = 4_096;
/// How often some of the sessions are poked to look at themselves.
const LOOK_EVERY: Span = Span::from_millis(500);
/// The turns in which sessions are poked: each of them every so many looks.
const TURNS: usize = 10;
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
    /// By the turn in which each is poked. A session keeps its turn, whoever else leaves: else it could be passed
    /// over again and again while many leave.
    sessions: [Vec<Outbox<News>>; TURNS],
    /// Sessions that did not take the last news of work, because their mailbox was full.
    behind: Vec<Outbox<News>>,
    /// The turn that the next newcomer gets.
    newcomers_turn: usize,
    turn: usize,
    is_leaving: bool,
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
            sessions: std::array::from_fn(|_| Vec::new()),
            behind: Vec::new(),
            newcomers_turn: 0,
            turn: 0,
            is_leaving: false,
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

    /// Tells every session; those that are gone are forgotten.
    fn tell_all(&mut self, news: News) {
        let behind = &mut self.behind;
        for sessions in &mut self.sessions {
            sessions.retain(|session| match session.tell(news) {
                Ok(()) => true,
                Err(AskError::Busy) => {
                    // It has something to do already; it is told at the next look.
                    behind.push(session.clone());
                    true
                }
                Err(_) => false,
            });
        }
    }

    fn admit(&mut self, session: Outbox<News>) {
        self.sessions[self.newcomers_turn].push(session);
        self.newcomers_turn = (self.newcomers_turn + 1) % TURNS;
    }
}

impl Actor for StratumDispatcher {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_CAPACITY);
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
        match StratumSession::new(newcomer, Rc::clone(&self.thread)) {
            Ok(session) => self.admit(Outbox::new(&session.start())),
            Err(error) => log::debug!("the connection of {ip} was lost: {error}"),
        }
    }
}

impl Handler<WorkChanged> for StratumDispatcher {
    type Result = ();

    fn handle(&mut self, news: WorkChanged, ctx: &mut Self::Context) {
        self.thread.set_work(news.0);
        self.behind.clear();
        if !self.thread.lets_go() {
            self.tell_all(News::Work);
        } else if !std::mem::replace(&mut self.is_letting_go, true) {
            self.let_go(ctx);
        }
    }
}

impl Handler<MinerChanged> for StratumDispatcher {
    type Result = ();

    fn handle(&mut self, news: MinerChanged, _: &mut Self::Context) {
        for session in self.sessions.iter().flatten() {
            // One that has no room for it asks by itself within a minute.
            let _told = session.tell(News::Recheck(news.0));
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
        for session in std::mem::take(&mut self.behind) {
            if session.tell(News::Work) == Err(AskError::Busy) {
                self.behind.push(session);
            }
        }
        self.turn = (self.turn + 1) % TURNS;
        let sessions = &mut self.sessions[self.turn];
        // A full mailbox is as good: the session is not asleep.
        sessions.retain(|session| session.tell(News::Look) != Err(AskError::Gone));
        if sessions.is_empty() {
            sessions.shrink_to_fit();
        }
    }
}

impl StratumDispatcher {
    /// Lets some sessions go, and then the next, unless there is work again.
    fn let_go(&mut self, ctx: &mut Context<Self>) {
        let (mut told, mut let_go) = (0, 0);
        for sessions in &mut self.sessions {
            let from = sessions.len().saturating_sub(LET_GO_AT_ONCE - told);
            told += sessions.len() - from;
            let mut busy = sessions.split_off(from);
            // It ends with this word. One that has something to do already hears it the next time.
            busy.retain(|session| match session.tell(News::LetGo) {
                Ok(()) => {
                    let_go += 1;
                    false
                }
                Err(error) => error == AskError::Busy,
            });
            sessions.append(&mut busy);
        }
        if self.thread.peers.let_go.tell(LetGo(let_go)).is_err() {
            log::debug!("the gate is busy; {let_go} sessions that were let go are not counted");
        }
        self.is_letting_go = self.thread.lets_go() && self.sessions.iter().any(|turn| !turn.is_empty());
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
        self.tell_all(News::End);
        if self.sessions.iter().all(Vec::is_empty) || reply.is_abandoned() {
            return reply.answer(());
        }
        ctx.run_later(LEAVING_EVERY.to_std(), |this, ctx| this.end_sessions(reply, ctx));
    }
}
