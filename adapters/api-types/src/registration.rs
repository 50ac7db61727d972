//! Registration and sessions.

use serde::{Deserialize, Serialize};

use crate::scalars::{Instant, Ss58};

/// The body of a registration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RegisterBody {
    /// Where payouts shall go, an address of the pool's chain; absent or null leaves it as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payout_address: Option<String>,
    /// From which balance in sats the miner wants to be paid: at least the dust limit, or 0 for the pool's own
    /// threshold; absent or null leaves it as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(maximum = 9_223_372_036_854_775_807_u64))]
    pub payout_threshold_sats: Option<u64>,
}

/// The body of opening a session: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct OpenSessionBody {}

/// A registered miner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Registration {
    /// Who, in SS58.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub hotkey: Ss58,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OpenedSession {
    /// For the header `Authorization: Bearer ...`.
    pub token: String,
    /// The moment from which the token no longer counts.
    pub expires_at: Instant,
}
