//! Batches of exported payouts, and the rounds that weights are made of.

use dwarves_domain::ids::RoundId;
use dwarves_domain::payouts::BatchName;
use dwarves_ports::store::{BatchRow, BatchSummary, CreditRow, PageRequest, RoundRow};

use super::{ExportError, LedgerReader};
use crate::read::{money, payout_batches};

impl LedgerReader {
    /// The newest batches, at most so many.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn payout_batches(&mut self, limit: u32) -> Result<Vec<BatchSummary>, ExportError> {
        let snapshot = self.0.transaction()?;
        let newest = PageRequest { cursor: None, limit };
        Ok(payout_batches::list(&snapshot, newest)?.rows)
    }

    /// The batch of this name.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn payout_batch(&mut self, name: &BatchName) -> Result<Option<BatchRow>, ExportError> {
        let snapshot = self.0.transaction()?;
        Ok(payout_batches::one(&snapshot, name)?)
    }

    /// The last `count` rounds up to this one, or up to the last that closed, each with its credits; none if the last is not
    /// there.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn last_rounds(
        &mut self,
        through: Option<RoundId>,
        count: u64,
    ) -> Result<Vec<(RoundRow, Vec<CreditRow>)>, ExportError> {
        let snapshot = self.0.transaction()?;
        let newest = PageRequest {
            cursor: None,
            limit: 1,
        };
        let newest = money::rounds(&snapshot, newest)?.rows;
        let Some(newest) = newest.first().map(|row| row.id) else {
            return Ok(Vec::new());
        };
        let last = through.unwrap_or(newest);
        if last > newest {
            return Ok(Vec::new());
        }
        let first = last.get().saturating_sub(count.saturating_sub(1)).max(1);
        let mut rounds = Vec::new();
        for id in first..=last.get() {
            rounds.extend(money::round(&snapshot, RoundId::new(id))?);
        }
        Ok(rounds)
    }
}
