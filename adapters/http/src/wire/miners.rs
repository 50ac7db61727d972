//! Registration, sessions, a miner and its credits.

use dwarves_actors::miner_manager::messages::{MinerView, WorkerView};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::payouts::{PayoutState, Waiting, WhyHeld};
use dwarves_domain::share::Rejection;
use dwarves_domain::statistics::{Record, power};
use dwarves_domain::units::Amount;
use dwarves_ports::store::{CreditKind, CreditRow, MinerBalances, MinerPayoutRow};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use super::scalars::{Hash, Instant};

/// The body of a registration.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterBody {
    /// Where payouts shall go, an address of the pool's chain; absent or null leaves it as it is.
    #[serde(default)]
    pub payout_address: Option<String>,
    /// From which balance in sats the miner wants to be paid: at least the dust limit, or 0 for the pool's own
    /// threshold; absent or null leaves it as it is.
    #[serde(default)]
    #[schema(maximum = 9_223_372_036_854_775_807_u64)]
    pub payout_threshold_sats: Option<u64>,
}

/// The body of opening a session: nothing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenSessionBody {}

/// A registered miner.
#[derive(Debug, Serialize, ToSchema)]
pub struct Registration {
    /// Who, in SS58.
    pub hotkey: String,
    /// Always true: refusals are problems.
    pub registration_success: bool,
    /// When the miner registered first.
    pub registered_at: Instant,
    /// Where payouts go; null until the miner says.
    pub payout_address: Option<String>,
    /// The threshold that this request set; absent if it set none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payout_threshold_sats: Option<u64>,
}

/// An open session.
#[derive(Debug, Serialize, ToSchema)]
pub struct OpenedSession {
    /// For the header `Authorization: Bearer ...`.
    pub token: String,
    /// The moment from which the token no longer counts.
    pub expires_at: Instant,
}

/// Shares since the miner's (or the pool's) beginning.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct ShareCounts {
    /// Shares that were accepted.
    pub accepted: u64,
    /// Rejected ones by reason.
    pub rejected: RejectedCounts,
}

/// Rejected shares by reason.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
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
#[derive(Debug, Serialize, ToSchema)]
pub struct Performance {
    /// Its units in the window, an exact decimal.
    #[schema(example = "0.0625")]
    pub units: String,
    /// The window's size in units, an exact decimal.
    #[schema(example = "2")]
    pub window_units: String,
}

/// Blocks that a miner found, and those to be expected of its work.
#[derive(Debug, Serialize, ToSchema)]
pub struct BlockRecord {
    /// Blocks among its accepted shares, whatever became of them.
    pub found: u64,
    /// Units of its accepted shares.
    pub expected: f64,
}

/// What a miner's work should have brought, for those who look for withheld blocks. A small p-value is a reason to
/// look and not a proof: of 1,000 honest miners one is below 0.001.
#[derive(Debug, Serialize, ToSchema)]
pub struct WithholdingRecord {
    /// Who, in SS58.
    pub hotkey: String,
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
            hotkey: hotkey.to_string(),
            found: record.found,
            expected: record.expected,
            p_value: record.p_value(),
            power_all: power(record.expected, 1.0, WITHHOLDING_LEVEL),
            power_half: power(record.expected, 0.5, WITHHOLDING_LEVEL),
        }
    }
}

/// The miners who found the fewest blocks for their work, the least likely first, at most 100.
#[derive(Debug, Serialize, ToSchema)]
pub struct Withholding {
    /// The miners who found the fewest blocks for their work.
    pub miners: Vec<WithholdingRecord>,
}

/// A miner's balances in sats.
#[derive(Debug, Serialize, ToSchema)]
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

/// A worker of a miner.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkerStatus {
    /// The worker's name.
    pub name: String,
    /// Hashes per second, estimated from accepted shares.
    pub hashrate: f64,
    /// The difficulty of its next job.
    pub share_difficulty: f64,
    /// When its last share was accepted.
    pub last_share_at: Option<Instant>,
    /// Shares accepted under this name.
    pub shares: u64,
}

/// A balance that is due and waits.
#[derive(Debug, Serialize, ToSchema)]
pub struct PayoutHeld {
    /// Why it waits, by the names of the runbook.
    #[schema(schema_with = why_held_schema)]
    pub reason: &'static str,
    /// How much of it, in sats.
    pub amount_sats: u64,
    /// What that means, in words.
    pub detail: &'static str,
}

impl From<Waiting> for PayoutHeld {
    fn from(waiting: Waiting) -> Self {
        Self {
            reason: waiting.why.name(),
            amount_sats: waiting.amount.sats(),
            detail: waiting.why.meaning(),
        }
    }
}

fn why_held_schema() -> Schema {
    let names = WhyHeld::ALL
        .into_iter()
        .filter(|why| *why != WhyHeld::BelowThreshold);
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(names.map(WhyHeld::name)))
        .description(Some("Why the balance waits"))
        .into()
}

/// How a miner is doing: its work, its workers, its money.
#[derive(Debug, Serialize, ToSchema)]
pub struct MinerStatus {
    /// Who, in SS58.
    pub hotkey: String,
    /// When it registered first.
    pub registered_at: Instant,
    /// Where payouts go; null until the miner says.
    pub payout_address: Option<String>,
    /// Hashes per second, estimated from accepted shares.
    pub hashrate: f64,
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
    /// Its balances in sats.
    pub balance_sats: Balances,
    /// Its named workers and `default`.
    pub workers: Vec<WorkerStatus>,
}

