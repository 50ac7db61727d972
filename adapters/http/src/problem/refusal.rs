//! What actors refuse, in the codes and words of HTTP.

use dwarves_actors::handlers::watches::messages::WatchRefused;
use dwarves_domain::payouts::BatchFault;
use dwarves_domain::refusal::Refusal;

use super::{Code, Problem};
use crate::headers::{NONCE, RECEIVER, SIGNATURE};

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::MinerUnknown => Self::miner_unknown(),
            Refusal::Banned { reason } => Self::new(Code::Banned, format!("this miner is banned: {reason}")),
            Refusal::RegistrationClosed => Self::new(
                Code::RegistrationClosed,
                "the operator takes no new miners right now",
            ),
            Refusal::PoolFull => Self::new(
                Code::RegistrationClosed,
                "the pool has as many miners as it may",
            ),
            Refusal::AddressesFull => Self::new(
                Code::RegistrationClosed,
                "this address is new, and the pool has no room for more of them; register a hotkey",
            ),
            Refusal::WorkerForeign(why) => {
                Self::new(Code::WorkerForeign, format!("worker: {why}")).of_field("worker")
            }
            Refusal::TooManyNew { try_again } => Self::too_many_new(try_again),
            Refusal::PayoutAddressInvalid(error) => Self::new(
                Code::PayoutAddressInvalid,
                format!("payout_address: {error}"),
            )
            .of_field("payout_address"),
            Refusal::PayoutThresholdInvalid { least } => Self::threshold_invalid(&format!(
                "at least {least}: less would be dust, or below what the operator allows; 0 takes the pool's own"
            )),
            Refusal::WrongReceiver => Self::new(
                Code::WrongReceiver,
                format!("{RECEIVER}: expected this pool's hotkey"),
            )
            .of_field(RECEIVER.as_str()),
            Refusal::StaleRequest => Self::new(
                Code::StaleRequest,
                "the nonce is too old or too far ahead; sign with the present time, and set the machine's clock",
            )
            .of_field(NONCE.as_str()),
            Refusal::SignatureInvalid => Self::new(
                Code::SignatureInvalid,
                "the signature is not this hotkey's over method, path, body, nonce, sender and receiver as sent",
            )
            .of_field(SIGNATURE.as_str()),
            Refusal::Replayed => Self::new(
                Code::Replayed,
                "this nonce was used before; every signed request needs a new one",
            )
            .of_field(NONCE.as_str()),
            Refusal::Forbidden => Self::new(
                Code::Forbidden,
                "this hotkey is not among the admin hotkeys of the pool's configuration",
            ),
            Refusal::ControlUnknown { what, known } => {
                let field = what.field();
                let detail = format!("{field}: expected one of {}", known.join(", "));
                Self::new(Code::ControlUnknown, detail).of_field(field)
            }
            Refusal::ControlFieldInvalid { field, detail } => {
                Self::new(Code::ControlFieldInvalid, format!("{field}: {detail}")).of_field(&field)
            }
            Refusal::ControlRefused(detail) => Self::new(Code::ControlRefused, detail),
            Refusal::Batch(fault) => fault.into(),
            Refusal::Paused => Self::new(Code::Paused, "the operator paused the pool"),
            Refusal::NoWork => Self::new(
                Code::NoWork,
                "the chain gives no work right now, or the operator paused the pool",
            ),
            Refusal::KeptOut { try_again } => Self::kept_out(try_again),
            Refusal::MinerFull => Self::new(
                Code::Busy,
                "this miner has as many live shares as one may have (limits.recent_shares_per_miner_percent); \
                 fetch new work, which is harder, and try again",
            ),
            Refusal::TooMuchWaits { limit } => Self::new(
                Code::TooMuchWaits,
                format!(
                    "{limit} submissions of this miner wait to be evaluated, as many as may \
                     (evaluator.waiting_per_miner); try again when one is done"
                ),
            ),
            Refusal::NoExtranonce | Refusal::Busy => Self::busy(),
            Refusal::Unavailable => Self::unavailable(),
        }
    }
}

impl From<BatchFault> for Problem {
    fn from(fault: BatchFault) -> Self {
        let (code, field) = match &fault {
            BatchFault::Unknown => (Code::BatchUnknown, "batch"),
            BatchFault::PayoutUnknown { .. } => (Code::PayoutUnknown, "payouts"),
            BatchFault::NothingDue => (Code::NothingDue, ""),
            BatchFault::AlreadyPaid { .. } => (Code::AlreadyPaid, "reference"),
            BatchFault::OtherReference { .. } => (Code::OtherReference, "reference"),
            BatchFault::WasPaid { .. } => (Code::WasPaid, "payouts"),
            BatchFault::GivenBack { .. } => (Code::GivenBack, "payouts"),
        };
        let problem = Self::new(code, fault.to_string());
        match field {
            "" => problem,
            field => problem.of_field(field),
        }
    }
}

impl From<WatchRefused> for Problem {
    fn from(refused: WatchRefused) -> Self {
        match refused {
            WatchRefused::Full => Self::new(
                Code::WatchesFull,
                "this miner has as many watch tokens as it may; take one back, or wait until one is over",
            ),
            WatchRefused::Unknown => Self::new(
                Code::WatchUnknown,
                "id: this miner has no watch token with this number",
            )
            .of_field("id"),
            WatchRefused::Other(refusal) => refusal.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;
    use actix_web::http::header::RETRY_AFTER;
    use dwarves_domain::refusal::RefusalAction;
    use dwarves_testkit::refusals;

    use super::*;

    #[test]
    fn whoever_must_try_again_is_told_after_which_time_and_nobody_else_is() {
        for refusal in refusals::every() {
            let action = refusal.action();
            let response = Problem::from(refusal.clone()).error_response();
            let told = response.headers().get(RETRY_AFTER);
            match action {
                RefusalAction::RetryAfter(Some(_)) => assert_eq!(told.unwrap(), "61", "{refusal:?}"),
                RefusalAction::RetryAfter(None) => assert!(told.is_some(), "{refusal:?}"),
                RefusalAction::Answer | RefusalAction::Stop => assert_eq!(told, None, "{refusal:?}"),
            }
        }
    }
}
