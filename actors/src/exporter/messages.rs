//! What the exporter is asked. It also answers what the paymaster is asked, in whose place it stands.

use dwarves_domain::ids::PayoutId;
use dwarves_domain::payouts::{BatchName, PaymentReference};

use crate::ask::Request;
use crate::control::Controlled;

/// A hint to look who is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, actix::Message)]
#[rtype(result = "()")]
pub struct Poke;

/// An admin's message to the exporter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExporterControl {
    /// What would be exported now, and the last batches.
    Status,
    /// Begins the batch of this name with all that is payable, or tells of it if it began before.
    Export(BatchName),
    /// Marks a batch's payouts paid.
    MarkPaid {
        /// The batch.
        batch: BatchName,
        /// By which payment.
        reference: PaymentReference,
        /// Which of its payouts; `None`: all that wait to be sent.
        payouts: Option<Vec<PayoutId>>,
    },
    /// Takes marks back.
    UnmarkPaid {
        /// The batch.
        batch: BatchName,
        /// By which payment they are marked.
        reference: PaymentReference,
        /// Which of its payouts; `None`: all that are marked paid by it.
        payouts: Option<Vec<PayoutId>>,
    },
    /// Gives payouts back to their miners' balances that were never marked paid.
    GiveBack {
        /// The batch.
        batch: BatchName,
        /// Which of its payouts; `None`: all of them.
        payouts: Option<Vec<PayoutId>>,
    },
}

impl Request for ExporterControl {
    type Reply = Controlled;
}
