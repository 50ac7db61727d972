//! History, made anew for each question from every share that there ever was.

use std::collections::BTreeMap;

use dwarves_domain::history::{Step, Sums};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerId;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{History, HistoryOf, HistoryQuestion, HistoryStep, WorkerRow, WorkerSums};

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

    pub(super) fn worker_sums(&self, hotkey: Hotkey, since: &[(Step, Timestamp)]) -> Vec<WorkerSums> {
        let workers = self.rest.workers.values().map(|(row, _)| row);
        let mut found: Vec<_> = workers
            .filter(|row| row.hotkey == hotkey)
            .map(|row| self.sums_of(row, since))
            .collect();
        found.sort_by(|one, other| one.name.cmp(&other.name));
        found
    }

    fn sums_of(&self, worker: &WorkerRow, since: &[(Step, Timestamp)]) -> WorkerSums {
        let [minutes_from, hours_from, days_from] = self.rest.history_from;
        let is_asked = |step: Step, from: Timestamp, at: Timestamp| {
            let known = match step {
                Step::Minute => minutes_from,
                Step::Hour => hours_from,
                Step::Day => days_from,
            };
            step.begin(at) >= from.max(known)
        };
        let mut sums = vec![Sums::default(); since.len()];
        let mut first_at: Option<Timestamp> = None;
        for share in self.mined.iter().filter(|share| share.worker == worker.id) {
            for ((step, from), sums) in since.iter().zip(&mut sums) {
                if !is_asked(*step, *from, share.at) {
                    continue;
                }
                sums.add_shares(share.share_bits, share.units, 1);
                let minute = Step::Minute.begin(share.at);
                let at = match step {
                    Step::Day => Step::Day.begin(share.at),
                    _ if minute >= minutes_from => minute,
                    _ => Step::Hour.begin(share.at),
                };
                first_at = Some(first_at.map_or(at, |first| first.min(at)));
            }
        }
        for (at, _, rejected) in self.rest.rejected.iter().filter(|(_, of, _)| *of == worker.id) {
            for ((step, from), sums) in since.iter().zip(&mut sums) {
                if is_asked(*step, *from, *at) {
                    for (sum, n) in sums.rejected.iter_mut().zip(rejected) {
                        *sum += n;
                    }
                }
            }
        }
        WorkerSums {
            name: worker.name.clone(),
            first_at,
            sums,
        }
    }
}
