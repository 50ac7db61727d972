//! What a round books, packed: miners by their number, amounts in as many bytes as they need.
//!
//! Numbers are of any size, 7 bits a byte, the lowest first, the top bit set on all bytes but the last. A signed number is
//! doubled, and one less than doubled without its sign if it is below 0. A blob is one item behind the other:
//!
//! | of | an item |
//! |---|---|
//! | credits | the miner's number; how many credits back its credit before is, 0 if there is none in this form; half-steps; sats |
//! | entries | 0 to 6 for one of the pool's accounts, or 7 to 10 and a miner's number; sats, signed |
//! | parts | the miner's number; sats |

use std::collections::BTreeSet;

use dwarves_domain::ledger::{Account, Balance};
use dwarves_domain::rewards::PaidWork;
use dwarves_domain::units::{Amount, Units};

use super::error::{Fail, Outcome, corrupt};

/// The number that stands for a miner in what is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct MinerNumber(pub(super) u64);

/// A credit of a miner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PackedCredit {
    pub(super) miner: MinerNumber,
    /// How much smaller the number of the miner's credit before is; 0: there is none.
    pub(super) back: u64,
    pub(super) half_steps: u128,
    pub(super) amount: Amount,
}

impl PackedCredit {
    pub(super) fn push(&self, blob: &mut Vec<u8>) {
        push(blob, u128::from(self.miner.0));
        push(blob, u128::from(self.back));
        push(blob, self.half_steps);
        push(blob, u128::from(self.amount.sats()));
    }
}

/// All credits of a blob, in order.
pub(super) fn credits(mut blob: &[u8]) -> Outcome<Vec<PackedCredit>> {
    let mut credits = Vec::new();
    while !blob.is_empty() {
        let credit = || -> Option<PackedCredit> {
            Some(PackedCredit {
                miner: MinerNumber(take_u64(&mut blob)?),
                back: take_u64(&mut blob)?,
                half_steps: take(&mut blob)?,
                amount: Amount::from_sats(take_u64(&mut blob)?)?,
            })
        };
        let mut credit = credit;
        credits.push(credit().ok_or_else(|| malformed("packed_credits.credits"))?);
    }
    Ok(credits)
}

/// A miner's part of a block.
pub(super) fn push_part(blob: &mut Vec<u8>, miner: MinerNumber, amount: Amount) {
    push(blob, u128::from(miner.0));
    push(blob, u128::from(amount.sats()));
}

/// All parts of a blob, in order.
pub(super) fn parts(mut blob: &[u8]) -> Outcome<Vec<(MinerNumber, Amount)>> {
    let mut parts = Vec::new();
    while !blob.is_empty() {
        let mut part = || {
            Some((
                MinerNumber(take_u64(&mut blob)?),
                Amount::from_sats(take_u64(&mut blob)?)?,
            ))
        };
        parts.push(part().ok_or_else(|| malformed("credited_blocks.parts"))?);
    }
    Ok(parts)
}

/// The work by which a block was split.
pub(super) fn push_split(blob: &mut Vec<u8>, work: &[(MinerNumber, u128)]) {
    push(blob, work.len() as u128);
    for (miner, half_steps) in work {
        push(blob, u128::from(miner.0));
        push(blob, *half_steps);
    }
}

/// All splits of a blob, in order.
pub(super) fn splits(mut blob: &[u8]) -> Outcome<Vec<Vec<(MinerNumber, u128)>>> {
    let mut splits = Vec::new();
    while !blob.is_empty() {
        let mut split = || -> Option<Vec<(MinerNumber, u128)>> {
            let count = take_u64(&mut blob)?;
            // Each takes two bytes at least: what does not fit is not worth room.
            if count > blob.len() as u64 / 2 {
                return None;
            }
            let work = (0..count).map(|_| Some((MinerNumber(take_u64(&mut blob)?), take(&mut blob)?)));
            work.collect()
        };
        splits.push(split().ok_or_else(|| malformed("round_workings.splits"))?);
    }
    Ok(splits)
}

/// What work was worth that is paid by the share; nothing if none is.
pub(super) fn pack_paid(miners: &[(MinerNumber, &PaidWork)]) -> Vec<u8> {
    let mut blob = Vec::new();
    let values: BTreeSet<Amount> = miners
        .iter()
        .flat_map(|(_, paid)| paid.work.keys().copied())
        .collect();
    if miners.is_empty() {
        return blob;
    }
    push(&mut blob, values.len() as u128);
    for value in &values {
        push(&mut blob, u128::from(value.sats()));
    }
    for (miner, paid) in miners {
        push(&mut blob, u128::from(miner.0));
        push(&mut blob, paid.carried);
        for value in &values {
            push(&mut blob, paid.work.get(value).map_or(0, |units| units.raw()));
        }
    }
    blob
}

