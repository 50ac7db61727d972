//! The line on which all that miners send can be heard.

use std::cell::RefCell;
use std::rc::Rc;

use dwarves_actors::handlers::registration::messages::Authenticate;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, WorkerName};
use dwarves_domain::share::Submission;

/// How much of each kind is remembered.
const MEMORY: usize = 8;

/// A share of another that somebody heard.
#[derive(Clone)]
pub(crate) struct Overheard {
    pub(crate) miner: Hotkey,
    pub(crate) worker: Option<WorkerName>,
    pub(crate) submission: Submission,
    /// The hash of its header, if it is good.
    pub(crate) hash: Option<HeaderHash>,
}

/// What others sent, for those who listen.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) shares: Vec<Overheard>,
    pub(crate) signed: Vec<Authenticate>,
}

/// The line on which all requests of others can be heard.
pub(crate) type Wire = Rc<RefCell<Heard>>;

/// Keeps the newest few.
pub(crate) fn remember<T>(list: &mut Vec<T>, item: T) {
    if list.len() >= MEMORY {
        list.remove(0);
    }
    list.push(item);
}

impl Heard {
    /// Somebody sends shares.
    pub(crate) fn hear(&mut self, sent: impl Iterator<Item = Overheard>) {
        for share in sent {
            remember(&mut self.shares, share);
        }
    }

    /// Somebody sends a signed request.
    pub(crate) fn hear_signed(&mut self, signed: &Authenticate) {
        remember(&mut self.signed, signed.clone());
    }

    /// An older ledger was put back: nobody can say what becomes of shares of the one that is gone.
    pub(crate) fn forget(&mut self) {
        self.shares.clear();
    }
}
