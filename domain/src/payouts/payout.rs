//! A payout's states, the steps between them, and what each step books.
//!
//! ```text
//! reserved ──Sign──► signed ──Send──► broadcast ──Confirm──► confirmed
//!    │                 │                │  ▲  ◄─Unconfirm────────┘
//!  Cancel            Return           Return │
//!    ▼                 ▼                ▼   Revive
//! cancelled         returned ◄──────────┘  │
//!                      └───────────────────┘
//! ```
//!
//! A payout that was never signed can be cancelled; one that was signed is returned only once another
//! transaction that spends its inputs is deep. Should a reorganisation bring a returned payout back after all,
//! [`Transition::Revive`] books what the miners still have as payable; what is missing the pool's reserve bears.

use super::batch::{FeePayer, FeeRate, Part};
use super::exported::{Exported, PaymentReference};
use super::payout_state::PayoutState;
use super::txid::{OutPoint, Txid};
use crate::hotkey::Hotkey;
use crate::ids::PayoutId;
use crate::ledger::{LedgerError, Postings};
use crate::time::Timestamp;
use crate::units::Amount;

/// The note of a payout that is not deep any more.
const REORGED: &str = "it was deep until a reorganisation of the chain; the same transaction is sent again";
/// The note of a payout that was returned and came back.
const REVIVED: &str =
    "its balance was given back, but a reorganisation brought its transaction into the chain";

/// How the note of a payout begins that the wallet sent and the ledger did not know.
pub(super) const ADOPTED: &str = "sent by the wallet while this ledger did not know of it";

/// A payout's transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The transaction's id.
    pub txid: Txid,
    /// The very bytes that are sent, again and again; empty once nobody has to send them any more.
    pub bytes: Vec<u8>,
    /// What it spends.
    pub inputs: Vec<OutPoint>,
    /// What the network takes.
    pub fee: Amount,
}

/// One transaction to miners, from its reservation on; or one miner's balance that was exported for somebody else to send
/// (`marking`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payout {
    /// The payout's number.
    pub id: PayoutId,
    /// Where it is on its way.
    pub state: PayoutState,
    /// When its money was set aside.
    pub reserved_at: Timestamp,
    /// When the network first had it, as far as is known; of an exported one, when it was first marked paid.
    pub sent_at: Option<Timestamp>,
    /// When its state changed last.
    pub changed_at: Timestamp,
    /// Who pays the network's fee.
    pub payer: FeePayer,
    /// What the network is offered.
    pub fee_rate: FeeRate,
    /// Each miner's part.
    pub parts: Vec<Part>,
    /// Its transaction, once it is signed.
    pub signed: Option<Signed>,
    /// The batch that it was exported in, if somebody else sends it.
    pub exported: Option<Exported>,
    /// Its transaction's confirmations when last looked at.
    pub confirmations: u32,
    /// Whether anything can still change.
    pub is_watched: bool,
    /// What is out of the ordinary: why it was given up, returned or is not deep any more; empty otherwise.
    pub note: String,
}

/// A step of a payout. Each is safe to repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transition {
    /// Its transaction is signed. `parts` are the parts with their fees.
    Sign {
        /// The signed transaction, to be stored before it is sent.
        signed: Signed,
        /// Each miner's part of the fee, in the order of the parts.
        fees: Vec<Amount>,
    },
    /// The network has it.
    Send,
    /// This many confirmations.
    Depth(u32),
    /// It is deep, with this many confirmations.
    Confirm(u32),
    /// It was deep, but a reorganisation took it out of the chain or nearer to its end.
    Unconfirm(u32),
    /// Another transaction that spends its inputs is deep, in the words of the note.
    Return(String),
    /// It was given up before it was signed, for the reason of the note.
    Cancel(String),
    /// It was returned, but is in the chain after all.
    Revive(u32),
    /// Nothing about it can change any more.
    Forget,
    /// It was exported, and is marked paid by this payment.
    Pay(PaymentReference),
    /// It was marked paid by this payment, and is no more.
    Unpay(PaymentReference),
}

