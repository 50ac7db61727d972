//! Miners and their workers: standing, bans, counters and share difficulties.
//!
//! Deciding and noting are separate: what has to be stored is noted here only after the store has it.

use std::collections::{BTreeMap, BTreeSet};

use super::hashrate::Hashrate;
use crate::hotkey::Hotkey;
use crate::ids::{WorkerId, WorkerName};
use crate::share::Rejection;
use crate::statistics::Record;
use crate::target::Difficulty;
use crate::time::Timestamp;
use crate::units::Units;
use crate::vardiff::{self, Vardiff};

/// How much the registry may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegistryLimits {
    /// Registered miners.
    pub miners: usize,
    /// Those of them that are payout addresses.
    pub address_miners: usize,
    /// Workers of one miner.
    pub workers_per_miner: u32,
}

/// An operator's decision that a miner may not mine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Why, in the operator's words.
    pub reason: String,
    /// When it ends; `None`: when lifted.
    pub until: Option<Timestamp>,
}

/// Whether a hotkey may mine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing<'a> {
    /// Registered and welcome.
    Good,
    /// Not registered.
    Unknown,
    /// Banned, for this reason.
    Banned(&'a str),
}

/// A registered miner.
#[derive(Clone, Debug)]
pub struct Miner {
    /// When first registered.
    pub registered_at: Timestamp,
    /// Where payouts go.
    pub payout_address: Option<String>,
    /// Whether it is a payout address's own identity.
    pub is_address: bool,
    /// The last ban that was not lifted; it may be over.
    pub ban: Option<Ban>,
    /// A share difficulty that an operator fixed for all of its workers.
    pub fixed_difficulty: Option<Difficulty>,
    /// Its machines.
    pub workers: BTreeMap<WorkerName, WorkerId>,
    /// Shares that were rejected before their worker was known.
    pub rejected: [u64; Rejection::REASONS.len()],
}

/// What a worker's shares came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Accepted shares.
    pub accepted: u64,
    /// Rejected shares by [`Rejection::index`].
    pub rejected: [u64; Rejection::REASONS.len()],
    /// Work of the accepted shares.
    pub units: Units,
    /// Blocks among the accepted shares, whatever became of them.
    pub blocks: u64,
    /// When the last share was accepted.
    pub last_share_at: Option<Timestamp>,
}

/// An accepted share as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountedShare {
    /// The difficulty that was issued with its job.
    pub issued: Difficulty,
    /// What it counts for.
    pub units: Units,
    /// Whether it is a block.
    pub is_block: bool,
}

/// A worker of a miner.
#[derive(Clone, Debug)]
pub struct Worker {
    /// Whose.
    pub hotkey: Hotkey,
    /// Its name.
    pub name: WorkerName,
    /// What its shares came to.
    pub counters: Counters,
    /// A share difficulty that an operator fixed.
    pub fixed_difficulty: Option<Difficulty>,
    /// The difficulty that the worker's session last issued, if it mines in one that steers by itself. To be shown.
    pub issued: Option<Difficulty>,
    /// The difficulty that the worker's accepted shares in such sessions speak for: where its next one goes on.
    pub earned: Option<Difficulty>,
    vardiff: Vardiff,
    hashrate: Hashrate,
    is_saved: bool,
}

impl Worker {
    /// Hashes per second as of `now`.
    pub fn hashrate(&self, now: Timestamp) -> f64 {
        self.hashrate.per_sec(now)
    }
}

/// All miners and workers.
#[derive(Clone, Debug)]
pub struct Registry {
    limits: RegistryLimits,
    vardiff: vardiff::Settings,
    start_difficulty: Difficulty,
    miners: BTreeMap<Hotkey, Miner>,
    address_miners: usize,
    workers: Vec<Option<Worker>>,
    changed: BTreeSet<WorkerId>,
    earned_changed: BTreeSet<WorkerId>,
    hashrate: Hashrate,
    /// Whether new miners are taken.
    pub registration_open: bool,
}

impl Registry {
    /// An empty registry that takes miners. New workers begin at `start_difficulty`.
    pub fn new(
        limits: RegistryLimits,
        vardiff: vardiff::Settings,
        start_difficulty: Difficulty,
        now: Timestamp,
    ) -> Self {
        Self {
            limits,
            vardiff,
            start_difficulty,
            miners: BTreeMap::new(),
            address_miners: 0,
            workers: Vec::new(),
            changed: BTreeSet::new(),
            earned_changed: BTreeSet::new(),
            hashrate: Hashrate::new(now),
            registration_open: true,
        }
    }

