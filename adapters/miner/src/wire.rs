//! The API's JSON as a miner sees it. Fields that a miner does not need are left alone, so that a pool may
//! add some.

use chrono::{DateTime, Utc};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::target::Target;
use dwarves_domain::time::Timestamp;
use dwarves_domain::work::{Algorithm, Header, JobId};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

/// What a miner needs to know of the pool before it can sign anything.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PoolInfo {
    /// The pool's name.
    #[serde(default)]
    pub name: String,
    /// The pool's hotkey: the receiver of signed requests.
    #[serde(deserialize_with = "parsed")]
    pub hotkey: Hotkey,
}

/// Work, ready to hash.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Work {
    /// The job's name.
    #[serde(deserialize_with = "parsed")]
    pub job_id: JobId,
    /// The proof of work by which headers are hashed.
    #[serde(deserialize_with = "parsed")]
    pub algorithm: Algorithm,
    /// The height of the block that is searched.
    pub height: u32,
    /// The header with nonce 0.
    #[serde(deserialize_with = "header")]
    pub header: Header,
    /// Version bits that may be changed.
    #[serde(deserialize_with = "mask")]
    pub version_mask: u32,
    /// Earliest header time, Unix seconds.
    pub time_min: u32,
    /// Latest header time, Unix seconds.
    pub time_max: u32,
    /// What a share's hash must not exceed.
    #[serde(deserialize_with = "parsed")]
    pub share_target: Target,
    /// What a block's hash must not exceed.
    #[serde(deserialize_with = "parsed")]
    pub network_target: Target,
    /// Until when shares are taken at the latest.
    #[serde(deserialize_with = "instant")]
    pub expires_at: Timestamp,
}

/// A share to submit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The job that it was found on.
    pub job_id: JobId,
    /// The nonce that makes the header a share.
    pub nonce: u32,
    /// The header's time, if it was changed.
    pub time: Option<u32>,
    /// The header's version, if it was changed.
    pub version: Option<u32>,
}

impl Share {
    /// As the API takes it.
    pub fn to_json(self) -> Value {
        let mut share = json!({ "job_id": self.job_id.to_string(), "nonce": self.nonce });
        if let Some(time) = self.time {
            share["time"] = time.into();
        }
        if let Some(version) = self.version {
            share["version"] = version.into();
        }
        share
    }
}

/// What the pool says to a share.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It counts.
    Accepted {
        /// Whether it is a block.
        #[serde(default)]
        block: bool,
    },
    /// It does not count.
    Rejected {
        /// The reason's name.
        reason: String,
    },
}

/// The answer to submitted shares.
#[derive(Deserialize)]
pub(super) struct Verdicts {
    pub(super) results: Vec<Verdict>,
}

/// A miner's money, in sats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Balances {
    /// From blocks that are not deep enough yet.
    pub immature: u64,
    /// Due for a payout, in sats.
    pub payable: u64,
    /// In a payout that is not deep yet, in sats.
    pub in_flight: u64,
    /// Confirmed on the chain, in sats.
    pub paid: u64,
}

impl Balances {
    /// All that the miner has earned so far.
    pub fn earned(&self) -> u64 {
        [self.payable, self.in_flight, self.paid]
            .into_iter()
            .fold(self.immature, u64::saturating_add)
    }
}

/// A miner, as the pool shows it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct MinerStatus {
    /// Hashes per second, as the pool estimates them.
    #[serde(default)]
    pub hashrate: f64,
    /// What the miner has earned, by state.
    #[serde(default)]
    pub balance_sats: Balances,
}

/// The answer to opening a session.
#[derive(Deserialize)]
pub(super) struct OpenedSession {
    pub(super) token: String,
    #[serde(deserialize_with = "instant")]
    pub(super) expires_at: Timestamp,
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    String::deserialize(deserializer)
}

fn parsed<'de, D: Deserializer<'de>, T>(deserializer: D) -> Result<T, D::Error>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    text(deserializer)?.parse().map_err(D::Error::custom)
}

fn header<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Header, D::Error> {
    let mut bytes = [0; Header::LEN];
    hex::decode_to_slice(text(deserializer)?, &mut bytes)
        .map_err(|_| D::Error::custom("expected a header of 160 hex digits"))?;
    Ok(Header::from_bytes(bytes))
}

fn mask<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let mut bytes = [0; 4];
    hex::decode_to_slice(text(deserializer)?, &mut bytes)
        .map_err(|_| D::Error::custom("expected a version mask of 8 hex digits"))?;
    Ok(u32::from_be_bytes(bytes))
}

fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let instant = DateTime::<Utc>::deserialize(deserializer)?;
    Ok(Timestamp::from_millis(instant.timestamp_millis()))
}
