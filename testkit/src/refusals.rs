//! One of each refusal, for tables over all of them.

use std::collections::HashSet;

use dwarves_domain::address::ParseAddressError;
use dwarves_domain::miners::ForeignName;
use dwarves_domain::payouts::BatchFault;
use dwarves_domain::refusal::{Refusal, UnknownControl};
use dwarves_domain::time::Span;
use dwarves_domain::units::Amount;

/// One of each refusal; those with a time to wait say 61 seconds.
///
/// # Panics
/// If one is missing.
pub fn every() -> Vec<Refusal> {
    let try_again = Span::from_secs(61);
    let text = || "why".to_owned();
    let all = vec![
        Refusal::MinerUnknown,
        Refusal::Banned { reason: text() },
        Refusal::RegistrationClosed,
        Refusal::PoolFull,
        Refusal::AddressesFull,
        Refusal::TooManyNew { try_again },
        Refusal::WorkerForeign(ForeignName::NotBound),
        Refusal::PayoutAddressInvalid(ParseAddressError::NotAnAddress { expected: "1" }),
        Refusal::PayoutThresholdInvalid { least: Amount::ZERO },
        Refusal::WrongReceiver,
        Refusal::StaleRequest,
        Refusal::SignatureInvalid,
        Refusal::Replayed,
        Refusal::Forbidden,
        Refusal::ControlUnknown {
            what: UnknownControl::Actor,
            known: vec!["one"],
        },
        Refusal::ControlFieldInvalid {
            field: text(),
            detail: text(),
        },
        Refusal::ControlRefused(text()),
        Refusal::Batch(BatchFault::NothingDue),
        Refusal::Paused,
        Refusal::NoWork,
        Refusal::NoExtranonce,
        Refusal::KeptOut { try_again },
        Refusal::MinerFull,
        Refusal::TooMuchWaits { limit: 4 },
        Refusal::Busy,
        Refusal::Unavailable,
    ];
    // A new one is missing here, and then in the list.
    let count = |refusal: &Refusal| match refusal {
        Refusal::MinerUnknown
        | Refusal::Banned { .. }
        | Refusal::RegistrationClosed
        | Refusal::PoolFull
        | Refusal::AddressesFull
        | Refusal::TooManyNew { .. }
        | Refusal::WorkerForeign(_)
        | Refusal::PayoutAddressInvalid(_)
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
        | Refusal::Paused
        | Refusal::NoWork
        | Refusal::NoExtranonce
        | Refusal::KeptOut { .. }
        | Refusal::MinerFull
        | Refusal::TooMuchWaits { .. }
        | Refusal::Busy
        | Refusal::Unavailable => 26,
    };
    let kinds: HashSet<_> = all.iter().map(std::mem::discriminant).collect();
    assert_eq!((all.len(), kinds.len()), (count(&all[0]), all.len()));
    all
}
