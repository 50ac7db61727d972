//! A whole ledger on its way from one store to another: rows as plain values, database-free, piece by piece.
//!
//! A store is an end of it ([`LedgerEnd`]): it gives the rows of one table behind a place, and writes a piece together
//! with the place that it goes on from, in one transaction. So a copy that was killed goes on where it was. What a store
//! packs, or keeps in forms of before, it gives and takes as the plain facts of [`tables`]; what it can make of them by
//! itself (numbers of miners, partitions) is in no table here. Both ledgers are read again at the end and compared row by
//! row ([`mod@compare`]).
//!
//! | module | its one job |
//! |---|---|
//! | [`tables`] | which tables there are, their columns, and the order in which they go |
//! | [`datum`] | values of cells, and places in a table |
//! | [`end`] | what a store must do |
//! | [`marks`] | what says that a ledger is not whole yet, or was moved away |
//! | [`pump`] | from one end to the other |
//! | [`mod@compare`] | one against the other, row by row |
//! | [`sums`] | what a ledger comes to, for people |

pub mod compare;
pub mod datum;
pub mod end;
pub mod marks;
pub mod pump;
pub mod sums;
pub mod tables;

pub use compare::compare;
pub use datum::{Datum, Key, Row};
pub use end::{CopiedCommit, CopiedShare, LedgerEnd, Piece};
pub use marks::{MOVED, Moved, UNFINISHED, Unfinished};
pub use pump::{CopyError, copy};
pub use sums::LedgerSums;
pub use tables::{Column, Kind, TABLES, Table};
