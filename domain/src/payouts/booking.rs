//! What a payout's steps book: its miners' balances, the network's fee, and what the reserve bears.

use std::collections::BTreeMap;

use super::batch::Part;
use super::payout::{ADOPTED, Payout, Transitioned};
use crate::hotkey::Hotkey;
use crate::ledger::{Account, Balance, LedgerError, Postings};
use crate::units::Amount;

fn account(part: &Part, balance: Balance) -> Account {
    Account::Miner(part.hotkey, balance)
}

impl Payout {
    /// What adopting it books: of each part what its miner has as payable, and the rest of the reserve.
    ///
    /// # Errors
    /// If it does not fit the books.
    pub fn adoption(&self, payable: impl Fn(&Hotkey) -> Amount) -> Result<Transitioned, LedgerError> {
        let mut next = self.clone();
        let mut postings = Postings::new();
        next.bear(&mut postings, payable)?;
        let borne = Amount::checked_sum(next.parts.iter().map(|part| part.borne));
        let borne = borne.expect("the reserve was just debited with all of it");
        if borne > Amount::ZERO {
            next.note = format!(
                "{ADOPTED}; of what it paid no balance covered {borne} sats, which the reserve bears"
            );
        }
        Ok(Transitioned {
            payout: next,
            postings,
        })
    }

    /// Takes each part from what its miner has, and the rest from the reserve.
    pub(super) fn bear(
        &mut self,
        postings: &mut Postings,
        payable: impl Fn(&Hotkey) -> Amount,
    ) -> Result<(), LedgerError> {
        let mut taken: BTreeMap<Hotkey, Amount> = BTreeMap::new();
        for part in &mut self.parts {
            let in_flight = account(part, Balance::InFlight);
            let before = taken.entry(part.hotkey).or_insert(Amount::ZERO);
            let has = payable(&part.hotkey).checked_sub(*before);
            let has = has.expect("no more was taken of a balance than it has");
            let theirs = has.min(part.amount);
            *before = before
                .checked_add(theirs)
                .expect("what is taken of a balance fits as it does");
            part.borne = part
                .amount
                .checked_sub(theirs)
                .expect("the smaller of two amounts is no more than either");
            postings.transfer(account(part, Balance::Payable), in_flight, theirs)?;
            postings.transfer(Account::Reserve, in_flight, part.borne)?;
        }
        Ok(())
    }

    /// What reserving it books.
    ///
    /// # Errors
    /// If it does not fit the books.
    pub fn reservation(&self) -> Result<Postings, LedgerError> {
        self.moved(Balance::Payable, Balance::InFlight)
    }

    fn moved(&self, from: Balance, to: Balance) -> Result<Postings, LedgerError> {
        let mut postings = Postings::new();
        for part in &self.parts {
            postings.transfer(account(part, from), account(part, to), part.amount)?;
        }
        Ok(postings)
    }

    /// What its being deep books: each part to its miner, and the fee to the network. What of the fee no part
    /// bears, the reserve does.
    pub(super) fn confirmation(&self) -> Result<Postings, LedgerError> {
        let mut postings = Postings::new();
        for part in &self.parts {
            let in_flight = account(part, Balance::InFlight);
            postings.transfer(in_flight, account(part, Balance::Paid), part.net())?;
            postings.transfer(in_flight, Account::NetworkFees, part.fee)?;
        }
        if let Some(signed) = &self.signed {
            let by_miners = self.parts.iter().map(|part| part.fee);
            let by_pool = Amount::checked_sum(by_miners).and_then(|borne| signed.fee.checked_sub(borne));
            let by_pool = by_pool.expect("parts bear no more than the fee: signing checks it");
            postings.transfer(Account::Reserve, Account::NetworkFees, by_pool)?;
        }
        Ok(postings)
    }

    /// What giving its money back books: to the miners, and to the reserve what that bore.
    pub(super) fn giving_back(&self) -> Result<Postings, LedgerError> {
        let mut postings = Postings::new();
        for part in &self.parts {
            let in_flight = account(part, Balance::InFlight);
            let theirs = part.amount.checked_sub(part.borne);
            let theirs = theirs.expect("what the reserve bears of a part is at most the part");
            postings.transfer(in_flight, account(part, Balance::Payable), theirs)?;
            postings.transfer(in_flight, Account::Reserve, part.borne)?;
        }
        Ok(postings)
    }
}
