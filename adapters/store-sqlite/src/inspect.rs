//! What only tests look at, past the questions of the pool: all that is stored, as it is.

use std::cell::OnceCell;
use std::ops::ControlFlow;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{PayoutId, Sequence, WorkerId};
use dwarves_domain::ledger::{Account, Balances};
use dwarves_domain::payouts::Payout;
use dwarves_ports::store::{BlockRow, ShareRow};
use rusqlite::{Connection, OptionalExtension};

use super::columns::{Cells, all};
use super::error::Outcome;
use super::read::payouts::{Parts, one};
use super::row_codec;
use super::{InlineStore, batches};

thread_local! {
    /// A database that nothing was written to: a copy of it is sooner there than one that is brought up to date.
    static EMPTY: OnceCell<InlineStore> = const { OnceCell::new() };
}

impl InlineStore {
    /// A store on a new database.
    ///
    /// # Panics
    /// If SQLite refuses.
    pub fn fresh() -> Self {
        EMPTY.with(|empty| {
            let empty = empty.get_or_init(|| Self::inline().expect("a database in memory can be made"));
            empty.copy().expect("an empty database can be copied")
        })
    }

    fn inspect<T>(&self, look: impl FnOnce(&Connection) -> Outcome<T>) -> T {
        let found = self.look(|connection| look(connection).map_err(|fail| fail.into_store_error("a test")));
        found
            .and_then(|found| found)
            .expect("a store that a test looks at can be read")
    }

    /// Whose a worker is, if it is stored.
    ///
    /// # Panics
    /// As all of these: if the database cannot be read.
    pub fn owner_of_worker(&self, worker: WorkerId) -> Option<Hotkey> {
        self.inspect(|connection| {
            let owner = connection
                .prepare_cached("SELECT hotkey FROM workers WHERE id = ?1")?
                .query_row([worker.get()], |row| {
                    Ok(Cells::new(row, "workers").hotkey("hotkey"))
                });
            owner.optional()?.transpose()
        })
    }

    /// Every share that was not pruned, oldest first.
    ///
    /// # Panics
    /// If the database cannot be read.
    pub fn shares(&self) -> Vec<(Sequence, ShareRow)> {
        self.inspect(|connection| {
            let mut shares = Vec::new();
            batches::walk(connection, Sequence::new(0), batches::LAST, |found| {
                shares.push((found.sequence, found.share.to_row()));
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(shares)
        })
    }

    /// Where every account stands that does not stand at zero.
    ///
    /// # Panics
    /// If the database cannot be read, or the accounts do not add up to zero.
    pub fn balances(&self) -> Balances {
        let accounts = self.inspect(|connection| {
            all(
                connection,
                "SELECT * FROM balances ORDER BY account, hotkey",
                [],
                |row| {
                    let cells = Cells::new(row, "balances");
                    let owner = match cells.blob("hotkey")? {
                        [] => None,
                        _ => Some(cells.hotkey("hotkey")?),
                    };
                    Ok((cells.text("account")?.to_owned(), owner, cells.int("amount")?))
                },
            )
        });
        let accounts = accounts.into_iter().map(|(code, owner, sats)| {
            let account =
                Account::parse(&code, owner).expect("the store writes only accounts that there are");
            (account, sats)
        });
        Balances::from_rows(accounts).expect("balances come from postings")
    }

    /// Every payout, oldest first.
    ///
    /// # Panics
    /// If the database cannot be read.
    pub fn payouts(&self) -> Vec<Payout> {
        self.inspect(|connection| {
            let ids = all(connection, "SELECT id FROM payouts ORDER BY id", [], |row| {
                Ok(PayoutId::new(Cells::new(row, "payouts").u64("id")?))
            })?;
            let payouts = ids.into_iter().map(|id| one(connection, id, Parts::With));
            payouts.filter_map(Outcome::transpose).collect()
        })
    }

    /// Every found block with its bytes, in the order in which it was stored.
    ///
    /// # Panics
    /// If the database cannot be read.
    pub fn found_blocks(&self) -> Vec<BlockRow> {
        self.inspect(|connection| {
            all(
                connection,
                "SELECT * FROM blocks ORDER BY id",
                [],
                row_codec::whole_block,
            )
        })
    }
}
