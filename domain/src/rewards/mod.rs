//! How rewards are split: one file a scheme, and the closing of a round.
//!
//! | module | its one job |
//! |---|---|
//! | [`weights`] | how much work each miner is paid for |
//! | [`mod@split`] | an amount split by weights, to the last sat |
//! | [`pplns`] | the window of a block: the last X units of work |
//! | [`proportional`] | the stretch of a block: the work since the block before |
//! | [`solo`] | the finder takes all |
//! | [`pps`] | a fixed price for every unit (`pps`, `fpps`) |
//! | [`evaluated`] | what results of evaluated work weigh (`inverse_loss`, `score`, `winner_takes_most`) |
//! | [`example`] | one miner's part with all that it takes to reckon it again |
//! | [`round`] | what happened since the last round becomes credits and postings |
//!
//! Work is measured in units fixed when a share is accepted (its difficulty over the network's at that time),
//! so a change of the network's difficulty afterwards moves nobody's pay (Rosenfeld, *Analysis of Bitcoin
//! Pooled Mining Reward Systems*, arXiv 1112.4980, unit-PPLNS). Money is integer sats throughout.

use std::fmt;
use std::str::FromStr;

pub mod evaluated;
pub mod example;
pub mod pplns;
pub mod pps;
pub mod proportional;
pub mod round;
pub mod solo;
pub mod split;
pub mod weights;

pub use pps::ShareValue;
pub use round::{
    BlockReward, ClosedRound, Emission, Emitted, OrphanedBlock, PaidWork, RoundError, RoundInput,
    SettledBlock, Unearned, Workings, close,
};
pub use split::{Credit, RoundCredit, split};
pub use weights::{HalfUnits, WeightOverflow, Weights};

/// How the pool pays for work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Every block pays the last X units of work before it. The default: fair to all who come and go.
    #[default]
    Pplns,
    /// Every block pays the work since the block before it. Simple, but it pays to leave long rounds.
    Proportional,
    /// Every unit of work pays the block subsidy, whether blocks are found or not; the operator bears luck.
    Pps,
    /// As [`Scheme::Pps`], and the fees of the block's transactions are paid as well.
    Fpps,
    /// Every block pays the miner who found it.
    Solo,
    /// Of evaluated work: every round pays each miner's best result by 1/loss.
    InverseLoss,
    /// Of evaluated work: every round pays each miner's best result by its score.
    Score,
    /// Of evaluated work: the best result takes a fixed part of every round, the others share the rest.
    WinnerTakesMost,
}

impl Scheme {
    /// Every scheme, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::Pplns,
        Self::Proportional,
        Self::Pps,
        Self::Fpps,
        Self::Solo,
        Self::InverseLoss,
        Self::Score,
        Self::WinnerTakesMost,
    ];

    /// The scheme's name in configuration, HTTP and storage.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pplns => "pplns",
            Self::Proportional => "proportional",
            Self::Pps => "pps",
            Self::Fpps => "fpps",
            Self::Solo => "solo",
            Self::InverseLoss => "inverse_loss",
            Self::Score => "score",
            Self::WinnerTakesMost => "winner_takes_most",
        }
    }

    /// Whether it pays for results of evaluated work, and not for shares.
    pub const fn is_of_evaluated_work(self) -> bool {
        matches!(self, Self::InverseLoss | Self::Score | Self::WinnerTakesMost)
    }

    /// Whether shares have a fixed price that is paid from the reserve, so that blocks go to the reserve.
    pub const fn pays_per_share(self) -> bool {
        matches!(self, Self::Pps | Self::Fpps)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a text names no scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a reward scheme: pplns, proportional, pps, fpps or solo, or for evaluated work inverse_loss, score or winner_takes_most"
)]
pub struct ParseSchemeError;

impl FromStr for Scheme {
    type Err = ParseSchemeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|scheme| scheme.name() == text)
            .ok_or(ParseSchemeError)
    }
}

/// Where the rewards that a round splits come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The blocks that the pool finds.
    #[default]
    Blocks,
    /// A fixed amount every round, for pools whose income comes from elsewhere.
    Emission,
}

impl Source {
    /// Every source.
    pub const ALL: [Self; 2] = [Self::Blocks, Self::Emission];

    /// The source's name in configuration, HTTP and storage.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::Emission => "emission",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a text names no source of rewards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a source of rewards: blocks or emission")]
pub struct ParseSourceError;

impl FromStr for Source {
    type Err = ParseSourceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|source| source.name() == text)
            .ok_or(ParseSourceError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_and_sources_survive_storing_and_nothing_else_parses() {
        for scheme in Scheme::ALL {
            assert_eq!(scheme.to_string().parse(), Ok(scheme));
        }
        for source in [Source::Blocks, Source::Emission] {
            assert_eq!(source.to_string().parse(), Ok(source));
        }
        assert_eq!("PPLNS".parse::<Scheme>(), Err(ParseSchemeError));
        assert_eq!("".parse::<Scheme>(), Err(ParseSchemeError));
        assert_eq!("block".parse::<Source>(), Err(ParseSourceError));
        assert_eq!(Scheme::default(), Scheme::Pplns);
    }
}
