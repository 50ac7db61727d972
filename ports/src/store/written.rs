//! What the store answers to each write.

use dwarves_domain::blocks::BlockState;
use dwarves_domain::evaluation::SubmissionId;
use dwarves_domain::ids::Sequence;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Units;

/// The answer to one [`Write`](super::Write).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// Done, or done before.
    Done,
    /// The shares' first sequence (they are numbered on from it) and the total of units after the last.
    Shares {
        /// The first share's number.
        first: Sequence,
        /// Units of all shares up to and including the last.
        total: Units,
    },
    /// The header is stored.
    Candidate {
        /// What is known of the block.
        state: BlockState,
        /// How deep it is: 1 in the tip, 0 off the best chain.
        confirmations: u32,
    },
    /// The miner is registered.
    Miner {
        /// Whether it is new.
        is_new: bool,
        /// When it was first registered.
        registered_at: Timestamp,
        /// Where its payouts go.
        payout_address: Option<String>,
    },
    /// The submission is stored, or was before.
    Submission {
        /// Its name: that of the one that was stored before, if it was.
        id: SubmissionId,
        /// Whether it is new.
        is_new: bool,
    },
    /// The miner is not registered: nothing was written.
    NoMiner,
    /// The nonce was used before: nothing was written for it.
    NonceUsed,
    /// A miner has less than its part of the payout: nothing was set aside.
    PayoutRefused,
    /// It is not stored yet, because the disk takes nothing: the ledger keeps it and stores it before anything else. No
    /// store answers this; the ledger does, for orders of operators that must hold at once.
    Kept,
    /// The miner is owed something, or a payout to it may still change: it was not removed.
    MinerKept,
    /// The miner has as many watch tokens as it may.
    WatchesFull,
    /// The miner has no such watch token.
    WatchUnknown,
}
