//! What a miner earns, what was to be expected of its work, and when it is paid. Estimates say so.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::scalars::Instant;

/// A miner's place in the reward window that ends now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WindowPlace {
    /// Its units in the window, an exact decimal.
    pub units: String,
    /// All work in the window, an exact decimal: less than the window's size while the pool is young.
    pub of_units: String,
    /// Its part: what of a block's reward, after the fee, it would get if one came now.
    pub share: f64,
    /// The first share that is still in the window; null if there is none.
    pub first_sequence: Option<u64>,
    /// About when the last of its work leaves the window if it adds none and the pool goes on as now; null if it has none
    /// there, or that cannot be told.
    pub leaves_at: Option<Instant>,
}

/// When a miner is paid next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NextPayout {
    /// From which balance it is paid: its own choice, or the pool's.
    pub threshold_sats: u64,
    /// What it has payable.
    pub payable_sats: u64,
    /// What it was credited a day lately (up to seven days); null if nothing was.
    pub per_day_sats: Option<u64>,
    /// About when it is due if it goes on so; null if that cannot be told, as where it is due and an operator sends
    /// payouts by hand.
    pub due_at: Option<Instant>,
}

/// What a miner earned beside what was to be expected of its work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Earnings {
    /// Yesterday, and the last 7 and 30 whole days, all in UTC.
    pub periods: Vec<EarningsPeriod>,
}

/// A period.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EarningsPeriod {
    /// `yesterday`, `7_days` or `30_days`.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub name: Cow<'static, str>,
    /// When it begins.
    pub from: Instant,
    /// When it ends; not part of it.
    pub to: Instant,
    /// What its credits in this time come to; below zero if more was taken back.
    pub earned_sats: i64,
    /// What its work in this time earns on average, after the fee; null if that is not known.
    pub expected_sats: Option<u64>,
    /// One standard deviation of it by the chance of finding blocks alone; null if that is not known.
    pub spread_sats: Option<u64>,
    /// Blocks that the pool found in this time.
    pub blocks: u64,
    /// How many were to be expected of all work; null if that is not known.
    pub expected_blocks: Option<f64>,
    /// Whether there were too many credits or blocks to add up all of them: then the earliest are missing.
    pub is_cut: bool,
}
