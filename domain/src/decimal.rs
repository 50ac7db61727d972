//! Decimal numbers as JSON writes them, taken from their text and never through a float.
//!
//! A number keeps its first [`DIGITS_MAX`] significant digits exactly; what is behind them is dropped, that is rounded
//! towards zero. `12.50`, `1250e-2` and `1.25E+1` are the same number. `NaN` and `Infinity`, which some programs write and
//! JSON does not have, are told apart, because rules name them.

use std::cmp::Ordering;

/// Significant digits that are kept: what fits 128 bits.
pub const DIGITS_MAX: u32 = 38;
/// The longest text that is looked at: more digits say nothing.
pub const TEXT_MAX: usize = 400;
/// The largest power of ten that a number may have in either direction; beyond it is absurd.
pub const EXPONENT_MAX: i32 = 1_000;

/// A decimal number: `coefficient` times ten to the `exponent`, which may be below zero. Zero is `0 * 10^0`, and no other
/// coefficient ends in the digit 0, so equal numbers are equal values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decimal {
    is_negative: bool,
    coefficient: u128,
    exponent: i32,
}

/// Why a text is not a decimal number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not a number.
    #[error("it is NaN")]
    NotANumber,
    /// Infinite, of either sign.
    #[error("it is infinite")]
    Infinite,
    /// No number that JSON knows.
    #[error("it is no decimal number such as 12.5 or 3e-4")]
    Malformed,
    /// A number of hundreds of digits.
    #[error("it is longer than {TEXT_MAX} characters, or its power of ten is beyond {EXPONENT_MAX}")]
    Absurd,
}

impl Decimal {
    /// The number 0.
    pub const ZERO: Self = Self {
        is_negative: false,
        coefficient: 0,
        exponent: 0,
    };

    /// Whether it is below zero.
    pub const fn is_negative(self) -> bool {
        self.is_negative
    }

    /// Whether it is zero.
    pub const fn is_zero(self) -> bool {
        self.coefficient == 0
    }

    /// The number without its sign in steps of `10^-decimals`, rounded towards zero; `None` if that does not fit 128 bits.
    pub fn steps(self, decimals: u32) -> Option<u128> {
        let shift = i64::from(self.exponent) + i64::from(decimals);
        if self.coefficient == 0 {
            return Some(0);
        }
        let power = |places: i64| u32::try_from(places).ok().and_then(|n| 10_u128.checked_pow(n));
        if shift >= 0 {
            self.coefficient.checked_mul(power(shift)?)
        } else {
            // A power that does not fit is larger than any coefficient.
            Some(power(-shift).map_or(0, |power| self.coefficient / power))
        }
    }

    fn new(is_negative: bool, mut coefficient: u128, mut exponent: i32) -> Self {
        if coefficient == 0 {
            return Self::ZERO;
        }
        while coefficient.is_multiple_of(10) {
            coefficient /= 10;
            exponent += 1;
        }
        Self {
            is_negative,
            coefficient,
            exponent,
        }
    }

    /// Where its first digit stands: 0 for 1 to 9.99, 1 for 10 to 99.9.
    fn magnitude(self) -> i64 {
        i64::from(self.exponent) + i64::from(self.coefficient.checked_ilog10().unwrap_or(0))
    }

    fn cmp_without_sign(self, other: Self) -> Ordering {
        match (self.is_zero(), other.is_zero()) {
            (true, true) => return Ordering::Equal,
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            (false, false) => {}
        }
        self.magnitude().cmp(&other.magnitude()).then_with(|| {
            // Of the same magnitude: with as many digits as fit, the coefficients compare.
            let full = |number: Self| {
                let digits = number.coefficient.ilog10() + 1;
                number.coefficient * 10_u128.pow(DIGITS_MAX.saturating_sub(digits))
            };
            full(self).cmp(&full(other))
        })
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.is_negative, other.is_negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.cmp_without_sign(*other),
            (true, true) => other.cmp_without_sign(*self),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl std::str::FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim_start_matches('-') {
            "NaN" | "nan" => return Err(DecimalError::NotANumber),
            "Infinity" | "inf" => return Err(DecimalError::Infinite),
            _ => {}
        }
        if text.len() > TEXT_MAX {
            return Err(DecimalError::Absurd);
        }
        let (is_negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (number, power) = match rest.split_once(['e', 'E']) {
            Some((number, power)) => (number, read_power(power)?),
            None => (rest, 0),
        };
        let (whole, fraction) = match number.split_once('.') {
            Some((_, "")) => return Err(DecimalError::Malformed),
            Some(parts) => parts,
            None => (number, ""),
        };
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let has_leading_zero = whole.len() > 1 && whole.starts_with('0');
        if whole.is_empty() || has_leading_zero || !is_digits(whole) || !is_digits(fraction) {
            return Err(DecimalError::Malformed);
        }
        let (mut coefficient, mut dropped) = (0_u128, 0_i32);
        for digit in whole.bytes().chain(fraction.bytes()).map(|byte| byte - b'0') {
            if coefficient >= 10_u128.pow(DIGITS_MAX - 1) {
                dropped += 1;
            } else {
                coefficient = coefficient * 10 + u128::from(digit);
            }
        }
        // At most `TEXT_MAX` digits.
        let places = i32::try_from(fraction.len()).unwrap_or(i32::MAX);
        Ok(Self::new(is_negative, coefficient, power + dropped - places))
    }
}

fn read_power(text: &str) -> Result<i32, DecimalError> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DecimalError::Malformed);
    }
    let power: i32 = digits.parse().map_err(|_| DecimalError::Absurd)?;
    if power > EXPONENT_MAX {
        return Err(DecimalError::Absurd);
    }
    Ok(sign * power)
}

