//! What everybody in a simulation notes: the events in order, and what miners were told.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{ExtraNonce, HeaderHash, Sequence};
use dwarves_domain::time::{Span, Timestamp};

/// How old a signed request may be.
pub(crate) const WINDOW_SECS: u64 = 10;

/// How often miners may be told in one life that the pool is busy.
const BUSY_MAX: u32 = 8;

/// The notes of one simulation, shared by all who take part in it; they are all on one thread.
#[derive(Clone, Default)]
pub(crate) struct Notes(Rc<RefCell<Inner>>);

#[derive(Default)]
struct Inner {
    log: Vec<String>,
    told: Told,
    /// Who made which good share, whoever brings it.
    made: BTreeMap<HeaderHash, Hotkey>,
    /// By which front, and in which of its leads, each work was given out.
    given: BTreeMap<ExtraNonce, (u32, u64)>,
    was_restored: bool,
    busy: u32,
    latest: Timestamp,
    rounds_ordered: u64,
    off: Span,
}

/// What miners were told and the ledger must keep for ever. A restore of an older ledger is the one thing that takes
/// back what they were told since: see [`Notes::forget_after`].
#[derive(Clone, Default)]
pub(crate) struct Told {
    /// The shares that count, with whose they are.
    pub(crate) accepted: BTreeMap<HeaderHash, (Sequence, Hotkey)>,
    /// Those that counted before.
    pub(crate) duplicates: BTreeSet<(HeaderHash, Sequence)>,
    /// The blocks whose finders were told that they are blocks.
    pub(crate) blocks: BTreeMap<HeaderHash, Hotkey>,
    authentic: BTreeSet<(Hotkey, u64)>,
}

impl Notes {
    pub(crate) fn event(&self, what: impl Into<String>) {
        self.0.borrow_mut().log.push(what.into());
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.0.borrow().log.clone()
    }

    /// A miner was told that its share counts. Nobody is told so twice.
    pub(crate) fn accepted(&self, hash: HeaderHash, sequence: Sequence, miner: Hotkey) {
        let told = &mut self.0.borrow_mut().told;
        let before = told.accepted.insert(hash, (sequence, miner));
        assert_eq!(before, None, "{hash} was acknowledged twice");
    }

    /// A miner made a good share; nobody knows it yet.
    pub(crate) fn made(&self, hash: HeaderHash, miner: Hotkey) {
        self.0.borrow_mut().made.insert(hash, miner);
    }

    /// A front gave out work, in this lead. It has the front's number, and no other lead gives out the same.
    pub(crate) fn gave_work(&self, extranonce: ExtraNonce, front: u32, epoch: u64) {
        let number = extranonce.get() >> 54 & 63;
        assert_eq!(number, u64::from(front), "{extranonce} is not front {front}'s");
        let mut inner = self.0.borrow_mut();
        let before = *inner.given.entry(extranonce).or_insert((front, epoch));
        assert_eq!(before, (front, epoch), "{extranonce} was given out before");
    }

    /// Who made a good share.
    pub(crate) fn maker_of(&self, hash: &HeaderHash) -> Option<Hotkey> {
        self.0.borrow().made.get(hash).copied()
    }

    /// A miner was told that its share is a block.
    pub(crate) fn block(&self, hash: HeaderHash, miner: Hotkey) {
        self.0.borrow_mut().told.blocks.insert(hash, miner);
    }

    /// A miner was told that its share counted before.
    pub(crate) fn duplicate(&self, hash: HeaderHash, first: Sequence) {
        self.0.borrow_mut().told.duplicates.insert((hash, first));
    }

    /// The clock showed this before it jumped, or when a life began or ended.
    pub(crate) fn clock_showed(&self, now: Timestamp) {
        let mut inner = self.0.borrow_mut();
        inner.latest = inner.latest.max(now);
    }

    /// A new life begins. The store keeps no nonces that were too old at any time before, so this is where the
    /// promise ends: one of them could be taken again if the clock stepped back to the time of its signing.
    pub(crate) fn life_begins(&self) {
        let mut inner = self.0.borrow_mut();
        inner.busy = 0;
        let too_old = inner.latest.minus(Span::from_secs(WINDOW_SECS + 1)).millis();
        let too_old = u64::try_from(too_old).unwrap_or(0) * 1_000_000;
        inner.told.authentic.retain(|(_, nonce)| *nonce >= too_old);
    }

    /// The clock is wrong by so much more, which is so little that it is believed.
    pub(crate) fn clock_is_off(&self, by: Span) {
        let mut inner = self.0.borrow_mut();
        inner.off = Span::from_millis(inner.off.millis() + by.millis());
    }

    /// By how much it was wrong in all, at most.
    pub(crate) fn off(&self) -> Span {
        self.0.borrow().off
    }

    /// An operator ordered a round.
    pub(crate) fn round_ordered(&self) {
        self.0.borrow_mut().rounds_ordered += 1;
    }

    pub(crate) fn rounds_ordered(&self) -> u64 {
        self.0.borrow().rounds_ordered
    }

    /// A signed request was taken. No nonce is good twice.
    pub(crate) fn authentic(&self, hotkey: Hotkey, nonce: u64) {
        let is_new = self.0.borrow_mut().told.authentic.insert((hotkey, nonce));
        assert!(is_new, "nonce {nonce} of {hotkey} was taken twice");
    }

    /// What miners were told up to now.
    pub(crate) fn told(&self) -> Told {
        self.0.borrow().told.clone()
    }

    /// A miner was told that the pool is busy: numbers for workers could not be stored, which happens when a life begins
    /// and the store fails. If somebody took its place, it would happen again and again.
    pub(crate) fn busy(&self) {
        let mut inner = self.0.borrow_mut();
        inner.busy += 1;
        assert!(inner.busy <= BUSY_MAX, "somebody takes the miners' places");
    }

    /// Whether an older ledger was ever put back.
    pub(crate) fn was_restored(&self) -> bool {
        self.0.borrow().was_restored
    }

    /// An older ledger was put back: what miners were told after its backup is lost, and only that.
    pub(crate) fn forget_after(&self, backup: Told) {
        let mut inner = self.0.borrow_mut();
        inner.told = backup;
        inner.was_restored = true;
    }
}
