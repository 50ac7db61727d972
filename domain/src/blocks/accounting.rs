//! What the ledger has booked for a found block, and what a round has to book when the two differ.

use std::fmt;

use super::BlockState;

/// What the ledger has booked for a found block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Accounting {
    /// Nothing yet.
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

/// What a round books for a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Booking {
    /// Its reward is split for the first time.
    Credit,
    /// What was credited is free to be paid.
    Mature,
    /// What was credited is taken back; `was_mature`: from the reserve.
    Reverse {
        /// It had matured.
        was_mature: bool,
    },
    /// What was taken back is given again; `was_mature`: to the reserve.
    Return {
        /// It had matured.
        was_mature: bool,
    },
}

/// Why a miner's credits changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CreditKind {
    /// A part of what a round split.
    Credit,
    /// A credit taken back, because its block was orphaned while it was immature.
    Reversal,
    /// A credit that was taken back and is given again, because its block came back.
    Return,
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

    /// Whether the block's place and finder may still be learnt. What is booked was split by those that it had then.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::None)
    }

    /// What a round has to book for a block in this state that is booked so; `None`: nothing, because the chain has not
    /// decided, or it is booked already.
    ///
    /// | state | is booked if it is |
    /// |---|---|
    /// | submitted, accepted | never: the chain has not decided |
    /// | immature | not booked, or reversed |
    /// | mature | not booked, credited only, or reversed |
    /// | orphaned, refused | credited or matured |
    ///
    /// A matured block that is immature again (its chain was replaced and it is in the new one) stays matured.
    pub const fn due(self, state: BlockState) -> Option<Booking> {
        use BlockState::{Accepted, Immature, Mature, Orphaned, Refused, Submitted};
        match (self, state) {
            (_, Submitted | Accepted) => None,
            (Self::None, Immature | Mature) => Some(Booking::Credit),
            (Self::None, Orphaned | Refused) => None,
            (Self::Credited, Immature) => None,
            (Self::Credited, Mature) => Some(Booking::Mature),
            (Self::Matured, Immature | Mature) => None,
            (Self::Credited, Orphaned | Refused) => Some(Booking::Reverse { was_mature: false }),
            (Self::Matured, Orphaned | Refused) => Some(Booking::Reverse { was_mature: true }),
            (Self::Reversed, Immature | Mature) => Some(Booking::Return { was_mature: false }),
            (Self::ReversedMature, Immature | Mature) => Some(Booking::Return { was_mature: true }),
            (Self::Reversed | Self::ReversedMature, Orphaned | Refused) => None,
        }
    }
}

impl Booking {
    /// What is booked for the block afterwards.
    pub const fn accounting(self) -> Accounting {
        match self {
            Self::Credit | Self::Return { was_mature: false } => Accounting::Credited,
            Self::Mature | Self::Return { was_mature: true } => Accounting::Matured,
            Self::Reverse { was_mature: false } => Accounting::Reversed,
            Self::Reverse { was_mature: true } => Accounting::ReversedMature,
        }
    }
}

impl BlockState {
    /// Whether a round must book something for a block in this state ([`Accounting::due`]).
    pub const fn is_due(self, accounting: Accounting) -> bool {
        accounting.due(self).is_some()
    }
}

impl CreditKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Credit, Self::Reversal, Self::Return];

    /// The name in storage and HTTP.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Credit => "credit",
            Self::Reversal => "reversal",
            Self::Return => "return",
        }
    }

    /// What a round that moved a block to this accounting enters for each of the block's credits; `None` if
    /// miners' credits do not change. What was mature stays with the miners: the reserve bears its loss.
    pub const fn of_change(is_orphaned: bool, booked: Accounting) -> Option<Self> {
        match (is_orphaned, booked) {
            (true, Accounting::Reversed) => Some(Self::Reversal),
            (false, Accounting::Credited) => Some(Self::Return),
            _ => None,
        }
    }
}

impl fmt::Display for Accounting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// Whatever a block is and whatever is booked for it: rounds book until it is booked as what it is, in two steps at
    /// most, and then there is nothing more to do.
    #[test]
    fn every_block_comes_to_rest() {
        for state in BlockState::ALL {
            for before in Accounting::ALL {
                let mut booked = before;
                let mut steps = 0;
                while let Some(booking) = booked.due(state) {
                    booked = booking.accounting();
                    steps += 1;
                    assert!(steps <= 2, "{state}, booked as {before}");
                }
                let rests: &[Accounting] = match state {
                    BlockState::Submitted | BlockState::Accepted => &[before],
                    BlockState::Immature => &[Accounting::Credited, Accounting::Matured],
                    BlockState::Mature => &[Accounting::Matured],
                    BlockState::Orphaned | BlockState::Refused => {
                        &[Accounting::None, Accounting::Reversed, Accounting::ReversedMature]
                    }
                };
                assert!(
                    rests.contains(&booked),
                    "{state}, booked as {before}, rests as {booked}"
                );
            }
        }
    }

    #[test]
    fn what_is_taken_back_and_given_again_is_what_it_was() {
        for (booked, kind) in [
            (Accounting::Credited, Some(CreditKind::Reversal)),
            (Accounting::Matured, None),
        ] {
            let reversed = booked.due(BlockState::Orphaned).unwrap().accounting();
            assert_eq!(CreditKind::of_change(true, reversed), kind);
            let back = reversed.due(BlockState::Immature).unwrap().accounting();
            assert_eq!(back, booked);
            let given_again = kind.map(|_| CreditKind::Return);
            assert_eq!(CreditKind::of_change(false, back), given_again);
        }
        assert!(
            Accounting::ALL
                .into_iter()
                .filter(|booked| booked.is_open())
                .eq([Accounting::None])
        );
    }
}
