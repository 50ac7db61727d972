//! A ledger that is only read, for lists and exports: beside the pool that has it, or without one. Each call sees one moment,
//! and reads what is long piece by piece.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::RoundId;
use dwarves_domain::payouts::BatchName;
use dwarves_ports::store::export::{
    ExportError, Exportable, LedgerReader, ListedMiner, ListedPayout, Period, Take, rounds_asked,
};
use dwarves_ports::store::{BatchRow, BatchSummary, CounterRow, CreditRow, PageRequest, RoundRow, WorkerRow};

use super::client::Db;
use super::error::{Fail, OpenError, Outcome};
use super::options::PostgresOptions;
use super::read::{money, payout_batches};
use super::{schema, server};

mod lists;
mod tables;

/// A connection that only reads.
pub struct PostgresReader(Db);

impl From<Fail> for ExportError {
    fn from(fail: Fail) -> Self {
        Self::Store(fail.into_store_error("reading"))
    }
}

impl PostgresReader {
    /// Opens the ledger, whether a pool runs on it or not.
    ///
    /// # Errors
    /// If the server cannot be reached, there is none, or its schema is not this program's.
    pub fn open(options: &PostgresOptions) -> Result<Self, OpenError> {
        let db = server::connect(options)?;
        match schema::look(&db)? {
            schema::Found::Nothing => Err(OpenError::Empty),
            schema::Found::Version(schema::NEWEST) => Ok(Self(db)),
            schema::Found::Version(version) => Err(OpenError::Database(format!(
                "its schema is version {version}, and this program's is {}: the next start of a pool brings it up to date",
                schema::NEWEST
            ))),
        }
    }

    /// Asks for something of one moment.
    fn ask<T>(&mut self, read: impl FnOnce(&Db) -> Result<T, ExportError>) -> Result<T, ExportError> {
        let begin = self.0.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
        let asked = begin.map_err(ExportError::from).and_then(|()| read(&self.0));
        // Nothing was changed: there is nothing to keep, and whoever is gone has nothing to end.
        let _gone = self.0.run("ROLLBACK");
        asked
    }
}

impl LedgerReader for PostgresReader {
    fn export(&mut self, what: Exportable, period: Period, take: Take<'_>) -> Result<(), ExportError> {
        self.ask(|db| match what {
            Exportable::Shares => tables::shares(db, period, take),
            Exportable::Credits => tables::credits(db, period, take),
            Exportable::Payouts => tables::payouts(db, period, take),
            Exportable::Rounds => tables::rounds(db, period, take),
            Exportable::Blocks => tables::blocks(db, period, take),
        })
    }

    fn miners(&mut self, limit: u32) -> Result<Vec<ListedMiner>, ExportError> {
        self.ask(|db| Ok(lists::miners(db, limit)?))
    }

    fn workers(&mut self, miner: Option<Hotkey>) -> Result<Vec<(WorkerRow, CounterRow)>, ExportError> {
        self.ask(|db| Ok(lists::workers(db, miner)?))
    }

    fn payouts(&mut self, limit: u32) -> Result<Vec<ListedPayout>, ExportError> {
        self.ask(|db| Ok(lists::payouts(db, limit)?))
    }

    fn payout_batches(&mut self, limit: u32) -> Result<Vec<BatchSummary>, ExportError> {
        let newest = PageRequest { cursor: None, limit };
        self.ask(|db| Ok(payout_batches::list(db, newest)?.rows))
    }

    fn payout_batch(&mut self, name: &BatchName) -> Result<Option<BatchRow>, ExportError> {
        self.ask(|db| Ok(payout_batches::one(db, name)?))
    }

    fn last_rounds(
        &mut self,
        through: Option<RoundId>,
        count: u64,
    ) -> Result<Vec<(RoundRow, Vec<CreditRow>)>, ExportError> {
        let newest = PageRequest {
            cursor: None,
            limit: 1,
        };
        self.ask(|db| {
            let newest = money::rounds(db, newest)?.rows.first().map(|row| row.id);
            let rounds =
                rounds_asked(newest, through, count).filter_map(|id| money::round(db, id).transpose());
            Ok(rounds.collect::<Outcome<Vec<_>>>()?)
        })
    }
}
