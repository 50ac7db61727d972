//! The closing of a reward round: what happened since the last one becomes credits and postings.
//!
//! It is a pure function, and the order of its input does not matter, so a round that is closed again after a
//! crash comes to the same postings and the same digest. The store applies both at once, under the round's id.
//!
//! | what happened | `pplns`, `proportional`, `solo` | `pps`, `fpps`, and source `emission` |
//! |---|---|---|
//! | a block was accepted | chain → immature fee, immature miners | chain → immature reserve |
//! | a block matured | immature → fee, reserve, payable | the same |
//! | an immature block was orphaned | the exact opposite of its crediting | the same |
//! | a mature block was orphaned | reserve → chain, all of it | the same |
//! | an orphan came back | the opposite of its orphaning | the same |
//! | shares were accepted | (paid by blocks) | `pps`, `fpps`: reserve → payable |
//! | the round's emission | | emission → fee, payable |
//!
//! **A block's reward that nobody worked for**, after the fee, is kept: it goes to the reserve. **An emission that nobody
//! worked for** is not issued: it is carried to the next round or burnt, as [`Unearned`] says, without a fee and without
//! postings ([`emission`]).
//! **A mature block that is orphaned** (a reorganisation deeper than the chain's maturity) takes nothing from
//! miners: what is payable may already have been paid, and a balance that was free to be paid is never taken
//! back. The loss is the reserve's, that is the operator's. So the ledger needs no balances to close a round,
//! and a payout that happens meanwhile changes nothing.

use std::collections::BTreeMap;

use crate::hotkey::Hotkey;
use crate::ids::{HeaderHash, RoundId};
use crate::ledger::{LedgerError, Postings};
use crate::rewards::pps::{PpsError, ShareValue};
use crate::rewards::split::{Credit, RoundCredit};
use crate::rewards::weights::{WeightOverflow, Weights};
use crate::rewards::{Scheme, Source};
use crate::time::Timestamp;
use crate::units::{Amount, BasisPoints};

mod closing;
mod digest;
pub mod emission;
mod settling;
mod workings;

pub use closing::close;
pub use emission::{Emission, Emitted, Unearned};
pub use workings::{PaidWork, Workings};

/// A block that the network accepted since the last round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockReward {
    /// The block's hash.
    pub hash: HeaderHash,
    /// The block's height.
    pub height: u32,
    /// What its coinbase pays the pool: subsidy and fees.
    pub reward: Amount,
    /// The miner whose share it was; `None` if that was lost in a crash, which `solo` then keeps.
    pub finder: Option<Hotkey>,
    /// The work that the block pays, as the scheme has it: the window for `pplns`, the stretch for
    /// `proportional`. `solo` pays the finder whatever is here and shows the finder's work; the others ignore it.
    pub weights: Weights,
}

/// A block and what it was split into when it was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledBlock {
    /// The block's hash.
    pub hash: HeaderHash,
    /// The block's height.
    pub height: u32,
    /// The pool's fee.
    pub fee: Amount,
    /// What the reserve got.
    pub kept: Amount,
    /// What miners were credited.
    pub credits: Vec<Credit>,
}

/// A credited block that is no longer in the best chain, or that came back to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrphanedBlock {
    /// What it was split into.
    pub settled: SettledBlock,
    /// Whether a round had made its credits payable before it was orphaned. If such a block comes back, it
    /// is mature at once and does not mature again.
    pub was_mature: bool,
}

