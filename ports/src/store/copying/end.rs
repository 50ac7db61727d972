//! What a store must do to be an end of a copy.

use dwarves_domain::ids::Sequence;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Units;

use super::datum::{Datum, Key, Row};
use super::tables::Table;
use crate::store::error::StoreError;
use crate::store::ledger_rows::ShareRow;

/// A share, without the block that it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopiedShare {
    /// What is stored of it.
    pub row: ShareRow,
    /// Whether the last four bytes of its extranonce are known: nobody kept them once. If not, they are zero.
    pub is_whole: bool,
}

/// Shares that were committed together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopiedCommit {
    /// The number of its first share; the others follow without gaps.
    pub first: Sequence,
    /// When its latest share came, and never before the commit before.
    pub committed_at: Timestamp,
    /// The work of all shares before it.
    pub total_before: Units,
    /// At least one.
    pub shares: Vec<CopiedShare>,
}

impl CopiedCommit {
    /// The number of its last share.
    pub fn last(&self) -> Sequence {
        Sequence::new(self.first.get() + (self.shares.len() as u64).saturating_sub(1))
    }

    /// The work of all shares up to its last; `None` if that does not fit.
    pub fn total_after(&self) -> Option<Units> {
        let units = self.shares.iter().map(|share| share.row.units);
        units
            .into_iter()
            .try_fold(self.total_before, |sum, units| sum.checked_add(units))
    }
}

/// Some rows of one table, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Of any table but that of shares.
    Rows(&'static Table, Vec<Row>),
    /// Of the table of shares, by commits, none of which is parted.
    Commits(Vec<CopiedCommit>),
}

impl Piece {
    /// The place of its last row; `None`: there is none.
    pub fn last(&self) -> Option<Key> {
        match self {
            Self::Rows(table, rows) => rows
                .last()
                .map(|row| row.iter().take(table.key).cloned().collect()),
            Self::Commits(commits) => commits
                .last()
                .map(|commit| vec![Datum::Int(super::super::codec::int(commit.last().get()))]),
        }
    }

    /// How many rows it has.
    pub fn rows(&self) -> u64 {
        match self {
            Self::Rows(_, rows) => rows.len() as u64,
            Self::Commits(commits) => commits.iter().map(|commit| commit.shares.len() as u64).sum(),
        }
    }
}

/// A ledger that is copied, or copied to. Whoever has one has the ledger alone.
pub trait LedgerEnd {
    /// Where it is, for people.
    fn place(&self) -> &str;

    /// Which ledger it is and how far: another one once a pool was started on it. `None`: no pool ever was.
    ///
    /// # Errors
    /// If it cannot be read.
    fn state(&mut self) -> Result<Option<String>, StoreError>;

    /// A setting of the ledger's own.
    ///
    /// # Errors
    /// If it cannot be read.
    fn setting(&mut self, name: &str) -> Result<Option<String>, StoreError>;

    /// Stores a setting, durably, or takes it out.
    ///
    /// # Errors
    /// If it cannot be written.
    fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), StoreError>;

    /// About how many rows of a table there are to copy: for people, who want to know how long it takes.
    ///
    /// # Errors
    /// If it cannot be read.
    fn count(&mut self, table: &'static Table) -> Result<u64, StoreError>;

    /// The next rows of a table, in the order of its key, from behind a place on; none if there are no more.
    ///
    /// Shares that are pruned are not among them, but for those that were committed together with one that is not, and for
    /// the last commit. Nor is history that is forgotten, nor [`super::marks::OF_COPIES`] among the settings.
    ///
    /// # Errors
    /// If they cannot be read, or are not what they must be.
    fn read(&mut self, table: &'static Table, after: Option<&Key>) -> Result<Piece, StoreError>;

    /// Empties what a new ledger has of itself, so that a copy can begin.
    ///
    /// # Errors
    /// If it cannot be written.
    fn begin(&mut self, mark: &str) -> Result<(), StoreError>;

    /// Writes rows behind all that are there, and [`super::marks::UNFINISHED`], in one durable transaction.
    ///
    /// # Errors
    /// If they cannot be written.
    fn write(&mut self, piece: &Piece, mark: &str) -> Result<(), StoreError>;

    /// Whether the books hold exactly what came in, by the store's own rows.
    ///
    /// # Errors
    /// If not, or it cannot be read.
    fn check(&mut self) -> Result<(), StoreError>;

    /// Takes [`super::marks::UNFINISHED`] away: the copy is found to be the same. Readies the store for its pool.
    ///
    /// # Errors
    /// If it cannot be written.
    fn finish(&mut self) -> Result<(), StoreError>;
}
