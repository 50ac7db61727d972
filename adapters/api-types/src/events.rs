//! What `GET /v1/events` tells as it happens: the data of each kind of event.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::books::{Block, Round};
use crate::chain::ChainState;
use crate::pool::Pool;
use crate::scalars::Instant;

/// The first event of a stream, and one that says that something was missed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Hello {
    /// Whether everything since `Last-Event-ID` follows. If not, read anew what you show.
    pub resumed: bool,
    /// Topics of which nothing follows, because it is hidden which of them are about this miner; absent if there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<String>,
}

/// A payout took a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PayoutStep {
    /// The payout's number.
    pub id: u64,
    /// `reserve`, `adopt`, `sign`, `send`, `confirm`, `unconfirm`, `return`, `cancel` or `revive`; there may be more.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub step: Cow<'static, str>,
    /// The state that it is in now.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub state: Cow<'static, str>,
    /// Its transaction, once it is signed.
    pub txid: Option<String>,
    /// What its miners get, before fees that they bear.
    pub amount_sats: u64,
    /// What the network takes, once it is signed.
    pub fee_sats: Option<u64>,
    /// How many miners it pays.
    pub miners: u64,
    /// Confirmations when last looked at.
    pub confirmations: u32,
    /// When its state changed last.
    pub at: Instant,
}

/// An event, as its `event:` and `data:` lines say it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Event {
    /// The first of a stream.
    Hello(Hello),
    /// The pool, every few seconds.
    Pool(Box<Pool>),
    /// A block was found, or its state changed.
    Block(Box<Block>),
    /// A round closed.
    Round(Box<Round>),
    /// A payout took a step.
    Payout(Box<PayoutStep>),
    /// The chain has a new tip, or what is known of it or of its nodes changed.
    Chain(Box<ChainState>),
}
