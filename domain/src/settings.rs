//! How the values of settings read themselves by serde.
//!
//! A refusal names what was found and what would be right; the reader of the settings adds key, file and line.

use std::fmt::{self, Display};
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

use crate::chain_guard::Pin;
use crate::evaluation::Measure;
use crate::hotkey::Hotkey;
use crate::network::Subnet;
use crate::payouts::{FeePayer, FeeRate};
use crate::privacy::Visibility;
use crate::rewards::{Scheme, Source, Unearned};
use crate::target::Difficulty;
use crate::units::{Amount, BasisPoints};
use crate::work::{Algorithm, FrontEnd, VersionRolling};

/// A whole number from `min` to `max`.
///
/// # Errors
/// If it is another value.
pub fn whole<'de, D: Deserializer<'de>, T: TryFrom<i64>>(
    deserializer: D,
    min: i64,
    max: i64,
) -> Result<T, D::Error> {
    let number = deserializer.deserialize_i64(Whole { min, max })?;
    T::try_from(number).map_err(|_| D::Error::custom("this number does not fit"))
}

struct Whole {
    min: i64,
    max: i64,
}

impl Visitor<'_> for Whole {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from {} to {}", self.min, self.max)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<i64, E> {
        let fits = (self.min..=self.max).contains(&value);
        fits.then_some(value)
            .ok_or_else(|| E::invalid_value(Unexpected::Signed(value), &self))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<i64, E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => Err(E::invalid_value(Unexpected::Unsigned(value), &self)),
        }
    }
}

/// A number with or without decimals from `min` to `max`; `what` it is, such as "a difficulty".
///
/// # Errors
/// If it is another value.
pub fn decimal<'de, D: Deserializer<'de>>(
    deserializer: D,
    min: f64,
    max: f64,
    what: &'static str,
) -> Result<f64, D::Error> {
    deserializer.deserialize_f64(Decimal { min, max, what })
}

struct Decimal {
    min: f64,
    max: f64,
    what: &'static str,
}

impl Visitor<'_> for Decimal {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {} to {}", self.what, self.min, self.max)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<f64, E> {
        // NaN lies in no range.
        let fits = (self.min..=self.max).contains(&value);
        fits.then_some(value)
            .ok_or_else(|| E::invalid_value(Unexpected::Float(value), &self))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<f64, E> {
        self.visit_f64(value as f64)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<f64, E> {
        self.visit_f64(value as f64)
    }
}

/// A text that `parse` understands; `expected` says what to write if it is no text at all.
///
/// # Errors
/// If it is no text, or as `parse` says.
pub fn text<'de, D: Deserializer<'de>, T, E: Display>(
    deserializer: D,
    expected: impl Display,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, D::Error> {
    deserializer.deserialize_str(Text {
        expected,
        parse,
        parsed: PhantomData,
    })
}

struct Text<X, P, T, E> {
    expected: X,
    parse: P,
    parsed: PhantomData<(T, E)>,
}

impl<X: Display, P: FnOnce(&str) -> Result<T, F>, T, F: Display> Visitor<'_> for Text<X, P, T, F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).map_err(E::custom)
    }
}

/// One of these words.
///
/// # Errors
/// If it is another value.
pub fn word<'de, D: Deserializer<'de>, T: Copy>(
    deserializer: D,
    words: &[(&'static str, T)],
) -> Result<T, D::Error> {
    let mut expected = String::new();
    for (n, (word, _)) in words.iter().enumerate() {
        let joint = match n {
            0 => "",
            n if n + 1 == words.len() => " or ",
            _ => ", ",
        };
        expected.push_str(&format!("{joint}\"{word}\""));
    }
    text(deserializer, &expected, |found| {
        let word = words.iter().find(|(word, _)| *word == found);
        word.map(|(_, value)| *value)
            .ok_or_else(|| format!("expected {expected}, found {found:?}"))
    })
}

/// Has each type read itself: `|deserializer| expression`.
macro_rules! read_themselves {
    ($($type:ty: |$deserializer:ident| $read:expr;)*) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>($deserializer: D) -> Result<Self, D::Error> {
                $read
            }
        }
    )*};
}

/// Stands in lists, so its refusal says which one is wrong.
macro_rules! listed {
    ($deserializer:ident, $expected:literal) => {
        text($deserializer, $expected, |found| {
            found.parse().map_err(|error| format!("{found:?}: {error}"))
        })
    };
}

