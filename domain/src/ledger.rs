//! Double-entry postings that cannot be built unbalanced, and the balances they add up to.
//!
//! Every movement of money takes from one account what it gives to another, so the sum over all accounts is
//! zero at all times. [`Postings`] can only be built from such transfers; there is no way to write one side.
//! Entries are signed sats. Nothing is ever edited: what was wrong is undone by the exact opposite.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::fmt;

use crate::hotkey::Hotkey;
use crate::units::Amount;

mod conservation;

pub use conservation::{ConservationError, Holdings, Income};

/// Which of a miner's balances an account holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Balance {
    /// Credited, but the block is not yet deep enough to be spent.
    Immature,
    /// Owed to the miner and free to be paid.
    Payable,
    /// Set aside for a payout that is under way.
    InFlight,
    /// Sent to the miner and deep in the chain.
    Paid,
}

/// One account of the pool's books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// Where coinbases come from. It goes below zero by all that the pool's blocks earned.
    Chain,
    /// Where emission rewards come from. It goes below zero by all that was emitted.
    Emission,
    /// The pool's fees from blocks that are not yet deep enough.
    FeeImmature,
    /// The pool's fees, free to be spent by the operator.
    Fee,
    /// What blocks that are not yet deep enough will bring the reserve.
    ReserveImmature,
    /// The pool's own money. It bears the luck of `pps` and `fpps` and the loss of a mature block, so it may
    /// go below zero: that is what the operator owes.
    Reserve,
    /// What the network took for payouts that are deep.
    NetworkFees,
    /// One balance of one miner.
    Miner(Hotkey, Balance),
}

/// Why two stored columns do not name an account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseAccountError {
    /// No account has this code.
    #[error(
        "account {0:?} is unknown; expected chain, emission, fee_immature, fee, reserve_immature, reserve, \
         network_fees, miner_immature, miner_payable, miner_in_flight or miner_paid"
    )]
    Code(String),
    /// A miner's account without the miner.
    #[error("account {0} belongs to a miner, so its hotkey must be given")]
    HotkeyMissing(&'static str),
    /// One of the pool's accounts with a miner.
    #[error("account {0} belongs to the pool, so it has no hotkey")]
    HotkeyUnexpected(&'static str),
}

impl Account {
    /// The account's name in storage, without the miner's hotkey.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::Emission => "emission",
            Self::FeeImmature => "fee_immature",
            Self::Fee => "fee",
            Self::ReserveImmature => "reserve_immature",
            Self::Reserve => "reserve",
            Self::NetworkFees => "network_fees",
            Self::Miner(_, Balance::Immature) => "miner_immature",
            Self::Miner(_, Balance::Payable) => "miner_payable",
            Self::Miner(_, Balance::InFlight) => "miner_in_flight",
            Self::Miner(_, Balance::Paid) => "miner_paid",
        }
    }

    /// The miner whose account it is; `None` for the pool's own.
    pub const fn hotkey(&self) -> Option<Hotkey> {
        match self {
            Self::Miner(hotkey, _) => Some(*hotkey),
            _ => None,
        }
    }

    /// The account that is stored as this code and hotkey.
    ///
    /// # Errors
    /// If the code is unknown, or a hotkey is missing or one too many.
    pub fn parse(code: &str, hotkey: Option<Hotkey>) -> Result<Self, ParseAccountError> {
        let of_miner = |balance| match hotkey {
            Some(hotkey) => Ok(Self::Miner(hotkey, balance)),
            // Any hotkey gives the static name of the balance.
            None => Err(ParseAccountError::HotkeyMissing(
                Self::Miner(Hotkey::from_bytes([0; 32]), balance).code(),
            )),
        };
        let of_pool = |account: Self| match hotkey {
            None => Ok(account),
            Some(_) => Err(ParseAccountError::HotkeyUnexpected(account.code())),
        };
        match code {
            "chain" => of_pool(Self::Chain),
            "emission" => of_pool(Self::Emission),
            "fee_immature" => of_pool(Self::FeeImmature),
            "fee" => of_pool(Self::Fee),
            "reserve_immature" => of_pool(Self::ReserveImmature),
            "reserve" => of_pool(Self::Reserve),
            "network_fees" => of_pool(Self::NetworkFees),
            "miner_immature" => of_miner(Balance::Immature),
            "miner_payable" => of_miner(Balance::Payable),
            "miner_in_flight" => of_miner(Balance::InFlight),
            "miner_paid" => of_miner(Balance::Paid),
            unknown => Err(ParseAccountError::Code(unknown.to_owned())),
        }
    }

    /// Whether the books allow this account to stand below zero.
    pub const fn may_be_negative(&self) -> bool {
        matches!(self, Self::Chain | Self::Emission | Self::Reserve)
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hotkey() {
            Some(hotkey) => write!(f, "{} of {hotkey}", self.code()),
            None => f.write_str(self.code()),
        }
    }
}

/// A change of one account in signed sats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Delta(i64);

impl Delta {
    /// The change in sats: above zero is money that came in.
    pub const fn sats(self) -> i64 {
        self.0
    }
}

/// One line of a posting: how much one account changes. The change is never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The account that changes.
    pub account: Account,
    /// By how much.
    pub delta: Delta,
}

/// Why money could not be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// More than a ledger column holds.
    #[error("account {account} would not fit a 64-bit number of sats")]
    Overflow {
        /// The account in question.
        account: Account,
    },
    /// Money that is not there.
    #[error("account {account} would stand at {balance} sats, but must not go below zero")]
    Negative {
        /// The account in question.
        account: Account,
        /// Where it would stand.
        balance: i64,
    },
    /// Stored balances that do not come from transfers.
    #[error("the balances of all accounts sum to {sum} sats, but double entry keeps the sum at zero")]
    Unbalanced {
        /// What they sum to.
        sum: i128,
    },
    /// Stored balances that name an account twice.
    #[error("account {account} is listed twice")]
    Twice {
        /// The account in question.
        account: Account,
    },
}