    /// Notes a miner that the store has: a new one, or a known one's new payout address.
    pub fn note_miner(&mut self, hotkey: Hotkey, registered_at: Timestamp, payout_address: Option<String>) {
        let miner = self.miners.entry(hotkey).or_insert_with(|| Miner {
            registered_at,
            payout_address: None,
            is_address: false,
            ban: None,
            fixed_difficulty: None,
            workers: BTreeMap::new(),
            rejected: Default::default(),
        });
        miner.payout_address = payout_address;
    }

    /// Notes that a miner that was noted is a payout address's own identity.
    pub fn note_is_address(&mut self, hotkey: &Hotkey) {
        if let Some(miner) = self.miners.get_mut(hotkey)
            && !std::mem::replace(&mut miner.is_address, true)
        {
            self.address_miners += 1;
        }
    }

    /// Notes a worker that the store has.
    pub fn note_worker(
        &mut self,
        id: WorkerId,
        hotkey: Hotkey,
        name: WorkerName,
        counters: Counters,
        now: Timestamp,
    ) {
        let Some(miner) = self.miners.get_mut(&hotkey) else {
            return;
        };
        miner.workers.insert(name.clone(), id);
        let at = id.get() as usize;
        if self.workers.len() <= at {
            self.workers.resize(at + 1, None);
        }
        self.workers[at] = Some(Worker {
            hotkey,
            name,
            counters,
            fixed_difficulty: None,
            issued: None,
            earned: None,
            vardiff: Vardiff::new(self.start_difficulty, now, &self.vardiff),
            hashrate: Hashrate::new(now),
            is_saved: true,
        });
    }

    /// Whether there is room for one more miner.
    pub fn has_room(&self) -> bool {
        self.miners.len() < self.limits.miners
    }

    /// Miners that are payout addresses.
    pub fn address_miners(&self) -> usize {
        self.address_miners
    }

    /// Whether payout addresses have room for one more miner, while `pending` of them are being stored. They may
    /// not take all the room, or names that cost nothing would keep everybody else out.
    pub fn has_room_for_address(&self, pending: usize) -> bool {
        self.address_miners + pending < self.limits.address_miners
            && self.miners.len() + pending < self.limits.miners
    }

