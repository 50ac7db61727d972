//! Nothing comes into being and nothing gets lost: the equation that the books obey at every commit.
//!
//! ```text
//! confirmed rewards = fee + reserve (dust carried) + payable + in flight + paid + network fees
//! ```
//!
//! The left side is added up from the blocks and the rounds, apart from the books: rewards of blocks that were
//! booked as deep, and what was emitted. The right side is what the accounts stand at. Beside it, the rewards
//! of blocks that are booked and not yet deep are what the immature accounts hold. Everything is in sats and
//! 128 bits wide, so that no sum can hide an overflow.

use std::fmt;

use super::{Account, Balance};

/// What came in, added up from blocks and rounds and not from the books.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Income {
    /// Rewards of blocks that are credited and not yet deep.
    pub immature: i128,
    /// Rewards of blocks that were deep when they were booked so, and were not lost since.
    pub matured: i128,
    /// What rounds with a fixed amount brought, in sats.
    pub emitted: i128,
    /// Rewards of blocks that were lost after they were deep: a reorganisation deeper than the chain's
    /// maturity. The reserve bore them. They are in no other sum here.
    pub lost: i128,
}

/// Where the accounts stand, added up by what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// The sum over all accounts. Double entry keeps it at zero.
    pub sum: i128,
    /// Fees, reserve and miners' parts of blocks that are not yet deep.
    pub immature: i128,
    /// The operator's fees.
    pub fee: i128,
    /// The pool's own money: what nobody worked for, what rounding left, less the losses that it bore. Below
    /// zero it is what the operator owes.
    pub reserve: i128,
    /// Owed to miners and free to be paid.
    pub payable: i128,
    /// Set aside for payouts that are under way.
    pub in_flight: i128,
    /// Paid to miners.
    pub paid: i128,
    /// What the network took for payouts.
    pub network_fees: i128,
}

/// How the books do not add up. Each of these is a bug or a damaged file, never a matter of luck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConservationError {
    /// Double entry is broken.
    #[error("all accounts sum to {sum} sats instead of 0")]
    Unbalanced {
        /// What they sum to.
        sum: i128,
    },
    /// The equation does not hold.
    #[error(
        "confirmed rewards are {confirmed} sats, but fee, reserve, payable, in flight, paid and network fees make {held} sats"
    )]
    Confirmed {
        /// What blocks and emissions brought.
        confirmed: i128,
        /// What the accounts hold.
        held: i128,
    },
    /// What is not yet deep does not add up.
    #[error("blocks that are not yet deep bring {income} sats, but the immature accounts hold {held} sats")]
    Immature {
        /// What the blocks bring.
        income: i128,
        /// What the accounts hold.
        held: i128,
    },
}

impl Income {
    /// Confirmed rewards: the equation's left side.
    pub const fn confirmed(&self) -> i128 {
        self.matured + self.emitted
    }
}

impl Holdings {
    /// The holdings of these accounts, in sats.
    pub fn of(accounts: impl IntoIterator<Item = (Account, i64)>) -> Self {
        let mut holdings = Self::default();
        for (account, sats) in accounts {
            holdings.add(&account, i128::from(sats));
        }
        holdings
    }

    /// Adds what an account, or all accounts of its kind, stand at.
    pub fn add(&mut self, account: &Account, sats: i128) {
        self.sum += sats;
        match account {
            // The other side of everything: what came in.
            Account::Chain | Account::Emission => {}
            Account::FeeImmature | Account::ReserveImmature | Account::Miner(_, Balance::Immature) => {
                self.immature += sats;
            }
            Account::Fee => self.fee += sats,
            Account::Reserve => self.reserve += sats,
            Account::NetworkFees => self.network_fees += sats,
            Account::Miner(_, Balance::Payable) => self.payable += sats,
            Account::Miner(_, Balance::InFlight) => self.in_flight += sats,
            Account::Miner(_, Balance::Paid) => self.paid += sats,
        }
    }

    /// The equation's right side.
    pub const fn confirmed(&self) -> i128 {
        self.fee + self.reserve + self.payable + self.in_flight + self.paid + self.network_fees
    }

    /// Whether the books hold exactly what came in.
    ///
    /// # Errors
    /// If they do not, and how.
    pub fn check(&self, income: &Income) -> Result<(), ConservationError> {
        if self.sum != 0 {
            return Err(ConservationError::Unbalanced { sum: self.sum });
        }
        if self.immature != income.immature {
            return Err(ConservationError::Immature {
                income: income.immature,
                held: self.immature,
            });
        }
        if self.confirmed() != income.confirmed() {
            return Err(ConservationError::Confirmed {
                confirmed: income.confirmed(),
                held: self.confirmed(),
            });
        }
        Ok(())
    }
}

