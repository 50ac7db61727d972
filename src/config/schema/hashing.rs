//! `[hashing]`: with what of the processor shares are hashed.

use dwarves_domain::settings::word;
use dwarves_lanes::Kind;
use serde::{Deserialize, Deserializer};

/// `[hashing]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HashingConfig {
    /// With what SHA-256d is hashed.
    pub lanes: LanesChoice,
}

/// With what SHA-256d is hashed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LanesChoice {
    /// The best that the processor has.
    #[default]
    Auto,
    /// This, if the processor has it.
    Kind(Kind),
}

impl<'de> Deserialize<'de> for LanesChoice {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let mut words = vec![("auto", Self::Auto)];
        words.extend(Kind::ALL.map(|kind| (kind.name(), Self::Kind(kind))));
        word(d, &words)
    }
}
