//! History, made anew for each question from every share that there ever was.

use std::collections::BTreeMap;

use dwarves_domain::history::{Step, Sums};
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{History, HistoryOf, HistoryQuestion, HistoryStep};

use super::state::{Mined, State};

impl State {
    pub(super) fn prune_history(&mut self, before: [Timestamp; 3]) {
        for ((step, from), before) in Step::ALL.into_iter().zip(&mut self.rest.history_from).zip(before) {
            *from = (*from).max(step.row_begin(before));
        }
    }

    pub(super) fn history(&self, question: &HistoryQuestion) -> Option<History> {
        let HistoryQuestion { of, step, from, to } = question;
        let is_theirs: Box<dyn Fn(&Mined) -> bool> = match of {
            HistoryOf::Pool => Box::new(|_| true),
            HistoryOf::Miner(hotkey) => {
                self.rest.miners.get(hotkey)?;
                Box::new(|share| self.rest.owners.get(&share.worker) == Some(hotkey))
            }
            HistoryOf::Worker(hotkey, name) => {
                let mut workers = self.rest.workers.values().map(|(row, _)| row);
                let worker = workers.find(|row| row.hotkey == *hotkey && row.name == *name)?.id;
                Box::new(move |share| share.worker == worker)
            }
        };
        let known = Step::ALL.into_iter().zip(self.rest.history_from);
        let known = known.filter(|(of, _)| of == step).map(|(_, from)| from).max();
        let known = |at: &Timestamp| Some(*at) >= known;
        let mut steps: BTreeMap<Timestamp, HistoryStep> = BTreeMap::new();
        for share in self.mined.iter().filter(|share| is_theirs(share)) {
            let at = step.begin(share.at);
            if at < *from || at >= *to || !known(&at) {
                continue;
            }
            let step = steps.entry(at).or_insert_with(|| HistoryStep {
                at,
                sums: Sums::default(),
                last_bits: None,
                miners: None,
                workers: None,
            });
            step.sums.add_shares(share.share_bits, share.units, 1);
            if matches!(of, HistoryOf::Worker(..)) {
                step.last_bits = Some(share.share_bits);
            }
        }
        let begins = self
            .mined
            .iter()
            .map(|share| step.begin(share.at))
            .filter(known)
            .min();
        let is_asked = |at: Timestamp| at >= *from && at < *to;
        let lives = self.rest.lives.iter().copied();
        let lives = lives.filter(|life| is_asked(life.started_at) || life.stopped_at.is_some_and(is_asked));
        Some(History {
            begins,
            lives: lives.collect(),
            steps: steps.into_values().collect(),
        })
    }
}
