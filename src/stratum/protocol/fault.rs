//! The errors, with the codes and texts that mining software and proxies match.

use dwarves_domain::share::Rejection;

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
    /// There was no `mining.subscribe`.
    NotSubscribed,
}

impl Fault {
    /// A worker that never authorized in this session.
    pub const UNAUTHORIZED: Self = Self::Unauthorized("Unauthorized worker");

    /// The code in the answer.
    pub const fn code(self) -> u8 {
        match self {
            Self::Other(_) => 20,
            Self::JobNotFound | Self::Stale => 21,
            Self::Duplicate => 22,
            Self::LowDifficulty => 23,
            Self::Unauthorized(_) => 24,
            Self::NotSubscribed => 25,
        }
    }

    /// The text in the answer. Plain ASCII without quotes, so that it stands in JSON as it is.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Other(text) | Self::Unauthorized(text) => text,
            Self::JobNotFound => "Job not found",
            Self::Stale => "Stale share",
            Self::Duplicate => "Duplicate share",
            Self::LowDifficulty => "Low difficulty share",
            Self::NotSubscribed => "Not subscribed",
        }
    }
}

impl From<Rejection> for Fault {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::UnknownJob => Self::JobNotFound,
            Rejection::Stale => Self::Stale,
            Rejection::Duplicate(_) => Self::Duplicate,
            Rejection::LowDifficulty => Self::LowDifficulty,
            Rejection::TimeOutOfRange => Self::Other("Ntime out of range"),
            Rejection::VersionOutOfMask => Self::Other("Invalid version mask"),
        }
    }
}