impl fmt::Display for Holdings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "fee {} + reserve {} + payable {} + in flight {} + paid {} + network fees {}, immature {}",
            self.fee, self.reserve, self.payable, self.in_flight, self.paid, self.network_fees, self.immature
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hotkey::Hotkey;
    use crate::ledger::{Balances, Postings};
    use crate::units::Amount;
    use proptest::prelude::*;

    fn miner(balance: Balance) -> Account {
        Account::Miner(Hotkey::from_bytes([1; 32]), balance)
    }

    #[test]
    fn the_books_are_told_account_by_account() {
        let holdings = Holdings {
            sum: 0,
            immature: 7,
            fee: 1,
            reserve: -2,
            payable: 3,
            in_flight: 4,
            paid: 5,
            network_fees: 6,
        };
        assert_eq!(
            holdings.to_string(),
            "fee 1 + reserve -2 + payable 3 + in flight 4 + paid 5 + network fees 6, immature 7"
        );
    }

    /// From where to where, and what it does to the income.
    type Move = (Account, Account, fn(&mut Income, i128));

    /// Every movement of money that the pool makes.
    fn moves() -> [Move; 12] {
        let keep: fn(&mut Income, i128) = |_, _| {};
        [
            (Account::Chain, miner(Balance::Immature), |i, s| i.immature += s),
            (Account::Chain, Account::FeeImmature, |i, s| i.immature += s),
            (Account::Chain, Account::ReserveImmature, |i, s| i.immature += s),
            (Account::Emission, miner(Balance::Payable), |i, s| i.emitted += s),
            (miner(Balance::Immature), miner(Balance::Payable), |i, s| {
                i.immature -= s;
                i.matured += s;
            }),
            (Account::FeeImmature, Account::Fee, |i, s| {
                i.immature -= s;
                i.matured += s;
            }),
            (Account::ReserveImmature, Account::Reserve, |i, s| {
                i.immature -= s;
                i.matured += s;
            }),
            (Account::Reserve, miner(Balance::Payable), keep),
            (miner(Balance::Payable), miner(Balance::InFlight), keep),
            (miner(Balance::InFlight), miner(Balance::Paid), keep),
            (miner(Balance::InFlight), Account::NetworkFees, keep),
            (Account::Reserve, Account::Chain, |i, s| {
                i.matured -= s;
                i.lost += s;
            }),
        ]
    }

    proptest! {
        #[test]
        fn whatever_is_moved_the_equation_holds_and_one_sat_too_many_breaks_it(
            steps in proptest::collection::vec((0usize..12, 1u64..1_000_000), 0..200), extra in 0usize..12,
        ) {
            let mut balances = Balances::new();
            let mut income = Income::default();
            for (step, sats) in steps {
                let (from, to, note) = moves()[step];
                let mut postings = Postings::new();
                postings.transfer(from, to, Amount::from_sats(sats).unwrap()).unwrap();
                // What is not there cannot be moved.
                if balances.apply(&postings).is_ok() {
                    note(&mut income, i128::from(sats));
                }
                prop_assert_eq!(Holdings::of(balances.iter()).check(&income), Ok(()));
            }
            let mut wrong = Holdings::of(balances.iter());
            let (_, to, _) = moves()[extra];
            wrong.add(&to, 1);
            prop_assert!(wrong.check(&income).is_err());
            let unknown = Income { matured: income.matured + 1, ..income };
            prop_assert!(Holdings::of(balances.iter()).check(&unknown).is_err());
        }
    }

    #[test]
    fn what_does_not_add_up_is_named() {
        let mut holdings = Holdings::default();
        let income = Income {
            immature: 5,
            matured: 7,
            emitted: 0,
            lost: 0,
        };
        holdings.add(&Account::Chain, -12);
        holdings.add(&Account::FeeImmature, 5);
        holdings.add(&Account::Fee, 7);
        assert_eq!(holdings.check(&income), Ok(()));
        let late = Income {
            immature: 6,
            ..income
        };
        assert_eq!(
            holdings.check(&late),
            Err(ConservationError::Immature { income: 6, held: 5 })
        );
        let lost = Income { matured: 8, ..income };
        let error = holdings.check(&lost).unwrap_err();
        assert!(
            error.to_string().contains("confirmed rewards are 8 sats"),
            "{error}"
        );
        holdings.add(&Account::Reserve, 1);
        assert_eq!(
            holdings.check(&income),
            Err(ConservationError::Unbalanced { sum: 1 })
        );
    }
}
