//! `[privacy]`: what of a miner is for everybody.

use dwarves_domain::privacy::{Privacy, Visibility};
use serde::Deserialize;

/// `[privacy]`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrivacyConfig {
    /// For whom it is what a miner is owed, credited and paid.
    pub balances: Visibility,
    /// For whom it is what a miner's workers are called.
    pub worker_names: Visibility,
}

impl PrivacyConfig {
    /// The same as a rule.
    pub fn rule(self) -> Privacy {
        Privacy {
            balances: self.balances,
            worker_names: self.worker_names,
        }
    }
}
