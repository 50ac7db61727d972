//! Rows of tables as the types that the actors see: what every store that keeps its ledger in SQL reads alike.
//!
//! A store says how it reads a cell ([`Cells`]); what its rows mean is said here, once. No database is named.
//!
//! | module | its one job |
//! |---|---|
//! | [`rows`] | miners, templates, blocks, rounds, credits, payouts |
//! | [`records`] | notices, watch tokens, submissions, statements, batches, history |
//! | [`lists`] | lists within a cell: transactions, spent outputs |
//! | [`sums`] | the sums by which the books are compared with what came in |

use std::str::FromStr;

use dwarves_domain::blocks::BlockState;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, RoundId, Sequence, TemplateId, WorkerId};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::{Amount, Units};

pub mod lists;
pub mod records;
pub mod rows;
pub mod sums;

/// The cells of one row, by the names of their columns. What is not as it should be is an error that names the column.
pub trait Cells {
    /// What reading fails with.
    type Fail;

    /// The error of a cell that is not what was expected.
    fn bad(&self, column: &str, expected: &str) -> Self::Fail;

    /// Whether nothing is there.
    fn is_null(&self, column: &str) -> Result<bool, Self::Fail>;

    /// An integer.
    fn int(&self, column: &str) -> Result<i64, Self::Fail>;

    /// A float.
    fn real(&self, column: &str) -> Result<f64, Self::Fail>;

    /// Yes or no.
    fn flag(&self, column: &str) -> Result<bool, Self::Fail>;

    /// A 128-bit number.
    fn u128(&self, column: &str) -> Result<u128, Self::Fail>;

    /// Bytes of any length.
    fn blob(&self, column: &str) -> Result<&[u8], Self::Fail>;

    /// A text.
    fn text(&self, column: &str) -> Result<&str, Self::Fail>;

    /// What `read` makes of the cell, or nothing if it is null.
    fn optional<T>(
        &self,
        column: &str,
        read: impl FnOnce(&Self, &str) -> Result<T, Self::Fail>,
    ) -> Result<Option<T>, Self::Fail> {
        match self.is_null(column)? {
            true => Ok(None),
            false => read(self, column).map(Some),
        }
    }

    /// A text of one's own.
    fn string(&self, column: &str) -> Result<String, Self::Fail> {
        self.text(column).map(str::to_owned)
    }

    /// A count.
    fn u64(&self, column: &str) -> Result<u64, Self::Fail> {
        u64::try_from(self.int(column)?).map_err(|_| self.bad(column, "an integer in its range"))
    }

    /// A 32-bit number.
    fn u32(&self, column: &str) -> Result<u32, Self::Fail> {
        u32::try_from(self.int(column)?).map_err(|_| self.bad(column, "an integer in its range"))
    }

    /// 64 bits that are no count.
    fn bits(&self, column: &str) -> Result<u64, Self::Fail> {
        self.int(column).map(i64::cast_unsigned)
    }

    /// A compact target.
    fn compact(&self, column: &str) -> Result<CompactTarget, Self::Fail> {
        self.u32(column).map(CompactTarget::from_bits)
    }

    /// Bytes of one length.
    fn array<const N: usize>(&self, column: &str) -> Result<[u8; N], Self::Fail> {
        let bytes = self.blob(column)?;
        bytes
            .try_into()
            .map_err(|_| self.bad(column, &format!("{N} bytes")))
    }

    /// A text that names something.
    fn named<T: FromStr>(&self, column: &str) -> Result<T, Self::Fail> {
        let text = self.text(column)?;
        text.parse().map_err(|_| self.bad(column, "a known name"))
    }

    /// Units of work.
    fn units(&self, column: &str) -> Result<Units, Self::Fail> {
        self.u128(column).map(Units::from_raw)
    }

    /// An amount of sats.
    fn amount(&self, column: &str) -> Result<Amount, Self::Fail> {
        let amount = Amount::from_sats(self.u64(column)?);
        amount.ok_or_else(|| self.bad(column, "an amount"))
    }

    /// An instant.
    fn time(&self, column: &str) -> Result<Timestamp, Self::Fail> {
        self.int(column).map(Timestamp::from_millis)
    }

    /// A miner.
    fn hotkey(&self, column: &str) -> Result<Hotkey, Self::Fail> {
        self.array(column).map(Hotkey::from_bytes)
    }

    /// A header's hash.
    fn hash(&self, column: &str) -> Result<HeaderHash, Self::Fail> {
        self.array(column).map(HeaderHash::from_bytes)
    }

    /// A share's number.
    fn sequence(&self, column: &str) -> Result<Sequence, Self::Fail> {
        self.u64(column).map(Sequence::new)
    }

    /// A round's number.
    fn round(&self, column: &str) -> Result<RoundId, Self::Fail> {
        self.u64(column).map(RoundId::new)
    }

    /// A template's number.
    fn template(&self, column: &str) -> Result<TemplateId, Self::Fail> {
        self.u32(column).map(TemplateId::new)
    }

    /// A worker's number.
    fn worker(&self, column: &str) -> Result<WorkerId, Self::Fail> {
        self.u32(column).map(WorkerId::new)
    }
}

/// A number as a column of 64 bits holds it: what is beyond it, no column ever held.
pub fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// An amount as a column of 64 bits holds it.
pub fn sats(amount: Amount) -> i64 {
    i64::try_from(amount.sats()).expect("an amount is at most the largest that a column holds")
}

/// The names of the block states of which this is true, as SQL lists them.
pub fn block_states(is: impl Fn(BlockState) -> bool) -> String {
    let names = BlockState::ALL.into_iter().filter(|state| is(*state));
    names
        .map(|state| format!("'{state}'"))
        .collect::<Vec<_>>()
        .join(", ")
}
