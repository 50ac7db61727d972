//! The journal: what every account changed by and for what, and where it stands then.

use std::fmt;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{PayoutId, RoundId};
use dwarves_domain::ledger::{Account, Postings};
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::codec::Cells as _;

use super::Transaction;
use crate::conservation;
use crate::error::{Outcome, corrupt};
use crate::value::{Value, values};

/// What moves money.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cause<'a> {
    /// A round that closes.
    Round(RoundId),
    /// A step of a payout, by its name.
    Payout(PayoutId, &'a str),
}

impl fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Round(id) => write!(f, "round {id}"),
            Self::Payout(id, step) => write!(f, "payout {id}'s step {step}"),
        }
    }
}

/// How an account's owner is stored: the pool's own accounts have none.
pub(super) fn owner(hotkey: Option<&Hotkey>) -> &[u8] {
    hotkey.map_or(&[], |hotkey| hotkey.as_bytes())
}

impl Transaction<'_> {
    /// Enters the postings, all at once. What they promise by their type is checked again here, because this is where it
    /// becomes durable.
    pub(super) fn enter(&mut self, cause: Cause<'_>, at: Timestamp, postings: &Postings) -> Outcome<()> {
        let entries: Vec<(Account, i64)> = postings
            .entries()
            .map(|entry| (entry.account, entry.delta.sats()))
            .collect();
        let sum: i128 = entries.iter().map(|(_, delta)| i128::from(*delta)).sum();
        if sum != 0 {
            return Err(corrupt(format!(
                "the entries of {cause} sum to {sum} instead of 0"
            )));
        }
        if entries.is_empty() {
            return Ok(());
        }
        let accounts: Vec<&str> = entries.iter().map(|(account, _)| account.code()).collect();
        let hotkeys: Vec<Option<Hotkey>> = entries.iter().map(|(account, _)| account.hotkey()).collect();
        let owners: Vec<&[u8]> = hotkeys.iter().map(|hotkey| owner(hotkey.as_ref())).collect();
        let deltas: Vec<i64> = entries.iter().map(|(_, delta)| *delta).collect();
        let (round, payout, step) = match cause {
            Cause::Round(id) => (Some(id), None, None),
            Cause::Payout(id, step) => (None, Some(id), Some(step)),
        };
        self.db.execute(
            "INSERT INTO journal (id, at, round, payout, step, account, hotkey, delta)
             SELECT (SELECT COALESCE(MAX(id), 0) FROM journal) + place, $1, $2, $3, $4, account, hotkey, delta
             FROM unnest($5::text[], $6::bytea[], $7::bigint[]) WITH ORDINALITY AS entry (account, hotkey, delta, place)",
            values![
                at,
                round,
                payout,
                step,
                Value::Other(&accounts),
                Value::Other(&owners),
                Value::Other(&deltas)
            ],
        )?;
        let after = self.db.all(
            "balances",
            "INSERT INTO balances (account, hotkey, amount)
             SELECT * FROM unnest($1::text[], $2::bytea[], $3::bigint[])
             ON CONFLICT (account, hotkey) DO UPDATE SET amount = balances.amount + excluded.amount
             RETURNING account, amount",
            values![
                Value::Other(&accounts),
                Value::Other(&owners),
                Value::Other(&deltas)
            ],
            |cells| Ok((cells.string("account")?, cells.int("amount")?)),
        )?;
        let may_be_negative = |code: &str| {
            let account = entries.iter().find(|(account, _)| account.code() == code);
            account.is_some_and(|(account, _)| account.may_be_negative())
        };
        if let Some((account, amount)) = after
            .iter()
            .find(|(account, amount)| *amount < 0 && !may_be_negative(account))
        {
            return Err(corrupt(format!("account {account} would stand at {amount} sats")));
        }
        self.books_changed = true;
        let mut sums: std::collections::BTreeMap<String, i128> = std::collections::BTreeMap::new();
        for (account, delta) in &entries {
            *sums.entry(conservation::of_account(account)).or_default() += i128::from(*delta);
        }
        for (name, delta) in sums {
            let delta =
                i64::try_from(delta).map_err(|_| corrupt(format!("sums.{name} does not fit 64 bits")))?;
            conservation::change(self.db, &name, delta)?;
        }
        Ok(())
    }
}
