//! The postings of a block's life: credited, matured, orphaned.

use crate::ledger::{Account, Balance, LedgerError, Postings};
use crate::rewards::round::{OrphanedBlock, RoundError, SettledBlock, sum};
use crate::rewards::split::Credit;
use crate::units::Amount;

impl SettledBlock {
    /// The block's whole reward.
    fn reward(&self) -> Result<Amount, RoundError> {
        let credited = self.credits.iter().map(|credit| credit.amount);
        sum(credited.chain([self.fee, self.kept]))
    }

    /// The postings that credit it while it is immature.
    pub(super) fn crediting(&self) -> Result<Postings, LedgerError> {
        let mut postings = Postings::new();
        postings.transfer(Account::Chain, Account::FeeImmature, self.fee)?;
        postings.transfer(Account::Chain, Account::ReserveImmature, self.kept)?;
        for &Credit { hotkey, amount } in &self.credits {
            postings.transfer(Account::Chain, Account::Miner(hotkey, Balance::Immature), amount)?;
        }
        Ok(postings)
    }

    /// The postings that make it spendable.
    pub(super) fn maturing(&self) -> Result<Postings, LedgerError> {
        let mut postings = Postings::new();
        postings.transfer(Account::FeeImmature, Account::Fee, self.fee)?;
        postings.transfer(Account::ReserveImmature, Account::Reserve, self.kept)?;
        for &Credit { hotkey, amount } in &self.credits {
            let of_miner = |balance| Account::Miner(hotkey, balance);
            postings.transfer(of_miner(Balance::Immature), of_miner(Balance::Payable), amount)?;
        }
        Ok(postings)
    }
}

impl OrphanedBlock {
    /// The postings that take it back.
    pub(super) fn orphaning(&self) -> Result<Postings, RoundError> {
        if !self.was_mature {
            return Ok(self.settled.crediting()?.reversed());
        }
        let mut postings = Postings::new();
        postings.transfer(Account::Reserve, Account::Chain, self.settled.reward()?)?;
        Ok(postings)
    }
}
