//! How much work each miner is paid for, by every scheme in the same measure: half-steps of [`Units`].
//!
//! Half-steps, because a PPLNS window ends in the middle of a share and the middle of an odd number of steps
//! must be exact too.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::hotkey::Hotkey;
use crate::units::{ParseUnitsError, Units};

/// Work in halves of the smallest step of [`Units`], that is in steps of 5·10^-29 units.
///
/// It holds the work of 17,000,000,000 blocks and prints exactly as a decimal number of units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HalfUnits(u128);

impl HalfUnits {
    /// No work.
    pub const ZERO: Self = Self(0);
    /// Half-steps in one unit.
    const IN_ONE_UNIT: u128 = 2 * Units::ONE.raw();
    /// Decimal places that print every half-step exactly.
    const DECIMALS: usize = Units::DECIMALS as usize + 1;

    /// This many half-steps.
    pub const fn from_half_steps(half_steps: u128) -> Self {
        Self(half_steps)
    }

    /// The number of half-steps.
    pub const fn half_steps(self) -> u128 {
        self.0
    }

    /// The same work as whole units have it, or `None` if it does not fit.
    pub const fn from_units(units: Units) -> Option<Self> {
        match units.raw().checked_mul(2) {
            Some(half_steps) => Some(Self(half_steps)),
            None => None,
        }
    }

    /// The sum, or `None` if it does not fit.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }
}

impl fmt::Display for HalfUnits {
    /// The exact decimal number of units, without trailing zeros: `0.0625`, `2`, `0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0 / Self::IN_ONE_UNIT;
        // A half-step is five of the last printed decimal place.
        let fraction = self.0 % Self::IN_ONE_UNIT * 5;
        if fraction == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{fraction:0width$}", width = Self::DECIMALS);
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl FromStr for HalfUnits {
    type Err = ParseUnitsError;

    /// Reads what [`Display`](fmt::Display) writes, and whatever decimal number is exactly so many half-steps.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (text, half) = match text.split_once('.') {
            Some((_, fraction)) if fraction.len() == Self::DECIMALS => {
                match (text.strip_suffix('0'), text.strip_suffix('5')) {
                    (Some(steps), _) => (steps, 0),
                    (_, Some(steps)) => (steps, 1),
                    _ => return Err(ParseUnitsError),
                }
            }
            _ => (text, 0),
        };
        let units: Units = text.parse()?;
        let work = Self::from_units(units).and_then(|work| work.checked_add(Self(half)));
        work.ok_or(ParseUnitsError)
    }
}

/// The work of all miners together does not fit its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the work to be paid is more than 17,000,000,000 units, which no pool has done")]
pub struct WeightOverflow;

/// Each miner's work, in half-steps of units. The order in which work is added does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weights {
    /// Nobody is listed with nothing.
    of_miners: BTreeMap<Hotkey, u128>,
    total: u128,
}

impl Weights {
    /// No work by anybody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds work of a miner, in half-steps. Adding nothing does not list the miner.
    ///
    /// # Errors
    /// If the work of all miners would not fit; nothing is changed then.
    pub fn add(&mut self, hotkey: Hotkey, half_steps: u128) -> Result<(), WeightOverflow> {
        self.total = self.total.checked_add(half_steps).ok_or(WeightOverflow)?;
        if half_steps > 0 {
            // A miner's work is at most the work of all, which fits.
            *self.of_miners.entry(hotkey).or_insert(0) += half_steps;
        }
        Ok(())
    }

    /// The sum of many pieces of work, in half-steps.
    ///
    /// # Errors
    /// If the work of all miners does not fit.
    pub fn sum(work: impl IntoIterator<Item = (Hotkey, u128)>) -> Result<Self, WeightOverflow> {
        let mut weights = Self::new();
        for (hotkey, half_steps) in work {
            weights.add(hotkey, half_steps)?;
        }
        Ok(weights)
    }

    /// The work of all miners, in half-steps.
    pub const fn total(&self) -> u128 {
        self.total
    }

    /// The work of one miner, in half-steps.
    pub fn get(&self, hotkey: &Hotkey) -> u128 {
        self.of_miners.get(hotkey).copied().unwrap_or(0)
    }

