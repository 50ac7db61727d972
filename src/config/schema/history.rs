//! `[history]`: how long what was mined in each minute, hour and day is kept.

use dwarves_actors::reward_distributor::HistoryKept;
use dwarves_domain::time::Span;
use serde::Deserialize;

use crate::config::readers::Days;

/// `[history]`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HistoryConfig {
    /// How long minutes are kept.
    #[serde(rename = "minutes_kept_days", with = "Days::<1, 36_500>")]
    pub minutes: Span,
    /// How long hours are kept.
    #[serde(rename = "hours_kept_days", with = "Days::<1, 36_500>")]
    pub hours: Span,
    /// How long days are kept.
    #[serde(rename = "days_kept_days", with = "Days::<1, 36_500>")]
    pub days: Span,
}

impl HistoryConfig {
    /// As the reward distributor has them.
    pub const fn kept(&self) -> HistoryKept {
        HistoryKept {
            minutes: self.minutes,
            hours: self.hours,
            days: self.days,
        }
    }
}

impl Default for HistoryConfig {
    fn default() -> Self {
        Self {
            minutes: Span::from_secs(2 * 86_400),
            hours: Span::from_secs(90 * 86_400),
            days: Span::from_secs(1_830 * 86_400),
        }
    }
}