impl From<WorkerView> for WorkerStatus {
    fn from(view: WorkerView) -> Self {
        Self {
            name: view.name.to_string(),
            hashrate: view.hashrate,
            share_difficulty: view.share_difficulty.shown(),
            last_share_at: view.last_share_at.map(Instant),
            shares: view.shares,
        }
    }
}

impl MinerStatus {
    /// The miner as the miner manager and the ledger know it.
    pub fn new(
        view: MinerView,
        balances: MinerBalances,
        threshold: Option<Amount>,
        waiting: Option<Waiting>,
    ) -> Self {
        Self {
            hotkey: view.hotkey.to_string(),
            registered_at: Instant(view.registered_at),
            payout_address: view.payout_address,
            hashrate: view.hashrate,
            shares: ShareCounts {
                accepted: view.accepted,
                rejected: view.rejected.into(),
            },
            performance: Performance {
                units: view.units.to_string(),
                window_units: view.window.to_string(),
            },
            blocks: BlockRecord {
                found: view.record.found,
                expected: view.record.expected,
            },
            payout_threshold_sats: threshold.map(Amount::sats),
            payout_held: waiting.map(PayoutHeld::from),
            balance_sats: Balances {
                immature: balances.immature.sats(),
                payable: balances.payable.sats(),
                in_flight: balances.in_flight.sats(),
                paid: balances.paid.sats(),
            },
            workers: view.workers.into_iter().map(WorkerStatus::from).collect(),
        }
    }
}

/// Why a miner's credits changed.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CreditKind)]
pub enum CreditKindName {
    /// A part of what a round split.
    Credit,
    /// A credit taken back, because its block was orphaned.
    Reversal,
    /// A credit given again, because its block came back.
    Return,
}

impl From<CreditKind> for CreditKindName {
    fn from(kind: CreditKind) -> Self {
        match kind {
            CreditKind::Credit => Self::Credit,
            CreditKind::Reversal => Self::Reversal,
            CreditKind::Return => Self::Return,
        }
    }
}

/// A miner's part of a round, or what became of it since.
#[derive(Debug, Serialize, ToSchema)]
pub struct MinerCredit {
    /// The round, as in `/v1/rounds/{id}`.
    pub round_id: u64,
    /// When the round closed.
    pub closed_at: Instant,
    /// For which work, an exact decimal number of units.
    pub units: String,
    /// How much; below zero for a reversal. All of a miner's credits together are what it was given.
    pub amount_sats: i64,
    /// What the entry does: credit, take back, or give again.
    pub kind: CreditKindName,
    /// The block that was split, if it was one; the block that was orphaned or came back.
    pub block: Option<Hash>,
}

impl From<CreditRow> for MinerCredit {
    fn from(row: CreditRow) -> Self {
        let sats = i64::try_from(row.amount.sats()).expect("an amount fits a signed 64-bit number");
        Self {
            round_id: row.round.get(),
            closed_at: Instant(row.closed_at),
            units: row.units.to_string(),
            amount_sats: match row.kind {
                CreditKind::Credit | CreditKind::Return => sats,
                CreditKind::Reversal => -sats,
            },
            kind: row.kind.into(),
            block: row.block.map(Hash),
        }
    }
}

/// A page of a miner's credits, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct MinerCredits {
    /// The credits, newest first.
    pub credits: Vec<MinerCredit>,
    /// The `cursor` of the next page; null on the last.
    pub next_cursor: Option<String>,
}

/// A miner's part of a payout: a transaction that pays miners.
#[derive(Debug, Serialize, ToSchema)]
pub struct MinerPayout {
    /// The payout's number.
    pub payout_id: u64,
    /// `reserved` (set aside, not signed), `signed` (not known to be sent), `broadcast` (the network has it),
    /// `confirmed` (deep enough to count as paid), `returned` (its inputs were spent by another transaction: the
    /// balance is payable again), `cancelled` (given up before it was signed: payable again).
    #[schema(schema_with = payout_state_schema)]
    pub state: &'static str,
    /// The transaction's id, as explorers write it; null until it is signed.
    pub txid: Option<String>,
    /// The transaction's confirmations; 0 until a block has it.
    pub confirmations: u32,
    /// The address that is paid.
    pub address: String,
    /// How much the miner gets.
    pub amount_sats: u64,
    /// The network's fee that the miner bears; 0 if the pool pays it.
    pub fee_sats: u64,
    /// What is taken from the miner's balance: both of them.
    pub debited_sats: u64,
    /// When the money was set aside.
    pub reserved_at: Instant,
    /// When it was first sent; null until then.
    pub sent_at: Option<Instant>,
    /// What is out of the ordinary, in words; null if nothing is.
    pub note: Option<String>,
}

fn payout_state_schema() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("Where the payout is on its way"))
        .enum_values(Some(PayoutState::ALL.iter().map(|state| state.name())))
        .into()
}

impl From<MinerPayoutRow> for MinerPayout {
    fn from(row: MinerPayoutRow) -> Self {
        let net = row.amount.checked_sub(row.fee).unwrap_or(Amount::ZERO);
        Self {
            payout_id: row.payout.get(),
            state: row.state.name(),
            txid: row.txid.map(|txid| txid.to_string()),
            confirmations: row.confirmations,
            address: row.address,
            amount_sats: net.sats(),
            fee_sats: row.fee.sats(),
            debited_sats: row.amount.sats(),
            reserved_at: Instant(row.reserved_at),
            sent_at: row.sent_at.map(Instant),
            note: Some(row.note).filter(|note| !note.is_empty()),
        }
    }
}

/// A page of a miner's payouts, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct MinerPayouts {
    /// The payouts, newest first.
    pub payouts: Vec<MinerPayout>,
    /// The `cursor` of the next page; null on the last.
    pub next_cursor: Option<String>,
}
