//! Amounts as nodes write them: decimal coins, which become whole sats without ever being a float.

use std::fmt;
use std::str::FromStr;

use dwarves_domain::units::Amount;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// Sats of one coin.
const COIN: i64 = 100_000_000;
/// Decimal places of a coin.
const DECIMALS: i32 = 8;
/// The longest number worth reading, in bytes.
const TEXT_LEN_MAX: usize = 40;

/// An amount in a node's JSON, in sats; below zero for what left a wallet.
///
/// Reads JSON numbers and texts from JSON *text* (a [`serde_json::Value`] has lost the digits), and is
/// written as a text with eight decimals, which every node takes where it takes an amount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CoinAmount(i64);

/// Why a text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an amount of coins: a decimal number with at most 8 places")]
pub struct ParseCoinAmountError;

impl CoinAmount {
    /// An amount of `sats`.
    pub const fn from_sats(sats: i64) -> Self {
        Self(sats)
    }

    /// The amount in sats.
    pub const fn sats(self) -> i64 {
        self.0
    }

    /// As money of the pool; `None` below zero.
    pub fn amount(self) -> Option<Amount> {
        Amount::from_sats(u64::try_from(self.0).ok()?)
    }
}

impl From<Amount> for CoinAmount {
    fn from(amount: Amount) -> Self {
        Self(i64::try_from(amount.sats()).expect("an amount fits a signed 64-bit number"))
    }
}

impl fmt::Display for CoinAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, rest) = (self.0 / COIN, self.0 % COIN);
        write!(f, "{sign}{}.{:08}", whole.unsigned_abs(), rest.unsigned_abs())
    }
}

impl FromStr for CoinAmount {
    type Err = ParseCoinAmountError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map(Self).ok_or(ParseCoinAmountError)
    }
}

/// A JSON number in sats, if it is a whole number of them.
fn parse(text: &str) -> Option<i64> {
    if text.len() > TEXT_LEN_MAX {
        return None;
    }
    let (is_negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    // Nodes write no exponents, but what stands between may have re-written their JSON.
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let shift = i32::try_from(fraction.len())
        .ok()
        .and_then(|places| exponent.checked_sub(places)?.checked_add(DECIMALS))?;
    let power = 10_i128.checked_pow(shift.unsigned_abs());
    let sats = match (digits, shift, power) {
        (0, _, _) => 0,
        (_, 0.., Some(power)) => digits.checked_mul(power)?,
        (_, _, Some(power)) if digits % power == 0 => digits / power,
        _ => return None,
    };
    i64::try_from(if is_negative { -sats } else { sats }).ok()
}

impl Serialize for CoinAmount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CoinAmount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get();
        let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        bare.unwrap_or(text).parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_are_read_to_the_last_sat() {
        for (text, sats) in [
            ("0.1", 10_000_000),
            ("0.29", 29_000_000),
            ("20999999.97690000", 2_099_999_997_690_000),
            ("-0.00018620", -18_620),
            ("50", 5_000_000_000),
            ("1e-8", 1),
            ("2.5E+1", 2_500_000_000),
            ("0.000000010", 1),
            ("0e99", 0),
        ] {
            assert_eq!(text.parse(), Ok(CoinAmount(sats)), "{text}");
            assert_eq!(
                serde_json::from_str::<CoinAmount>(text).unwrap(),
                CoinAmount(sats)
            );
            assert_eq!(
                serde_json::from_str::<CoinAmount>(&format!("\"{text}\"")).unwrap(),
                CoinAmount(sats)
            );
        }
        assert_eq!(CoinAmount(-1).amount(), None);
        assert_eq!(CoinAmount(7).amount(), Amount::from_sats(7));
    }

    #[test]
    fn what_is_no_whole_number_of_sats_is_refused() {
        for text in [
            "",
            "-",
            ".",
            "1.",
            ".5",
            "0.000000001",
            "1e-9",
            "1e30",
            "1e999999999999",
            "nan",
            "0x1",
            "1 2",
            "+1",
            "99999999999999999999",
            "1e-2147483648",
        ] {
            assert_eq!(text.parse::<CoinAmount>(), Err(ParseCoinAmountError), "{text}");
        }
        assert!(serde_json::from_str::<CoinAmount>("[1]").is_err());
        assert!("1".repeat(1000).parse::<CoinAmount>().is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(sats in any::<i64>()) {
            prop_assert_eq!(CoinAmount(sats).to_string().parse(), Ok(CoinAmount(sats)));
            let json = serde_json::to_string(&CoinAmount(sats)).unwrap();
            prop_assert_eq!(serde_json::from_str::<CoinAmount>(&json).unwrap(), CoinAmount(sats));
        }

        #[test]
        fn no_text_panics(text in "[-+0-9.eE]{0,45}") {
            let _ = text.parse::<CoinAmount>();
        }
    }
}
