//! Why something is not done, as the owners of miners and work say it to sessions.

use dwarves_domain::miners::ForeignName;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::time::Span;

use crate::words::Refused;

/// What is said of a refusal. Those that nobody says to a session become the one that says least.
pub(crate) fn said(refusal: Refusal) -> Refused {
    match refusal {
        Refusal::MinerUnknown => Refused::MinerUnknown,
        Refusal::Banned { reason } => Refused::Banned(reason),
        Refusal::RegistrationClosed => Refused::RegistrationClosed,
        Refusal::PoolFull => Refused::PoolFull,
        Refusal::AddressesFull => Refused::AddressesFull,
        Refusal::TooManyNew { try_again } => Refused::TooManyNew(try_again.millis()),
        Refusal::WorkerForeign(ForeignName::NotBound) => Refused::WorkerNotBound,
        Refusal::WorkerForeign(ForeignName::Shared) => Refused::WorkerShared,
        Refusal::Paused => Refused::Paused,
        Refusal::NoWork => Refused::NoWork,
        Refusal::NoExtranonce => Refused::NoExtranonce,
        Refusal::MinerFull => Refused::MinerFull,
        Refusal::Busy => Refused::Busy,
        Refusal::Unavailable => Refused::Unavailable,
        Refusal::PayoutAddressInvalid(_)
        | Refusal::PayoutThresholdInvalid { .. }
        | Refusal::WrongReceiver
        | Refusal::StaleRequest
        | Refusal::SignatureInvalid
        | Refusal::Replayed
        | Refusal::Forbidden
        | Refusal::ControlUnknown { .. }
        | Refusal::ControlFieldInvalid { .. }
        | Refusal::ControlRefused(_)
        | Refusal::Batch(_)
        | Refusal::KeptOut { .. }
        | Refusal::TooMuchWaits { .. } => {
            log::error!("the link does not know how to say this refusal: {refusal:?}");
            Refused::Unavailable
        }
    }
}

/// The refusal of which this is said.
pub(crate) fn heard(refused: Refused) -> Refusal {
    match refused {
        Refused::MinerUnknown => Refusal::MinerUnknown,
        Refused::Banned(reason) => Refusal::Banned { reason },
        Refused::RegistrationClosed => Refusal::RegistrationClosed,
        Refused::PoolFull => Refusal::PoolFull,
        Refused::AddressesFull => Refusal::AddressesFull,
        Refused::TooManyNew(millis) => Refusal::TooManyNew {
            try_again: Span::from_millis(millis),
        },
        Refused::WorkerNotBound => Refusal::WorkerForeign(ForeignName::NotBound),
        Refused::WorkerShared => Refusal::WorkerForeign(ForeignName::Shared),
        Refused::Paused => Refusal::Paused,
        Refused::NoWork => Refusal::NoWork,
        Refused::NoExtranonce => Refusal::NoExtranonce,
        Refused::MinerFull => Refusal::MinerFull,
        Refused::Busy => Refusal::Busy,
        Refused::Unavailable => Refusal::Unavailable,
    }
}
