//! What a round emits, and what becomes of an emission that nobody worked for.

use std::fmt;
use std::str::FromStr;

use crate::rewards::weights::Weights;
use crate::units::Amount;

/// What becomes of an emission that nobody worked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unearned {
    /// The next round has it beside its own. What does not fit an amount any more is burnt.
    #[default]
    Carry,
    /// Nobody ever gets it.
    Burn,
}

impl Unearned {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Carry, Self::Burn];

    /// Its name in the settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Carry => "carry",
            Self::Burn => "burn",
        }
    }
}

impl fmt::Display for Unearned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a text does not say what becomes of an emission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected what becomes of an emission that nobody worked for: carry or burn")]
pub struct ParseUnearnedError;

impl FromStr for Unearned {
    type Err = ParseUnearnedError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|unearned| unearned.name() == text)
            .ok_or(ParseUnearnedError)
    }
}

/// What a round emits, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emission {
    /// What every round emits, as it is set now.
    pub amount: Amount,
    /// What rounds before carried to this one.
    pub brought: Amount,
    /// The work that it pays.
    pub weights: Weights,
    /// What becomes of it if there is none.
    pub unearned: Unearned,
}

/// What became of a round's emission: `amount + brought = issued + carried + burnt`. What was issued is the round's reward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Emitted {
    /// What every round emitted, as it was set then.
    pub amount: Amount,
    /// What rounds before had carried to this one.
    pub brought: Amount,
    /// What was issued: fee and credits.
    pub issued: Amount,
    /// What the next round has beside its own.
    pub carried: Amount,
    /// What nobody ever gets.
    pub burnt: Amount,
}

impl Emission {
    /// This much for this work, with nothing from before.
    pub const fn of(amount: Amount, weights: Weights) -> Self {
        Self {
            amount,
            brought: Amount::ZERO,
            weights,
            unearned: Unearned::Carry,
        }
    }

    /// What becomes of it.
    pub(super) fn emitted(&self) -> Emitted {
        // What does not fit an amount beside the round's own is burnt, so that no pool ever stops for it.
        let room = Amount::MAX
            .checked_sub(self.amount)
            .expect("no amount is above the largest");
        let kept = self.brought.min(room);
        let burnt = self
            .brought
            .checked_sub(kept)
            .expect("what is kept is at most what was brought");
        let total = self
            .amount
            .checked_add(kept)
            .expect("there is room for what is kept");
        let emitted = Emitted {
            amount: self.amount,
            brought: self.brought,
            burnt,
            ..Emitted::default()
        };
        match self.unearned {
            _ if !self.weights.is_empty() => Emitted {
                issued: total,
                ..emitted
            },
            Unearned::Carry => Emitted {
                carried: total,
                ..emitted
            },
            // It was brought and burnt, or burnt at once: together they may be more than an amount holds.
            Unearned::Burn => Emitted {
                burnt: burnt.checked_add(total).unwrap_or(Amount::MAX),
                ..emitted
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hotkey::Hotkey;
    use proptest::prelude::*;

    fn emission(amount: u64, brought: u64, is_earned: bool, unearned: Unearned) -> Emission {
        let worked = is_earned.then_some((Hotkey::from_bytes([1; 32]), 1));
        Emission {
            amount: Amount::from_sats(amount).unwrap(),
            brought: Amount::from_sats(brought).unwrap(),
            weights: Weights::sum(worked).unwrap(),
            unearned,
        }
    }

    #[test]
    fn what_nobody_earned_is_carried_or_burnt_and_issued_once_it_is_earned() {
        let of = |is_earned, unearned| {
            let emitted = emission(100, 30, is_earned, unearned).emitted();
            [emitted.issued, emitted.carried, emitted.burnt].map(Amount::sats)
        };
        assert_eq!(of(true, Unearned::Carry), [130, 0, 0]);
        assert_eq!(of(true, Unearned::Burn), [130, 0, 0]);
        assert_eq!(of(false, Unearned::Carry), [0, 130, 0]);
        assert_eq!(of(false, Unearned::Burn), [0, 0, 130]);
        for unearned in Unearned::ALL {
            assert_eq!(unearned.name().parse(), Ok(unearned));
        }
    }

    proptest! {
        #[test]
        fn nothing_of_an_emission_is_lost(
            amount in 0..=Amount::MAX.sats(), brought in 0..=Amount::MAX.sats(), is_earned in any::<bool>(),
        ) {
            let emitted = emission(amount, brought, is_earned, Unearned::Carry).emitted();
            let sum = |parts: &[Amount]| parts.iter().map(|part| u128::from(part.sats())).sum::<u128>();
            prop_assert_eq!(
                sum(&[emitted.amount, emitted.brought]),
                sum(&[emitted.issued, emitted.carried, emitted.burnt])
            );
        }
    }
}
