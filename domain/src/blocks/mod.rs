//! Found blocks: what becomes of them, what the books hold for them, and what finding one took.
//!
//! The store keeps all of this and the actors act on it; the rules are here, once.
//!
//! | module | its one job |
//! |---|---|
//! | [`state`] | what became of a block, as the chain tells it |
//! | [`transitions`] | what a block becomes when the chain says where it is |
//! | [`accounting`] | what the ledger has booked for a block, and what a round has to book next |
//! | [`mod@effort`] | the work between one block and the next |

use std::str::FromStr;

pub mod accounting;
pub mod effort;
pub mod state;
pub mod transitions;

pub use accounting::{Accounting, Booking, CreditKind};
pub use effort::effort;
pub use state::BlockState;
pub use transitions::{BlockStatus, Verdict, verdict};

/// Why a text names no block state, accounting or kind of credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseBlockError {
    /// No state.
    #[error("expected a block's state: submitted, accepted, immature, mature, orphaned or refused")]
    State,
    /// No accounting.
    #[error("expected a block's accounting: none, credited, matured, reversed or reversed_mature")]
    Accounting,
    /// No kind of credit.
    #[error("expected a kind of credit: credit, reversal or return")]
    CreditKind,
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

impl FromStr for CreditKind {
    type Err = ParseBlockError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|kind| kind.name() == text);
        named.ok_or(ParseBlockError::CreditKind)
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
        for kind in CreditKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert_eq!("Mature".parse::<BlockState>(), Err(ParseBlockError::State));
        assert_eq!("".parse::<Accounting>(), Err(ParseBlockError::Accounting));
        assert_eq!("debit".parse::<CreditKind>(), Err(ParseBlockError::CreditKind));
    }
}
