//! What the wallet sent and the ledger does not know, as it happens after a restore of an older ledger, made into a
//! payout: whose balances it reduces, and what of it nobody's balance covers.
//!
//! Of each output as much is taken from those miners who are paid at its address as they have; the rest, and outputs
//! to addresses of no miner, the pool's reserve bears, in the name of the address. So the books hold what left.

use std::collections::BTreeMap;

use crate::address::{AddressFormat, PayoutAddress};
use crate::hotkey::Hotkey;
use crate::units::Amount;

use super::batch::{FeePayer, Part, PayoutBatch};
use super::plan::Payee;
use super::txid::Txid;

/// A transaction that spends the wallet's coins, as the wallet knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spend {
    /// The transaction's id.
    pub txid: Txid,
    /// Whom else than the wallet itself it pays: address (empty: none that can be written) and amount.
    pub outputs: Vec<(String, Amount)>,
    /// Its confirmations; 0: it waits for a block.
    pub confirmations: u32,
}

/// Why a spend cannot be made into a payout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdoptError {
    /// It pays nobody but the wallet.
    #[error("it pays nobody but the wallet itself")]
    Nobody,
    /// An output goes where no address of this chain leads.
    #[error("it pays {0} sats to what is no address of this chain")]
    NoAddress(Amount),
    /// The sums do not fit.
    #[error("it pays more sats than there are")]
    Overflow,
}

/// The parts of a payout that a spend is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// Whom it pays. What a miner has less than its part, the reserve bears when it is booked.
    pub parts: Vec<Part>,
    /// What of it no miner's balance covers now, so that the reserve would bear it.
    pub uncovered: Amount,
    /// Who bears the fee: the miners only if their balances and outputs say so to the sat.
    pub payer: FeePayer,
}

/// Who is paid at each script, in the order of hotkeys.
pub struct Payees {
    by_script: BTreeMap<Vec<u8>, Vec<Payee>>,
    addresses: AddressFormat,
}

impl Payees {
    /// Of miners with their addresses. Those whose address is none of this chain are left out.
    pub fn new(miners: Vec<Payee>, addresses: AddressFormat) -> Self {
        let mut by_script: BTreeMap<Vec<u8>, Vec<Payee>> = BTreeMap::new();
        for miner in miners {
            let address = miner.address.as_deref().unwrap_or_default();
            if let Ok(address) = PayoutAddress::parse(address, addresses) {
                by_script.entry(address.script()).or_default().push(miner);
            }
        }
        Self { by_script, addresses }
    }

    fn of(&self, address: &str) -> &[Payee] {
        let script = PayoutAddress::parse(address, self.addresses).map(|address| address.script());
        let payees = script.ok().and_then(|script| self.by_script.get(&script));
        payees.map_or(&[], Vec::as_slice)
    }

    /// Gives back what was set aside of it, or takes what is adopted already.
    pub fn change(&mut self, parts: &[Part], is_back: bool) {
        for part in parts {
            let payees = self.by_script.values_mut().flatten();
            for payee in payees.filter(|payee| payee.hotkey == part.hotkey) {
                payee.payable = match is_back {
                    true => {
                        let sum = payee.payable.checked_add(part.amount);
                        sum.expect("what was set aside of a balance was a part of it, and that fits")
                    }
                    // What a payout paid beyond the balance, the reserve bears.
                    false => payee.payable.checked_sub(part.amount).unwrap_or(Amount::ZERO),
                };
            }
        }
    }

    /// Whether the spend pays a miner.
    pub fn are_paid_by(&self, spend: &Spend) -> bool {
        spend
            .outputs
            .iter()
            .any(|(address, _)| !self.of(address).is_empty())
    }

    /// Whether this address is a miner's.
    pub fn has(&self, address: &str) -> bool {
        !self.of(address).is_empty()
    }