/// All that happened since the last round. A block is in at most one of the lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundInput {
    /// The number of the round that closes.
    pub id: RoundId,
    /// When it was due.
    pub closed_at: Timestamp,
    /// How blocks or shares are paid.
    pub scheme: Scheme,
    /// The pool's fee.
    pub fee: BasisPoints,
    /// Where the reward comes from.
    pub source: Source,
    /// Blocks newly accepted.
    pub accepted: Vec<BlockReward>,
    /// Blocks that are now deep enough to be spent.
    pub matured: Vec<SettledBlock>,
    /// Blocks that dropped out of the best chain.
    pub orphaned: Vec<OrphanedBlock>,
    /// Orphaned blocks that came back; `was_mature` as it was when they were orphaned.
    pub returned: Vec<OrphanedBlock>,
    /// Work since the last round, if the source is blocks and the scheme `pps` or `fpps`; else none.
    pub shares: Vec<ShareValue>,
    /// What the round before carried, over [`DENOMINATOR`](crate::rewards::pps::DENOMINATOR).
    pub carried: BTreeMap<Hotkey, u128>,
    /// What is emitted and the work it pays, if the source is emission; else none.
    pub emission: Option<Emission>,
}

/// A round as it is applied to the ledger. `reward = fee + kept + credited`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedRound {
    /// The number of the round that closed.
    pub id: RoundId,
    /// When it was due.
    pub closed_at: Timestamp,
    /// How blocks or shares were paid.
    pub scheme: Scheme,
    /// Where the reward came from.
    pub source: Source,
    /// What was split: the accepted blocks' rewards; for `pps` and `fpps` the worth of the shares; for the
    /// source emission the amount emitted.
    pub reward: Amount,
    /// The pool's fee. With `pps` and `fpps` it stays in the reserve, as the price of the risk; else it goes to
    /// the pool's fee accounts.
    pub fee: Amount,
    /// What the reserve got because nobody had worked.
    pub kept: Amount,
    /// What became of the round's emission, if the source is emission.
    pub emitted: Option<Emitted>,
    /// What miners got, the sum of `credits`.
    pub credited: Amount,
    /// Every miner whose work was paid, in the order of hotkeys.
    pub credits: Vec<RoundCredit>,
    /// The accepted blocks and what each was split into, by height and hash.
    pub blocks: Vec<SettledBlock>,
    /// Blocks that this round made spendable, by height and hash.
    pub matured: Vec<HeaderHash>,
    /// Blocks that this round took back, by height and hash.
    pub orphaned: Vec<HeaderHash>,
    /// Blocks that this round credited again, by height and hash.
    pub returned: Vec<HeaderHash>,
    /// What is carried to the next round, over [`DENOMINATOR`](crate::rewards::pps::DENOMINATOR): all of it, also what did not change.
    pub carried: BTreeMap<Hotkey, u128>,
    /// The movements of money.
    pub postings: Postings,
    /// How it came to its credits. Not part of the digest: the rest follows from it.
    pub workings: Workings,
    /// SHA-256 of all of the above but the workings; see [`ClosedRound::digest_of`].
    pub digest: [u8; 32],
}

/// Why a round cannot be closed. Each of these is an inconsistent store or setting, not a matter of luck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoundError {
    /// A block listed twice.
    #[error("block {0} is listed twice; a block is accepted, matured, orphaned or returned once a round")]
    BlockTwice(HeaderHash),
    /// The source and the input disagree.
    #[error("emission must be given if the source of rewards is emission, and only then")]
    Emission,
    /// The scheme and the source disagree.
    #[error("evaluated work is paid from emission alone")]
    Evaluated,
    /// The scheme and the input disagree.
    #[error("shares must be given only if the source of rewards is blocks and the scheme pps or fpps")]
    Shares,
    /// More than an amount holds.
    #[error("the amounts of this round do not fit a 64-bit number of sats")]
    AmountOverflow,
    /// More work than its number holds.
    #[error(transparent)]
    Weight(#[from] WeightOverflow),
    /// Shares could not be paid.
    #[error(transparent)]
    Pps(#[from] PpsError),
    /// Postings could not be built.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// The sum of amounts.
fn sum(amounts: impl IntoIterator<Item = Amount>) -> Result<Amount, RoundError> {
    Amount::checked_sum(amounts).ok_or(RoundError::AmountOverflow)
}

#[cfg(test)]
mod tests;
