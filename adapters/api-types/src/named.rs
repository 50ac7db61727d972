//! Words of a list that may grow: a client that meets a new one leaves it as it is.

use std::fmt;

use dwarves_domain::payouts::{PayoutState, WhyHeld};
use dwarves_domain::rewards::{Scheme, Source};
use dwarves_domain::work::Algorithm;
use dwarves_ports::store::{BlockState, CreditKind};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What is written as one word of a list.
pub trait Listed: Copy + PartialEq + 'static {
    /// The whole list.
    const ALL: &'static [Self];

    /// The word.
    fn name(self) -> &'static str;
}

macro_rules! listed {
    ($($type:ty, $all:expr, $name:ident;)+) => {
        $(impl Listed for $type {
            const ALL: &'static [Self] = &$all;

            fn name(self) -> &'static str {
                self.$name()
            }
        })+
    };
}

listed! {
    Algorithm, [Self::Sha256d, Self::Scrypt], as_str;
    BlockState, BlockState::ALL, name;
    CreditKind, CreditKind::ALL, name;
    PayoutState, PayoutState::ALL, name;
    Scheme, Scheme::ALL, name;
    Source, [Self::Blocks, Self::Emission], name;
    WhyHeld, WhyHeld::ALL, name;
}

/// A word of a list, as JSON writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named<T> {
    /// One of the list.
    Known(T),
    /// One that this program does not know: the pool is newer.
    Other(String),
}

impl<T: Listed> Named<T> {
    /// The word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(known) => known.name(),
            Self::Other(other) => other,
        }
    }

    /// Whether it is this one.
    pub fn is(&self, one: T) -> bool {
        matches!(self, Self::Known(known) if *known == one)
    }
}

impl<T> From<T> for Named<T> {
    fn from(known: T) -> Self {
        Self::Known(known)
    }
}

impl<T: Listed> fmt::Display for Named<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<T: Listed> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de, T: Listed> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let known = T::ALL.iter().find(|known| known.name() == word);
        Ok(known.map_or(Self::Other(word), |known| Self::Known(*known)))
    }
}

/// How the pool splits rewards.
pub type SchemeName = Named<Scheme>;
/// Where a round's reward comes from.
pub type SourceName = Named<Source>;
/// What became of a found block.
pub type BlockStateName = Named<BlockState>;
/// Why a miner's credits changed.
pub type CreditKindName = Named<CreditKind>;
/// How a chain hashes.
pub type AlgorithmName = Named<Algorithm>;
/// Where a payout is on its way.
pub type PayoutStateName = Named<PayoutState>;
/// Why a balance waits.
pub type WhyHeldName = Named<WhyHeld>;
