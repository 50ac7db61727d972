//! `[limits]`: bounds of everything that could grow.

use dwarves_domain::limits::SharedLimit;
use dwarves_domain::time::Span;
use serde::Deserialize;

use crate::config::readers::{Days, Whole};

/// `[limits]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Miners that may be registered.
    #[serde(with = "Whole::<1, 100_000_000>")]
    pub miners: u32,
    /// The part of them that may be payout addresses, in percent.
    #[serde(with = "Whole::<0, 100>")]
    pub address_miners_percent: u32,
    /// New payout addresses that one client address may bring in an hour.
    #[serde(with = "Whole::<1, 100_000>")]
    pub new_addresses_per_hour: u32,
    /// New hotkeys that one client address may register in an hour.
    #[serde(with = "Whole::<1, 100_000>")]
    pub new_miners_per_hour: u32,
    /// Named workers of one miner.
    #[serde(with = "Whole::<1, 1_000_000>")]
    pub workers_per_miner: u32,
    /// Time without a share after which a worker gives way to one that needs its place.
    #[serde(rename = "worker_idle_days", with = "Days::<1, 36_500>")]
    pub worker_idle: Span,
    /// Names of workers without work, of all miners together.
    #[serde(with = "Whole::<100, 10_000_000>")]
    pub names_without_work: usize,
    /// Messages waiting for one handler.
    #[serde(with = "Whole::<1, 1_000_000>")]
    pub handler_mailbox: usize,
    /// Messages waiting for one manager.
    #[serde(with = "Whole::<1, 1_000_000>")]
    pub manager_mailbox: usize,
    /// Messages waiting for the ledger.
    #[serde(with = "Whole::<1, 1_000_000>")]
    pub ledger_mailbox: usize,
    /// Shares remembered against duplicates, over all live jobs.
    #[serde(with = "Whole::<1000, 1_000_000_000>")]
    pub recent_shares: usize,
    /// How much of that room one miner may take while it is alone, in percent.
    #[serde(with = "Whole::<1, 100>")]
    pub recent_shares_per_miner_percent: u32,
    /// How many times its due a job may bring; 0: any number.
    #[serde(with = "Whole::<0, 1_000_000>")]
    pub recent_shares_per_job_times: u32,
    /// Templates kept for the blocks that may still be found on them.
    #[serde(with = "Whole::<32, 100_000>")]
    pub past_templates: usize,
    /// Found blocks of one height that are kept.
    #[serde(with = "Whole::<1, 1_000>")]
    pub block_candidates: usize,
    /// The part in percent that one client may take of what clients share.
    #[serde(with = "Whole::<1, 100>")]
    pub client_share_percent: u32,
    /// Headers that wait to be hashed.
    #[serde(with = "Whole::<100, 10_000_000>")]
    pub hashing_queue: usize,
    /// Headers given out without a name that are remembered.
    #[serde(with = "Whole::<100, 100_000_000>")]
    pub headers: usize,
    /// Nonces remembered against replay.
    #[serde(with = "Whole::<100, 100_000_000>")]
    pub used_nonces: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            miners: 100_000,
            address_miners_percent: 50,
            new_addresses_per_hour: 200,
            new_miners_per_hour: 200,
            workers_per_miner: 1_000,
            worker_idle: Span::from_secs(30 * 86_400),
            names_without_work: 20_000,
            handler_mailbox: 1_024,
            manager_mailbox: 4_096,
            ledger_mailbox: 1_024,
            recent_shares: 2_000_000,
            recent_shares_per_miner_percent: 50,
            recent_shares_per_job_times: 20,
            past_templates: 256,
            block_candidates: 8,
            client_share_percent: 25,
            hashing_queue: 16_384,
            headers: 65_536,
            used_nonces: 100_000,
        }
    }
}

impl LimitsConfig {
    /// This many places, of which one client may take its share.
    pub fn shared(&self, total: usize) -> SharedLimit {
        SharedLimit::shared(total, self.client_share_percent as usize)
    }

    /// One client's share of this many, at least one.
    pub fn share_of(&self, total: u32) -> u32 {
        let share = (u64::from(total) * u64::from(self.client_share_percent)).div_ceil(100);
        u32::try_from(share).unwrap_or(total).max(1)
    }

    /// Registered miners that may be payout addresses.
    pub fn address_miners(&self) -> usize {
        (u64::from(self.miners) * u64::from(self.address_miners_percent)).div_ceil(100) as usize
    }
}
