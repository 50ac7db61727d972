//! Why a standby may not answer.

use crate::error::{Fail, words};

/// Why a standby may not answer, in words that follow its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WhyNot {
    /// Nobody answers, or nobody is let in.
    #[error("does not answer: {0}")]
    Silent(String),
    /// It has not been looked at yet.
    #[error("was not looked at yet")]
    Unknown,
    /// A server that follows nobody.
    #[error(
        "is no standby: it was promoted, or is the primary itself; store.read_url must lead to a standby"
    )]
    Promoted,
    /// A copy of another server.
    #[error(
        "is a standby of another server (its system identifier is {found}, the primary's {primary}); store.read_url must \
         lead to a standby of store.url"
    )]
    OtherSystem {
        /// The number of its server.
        found: u64,
        /// The number of the primary.
        primary: u64,
    },
    /// A database of the same server that is not the ledger's.
    #[error(
        "is of another database, or of other tables, than the ledger's; store.read_url must name the database of store.url"
    )]
    OtherDatabase,
    /// Tables of another version.
    #[error(
        "has tables of version {found}, the primary of version {primary}; it follows as soon as it replays them"
    )]
    OtherSchema {
        /// The version of its tables.
        found: u32,
        /// The version of the primary's.
        primary: u32,
    },
    /// It follows another primary.
    #[error(
        "has what the primary has not: it follows another server, such as a primary that was given up; make it anew \
         (pg_rewind, pg_basebackup)"
    )]
    Ahead,
    /// It is too far behind.
    #[error("is {behind} s behind, more than store.read_lag_max_secs = {most}")]
    Late {
        /// By how much it is behind at least, s.
        behind: u64,
        /// What it may be, s.
        most: u64,
    },
    /// Nobody can say how far it is behind.
    #[error("cannot be compared with the primary, which does not say how far it is: {0}")]
    NoPrimary(String),
}

impl WhyNot {
    /// What it means that the standby cannot be asked.
    pub(super) fn failed(fail: Fail) -> Self {
        Self::Silent(in_words(fail))
    }

    /// What it means that the primary cannot be asked.
    pub(super) fn no_primary(fail: Fail) -> Self {
        Self::NoPrimary(in_words(fail))
    }

    /// Whether it is the same reason, whatever its figures and words.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

fn in_words(fail: Fail) -> String {
    match fail {
        Fail::Sql(error) => words(&error),
        Fail::Store(error) => error.to_string(),
    }
}
