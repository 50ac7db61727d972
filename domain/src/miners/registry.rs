//! Miners and their workers: standing, bans, counters and share difficulties.
//!
//! Deciding and noting are separate: what has to be stored is noted here only after the store has it.
//!
//! | module | its one job |
//! |---|---|
//! | `names` | a name gets a number, waits for its first work, is stored, gives way |
//! | `admission` | who may register, and who gives way when there is no room |
//! | `counters` | shares become counters |

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use super::bindings::Bindings;
use super::hashrate::Hashrate;
use super::places::{Client, Place, Places};
use crate::hotkey::Hotkey;
use crate::ids::{WorkerId, WorkerName};
use crate::share::Rejection;
use crate::target::Difficulty;
use crate::time::{Span, Timestamp};
use crate::units::Units;
use crate::vardiff::{self, Vardiff};

mod admission;
mod counters;
mod difficulty;
mod names;
#[cfg(test)]
mod tests;

pub use names::{Credit, OutOfNumbers};

/// How much the registry may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegistryLimits {
    /// Miners that may be registered.
    pub miners: usize,
    /// Those of them that are payout addresses.
    pub address_miners: usize,
    /// Named workers of one miner that are stored; `default` is always one more.
    pub workers_per_miner: u32,
    /// For how long a worker without a share keeps its place when another one needs it.
    pub worker_idle: Span,
    /// Names that have no work yet, of all miners together.
    pub names_waiting: usize,
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
    /// Nobody registered this hotkey.
    Unknown,
    /// Banned, for this reason.
    Banned(&'a str),
}

/// A registered miner.
#[derive(Clone, Debug)]
pub struct Miner {
    /// When it registered first.
    pub registered_at: Timestamp,
    /// The address that payouts go to; `None` while there is none.
    pub payout_address: Option<String>,
    /// Whether it is a payout address's own identity.
    pub is_address: bool,
    /// The last ban that was not lifted; it may be over.
    pub ban: Option<Ban>,
    /// A share difficulty that an operator fixed for all of its workers.
    pub fixed_difficulty: Option<Difficulty>,
    /// Its machines, also those that have no work yet.
    pub workers: BTreeMap<WorkerName, WorkerId>,
    /// Shares that were rejected before their worker was known or had work.
    pub rejected: [u64; Rejection::REASONS.len()],
    /// What workers came to that gave way or were removed.
    pub gone: Counters,
    /// Share difficulties that an operator fixed for workers.
    fixed_of: BTreeMap<WorkerName, Difficulty>,
    /// How many of its workers are stored or being stored, `default` not counted.
    named: u32,
    /// Its place among those without work; `None` once it has work.
    place: Option<Place>,
    looked_for_room_at: Option<Timestamp>,
    is_leaving: bool,
}

/// What a worker's shares came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Shares accepted.
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

impl Counters {
    /// Adds what another one came to.
    pub fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        for (sum, n) in self.rejected.iter_mut().zip(other.rejected) {
            *sum += n;
        }
        // Work of a pool's life fits; a display need not fail if it ever does not.
        self.units = self.units.checked_add(other.units).unwrap_or(self.units);
        self.blocks += other.blocks;
        self.last_share_at = self.last_share_at.max(other.last_share_at);
    }
}

/// Where a worker is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It had no work yet, so the store does not know it.
    Waiting(Place),
    /// Its first share is on its way to the store, and its name with it.
    Storing,
    /// The store knows it.
    Stored,
    /// It is being taken out of the store. What it brings goes to the miner's `default`.
    Leaving,
}

/// A worker of a miner.
#[derive(Clone, Debug)]
pub struct Worker {
    /// The miner whose worker it is.
    pub hotkey: Hotkey,
    /// The worker's name.
    pub name: WorkerName,
    /// What its shares came to.
    pub counters: Counters,
    /// The difficulty that the worker's session last issued, if it mines in one that steers by itself. To be shown.
    pub issued: Option<Difficulty>,
    /// The difficulty that the worker's accepted shares in such sessions speak for: where its next one goes on.
    pub earned: Option<Difficulty>,
    vardiff: Vardiff,
    hashrate: Hashrate,
    stage: Stage,
    /// Shares that are credited to it and not in the store yet.
    under_way: u32,
}

