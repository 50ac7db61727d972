//! A worker's life: a name gets a number, waits for its first work, is stored with it, and gives way.
//!
//! Anybody can ask for work under somebody's name as often as they like. So a name that had no work yet is kept in
//! memory alone, among a bounded number of such names, of which those give way first that the busiest client made up.
//! With its first accepted share it is stored. A miner has room for only so many; what has no place of its own is credited
//! to the miner's `default`, so nothing is ever refused for its name, and nothing that was found is lost.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;

use super::{
    Client, Counters, Hashrate, Hotkey, IdHasher, Registry, Span, Stage, Timestamp, Vardiff, Worker,
    WorkerId, WorkerName,
};

/// How often it is looked whether one of a miner's names can give way.
const LOOK_FOR_ROOM_EVERY: Span = Span::from_secs(60);
/// How long an owner's names keep their place without a share when it asks for another one by itself.
const OWNERS_IDLE: Span = Span::from_secs(3_600);

/// The numbers that may be given to workers. A number is in jobs before the store knows its worker, so those that may
/// be given are stored beforehand, and none is given twice: not in this life, and not in the next.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers {
    next: WorkerId,
    left: u32,
    /// Those of workers that gave way: shares in the store still bear them.
    gone: HashSet<WorkerId, BuildHasherDefault<IdHasher>>,
}

/// No number may be given now: more must be stored first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfNumbers;

/// To whom a share is credited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credit {
    /// The worker whose record the shares go on.
    pub worker: WorkerId,
    /// Whether the store knows it. If not, it is to be stored together with the share.
    pub is_stored: bool,
}

impl Registry {
    /// Notes a worker that the store has.
    pub fn note_worker(
        &mut self,
        id: WorkerId,
        hotkey: Hotkey,
        name: WorkerName,
        counters: Counters,
        now: Timestamp,
    ) {
        if self.insert(id, hotkey, name, Stage::Stored, now) && counters.accepted > 0 {
            self.note_work(&hotkey);
        }
        if let Some(worker) = self.worker_mut(id) {
            worker.counters = counters;
        }
    }

    /// Notes that a worker that gave way had this number.
    pub fn note_gone_number(&mut self, id: WorkerId) {
        self.numbers.gone.insert(id);
    }

    /// Takes a worker in. Returns whether its miner is known.
    fn insert(
        &mut self,
        id: WorkerId,
        hotkey: Hotkey,
        name: WorkerName,
        stage: Stage,
        now: Timestamp,
    ) -> bool {
        let Some(miner) = self.miners.get_mut(&hotkey) else {
            return false;
        };
        miner.workers.insert(name.clone(), id);
        if stage == Stage::Stored && !name.is_unnamed() {
            miner.named += 1;
        }
        let worker = Worker {
            hotkey,
            name,
            counters: Counters::default(),
            issued: None,
            earned: None,
            vardiff: Vardiff::new(self.start_difficulty, now, &self.vardiff),
            hashrate: Hashrate::new(now),
            stage,
            under_way: 0,
        };
        self.workers.insert(id, worker);
        true
    }

    /// Gives `count` numbers from `first` on to be given to workers; the store knows that they may be.
    pub fn give_numbers(&mut self, first: WorkerId, count: u32) {
        (self.numbers.next, self.numbers.left) = (first, count);
    }

    /// How many numbers there are to be given.
    pub fn numbers_left(&self) -> u32 {
        self.numbers.left
    }

    fn next_number(&mut self) -> Result<WorkerId, OutOfNumbers> {
        while self.numbers.left > 0 {
            let id = self.numbers.next;
            self.numbers.left -= 1;
            // After four billion names the numbers begin again.
            self.numbers.next = WorkerId::new(id.get().wrapping_add(1));
            if !self.workers.contains_key(&id) && !self.numbers.gone.contains(&id) {
                return Ok(id);
            }
        }
        Err(OutOfNumbers)
    }

