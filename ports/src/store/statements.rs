//! Statements of work: which epoch is open, which one waits for its statement, and those that were made.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::Sequence;
use dwarves_domain::statements::{Epoch, EpochId, StatementDigest};

/// How far the statements are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EpochsState {
    /// The epoch that is open; `None`: no statements are made.
    pub open: Option<OpenEpoch>,
    /// The epoch that has ended and is not stated yet: the one before the open one.
    pub ended: Option<EndedEpoch>,
    /// The last statement: its epoch and its digest.
    pub last: Option<(Epoch, StatementDigest)>,
}

/// An epoch that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenEpoch {
    /// When it began.
    pub start: EpochId,
    /// The last share before it.
    pub after: Sequence,
}

/// An epoch whose shares are known: none can come any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedEpoch {
    /// From when to when it was.
    pub epoch: Epoch,
    /// The last share before it.
    pub after: Sequence,
    /// Its last share.
    pub through: Sequence,
}

/// What a list says of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementHead {
    /// The epoch with its shares.
    pub ended: EndedEpoch,
    /// The digest of its text.
    pub digest: StatementDigest,
    /// That of the statement before; `None`: it is the first.
    pub previous: Option<StatementDigest>,
    /// Who signed it: the pool's own hotkey of that time.
    pub signer: Hotkey,
    /// The sr25519 signature of its text.
    pub signature: [u8; 64],
}

/// A statement as it was signed. It never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementRow {
    /// What lists say of it.
    pub head: StatementHead,
    /// Its text, byte for byte.
    pub text: String,
}