/// What a miner's work was worth.
pub(super) fn paid_of(blob: &[u8], miner: MinerNumber) -> Outcome<Option<PaidWork>> {
    let mut found = None;
    each_paid(blob, |number, paid| {
        found = (number == miner).then_some(paid);
        found.is_none()
    })?;
    Ok(found)
}

/// What all miners' work was worth.
pub(super) fn paid(blob: &[u8]) -> Outcome<Vec<(MinerNumber, PaidWork)>> {
    let mut all = Vec::new();
    each_paid(blob, |number, paid| {
        all.push((number, paid));
        true
    })?;
    Ok(all)
}

/// Shows what each miner's work was worth, until it is told to stop.
fn each_paid(mut blob: &[u8], mut show: impl FnMut(MinerNumber, PaidWork) -> bool) -> Outcome<()> {
    if blob.is_empty() {
        return Ok(());
    }
    let mut read = || -> Option<()> {
        let count = take_u64(&mut blob)?;
        if count > blob.len() as u64 {
            return None;
        }
        let values = (0..count).map(|_| Amount::from_sats(take_u64(&mut blob)?));
        let values = values.collect::<Option<Vec<_>>>()?;
        while !blob.is_empty() {
            let number = MinerNumber(take_u64(&mut blob)?);
            let mut paid = PaidWork {
                carried: take(&mut blob)?,
                ..PaidWork::default()
            };
            for value in &values {
                let units = Units::from_raw(take(&mut blob)?);
                if !units.is_zero() {
                    paid.work.insert(*value, units);
                }
            }
            if !show(number, paid) {
                break;
            }
        }
        Some(())
    };
    read().ok_or_else(|| malformed("round_workings.paid"))
}

/// An entry of an account; `miner` is asked for a miner's number.
pub(super) fn push_entry(
    blob: &mut Vec<u8>,
    account: &Account,
    delta: i64,
    miner: impl FnOnce() -> Outcome<MinerNumber>,
) -> Outcome<()> {
    blob.push(match account {
        Account::Chain => 0,
        Account::Emission => 1,
        Account::FeeImmature => 2,
        Account::Fee => 3,
        Account::ReserveImmature => 4,
        Account::Reserve => 5,
        Account::NetworkFees => 6,
        Account::Miner(_, Balance::Immature) => 7,
        Account::Miner(_, Balance::Payable) => 8,
        Account::Miner(_, Balance::InFlight) => 9,
        Account::Miner(_, Balance::Paid) => 10,
    });
    if account.hotkey().is_some() {
        push(blob, u128::from(miner()?.0));
    }
    let doubled = delta.cast_unsigned() << 1;
    push(blob, u128::from(if delta < 0 { !doubled } else { doubled }));
    Ok(())
}

/// Codes of accounts in the order of their numbers; from the eighth on they are a miner's.
const ACCOUNTS: [&str; 11] = [
    "chain",
    "emission",
    "fee_immature",
    "fee",
    "reserve_immature",
    "reserve",
    "network_fees",
    "miner_immature",
    "miner_payable",
    "miner_in_flight",
    "miner_paid",
];

