//! A miner, and what an operator looks at.

use std::borrow::Cow;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::payouts::Waiting;
use dwarves_domain::share::Rejection;
use dwarves_domain::statistics::{Record, power};
use dwarves_ports::store::MinerBalances;
use serde::{Deserialize, Serialize};

use crate::earnings::{NextPayout, WindowPlace};
use crate::named::WhyHeldName;
use crate::rates::WindowHashrate;
use crate::scalars::{Instant, Ss58};
use crate::submissions::Results;

/// Shares since the miner's (or the pool's) beginning.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ShareCounts {
    /// Shares that were accepted.
    pub accepted: u64,
    /// Rejected ones by reason.
    pub rejected: RejectedCounts,
}

/// Rejected shares by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RejectedCounts {
    /// The pool gave this job to nobody, or to another worker.
    pub unknown_job: u64,
    /// The job was over.
    pub stale: u64,
    /// The header was accepted before.
    pub duplicate: u64,
    /// The hash was above the share target.
    pub low_difficulty: u64,
    /// The header's time was out of bounds.
    pub time_out_of_range: u64,
    /// The version differed outside the mask.
    pub version_out_of_mask: u64,
}

impl From<[u64; Rejection::REASONS.len()]> for RejectedCounts {
    fn from(counts: [u64; Rejection::REASONS.len()]) -> Self {
        let [
            unknown_job,
            stale,
            duplicate,
            low_difficulty,
            time_out_of_range,
            version_out_of_mask,
        ] = counts;
        Self {
            unknown_job,
            stale,
            duplicate,
            low_difficulty,
            time_out_of_range,
            version_out_of_mask,
        }
    }
}

/// A miner's work in the reward window that ends now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Performance {
    /// Its units in the window, an exact decimal.
    #[cfg_attr(feature = "schema", schema(example = "0.0625"))]
    pub units: String,
    /// The window's size in units, an exact decimal.
    #[cfg_attr(feature = "schema", schema(example = "2"))]
    pub window_units: String,
}

/// Blocks that a miner found, and those to be expected of its work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BlockRecord {
    /// Blocks among its accepted shares, whatever became of them.
    pub found: u64,
    /// Units of its accepted shares.
    pub expected: f64,
}

/// What a miner's work should have brought, for those who look for withheld blocks. A small p-value is a reason to
/// look and not a proof: of 1,000 honest miners one is below 0.001.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WithholdingRecord {
    /// Who, in SS58.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub hotkey: Ss58,
    /// Blocks among its accepted shares, whatever became of them.
    pub found: u64,
    /// Units of its accepted shares: the blocks to be expected.
    pub expected: f64,
    /// How often an honest miner finds so few or fewer: P(Poisson(expected) <= found).
    pub p_value: f64,
    /// The chance that a miner who hides every block would have a p-value of 0.001 or less by now. Where it is 0,
    /// the p-value says nothing.
    pub power_all: f64,
    /// The same for a miner who hides half of its blocks.
    pub power_half: f64,
}

/// The p-value that the power is told for.
const WITHHOLDING_LEVEL: f64 = 0.001;

impl WithholdingRecord {
    /// What a record says.
    pub fn new(hotkey: Hotkey, record: Record) -> Self {
        Self {
            hotkey: Ss58(hotkey),
            found: record.found,
            expected: record.expected,
            p_value: record.p_value(),
            power_all: power(record.expected, 1.0, WITHHOLDING_LEVEL),
            power_half: power(record.expected, 0.5, WITHHOLDING_LEVEL),
        }
    }
}

/// The miners who found the fewest blocks for their work, the least likely first, at most 100.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Withholding {
    /// The miners who found the fewest blocks for their work.
    pub miners: Vec<WithholdingRecord>,
}

/// A miner's balances in sats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Balances {
    /// Credited for blocks that are not deep enough to be spent.
    pub immature: u64,
    /// Waiting to be paid out.
    pub payable: u64,
    /// In a payout that is under way.
    pub in_flight: u64,
    /// Paid and deep on the chain.
    pub paid: u64,
}

impl Balances {
    /// All that the miner has earned so far.
    pub fn earned(&self) -> u64 {
        [self.payable, self.in_flight, self.paid]
            .into_iter()
            .fold(self.immature, u64::saturating_add)
    }
}

