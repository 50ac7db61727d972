//! The miner manager's memory, rebuilt from the store.

use dwarves_domain::address::{AddressFormat, PayoutAddress};
use dwarves_domain::miners::{
    Counters, Newcomers, Performance, RecentShares, Registry, RegistryLimits, ReplayGuard,
};
use dwarves_domain::rewards::Weights;
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Units;
use dwarves_domain::vardiff;

use super::{MinerMemory, ban_of, control};
use crate::store::{MinerRow, StoredState};

/// Client addresses whose new payout addresses are counted one by one, as much as a few hundred kilobytes hold.
const NEWCOMERS_HOSTS_MAX: usize = 10_000;

/// How the memory is to be.
pub struct MemorySettings {
    /// How many miners and workers there may be.
    pub limits: RegistryLimits,
    /// New payout addresses that one client address may bring in an hour.
    pub new_addresses_per_hour: u32,
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
    /// The size of the performance window.
    pub window: Units,
    /// A secret number; see [`RecentShares::new`].
    pub seed: u64,
}

/// Rebuilds the memory from what the store remembers; `performances` is the work in the window that ends now.
pub fn restore(
    stored: &StoredState,
    performances: &Weights,
    settings: &MemorySettings,
    now: Timestamp,
) -> MinerMemory {
    let mut registry = Registry::new(settings.limits, settings.vardiff, settings.start_difficulty, now);
    for miner in &stored.miners {
        registry.note_miner(miner.hotkey, miner.registered_at, miner.payout_address.clone());
        if is_address(miner, settings.addresses) {
            registry.note_is_address(&miner.hotkey);
        }
        if let Some(ban) = &miner.ban {
            registry.set_ban(&miner.hotkey, Some(ban_of(ban.clone())));
        }
    }
    for (worker, counters) in &stored.workers {
        let counters = Counters {
            accepted: counters.accepted,
            rejected: counters.rejected,
            units: counters.units,
            blocks: counters.blocks,
            last_share_at: counters.last_share_at,
        };
        registry.note_worker(worker.id, worker.hotkey, worker.name.clone(), counters, now);
    }
    // What shares added since counters were saved last is in these numbers and not yet in the saved ones. The
    // next saving moves the sequence from which the store counts on, so it must hold every worker.
    registry.keep_changed(stored.workers.iter().map(|(worker, _)| worker.id));
    for (key, value) in &stored.settings {
        control::restore_setting(&mut registry, key, value);
    }
    let mut replay = ReplayGuard::new(settings.nonces_max);
    for (hotkey, nonce, expires_at) in &stored.nonces {
        replay.claim(now, *hotkey, *nonce, *expires_at);
    }
    let mut recent = RecentShares::new(settings.recent_shares_max, settings.seed);
    for (template, hash, sequence) in &stored.recent_shares {
        recent.restore(*template, *hash, *sequence);
    }
    let mut performance = Performance::new(settings.window);
    for (hotkey, half_steps) in performances.iter() {
        performance.record(hotkey, Units::from_raw(half_steps / 2));
    }
    MinerMemory {
        registry,
        newcomers: Newcomers::new(settings.new_addresses_per_hour, NEWCOMERS_HOSTS_MAX),
        replay,
        recent,
        performance,
        last_sequence: stored.last_sequence,
    }
}

/// Whether a miner is the identity of the address that it is paid to: nobody can have another one's 32 bytes.
fn is_address(miner: &MinerRow, format: AddressFormat) -> bool {
    let address = miner.payout_address.as_deref();
    address
        .and_then(|text| PayoutAddress::parse(text, format).ok())
        .is_some_and(|address| address.identity() == miner.hotkey)
}
