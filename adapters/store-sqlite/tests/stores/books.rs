//! The books read from the ledger by what docs/schema.md says of them, added up by hand.

use std::collections::BTreeMap;

use dwarves_store_sqlite::InlineStore;
use proptest::test_runner::TestCaseError;
use rusqlite::Connection;

/// Accounts by their number in packed entries.
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

/// An account and whose it is.
type Owned = (String, Vec<u8>);

/// Seven bits a byte, the lowest first.
fn number(bytes: &mut impl Iterator<Item = u8>) -> u128 {
    let byte = bytes.next().expect("a number ends before the blob does");
    let bits = u128::from(byte & 0x7f);
    if byte < 0x80 {
        bits
    } else {
        bits | number(bytes) << 7
    }
}

fn rows<T>(
    sqlite: &Connection,
    sql: &str,
    row: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Vec<T> {
    let mut statement = sqlite.prepare(sql).unwrap();
    let rows = statement.query_map([], row).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// Whether the entries of every round and of every step of a payout add up to 0, those of every account to its balance,
/// and the credits of every round to what it credited.
pub(crate) fn add_up(store: &InlineStore) -> Result<(), TestCaseError> {
    store.look(look).unwrap().map_err(TestCaseError::fail)
}

fn look(sqlite: &Connection) -> Result<(), String> {
    let miners: BTreeMap<u128, Vec<u8>> = rows(sqlite, "SELECT number, hotkey FROM credited_miners", |row| {
        Ok((row.get::<_, u32>(0)?.into(), row.get(1)?))
    })
    .into_iter()
    .collect();
    let mut sums: BTreeMap<Owned, i128> = BTreeMap::new();
    let mut causes: BTreeMap<String, i128> = BTreeMap::new();
    let entries = "SELECT account, hotkey, delta, COALESCE('round ' || round, 'payout ' || payout || step || at) FROM journal";
    for (account, delta, cause) in rows(sqlite, entries, |row| {
        Ok((
            (row.get(0)?, row.get(1)?),
            row.get::<_, i64>(2)?,
            row.get::<_, String>(3)?,
        ))
    }) {
        *sums.entry(account).or_default() += i128::from(delta);
        *causes.entry(cause).or_default() += i128::from(delta);
    }
    for (round, blob) in rows(sqlite, "SELECT round, entries FROM round_entries", |row| {
        Ok((row.get::<_, u32>(0)?, row.get::<_, Vec<u8>>(1)?))
    }) {
        let mut bytes = blob.into_iter().peekable();
        while bytes.peek().is_some() {
            let account = number(&mut bytes);
            let code = ACCOUNTS[usize::try_from(account).unwrap()];
            let owner = if account < 7 {
                Vec::new()
            } else {
                miners[&number(&mut bytes)].clone()
            };
            let doubled = number(&mut bytes).cast_signed();
            let delta = if doubled % 2 == 0 {
                doubled / 2
            } else {
                -(doubled + 1) / 2
            };
            *sums.entry((code.to_owned(), owner)).or_default() += delta;
            *causes.entry(format!("round {round}")).or_default() += delta;
        }
    }
    if let Some((cause, sum)) = causes.iter().find(|(_, sum)| **sum != 0) {
        return Err(format!("the entries of {cause} add up to {sum}"));
    }
    let mut balances: BTreeMap<Owned, i128> = BTreeMap::new();
    for (account, sats) in rows(sqlite, "SELECT account, hotkey, amount FROM balances", |row| {
        Ok(((row.get(0)?, row.get(1)?), row.get::<_, i64>(2)?))
    }) {
        balances.insert(account, i128::from(sats));
    }
    sums.retain(|_, sum| *sum != 0);
    balances.retain(|_, sum| *sum != 0);
    if sums != balances {
        return Err(format!(
            "entries add up to {sums:?}, but the balances are {balances:?}"
        ));
    }
    let credited: BTreeMap<u32, i128> = rows(sqlite, "SELECT id, credited FROM rounds", |row| {
        Ok((row.get(0)?, i128::from(row.get::<_, i64>(1)?)))
    })
    .into_iter()
    .collect();
    let mut credits: BTreeMap<u32, i128> = credited.keys().map(|round| (*round, 0)).collect();
    let (mut next, mut of_miners) = (1, BTreeMap::new());
    for (id, round, kind, blob) in rows(
        sqlite,
        "SELECT id, round, kind, credits FROM packed_credits ORDER BY id",
        |row| {
            Ok((
                row.get::<_, u32>(0)?,
                row.get::<_, u32>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, Vec<u8>>(3)?,
            ))
        },
    ) {
        if u128::from(id) != next {
            return Err(format!("credit {id} follows {}", next - 1));
        }
        let mut bytes = blob.into_iter().peekable();
        while bytes.peek().is_some() {
            let [miner, back, _half_steps, amount] = std::array::from_fn(|_| number(&mut bytes));
            let before = of_miners.insert(miner, next);
            if before.map_or(0, |before: u128| next - before) != back {
                return Err(format!(
                    "credit {next} says {back} back, but the one before is {before:?}"
                ));
            }
            if kind == "credit" {
                *credits.get_mut(&round).unwrap() += amount.cast_signed();
            }
            next += 1;
        }
    }
    let heads: BTreeMap<u128, u128> = rows(
        sqlite,
        "SELECT number, last_credit FROM credited_miners WHERE last_credit > 0",
        |row| Ok((row.get::<_, u32>(0)?.into(), row.get::<_, u32>(1)?.into())),
    )
    .into_iter()
    .collect();
    if heads != of_miners {
        return Err(format!("the last credits are {of_miners:?}, not {heads:?}"));
    }
    if credits != credited {
        return Err(format!(
            "rounds credited {credited:?}, but their credits are {credits:?}"
        ));
    }
    Ok(())
}