impl From<MinerBalances> for Balances {
    fn from(balances: MinerBalances) -> Self {
        Self {
            immature: balances.immature.sats(),
            payable: balances.payable.sats(),
            in_flight: balances.in_flight.sats(),
            paid: balances.paid.sats(),
        }
    }
}

/// A worker of a miner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WorkerStatus {
    /// The worker's name.
    pub name: String,
    /// Hashes per second, estimated from accepted shares.
    pub hashrate: f64,
    /// The same over the last 10 minutes, hour and day, from the ledger: right at once after a restart. Empty before its
    /// first share.
    #[serde(default)]
    pub hashrates: Vec<WindowHashrate>,
    /// The difficulty of its next job.
    pub share_difficulty: f64,
    /// When its last share was accepted.
    pub last_share_at: Option<Instant>,
    /// How long ago that was, by the pool's clock.
    #[serde(default)]
    pub last_share_age_secs: Option<u64>,
    /// Shares accepted under this name.
    pub shares: u64,
    /// Rejected ones by reason.
    #[serde(default)]
    pub rejected: RejectedCounts,
}

/// A balance that is due and waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PayoutHeld {
    /// Why it waits, by the names of the runbook.
    #[cfg_attr(feature = "schema", schema(schema_with = crate::schema::why_held))]
    pub reason: WhyHeldName,
    /// How much of it, in sats.
    pub amount_sats: u64,
    /// What that means, in words.
    pub detail: Cow<'static, str>,
}

impl From<Waiting> for PayoutHeld {
    fn from(waiting: Waiting) -> Self {
        Self {
            reason: waiting.why.into(),
            amount_sats: waiting.amount.sats(),
            detail: waiting.why.meaning().into(),
        }
    }
}

/// How a miner is doing: its work, its workers, its money.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MinerStatus {
    /// Who, in SS58.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub hotkey: Ss58,
    /// When it registered first.
    pub registered_at: Instant,
    /// Where payouts go; null until the miner says, or if it is hidden.
    pub payout_address: Option<String>,
    /// Hashes per second, estimated from accepted shares.
    pub hashrate: f64,
    /// The same over the last 10 minutes, hour and day, from the ledger: right at once after a restart.
    #[serde(default)]
    pub hashrates: Vec<WindowHashrate>,
    /// Its shares, accepted and refused.
    pub shares: ShareCounts,
    /// Its work in the reward window.
    pub performance: Performance,
    /// The blocks that it found.
    pub blocks: BlockRecord,
    /// From which balance it wants to be paid; absent if it chose none and the pool's threshold holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payout_threshold_sats: Option<u64>,
    /// Why a balance that is due, or the rest of one, waits, as of the last plan; absent if none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payout_held: Option<PayoutHeld>,
    /// Its place in the reward window, for schemes that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<WindowPlace>,
    /// When it is paid next, as far as can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_payout: Option<NextPayout>,
    /// What its submissions have come to, where work is evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<Results>,
    /// Its balances in sats; null if they are hidden.
    pub balance_sats: Option<Balances>,
    /// Its named workers and `default`; null if they are hidden.
    pub workers: Option<Vec<WorkerStatus>>,
    /// The names of fields that are hidden from the asker (`[privacy]`); absent if none is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<String>,
}

impl MinerStatus {
    /// The fields that are about a miner's money.
    const MONEY: [&str; 5] = [
        "payout_address",
        "payout_threshold_sats",
        "payout_held",
        "next_payout",
        "balance_sats",
    ];

    /// Takes out what a miner is owed and paid.
    pub fn hide_money(&mut self) {
        self.payout_address = None;
        self.payout_threshold_sats = None;
        self.payout_held = None;
        self.next_payout = None;
        self.balance_sats = None;
        self.hidden.extend(Self::MONEY.map(str::to_owned));
    }

    /// Takes out what its workers are called, and so what each of them does.
    pub fn hide_names(&mut self) {
        self.workers = None;
        if let Some(results) = &mut self.results {
            results.hide_names();
        }
        self.hidden.push("workers".to_owned());
    }
}
