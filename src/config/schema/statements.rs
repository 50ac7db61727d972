//! `[statements]`: what validators are told of miners' work.

use dwarves_domain::statements::EpochLength;
use serde::Deserialize;

use crate::config::readers::Whole;

/// `[statements]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StatementsConfig {
    /// How long an epoch is; 0: no statements are made.
    #[serde(with = "Whole::<0, 86_400>")]
    pub epoch_secs: u32,
}

impl StatementsConfig {
    /// How long an epoch is, if there are any.
    pub const fn length(&self) -> Option<EpochLength> {
        EpochLength::from_secs(self.epoch_secs)
    }
}
