//! A ledger's rows one after the other, for whoever lists them or writes them down: read beside a running pool or without one,
//! each call from one moment.

use std::io;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, PayoutId, RoundId, Sequence, WorkerName};
use dwarves_domain::payouts::{BatchName, Part, Payout, PayoutState, Txid};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::units::{Amount, Units};

use super::{
    BatchRow, BatchSummary, BlockRow, CounterRow, CreditRow, MinerBalances, RoundRow, StoreError, WorkerRow,
};

/// A share came at most this long before its commit: more than any clock that is believed is wrong by. So shares of an
/// instant are not looked for in commits that are later than that.
pub const COMMITTED_WITHIN: Span = Span::from_secs(7 * 86_400);

/// A table that can be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exportable {
    /// Accepted shares.
    Shares,
    /// What changed miners' credits.
    Credits,
    /// Each miner's part of each payout.
    Payouts,
    /// Rounds that closed.
    Rounds,
    /// Blocks that were found.
    Blocks,
}

/// From when to when: the first instant, and the first that is not wanted any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first instant.
    pub from: Timestamp,
    /// The first instant behind it.
    pub to: Timestamp,
}

impl Period {
    /// All of time.
    pub const ALL: Self = Self {
        from: Timestamp::from_millis(i64::MIN),
        to: Timestamp::from_millis(i64::MAX),
    };

    /// Whether an instant is in it.
    pub fn has(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}

/// An accepted share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedShare {
    /// Its number.
    pub sequence: Sequence,
    /// When it came.
    pub at: Timestamp,
    /// Whose, unless its worker is not known any more.
    pub worker: Option<(Hotkey, WorkerName)>,
    /// The height of a block of its work, unless that is not known any more.
    pub height: Option<u32>,
    /// The target that it had to meet.
    pub target: CompactTarget,
    /// What it counts.
    pub units: Units,
    /// Its header's hash.
    pub hash: HeaderHash,
    /// Whether it is a block of the pool.
    pub is_block: bool,
}

/// A row on its way out.
#[derive(Clone, Debug)]
pub enum Exported {
    /// An accepted share.
    Share(ExportedShare),
    /// A credit with its number.
    Credit(u64, CreditRow),
    /// A payout without its parts, and one of them.
    Payout(Payout, Part),
    /// A round.
    Round(RoundRow),
    /// A block.
    Block(BlockRow),
}

/// A miner in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedMiner {
    /// Who.
    pub hotkey: Hotkey,
    /// Since when.
    pub registered_at: Timestamp,
    /// Where it is paid.
    pub payout_address: Option<String>,
    /// Whether it is kept out.
    pub is_banned: bool,
    /// What it has.
    pub balances: MinerBalances,
}

/// A payout in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPayout {
    /// Its number.
    pub id: PayoutId,
    /// Where it is on its way.
    pub state: PayoutState,
    /// When its money was set aside.
    pub reserved_at: Timestamp,
    /// Its transaction, once it is signed.
    pub txid: Option<Txid>,
    /// Its confirmations when last looked at.
    pub confirmations: u32,
    /// How many it pays.
    pub parts: u64,
    /// What is taken from their balances.
    pub total: Amount,
    /// What is out of the ordinary.
    pub note: String,
}

/// Why an export ends early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The ledger cannot be read.
    #[error("the ledger cannot be read: {0}")]
    Store(#[from] StoreError),
    /// It cannot be written down.
    #[error("the export cannot be written: {0}")]
    Out(#[from] io::Error),
}

/// Takes a row, and how many there were and may be in all.
pub type Take<'a> = &'a mut dyn FnMut(Exported, (u64, u64)) -> io::Result<()>;

/// A ledger that is only read. Nobody is held up by it.
pub trait LedgerReader {
    /// Gives all rows of a table in this period, oldest first, in bounded memory.
    ///
    /// # Errors
    /// If they cannot be read, or not be taken.
    fn export(&mut self, what: Exportable, period: Period, take: Take<'_>) -> Result<(), ExportError>;

    /// The miners that earned most, at most so many.
    ///
    /// # Errors
    /// If they cannot be read.
    fn miners(&mut self, limit: u32) -> Result<Vec<ListedMiner>, ExportError>;

    /// Every worker with what it came to, those of one miner if it is named.
    ///
    /// # Errors
    /// If they cannot be read.
    fn workers(&mut self, miner: Option<Hotkey>) -> Result<Vec<(WorkerRow, CounterRow)>, ExportError>;

    /// The last payouts, newest first, at most so many.
    ///
    /// # Errors
    /// If they cannot be read.
    fn payouts(&mut self, limit: u32) -> Result<Vec<ListedPayout>, ExportError>;

    /// The newest batches, at most so many.
    ///
    /// # Errors
    /// If they cannot be read.
    fn payout_batches(&mut self, limit: u32) -> Result<Vec<BatchSummary>, ExportError>;

    /// The batch of this name.
    ///
    /// # Errors
    /// If it cannot be read.
    fn payout_batch(&mut self, name: &BatchName) -> Result<Option<BatchRow>, ExportError>;

    /// The last `count` rounds up to this one, or up to the last that closed, each with its credits; none if the last is not
    /// there.
    ///
    /// # Errors
    /// If they cannot be read.
    fn last_rounds(
        &mut self,
        through: Option<RoundId>,
        count: u64,
    ) -> Result<Vec<(RoundRow, Vec<CreditRow>)>, ExportError>;
}

/// The rounds that [`LedgerReader::last_rounds`] gives of those up to `newest`.
pub fn rounds_asked(
    newest: Option<RoundId>,
    through: Option<RoundId>,
    count: u64,
) -> impl Iterator<Item = RoundId> {
    let last = match (newest, through) {
        (Some(newest), Some(through)) if through > newest => None,
        (newest, through) => newest.and(through.or(newest)),
    };
    let ids = last.map(|last| last.get().saturating_sub(count.saturating_sub(1)).max(1)..=last.get());
    ids.into_iter().flatten().map(RoundId::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_are_those_up_to_the_one_that_is_named_or_the_last() {
        let asked = |newest: Option<u64>, through: Option<u64>, count| -> Vec<u64> {
            let ids = rounds_asked(newest.map(RoundId::new), through.map(RoundId::new), count);
            ids.map(RoundId::get).collect()
        };
        assert_eq!(asked(None, None, 3), [0; 0]);
        assert_eq!(asked(None, Some(1), 3), [0; 0]);
        assert_eq!(asked(Some(5), None, 1), [5]);
        assert_eq!(asked(Some(5), None, 3), [3, 4, 5]);
        assert_eq!(asked(Some(5), Some(4), 2), [3, 4]);
        assert_eq!(asked(Some(5), Some(2), 9), [1, 2]);
        assert_eq!(asked(Some(5), Some(6), 2), [0; 0]);
        assert_eq!(asked(Some(5), Some(5), u64::MAX), [1, 2, 3, 4, 5]);
    }
}
