//! What the notary is asked.

use dwarves_domain::statements::{Epoch, EpochId, EpochLength};
use dwarves_domain::time::Span;
use serde_json::{Value, json};

use crate::ask::Request;

/// How the making of statements goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadStatements;

impl Request for ReadStatements {
    type Reply = StatementsView;
}

/// How the making of statements goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatementsView {
    /// How long an epoch is; `None`: no statements are made.
    pub length: Option<EpochLength>,
    /// The epoch that is open, as the last look found it.
    pub open: Option<EpochId>,
    /// The last one that is stated.
    pub stated: Option<Epoch>,
    /// For how long an epoch has been over that is not stated; `None`: none is.
    pub overdue: Option<Span>,
    /// Why the last look came to nothing, in words, if it did.
    pub hindrance: Option<String>,
}

impl StatementsView {
    /// What is to be said to an operator, if anything.
    pub fn hindrance(&self) -> Option<String> {
        let why = self.hindrance.as_ref()?;
        Some(format!("statements_wait: {why}"))
    }

    /// As `status` shows it.
    pub fn to_json(&self) -> Value {
        json!({
            "epoch_secs": self.length.map_or(0, EpochLength::secs),
            "open": self.open.map(EpochId::get),
            "stated": self.stated.map(|epoch| epoch.start.get()),
            "overdue_secs": self.overdue.map_or(0, Span::secs),
            "hindrance": self.hindrance,
        })
    }
}
