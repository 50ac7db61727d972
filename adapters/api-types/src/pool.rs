//! The pool, and whether it is ready for miners.

use std::borrow::Cow;

use dwarves_domain::privacy::Privacy;
use serde::{Deserialize, Serialize};

use crate::miners::ShareCounts;
use crate::named::{AlgorithmName, SchemeName};
use crate::rates::WindowHashrate;
use crate::scalars::{Instant, Ss58};

/// What the pool is, and how it is doing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Pool {
    /// The pool's name, as configured.
    pub name: String,
    /// Its hotkey in SS58: the receiver of signed requests.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub hotkey: Ss58,
    /// The chain that is mined, such as `devnet`.
    pub chain: String,
    /// What amounts are counted in, such as `BTC`. Amounts in sats are its smallest part.
    #[serde(default)]
    pub unit: String,
    /// The unit's decimal places: a sat is `10^-unit_decimals` of it.
    #[serde(default = "eight")]
    pub unit_decimals: u8,
    /// What is evaluated and paid, where work is; null where proof of work is mined.
    #[serde(default)]
    pub evaluated: Option<EvaluatedPool>,
    /// How the chain hashes: `sha256d` or `scrypt`.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub algorithm: AlgorithmName,
    /// `starting`, `running`, `paused` or `draining`.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub state: Cow<'static, str>,
    /// The height of the chain's tip; null while the chain gives no work.
    pub height: Option<u32>,
    /// The difficulty of a block; null while the chain gives no work.
    pub network_difficulty: Option<f64>,
    /// Miners that are registered now.
    pub miners: u64,
    /// Workers that are known by name.
    pub workers: u64,
    /// Workers with a share accepted in the last ten minutes.
    pub workers_active: u64,
    /// Hashes per second of all, estimated from the issued difficulty of accepted shares.
    pub hashrate: f64,
    /// One standard deviation of it by chance alone, as a part of it; null before the first share.
    pub hashrate_error: Option<f64>,
    /// The same over the last 10 minutes, hour and day, from the ledger: right at once after a restart.
    #[serde(default)]
    pub hashrates: Vec<WindowHashrate>,
    /// Accepted shares a second over the last ten minutes, or since the pool's first share if that is shorter.
    #[serde(default)]
    pub share_rate: f64,
    /// Whether new miners are taken.
    pub registration_open: bool,
    /// How rewards are split.
    pub scheme: SchemeName,
    /// The operator's fee in ten-thousandths.
    pub fee_bps: u16,
    /// How often a round closes.
    pub run_interval_secs: u64,
    /// When the next round is due.
    pub next_round_at: Instant,
    /// Blocks found over blocks to be expected from the work up to the last one; null before the first.
    pub luck: Option<f64>,
    /// One standard deviation of luck by chance alone: 1 / sqrt(blocks to be expected).
    pub luck_error: Option<f64>,
    /// The chance to be as unlucky as this or more so: P(Poisson(blocks to be expected) <= blocks found).
    pub luck_percentile: Option<f64>,
    /// Work since the last block, in blocks to be expected: the effort of the round that goes on. It passes x with
    /// the chance exp(-x).
    pub round_effort: f64,
    /// The chance that a block comes with this much work or less: 1 - exp(-effort).
    #[serde(default)]
    pub effort_percentile: f64,
    /// Shares of all miners, accepted and refused.
    pub shares: ShareCounts,
    /// What of miners is hidden from others; absent if nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<PrivacyState>,
    /// The sum over all accounts of the ledger: always 0.
    #[cfg_attr(feature = "schema", schema(value_type = i64))]
    pub ledger_sum_sats: i128,
}

/// Pools of before counted in coins of a hundred million sats.
const fn eight() -> u8 {
    8
}

/// How a pool that evaluates work is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EvaluatedPool {
    /// By what it pays: `loss` (less is better) or `score`.
    pub pays_by: String,
    /// What every round emits, in sats.
    pub emission_sats: u64,
    /// For how long a result is paid.
    pub max_age_secs: u64,
    /// Submissions that wait.
    pub waiting: u64,
    /// Submissions that are being evaluated.
    pub at_work: u64,
}

/// For whom it is what the pool knows of a miner: `public`, or `owner` (the miner itself, those whom it lets look, and the
/// operator).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PrivacyState {
    /// What it is owed, credited and paid.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub balances: Cow<'static, str>,
    /// What its workers are called.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub worker_names: Cow<'static, str>,
}

impl PrivacyState {
    /// How a pool says it; `None` if nothing is hidden.
    pub fn of(privacy: Privacy) -> Option<Self> {
        privacy.hides_anything().then(|| Self {
            balances: privacy.balances.name().into(),
            worker_names: privacy.worker_names.name().into(),
        })
    }
}

/// The process is alive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Alive {
    /// Always `alive`.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub status: Cow<'static, str>,
}

/// The pool is ready for miners.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Ready {
    /// Always `ready`: a pool that is not answers 503.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub status: Cow<'static, str>,
    /// `running`.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub state: Cow<'static, str>,
    /// When the pool was started.
    pub started_at: Instant,
    /// What troubles it all the same.
    pub hindrances: Vec<String>,
}