    /// Whether this hotkey may mine at `now`.
    pub fn standing(&self, hotkey: &Hotkey, now: Timestamp) -> Standing<'_> {
        match self.miners.get(hotkey) {
            None => Standing::Unknown,
            Some(Miner { ban: Some(ban), .. }) if ban.until.is_none_or(|until| now < until) => {
                Standing::Banned(&ban.reason)
            }
            Some(_) => Standing::Good,
        }
    }

    /// A registered miner.
    pub fn miner(&self, hotkey: &Hotkey) -> Option<&Miner> {
        self.miners.get(hotkey)
    }

    /// All miners, by hotkey.
    pub fn miners(&self) -> impl Iterator<Item = (&Hotkey, &Miner)> {
        self.miners.iter()
    }

    /// A worker.
    pub fn worker(&self, id: WorkerId) -> Option<&Worker> {
        self.workers.get(id.get() as usize)?.as_ref()
    }

    fn worker_mut(&mut self, id: WorkerId) -> Option<&mut Worker> {
        self.workers.get_mut(id.get() as usize)?.as_mut()
    }

    /// All workers.
    pub fn workers(&self) -> impl Iterator<Item = &Worker> {
        self.workers.iter().flatten()
    }

    /// The worker of a registered miner with this name, numbering it if it is new. The second value says
    /// whether the store has it: if not, store it and call [`Registry::worker_saved`] before its first job.
    ///
    /// # Errors
    /// The limit, if the miner has as many workers as it may.
    ///
    /// # Panics
    /// If the miner is not registered, which its standing tells first.
    pub fn find_or_number(
        &mut self,
        hotkey: Hotkey,
        name: &WorkerName,
        now: Timestamp,
    ) -> Result<(WorkerId, bool), u32> {
        let miner = self
            .miners
            .get(&hotkey)
            .expect("only a registered miner's workers are numbered");
        if let Some(&id) = miner.workers.get(name) {
            return Ok((id, self.worker(id).is_some_and(|w| w.is_saved)));
        }
        if miner.workers.len() >= self.limits.workers_per_miner as usize {
            return Err(self.limits.workers_per_miner);
        }
        let id = u32::try_from(self.workers.len()).map_err(|_| self.limits.workers_per_miner)?;
        let id = WorkerId::new(id);
        self.note_worker(id, hotkey, name.clone(), Counters::default(), now);
        if let Some(worker) = self.worker_mut(id) {
            worker.is_saved = false;
        }
        Ok((id, false))
    }

    /// Notes that the store has this worker now.
    pub fn worker_saved(&mut self, id: WorkerId) {
        if let Some(worker) = self.worker_mut(id) {
            worker.is_saved = true;
        }
    }

    /// The difficulty of a worker's next job: an operator's choice, or vardiff's.
    pub fn next_difficulty(&mut self, id: WorkerId, now: Timestamp) -> Difficulty {
        let settings = self.vardiff;
        let start = self.start_difficulty;
        let Some(worker) = self.worker_mut(id) else {
            return start;
        };
        worker.vardiff.on_idle(now, &settings);
        worker.issued = None;
        let fixed = worker.fixed_difficulty;
        let chosen = worker.vardiff.difficulty();
        let hotkey = worker.hotkey;
        fixed
            .or_else(|| self.miners.get(&hotkey)?.fixed_difficulty)
            .unwrap_or(chosen)
    }

    /// The difficulty of a worker's next job as it stands, for display.
    pub fn shown_difficulty(&self, worker: &Worker) -> Difficulty {
        worker
            .fixed_difficulty
            .or_else(|| self.miners.get(&worker.hotkey)?.fixed_difficulty)
            .or(worker.issued)
            .unwrap_or_else(|| worker.vardiff.difficulty())
    }

    /// The share difficulty that an operator fixed for a worker or its miner.
    pub fn fixed_difficulty(&self, id: WorkerId) -> Option<Difficulty> {
        let worker = self.worker(id)?;
        worker
            .fixed_difficulty
            .or_else(|| self.miners.get(&worker.hotkey)?.fixed_difficulty)
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
            self.earned_changed.insert(id);
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

    /// Puts a saved earned difficulty back.
    pub fn restore_earned(&mut self, hotkey: &Hotkey, worker: &WorkerName, difficulty: Option<Difficulty>) {
        let id = self
            .miners
            .get(hotkey)
            .and_then(|miner| miner.workers.get(worker))
            .copied();
        if let Some(worker) = id.and_then(|id| self.worker_mut(id)) {
            worker.earned = difficulty;
        }
    }

    /// Counts an accepted share that was received at `now`.
    pub fn on_accepted(&mut self, id: WorkerId, now: Timestamp, share: &CountedShare) {
        let issued = share.issued;
        let settings = self.vardiff;
        let hashes = issued.expected_hashes();
        self.hashrate.record(now, hashes);
        if let Some(worker) = self.worker_mut(id) {
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

    /// Counts a rejected share of a worker, or of a miner if the worker is not known.
    pub fn on_rejected(&mut self, hotkey: &Hotkey, worker: Option<WorkerId>, reason: Rejection) {
        let at = reason.index();
        if let Some(id) = worker
            && let Some(worker) = self.worker_mut(id).filter(|w| w.hotkey == *hotkey)
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
        changed
            .into_iter()
            .filter_map(|id| Some((id, self.worker(id)?.counters)))
            .collect()
    }

    /// Gives back workers whose counters were taken but could not be saved: they count as changed again.
    pub fn keep_changed(&mut self, workers: impl IntoIterator<Item = WorkerId>) {
        self.changed.extend(workers);
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
            let nothing = Record {
                found: 0,
                expected: 0.0,
            };
            let record = workers.fold(nothing, |sum, worker| Record {
                found: sum.found + worker.counters.blocks,
                expected: sum.expected + worker.counters.units.to_f64(),
            });
            (*hotkey, record)
        })
    }

    /// Bans a registered miner, or lifts its ban. Returns whether there is such a miner.
    pub fn set_ban(&mut self, hotkey: &Hotkey, ban: Option<Ban>) -> bool {
        match self.miners.get_mut(hotkey) {
            Some(miner) => {
                miner.ban = ban;
                true
            }
            None => false,
        }
    }

    /// Fixes the share difficulty of a miner or one of its workers; `None` lets vardiff choose again.
    /// Returns whether there is such a miner or worker.
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
        let id = miner.workers.get(name).copied();
        match id.and_then(|id| self.worker_mut(id)) {
            Some(worker) => {
                worker.fixed_difficulty = difficulty;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests;