    /// Every miner who worked, in the order of hotkeys, with the work in half-steps.
    pub fn iter(&self) -> impl Iterator<Item = (Hotkey, u128)> + '_ {
        self.of_miners
            .iter()
            .map(|(&hotkey, &half_steps)| (hotkey, half_steps))
    }

    /// Whether nobody worked.
    pub fn is_empty(&self) -> bool {
        self.of_miners.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(byte: u8) -> Hotkey {
        Hotkey::from_bytes([byte; 32])
    }

    #[test]
    fn half_steps_print_exactly() {
        assert_eq!(
            HalfUnits::from_half_steps(1).to_string(),
            "0.00000000000000000000000000005"
        );
        assert_eq!(
            HalfUnits::from_half_steps(3).to_string(),
            "0.00000000000000000000000000015"
        );
        let one_and_a_half = HalfUnits::from_half_steps(3 * Units::ONE.raw());
        assert_eq!(one_and_a_half.to_string(), "1.5");
        assert_eq!(HalfUnits::ZERO.to_string(), "0");
    }

    #[test]
    fn what_is_no_number_of_half_steps_does_not_parse() {
        for text in [
            "",
            "1.",
            ".5",
            "-1",
            "0.00000000000000000000000000001",
            "0.000000000000000000000000000005",
            "0.0000000000000000000000000000x",
            "0.000000000000000000000000000\u{e9}",
            "17014118346.04692317316873037158841057280",
        ] {
            assert_eq!(text.parse::<HalfUnits>(), Err(ParseUnitsError), "{text}");
        }
        let most = HalfUnits::from_half_steps(u128::MAX);
        assert_eq!("17014118346.04692317316873037158841057275".parse(), Ok(most));
    }

    proptest! {
        #[test]
        fn half_steps_survive_printing(half_steps in prop_oneof![any::<u128>(), 0u128..1_000_000]) {
            let work = HalfUnits::from_half_steps(half_steps);
            prop_assert_eq!(work.to_string().parse(), Ok(work));
        }
    }

    #[test]
    fn work_that_does_not_fit_is_refused_and_changes_nothing() {
        let mut weights = Weights::sum([(key(1), u128::MAX - 1)]).unwrap();
        let before = weights.clone();
        assert_eq!(weights.add(key(2), 2), Err(WeightOverflow));
        assert_eq!(weights, before);
        weights.add(key(2), 1).unwrap();
        assert_eq!(weights.total(), u128::MAX);
        assert_eq!(HalfUnits::from_units(Units::from_raw(u128::MAX / 2 + 1)), None);
    }

    #[test]
    fn a_miner_without_work_is_not_listed() {
        let weights = Weights::sum([(key(1), 0)]).unwrap();
        assert!(weights.is_empty());
        assert!(!Weights::sum([(key(1), 1)]).unwrap().is_empty());
        assert_eq!(weights, Weights::new());
    }

    proptest! {
        #[test]
        fn whole_steps_print_as_units_do(raw in 0..=u128::MAX / 2) {
            let units = Units::from_raw(raw);
            prop_assert_eq!(HalfUnits::from_units(units).unwrap().to_string(), units.to_string());
        }

        #[test]
        fn the_order_of_adding_does_not_matter(
            work in prop::collection::vec((0u8..5, 0..u128::MAX / 100), 0..50), turn in 0usize..50,
        ) {
            let work: Vec<_> = work.into_iter().map(|(byte, w)| (key(byte), w)).collect();
            let mut turned = work.clone();
            turned.rotate_left(turn % work.len().max(1));
            turned.reverse();
            let weights = Weights::sum(work.iter().copied()).unwrap();
            prop_assert_eq!(&weights, &Weights::sum(turned).unwrap());
            prop_assert_eq!(weights.total(), weights.iter().map(|(_, w)| w).sum::<u128>());
            for (hotkey, w) in weights.iter() {
                prop_assert_eq!(w, work.iter().filter(|(h, _)| *h == hotkey).map(|(_, w)| w).sum::<u128>());
            }
        }
    }
}
