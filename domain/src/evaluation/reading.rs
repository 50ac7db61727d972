//! Losses and scores as exact numbers.
//!
//! A reading is at or above zero, below [`Reading::BOUND`], and counted in steps of 10^-18. What is behind the 18th decimal
//! place is dropped, so a loss below 10^-18 is 0. These bounds make the sums of all schemes fit 128 bits for as many miners
//! as an evaluated pool may have ([`MINERS_MAX`](crate::rewards::evaluated::MINERS_MAX)).

use std::fmt;
use std::str::FromStr;

use crate::decimal::{Decimal, DecimalError};

/// What an evaluator measures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// How wrong the work is: less is better.
    #[default]
    Loss,
    /// How good the work is: more is better.
    Score,
}

impl Measure {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Loss, Self::Score];

    /// Its name in settings, in an evaluator's answers and in storage.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Score => "score",
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a text names no measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected what the evaluator answers: loss or score")]
pub struct ParseMeasureError;

impl FromStr for Measure {
    type Err = ParseMeasureError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|measure| measure.name() == text)
            .ok_or(ParseMeasureError)
    }
}

/// A loss or a score: a number from 0 to below 10^9 in steps of 10^-18.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reading(u128);

/// Why a number is no reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadingError {
    /// Below zero.
    #[error("it is below zero")]
    Negative,
    /// 10^9 or more.
    #[error("it is 1000000000 or more")]
    TooLarge,
    /// No number.
    #[error(transparent)]
    Number(#[from] DecimalError),
}

impl Reading {
    /// Decimal places that are kept.
    pub const DECIMALS: u32 = 18;
    /// The first number of steps that is too large: 10^9 as a number.
    pub const BOUND: u128 = 10_u128.pow(9 + Self::DECIMALS);
    /// The number 0.
    pub const ZERO: Self = Self(0);
    /// The number 1.
    pub const ONE: Self = Self(10_u128.pow(Self::DECIMALS));

    /// A reading of so many steps of 10^-18; `None` from [`Reading::BOUND`] on.
    pub const fn from_steps(steps: u128) -> Option<Self> {
        if steps < Self::BOUND {
            Some(Self(steps))
        } else {
            None
        }
    }

    /// The number of steps of 10^-18.
    pub const fn steps(self) -> u128 {
        self.0
    }

    /// The reading that a number stands for, rounded towards zero.
    ///
    /// # Errors
    /// If it is below zero, or too large.
    pub fn of(number: Decimal) -> Result<Self, ReadingError> {
        if number.is_negative() {
            return Err(ReadingError::Negative);
        }
        number
            .steps(Self::DECIMALS)
            .and_then(Self::from_steps)
            .ok_or(ReadingError::TooLarge)
    }
}

impl fmt::Display for Reading {
    /// The exact decimal, without trailing zeros: `0.0625`, `2`, `0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / Self::ONE.0, self.0 % Self::ONE.0);
        if fraction == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{fraction:0width$}", width = Self::DECIMALS as usize);
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl FromStr for Reading {
    type Err = ReadingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::of(text.parse()?)
    }
}

/// A reading and what it measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Less is better.
    Loss(Reading),
    /// More is better.
    Score(Reading),
}

impl Figure {
    /// What it measures.
    pub const fn measure(self) -> Measure {
        match self {
            Self::Loss(_) => Measure::Loss,
            Self::Score(_) => Measure::Score,
        }
    }

    /// The number.
    pub const fn reading(self) -> Reading {
        match self {
            Self::Loss(reading) | Self::Score(reading) => reading,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Reading, ReadingError> {
        text.parse()
    }

    #[test]
    fn a_reading_keeps_eighteen_decimal_places_and_nine_whole_digits() {
        for (text, shown) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("0.125", "0.125"),
            ("1e-18", "0.000000000000000001"),
            ("9.99e-19", "0"),
            ("1e-999", "0"),
            ("999999999.9999999999999999999", "999999999.999999999999999999"),
        ] {
            assert_eq!(read(text).unwrap().to_string(), shown, "{text}");
        }
        assert_eq!(read("1e9"), Err(ReadingError::TooLarge));
        assert_eq!(read("1e1000"), Err(ReadingError::TooLarge));
        assert_eq!(read("-1e-30"), Err(ReadingError::Negative));
        assert_eq!(read("NaN"), Err(DecimalError::NotANumber.into()));
        assert_eq!(read("Infinity"), Err(DecimalError::Infinite.into()));
        assert_eq!(Reading::from_steps(Reading::BOUND), None);
    }

    #[test]
    fn a_measure_is_read_by_its_name() {
        for measure in Measure::ALL {
            assert_eq!(measure.name().parse(), Ok(measure));
        }
        assert_eq!("gain".parse::<Measure>(), Err(ParseMeasureError));
    }

    proptest! {
        #[test]
        fn a_reading_survives_printing(steps in 0..Reading::BOUND) {
            let reading = Reading::from_steps(steps).unwrap();
            prop_assert_eq!(read(&reading.to_string()), Ok(reading));
        }
    }
}