    /// The parts of a payout that `spend` is, of which the network took `fee`.
    ///
    /// # Errors
    /// If it pays nobody, or somebody without an address.
    pub fn adopt(&self, spend: &Spend, fee: Amount, payer: FeePayer) -> Result<Adopted, AdoptError> {
        if spend.outputs.is_empty() {
            return Err(AdoptError::Nobody);
        }
        if payer == FeePayer::Miners
            && let Some(parts) = self.whole_balances(spend, fee)
        {
            let uncovered = Amount::ZERO;
            return Ok(Adopted {
                parts,
                uncovered,
                payer,
            });
        }
        let mut left: BTreeMap<Hotkey, Amount> = BTreeMap::new();
        let mut parts = Vec::new();
        let mut uncovered = Amount::ZERO;
        for (address, amount) in &spend.outputs {
            let mut missing = *amount;
            let payees = self.of(address);
            for payee in payees {
                let has = left.entry(payee.hotkey).or_insert(payee.payable);
                let theirs = (*has).min(missing);
                *has = has.checked_sub(theirs).ok_or(AdoptError::Overflow)?;
                missing = missing.checked_sub(theirs).ok_or(AdoptError::Overflow)?;
                if theirs > Amount::ZERO {
                    parts.push(part(payee.hotkey, address, theirs));
                }
            }
            if missing > Amount::ZERO {
                uncovered = uncovered.checked_add(missing).ok_or(AdoptError::Overflow)?;
                // More than they have: of the first of them, or of the address itself.
                let parsed = PayoutAddress::parse(address, self.addresses);
                let parsed = parsed.map_err(|_| AdoptError::NoAddress(*amount))?;
                let whose = payees
                    .first()
                    .map_or_else(|| parsed.identity(), |payee| payee.hotkey);
                match parts.iter_mut().find(|part: &&mut Part| part.hotkey == whose) {
                    Some(part) => {
                        part.amount = part.amount.checked_add(missing).ok_or(AdoptError::Overflow)?;
                    }
                    None => parts.push(part(whose, address, missing)),
                }
            }
        }
        Ok(Adopted {
            parts: merged(parts)?,
            uncovered,
            payer: FeePayer::Pool,
        })
    }

    /// The parts, if just the whole balances of those who are paid, less the fee by the pool's own rule, are what the
    /// outputs pay.
    fn whole_balances(&self, spend: &Spend, fee: Amount) -> Option<Vec<Part>> {
        let payees = spend.outputs.iter().flat_map(|(address, _)| {
            let with_balance = self
                .of(address)
                .iter()
                .filter(|payee| payee.payable > Amount::ZERO);
            with_balance.map(|payee| part(payee.hotkey, address, payee.payable))
        });
        let batch = PayoutBatch::new(payees.collect(), FeePayer::Miners, self.addresses).ok()?;
        let mut expected: Vec<(String, Amount)> = batch
            .outputs_after(fee)
            .ok()?
            .into_iter()
            .map(|output| (output.address, output.amount))
            .collect();
        let mut paid = spend.outputs.clone();
        expected.sort_unstable();
        paid.sort_unstable();
        (expected == paid).then(|| batch.parts_after(fee).ok())?
    }
}

fn part(hotkey: Hotkey, address: &str, amount: Amount) -> Part {
    Part {
        hotkey,
        address: address.to_owned(),
        amount,
        fee: Amount::ZERO,
        borne: Amount::ZERO,
    }
}

