//! What a miner was credited and paid.

use dwarves_domain::units::Amount;
use dwarves_ports::store::{CreditKind, CreditRow, MinerPayoutRow};
use serde::{Deserialize, Serialize};

use crate::named::{CreditKindName, PayoutStateName};
use crate::scalars::{Hash, Instant};

/// A miner's part of a round, or what became of it since.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MinerCredit {
    /// The round, as in `/v1/rounds/{id}`.
    pub round_id: u64,
    /// When the round closed.
    pub closed_at: Instant,
    /// For which work, an exact decimal number of units; of evaluated work its weight, such as 1/loss.
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MinerCredits {
    /// The credits, newest first.
    pub credits: Vec<MinerCredit>,
    /// The `cursor` of the next page; null on the last.
    pub next_cursor: Option<String>,
}

/// A miner's part of a payout: a transaction that pays miners.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MinerPayout {
    /// The payout's number.
    pub payout_id: u64,
    /// `reserved` (set aside, not signed), `signed` (not known to be sent), `broadcast` (the network has it),
    /// `confirmed` (deep enough to count as paid), `returned` (its inputs were spent by another transaction: the
    /// balance is payable again), `cancelled` (given up before it was signed, or before it was paid: payable again); and
    /// where the pool has no wallet `exported` (set aside in a batch that somebody else sends) and `paid`.
    #[cfg_attr(feature = "schema", schema(schema_with = crate::schema::payout_state))]
    pub state: PayoutStateName,
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
    /// The batch that it was exported in, if somebody else sends it; null otherwise.
    pub batch: Option<String>,
    /// By what it was paid, if somebody else sent it; null until it is marked so.
    pub reference: Option<String>,
}

impl From<MinerPayoutRow> for MinerPayout {
    fn from(row: MinerPayoutRow) -> Self {
        let net = row.amount.checked_sub(row.fee).unwrap_or(Amount::ZERO);
        Self {
            payout_id: row.payout.get(),
            state: row.state.into(),
            txid: row.txid.map(|txid| txid.to_string()),
            confirmations: row.confirmations,
            address: row.address,
            amount_sats: net.sats(),
            fee_sats: row.fee.sats(),
            debited_sats: row.amount.sats(),
            reserved_at: Instant(row.reserved_at),
            sent_at: row.sent_at.map(Instant),
            note: Some(row.note).filter(|note| !note.is_empty()),
            batch: row.exported.as_ref().map(|exported| exported.batch.to_string()),
            reference: row
                .exported
                .and_then(|exported| exported.reference)
                .map(|reference| reference.to_string()),
        }
    }
}

/// A page of a miner's payouts, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MinerPayouts {
    /// The payouts, newest first.
    pub payouts: Vec<MinerPayout>,
    /// The `cursor` of the next page; null on the last.
    pub next_cursor: Option<String>,
}