impl Transition {
    /// The step's name in the books.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sign { .. } => "sign",
            Self::Send => "send",
            Self::Depth(_) => "depth",
            Self::Confirm(_) => "confirm",
            Self::Unconfirm(_) => "unconfirm",
            Self::Return(_) => "return",
            Self::Cancel(_) => "cancel",
            Self::Revive(_) => "revive",
            Self::Forget => "forget",
            Self::Pay(_) => "pay",
            Self::Unpay(_) => "unpay",
        }
    }
}

/// Why a step cannot be taken: the caller does not know the payout's state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransitionError {
    /// Not from this state.
    #[error("payout {id} is {state}: no step {step} from there")]
    Order {
        /// The payout's number.
        id: PayoutId,
        /// The state that it is in.
        state: PayoutState,
        /// The step that was asked for.
        step: &'static str,
    },
    /// It has another transaction.
    #[error("payout {id} has transaction {txid} already")]
    OtherTransaction {
        /// The payout's number.
        id: PayoutId,
        /// The transaction that it has already.
        txid: Txid,
    },
    /// The fees are not those of its parts.
    #[error("payout {id}: {why}")]
    Fees {
        /// The payout's number.
        id: PayoutId,
        /// What does not fit.
        why: &'static str,
    },
    /// It is marked paid by another payment.
    #[error("payout {id} is marked paid by {}", .reference.as_ref().map_or("nothing", PaymentReference::as_str))]
    OtherReference {
        /// The payout's number.
        id: PayoutId,
        /// By which.
        reference: Option<PaymentReference>,
    },
    /// It was marked paid before, so its money may have left.
    #[error("payout {id} was marked paid before: it is not given back any more")]
    WasPaid {
        /// The payout's number.
        id: PayoutId,
    },
    /// The postings do not fit.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// A payout after a step, and what the step books. No postings and the same payout: it was taken before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transitioned {
    /// The payout now.
    pub payout: Payout,
    /// The transfers that the step books.
    pub postings: Postings,
}

impl Payout {
    /// A payout whose money is set aside.
    pub fn reserve(
        id: PayoutId,
        at: Timestamp,
        parts: Vec<Part>,
        payer: FeePayer,
        fee_rate: FeeRate,
    ) -> Self {
        Self {
            id,
            state: PayoutState::Reserved,
            reserved_at: at,
            sent_at: None,
            changed_at: at,
            payer,
            fee_rate,
            parts,
            signed: None,
            exported: None,
            confirmations: 0,
            is_watched: true,
            note: String::new(),
        }
    }

    /// What the wallet sent and the ledger does not know, as the payout that it was. [`Payout::adoption`] books it.
    pub fn adopt(
        id: PayoutId,
        at: Timestamp,
        adopted: super::Adopted,
        fee_rate: FeeRate,
        signed: Signed,
    ) -> Self {
        Self {
            state: PayoutState::Broadcast,
            sent_at: Some(at),
            signed: Some(signed),
            note: ADOPTED.to_owned(),
            ..Self::reserve(id, at, adopted.parts, adopted.payer, fee_rate)
        }
    }

    /// Whether the ledger learnt of it only after it was sent.
    pub fn is_adopted(&self) -> bool {
        self.note.starts_with(ADOPTED)
    }

    /// What is taken from all its miners' balances.
    ///
    /// # Panics
    /// If the parts do not fit an amount, which no reserved payout's do.
    pub fn total(&self) -> Amount {
        let total = Amount::checked_sum(self.parts.iter().map(|part| part.amount));
        total.expect("the parts of a payout are balances, which fit together")
    }

