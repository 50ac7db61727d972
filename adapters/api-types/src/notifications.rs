//! What a miner wants to be told, and how its channels are.

use serde::{Deserialize, Serialize};

use crate::scalars::{Instant, Ss58};

/// What a miner wants to be told. It replaces what the miner wanted before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NotificationsBody {
    /// By which channels.
    #[cfg_attr(feature = "schema", schema(min_items = 1, max_items = 16))]
    pub channels: Vec<ChannelBody>,
    /// What is told: block_found, block_orphaned, payout_sent, payout_stuck, payout_returned, worker_offline,
    /// hashrate_low, rejects_high, no_payout_address. Absent or null: all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(max_items = 32))]
    pub events: Option<Vec<String>>,
    /// Hours of the miner's own day in which nothing is told; what comes in them waits. Absent or null: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<QuietHoursBody>,
    /// By how many minutes the miner's clock is ahead of UTC. Absent or null: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(minimum = -840, maximum = 840))]
    pub utc_offset_minutes: Option<i16>,
    /// At which hour of its own day the miner is told what there was since yesterday. Absent or null: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(minimum = 0, maximum = 23))]
    pub digest_hour: Option<u8>,
    /// After how long without a share a worker is offline: a minute to a week. Absent or null: 900.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 604_800))]
    pub offline_after_secs: Option<u64>,
    /// Below how many percent of the last day's hashrate it is low. Absent or null: 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 99))]
    pub low_percent: Option<u8>,
    /// From how many percent of rejected shares on there are many. Absent or null: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 100))]
    pub reject_percent: Option<u8>,
}

/// A channel as a miner gives it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ChannelBody {
    /// Its name: 1 to 32 letters, digits, `.`, `_` or `-`. Each has another one.
    #[cfg_attr(feature = "schema", schema(pattern = "^[A-Za-z0-9._-]{1,32}$"))]
    pub name: String,
    /// `webhook`, `ntfy` or `mail`.
    #[cfg_attr(feature = "schema", schema(pattern = "^(webhook|ntfy|mail)$"))]
    pub kind: String,
    /// Where a webhook or a topic of ntfy is: an address that begins with `https://`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(max_length = 512))]
    pub url: Option<String>,
    /// The access token of a topic of ntfy that needs one. It is never shown. Absent or null: none, or the one of before if
    /// the topic is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(max_length = 256))]
    pub token: Option<String>,
    /// The mail address. Nothing goes there but a code, until the code came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(max_length = 254))]
    pub address: Option<String>,
    /// Whether a webhook that was there before gets a new secret. Absent or null: no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_secret: Option<bool>,
}

impl std::fmt::Debug for ChannelBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ChannelBody({} {})", self.kind, self.name)
    }
}

/// Hours in which nothing is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct QuietHoursBody {
    /// The first quiet hour.
    #[cfg_attr(feature = "schema", schema(minimum = 0, maximum = 23))]
    pub from: u8,
    /// The first that is not quiet any more, which may be on the next day.
    #[cfg_attr(feature = "schema", schema(minimum = 0, maximum = 23))]
    pub until: u8,
}

/// What a miner is told, as it alone sees it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Notifications {
    /// Who, in SS58.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub hotkey: Ss58,
    /// By which channels.
    pub channels: Vec<ChannelStatus>,
    /// What is told.
    pub events: Vec<String>,
    /// Hours of its own day in which nothing is told.
    pub quiet_hours: Option<QuietHoursBody>,
    /// By how many minutes its clock is ahead of UTC.
    pub utc_offset_minutes: i16,
    /// At which hour of its own day it is told what there was since yesterday; null: never.
    pub digest_hour: Option<u8>,
    /// After how long without a share a worker is offline.
    pub offline_after_secs: u64,
    /// Below how many percent of the last day's hashrate it is low.
    pub low_percent: u8,
    /// From how many percent of rejected shares on there are many.
    pub reject_percent: u8,
    /// Notices that wait for these channels.
    pub waiting: u64,
    /// Notices that were not told, because too many came or waited, or because a channel was given up.
    pub dropped: u64,
}

/// How a channel is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ChannelStatus {
    /// Its name.
    pub name: String,
    /// `webhook`, `ntfy` or `mail`.
    pub kind: String,
    /// Where it leads: the mail address, or the beginning of an address whose rest may be a secret.
    pub leads_to: String,
    /// `open`, `unconfirmed`: the code that was mailed is to be sent back, or `given_up`: nothing goes there until it is set
    /// again.
    pub state: String,
    /// Why it was given up; null if it was not.
    pub why: Option<String>,
    /// When it was given up, or when a code was mailed; null if it is open.
    pub since: Option<Instant>,
    /// The secret with which a webhook is signed, if it was made by this request. It is shown this once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// Which channels are tried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TestBody {
    /// The channel's name; absent or null: every one that is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(max_length = 32))]
    pub channel: Option<String>,
}

/// A test that is on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TestSent {
    /// By which channels.
    pub channels: Vec<String>,
}

/// The code that was mailed to an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ConfirmBody {
    /// The channel's name.
    #[cfg_attr(feature = "schema", schema(max_length = 32))]
    pub channel: String,
    /// The code.
    #[cfg_attr(feature = "schema", schema(max_length = 64))]
    pub code: String,
}

/// A channel whose address is confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AddressConfirmed {
    /// The channel's name.
    pub channel: String,
    /// Always `open`: refusals are problems.
    pub state: String,
}
