//! The sums by which the books are compared with what came in: kept up with every change, by name.

use std::collections::BTreeMap;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ledger::{Account, Holdings, Income};

use crate::store::Accounting;

/// The name of the sum over all accounts of this one's code.
pub fn of_account(account: &Account) -> String {
    format!("account.{}", account.code())
}

/// The name of the sum over all blocks that are booked so.
pub fn of_blocks(accounting: Accounting) -> String {
    format!("blocks.{accounting}")
}

/// The name of the sum over all emissions.
pub const EMITTED: &str = "emitted";

/// Where the accounts stand and what came in, by the sums.
///
/// # Errors
/// What is wrong, if a sum has a name that no account has.
pub fn evaluate(sums: &BTreeMap<String, i64>) -> Result<(Holdings, Income), String> {
    let mut holdings = Holdings::default();
    for (name, sats) in sums {
        let Some(code) = name.strip_prefix("account.") else {
            continue;
        };
        // Any miner's account stands for all of its code.
        let anybody = Hotkey::from_bytes([0; 32]);
        let account = Account::parse(code, None).or_else(|_| Account::parse(code, Some(anybody)));
        let account = account.map_err(|error| format!("sums.name: {error}"))?;
        holdings.add(&account, i128::from(*sats));
    }
    let of = |name: &str| sums.get(name).copied().map_or(0, i128::from);
    let income = Income {
        immature: of(&of_blocks(Accounting::Credited)),
        matured: of(&of_blocks(Accounting::Matured)),
        emitted: of(EMITTED),
        lost: of(&of_blocks(Accounting::ReversedMature)),
    };
    Ok((holdings, income))
}

/// Compares the sums with the rows that they are the sums of: of each row its sum's name and its sats, of each sum the
/// same, below zero.
///
/// # Errors
/// Which sum is not that of its rows.
pub fn compare(rows: impl IntoIterator<Item = (String, i64)>) -> Result<(), String> {
    // Added up here and not by SQL, whose sums may be 64 bits.
    let mut differences: BTreeMap<String, i128> = BTreeMap::new();
    for (name, sats) in rows {
        *differences.entry(name).or_default() += i128::from(sats);
    }
    // What is not booked is no part of the equation.
    let kept = |name: &str| name != of_blocks(Accounting::None) && name != of_blocks(Accounting::Reversed);
    match differences.iter().find(|(name, d)| kept(name) && **d != 0) {
        Some((name, difference)) => Err(format!("sums.{name} is {difference} sats short of its rows")),
        None => Ok(()),
    }
}
