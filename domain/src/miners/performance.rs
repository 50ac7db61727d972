//! What each miner's work comes to in the window that ends now: for display and for planning, not for money.
//!
//! Rewards are split by the ledger's shares themselves. This keeps the same window in a bounded ring of
//! slots, so that "how am I doing" costs nothing and never reads the ledger.

use std::collections::{BTreeMap, VecDeque};

use crate::hotkey::Hotkey;
use crate::units::Units;

/// How many slots the window is kept in: the oldest one is cut to its fraction.
const SLOTS: u128 = 256;

/// Units per miner over the window that ends now.
#[derive(Clone, Debug)]
pub struct Performance {
    window: Units,
    slots: VecDeque<Slot>,
    totals: BTreeMap<Hotkey, Units>,
    sum: Units,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    units: BTreeMap<Hotkey, Units>,
    sum: Units,
}

impl Performance {
    /// An empty window of this size.
    pub fn new(window: Units) -> Self {
        Self {
            window,
            slots: VecDeque::new(),
            totals: BTreeMap::new(),
            sum: Units::ZERO,
        }
    }

    /// The size of the window.
    pub fn window(&self) -> Units {
        self.window
    }

    /// Notes work of a miner.
    pub fn record(&mut self, miner: Hotkey, units: Units) {
        let slot_size = Units::from_raw(self.window.raw() / SLOTS);
        if self.slots.back().is_none_or(|slot| slot.sum >= slot_size) {
            self.slots.push_back(Slot::default());
        }
        let Some(slot) = self.slots.back_mut() else {
            return;
        };
        for total in [
            &mut slot.sum,
            slot.units.entry(miner).or_default(),
            &mut self.sum,
            self.totals.entry(miner).or_default(),
        ] {
            // A window's work is far below the limit of units; display need not fail if it ever is not.
            *total = total.checked_add(units).unwrap_or(*total);
        }
        self.drop_what_fell_out();
    }

    fn drop_what_fell_out(&mut self) {
        while let Some(oldest) = self.slots.front() {
            if self.slots.len() == 1 || self.sum.saturating_sub(oldest.sum) < self.window {
                return;
            }
            let Some(oldest) = self.slots.pop_front() else {
                return;
            };
            self.sum = self.sum.saturating_sub(oldest.sum);
            for (miner, units) in oldest.units {
                if let Some(total) = self.totals.get_mut(&miner) {
                    *total = total.saturating_sub(units);
                    if total.is_zero() {
                        self.totals.remove(&miner);
                    }
                }
            }
        }
    }

    /// A miner's units in the window; the oldest slot counts by the fraction that is still inside.
    pub fn of(&self, miner: &Hotkey) -> Units {
        let total = self.totals.get(miner).copied().unwrap_or_default();
        let outside = self.sum.saturating_sub(self.window);
        let Some(oldest) = self.slots.front().filter(|_| !outside.is_zero()) else {
            return total;
        };
        let mine = oldest.units.get(miner).copied().unwrap_or_default();
        if oldest.sum.is_zero() {
            return total;
        }
        let outside = outside.min(oldest.sum);
        let product = ruint::aliases::U256::from(mine.raw()) * ruint::aliases::U256::from(outside.raw());
        let cut = product / ruint::aliases::U256::from(oldest.sum.raw());
        total.saturating_sub(Units::from_raw(cut.to::<u128>()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn miner(n: u8) -> Hotkey {
        Hotkey::from_bytes([n; 32])
    }

    fn thousandths(n: u128) -> Units {
        Units::from_raw(Units::ONE.raw() / 1_000 * n)
    }

    #[test]
    fn an_unfilled_window_holds_everything() {
        let mut performance = Performance::new(Units::ONE);
        performance.record(miner(1), thousandths(250));
        performance.record(miner(2), thousandths(500));
        assert_eq!(performance.of(&miner(1)), thousandths(250));
        assert_eq!(performance.of(&miner(2)), thousandths(500));
        assert_eq!(performance.of(&miner(3)), Units::ZERO);
    }

    #[test]
    fn old_work_falls_out_and_the_edge_is_cut() {
        let mut performance = Performance::new(Units::ONE);
        performance.record(miner(1), thousandths(800));
        performance.record(miner(2), thousandths(700));
        assert_eq!(performance.of(&miner(1)), thousandths(300));
        performance.record(miner(2), thousandths(300));
        assert_eq!(performance.of(&miner(1)), Units::ZERO);
        assert_eq!(performance.of(&miner(2)), Units::ONE);
    }

    #[test]
    fn a_slot_is_full_at_its_size_and_falls_out_once_the_window_is_full_without_it() {
        let mut performance = Performance::new(Units::ONE);
        assert_eq!(performance.window(), Units::ONE);
        let half_slot = Units::from_raw(Units::ONE.raw() / SLOTS / 2);
        let slots = [1, 1, 2, 2, 3].map(|expected| {
            performance.record(miner(1), half_slot);
            (performance.slots.len(), expected)
        });
        assert!(
            slots.iter().all(|(found, expected)| found == expected),
            "{slots:?}"
        );
        let mut performance = Performance::new(Units::ONE);
        performance.record(miner(1), thousandths(500));
        performance.record(miner(2), Units::from_raw(Units::ONE.raw() - 1));
        assert_eq!(performance.slots.len(), 2);
        assert_eq!(performance.of(&miner(1)).raw(), 1);
        performance.record(miner(2), Units::from_raw(1));
        assert_eq!(performance.slots.len(), 2, "the first has fallen out");
        assert_eq!(performance.of(&miner(1)), Units::ZERO);
    }

    proptest! {
        #[test]
        fn the_parts_make_up_the_window(work in proptest::collection::vec((0u8..4, 1u128..50), 0..400)) {
            let mut performance = Performance::new(Units::ONE);
            let mut all = Units::ZERO;
            for (n, units) in work {
                performance.record(miner(n), thousandths(units));
                all = all.checked_add(thousandths(units)).unwrap();
            }
            let sum = Units::checked_sum((0..4).map(|n| performance.of(&miner(n)))).unwrap();
            let expected = all.min(Units::ONE);
            // Each part is rounded by less than one step.
            prop_assert!(sum.raw().abs_diff(expected.raw()) <= 4);
            prop_assert!(performance.slots.len() <= SLOTS as usize + 2);
        }
    }
}
