//! What waits to be evaluated, whose it is, and who waits for its result. Works are not here: they wait on disk.

use std::collections::{BTreeMap, VecDeque};

use dwarves_domain::evaluation::{SubmissionId, WorkDigest};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::SubmissionRow;

use super::messages::Submitted;
use crate::ask::ReplyTo;

/// Where a result is told.
pub(super) type Watcher = ReplyTo<Result<Submitted, Refusal>>;

/// Those who may wait for one result. Whoever comes later is told that it waits, and asks again.
const WATCHERS_MAX: usize = 8;

/// A submission that has no result yet.
pub(super) struct Waiting {
    pub(super) row: SubmissionRow,
    /// What it is known again by, if it came in this life.
    digest: Option<WorkDigest>,
    /// How often it was tried in vain.
    pub(super) tries: u32,
    /// Running time before which it is not tried again.
    pub(super) not_before: Timestamp,
    /// Those who wait for its result, each with a number of its own, and whether the work was new when it asked.
    watchers: Vec<(u64, bool, Watcher)>,
}

/// All submissions without a result.
#[derive(Default)]
pub(super) struct Queue {
    all: BTreeMap<SubmissionId, Waiting>,
    /// Those that are not being evaluated, in the order in which they are tried.
    line: VecDeque<SubmissionId>,
    /// How many each miner has, with those that are on their way into the ledger.
    of_miners: BTreeMap<Hotkey, usize>,
    /// Submissions on their way into the ledger.
    coming: usize,
    watchers: u64,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many stand in the line.
    pub(super) fn waiting(&self) -> usize {
        self.line.len()
    }

    /// All that have no result, with those on their way into the ledger.
    pub(super) fn len(&self) -> usize {
        self.all.len() + self.coming
    }

    /// How many a miner has.
    pub(super) fn of_miner(&self, hotkey: &Hotkey) -> usize {
        self.of_miners.get(hotkey).copied().unwrap_or(0)
    }

    /// One of this miner is on its way into the ledger.
    pub(super) fn begin_coming(&mut self, hotkey: Hotkey) {
        self.coming += 1;
        *self.of_miners.entry(hotkey).or_default() += 1;
    }

    /// It is there, or never will be.
    pub(super) fn end_coming(&mut self, hotkey: &Hotkey) {
        self.coming = self.coming.saturating_sub(1);
        self.forget_one_of(hotkey);
    }

    fn forget_one_of(&mut self, hotkey: &Hotkey) {
        if let Some(count) = self.of_miners.get_mut(hotkey) {
            *count -= 1;
            if *count == 0 {
                self.of_miners.remove(hotkey);
            }
        }
    }

    /// A stored submission takes its place at the end of the line.
    pub(super) fn add(&mut self, row: SubmissionRow, digest: Option<WorkDigest>) {
        let id = row.id;
        *self.of_miners.entry(row.hotkey).or_default() += 1;
        self.line.push_back(id);
        let waiting = Waiting {
            row,
            digest,
            tries: 0,
            not_before: Timestamp::EPOCH,
            watchers: Vec::new(),
        };
        self.all.insert(id, waiting);
    }

    /// The same miner's same work, if it has no result yet.
    pub(super) fn same(&self, hotkey: &Hotkey, digest: &WorkDigest) -> Option<SubmissionId> {
        let mut all = self.all.values();
        let same =
            all.find(|waiting| waiting.row.hotkey == *hotkey && waiting.digest.as_ref() == Some(digest));
        same.map(|waiting| waiting.row.id)
    }

    pub(super) fn contains(&self, id: &SubmissionId) -> bool {
        self.all.contains_key(id)
    }

    /// Has `reply` told of the result. Gives the number to call it off by; whoever finds no room is told at once that it
    /// waits.
    pub(super) fn watch(&mut self, id: &SubmissionId, is_new: bool, reply: Watcher) -> Option<u64> {
        let waiting = self.all.get_mut(id)?;
        waiting.watchers.retain(|(.., watcher)| !watcher.is_abandoned());
        if waiting.watchers.len() >= WATCHERS_MAX {
            let row = waiting.row.clone();
            reply.answer(Ok(Submitted { row, is_new }));
            return None;
        }
        self.watchers += 1;
        waiting.watchers.push((self.watchers, is_new, reply));
        Some(self.watchers)
    }

    /// Tells one who waited long enough that it still waits.
    pub(super) fn call_off(&mut self, id: &SubmissionId, number: u64) {
        let Some(waiting) = self.all.get_mut(id) else {
            return;
        };
        let place = waiting
            .watchers
            .iter()
            .position(|(watcher, ..)| *watcher == number);
        if let Some(place) = place {
            let (_, is_new, reply) = waiting.watchers.swap_remove(place);
            let row = waiting.row.clone();
            reply.answer(Ok(Submitted { row, is_new }));
        }
    }

    /// Takes the first that is due out of the line.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Option<SubmissionRow> {
        let is_due = |id: &SubmissionId| self.all.get(id).is_some_and(|waiting| waiting.not_before <= now);
        let place = self.line.iter().position(is_due)?;
        let id = self.line.remove(place)?;
        Some(self.all.get(&id)?.row.clone())
    }

    /// Puts one back to the end of the line, to be tried again then. It was tried so often in vain.
    pub(super) fn put_back(&mut self, id: SubmissionId, tries: u32, not_before: Timestamp) {
        if let Some(waiting) = self.all.get_mut(&id) {
            (waiting.tries, waiting.not_before) = (tries, not_before);
            self.line.push_back(id);
        }
    }

    /// How often one was tried in vain.
    pub(super) fn tries(&self, id: &SubmissionId) -> u32 {
        self.all.get(id).map_or(0, |waiting| waiting.tries)
    }

    /// One has its result, or is gone: gives those who wait for it.
    pub(super) fn remove(&mut self, id: &SubmissionId) -> Vec<(bool, Watcher)> {
        let Some(waiting) = self.all.remove(id) else {
            return Vec::new();
        };
        self.line.retain(|other| other != id);
        self.forget_one_of(&waiting.row.hotkey);
        let watchers = waiting.watchers.into_iter();
        watchers.map(|(_, is_new, reply)| (is_new, reply)).collect()
    }
}
