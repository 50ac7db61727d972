//! What the ledger is asked.

use crate::ask::Request;
use dwarves_ports::store::{StoreError, Write, Written};

/// Writes all of `writes` in one transaction, which other askers' writes may join.
#[derive(Clone, Debug, PartialEq)]
pub struct Commit {
    /// The writes, in order.
    pub writes: Vec<Write>,
}

impl Request for Commit {
    type Reply = Result<Vec<Written>, StoreError>;
}

/// Answers once everything asked before is durable, and takes nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseLedger;

impl Request for CloseLedger {
    type Reply = ();
}

/// Whether the ledger can write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLedger;

/// How the ledger is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerView {
    /// What the last commit failed with, if it did.
    pub trouble: Option<String>,
    /// Commits so far in this life.
    pub commits: u64,
}

impl Request for ReadLedger {
    type Reply = LedgerView;
}