/// Transfers that are booked together, one line an account. Balanced by construction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Postings {
    /// No line is zero, and none is `i64::MIN`, so that every line has an opposite.
    lines: BTreeMap<Account, i64>,
}

impl Postings {
    /// Nothing booked yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves `amount` from one account to another. Nothing and a transfer to itself leave no line.
    ///
    /// # Errors
    /// If a line would not fit; nothing is changed then.
    pub fn transfer(&mut self, from: Account, to: Account, amount: Amount) -> Result<(), LedgerError> {
        if from == to || amount == Amount::ZERO {
            return Ok(());
        }
        let sats = i64::try_from(amount.sats()).expect("an amount fits a signed 64-bit number");
        let taken = self.line_after(from, -sats)?;
        let given = self.line_after(to, sats)?;
        self.set(from, taken);
        self.set(to, given);
        Ok(())
    }

    /// Adds all lines of `other`.
    ///
    /// # Errors
    /// If a line would not fit; nothing is changed then.
    pub fn merge(&mut self, other: &Self) -> Result<(), LedgerError> {
        let changed: Vec<(Account, i64)> = other
            .lines
            .iter()
            .map(|(&account, &delta)| Ok((account, self.line_after(account, delta)?)))
            .collect::<Result<_, LedgerError>>()?;
        for (account, line) in changed {
            self.set(account, line);
        }
        Ok(())
    }

    /// The exact opposite: booked after these, it leaves every account as it was before.
    pub fn reversed(&self) -> Self {
        let lines = self.lines.iter().map(|(&account, &delta)| (account, -delta));
        Self {
            lines: lines.collect(),
        }
    }

    /// The lines in the order of their accounts, one an account, none of them zero.
    ///
    /// # Panics
    /// If the lines do not sum to zero, which no sequence of transfers can bring about.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        assert_eq!(self.sum(), 0, "postings are built from transfers, which balance");
        self.lines.iter().map(|(&account, &delta)| Entry {
            account,
            delta: Delta(delta),
        })
    }

    /// The sum of all lines: always zero.
    pub fn sum(&self) -> i128 {
        self.lines.values().map(|&delta| i128::from(delta)).sum()
    }

    /// The number of lines.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    fn line_after(&self, account: Account, delta: i64) -> Result<i64, LedgerError> {
        let line = self.lines.get(&account).copied().unwrap_or(0);
        line.checked_add(delta)
            .filter(|&line| line != i64::MIN)
            .ok_or(LedgerError::Overflow { account })
    }

    fn set(&mut self, account: Account, line: i64) {
        if line == 0 {
            self.lines.remove(&account);
        } else {
            self.lines.insert(account, line);
        }
    }
}

/// Where every account stands: the sum of all postings so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balances {
    /// Accounts that stand at zero are not kept.
    accounts: BTreeMap<Account, i64>,
}

impl Balances {
    /// The books of a pool that has not begun.
    pub fn new() -> Self {
        Self::default()
    }

    /// Balances as they were stored, each account once, in sats.
    ///
    /// # Errors
    /// If they could not have come from postings: an account twice, one below zero that must not be, or a sum
    /// that is not zero.
    pub fn from_rows(rows: impl IntoIterator<Item = (Account, i64)>) -> Result<Self, LedgerError> {
        let mut accounts = BTreeMap::new();
        for (account, balance) in rows {
            check_sign(account, balance)?;
            match accounts.entry(account) {
                Slot::Occupied(_) => return Err(LedgerError::Twice { account }),
                Slot::Vacant(slot) => slot.insert(balance),
            };
        }
        accounts.retain(|_, balance| *balance != 0);
        let balances = Self { accounts };
        match balances.sum() {
            0 => Ok(balances),
            sum => Err(LedgerError::Unbalanced { sum }),
        }
    }

    /// Books all lines, or none of them.
    ///
    /// # Errors
    /// If an account would not fit, or would go below zero though it must not.
    pub fn apply(&mut self, postings: &Postings) -> Result<(), LedgerError> {
        let changed: Vec<(Account, i64)> = postings
            .entries()
            .map(|Entry { account, delta }| {
                let balance = self
                    .get(account)
                    .checked_add(delta.sats())
                    .ok_or(LedgerError::Overflow { account })?;
                check_sign(account, balance)?;
                Ok((account, balance))
            })
            .collect::<Result<_, LedgerError>>()?;
        for (account, balance) in changed {
            if balance == 0 {
                self.accounts.remove(&account);
            } else {
                self.accounts.insert(account, balance);
            }
        }
        Ok(())
    }

    /// Where an account stands, in sats.
    pub fn get(&self, account: Account) -> i64 {
        self.accounts.get(&account).copied().unwrap_or(0)
    }

    /// The accounts that do not stand at zero, in order, with their sats.
    pub fn iter(&self) -> impl Iterator<Item = (Account, i64)> + '_ {
        self.accounts
            .iter()
            .map(|(&account, &balance)| (account, balance))
    }

    /// The sum over all accounts: always zero.
    pub fn sum(&self) -> i128 {
        self.accounts.values().map(|&balance| i128::from(balance)).sum()
    }
}

fn check_sign(account: Account, balance: i64) -> Result<(), LedgerError> {
    if balance < 0 && !account.may_be_negative() {
        return Err(LedgerError::Negative { account, balance });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
