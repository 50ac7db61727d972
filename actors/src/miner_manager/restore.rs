//! The miner manager's memory, rebuilt from the store.

use std::collections::HashMap;

use dwarves_domain::address::{AddressFormat, PayoutAddress};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::Sequence;
use dwarves_domain::miners::{
    Client, Counters, EarlierJobs, Newcomers, Performance, Quotas, RecentShares, Registry, RegistryLimits,
    ReplayGuard,
};
use dwarves_domain::rewards::Weights;
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Units;
use dwarves_domain::vardiff;

use super::{MinerMemory, ban_of, control};
use dwarves_ports::store::{CounterRow, MinerRow, SharedStore, StoreError, StoredState};

/// Client addresses and networks whose newcomers are counted one by one, as much as a few hundred kilobytes hold.
const NEWCOMERS_HOSTS_MAX: usize = 10_000;

/// Live shares that a start reads at once: 3 MiB of them, twice.
const SHARES_A_PIECE: u32 = 65_536;
/// After how many of them a start tells how far it is.
const TOLD_EVERY: usize = 1_000_000;

/// How the memory is to be.
#[derive(Clone, Debug)]
pub struct MemorySettings {
    /// How many miners and workers there may be.
    pub limits: RegistryLimits,
    /// New payout addresses that one client address may bring in an hour.
    pub new_addresses_per_hour: u32,
    /// New hotkeys that one client address may register in an hour.
    pub new_miners_per_hour: u32,
    /// Which payout addresses are right.
    pub addresses: AddressFormat,
    /// How share difficulty follows hashrate.
    pub vardiff: vardiff::Settings,
    /// Where new workers begin.
    pub start_difficulty: Difficulty,
    /// Nonces that may be in use at once.
    pub nonces_max: usize,
    /// Accepted headers that may be kept.
    pub recent_shares_max: usize,
    /// How many of them one miner and one job may have.
    pub quotas: Quotas,
    /// The size of the performance window.
    pub window: Units,
    /// A secret number; see [`RecentShares::new`].
    pub seed: u128,
}

/// Remembers the headers of all live shares that the store has. They are read in pieces, of which one is taken in while
/// the store reads the next.
///
/// # Errors
/// If the store cannot read them.
pub async fn recent_shares(
    store: &SharedStore,
    stored: &StoredState,
    settings: &MemorySettings,
) -> Result<RecentShares, StoreError> {
    let workers = stored
        .workers
        .iter()
        .map(|(worker, _)| (worker.id, worker.hotkey));
    let workers = workers.chain(stored.workers_gone.iter().copied());
    let holder_of: HashMap<_, _> = workers
        .map(|(worker, miner)| (worker, EarlierJobs::of(miner)))
        .collect();
    // The store has no share of a worker that it does not know.
    let nobody = EarlierJobs::of(Hotkey::from_bytes([0; 32]));
    let mut recent = RecentShares::new(settings.recent_shares_max, settings.quotas, settings.seed);
    let mut told = 0;
    let mut piece = store.recent_shares(Sequence::new(0), SHARES_A_PIECE).await?;
    while let Some(last) = piece.last() {
        let next = store.recent_shares(last.sequence, SHARES_A_PIECE);
        recent.restore_all(piece.iter().map(|share| {
            let holder = holder_of.get(&share.worker).unwrap_or(&nobody);
            (share.template, share.hash, share.sequence, holder)
        }));
        if recent.len() - told >= TOLD_EVERY {
            told = recent.len();
            let (at, end) = (last.sequence, stored.last_sequence);
            log::info!("remembering live shares: {told} so far, up to share {at} of {end}");
        }
        piece = next.await?;
    }
    recent.settle();
    Ok(recent)
}

/// Rebuilds the memory from what the store remembers: `recent` are the live shares, `performances` is the work in the
/// window that ends now.
pub fn restore(
    stored: &StoredState,
    recent: RecentShares,
    performances: &Weights,
    settings: &MemorySettings,
    now: Timestamp,
) -> MinerMemory {
    let mut registry = Registry::new(settings.limits, settings.vardiff, settings.start_difficulty, now);
    // The oldest first: that is the order in which those without work give way.
    let mut miners: Vec<&MinerRow> = stored.miners.iter().collect();
    miners.sort_by_key(|miner| miner.registered_at);
    for miner in miners {
        registry.note_miner(
            miner.hotkey,
            miner.registered_at,
            miner.payout_address.clone(),
            Client::Earlier,
        );
        registry.note_gone(&miner.hotkey, counters_of(&miner.gone));
        if is_address(miner, settings.addresses) {
            registry.note_is_address(&miner.hotkey);
        }
        if let Some(ban) = &miner.ban {
            registry.set_ban(&miner.hotkey, Some(ban_of(ban.clone())));
        }
    }
    for (worker, counters) in &stored.workers {
        let counters = counters_of(counters);
        registry.note_worker(worker.id, worker.hotkey, worker.name.clone(), counters, now);
    }
    for (id, _) in &stored.workers_gone {
        registry.note_gone_number(*id);
    }
    // What shares added since counters were saved last is in these numbers and not yet in the saved ones. The
    // next saving moves the sequence from which the store counts on, so it must hold every worker.
    registry.keep_changed(stored.workers.iter().map(|(worker, _)| worker.id));
    let mut orphans = Vec::new();
    for (key, value) in &stored.settings {
        if !control::restore_setting(&mut registry, key, value) {
            orphans.push(key.clone());
        }
    }
    let mut replay = ReplayGuard::new(settings.nonces_max);
    for (hotkey, nonce, expires_at) in &stored.nonces {
        replay.claim(now, *hotkey, *nonce, *expires_at);
    }
    let mut performance = Performance::new(settings.window);
    for (hotkey, half_steps) in performances.iter() {
        performance.record(hotkey, Units::from_raw(half_steps / 2));
    }
    MinerMemory {
        registry,
        newcomers: Newcomers::new(settings.new_addresses_per_hour, NEWCOMERS_HOSTS_MAX),
        registrants: Newcomers::new(settings.new_miners_per_hour, NEWCOMERS_HOSTS_MAX),
        next_worker: stored.next_worker,
        orphans,
        replay,
        recent,
        performance,
        last_sequence: stored.last_sequence,
    }
}

fn counters_of(row: &CounterRow) -> Counters {
    Counters {
        accepted: row.accepted,
        rejected: row.rejected,
        units: row.units,
        blocks: row.blocks,
        last_share_at: row.last_share_at,
    }
}

/// Whether a miner is the identity of the address that it is paid to: nobody can have another one's 32 bytes.
fn is_address(miner: &MinerRow, format: AddressFormat) -> bool {
    let address = miner.payout_address.as_deref();
    address
        .and_then(|text| PayoutAddress::parse(text, format).ok())
        .is_some_and(|address| address.identity() == miner.hotkey)
}