/// One part for each miner and address.
fn merged(parts: Vec<Part>) -> Result<Vec<Part>, AdoptError> {
    let mut merged: Vec<Part> = Vec::new();
    for part in parts {
        let same = |known: &&mut Part| known.hotkey == part.hotkey && known.address == part.address;
        match merged.iter_mut().find(same) {
            Some(known) => {
                known.amount = known
                    .amount
                    .checked_add(part.amount)
                    .ok_or(AdoptError::Overflow)?
            }
            None => merged.push(part),
        }
    }
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
    const B: &str = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn";
    const C: &str = "2MzQwSSnBHWHqSAqtTVQ6v47XtaisrJa1Vc";

    fn sats(sats: u64) -> Amount {
        Amount::from_sats(sats).unwrap()
    }

    fn miner(number: u8, address: &str, payable: u64) -> Payee {
        Payee {
            hotkey: Hotkey::from_bytes([number; 32]),
            payable: sats(payable),
            address: Some(address.to_owned()),
            threshold: None,
        }
    }

    fn spend(outputs: &[(&str, u64)]) -> Spend {
        Spend {
            txid: Txid::from_bytes([7; 32]),
            outputs: outputs
                .iter()
                .map(|(address, amount)| ((*address).to_owned(), sats(*amount)))
                .collect(),
            confirmations: 1,
        }
    }

    fn adopted(miners: Vec<Payee>, spend: &Spend, fee: u64, payer: FeePayer) -> Vec<(u8, u64, u64)> {
        let payees = Payees::new(miners, AddressFormat::BitcoinRegtest);
        let adopted = payees.adopt(spend, sats(fee), payer).unwrap();
        let paid = Amount::checked_sum(spend.outputs.iter().map(|(_, amount)| *amount)).unwrap();
        let nets = Amount::checked_sum(adopted.parts.iter().map(Part::net)).unwrap();
        assert_eq!(nets, paid, "what left is booked, no more and no less");
        let row = |part: &Part| (part.hotkey.as_bytes()[0], part.amount.sats(), part.fee.sats());
        adopted.parts.iter().map(row).collect()
    }

    #[test]
    fn balances_are_reduced_by_what_was_paid_whoever_bears_the_fee() {
        let miners = || vec![miner(1, A, 100_000), miner(2, B, 50_000), miner(3, C, 7)];
        let paid = spend(&[(A, 100_000), (B, 50_000)]);
        assert_eq!(
            adopted(miners(), &paid, 900, FeePayer::Pool),
            [(1, 100_000, 0), (2, 50_000, 0)]
        );
        let less = spend(&[(A, 99_400), (B, 49_700)]);
        assert_eq!(
            adopted(miners(), &less, 900, FeePayer::Miners),
            [(1, 100_000, 600), (2, 50_000, 300)]
        );
        // Balances that are not what was paid then: what was received counts.
        assert_eq!(
            adopted(miners(), &spend(&[(A, 60_000)]), 900, FeePayer::Miners),
            [(1, 60_000, 0)]
        );
    }

    #[test]
    fn what_no_balance_covers_is_in_the_name_of_who_got_it() {
        let identity = PayoutAddress::parse(B, AddressFormat::BitcoinRegtest)
            .unwrap()
            .identity();
        let parts = adopted(
            vec![miner(1, A, 10)],
            &spend(&[(A, 25), (B, 5)]),
            1,
            FeePayer::Pool,
        );
        assert_eq!(parts, [(1, 25, 0), (identity.as_bytes()[0], 5, 0)]);
        // Two miners at one address give what they have, in order.
        let two = vec![miner(1, A, 10), miner(2, &A.to_uppercase(), 20), miner(3, A, 5)];
        assert_eq!(
            adopted(two.clone(), &spend(&[(A, 25)]), 1, FeePayer::Pool),
            [(1, 10, 0), (2, 15, 0)]
        );
        assert_eq!(
            adopted(two, &spend(&[(A, 40)]), 1, FeePayer::Pool),
            [(1, 15, 0), (2, 20, 0), (3, 5, 0)]
        );
    }

    #[test]
    fn only_balances_and_outputs_of_more_than_nothing_are_parts() {
        let nobody_has = vec![miner(1, A, 100_000), miner(2, &A.to_uppercase(), 0)];
        for payer in [FeePayer::Pool, FeePayer::Miners] {
            let parts = adopted(nobody_has.clone(), &spend(&[(A, 100_000)]), 0, payer);
            assert_eq!(parts, [(1, 100_000, 0)]);
        }
        // Whoever reads no address there need not: nothing goes there.
        let parts = adopted(nobody_has, &spend(&[("", 0), (A, 10)]), 0, FeePayer::Pool);
        assert_eq!(parts, [(1, 10, 0)]);
    }

    #[test]
    fn two_outputs_to_one_address_are_one_part_of_each_miner() {
        let twice = spend(&[(A, 10), (B, 4), (A, 15)]);
        let parts = adopted(vec![miner(1, A, 50), miner(2, B, 50)], &twice, 0, FeePayer::Pool);
        assert_eq!(parts, [(1, 25, 0), (2, 4, 0)]);
    }

    #[test]
    fn what_is_adopted_or_given_back_changes_what_its_miners_have_and_nobody_elses() {
        let mut payees = Payees::new(
            vec![miner(1, A, 100), miner(2, B, 50)],
            AddressFormat::BitcoinRegtest,
        );
        let covered = |payees: &Payees| {
            let paid = spend(&[(A, 1_000), (B, 1_000)]);
            let adopted = payees.adopt(&paid, sats(0), FeePayer::Pool).unwrap();
            2_000 - adopted.uncovered.sats()
        };
        assert_eq!(covered(&payees), 150);
        payees.change(&[part(Hotkey::from_bytes([1; 32]), A, sats(30))], false);
        assert_eq!(covered(&payees), 120);
        payees.change(&[part(Hotkey::from_bytes([2; 32]), B, sats(7))], true);
        assert_eq!(covered(&payees), 127);
        payees.change(&[part(Hotkey::from_bytes([1; 32]), A, sats(71))], false);
        assert_eq!(covered(&payees), 57, "nobody has less than nothing");
        assert!(payees.has(A) && payees.has(&A.to_uppercase()) && payees.has(B));
        assert!(!payees.has(C) && !payees.has("") && !payees.has("no address"));
    }

    #[test]
    fn what_pays_nobody_that_can_be_named_is_refused() {
        let payees = Payees::new(vec![miner(1, A, 10)], AddressFormat::BitcoinRegtest);
        assert_eq!(
            payees.adopt(&spend(&[]), sats(1), FeePayer::Pool),
            Err(AdoptError::Nobody)
        );
        let odd = payees.adopt(&spend(&[("", 9)]), sats(1), FeePayer::Pool);
        assert_eq!(odd, Err(AdoptError::NoAddress(sats(9))));
        assert!(!payees.are_paid_by(&spend(&[(B, 1)])) && payees.are_paid_by(&spend(&[(A, 1)])));
    }
}
