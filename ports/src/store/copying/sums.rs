//! What a ledger comes to, for people: added up of its rows while they are compared.

use std::collections::BTreeMap;

use dwarves_domain::units::Units;

use super::end::Piece;
use super::tables::{BALANCES, CREDITS, JOURNAL, PAYOUT_PARTS, ROUNDS, SUMS, Table};
use crate::store::codec::sums::evaluate;

/// What a ledger comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerSums {
    /// Rows of each table that has some.
    pub rows: BTreeMap<&'static str, u64>,
    /// The work of its shares that are not pruned, steps; `None`: it does not fit.
    pub share_steps: u128,
    /// Of rounds: all rewards, sats.
    pub rewards: i128,
    /// Of credits by their kind, sats.
    pub credits: BTreeMap<String, i128>,
    /// What was set aside for payouts, sats.
    pub payouts: i128,
    /// Entries of the journal by their account, sats.
    pub journal: BTreeMap<String, i128>,
    /// Where accounts stand, by the account, sats.
    pub balances: BTreeMap<String, i128>,
    /// The sums by which the books are compared with what came in.
    pub kept: BTreeMap<String, i64>,
}

impl LedgerSums {
    /// Adds rows.
    pub fn add(&mut self, piece: &Piece) {
        let (table, rows) = match piece {
            Piece::Commits(commits) => {
                *self.rows.entry(super::tables::SHARES.name).or_default() += piece.rows();
                let shares = commits.iter().flat_map(|commit| &commit.shares);
                let steps = shares.map(|share| share.row.units.raw());
                self.share_steps = steps.fold(self.share_steps, u128::saturating_add);
                return;
            }
            Piece::Rows(table, rows) => (*table, rows),
        };
        if rows.is_empty() {
            return;
        }
        *self.rows.entry(table.name).or_default() += rows.len() as u64;
        let sats = |column: &str| column_of(table, rows, column);
        let names = |column: &str| table.column(column).unwrap_or(0);
        if *table == ROUNDS {
            self.rewards += sats("reward").sum::<i128>();
        } else if *table == PAYOUT_PARTS {
            self.payouts += sats("amount").sum::<i128>();
        } else if *table == CREDITS {
            add_by(&mut self.credits, rows, names("kind"), sats("amount"));
        } else if *table == JOURNAL {
            add_by(&mut self.journal, rows, names("account"), sats("delta"));
        } else if *table == BALANCES {
            add_by(&mut self.balances, rows, names("account"), sats("amount"));
        } else if *table == SUMS {
            for row in rows {
                if let (Some(name), Some(sats)) = (row[0].as_text(), row[1].as_int()) {
                    self.kept.insert(name.to_owned(), sats);
                }
            }
        }
    }

    /// Whether each account stands at the sum of its entries, and the books hold exactly what came in.
    ///
    /// # Errors
    /// What does not add up.
    pub fn check(&self) -> Result<(), String> {
        let accounts: std::collections::BTreeSet<&String> =
            self.journal.keys().chain(self.balances.keys()).collect();
        for account in accounts {
            let sum = |of: &BTreeMap<String, i128>| of.get(account).copied().unwrap_or(0);
            let (entries, balance) = (sum(&self.journal), sum(&self.balances));
            if entries != balance {
                return Err(format!(
                    "accounts {account} stand at {balance} sats, but their entries come to {entries}"
                ));
            }
        }
        let (holdings, income) = evaluate(&self.kept)?;
        holdings.check(&income).map_err(|error| error.to_string())
    }

    /// Each sum with its name and what it comes to, in an order that is always the same.
    pub fn lines(&self) -> Vec<(String, String)> {
        let mut lines: Vec<(String, String)> = Vec::new();
        let mut line = |name: String, value: String| lines.push((name, value));
        for table in super::tables::TABLES {
            if let Some(rows) = self.rows.get(table.name) {
                line(format!("{} rows", table.name), rows.to_string());
            }
        }
        line(
            "units of shares".to_owned(),
            Units::from_raw(self.share_steps).to_string(),
        );
        line("rewards of rounds, sats".to_owned(), self.rewards.to_string());
        for (kind, sats) in &self.credits {
            line(format!("credits ({kind}), sats"), sats.to_string());
        }
        line("set aside for payouts, sats".to_owned(), self.payouts.to_string());
        for (account, sats) in &self.journal {
            line(format!("journal of {account}, sats"), sats.to_string());
        }
        for (account, sats) in &self.balances {
            line(format!("balances of {account}, sats"), sats.to_string());
        }
        if let Ok((holdings, income)) = evaluate(&self.kept) {
            line(
                "confirmed rewards, sats".to_owned(),
                income.confirmed().to_string(),
            );
            line(
                "fee + reserve + payable + in flight + paid + network fees, sats".to_owned(),
                holdings.confirmed().to_string(),
            );
        }
        lines
    }
}

/// The numbers of a column.
fn column_of<'r>(table: &Table, rows: &'r [super::Row], name: &str) -> impl Iterator<Item = i128> + use<'r> {
    let place = table.column(name);
    rows.iter().map(move |row| {
        let cell = place.and_then(|place| row.get(place)?.as_int());
        i128::from(cell.unwrap_or(0))
    })
}

fn add_by(
    sums: &mut BTreeMap<String, i128>,
    rows: &[super::Row],
    name: usize,
    sats: impl Iterator<Item = i128>,
) {
    for (row, sats) in rows.iter().zip(sats) {
        let name = row.get(name).and_then(|cell| cell.as_text()).unwrap_or_default();
        match sums.get_mut(name) {
            Some(sum) => *sum += sats,
            None => {
                sums.insert(name.to_owned(), sats);
            }
        }
    }
}
