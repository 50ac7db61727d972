//! Batches of payouts that somebody else sends.

use std::borrow::Cow;

use dwarves_domain::payouts::{PaymentReference, Payout, PayoutState};
use dwarves_domain::units::Amount;
use dwarves_ports::store::{BatchHead, BatchRow, BatchSummary};
use serde::{Deserialize, Serialize};

use crate::scalars::{Instant, Ss58};

/// What never changes of a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Batch {
    /// Its name.
    pub batch: String,
    /// When its money was set aside.
    pub at: Instant,
    /// The number of its first payout; the others are numbered on from it.
    pub first_payout: u64,
    /// How many payouts it has.
    pub payouts: u64,
    /// What they come to, in the smallest part of the pool's unit.
    pub total_sats: u64,
    /// The SHA-256 of its text, in hex.
    pub digest: String,
    /// The digest of the batch before; null: it is the first.
    pub previous: Option<String>,
    /// Who signed it, in SS58: the pool's own hotkey of that time.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub hotkey: Ss58,
    /// The sr25519 signature of its text in the context `substrate`: `0x` and hex.
    pub signature: String,
    /// The same of its table, behind the line `dwarves/payout-batch-csv/1` and a line feed.
    pub csv_signature: String,
}

/// A signature as it is written.
pub fn signature(bytes: &[u8; 64]) -> String {
    format!("0x{}", hex::encode(bytes))
}

impl From<BatchHead> for Batch {
    fn from(head: BatchHead) -> Self {
        Self {
            batch: head.name.to_string(),
            at: Instant(head.at),
            first_payout: head.first_payout.get(),
            payouts: head.payouts,
            total_sats: head.total.sats(),
            digest: head.digest.to_string(),
            previous: head.previous.map(|digest| digest.to_string()),
            hotkey: Ss58(head.signer),
            signature: signature(&head.signature),
            csv_signature: signature(&head.csv_signature),
        }
    }
}

/// A batch in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ListedBatch {
    /// The batch.
    #[serde(flatten)]
    pub batch: Batch,
    /// How many of its payouts wait to be sent.
    pub exported: u64,
    /// How many are marked paid.
    pub paid: u64,
    /// How many were given back.
    pub cancelled: u64,
}

impl From<BatchSummary> for ListedBatch {
    fn from(summary: BatchSummary) -> Self {
        Self {
            batch: summary.head.into(),
            exported: summary.exported,
            paid: summary.paid,
            cancelled: summary.cancelled,
        }
    }
}

/// A page of batches, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Batches {
    /// The batches, newest first.
    pub batches: Vec<ListedBatch>,
    /// The `cursor` of the next page; null on the last.
    pub next_cursor: Option<String>,
}

/// A batch as it was signed. It never changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SignedBatch {
    /// The batch.
    #[serde(flatten)]
    pub batch: Batch,
    /// The text that was signed, byte for byte (docs/bittensor.md says what is in it).
    pub text: String,
}

impl From<BatchRow> for SignedBatch {
    fn from(row: BatchRow) -> Self {
        Self {
            batch: row.head.into(),
            text: row.text,
        }
    }
}

/// What became of a batch's payouts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BatchPayouts {
    /// Its payouts, in their order.
    pub payouts: Vec<BatchPayout>,
}

/// A payout of a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BatchPayout {
    /// The payout's number.
    pub payout_id: u64,
    /// `exported` (waits to be sent), `paid` or `cancelled` (given back).
    #[cfg_attr(feature = "schema", schema(value_type = String, pattern = "^(exported|paid|cancelled)$"))]
    pub state: Cow<'static, str>,
    /// Who is paid, in SS58.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub hotkey: Ss58,
    /// The address that is paid.
    pub address: String,
    /// How much, in the smallest part of the pool's unit.
    pub amount_sats: u64,
    /// By what it was paid; null unless it is marked so.
    pub reference: Option<String>,
    /// When it was first marked paid, also if it is no more; null if it never was.
    pub first_paid_at: Option<Instant>,
    /// When its state changed last.
    pub changed_at: Instant,
}

impl BatchPayout {
    /// A payout of a batch; `None` if it is none.
    pub fn of(payout: &Payout) -> Option<Self> {
        let exported = payout.exported.as_ref()?;
        let part = payout.parts.first()?;
        debug_assert!(matches!(
            payout.state,
            PayoutState::Exported | PayoutState::Paid | PayoutState::Cancelled
        ));
        Some(Self {
            payout_id: payout.id.get(),
            state: payout.state.name().into(),
            hotkey: Ss58(part.hotkey),
            address: part.address.clone(),
            amount_sats: Amount::sats(part.amount),
            reference: exported.reference.as_ref().map(PaymentReference::to_string),
            first_paid_at: payout.sent_at.map(Instant),
            changed_at: Instant(payout.changed_at),
        })
    }
}
