//! Evaluated work.

use dwarves_domain::evaluation::{Measure, SubmissionId};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::rewards::evaluated::BestResult;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{
    Evaluated, MinerResults, NewSubmission, Page, PageRequest, SubmissionRow, Written,
};

use super::state::{Rest, State};
use super::stored_submission::StoredSubmission;

/// The best first, then the one that came first.
fn order(measure: Measure, number: u64, of: &StoredSubmission) -> Option<(u128, Timestamp, u64)> {
    let steps = of.figure(measure)?.1.reading().steps();
    let steps = match measure {
        Measure::Loss => steps,
        Measure::Score => u128::MAX - steps,
    };
    Some((steps, of.new.received_at, number))
}

impl Rest {
    pub(super) fn queue_submission(&mut self, new: &NewSubmission) -> Written {
        let same = self.submissions.values().rev().find(|stored| {
            let counts = match &stored.evaluated {
                None => true,
                Some(evaluated) => evaluated.outcome.is_ok() && evaluated.at >= new.counts_since,
            };
            counts && (stored.new.hotkey, stored.new.digest) == (new.hotkey, new.digest)
        });
        if let Some(same) = same {
            return Written::Submission {
                id: same.new.id,
                is_new: false,
            };
        }
        let id = new.id;
        if self.submissions.values().any(|stored| stored.new.id == id) {
            return Written::Submission { id, is_new: false };
        }
        if !self.miners.contains_key(&new.hotkey) {
            return Written::NoMiner;
        }
        let last = self.submissions.last_key_value().map_or(0, |(number, _)| *number);
        let stored = StoredSubmission {
            new: new.clone(),
            evaluated: None,
        };
        self.submissions.insert(last + 1, stored);
        Written::Submission { id, is_new: true }
    }

    pub(super) fn settle_submission(
        &mut self,
        id: SubmissionId,
        evaluated: &Evaluated,
        keep: u32,
        counts_since: Timestamp,
    ) {
        let mut all = self.submissions.values_mut();
        let Some(stored) = all.find(|stored| stored.new.id == id && stored.evaluated.is_none()) else {
            return;
        };
        stored.evaluated = Some(evaluated.clone());
        let hotkey = stored.new.hotkey;
        let is_theirs =
            |stored: &&StoredSubmission| stored.new.hotkey == hotkey && stored.evaluated.is_some();
        let theirs: Vec<_> = self.submissions.values().filter(is_theirs).cloned().collect();
        let newest_first = theirs.iter().rev().enumerate();
        let keep = keep as usize;
        let over: Vec<_> = newest_first
            .filter(|(place, old)| {
                *place >= 2 * keep || (*place >= keep && old.is_over(&theirs, counts_since))
            })
            .map(|(_, old)| old.new.id)
            .collect();
        self.submissions
            .retain(|_, stored| !over.contains(&stored.new.id));
    }

    pub(super) fn remove_submission(&mut self, id: SubmissionId) {
        self.submissions.retain(|_, stored| stored.new.id != id);
    }
}

impl State {
    pub(super) fn waiting_submissions(&self, limit: u32) -> Vec<SubmissionRow> {
        let waiting = self.rest.submissions.values();
        let waiting = waiting.filter(|stored| stored.evaluated.is_none());
        waiting.take(limit as usize).map(StoredSubmission::row).collect()
    }

    pub(super) fn submitted_work(&self, id: SubmissionId) -> Option<String> {
        let mut all = self.rest.submissions.values();
        let stored = all.find(|stored| stored.new.id == id && stored.evaluated.is_none())?;
        Some(stored.new.work.clone())
    }

    pub(super) fn submission(&self, id: SubmissionId) -> Option<SubmissionRow> {
        let mut all = self.rest.submissions.values();
        Some(all.find(|stored| stored.new.id == id)?.row())
    }

    pub(super) fn submissions(&self, hotkey: Hotkey, page: PageRequest) -> Page<SubmissionRow> {
        let all = self.rest.submissions.iter();
        let theirs = all.filter(|(_, stored)| stored.new.hotkey == hotkey);
        super::pages::page(theirs.map(|(number, stored)| (*number, stored.row())), page)
    }

    pub(super) fn miner_results(&self, hotkey: Hotkey, measure: Measure, since: Timestamp) -> MinerResults {
        let theirs = || {
            let all = self.rest.submissions.iter();
            all.filter(move |(_, stored)| stored.new.hotkey == hotkey)
        };
        let counting =
            theirs().filter(|(_, stored)| stored.figure(measure).is_some_and(|(at, _)| at >= since));
        let best = counting.min_by_key(|(number, stored)| order(measure, **number, stored));
        let latest = theirs().max_by_key(|(number, stored)| {
            stored
                .evaluated
                .as_ref()
                .map(|evaluated| (evaluated.at, **number))
        });
        MinerResults {
            best: best.map(|(_, stored)| stored.row()),
            latest: latest
                .filter(|(_, stored)| stored.evaluated.is_some())
                .map(|(_, stored)| stored.row()),
            waiting: theirs().filter(|(_, stored)| stored.evaluated.is_none()).count() as u64,
        }
    }

    pub(super) fn best_results(
        &self,
        measure: Measure,
        after: Timestamp,
        until: Timestamp,
    ) -> Vec<BestResult> {
        let is_banned = |hotkey: &Hotkey| {
            let ban = self.rest.bans.get(hotkey);
            ban.is_some_and(|ban| ban.until.is_none_or(|ends_at| ends_at > until))
        };
        let best = |hotkey: &Hotkey| {
            let theirs = self.rest.submissions.iter().filter(|(_, stored)| {
                let at = stored.figure(measure).map(|(at, _)| at);
                stored.new.hotkey == *hotkey && at.is_some_and(|at| at > after && at <= until)
            });
            let (_, stored) = theirs.min_by_key(|(number, stored)| order(measure, **number, stored))?;
            Some(BestResult {
                hotkey: *hotkey,
                figure: stored.figure(measure)?.1,
                received_at: stored.new.received_at,
            })
        };
        let miners = self.rest.miners.keys();
        miners
            .filter(|hotkey| !is_banned(hotkey))
            .filter_map(best)
            .collect()
    }
}
