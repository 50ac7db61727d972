//! Which difficulty a worker mines at: what an operator fixed, what vardiff chose, and what its shares earned.

use super::{Registry, Worker};
use crate::hotkey::Hotkey;
use crate::ids::{WorkerId, WorkerName};
use crate::target::Difficulty;
use crate::time::Timestamp;

impl Registry {
    /// The difficulty of a worker's next job: an operator's choice, or vardiff's.
    pub fn next_difficulty(&mut self, id: WorkerId, now: Timestamp) -> Difficulty {
        let settings = self.vardiff;
        let start = self.start_difficulty;
        let Some(worker) = self.worker_mut(id) else {
            return start;
        };
        worker.vardiff.on_idle(now, &settings);
        worker.issued = None;
        let chosen = worker.vardiff.difficulty();
        self.fixed_difficulty(id).unwrap_or(chosen)
    }

    /// The difficulty of a worker's next job as it stands, for display.
    pub fn shown_difficulty(&self, worker: &Worker) -> Difficulty {
        self.fixed_for(worker)
            .or(worker.issued)
            .unwrap_or_else(|| worker.vardiff.difficulty())
    }

    /// The share difficulty that an operator fixed for a worker or its miner.
    pub fn fixed_difficulty(&self, id: WorkerId) -> Option<Difficulty> {
        self.fixed_for(self.worker(id)?)
    }

    fn fixed_for(&self, worker: &Worker) -> Option<Difficulty> {
        let miner = self.miners.get(&worker.hotkey)?;
        let of_worker = miner.fixed_of.get(&worker.name).copied();
        of_worker.or(miner.fixed_difficulty)
    }

    /// Notes what a worker's session issues from now on.
    pub fn note_issued(&mut self, id: WorkerId, difficulty: Difficulty) {
        if let Some(worker) = self.worker_mut(id) {
            worker.issued = Some(difficulty);
        }
    }

    /// Notes the difficulty that a worker's accepted shares in a session speak for.
    pub fn note_earned(&mut self, id: WorkerId, difficulty: Difficulty) {
        if let Some(worker) = self.worker_mut(id)
            && worker.earned != Some(difficulty)
        {
            worker.earned = Some(difficulty);
            // What a name without work earned dies with it.
            if worker.is_stored() {
                self.earned_changed.insert(id);
            }
        }
    }

    /// The workers that earned another difficulty since this was last asked.
    pub fn take_earned(&mut self) -> Vec<WorkerId> {
        std::mem::take(&mut self.earned_changed).into_iter().collect()
    }

    /// Gives back workers whose earned difficulty could not be saved: they count as changed again.
    pub fn keep_earned(&mut self, workers: impl IntoIterator<Item = WorkerId>) {
        self.earned_changed.extend(workers);
    }

    /// Puts a saved earned difficulty back. Returns whether there is such a worker.
    pub fn restore_earned(
        &mut self,
        hotkey: &Hotkey,
        worker: &WorkerName,
        difficulty: Option<Difficulty>,
    ) -> bool {
        let id = self
            .miners
            .get(hotkey)
            .and_then(|miner| miner.workers.get(worker))
            .copied();
        match id.and_then(|id| self.worker_mut(id)) {
            Some(worker) => {
                worker.earned = difficulty;
                true
            }
            None => false,
        }
    }

    /// Fixes the share difficulty of a miner or one of its workers (also for when it comes); `None` lets vardiff
    /// choose again. Returns whether there is such a miner.
    pub fn fix_difficulty(
        &mut self,
        hotkey: &Hotkey,
        worker: Option<&WorkerName>,
        difficulty: Option<Difficulty>,
    ) -> bool {
        let Some(miner) = self.miners.get_mut(hotkey) else {
            return false;
        };
        let Some(name) = worker else {
            miner.fixed_difficulty = difficulty;
            return true;
        };
        match difficulty {
            Some(difficulty) => drop(miner.fixed_of.insert(name.clone(), difficulty)),
            None => drop(miner.fixed_of.remove(name)),
        }
        true
    }
}