/// An entry: the account's code, whose it is if it is a miner's, and what it changed by.
pub(super) type Entry = (&'static str, Option<MinerNumber>, i64);

/// All entries of a blob, in order.
pub(super) fn entries(mut blob: &[u8]) -> Outcome<Vec<Entry>> {
    let mut entries = Vec::new();
    while !blob.is_empty() {
        let mut entry = || -> Option<Entry> {
            let number = usize::try_from(take(&mut blob)?).ok()?;
            let code = ACCOUNTS.get(number)?;
            let miner = match number {
                7.. => Some(MinerNumber(take_u64(&mut blob)?)),
                _ => None,
            };
            let doubled = take_u64(&mut blob)?;
            let half = (doubled >> 1).cast_signed();
            Some((code, miner, if doubled & 1 == 1 { !half } else { half }))
        };
        entries.push(entry().ok_or_else(|| malformed("round_entries.entries"))?);
    }
    Ok(entries)
}

/// Appends a number, 7 bits a byte.
pub(super) fn push(blob: &mut Vec<u8>, mut number: u128) {
    while number >= 0x80 {
        blob.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    blob.push(number.to_le_bytes()[0]);
}

/// Takes such a number off.
pub(super) fn take(blob: &mut &[u8]) -> Option<u128> {
    let (mut number, mut shift) = (0_u128, 0);
    loop {
        let (byte, rest) = blob.split_first()?;
        *blob = rest;
        let bits = u128::from(byte & 0x7f);
        // The last byte of the largest number has two bits.
        if shift > 126 || (shift == 126 && bits > 3) {
            return None;
        }
        number |= bits << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
}

/// Takes a number off that fits 64 bits.
pub(super) fn take_u64(blob: &mut &[u8]) -> Option<u64> {
    u64::try_from(take(blob)?).ok()
}

fn malformed(column: &str) -> Fail {
    corrupt(format!("{column} must be packed"))
}

#[cfg(test)]
mod tests {
    use dwarves_domain::hotkey::Hotkey;
    use proptest::prelude::*;

    use super::*;

    fn amount() -> impl Strategy<Value = Amount> {
        let sats = prop_oneof![
            Just(0_u64),
            1..300_u64,
            Just(Amount::MAX.sats()),
            0..Amount::MAX.sats()
        ];
        sats.prop_map(|sats| Amount::from_sats(sats).unwrap())
    }

    #[test]
    fn every_entry_comes_out_again() {
        let hotkey = Hotkey::from_bytes([7; 32]);
        let mut blob = Vec::new();
        let mut expected: Vec<Entry> = Vec::new();
        for (code, delta) in ACCOUNTS
            .into_iter()
            .zip([0, 1, -1, i64::MAX, i64::MIN, 300, -300, 5, 6, 7, -8])
        {
            let account = Account::parse(code, None).or_else(|_| Account::parse(code, Some(hotkey)));
            push_entry(&mut blob, &account.unwrap(), delta, || Ok(MinerNumber(400)))
                .map_err(|fail| fail.into_store_error(""))
                .unwrap();
            expected.push((code, code.starts_with("miner").then_some(MinerNumber(400)), delta));
        }
        assert_eq!(entries(&blob).ok(), Some(expected));
        for bad in [&[11, 0][..], &[7], &[0]] {
            assert!(entries(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_work_was_worth_is_told_of_one_and_of_all() {
        let sats = |sats| Amount::from_sats(sats).unwrap();
        let paid_work = |carried, work: &[(u64, u128)]| PaidWork {
            carried,
            work: work
                .iter()
                .map(|(value, units)| (sats(*value), Units::from_raw(*units)))
                .collect(),
        };
        let (a, b) = (paid_work(5, &[(3, 9)]), paid_work(0, &[(4, 8), (5, 1)]));
        let blob = pack_paid(&[(MinerNumber(2), &a), (MinerNumber(900), &b)]);
        let expected = vec![(MinerNumber(2), a.clone()), (MinerNumber(900), b.clone())];
        assert_eq!(paid(&blob).ok(), Some(expected));
        assert_eq!(paid_of(&blob, MinerNumber(2)).ok(), Some(Some(a)));
        assert_eq!(paid_of(&blob, MinerNumber(900)).ok(), Some(Some(b)));
        assert_eq!(paid_of(&blob, MinerNumber(3)).ok(), Some(None));
        assert_eq!(paid(&[]).ok(), Some(Vec::new()));
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_out_again(
            rows in proptest::collection::vec((any::<u64>(), any::<u64>(), any::<u128>(), amount()), 0..40),
        ) {
            let (mut blob, mut of_parts) = (Vec::new(), Vec::new());
            let rows: Vec<_> = rows
                .into_iter()
                .map(|(miner, back, half_steps, amount)| PackedCredit { miner: MinerNumber(miner), back, half_steps, amount })
                .collect();
            for credit in &rows {
                credit.push(&mut blob);
                push_part(&mut of_parts, credit.miner, credit.amount);
            }
            prop_assert_eq!(credits(&blob).ok(), Some(rows.clone()));
            let expected: Vec<_> = rows.iter().map(|credit| (credit.miner, credit.amount)).collect();
            prop_assert_eq!(parts(&of_parts).ok(), Some(expected));
            if let Some(cut) = blob.len().checked_sub(1) {
                prop_assert!(credits(&blob[..cut]).is_err());
                prop_assert!(parts(&of_parts[..of_parts.len() - 1]).is_err());
            }
        }

        #[test]
        fn bytes_that_anybody_wrote_are_numbers_or_an_error(blob in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _either = (credits(&blob), parts(&blob), splits(&blob), paid_of(&blob, MinerNumber(3)));
        }
    }

    #[test]
    fn the_form_stays_what_it_is() {
        let mut blob = Vec::new();
        let miner = Account::Miner(Hotkey::from_bytes([7; 32]), Balance::Payable);
        let number = || Ok(MinerNumber(300));
        for (account, delta) in [
            (Account::Emission, -5),
            (miner, 5),
            (Account::Fee, i64::MIN),
            (miner, i64::MAX),
        ] {
            push_entry(&mut blob, &account, delta, number)
                .map_err(|fail| fail.into_store_error(""))
                .unwrap();
        }
        let largest = [0xff; 9];
        let mut expected = vec![1, 9, 8, 0xac, 0x02, 10, 3];
        expected.extend(largest);
        expected.extend([1, 8, 0xac, 0x02, 0xfe]);
        expected.extend(&largest[1..]);
        expected.push(1);
        assert_eq!(blob, expected);
    }
}