    /// The worker of a registered miner with this name, numbering it if it is new. `client` is who asks for it.
    ///
    /// # Errors
    /// If there is no number left: then more must be given ([`Registry::give_numbers`]).
    ///
    /// # Panics
    /// If the miner is not registered, which its standing tells first.
    pub fn find_or_number(
        &mut self,
        hotkey: Hotkey,
        name: &WorkerName,
        client: Client,
        now: Timestamp,
    ) -> Result<WorkerId, OutOfNumbers> {
        let miner = self
            .miners
            .get(&hotkey)
            .expect("only a registered miner's workers are numbered");
        if let Some(&id) = miner.workers.get(name) {
            if let Some(worker) = self.workers.get_mut(&id)
                && let Stage::Waiting(place) = worker.stage
            {
                // It is in use: it waits anew. An owner's name stays the owner's, whoever asks for it.
                let client = match place.client() {
                    Client::Owner(owner) => Client::Owner(owner),
                    Client::At(_) | Client::Earlier => client,
                };
                self.waiting.leave(&place);
                worker.stage = Stage::Waiting(self.waiting.take(client, id));
            }
            return Ok(id);
        }
        let id = self.next_number()?;
        while self.waiting.len() >= self.limits.names_waiting.max(1)
            && let Some(oldest) = self.waiting.first_to_give_way()
        {
            self.forget_name(oldest);
        }
        let place = self.waiting.take(client, id);
        self.insert(id, hotkey, name.clone(), Stage::Waiting(place), now);
        Ok(id)
    }

    /// Names that have no work yet.
    pub fn names_waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whom a share of a registered miner is credited to: the worker that its job names; if that is no more, the one
    /// that the request names; if neither has a place, the miner's `default`.
    ///
    /// # Errors
    /// If `default` is new and there is no number left for it.
    pub fn credit(
        &mut self,
        miner: Hotkey,
        of_job: WorkerId,
        named: Option<&WorkerName>,
        now: Timestamp,
    ) -> Result<Credit, OutOfNumbers> {
        if let Some(credit) = self.credit_to(miner, of_job, now) {
            return Ok(credit);
        }
        let id_of = |registry: &Self, name| registry.miners.get(&miner)?.workers.get(name).copied();
        if !self.workers.contains_key(&of_job)
            && let Some(id) = named.and_then(|name| id_of(self, name))
            && let Some(credit) = self.credit_to(miner, id, now)
        {
            return Ok(credit);
        }
        let unnamed = WorkerName::unnamed();
        let id = match id_of(self, &unnamed) {
            Some(id) => id,
            None => {
                let id = self.next_number()?;
                self.insert(id, miner, unnamed, Stage::Storing, now);
                id
            }
        };
        let credit = self.credit_to(miner, id, now);
        Ok(credit.expect("a miner's default always has a place"))
    }

    /// Credits a share to this worker, if it is the miner's and has or gets a place.
    fn credit_to(&mut self, hotkey: Hotkey, id: WorkerId, now: Timestamp) -> Option<Credit> {
        let worker = self
            .workers
            .get_mut(&id)
            .filter(|worker| worker.hotkey == hotkey)?;
        if let Stage::Waiting(place) = worker.stage {
            let miner = self.miners.get_mut(&hotkey)?;
            if !worker.name.is_unnamed() {
                if miner.named >= self.limits.workers_per_miner {
                    let looked_at = miner.looked_for_room_at;
                    if looked_at.is_none_or(|at| now.since(at) >= LOOK_FOR_ROOM_EVERY || now < at) {
                        miner.looked_for_room_at = Some(now);
                        let is_owners = matches!(place.client(), Client::Owner(_));
                        self.wanting_room.push((hotkey, is_owners));
                    }
                    return None;
                }
                miner.named += 1;
            }
            worker.stage = Stage::Storing;
            self.waiting.leave(&place);
            worker.under_way += 1;
            self.note_work(&hotkey);
            return Some(Credit {
                worker: id,
                is_stored: false,
            });
        }
        if worker.stage == Stage::Leaving {
            return None;
        }
        worker.under_way += 1;
        let is_stored = worker.stage == Stage::Stored;
        if !is_stored {
            self.note_work(&hotkey);
        }
        Some(Credit {
            worker: id,
            is_stored,
        })
    }

