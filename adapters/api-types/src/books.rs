//! Blocks, rounds and the audit trail.

use dwarves_domain::rewards::Emitted;
use dwarves_ports::store::{AuditRow, BlockRow, CreditRow, RoundRow};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::named::{BlockStateName, SchemeName, SourceName};
use crate::scalars::{Hash, Instant, Ss58};

/// The columns of blocks as CSV. More may come behind these; none changes its place or its meaning.
pub const BLOCK_COLUMNS: &[&str] = &[
    "hash",
    "height",
    "state",
    "reward_sats",
    "found_by",
    "found_at",
    "confirmations",
    "effort",
];

/// The columns of rounds as CSV, as [`BLOCK_COLUMNS`].
pub const ROUND_COLUMNS: &[&str] = &[
    "id",
    "closed_at",
    "scheme",
    "source",
    "reward_sats",
    "fee_sats",
    "credited_sats",
    "kept_sats",
    "blocks",
    "emission.amount_sats",
    "emission.brought_sats",
    "emission.carried_sats",
    "emission.burnt_sats",
];

/// A block that the pool found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub found_by: Option<Ss58>,
    /// When it was found.
    pub found_at: Instant,
    /// Confirmations when last looked at.
    pub confirmations: u32,
    /// Work since the block before, in blocks: 1 is what was to be expected.
    pub effort: f64,
}

impl From<BlockRow> for Block {
    fn from(row: BlockRow) -> Self {
        Self {
            hash: Hash(row.hash),
            height: row.height,
            state: row.state.into(),
            reward_sats: row.reward.sats(),
            found_by: row.finder.map(Ss58),
            found_at: Instant(row.found_at),
            confirmations: row.confirmations,
            effort: row.effort.to_f64(),
        }
    }
}

/// A page of found blocks, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Blocks {
    /// Found blocks, newest first.
    pub blocks: Vec<Block>,
    /// The `cursor` of the next page; null on the last.
    pub next_cursor: Option<String>,
}

/// A closed round: reward = fee + credited + kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Round {
    /// Which: 1, 2, 3, … in the order of closing.
    pub id: u64,
    /// When the round was due, which is the date it closes with.
    pub closed_at: Instant,
    /// The scheme by which it split.
    pub scheme: SchemeName,
    /// Where its reward came from.
    pub source: SourceName,
    /// What came in, before the fee.
    pub reward_sats: u64,
    /// What the operator took.
    pub fee_sats: u64,
    /// What miners were credited.
    pub credited_sats: u64,
    /// What became of its emission; null if its reward came from blocks, or it closed before that was kept.
    #[serde(default)]
    pub emission: Option<RoundEmission>,
    /// What went to the pool's reserve.
    pub kept_sats: u64,
    /// The blocks that it credited.
    pub blocks: Vec<Hash>,
}

/// What became of a round's emission, in sats: `amount + brought = reward + carried + burnt`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RoundEmission {
    /// What every round emitted, as it was set then.
    pub amount_sats: u64,
    /// What rounds before had carried to it.
    pub brought_sats: u64,
    /// What the next round has beside its own, because nobody had worked.
    pub carried_sats: u64,
    /// What nobody ever gets, because nobody had worked.
    pub burnt_sats: u64,
}

impl From<Emitted> for RoundEmission {
    fn from(emitted: Emitted) -> Self {
        Self {
            amount_sats: emitted.amount.sats(),
            brought_sats: emitted.brought.sats(),
            carried_sats: emitted.carried.sats(),
            burnt_sats: emitted.burnt.sats(),
        }
    }
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
            emission: row.emitted.map(RoundEmission::from),
            kept_sats: row.kept.sats(),
            blocks: row.blocks.into_iter().map(Hash).collect(),
        }
    }
}

/// A page of rounds, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Rounds {
    /// Closed rounds, newest first.
    pub rounds: Vec<Round>,
    /// The `cursor` of the next page; null on the last.
    pub next_cursor: Option<String>,
}

/// A miner's part of a round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RoundCredit {
    /// Whose, in SS58.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub hotkey: Ss58,
    /// For which work, an exact decimal number of units; of evaluated work its weight, such as 1/loss.
    pub units: String,
    /// What the miner got, in sats; below zero if it was taken back.
    pub amount_sats: u64,
    /// The block that was split, if it was one.
    pub block: Option<Hash>,
}

impl From<CreditRow> for RoundCredit {
    fn from(row: CreditRow) -> Self {
        Self {
            hotkey: Ss58(row.hotkey),
            units: row.units.to_string(),
            amount_sats: row.amount.sats(),
            block: row.block.map(Hash),
        }
    }
}

/// A round with every credit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RoundDetails {
    /// The round itself.
    #[serde(flatten)]
    pub round: Round,
    /// Every miner's part; of those that are hidden, the asker's own alone.
    pub credits: Vec<RoundCredit>,
    /// The names of fields of which something is hidden from the asker (`[privacy]`); absent if none is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<String>,
}

/// A control message that an admin sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Audit {
    /// The messages, newest first.
    pub audit: Vec<AuditEntry>,
    /// The `cursor` of the next page; null on the last.
    pub next_cursor: Option<String>,
}
