//! What went wrong in the store, and what must happen.

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StoreErrorKind {
    /// The write contradicts what is stored (a round closed with another content, say).
    Conflict,
    /// Nothing was written and it may work later: the disk is full, or the store's queue is.
    Unavailable,
    /// Whether it was written is not known.
    Unknown,
    /// What is stored breaks an invariant, or cannot be read.
    Corrupt,
}

/// What must happen after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StoreAction {
    /// Tell the asker; the pool goes on.
    Answer,
    /// Nothing is lost; do it again later.
    Retry,
    /// Stop the process: only a start from the store shows what is true.
    Stop,
}

/// A failure of the store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct StoreError {
    kind: StoreErrorKind,
    detail: String,
}

impl StoreError {
    /// A failure of this kind; `detail` is for the log.
    pub fn new(kind: StoreErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
        }
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// What whoever gets the error must do.
    pub fn action(&self) -> StoreAction {
        match self.kind {
            StoreErrorKind::Conflict | StoreErrorKind::Unknown | StoreErrorKind::Corrupt => StoreAction::Stop,
            StoreErrorKind::Unavailable => StoreAction::Retry,
        }
    }
}
