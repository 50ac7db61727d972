//! Amounts for people.

use dwarves_domain::units::in_units;

/// Sats as coins with all eight decimal places.
pub fn coins(sats: i128) -> String {
    amount(sats, 8)
}

/// Base units of a unit with so many decimal places, with all of them.
pub fn amount(base: i128, decimals: u8) -> String {
    let sign = if base < 0 { "-" } else { "" };
    format!("{sign}{}", in_units(base.unsigned_abs(), decimals))
}

/// Hashes per second with a unit.
pub fn hashrate(per_sec: f64) -> String {
    let units = ["H/s", "kH/s", "MH/s", "GH/s", "TH/s", "PH/s", "EH/s", "ZH/s"];
    // No minus before a zero.
    let mut value = per_sec + 0.0;
    let mut unit = 0;
    // What would be rounded to a thousand has the next unit already.
    while value >= 999.95 && unit + 1 < units.len() {
        value /= 1_000.0;
        unit += 1;
    }
    format!("{value:.1} {}", units[unit])
}

/// A count with its thousands apart.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Seconds as people say them: `42 s`, `3 min`, `5 h`, `12 d`.
pub fn span(secs: u64) -> String {
    match secs {
        0..=119 => format!("{secs} s"),
        120..=7_199 => format!("{} min", secs / 60),
        7_200..=172_799 => format!("{} h", secs / 3_600),
        _ => format!("{} d", secs / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coins_have_eight_decimal_places() {
        assert_eq!(coins(0), "0.00000000");
        assert_eq!(coins(5_000_000_001), "50.00000001");
        assert_eq!(coins(-1), "-0.00000001");
        assert_eq!(coins(i128::from(u64::MAX)), "184467440737.09551615");
    }

    #[test]
    fn amounts_have_the_decimal_places_of_their_unit() {
        assert_eq!(amount(1_500_000_000, 9), "1.500000000");
        assert_eq!(amount(-5, 1), "-0.5");
        assert_eq!(amount(7, 0), "7");
    }

    #[test]
    fn hashrates_have_a_fitting_unit() {
        assert_eq!(hashrate(12.0), "12.0 H/s");
        assert_eq!(hashrate(-0.0), "0.0 H/s");
        assert_eq!(hashrate(999.96), "1.0 kH/s");
        assert_eq!(hashrate(1_500_000.0), "1.5 MH/s");
        assert_eq!(hashrate(2e21), "2.0 ZH/s");
        assert_eq!(hashrate(1e27), "1000000.0 ZH/s");
    }

    #[test]
    fn counts_and_spans_are_read_at_a_glance() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(count),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(
            [0, 119, 120, 7_200, 172_800].map(span),
            ["0 s", "119 s", "2 min", "2 h", "2 d"]
        );
    }
}
