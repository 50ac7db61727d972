//! `[work]` and `[rewards]`: what miners are given to do, and how that is paid.

use dwarves_domain::evaluation::{Measure, Reading};
use dwarves_domain::rewards::evaluated::EvaluatedTerms;
use dwarves_domain::rewards::{Scheme, Source, Unearned};
use dwarves_domain::settings::word;
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::Span;
use dwarves_domain::units::{Amount, BasisPoints, Units};
use dwarves_domain::work::VersionRolling;
use serde::{Deserialize, Deserializer};

use crate::config::readers::{self, Millis, Secs, Whole};

/// What miners do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WorkKind {
    /// They search for blocks of a chain.
    #[default]
    ProofOfWork,
    /// They submit work that is evaluated.
    Evaluated,
}

impl<'de> Deserialize<'de> for WorkKind {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        word(
            d,
            &[
                ("proof_of_work", Self::ProofOfWork),
                ("evaluated", Self::Evaluated),
            ],
        )
    }
}

/// `[work]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkConfig {
    /// What miners do.
    pub kind: WorkKind,
    /// Time between two shares of a worker, which vardiff aims at.
    #[serde(rename = "share_interval_secs", with = "Millis::<10, 3_600_000>")]
    pub share_interval: Span,
    /// Difficulty of a new worker; `None`: by the chain, see [`Config::difficulties`](super::Config::difficulties).
    #[serde(deserialize_with = "readers::difficulty_or_zero")]
    pub start_difficulty: Option<Difficulty>,
    /// Least difficulty of vardiff; `None`: by the chain.
    #[serde(deserialize_with = "readers::difficulty_or_zero")]
    pub min_difficulty: Option<Difficulty>,
    /// Greatest difficulty of vardiff.
    pub max_difficulty: Difficulty,
    /// Time after which work on the same tip is renewed.
    #[serde(rename = "template_refresh_secs", with = "Secs::<1, 3600>")]
    pub template_refresh: Span,
    /// The bits of the version that miners may roll.
    pub version_rolling: VersionRolling,
    /// Time for which a job's shares are taken while its tip lasts.
    #[serde(rename = "job_lifetime_secs", with = "Secs::<2, 86_400>")]
    pub job_lifetime: Span,
    /// Time for which blocks are taken on a tip that was replaced.
    #[serde(rename = "previous_tip_secs", with = "Secs::<0, 3600>")]
    pub previous_tip: Span,
    /// Time without live work after which miners are let go.
    #[serde(rename = "let_go_after_secs", with = "Secs::<1, 86_400>")]
    pub let_go_after: Span,
}

impl Default for WorkConfig {
    fn default() -> Self {
        let difficulty = |value| Difficulty::from_f64(value).expect("the default difficulties are in range");
        Self {
            kind: WorkKind::default(),
            share_interval: Span::from_secs(1),
            start_difficulty: None,
            min_difficulty: None,
            max_difficulty: difficulty(1e12),
            template_refresh: Span::from_secs(30),
            version_rolling: VersionRolling::Bip323,
            job_lifetime: Span::from_secs(120),
            previous_tip: Span::from_secs(60),
            let_go_after: Span::from_secs(30),
        }
    }
}

/// `[rewards]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RewardsConfig {
    /// How a reward is split.
    pub scheme: Scheme,
    /// Where rewards come from.
    pub source: Source,
    /// Time between two rounds.
    #[serde(rename = "run_interval_secs", with = "Secs::<1, 604_800>")]
    pub run_interval: Span,
    /// Missed rounds that are closed in a minute at most.
    #[serde(with = "Whole::<1, 100_000>")]
    pub missed_rounds_per_minute: u32,
    /// The operator's part.
    #[serde(rename = "fee_bps")]
    pub fee: BasisPoints,
    /// Length of the PPLNS window. Above zero.
    #[serde(deserialize_with = "readers::window_units")]
    pub window_units: Units,
    /// What a round splits with [`Source::Emission`].
    #[serde(rename = "emission_sats")]
    pub emission: Amount,
    /// What becomes of an emission that nobody worked for.
    pub unearned: Unearned,
    /// How old a result of evaluated work may be when a round closes.
    #[serde(rename = "max_age_secs", with = "Secs::<1, 31_536_000>")]
    pub max_age: Span,
    /// Losses below it count as it, with [`Scheme::InverseLoss`].
    #[serde(deserialize_with = "readers::loss_floor")]
    pub loss_floor: Reading,
    /// What the best takes with [`Scheme::WinnerTakesMost`].
    #[serde(rename = "winner_bps", deserialize_with = "readers::winner")]
    pub winner: BasisPoints,
    /// By what [`Scheme::WinnerTakesMost`] pays.
    pub winner_by: Measure,
}

impl RewardsConfig {
    /// How results of evaluated work are paid.
    pub fn evaluated(&self) -> EvaluatedTerms {
        EvaluatedTerms {
            measure: match self.scheme {
                Scheme::InverseLoss => Measure::Loss,
                Scheme::Score => Measure::Score,
                _ => self.winner_by,
            },
            loss_floor: self.loss_floor,
            winner: self.winner,
            max_age: self.max_age,
        }
    }
}

impl Default for RewardsConfig {
    fn default() -> Self {
        Self {
            scheme: Scheme::Pplns,
            source: Source::Blocks,
            run_interval: Span::from_secs(60),
            missed_rounds_per_minute: 120,
            fee: BasisPoints::new(100).expect("one percent is a part of the whole"),
            window_units: Units::from_raw(2 * Units::ONE.raw()),
            emission: Amount::ZERO,
            unearned: Unearned::Carry,
            max_age: Span::from_secs(86_400),
            loss_floor: "0.000001".parse().expect("a millionth is a loss"),
            winner: BasisPoints::new(6_000).expect("six tenths are a part of the whole"),
            winner_by: Measure::Score,
        }
    }
}
