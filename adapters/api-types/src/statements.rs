//! Epochs, and the statements of what was done in them.

use dwarves_ports::store::{StatementHead, StatementRow};
use serde::{Deserialize, Serialize};

use crate::scalars::{Instant, Ss58};

/// An epoch that was stated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Epoch {
    /// Its name: the second since 1970 with which it begins.
    pub id: u64,
    /// When it began.
    pub start: Instant,
    /// When it ended: this moment is the next one's.
    pub end: Instant,
    /// How many shares were accepted in it.
    pub shares: u64,
    /// The last share before it, by its number; 0 before the first.
    pub sequence_after: u64,
    /// Its last share.
    pub sequence_through: u64,
    /// The SHA-256 of the statement's text, in hex.
    pub digest: String,
    /// The digest of the statement before; null: it is the first.
    pub previous: Option<String>,
    /// Who signed it, in SS58: the pool's own hotkey of that time.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub hotkey: Ss58,
    /// The sr25519 signature of the text in the context `substrate`: `0x` and hex.
    pub signature: String,
}

impl From<StatementHead> for Epoch {
    fn from(head: StatementHead) -> Self {
        let ended = head.ended;
        Self {
            id: ended.epoch.start.get(),
            start: Instant(ended.epoch.start.start()),
            end: Instant(ended.epoch.end.start()),
            shares: ended.through.get().saturating_sub(ended.after.get()),
            sequence_after: ended.after.get(),
            sequence_through: ended.through.get(),
            digest: head.digest.to_string(),
            previous: head.previous.map(|digest| digest.to_string()),
            hotkey: Ss58(head.signer),
            signature: format!("0x{}", hex::encode(head.signature)),
        }
    }
}

/// A page of epochs, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Epochs {
    /// Epochs that were stated, newest first.
    pub epochs: Vec<Epoch>,
    /// The `cursor` of the next page; null on the last.
    pub next_cursor: Option<String>,
}

/// A statement of what each worker did in an epoch. It never changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EpochStatement {
    /// The epoch as it is listed.
    #[serde(flatten)]
    pub epoch: Epoch,
    /// The text that was signed, byte for byte (docs/bittensor.md says what is in it).
    pub statement: String,
}

impl From<StatementRow> for EpochStatement {
    fn from(row: StatementRow) -> Self {
        Self {
            epoch: row.head.into(),
            statement: row.text,
        }
    }
}
