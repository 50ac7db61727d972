//! What happened in a simulation of evaluated work, and what miners and operators were told: all of it must hold for ever.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use dwarves_domain::evaluation::{Outcome, SubmissionId};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::SubmissionRow;

/// Shared by all who take part; they are all on one thread.
#[derive(Clone, Default)]
pub(super) struct Records(Rc<RefCell<Inner>>);

#[derive(Default)]
struct Inner {
    log: Vec<String>,
    told: Told,
}

/// What was told.
#[derive(Clone, Default)]
pub(super) struct Told {
    /// Whose each acknowledged submission is, and when it came.
    pub(super) acknowledged: BTreeMap<SubmissionId, (Hotkey, Timestamp)>,
    /// Those that a miner was told are new.
    new: BTreeSet<SubmissionId>,
    /// When each result was known, and what it was.
    pub(super) results: BTreeMap<SubmissionId, (Timestamp, Outcome)>,
    /// Submissions that somebody wanted removed.
    pub(super) unwanted: BTreeSet<SubmissionId>,
    /// Those that are removed.
    pub(super) removed: BTreeSet<SubmissionId>,
    /// The digest of each batch of payouts, by its name.
    pub(super) batches: BTreeMap<String, String>,
    /// What rounds emit, and the operator's fee.
    pub(super) emission: Orders<u64>,
    pub(super) fee: Orders<u16>,
}

/// A number that operators order: what was configured, and each order.
#[derive(Clone, Default)]
pub(super) struct Orders<T>(Vec<Ordered<T>>);

#[derive(Clone)]
struct Ordered<T> {
    value: T,
    /// The rounds that were there when it was sent, and when it was known to be done.
    sent: u64,
    done: Option<u64>,
}

impl<T: Copy + Ord> Orders<T> {
    /// An order goes out while there are so many rounds. Gives the place by which it is [done](Self::done).
    pub(super) fn send(&mut self, value: T, rounds: u64) -> usize {
        self.0.push(Ordered {
            value,
            sent: rounds,
            done: None,
        });
        self.0.len() - 1
    }

    /// The order at this place is done, while there are so many rounds.
    pub(super) fn done(&mut self, place: usize, rounds: u64) {
        self.0[place].done = Some(rounds);
    }

    /// What may hold in this round, after `configured`. It holds from the next round on, and one may be on its way.
    pub(super) fn in_round(&self, configured: T, round: u64) -> BTreeSet<T> {
        let mut possible = BTreeSet::from([configured]);
        for order in &self.0 {
            if order.done.is_some_and(|rounds| round >= rounds + 2) {
                possible = BTreeSet::from([order.value]);
            } else if round > order.sent {
                possible.insert(order.value);
            }
        }
        possible
    }
}

impl Records {
    pub(super) fn event(&self, what: impl Into<String>) {
        self.0.borrow_mut().log.push(what.into());
    }

    pub(super) fn log(&self) -> Vec<String> {
        self.0.borrow().log.clone()
    }

    pub(super) fn told(&self) -> Told {
        self.0.borrow().told.clone()
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Told) -> T) -> T {
        change(&mut self.0.borrow_mut().told)
    }

    /// A miner was told of its submission.
    pub(super) fn submitted(&self, row: &SubmissionRow, is_new: bool) {
        let told = &mut self.0.borrow_mut().told;
        let whose = (row.hotkey, row.received_at);
        let before = told.acknowledged.insert(row.id, whose);
        assert!(
            before.is_none_or(|before| before == whose),
            "{} changed hands",
            row.id
        );
        assert!(!is_new || told.new.insert(row.id), "{} was new twice", row.id);
        told.result(row);
    }

    /// What is stored of a submission now.
    pub(super) fn stored(&self, row: &SubmissionRow) {
        self.0.borrow_mut().told.result(row);
    }
}

impl Told {
    /// A result stays as it is once it was seen.
    fn result(&mut self, row: &SubmissionRow) {
        let Some(evaluated) = &row.evaluated else {
            let known = self.results.get(&row.id);
            assert_eq!(known, None, "{} had a result and waits again", row.id);
            return;
        };
        let seen = (evaluated.at, evaluated.outcome.clone());
        let before = self.results.entry(row.id).or_insert_with(|| seen.clone());
        assert_eq!(*before, seen, "{} has another result now", row.id);
    }
}