    /// Notes that the store has this worker now.
    pub fn worker_saved(&mut self, id: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&id)
            && worker.stage == Stage::Storing
        {
            worker.stage = Stage::Stored;
            if worker.earned.is_some() {
                self.earned_changed.insert(id);
            }
        }
    }

    /// The miners that need room for one more name since this was last asked, and for each the worker that gives way:
    /// the one that brought no share for the longest time, if that is long enough. It is leaving from now on; what it
    /// came to is told.
    pub fn take_giving_way(&mut self, now: Timestamp) -> Vec<(WorkerId, Counters)> {
        let wanting = std::mem::take(&mut self.wanting_room);
        let idle = |is_owners| match is_owners {
            true => OWNERS_IDLE.min(self.limits.worker_idle),
            false => self.limits.worker_idle,
        };
        let oldest = |(hotkey, is_owners): (Hotkey, bool)| {
            let before = now.minus(idle(is_owners));
            let ids = self.miners.get(&hotkey)?.workers.values();
            let workers = ids.filter_map(|id| Some((*id, self.worker(*id)?)));
            let idle = workers.filter(|(_, worker)| {
                worker.stage == Stage::Stored
                    && worker.under_way == 0
                    && !worker.name.is_unnamed()
                    && worker.counters.last_share_at.is_none_or(|at| at < before)
            });
            idle.min_by_key(|(_, worker)| worker.counters.last_share_at)
                .map(|(id, _)| id)
        };
        let giving_way: Vec<_> = wanting.into_iter().filter_map(oldest).collect();
        let begun = giving_way
            .into_iter()
            .filter_map(|id| Some((id, self.begin_leaving(id)?)));
        begun.collect()
    }

    /// Begins to take a worker out: what it brings from now on goes to its miner's `default`. Tells what it came to;
    /// `None` if it cannot go now, because shares of it are on their way or the store does not know it.
    pub fn begin_leaving(&mut self, id: WorkerId) -> Option<Counters> {
        let worker = self.workers.get_mut(&id)?;
        if worker.stage != Stage::Stored || worker.under_way > 0 || worker.name.is_unnamed() {
            return None;
        }
        worker.stage = Stage::Leaving;
        Some(worker.counters)
    }

    /// The store could not take the worker out.
    pub fn stays(&mut self, id: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&id)
            && worker.stage == Stage::Leaving
        {
            worker.stage = Stage::Stored;
            self.changed.insert(id);
        }
    }

    /// Notes that the store took the worker out: what it came to is its miner's.
    pub fn note_left(&mut self, id: WorkerId) {
        if let Some(worker) = self.worker(id) {
            let (hotkey, counters) = (worker.hotkey, worker.counters);
            if let Some(miner) = self.miners.get_mut(&hotkey) {
                miner.gone.add(&counters);
                // The next name finds the room at once.
                miner.looked_for_room_at = None;
            }
        }
        self.forget_name(id);
    }

    /// Forgets a worker that the store does not know, and its name. Returns whether there was such a one.
    pub fn forget_waiting(&mut self, id: WorkerId) -> bool {
        let is_waiting = self
            .worker(id)
            .is_some_and(|worker| matches!(worker.stage, Stage::Waiting(_)));
        if is_waiting {
            self.forget_name(id);
        }
        is_waiting
    }

    fn forget_name(&mut self, id: WorkerId) {
        let Some(worker) = self.forget(id) else {
            return;
        };
        if let Some(miner) = self.miners.get_mut(&worker.hotkey) {
            if miner.workers.get(&worker.name) == Some(&id) {
                miner.workers.remove(&worker.name);
            }
            if !matches!(worker.stage, Stage::Waiting(_)) && !worker.name.is_unnamed() {
                miner.named = miner.named.saturating_sub(1);
            }
        }
    }

    pub(super) fn forget(&mut self, id: WorkerId) -> Option<Worker> {
        let worker = self.workers.remove(&id)?;
        self.changed.remove(&id);
        self.earned_changed.remove(&id);
        match worker.stage {
            Stage::Waiting(place) => self.waiting.leave(&place),
            Stage::Storing | Stage::Stored | Stage::Leaving => self.note_gone_number(id),
        }
        Some(worker)
    }
}
