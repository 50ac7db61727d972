//! The journal: what every account changed by and for what, and where it stands then.

use std::fmt;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{PayoutId, RoundId};
use dwarves_domain::ledger::{Account, Postings};
use dwarves_domain::time::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::Transaction;
use crate::columns::{Cells, int};
use crate::conservation;
use crate::credited_miners;
use crate::error::{Outcome, corrupt};
use crate::packed_money::push_entry;

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
    /// Enters the postings. What they promise by their type is checked again here, because this is where it becomes
    /// durable.
    pub(super) fn enter(&mut self, cause: Cause<'_>, at: Timestamp, postings: &Postings) -> Outcome<()> {
        let mut sum: i128 = 0;
        let mut packed = Vec::new();
        for entry in postings.entries() {
            let (account, delta) = (entry.account, entry.delta.sats());
            let hotkey = account.hotkey();
            let owner = owner(hotkey.as_ref());
            match cause {
                // There may be some for each miner, every minute.
                Cause::Round(_) => push_entry(&mut packed, &account, delta, || {
                    let hotkey = hotkey.expect("only a miner's account asks for its number");
                    Ok(credited_miners::find_or_number(self.connection, &hotkey)?.number)
                })?,
                Cause::Payout(id, step) => {
                    self.statement(
                        "INSERT INTO journal (at, payout, step, account, hotkey, delta)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    )?
                    .execute(params![
                        at.millis(),
                        int(id.get()),
                        step,
                        account.code(),
                        owner,
                        delta
                    ])?;
                }
            }
            self.change_balance(account, owner, delta)?;
            sum += i128::from(delta);
        }
        if let Cause::Round(id) = cause
            && !packed.is_empty()
        {
            self.statement(
                "INSERT INTO round_entries (round, journal_through, entries)
                 VALUES (?1, COALESCE((SELECT MAX(id) FROM journal), 0), ?2)",
            )?
            .execute(params![int(id.get()), packed])?;
        }
        if sum != 0 {
            return Err(corrupt(format!(
                "the entries of {cause} sum to {sum} instead of 0"
            )));
        }
        Ok(())
    }

    fn change_balance(&mut self, account: Account, owner: &[u8], delta: i64) -> Outcome<()> {
        let before = self
            .statement("SELECT amount FROM balances WHERE account = ?1 AND hotkey = ?2")?
            .query_row(params![account.code(), owner], |row| {
                Ok(Cells::new(row, "balances").int("amount"))
            })
            .optional()?
            .transpose()?;
        // No row yet: nothing ever moved there.
        let after = before.unwrap_or(0).checked_add(delta);
        let after = after.ok_or_else(|| corrupt(format!("account {account} does not fit 64 bits")))?;
        if after < 0 && !account.may_be_negative() {
            return Err(corrupt(format!("account {account} would stand at {after} sats")));
        }
        self.statement(
            "INSERT INTO balances (account, hotkey, amount) VALUES (?1, ?2, ?3)
             ON CONFLICT (account, hotkey) DO UPDATE SET amount = excluded.amount",
        )?
        .execute(params![account.code(), owner, after])?;
        self.books_changed = true;
        conservation::change(self.connection, &conservation::of_account(&account), delta)
    }
}
