//! What everybody in a simulation notes: the events in order, and what miners were told.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, Sequence};

/// The notes of one simulation, shared by all who take part in it; they are all on one thread.
#[derive(Clone, Default)]
pub(crate) struct Notes(Rc<RefCell<Inner>>);

#[derive(Default)]
struct Inner {
    log: Vec<String>,
    accepted: BTreeMap<HeaderHash, Sequence>,
    duplicates: BTreeSet<(HeaderHash, Sequence)>,
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
    pub(crate) fn accepted(&self, hash: HeaderHash, sequence: Sequence) {
        let before = self.0.borrow_mut().accepted.insert(hash, sequence);
        assert_eq!(before, None, "{hash} was acknowledged twice");
    }

    /// A miner was told that its share counted before.
    pub(crate) fn duplicate(&self, hash: HeaderHash, first: Sequence) {
        self.0.borrow_mut().duplicates.insert((hash, first));
    }

    /// A signed request was taken. No nonce is good twice.
    pub(crate) fn authentic(&self, hotkey: Hotkey, nonce: u64) {
        let is_new = self.0.borrow_mut().authentic.insert((hotkey, nonce));
        assert!(is_new, "nonce {nonce} of {hotkey} was taken twice");
    }

    pub(crate) fn acknowledged(&self) -> BTreeMap<HeaderHash, Sequence> {
        self.0.borrow().accepted.clone()
    }

    pub(crate) fn told_as_duplicates(&self) -> BTreeSet<(HeaderHash, Sequence)> {
        self.0.borrow().duplicates.clone()
    }
}
