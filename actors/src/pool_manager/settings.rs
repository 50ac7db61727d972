//! The settings that hold, each with where it comes from. What an admin stored while the pool ran beats file and
//! environment until it is forgotten, so it is shown beside them, and a message takes it back.

use std::collections::BTreeMap;
use std::fmt;

use dwarves_domain::time::Span;
use dwarves_domain::units::{Amount, BasisPoints};
use serde_json::{Value, json};

use super::messages::{ControlMessage, PoolControl};
use crate::miner_manager::messages::MinerControl;
use crate::paymaster::messages::PaymasterControl;
use crate::reward_distributor::messages::DistributorControl;

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The program's own.
    Default,
    /// The configuration file of this name.
    File(String),
    /// This variable of the environment.
    Variable(String),
    /// An admin stored it while the pool ran.
    Admin,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(name) => f.write_str(name),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Admin => f.write_str("stored by an admin"),
        }
    }
}

/// A setting that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// Its name: section and key.
    pub key: String,
    /// Its value, as it would stand in the file.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// What the configuration says of settings that admins can store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Configured {
    /// The balance from which miners are paid.
    pub threshold: Amount,
    /// How often a round closes.
    pub run_interval: Span,
    /// The operator's fee.
    pub fee: BasisPoints,
    /// What every round emits.
    pub emission: Amount,
}

/// Settings that an admin can store: the name that it is known by, the name under which it is stored, and what it
/// becomes when it is forgotten.
const STORED: [(&str, &str); 8] = [
    ("payouts.threshold_sats", "payouts.threshold_sats"),
    ("payouts.paused", "payouts.paused"),
    ("rewards.run_interval_secs", "rewards.run_interval_millis"),
    ("rewards.fee_bps", "rewards.fee_bps"),
    ("rewards.emission_sats", "rewards.emission_sats"),
    ("rewards.paused", "rewards.paused"),
    ("pool.paused", "pool.paused"),
    ("miners.registration_open", "miners.registration_open"),
];
/// Fixed difficulties are stored by miner and worker.
const SHARE_DIFFICULTY: &str = "miners.share_difficulty/";

/// The settings that admins stored, by the names that they are known by.
pub fn stored(settings: &BTreeMap<String, String>) -> Vec<Effective> {
    let named = STORED.iter().filter_map(|(key, stored_as)| {
        let value = settings.get(*stored_as)?;
        let value = match (*key, value.parse::<u64>()) {
            ("rewards.run_interval_secs", Ok(millis)) => (millis / 1_000).to_string(),
            _ => value.clone(),
        };
        Some((String::from(*key), value))
    });
    let fixed = settings
        .iter()
        .filter(|(key, _)| key.starts_with(SHARE_DIFFICULTY));
    let fixed = fixed.map(|(key, value)| (key.clone(), value.clone()));
    let origin = Origin::Admin;
    named
        .chain(fixed)
        .map(|(key, value)| Effective {
            key,
            value,
            origin: origin.clone(),
        })
        .collect()
}

/// Every setting that holds: what is configured, and above it what admins stored.
pub fn merge(configured: &[Effective], settings: &BTreeMap<String, String>) -> Vec<Effective> {
    let mut all: BTreeMap<&str, &Effective> = configured
        .iter()
        .map(|setting| (setting.key.as_str(), setting))
        .collect();
    let stored = stored(settings);
    for setting in &stored {
        all.insert(&setting.key, setting);
    }
    all.into_values().cloned().collect()
}

/// As the pool's status shows them.
pub fn to_json(all: &[Effective]) -> Value {
    let one = |setting: &Effective| {
        let (key, value) = (&setting.key, &setting.value);
        json!({ "setting": key, "value": value, "from": setting.origin.to_string() })
    };
    Value::Array(all.iter().map(one).collect())
}

/// Under which name a setting is stored, if admins can store it.
pub(super) fn stored_as(key: &str) -> Option<String> {
    let named = STORED
        .iter()
        .find(|(known, _)| *known == key)
        .map(|(_, stored)| String::from(*stored));
    named.or_else(|| key.starts_with(SHARE_DIFFICULTY).then(|| key.to_owned()))
}

/// What puts the configured value back into force; it is stored by that, and forgotten afterwards.
pub(super) fn put_back(key: &str, configured: &Configured) -> Option<ControlMessage> {
    Some(match key {
        "payouts.threshold_sats" => {
            ControlMessage::Payouts(PaymasterControl::SetThreshold(configured.threshold))
        }
        "payouts.paused" => ControlMessage::Payouts(PaymasterControl::Resume),
        "rewards.run_interval_secs" => {
            ControlMessage::Rewards(DistributorControl::SetRunInterval(configured.run_interval))
        }
        "rewards.fee_bps" => ControlMessage::Rewards(DistributorControl::SetFee(configured.fee)),
        "rewards.emission_sats" => {
            ControlMessage::Rewards(DistributorControl::SetEmission(configured.emission))
        }
        "rewards.paused" => ControlMessage::Rewards(DistributorControl::Resume),
        "pool.paused" => ControlMessage::Pool(PoolControl::Resume),
        "miners.registration_open" => ControlMessage::Miners(MinerControl::OpenRegistration),
        _ => {
            let (hotkey, worker) =
                key.strip_prefix(SHARE_DIFFICULTY)
                    .map(|whose| match whose.split_once('/') {
                        Some((hotkey, worker)) => (hotkey, Some(worker)),
                        None => (whose, None),
                    })?;
            ControlMessage::Miners(MinerControl::SetShareDifficulty {
                hotkey: hotkey.parse().ok()?,
                worker: worker.map(str::parse).transpose().ok()?,
                difficulty: None,
            })
        }
    })
}
