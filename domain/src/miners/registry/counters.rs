//! Shares become counters.

use super::{
    CountedShare, Counters, Difficulty, Hashrate, Hotkey, Registry, Rejection, Stage, Timestamp, WorkerId,
};
use crate::statistics::Record;

impl Registry {
    /// Counts an accepted share that was received at `now` and is in the store.
    pub fn on_accepted(&mut self, id: WorkerId, now: Timestamp, share: &CountedShare) {
        let issued = share.issued;
        let settings = self.vardiff;
        let hashes = issued.expected_hashes();
        self.hashrate.record(now, hashes);
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.under_way = worker.under_way.saturating_sub(1);
            worker.counters.accepted += 1;
            // Work of a pool's life fits; a display need not fail if it ever does not.
            let units = worker.counters.units;
            worker.counters.units = units.checked_add(share.units).unwrap_or(units);
            worker.counters.blocks += u64::from(share.is_block);
            worker.counters.last_share_at = Some(now);
            worker.hashrate.record(now, hashes);
            worker.vardiff.on_share(now, issued, &settings);
            self.changed.insert(id);
        }
    }

    /// A share that was credited to a worker could not be stored.
    pub fn on_lost(&mut self, id: WorkerId) {
        if let Some(worker) = self.worker_mut(id) {
            worker.under_way = worker.under_way.saturating_sub(1);
        }
    }

    /// Steers a worker by a share whose credit went to another name of its miner.
    pub fn steer(&mut self, id: WorkerId, now: Timestamp, issued: Difficulty) {
        let settings = self.vardiff;
        if let Some(worker) = self.worker_mut(id) {
            worker.vardiff.on_share(now, issued, &settings);
        }
    }

    /// A job of this worker, issued at `issued`, brought `times` as much as is its due: its next one is as much harder,
    /// at once.
    pub fn raise(&mut self, id: WorkerId, now: Timestamp, issued: Difficulty, times: f64) {
        let settings = self.vardiff;
        if let Some(worker) = self.worker_mut(id) {
            worker.vardiff.raise(now, issued, times, &settings);
        }
    }

    /// Counts a rejected share of a worker, or of a miner if the worker is not known.
    pub fn on_rejected(&mut self, hotkey: &Hotkey, worker: Option<WorkerId>, reason: Rejection) {
        let at = reason.index();
        if let Some(id) = worker
            && let Some(worker) = self.workers.get_mut(&id)
            && worker.hotkey == *hotkey
            && worker.stage == Stage::Stored
        {
            worker.counters.rejected[at] += 1;
            self.changed.insert(id);
        } else if let Some(miner) = self.miners.get_mut(hotkey) {
            miner.rejected[at] += 1;
        }
    }

    /// The counters that changed since this was last asked.
    pub fn take_changed(&mut self) -> Vec<(WorkerId, Counters)> {
        let changed = std::mem::take(&mut self.changed);
        // Of one that is leaving, all that it came to is on its way already.
        let saved = |id: WorkerId| self.worker(id).filter(|worker| worker.stage == Stage::Stored);
        changed
            .into_iter()
            .filter_map(|id| Some((id, saved(id)?.counters)))
            .collect()
    }

    /// Gives back workers whose counters were taken but could not be saved: they count as changed again.
    pub fn keep_changed(&mut self, workers: impl IntoIterator<Item = WorkerId>) {
        self.changed.extend(workers);
    }

    /// Lets the pool's rate and those of these workers go on from what was known of them.
    pub fn resume_hashrates(
        &mut self,
        pool: Hashrate,
        workers: impl IntoIterator<Item = (WorkerId, Hashrate)>,
    ) {
        self.hashrate = pool;
        for (id, hashrate) in workers {
            if let Some(worker) = self.workers.get_mut(&id) {
                worker.hashrate = hashrate;
            }
        }
    }

    /// Hashes per second of all miners as of `now`.
    pub fn hashrate(&self, now: Timestamp) -> f64 {
        self.hashrate.per_sec(now)
    }

    /// One standard deviation of that by chance alone, as a part of it; `None` before the first share.
    pub fn hashrate_error(&self) -> Option<f64> {
        self.hashrate.relative_error()
    }

    /// What each miner's work should have brought and what it brought, by hotkey.
    pub fn records(&self) -> impl Iterator<Item = (Hotkey, Record)> + '_ {
        self.miners.iter().map(|(hotkey, miner)| {
            let workers = miner.workers.values().filter_map(|id| self.worker(*id));
            let gone = Record {
                found: miner.gone.blocks,
                expected: miner.gone.units.to_f64(),
            };
            let record = workers.fold(gone, |sum, worker| Record {
                found: sum.found + worker.counters.blocks,
                expected: sum.expected + worker.counters.units.to_f64(),
            });
            (*hotkey, record)
        })
    }
}
