//! The pool, its blocks and rounds, the audit trail, readiness.

use dwarves_domain::rewards;
use dwarves_ports::store::{AuditRow, BlockRow, BlockState, CreditRow, RoundRow};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::miners::ShareCounts;
use super::scalars::{Hash, Instant};

/// How the pool splits rewards.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// By the last units of work before a block.
    Pplns,
    /// By the work since the block before.
    Proportional,
    /// A fixed price for every unit.
    Pps,
    /// As `pps`, with the transactions' fees.
    Fpps,
    /// The finder takes all.
    Solo,
}

impl From<rewards::Scheme> for Scheme {
    fn from(scheme: rewards::Scheme) -> Self {
        match scheme {
            rewards::Scheme::Pplns => Self::Pplns,
            rewards::Scheme::Proportional => Self::Proportional,
            rewards::Scheme::Pps => Self::Pps,
            rewards::Scheme::Fpps => Self::Fpps,
            rewards::Scheme::Solo => Self::Solo,
        }
    }
}

/// Where a round's reward comes from.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The blocks that the pool found.
    Blocks,
    /// A fixed amount every round.
    Emission,
}

impl From<rewards::Source> for Source {
    fn from(source: rewards::Source) -> Self {
        match source {
            rewards::Source::Blocks => Self::Blocks,
            rewards::Source::Emission => Self::Emission,
        }
    }
}

/// What the pool is, and how it is doing.
#[derive(Debug, Serialize, ToSchema)]
pub struct Pool {
    /// The pool's name, as configured.
    pub name: String,
    /// Its hotkey in SS58: the receiver of signed requests.
    pub hotkey: String,
    /// The chain that is mined, such as `devnet`.
    pub chain: String,
    /// How the chain hashes: `sha256d` or `scrypt`.
    pub algorithm: &'static str,
    /// `starting`, `running`, `paused` or `draining`.
    pub state: &'static str,
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
    /// Whether new miners are taken.
    pub registration_open: bool,
    /// How rewards are split.
    pub scheme: Scheme,
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
    /// Shares of all miners, accepted and refused.
    pub shares: ShareCounts,
    /// The sum over all accounts of the ledger: always 0.
    #[schema(value_type = i64)]
    pub ledger_sum_sats: i128,
}

/// A block that the pool found.
#[derive(Debug, Serialize, ToSchema)]
pub struct Block {
    /// The block's hash.
    pub hash: Hash,
    /// The block's height.
    pub height: u32,
    /// What became of it.
    pub state: BlockStateName,
    /// What its coinbase pays the pool.
    pub reward_sats: u64,
    /// The miner whose worker found it, in SS58; null if a crash lost it.
    pub found_by: Option<String>,
    /// When it was found.
    pub found_at: Instant,
    /// Confirmations when last looked at.
    pub confirmations: u32,
    /// Work since the block before, in blocks: 1 is what was to be expected.
    pub effort: f64,
}

/// What became of a found block.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BlockState)]
pub enum BlockStateName {
    /// Found; the chain has not answered yet.
    Submitted,
    /// The chain took it, not (yet) on its best chain.
    Accepted,
    /// On the best chain, not deep enough to be spent.
    Immature,
    /// Deep enough to be spent.
    Mature,
    /// Not on the best chain.
    Orphaned,
    /// Not a valid block, in the chain's eyes.
    Refused,
}

impl From<BlockState> for BlockStateName {
    fn from(state: BlockState) -> Self {
        match state {
            BlockState::Submitted => Self::Submitted,
            BlockState::Accepted => Self::Accepted,
            BlockState::Immature => Self::Immature,
            BlockState::Mature => Self::Mature,
            BlockState::Orphaned => Self::Orphaned,
            BlockState::Refused => Self::Refused,
        }
    }
}

impl From<BlockRow> for Block {
    fn from(row: BlockRow) -> Self {
        Self {
            hash: Hash(row.hash),
            height: row.height,
            state: row.state.into(),
            reward_sats: row.reward.sats(),
            found_by: row.finder.map(|finder| finder.to_string()),
            found_at: Instant(row.found_at),
            confirmations: row.confirmations,
            effort: row.effort.to_f64(),
        }
    }
}

