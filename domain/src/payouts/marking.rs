//! Payouts that somebody else sends: they are exported in a signed batch, and marked paid by hand.
//!
//! ```text
//! exported ──Pay──► paid
//!    │     ◄─Unpay───┘
//!  Cancel (never marked paid)
//!    ▼
//! cancelled
//! ```
//!
//! An exported payout has one part, and no transaction that the pool knows: what the network takes for it is not in the
//! pool's books. [`Payout::sent_at`] is when it was first marked paid, also if it was unmarked since: money that may
//! have left is not given back.

use super::batch::{FeePayer, FeeRate, Part};
use super::exported::{BatchName, Exported};
use super::payout::{Payout, Transition, TransitionError, Transitioned};
use super::payout_state::PayoutState;
use crate::ids::PayoutId;
use crate::ledger::Postings;
use crate::time::Timestamp;

impl Payout {
    /// A payout whose money is set aside for somebody else to send.
    pub fn export(id: PayoutId, at: Timestamp, part: Part, batch: BatchName) -> Self {
        let reference = None;
        Self {
            state: PayoutState::Exported,
            is_watched: false,
            exported: Some(Exported { batch, reference }),
            // The pool offers no network anything.
            ..Self::reserve(id, at, vec![part], FeePayer::Pool, FeeRate::LEAST)
        }
    }

    /// Whether it may be given back: it was never marked paid.
    pub fn may_be_given_back(&self) -> bool {
        self.state == PayoutState::Exported && self.sent_at.is_none()
    }

    /// Takes a step of an exported payout.
    pub(super) fn step_exported(
        &self,
        step: &Transition,
        at: Timestamp,
        exported: &Exported,
    ) -> Result<Transitioned, TransitionError> {
        use PayoutState::{Cancelled, Exported as IsExported, Paid};
        let mut next = self.clone();
        let marked = |reference| {
            let batch = exported.batch.clone();
            Some(Exported { batch, reference })
        };
        let postings = match (step, self.state) {
            (Transition::Pay(reference), IsExported) => {
                next.state = Paid;
                next.sent_at = self.sent_at.or(Some(at));
                next.exported = marked(Some(reference.clone()));
                self.confirmation()?
            }
            (Transition::Pay(reference) | Transition::Unpay(reference), Paid)
                if exported.reference.as_ref() != Some(reference) =>
            {
                return Err(TransitionError::OtherReference {
                    id: self.id,
                    reference: exported.reference.clone(),
                });
            }
            (Transition::Unpay(_), Paid) => {
                next.state = IsExported;
                next.exported = marked(None);
                self.confirmation()?.reversed()
            }
            (Transition::Cancel(note), IsExported) if self.may_be_given_back() => {
                next.state = Cancelled;
                next.note.clone_from(note);
                self.giving_back()?
            }
            (Transition::Cancel(_), IsExported) => {
                return Err(TransitionError::WasPaid { id: self.id });
            }
            (Transition::Pay(_), Paid)
            | (Transition::Unpay(_), IsExported)
            | (Transition::Cancel(_), Cancelled) => {
                let postings = Postings::new();
                return Ok(Transitioned {
                    payout: next,
                    postings,
                });
            }
            _ => return Err(self.out_of_order(step)),
        };
        next.changed_at = at;
        Ok(Transitioned {
            payout: next,
            postings,
        })
    }
}
