//! What the sessions of one I/O thread share: the live work, its notify, a place to read into, and whom to ask.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use dwarves_actors::ask::{Outbox, Port};
use dwarves_actors::handlers::submission::messages::SubmitRolled;
use dwarves_actors::live_work::LiveWork;
use dwarves_actors::miner_manager::messages::JoinWorker;
use dwarves_domain::ids::WorkerName;
use dwarves_domain::login::Identity;
use dwarves_domain::network::host;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::work::JobKey;
use dwarves_ports::clock::{Moment, SharedClock};
use tokio::sync::watch;

use super::conversation::{Rules, Scene};
use super::messages::{Admit, LetGo, PutOut, TakeExtraNonce};
use super::penalties::KeptOutWorkers;
use super::protocol::notify::NotifyParts;
use super::settings::{Listener, SessionLimits};

/// Bytes that one read takes at most.
const READ_LEN: usize = 16_384;

/// The actors that a thread's sessions ask.
#[derive(Clone)]
pub struct Peers {
    /// Lets workers in.
    pub join: Port<JoinWorker>,
    /// Judges shares. One for each thread.
    pub submit: Port<SubmitRolled>,
    /// Gives a session its extranonce.
    pub extranonce: Port<TakeExtraNonce>,
    /// Gives an address its place once a proxy has told it.
    pub admit: Port<Admit>,
    /// Is told of sessions that were put out.
    pub put_out: Outbox<PutOut>,
    /// Is told of sessions that were let go.
    pub let_go: Outbox<LetGo>,
}

/// What the sessions of a thread share.
pub struct Thread {
    /// The actors that its sessions ask.
    pub peers: Peers,
    /// The limits that hold for each of its sessions.
    pub limits: SessionLimits,
    /// The listeners, by their numbers.
    pub listeners: Arc<[Listener]>,
    job_key: JobKey,
    /// The workers that are kept out, as the gate last said.
    kept_out: watch::Receiver<Arc<KeptOutWorkers>>,
    clock: SharedClock,
    work: RefCell<Arc<LiveWork>>,
    parts: RefCell<Option<Rc<NotifyParts>>>,
    /// When the present template came.
    came: Cell<Moment>,
    /// Empty while somebody reads into it.
    scratch: Cell<Vec<u8>>,
    /// Where new work is written for one session after the other.
    page: Cell<Vec<u8>>,
}

impl Thread {
    /// A thread that has no work yet.
    pub fn new(
        peers: Peers,
        limits: SessionLimits,
        listeners: Arc<[Listener]>,
        job_key: JobKey,
        kept_out: watch::Receiver<Arc<KeptOutWorkers>>,
        clock: SharedClock,
    ) -> Self {
        Self {
            peers,
            limits,
            listeners,
            job_key,
            kept_out,
            clock,
            work: RefCell::new(Arc::new(LiveWork::none())),
            parts: RefCell::new(None),
            came: Cell::new(Moment::now()),
            scratch: Cell::new(Vec::new()),
            page: Cell::new(Vec::new()),
        }
    }

    /// The time, which only passes: sessions measure their time-outs by it.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Takes new work in, and writes its notify once for all sessions. Returns whether it is other work than before.
    pub fn set_work(&self, work: Arc<LiveWork>) -> bool {
        let known = self.parts.borrow().as_ref().map(|parts| parts.template().id());
        let current = work.given();
        let is_other = current.map(|template| template.id()) != known;
        if is_other {
            let parts = current.map(|template| {
                Rc::new(NotifyParts::new(
                    Arc::clone(template),
                    self.limits.extranonce2_len,
                ))
            });
            *self.parts.borrow_mut() = parts;
            self.came.set(Moment::now());
        }
        *self.work.borrow_mut() = work;
        is_other
    }

    /// For how long a worker behind this address is kept out yet, if it is.
    pub fn kept_out(&self, ip: IpAddr, identity: &Identity, worker: &WorkerName) -> Option<Span> {
        let kept_out = self.kept_out.borrow();
        if kept_out.is_empty() {
            return None;
        }
        let until = *kept_out.get(&(host(ip), identity.hotkey(), worker.clone()))?;
        let now = self.now();
        (now < until).then(|| until.since(now))
    }

    /// Whether miners are to be let go, because there has been no live work for too long.
    pub fn lets_go(&self) -> bool {
        self.work.borrow().lets_go()
    }

    /// Lets `act` look at what is common to the sessions of a listener.
    pub fn on_stage<T>(&self, rules: &Rules, act: impl FnOnce(&Scene<'_>) -> T) -> T {
        let work = Arc::clone(&self.work.borrow());
        let parts = self.parts.borrow().clone();
        act(&Scene {
            rules,
            job_key: &self.job_key,
            now: self.now(),
            template_age: self.came.get().elapsed(),
            work: &work,
            parts: parts.as_deref(),
        })
    }

    /// The place to read into; give it back with [`Thread::give_scratch_back`].
    pub fn take_scratch(&self) -> Vec<u8> {
        let mut scratch = self.scratch.take();
        scratch.resize(READ_LEN, 0);
        scratch
    }

    /// Gives the place to read into back.
    pub fn give_scratch_back(&self, scratch: Vec<u8>) {
        self.scratch.set(scratch);
    }

    /// An empty page to write new work on; give it back with [`Thread::give_page_back`].
    pub fn take_page(&self) -> Vec<u8> {
        self.page.take()
    }

    /// Gives the page back, whatever is written on it.
    pub fn give_page_back(&self, mut page: Vec<u8>) {
        page.clear();
        self.page.set(page);
    }
}