/// A page of found blocks, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Blocks {
    /// Found blocks, newest first.
    pub blocks: Vec<Block>,
    /// The `cursor` of the next page; null on the last.
    pub next_cursor: Option<String>,
}

/// A closed round: reward = fee + credited + kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct Round {
    /// Which: 1, 2, 3, … in the order of closing.
    pub id: u64,
    /// When the round was due, which is the date it closes with.
    pub closed_at: Instant,
    /// The scheme by which it split.
    pub scheme: Scheme,
    /// Where its reward came from.
    pub source: Source,
    /// What came in, before the fee.
    pub reward_sats: u64,
    /// What the operator took.
    pub fee_sats: u64,
    /// What miners were credited.
    pub credited_sats: u64,
    /// What went to the pool's reserve.
    pub kept_sats: u64,
    /// The blocks that it credited.
    pub blocks: Vec<Hash>,
}

impl From<RoundRow> for Round {
    fn from(row: RoundRow) -> Self {
        Self {
            id: row.id.get(),
            closed_at: Instant(row.closed_at),
            scheme: row.scheme.into(),
            source: row.source.into(),
            reward_sats: row.reward.sats(),
            fee_sats: row.fee.sats(),
            credited_sats: row.credited.sats(),
            kept_sats: row.kept.sats(),
            blocks: row.blocks.into_iter().map(Hash).collect(),
        }
    }
}

/// A page of rounds, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Rounds {
    /// Closed rounds, newest first.
    pub rounds: Vec<Round>,
    /// The `cursor` of the next page; null on the last.
    pub next_cursor: Option<String>,
}

/// A miner's part of a round.
#[derive(Debug, Serialize, ToSchema)]
pub struct RoundCredit {
    /// Whose, in SS58.
    pub hotkey: String,
    /// For which work, an exact decimal number of units.
    pub units: String,
    /// What the miner got, in sats; below zero if it was taken back.
    pub amount_sats: u64,
    /// The block that was split, if it was one.
    pub block: Option<Hash>,
}

impl From<CreditRow> for RoundCredit {
    fn from(row: CreditRow) -> Self {
        Self {
            hotkey: row.hotkey.to_string(),
            units: row.units.to_string(),
            amount_sats: row.amount.sats(),
            block: row.block.map(Hash),
        }
    }
}

/// A round with every credit.
#[derive(Debug, Serialize, ToSchema)]
pub struct RoundDetails {
    /// The round itself.
    #[serde(flatten)]
    pub round: Round,
    /// Every miner's part.
    pub credits: Vec<RoundCredit>,
}

/// A control message that an admin sent.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEntry {
    /// Its place in the trail.
    pub id: u64,
    /// When the message came.
    pub at: Instant,
    /// Who: a hotkey in SS58, or `token`.
    pub who: String,
    /// The actor that it was for.
    pub actor: String,
    /// The message's name.
    pub message: String,
    /// The fields that it came with.
    pub fields: Value,
    /// What came of it.
    pub outcome: Value,
}

impl From<AuditRow> for AuditEntry {
    fn from(row: AuditRow) -> Self {
        // What does not read as JSON is still part of the trail: it is shown as text.
        let json = |text: String| serde_json::from_str(&text).unwrap_or(Value::String(text));
        Self {
            id: row.id,
            at: Instant(row.at),
            who: row.who,
            actor: row.actor,
            message: row.message,
            fields: json(row.fields),
            outcome: json(row.outcome),
        }
    }
}

/// A page of the audit trail, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Audit {
    /// The messages, newest first.
    pub audit: Vec<AuditEntry>,
    /// The `cursor` of the next page; null on the last.
    pub next_cursor: Option<String>,
}

/// The process is alive.
#[derive(Debug, Serialize, ToSchema)]
pub struct Alive {
    /// Always `alive`.
    pub status: &'static str,
}

/// The pool is ready for miners.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ready {
    /// Always `ready`: a pool that is not answers 503.
    pub status: &'static str,
    /// `running`.
    pub state: &'static str,
    /// When the pool was started.
    pub started_at: Instant,
    /// What troubles it all the same.
    pub hindrances: Vec<String>,
}
