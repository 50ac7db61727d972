//! History, made anew for each question from every share that there ever was.

use std::collections::BTreeMap;

use dwarves_domain::history::{Step, Sums};
use dwarves_domain::ids::WorkerId;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{History, HistoryOf, HistoryQuestion, HistoryStep};

use super::state::State;

impl State {
    pub(super) fn prune_history(&mut self, before: [Timestamp; 3]) {
        for ((step, from), before) in Step::ALL.into_iter().zip(&mut self.rest.history_from).zip(before) {
            *from = (*from).max(step.row_begin(before));
        }
    }

    pub(super) fn history(&self, question: &HistoryQuestion) -> Option<History> {
        let HistoryQuestion { of, step, from, to } = question;
        let is_theirs: Box<dyn Fn(WorkerId) -> bool> = match of {
            HistoryOf::Pool => Box::new(|_| true),
            HistoryOf::Miner(hotkey) => {
                self.rest.miners.get(hotkey)?;
                Box::new(|worker| self.rest.owners.get(&worker) == Some(hotkey))
            }
            HistoryOf::Worker(hotkey, name) => {
                let mut workers = self.rest.workers.values().map(|(row, _)| row);
                let worker = workers.find(|row| row.hotkey == *hotkey && row.name == *name)?.id;
                Box::new(move |of| of == worker)
            }
        };
        let known = Step::ALL.into_iter().zip(self.rest.history_from);
        let known = known.filter(|(of, _)| of == step).map(|(_, from)| from).max();
        let known = |at: &Timestamp| Some(*at) >= known;
        let mut steps: BTreeMap<Timestamp, HistoryStep> = BTreeMap::new();
        let step_of = |at: Timestamp| step.begin(at);
        let mut add = |at: Timestamp, worker, add: &dyn Fn(&mut HistoryStep)| {
            let at = step_of(at);
            if is_theirs(worker) && at >= *from && at < *to && known(&at) {
                add(steps.entry(at).or_insert_with(|| HistoryStep {
                    at,
                    sums: Sums::default(),
                    last_bits: None,
                    miners: None,
                    workers: None,
                }));
            }
        };
        for share in &self.mined {
            add(share.at, share.worker, &|step| {
                step.sums.add_shares(share.share_bits, share.units, 1);
                step.last_bits = Some(share.share_bits).filter(|_| matches!(of, HistoryOf::Worker(..)));
            });
        }
        for (at, worker, rejected) in &self.rest.rejected {
            add(*at, *worker, &|step| {
                for (sum, n) in step.sums.rejected.iter_mut().zip(rejected) {
                    *sum += n;
                }
            });
        }
        let rejected = self.rest.rejected.iter().map(|(at, ..)| *at);
        let times = self.mined.iter().map(|share| share.at).chain(rejected);
        let begins = times.map(step_of).filter(known).min();
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
