//! PPLNS in Rosenfeld's unit form: a block pays the last X units of work, whoever did them and whenever.
//!
//! Shares lie on a line, each as long as its units; a share's place is the running total of units before it.
//! A window is X units of that line and ends **in the middle of the winning share**: the winner counts half,
//! and the oldest share counts with the part of it that lies inside. Ending at either side of the winner
//! pays large shares too much or too little, because a large share is more often the winner; ending in the
//! middle pays every unit the same on average and still gives out exactly X units. (Rosenfeld's own form, which
//! cuts the oldest share by the winner's size, is unbiased as well, but does not give out the same sum each time.)
//! `examples/window_edges.rs` measures all of these.
//!
//! **Until X units have been done** the window reaches back to the pool's first share and the block is split
//! among those who are in it: all of it goes to those who worked and the pool keeps nothing. The first
//! miners so earn more a unit than later ones, who in return cannot lose it: it is what the last X units of a
//! pool that closes are not paid. Someone who knows that a pool has just begun can therefore gain by joining
//! early; that ends for good once X units are done.

use crate::rewards::weights::HalfUnits;
use crate::units::Units;

/// A stretch of work that a block pays, in half-steps of units from the pool's first share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    start: u128,
    end: u128,
}

/// Why a window cannot be laid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// A window that would pay nobody.
    #[error("the window's size must be above zero units; 2 is usual")]
    Empty,
    /// More than the numbers hold.
    #[error("the running total of units does not fit: a pool does at most 17,000,000,000 units")]
    Overflow,
}

impl Window {
    /// The window of a block: `size` units up to the middle of the winning share, which begins at the running
    /// total `total_before` and is `winner_units` long.
    ///
    /// # Errors
    /// If the size is zero or the running total does not fit.
    pub fn of_block(total_before: Units, winner_units: Units, size: Units) -> Result<Self, WindowError> {
        let before = HalfUnits::from_units(total_before).ok_or(WindowError::Overflow)?;
        // Half of the winner in half-steps is its whole number of steps.
        let middle = before
            .half_steps()
            .checked_add(winner_units.raw())
            .ok_or(WindowError::Overflow)?;
        Self::ending_at(middle, size)
    }

    /// The window that ends with all work done so far, `total`: what performances are measured in.
    ///
    /// # Errors
    /// If the size is zero or the running total does not fit.
    pub fn ending_now(total: Units, size: Units) -> Result<Self, WindowError> {
        let end = HalfUnits::from_units(total).ok_or(WindowError::Overflow)?;
        Self::ending_at(end.half_steps(), size)
    }

    fn ending_at(end: u128, size: Units) -> Result<Self, WindowError> {
        if size.is_zero() {
            return Err(WindowError::Empty);
        }
        // A window that is larger than all work so far begins with the first share.
        let start = end.saturating_sub(size.raw().saturating_mul(2));
        Ok(Self { start, end })
    }

    /// How much of a share lies inside, in half-steps: the share covers the `units` that come after the
    /// running total `total_before`.
    pub fn overlap(&self, total_before: Units, units: Units) -> u128 {
        // Work beyond what the numbers hold lies past the window's end, which fits, so saturating is exact.
        let begin = total_before.raw().saturating_mul(2);
        let end = begin.saturating_add(units.raw().saturating_mul(2));
        end.min(self.end).saturating_sub(begin.max(self.start))
    }

    /// Shares whose running total, with themselves, is at or below this lie before the window.
    pub const fn first_total(&self) -> Units {
        Units::from_raw(self.start / 2)
    }

    /// Shares whose running total, without themselves, is at or above this lie behind the window.
    pub const fn last_total(&self) -> Units {
        Units::from_raw(self.end.div_ceil(2))
    }

    /// How much work fits inside; less than the window's size only while the pool has done less.
    pub const fn length(&self) -> HalfUnits {
        HalfUnits::from_half_steps(self.end - self.start)
    }
}

#[cfg(test)]
mod tests;