#[cfg(test)]
mod tests {
    use num_bigint::BigInt;
    use num_rational::BigRational;
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn exact(number: Decimal) -> BigRational {
        let sign = if number.is_negative { -1 } else { 1 };
        let power = BigRational::from_integer(BigInt::from(10)).pow(number.exponent);
        BigRational::from_integer(BigInt::from(number.coefficient) * sign) * power
    }

    #[test]
    fn one_number_has_one_value_however_it_is_written() {
        for text in ["12.5", "12.50", "1250e-2", "1.25E+1", "0.0125e3"] {
            assert_eq!(read(text), read("12.5"), "{text}");
        }
        for text in ["0", "-0", "0.000", "0e5", "-0.0e-9"] {
            assert_eq!(read(text), Decimal::ZERO, "{text}");
        }
    }

    #[test]
    fn what_json_does_not_have_is_told_by_name() {
        use DecimalError::{Absurd, Infinite, Malformed, NotANumber};
        let long = "1".repeat(TEXT_MAX + 1);
        for (text, error) in [
            ("NaN", NotANumber),
            ("nan", NotANumber),
            ("-NaN", NotANumber),
            ("Infinity", Infinite),
            ("-Infinity", Infinite),
            ("inf", Infinite),
            ("", Malformed),
            ("-", Malformed),
            ("+1", Malformed),
            ("1.", Malformed),
            (".5", Malformed),
            ("01", Malformed),
            ("1e", Malformed),
            ("1e+", Malformed),
            ("1_000", Malformed),
            ("0x10", Malformed),
            (" 1", Malformed),
            ("--1", Malformed),
            ("1e1001", Absurd),
            ("1e-1001", Absurd),
            ("1e99999999999", Absurd),
            (&long, Absurd),
        ] {
            assert_eq!(text.parse::<Decimal>(), Err(error), "{text}");
        }
    }

    #[test]
    fn steps_are_rounded_towards_zero_and_do_not_overflow() {
        assert_eq!(read("1.5").steps(0), Some(1));
        assert_eq!(read("-1.5").steps(1), Some(15));
        assert_eq!(read("0.0000000019").steps(9), Some(1));
        assert_eq!(read("1e-1000").steps(28), Some(0));
        assert_eq!(read("1e1000").steps(0), None);
        assert_eq!(read("1e38").steps(0), Some(10_u128.pow(38)));
        assert_eq!(read("1e38").steps(1), None);
        // Digits behind the 38th are dropped.
        let long = format!("0.{}", "9".repeat(50));
        assert_eq!(read(&long).steps(38), Some(10_u128.pow(38) - 1));
    }

    fn number() -> impl Strategy<Value = String> {
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?"
    }

    proptest! {
        #[test]
        fn a_number_of_few_digits_is_exact(text in "-?(0|[1-9][0-9]{0,15})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?") {
            let number = read(&text);
            let (mantissa, power) = text.split_once(['e', 'E']).unwrap_or((&text, "0"));
            let places = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len());
            let digits: BigInt = mantissa.replace('.', "").parse().unwrap();
            let power: i32 = power.parse::<i32>().unwrap() - i32::try_from(places).unwrap();
            let expected = BigRational::from_integer(digits) * BigRational::from_integer(10.into()).pow(power);
            prop_assert_eq!(exact(number), expected);
        }

        #[test]
        fn numbers_compare_as_they_are(a in number(), b in number()) {
            let (a, b) = (read(&a), read(&b));
            prop_assert_eq!(a.cmp(&b), exact(a).cmp(&exact(b)));
        }

        #[test]
        fn any_text_is_a_number_or_an_error(text in "[-+0-9.eENaIinfty]{0,30}") {
            let _either = text.parse::<Decimal>();
        }
    }
}
