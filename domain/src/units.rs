//! Money, fees and work as newtypes with checked arithmetic.
//!
//! [`Amount`] is whole sats, [`BasisPoints`] a share of ten thousand, [`Units`] the pool's measure of work:
//! a share's difficulty over the network's difficulty, in fixed point. None of them ever holds a float.

use std::fmt;
use std::str::FromStr;

use ruint::aliases::U256;

/// Base units of the chain (sats). At rest a `u64`; sums are checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(u64);

impl Amount {
    /// No money.
    pub const ZERO: Self = Self(0);
    /// The most that an amount may hold: what fits a signed 64-bit ledger column.
    pub const MAX: Self = Self(i64::MAX as u64);

    /// An amount of `sats` base units; `None` above [`Amount::MAX`].
    pub const fn from_sats(sats: u64) -> Option<Self> {
        if sats > Self::MAX.0 {
            None
        } else {
            Some(Self(sats))
        }
    }

    /// The amount in base units.
    pub const fn sats(self) -> u64 {
        self.0
    }

    /// The sum, or `None` above [`Amount::MAX`].
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Self::from_sats(sum),
            None => None,
        }
    }

    /// The difference, or `None` if `other` is larger.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(rest) => Some(Self(rest)),
            None => None,
        }
    }

    /// The sum of many amounts, or `None` above [`Amount::MAX`].
    pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        amounts
            .into_iter()
            .try_fold(Self::ZERO, |sum, amount| sum.checked_add(amount))
    }

    /// The part of this amount that `fee` takes, rounded down.
    pub fn fee(self, fee: BasisPoints) -> Self {
        let product = u128::from(self.0) * u128::from(fee.0);
        let part = product / u128::from(BasisPoints::WHOLE);
        Self(u64::try_from(part).expect("a part is not larger than the whole, which fits"))
    }

    /// `self * numerator / denominator`, rounded down, and the remainder of that division.
    ///
    /// # Panics
    /// If `denominator` is zero or smaller than `numerator`: a part larger than its whole is a bug.
    pub fn part_of(self, numerator: u128, denominator: u128) -> (Self, u128) {
        assert!(
            denominator > 0 && numerator <= denominator,
            "a part of an amount is at most the whole"
        );
        let product = U256::from(self.0) * U256::from(numerator);
        let (quotient, remainder) = product.div_rem(U256::from(denominator));
        (Self(quotient.to::<u64>()), remainder.to::<u128>())
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A fraction in ten-thousandths: 100 is one percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BasisPoints(u16);

impl BasisPoints {
    /// What one whole is in basis points.
    pub const WHOLE: u16 = 10_000;

    /// `points` ten-thousandths; `None` above one whole.
    pub const fn new(points: u16) -> Option<Self> {
        if points > Self::WHOLE {
            None
        } else {
            Some(Self(points))
        }
    }

    /// The number of ten-thousandths.
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// Work done: a share's difficulty over the network's difficulty at its time.
///
/// One unit is the work that finds one block on average. The number is fixed point with
/// [`Units::DECIMALS`] decimal places in a `u128`, so it prints exactly as a decimal string, and it can hold
/// the work of 34,000,000,000 blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Units(u128);

impl Units {
    /// Decimal places of the fixed point.
    pub const DECIMALS: u32 = 28;
    /// No work.
    pub const ZERO: Self = Self(0);
    /// The work of one block on average.
    pub const ONE: Self = Self(10u128.pow(Self::DECIMALS));

    /// Units from the raw fixed-point number, in steps of 10^-28.
    pub const fn from_raw(raw: u128) -> Self {
        Self(raw)
    }

    /// The raw fixed-point number, in steps of 10^-28.
    pub const fn raw(self) -> u128 {
        self.0
    }

    /// Whether there is no work at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, or `None` if it does not fit.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The difference, or zero if `other` is larger.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The sum of many, or `None` if it does not fit.
    pub fn checked_sum(units: impl IntoIterator<Item = Self>) -> Option<Self> {
        units
            .into_iter()
            .try_fold(Self::ZERO, |sum, u| sum.checked_add(u))
    }

    /// The nearest float, for display and statistics only.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / Self::ONE.0 as f64
    }
}

impl fmt::Display for Units {
    /// The exact decimal, without trailing zeros: `0.0625`, `2`, `0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0 / Self::ONE.0;
        let fraction = self.0 % Self::ONE.0;
        if fraction == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{fraction:0width$}", width = Self::DECIMALS as usize);
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

/// Why a text is not a number of [`Units`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a decimal number with at most 28 decimal places, such as \"2\" or \"0.5\"")]
pub struct ParseUnitsError;

impl FromStr for Units {
    type Err = ParseUnitsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let all_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(whole) || !all_digits(fraction) || fraction.len() > Self::DECIMALS as usize {
            return Err(ParseUnitsError);
        }
        let whole: u128 = whole.parse().map_err(|_| ParseUnitsError)?;
        let padded = format!("{fraction:0<width$}", width = Self::DECIMALS as usize);
        let fraction: u128 = padded.parse().map_err(|_| ParseUnitsError)?;
        whole
            .checked_mul(Self::ONE.0)
            .and_then(|whole| whole.checked_add(fraction))
            .map(Self)
            .ok_or(ParseUnitsError)
    }
}

/// An amount's base units as its whole unit, with all of that one's decimal places.
pub fn in_units(base: u128, decimals: u8) -> String {
    let places = usize::from(decimals);
    let digits = format!("{base:0width$}", width = places + 1);
    let (whole, part) = digits.split_at(digits.len() - places);
    if part.is_empty() {
        whole.to_owned()
    } else {
        format!("{whole}.{part}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn units_print_exactly_and_without_trailing_zeros() {
        assert_eq!(Units::from_raw(625 * 10u128.pow(24)).to_string(), "0.0625");
        assert_eq!(Units::from_raw(1).to_string(), "0.0000000000000000000000000001");
        assert_eq!(Units::ONE.to_string(), "1");
        assert_eq!(Units::ZERO.to_string(), "0");
    }

    #[test]
    fn what_is_not_a_plain_decimal_is_no_number_of_units() {
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "0x1",
            " 1",
            "1_000",
            "99999999999999999999999999999999999999",
        ] {
            assert_eq!(text.parse::<Units>(), Err(ParseUnitsError), "{text}");
        }
    }

    #[test]
    fn an_amount_stays_below_the_ledger_columns_limit() {
        assert_eq!(Amount::from_sats(u64::MAX), None);
        assert_eq!(Amount::MAX.checked_add(Amount::from_sats(1).unwrap()), None);
    }

    #[test]
    fn units_are_shown_as_the_nearest_float() {
        let half_more = Units::from_raw(Units::ONE.raw() / 2 * 3);
        assert_eq!(half_more.to_f64(), 1.5);
        assert_eq!(Units::ZERO.to_f64(), 0.0);
        assert_eq!(Units::from_raw(625 * 10u128.pow(24)).to_f64(), 0.0625);
    }

    #[test]
    fn sums_and_differences_stop_at_their_limits() {
        let (one, raw) = (Units::ONE, Units::from_raw);
        assert_eq!(raw(u128::MAX - 1).checked_add(raw(1)), Some(raw(u128::MAX)));
        assert_eq!(raw(u128::MAX).checked_add(raw(1)), None);
        assert_eq!(
            Units::checked_sum([one, one, raw(5)]),
            Some(raw(2 * one.raw() + 5))
        );
        assert_eq!(Units::checked_sum([raw(u128::MAX), raw(1)]), None);
        assert_eq!(one.saturating_sub(raw(1)), raw(one.raw() - 1));
        assert_eq!(raw(1).saturating_sub(one), Units::ZERO);
        assert!(Units::ZERO.is_zero() && !raw(1).is_zero());
        let sats = |sats| Amount::from_sats(sats).unwrap();
        assert_eq!(Amount::from_sats(Amount::MAX.sats()), Some(Amount::MAX));
        assert_eq!(Amount::from_sats(Amount::MAX.sats() + 1), None);
        assert_eq!(sats(5).checked_sub(sats(5)), Some(Amount::ZERO));
        assert_eq!(sats(5).checked_sub(sats(6)), None);
        assert_eq!(Amount::checked_sum([sats(5), sats(6)]), Some(sats(11)));
        assert_eq!(Amount::checked_sum([Amount::MAX, sats(1)]), None);
        let whole = BasisPoints::new(BasisPoints::WHOLE);
        assert_eq!(whole.map(BasisPoints::get), Some(10_000));
        assert_eq!(BasisPoints::new(BasisPoints::WHOLE + 1), None);
    }

    proptest! {
        #[test]
        fn units_survive_printing_and_parsing(raw in any::<u128>()) {
            let units = Units::from_raw(raw);
            prop_assert_eq!(units.to_string().parse::<Units>(), Ok(units));
        }

        #[test]
        fn a_part_and_its_remainder_make_up_the_product(
            sats in 0..=Amount::MAX.sats(), a in any::<u128>(), b in 1..=u128::MAX,
        ) {
            let (numerator, denominator) = (a.min(b), a.max(b));
            let (part, remainder) = Amount(sats).part_of(numerator, denominator);
            let whole = U256::from(sats) * U256::from(numerator);
            prop_assert_eq!(U256::from(part.sats()) * U256::from(denominator) + U256::from(remainder), whole);
            prop_assert!(remainder < denominator);
        }

        #[test]
        fn a_fee_is_the_floor_of_the_exact_fraction(sats in 0..=Amount::MAX.sats(), points in 0u16..=10_000) {
            let fee = Amount(sats).fee(BasisPoints::new(points).unwrap());
            prop_assert_eq!(u128::from(fee.sats()), u128::from(sats) * u128::from(points) / 10_000);
        }
    }
}