    /// Takes a step. `payable` tells a miner's payable balance, which only [`Transition::Revive`] asks for.
    ///
    /// # Errors
    /// If the step cannot be taken from here.
    pub fn step(
        &self,
        step: &Transition,
        at: Timestamp,
        payable: impl Fn(&Hotkey) -> Amount,
    ) -> Result<Transitioned, TransitionError> {
        use PayoutState::{Broadcast, Cancelled, Confirmed, Reserved, Returned, Signed as IsSigned};
        if let Some(exported) = &self.exported {
            return self.step_exported(step, at, exported);
        }
        let mut next = self.clone();
        let mut postings = Postings::new();
        let same = |payout: Self| {
            Ok(Transitioned {
                payout,
                postings: Postings::new(),
            })
        };
        match (step, self.state) {
            (Transition::Sign { signed, fees }, Reserved) => {
                self.check_fees(signed, fees)?;
                for (part, fee) in next.parts.iter_mut().zip(fees) {
                    part.fee = *fee;
                }
                next.signed = Some(signed.clone());
                next.state = IsSigned;
            }
            (Transition::Sign { signed, .. }, IsSigned | Broadcast | Confirmed | Returned) => {
                return match &self.signed {
                    Some(known) if known.txid == signed.txid => same(next),
                    Some(known) => Err(TransitionError::OtherTransaction {
                        id: self.id,
                        txid: known.txid,
                    }),
                    None => Err(self.out_of_order(step)),
                };
            }
            (Transition::Send, IsSigned) => {
                next.state = Broadcast;
                next.sent_at = self.sent_at.or(Some(at));
            }
            (Transition::Send, Broadcast | Confirmed)
            | (Transition::Confirm(_), Confirmed)
            | (Transition::Unconfirm(_) | Transition::Revive(_), Broadcast)
            | (Transition::Return(_), Returned)
            | (Transition::Cancel(_), Cancelled) => return same(next),
            (Transition::Depth(confirmations), Broadcast | Confirmed) => {
                next.confirmations = *confirmations;
                return same(next);
            }
            (Transition::Confirm(confirmations), Broadcast) => {
                postings = self.confirmation()?;
                next.state = Confirmed;
                next.confirmations = *confirmations;
                if !self.is_adopted() {
                    next.note.clear();
                }
            }
            (Transition::Unconfirm(confirmations), Confirmed) => {
                postings = self.confirmation()?.reversed();
                next.state = Broadcast;
                next.confirmations = *confirmations;
                next.is_watched = true;
                next.note = REORGED.to_owned();
            }
            (Transition::Return(note), IsSigned | Broadcast) => {
                postings = self.giving_back()?;
                for part in &mut next.parts {
                    part.borne = Amount::ZERO;
                }
                next.state = Returned;
                next.confirmations = 0;
                next.note.clone_from(note);
            }
            (Transition::Cancel(note), Reserved) => {
                postings = self.giving_back()?;
                next.state = Cancelled;
                next.is_watched = false;
                next.note.clone_from(note);
            }
            (Transition::Revive(confirmations), Returned) => {
                next.bear(&mut postings, payable)?;
                next.state = Broadcast;
                next.confirmations = *confirmations;
                next.is_watched = true;
                next.note = REVIVED.to_owned();
            }
            (Transition::Forget, Confirmed | Returned) => {
                next.is_watched = false;
                if let Some(signed) = &mut next.signed {
                    signed.bytes.clear();
                }
                return same(next);
            }
            _ => return Err(self.out_of_order(step)),
        }
        next.changed_at = at;
        Ok(Transitioned {
            payout: next,
            postings,
        })
    }

    pub(super) fn out_of_order(&self, step: &Transition) -> TransitionError {
        TransitionError::Order {
            id: self.id,
            state: self.state,
            step: step.name(),
        }
    }

    fn check_fees(&self, signed: &Signed, fees: &[Amount]) -> Result<(), TransitionError> {
        let wrong = |why| Err(TransitionError::Fees { id: self.id, why });
        if fees.len() != self.parts.len() {
            return wrong("each part has one fee");
        }
        if self.parts.iter().zip(fees).any(|(part, fee)| *fee > part.amount) {
            return wrong("a fee is more than its part");
        }
        let borne = Amount::checked_sum(fees.iter().copied());
        match (self.payer, borne) {
            (FeePayer::Pool, Some(Amount::ZERO)) => Ok(()),
            (FeePayer::Pool, _) => wrong("the pool pays the fee, so no part bears any"),
            // Change too small to keep goes to the network too, and that was the pool's.
            (FeePayer::Miners, Some(borne)) if borne <= signed.fee => Ok(()),
            (FeePayer::Miners, _) => wrong("the parts bear more than the fee"),
        }
    }
}
