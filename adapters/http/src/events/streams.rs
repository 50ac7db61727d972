//! The streams of one HTTP worker, which is one thread.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::task::Waker;

use actix_web::web::Bytes;
use dwarves_domain::limits::{SharedLimit, SharedPermits};

use super::kept::{Kept, Next, Piece, Wanted};
use super::topic::{Topic, Topics};
use super::{Tidings, Tower, text};
use crate::problem::{Code, Problem};

/// Streams that are woken before others of the worker's tasks have a turn: each writes to its connection then.
const WOKEN_AT_ONCE: usize = 32;

/// What wakes each stream that waits. Each has a slot of its own for as long as it is open.
#[derive(Debug, Default)]
struct Wakers {
    slots: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl Wakers {
    fn open(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        })
    }

    fn close(&mut self, slot: usize) {
        self.slots[slot] = None;
        self.free.push(slot);
        if self.free.len() == self.slots.len() {
            *self = Self::default();
        }
    }

    /// Those that wait now.
    fn take(&mut self) -> Vec<Waker> {
        self.slots.iter_mut().filter_map(Option::take).collect()
    }
}

/// A stream among all of its worker.
#[derive(Debug)]
pub(super) struct Place {
    client: IpAddr,
    slot: usize,
    /// The next piece that it may want.
    next: u64,
}

/// A worker's streams, and what is kept for them.
#[derive(Debug)]
pub struct Streams {
    tower: Tower,
    kept: RefCell<Kept>,
    permits: RefCell<SharedPermits<IpAddr>>,
    wakers: RefCell<Wakers>,
    /// The last figures of the pool, and how the chain was last.
    now: RefCell<[Option<Bytes>; 2]>,
    is_over: Cell<bool>,
}

impl Streams {
    /// No stream is open yet.
    pub fn new(limit: SharedLimit, tower: Tower) -> Rc<Self> {
        Rc::new(Self {
            kept: RefCell::new(Kept::after(tower.latest())),
            tower,
            permits: RefCell::new(SharedPermits::new(limit)),
            wakers: RefCell::default(),
            now: RefCell::default(),
            is_over: Cell::new(false),
        })
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.permits.borrow().taken()
    }

    /// Opens one for this client, who had the event with this id last. Gives its place, and what it begins with.
    ///
    /// # Errors
    /// `too_many_streams` if it has, or all have, as many as they may; `stopping`.
    pub(super) fn open(
        &self,
        client: IpAddr,
        wanted: &Wanted,
        last_id: Option<&str>,
    ) -> Result<(Place, Vec<Bytes>), Problem> {
        if self.is_over.get() {
            return Err(Problem::new(Code::Stopping, "the pool is stopping"));
        }
        if !self.permits.borrow_mut().take(client) {
            let detail = "there are as many event streams as there may be (http.event_streams), of this client or in all";
            return Err(Problem::new(Code::TooManyStreams, detail));
        }
        let kept = self.kept.borrow();
        let last = last_id.and_then(|id| self.tower.number(id));
        let missed = last.and_then(|last| kept.since(last, wanted));
        // Until it has what it missed, that is what it had last.
        let id = self
            .tower
            .id(last.filter(|_| missed.is_some()).unwrap_or(kept.latest()));
        let mut first = vec![text::hello(&id, missed.is_some(), wanted.hidden)];
        first.extend(missed.into_iter().flatten());
        for (topic, now) in [Topic::Pool, Topic::Chain].into_iter().zip(&*self.now.borrow()) {
            first.extend(now.clone().filter(|_| wanted.topics.has(topic)));
        }
        let place = Place {
            client,
            slot: self.wakers.borrow_mut().open(),
            next: kept.end(),
        };
        Ok((place, first))
    }

    /// A stream has ended.
    pub(super) fn close(&self, place: &Place) {
        self.permits.borrow_mut().give_back(place.client);
        self.wakers.borrow_mut().close(place.slot);
    }

    /// What comes next for a stream; if nothing does, it is woken when something may.
    pub(super) fn next(&self, place: &mut Place, wanted: &Wanted, waker: &Waker) -> Next {
        if self.is_over.get() {
            return Next::TooLate;
        }
        let next = self.kept.borrow().next(&mut place.next, wanted);
        if next == Next::Nothing {
            let mut wakers = self.wakers.borrow_mut();
            let slot = &mut wakers.slots[place.slot];
            match slot {
                Some(known) => known.clone_from(waker),
                None => *slot = Some(waker.clone()),
            }
        }
        next
    }

    /// Takes in what happened.
    pub(crate) fn hear(&self, tidings: Tidings) {
        let missed = |last| text::hello(&self.tower.id(last), false, Topics::NONE);
        self.kept.borrow_mut().hear(tidings, missed);
    }

    /// Takes in how something is now.
    pub(crate) fn tell_now(&self, topic: Topic, text: Bytes) {
        let at = usize::from(topic == Topic::Chain);
        self.now.borrow_mut()[at] = Some(text.clone());
        self.kept.borrow_mut().add(Piece::Now(topic, text));
    }

    /// Says nothing, so that those who read know that it is still there.
    pub(crate) fn say_nothing(&self) {
        let comment = Piece::All(Bytes::from_static(text::COMMENT));
        self.kept.borrow_mut().add(comment);
    }

    /// Nobody listens: what is kept for those who do is of no use.
    pub(crate) fn rest(&self) {
        self.kept.borrow_mut().forget_pieces();
        *self.now.borrow_mut() = [None, None];
    }

    /// Whether the pool has stopped.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.get()
    }

    /// Ends all of them, and lets no more begin.
    pub(crate) fn end(&self) {
        self.is_over.set(true);
        let wakers = self.wakers.borrow_mut().take();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Wakes those who wait, some at a time.
    pub(crate) async fn wake(&self) {
        let wakers = self.wakers.borrow_mut().take();
        for some in wakers.chunks(WOKEN_AT_ONCE) {
            some.iter().for_each(Waker::wake_by_ref);
            tokio::task::yield_now().await;
        }
    }
}
