//! Why the pool does not do what it was asked: one list for all who ask and all who answer.
//!
//! An actor answers `Result<T, Refusal>`, and whoever asked on somebody's behalf hands the refusal on as it is. Each way
//! in (HTTP, JSON-RPC, Stratum) has one place that puts refusals into its own codes and words.

use crate::address::ParseAddressError;
use crate::miners::ForeignName;
use crate::payouts::BatchFault;
use crate::time::Span;
use crate::units::Amount;

/// Why the pool does not do what it was asked. Nothing was changed, but for [`Refusal::Unavailable`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The hotkey is not registered.
    MinerUnknown,
    /// The miner is banned.
    Banned {
        /// Why, in the operator's words.
        reason: String,
    },
    /// The operator takes no new miners.
    RegistrationClosed,
    /// The pool has as many miners as it may, and all have work.
    PoolFull,
    /// Payout addresses have as much of the pool's room as they may, and all have work.
    AddressesFull,
    /// Too many new miners came from the same place.
    TooManyNew {
        /// After which time one more may come.
        try_again: Span,
    },
    /// The worker's name stands for a hotkey that is not the miner's.
    WorkerForeign(ForeignName),
    /// The payout address is none of this chain.
    PayoutAddressInvalid(ParseAddressError),
    /// The payout threshold is below what can be paid.
    PayoutThresholdInvalid {
        /// The least that is right.
        least: Amount,
    },
    /// A signed request is meant for another pool.
    WrongReceiver,
    /// A signed request's nonce is too old or too far ahead.
    StaleRequest,
    /// The signature is not the sender's over the request.
    SignatureInvalid,
    /// A signed request's nonce was used before.
    Replayed,
    /// The caller is no admin.
    Forbidden,
    /// There is no such actor, or it has no such message.
    ControlUnknown {
        /// What is unknown.
        what: UnknownControl,
        /// Those that there are.
        known: Vec<&'static str>,
    },
    /// A field of a control message is missing, unknown or wrong.
    ControlFieldInvalid {
        /// Which.
        field: String,
        /// What would be right.
        detail: String,
    },
    /// The actor cannot do it in its present state.
    ControlRefused(String),
    /// An order about a batch of payouts does not fit it.
    Batch(BatchFault),
    /// The operator paused the pool, or it is stopping.
    Paused,
    /// The chain gives no work, or the operator paused the pool.
    NoWork,
    /// The jobs of live templates have every extranonce that there is. When the oldest is over, there are some.
    NoExtranonce,
    /// Most shares of the worker were wrong lately, so it is kept out for a while.
    KeptOut {
        /// How long it still is.
        try_again: Span,
    },
    /// The miner holds as much of the room for live shares as one may; nobody else is kept out.
    MinerFull,
    /// As much of the miner's work waits to be evaluated as may.
    TooMuchWaits {
        /// How many submissions that is.
        limit: usize,
    },
    /// A queue is full, or a client has its share of what there is.
    Busy,
    /// The ledger cannot be written, or there was no answer in time: whether it was done is unknown, and repeating is
    /// safe.
    Unavailable,
}

/// What a control message names that there is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownControl {
    /// The actor.
    Actor,
    /// The actor's message.
    Message,
}

impl UnknownControl {
    /// The field that names it.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Actor => "actor",
            Self::Message => "message",
        }
    }
}

/// What whoever was refused must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalAction {
    /// Answer it: the same again would be refused again.
    Answer,
    /// Try again: at the earliest after this time, or before long if there is none.
    RetryAfter(Option<Span>),
    /// Stop: who is not welcome has no place here, and a session of it ends.
    Stop,
}

impl Refusal {
    /// What whoever was refused must do.
    pub const fn action(&self) -> RefusalAction {
        match self {
            Self::MinerUnknown | Self::Banned { .. } => RefusalAction::Stop,
            Self::RegistrationClosed
            | Self::PoolFull
            | Self::AddressesFull
            | Self::WorkerForeign(_)
            | Self::PayoutAddressInvalid(_)
            | Self::PayoutThresholdInvalid { .. }
            | Self::WrongReceiver
            | Self::StaleRequest
            | Self::SignatureInvalid
            | Self::Replayed
            | Self::Forbidden
            | Self::ControlUnknown { .. }
            | Self::ControlFieldInvalid { .. }
            | Self::ControlRefused(_)
            | Self::Batch(_) => RefusalAction::Answer,
            Self::TooManyNew { try_again } | Self::KeptOut { try_again } => {
                RefusalAction::RetryAfter(Some(*try_again))
            }
            Self::Paused
            | Self::NoWork
            | Self::NoExtranonce
            | Self::MinerFull
            | Self::TooMuchWaits { .. }
            | Self::Busy
            | Self::Unavailable => RefusalAction::RetryAfter(None),
        }
    }

    /// Whether the miner itself is not welcome, whatever it asks for.
    pub const fn is_of_miner(&self) -> bool {
        matches!(self.action(), RefusalAction::Stop)
    }
}
