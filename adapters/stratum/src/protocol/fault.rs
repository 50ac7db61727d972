//! The errors, with the codes and texts that mining software and proxies match.

use std::borrow::Cow;

use dwarves_domain::login::{LoginError, minutes};
use dwarves_domain::miners::ForeignName;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::Rejection;
use dwarves_domain::time::Span;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Whatever has no code of its own, in words.
    Other(&'static str),
    /// The job is none of this session's.
    JobNotFound,
    /// The job is over.
    Stale,
    /// The share was accepted before.
    Duplicate,
    /// The hash is above the job's target.
    LowDifficulty,
    /// The worker is not authorized, or may not be.
    Unauthorized(&'static str),
    /// The user name is none that the pool takes.
    Login(LoginError),
    /// The worker is kept out, because most of its shares were refused.
    KeptOut {
        /// After which time it may come again.
        try_again: Span,
    },
    /// There was no `mining.subscribe`.
    NotSubscribed,
}

impl Fault {
    /// A worker that never authorized in this session.
    pub const UNAUTHORIZED: Self = Self::Unauthorized("Unauthorized worker");
    /// Nobody can be asked now.
    pub const POOL_BUSY: Self = Self::Other("The pool is busy, please try again");

    /// The code in the answer.
    pub const fn code(self) -> u8 {
        match self {
            Self::Other(_) => 20,
            Self::JobNotFound | Self::Stale => 21,
            Self::Duplicate => 22,
            Self::LowDifficulty => 23,
            Self::Unauthorized(_) | Self::Login(_) | Self::KeptOut { .. } => 24,
            Self::NotSubscribed => 25,
        }
    }

    /// The text in the answer. Plain ASCII without quotes, so that it stands in JSON as it is.
    pub fn text(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Other(text) | Self::Unauthorized(text) => text,
            Self::JobNotFound => "Job not found",
            Self::Stale => "Stale share",
            Self::Duplicate => "Duplicate share",
            Self::LowDifficulty => "Low difficulty share",
            Self::NotSubscribed => "Not subscribed",
            Self::Login(error) => return Cow::Owned(error.to_string()),
            Self::KeptOut { try_again } => {
                return Cow::Owned(format!(
                    "Unauthorized worker: most of its shares were refused, please check it and try again in {}",
                    minutes(try_again)
                ));
            }
        })
    }
}

impl From<LoginError> for Fault {
    fn from(error: LoginError) -> Self {
        Self::Login(error)
    }
}

impl From<Rejection> for Fault {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::UnknownJob | Rejection::OtherWorker => Self::JobNotFound,
            Rejection::Stale | Rejection::JobFull { .. } => Self::Stale,
            Rejection::Duplicate(_) => Self::Duplicate,
            Rejection::LowDifficulty => Self::LowDifficulty,
            Rejection::TimeOutOfRange => Self::Other("Ntime out of range"),
            Rejection::VersionOutOfMask => Self::Other("Invalid version mask"),
        }
    }
}

/// In words that tell what would be right.
impl From<&Refusal> for Fault {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::MinerUnknown => {
                Self::Unauthorized("Unauthorized worker: this hotkey is not registered at this pool")
            }
            Refusal::Banned { .. } => Self::Unauthorized("Unauthorized worker: this miner is banned"),
            Refusal::RegistrationClosed => {
                Self::Unauthorized("Unauthorized worker: the pool takes no new miners")
            }
            Refusal::PoolFull => {
                Self::Unauthorized("Unauthorized worker: the pool has no room for new miners")
            }
            Refusal::AddressesFull => Self::Unauthorized(
                "Unauthorized worker: the pool has no room for new addresses, please register a hotkey",
            ),
            Refusal::WorkerForeign(ForeignName::NotBound) => Self::Unauthorized(
                "Unauthorized worker: its name stands for the hotkey of another miner, which is not registered with this address",
            ),
            Refusal::WorkerForeign(ForeignName::Shared) => Self::Unauthorized(
                "Unauthorized worker: several hotkeys have this suffix, please name the whole hotkey",
            ),
            Refusal::TooManyNew { try_again } => Self::Login(LoginError::TooManyNew {
                try_again: *try_again,
            }),
            Refusal::KeptOut { try_again } => Self::KeptOut {
                try_again: *try_again,
            },
            Refusal::Paused => Self::Other("The pool is paused, please try again later"),
            Refusal::NoWork => Self::Other("There is no work, please try again later"),
            Refusal::NoExtranonce | Refusal::Busy => Self::POOL_BUSY,
            Refusal::MinerFull => {
                Self::Other("This miner has as many live shares as one may have, please try again")
            }
            Refusal::Unavailable => {
                Self::Other("The pool cannot store anything right now, please try again later")
            }
            // Nobody signs, registers, orders or has anything evaluated over Stratum.
            Refusal::TooMuchWaits { .. }
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
            | Refusal::Batch(_) => Self::Other("Not supported"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_a_text_that_stands_in_json_as_it_is() {
        for refusal in dwarves_testkit::refusals::every() {
            let text = Fault::from(&refusal).text().into_owned();
            let is_plain = |byte: u8| byte.is_ascii() && byte != b'"' && byte != b'\\';
            assert!(!text.is_empty() && text.bytes().all(is_plain), "{refusal:?}");
        }
    }

    #[test]
    fn who_is_kept_out_is_told_why_and_for_how_long() {
        let fault = Fault::KeptOut {
            try_again: Span::from_secs(61),
        };
        assert_eq!(fault.code(), 24);
        let said = "Unauthorized worker: most of its shares were refused, please check it and try again in 2 minutes";
        assert_eq!(fault.text(), said);
    }

    #[test]
    fn who_must_wait_is_told_for_how_long() {
        let text = |millis| {
            let fault = Fault::Login(LoginError::TooManyNew {
                try_again: Span::from_millis(millis),
            });
            assert_eq!(fault.code(), 24);
            fault.text().into_owned()
        };
        let said = "Unauthorized worker: too many new addresses from here, please try again in ";
        for (millis, wait) in [
            (1, "1 minute"),
            (60_000, "1 minute"),
            (61_000, "2 minutes"),
            (3_600_000, "60 minutes"),
        ] {
            assert_eq!(text(millis), format!("{said}{wait}"));
        }
        assert!(
            text(1)
                .bytes()
                .all(|byte| byte.is_ascii() && byte != b'"' && byte != b'\\')
        );
    }
}
