//! Watch tokens: what a miner hands out so that somebody else may look at it.

use dwarves_ports::store::WatchRow;
use serde::{Deserialize, Serialize};

use crate::scalars::{Instant, Ss58};

/// The body of handing out a watch token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct HandOutBody {
    /// What you call it, for your own list: at most 64 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schema(max_length = 64, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")
    )]
    pub name: Option<String>,
    /// For how many seconds it counts; absent or null: until you take it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 316_224_000))]
    pub expires_in_secs: Option<u64>,
}

/// A watch token that a miner handed out, without the token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Watch {
    /// Its number, by which it is taken back: 16 hex digits. It opens nothing.
    pub id: String,
    /// What its owner calls it; it may be empty.
    pub name: String,
    /// When it was handed out.
    pub created_at: Instant,
    /// The moment from which it no longer counts; null: it counts until it is taken back.
    pub expires_at: Option<Instant>,
}

impl From<WatchRow> for Watch {
    fn from(row: WatchRow) -> Self {
        Self {
            id: row.id.to_string(),
            name: row.name.as_str().to_owned(),
            created_at: Instant(row.created_at),
            expires_at: row.expires_at.map(Instant),
        }
    }
}

/// A watch token that was just handed out: the token is shown once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct HandedOutWatch {
    /// What the list has of it.
    #[serde(flatten)]
    pub watch: Watch,
    /// For the header `Authorization: Watch ...`, and for the page at `path`. The pool does not keep it.
    pub token: String,
    /// The page that shows the miner to whoever has it, at this pool's address.
    pub path: String,
}

/// All watch tokens of a miner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Watches {
    /// Oldest first; at most ten.
    pub watches: Vec<Watch>,
}

/// A watch token was taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TakenBackWatch {
    /// Its number.
    pub id: String,
    /// Always true: refusals are problems.
    pub taken_back: bool,
}

/// What a watch token shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OpenedWatch {
    /// The miner, in SS58.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub hotkey: Ss58,
    /// The moment from which it no longer counts; null: it counts until it is taken back.
    pub expires_at: Option<Instant>,
}
