//! What became of a found block, what the ledger has booked for it, and when a round must book more.

use std::fmt;
use std::str::FromStr;

/// What became of a found block, as the chain tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlockState {
    /// Found; the chain has not answered yet.
    Submitted,
    /// The chain took it, not (yet) on its best chain.
    Accepted,
    /// On the best chain, not deep enough to be spent.
    Immature,
    /// Deep enough to be spent.
    Mature,
    /// No longer, or never, on the best chain.
    Orphaned,
    /// Not a valid block, in the chain's eyes.
    Refused,
}

/// What the ledger has booked for a found block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Accounting {
    /// Nothing is booked yet.
    None,
    /// Credited as immature.
    Credited,
    /// Credited, and matured to payable.
    Matured,
    /// Credited once, reversed since while it was immature.
    Reversed,
    /// Matured once, reversed since at the reserve's cost. If the block comes back it is mature at once.
    ReversedMature,
}

impl BlockState {
    /// Every state of a block, in the order of its life.
    pub const ALL: [Self; 6] = [
        Self::Submitted,
        Self::Accepted,
        Self::Immature,
        Self::Mature,
        Self::Orphaned,
        Self::Refused,
    ];

    /// The state's name in storage and HTTP.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Accepted => "accepted",
            Self::Immature => "immature",
            Self::Mature => "mature",
            Self::Orphaned => "orphaned",
            Self::Refused => "refused",
        }
    }

    /// Whether a round must book something for a block in this state.
    ///
    /// | state | is booked if it is |
    /// |---|---|
    /// | submitted, accepted | never: the chain has not decided |
    /// | immature | not booked, or reversed |
    /// | mature | not booked, credited only, or reversed |
    /// | orphaned, refused | credited or matured |
    ///
    /// A matured block that is immature again (its chain was replaced and it is in the new one) stays matured.
    pub const fn is_due(self, accounting: Accounting) -> bool {
        use Accounting::{Credited, Matured, None, Reversed, ReversedMature};
        match self {
            Self::Submitted | Self::Accepted => false,
            Self::Immature => matches!(accounting, None | Reversed | ReversedMature),
            Self::Mature => !matches!(accounting, Matured),
            Self::Orphaned | Self::Refused => matches!(accounting, Credited | Matured),
        }
    }

    /// Whether the block counts as found: it is, or may yet be, part of the chain.
    pub const fn is_found(self) -> bool {
        !matches!(self, Self::Orphaned | Self::Refused)
    }
}

impl Accounting {
    /// Everything that can be booked.
    pub const ALL: [Self; 5] = [
        Self::None,
        Self::Credited,
        Self::Matured,
        Self::Reversed,
        Self::ReversedMature,
    ];

    /// The name in storage.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Credited => "credited",
            Self::Matured => "matured",
            Self::Reversed => "reversed",
            Self::ReversedMature => "reversed_mature",
        }
    }
}

impl fmt::Display for BlockState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Accounting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a text names no block state or accounting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseBlockError {
    /// The text names no state.
    #[error("expected a block's state: submitted, accepted, immature, mature, orphaned or refused")]
    State,
    /// The text names no accounting.
    #[error("expected a block's accounting: none, credited, matured, reversed or reversed_mature")]
    Accounting,
}

impl FromStr for BlockState {
    type Err = ParseBlockError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|state| state.name() == text);
        named.ok_or(ParseBlockError::State)
    }
}

impl FromStr for Accounting {
    type Err = ParseBlockError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|booked| booked.name() == text);
        named.ok_or(ParseBlockError::Accounting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_storing_and_nothing_else_parses() {
        for state in BlockState::ALL {
            assert_eq!(state.to_string().parse(), Ok(state));
        }
        for accounting in Accounting::ALL {
            assert_eq!(accounting.to_string().parse(), Ok(accounting));
        }
        assert_eq!("Mature".parse::<BlockState>(), Err(ParseBlockError::State));
        assert_eq!("".parse::<Accounting>(), Err(ParseBlockError::Accounting));
    }

    #[test]
    fn a_block_is_due_until_its_accounting_follows_its_state() {
        use Accounting::{Credited, Matured, None, Reversed, ReversedMature};
        let due = |state: BlockState| -> Vec<_> {
            let booked = Accounting::ALL.into_iter();
            booked.filter(|&accounting| state.is_due(accounting)).collect()
        };
        assert_eq!(due(BlockState::Submitted), []);
        assert_eq!(due(BlockState::Accepted), []);
        assert_eq!(due(BlockState::Immature), [None, Reversed, ReversedMature]);
        assert_eq!(
            due(BlockState::Mature),
            [None, Credited, Reversed, ReversedMature]
        );
        assert_eq!(due(BlockState::Orphaned), [Credited, Matured]);
        assert_eq!(due(BlockState::Refused), [Credited, Matured]);
    }
}
