//! `[clock]`: how much the machine's clock is believed.

use dwarves_domain::time::Span;
use dwarves_domain::timekeeping::Rules;
use serde::Deserialize;

use crate::config::readers::Secs;

/// `[clock]`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClockConfig {
    /// How far the machine's clock may be from the best header of a synced node.
    #[serde(rename = "tolerance_secs", with = "Secs::<600, 604_800>")]
    pub tolerance: Span,
    /// How long a jump of the machine's clock must last before it is followed.
    #[serde(rename = "settle_secs", with = "Secs::<1, 86_400>")]
    pub settle: Span,
}

impl ClockConfig {
    /// As the time keeper has them.
    pub const fn rules(&self) -> Rules {
        Rules {
            tolerance: self.tolerance,
            settle: self.settle,
        }
    }
}

impl Default for ClockConfig {
    fn default() -> Self {
        Self {
            tolerance: Span::from_secs(7_200),
            settle: Span::from_secs(60),
        }
    }
}