read_themselves! {
    Hotkey: |deserializer| listed!(deserializer, "a hotkey");
    Pin: |deserializer| listed!(deserializer, "a block, such as \"961632:0000...\"");
    Subnet: |deserializer| listed!(deserializer, "an address or a network, such as \"10.0.0.0/8\"");
    Algorithm: |deserializer| word(deserializer, &Self::ALL.map(|one| (one.as_str(), one)));
    VersionRolling: |deserializer| word(deserializer, &Self::ALL.map(|one| (one.as_str(), one)));
    Scheme: |deserializer| word(deserializer, &Self::ALL.map(|one| (one.name(), one)));
    Source: |deserializer| word(deserializer, &Self::ALL.map(|one| (one.name(), one)));
    Measure: |deserializer| word(deserializer, &Self::ALL.map(|one| (one.name(), one)));
    Unearned: |deserializer| word(deserializer, &Self::ALL.map(|one| (one.name(), one)));
    FeePayer: |deserializer| word(deserializer, &Self::ALL.map(|one| (one.name(), one)));
    Visibility: |deserializer| word(deserializer, &Self::ALL);
    Amount: |deserializer| {
        let sats = whole(deserializer, 0, i64::MAX)?;
        Self::from_sats(sats).ok_or_else(|| D::Error::custom("this amount does not fit"))
    };
    BasisPoints: |deserializer| {
        let points = whole(deserializer, 0, Self::WHOLE.into())?;
        Self::new(points).ok_or_else(|| D::Error::custom("more than the whole"))
    };
    FeeRate: |deserializer| {
        let rate = whole(deserializer, 1, Self::MAX.into())?;
        Self::new(rate).ok_or_else(|| D::Error::custom("not a fee rate"))
    };
    FrontEnd: |deserializer| {
        let number = whole(deserializer, 0, i64::from(Self::COUNT) - 1)?;
        Self::new(number).ok_or_else(|| D::Error::custom("there are fewer front ends"))
    };
    Difficulty: |deserializer| {
        let value = decimal(deserializer, 1e-9, 1e18, "a difficulty")?;
        Self::from_f64(value).ok_or_else(|| D::Error::custom("expected a difficulty above 0"))
    };
}

#[cfg(test)]
mod tests {
    use serde_json::{from_str, from_value, json};

    use super::*;

    fn refusal<T: for<'de> Deserialize<'de>>(json: &str) -> String {
        from_str::<T>(json).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn words_are_read_by_the_names_they_are_written_with() {
        macro_rules! check {
            ($($type:ty, $expected:literal;)*) => {$(
                for one in <$type>::ALL {
                    assert_eq!(from_value::<$type>(json!(one.to_string())).unwrap(), one);
                }
                for junk in ["\"\"", "\"Sha256d\"", "\"PPS\"", "\"blocks \""] {
                    assert!(refusal::<$type>(junk).starts_with(&format!("expected {}, found {junk}", $expected)));
                }
                let message = refusal::<$type>("1");
                let begin = concat!("invalid type: integer `1`, expected ", $expected);
                assert!(message.starts_with(begin), "{message}");
            )*};
        }
        check! {
            Algorithm, "\"sha256d\" or \"scrypt\"";
            VersionRolling, "\"bip323\", \"bip320\" or \"off\"";
            Scheme, "\"pplns\", \"proportional\", \"pps\", \"fpps\", \"solo\", \"inverse_loss\", \"score\" or \"winner_takes_most\"";
            Measure, "\"loss\" or \"score\"";
            Unearned, "\"carry\" or \"burn\"";
            Source, "\"blocks\" or \"emission\"";
            FeePayer, "\"pool\" or \"miners\"";
        }
    }

    #[test]
    fn numbers_are_read_within_their_ranges_and_refused_with_them() {
        macro_rules! check {
            ($($type:ty, [$($good:literal),*], [$($bad:literal),*], $expected:literal;)*) => {$(
                for good in [$($good),*] {
                    assert!(from_str::<$type>(good).is_ok(), "{good}");
                }
                for bad in [$($bad),*] {
                    let message = refusal::<$type>(bad);
                    assert!(message.contains($expected), "{bad}: {message}");
                }
            )*};
        }
        check! {
            BasisPoints, ["0", "10000"], ["-1", "10001", "65537", "1.5", "\"1\"", "null"], "a whole number from 0 to 10000";
            FeeRate, ["1", "10000"], ["0", "10001", "4294967297"], "a whole number from 1 to 10000";
            FrontEnd, ["0"], ["-1", "256", "true"], "a whole number from 0 to ";
            Amount, ["0", "9223372036854775807"], ["-1", "18446744073709551615"], "from 0 to 9223372036854775807";
            Difficulty, ["0.000000001", "1", "1e18"], ["0", "-1", "1e-10", "1.1e18", "\"1\""], "a difficulty from ";
        }
    }
}