impl Worker {
    /// Whether it has no work yet and is there because its owner asked for it.
    pub fn is_owners_newest(&self) -> bool {
        matches!(self.stage, Stage::Waiting(place) if matches!(place.client(), Client::Owner(_)))
    }

    /// Whether the store knows it: it had an accepted share.
    pub fn is_stored(&self) -> bool {
        matches!(self.stage, Stage::Stored | Stage::Leaving)
    }

    /// Hashes per second as of `now`.
    pub fn hashrate(&self, now: Timestamp) -> f64 {
        self.hashrate.per_sec(now)
    }
}

/// Workers are numbered by the pool, so nobody can choose numbers that collide.
#[derive(Clone, Copy, Debug, Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
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
    workers: HashMap<WorkerId, Worker, BuildHasherDefault<IdHasher>>,
    numbers: names::Numbers,
    /// Names without work.
    waiting: Places<WorkerId>,
    /// Miners without work: those that registered, and payout addresses.
    unproven: [Places<Hotkey>; 2],
    /// Miners that need room for one more name, and whether its owner asked for it.
    wanting_room: Vec<(Hotkey, bool)>,
    changed: BTreeSet<WorkerId>,
    earned_changed: BTreeSet<WorkerId>,
    hashrate: Hashrate,
    bindings: Bindings,
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
            workers: HashMap::default(),
            numbers: names::Numbers::default(),
            waiting: Places::default(),
            unproven: [Places::default(), Places::default()],
            wanting_room: Vec::new(),
            changed: BTreeSet::new(),
            earned_changed: BTreeSet::new(),
            hashrate: Hashrate::new(now),
            bindings: Bindings::default(),
            registration_open: true,
        }
    }

    /// Whether this hotkey may mine at `now`.
    pub fn standing(&self, hotkey: &Hotkey, now: Timestamp) -> Standing<'_> {
        match self.miners.get(hotkey) {
            None | Some(Miner { is_leaving: true, .. }) => Standing::Unknown,
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

    /// Whose names of workers are that stand for hotkeys.
    pub fn bindings(&self) -> &Bindings {
        &self.bindings
    }

    /// All miners, by hotkey.
    pub fn miners(&self) -> impl Iterator<Item = (&Hotkey, &Miner)> {
        self.miners.iter()
    }

    /// A worker.
    pub fn worker(&self, id: WorkerId) -> Option<&Worker> {
        self.workers.get(&id)
    }

    fn worker_mut(&mut self, id: WorkerId) -> Option<&mut Worker> {
        self.workers.get_mut(&id)
    }

    /// All workers that had work.
    pub fn workers(&self) -> impl Iterator<Item = &Worker> {
        self.workers.values().filter(|worker| worker.is_stored())
    }

    /// Bans of registered miners, also those that are over and were not lifted.
    pub fn bans(&self) -> impl Iterator<Item = (Hotkey, &Ban)> {
        let bans = self.miners.iter();
        bans.filter_map(|(hotkey, miner)| Some((*hotkey, miner.ban.as_ref()?)))
    }

    /// Bans a registered miner, or lifts its ban. Returns whether there is such a miner.
    pub fn set_ban(&mut self, hotkey: &Hotkey, ban: Option<Ban>) -> bool {
        match self.miners.get_mut(hotkey) {
            Some(miner) => {
                miner.ban = ban;
                // Who is banned stays known, or the same one would be back as another.
                if let Some(place) = miner.place.take_if(|_| miner.ban.is_some()) {
                    self.unproven[usize::from(miner.is_address)].leave(&place);
                }
                true
            }
            None => false,
        }
    }
}
