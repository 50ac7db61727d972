//! Values of cells, and places in a table.

use std::cmp::Ordering;
use std::fmt;

/// The value of a cell.
#[derive(Clone, Debug)]
pub enum Datum {
    /// Nothing.
    Null,
    /// A number of 64 bits.
    Int(i64),
    /// Yes or no.
    Flag(bool),
    /// A number of 128 bits.
    Number(u128),
    /// A float, which is compared to the last bit.
    Real(f64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A row: a value for each of its table's columns.
pub type Row = Vec<Datum>;

/// The place of a row: the values of its table's first columns, by which rows are ordered.
pub type Key = Vec<Datum>;

impl Datum {
    /// A text as every store can hold it: the one character that some databases refuse is replaced.
    pub fn text(text: &str) -> Self {
        Self::Text(text.replace('\0', "\u{fffd}"))
    }

    /// The number of 64 bits that it is.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The number of 128 bits that it is.
    pub fn as_number(&self) -> Option<u128> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The text that it is.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes that it is.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The float that it is.
    pub fn as_real(&self) -> Option<f64> {
        match self {
            Self::Real(number) => Some(*number),
            _ => None,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Int(_) => 1,
            Self::Flag(_) => 2,
            Self::Number(_) => 3,
            Self::Real(_) => 4,
            Self::Text(_) => 5,
            Self::Bytes(_) => 6,
        }
    }

    /// It as a word that [`Self::parse`] reads.
    pub fn to_word(&self) -> String {
        match self {
            Self::Null => "-".to_owned(),
            Self::Int(number) => format!("i{number}"),
            Self::Flag(flag) => format!("f{flag}"),
            Self::Number(number) => format!("n{number}"),
            Self::Real(number) => format!("r{:x}", number.to_bits()),
            Self::Text(text) => format!("t{text}"),
            Self::Bytes(bytes) => {
                let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
                format!("b{}", digits.collect::<String>())
            }
        }
    }

    /// The value of such a word.
    pub fn parse(word: &str) -> Option<Self> {
        let mut rest = word.chars();
        let kind = rest.next()?;
        let rest = rest.as_str();
        Some(match kind {
            '-' => Self::Null,
            'i' => Self::Int(rest.parse().ok()?),
            'f' => Self::Flag(rest.parse().ok()?),
            'n' => Self::Number(rest.parse().ok()?),
            'r' => Self::Real(f64::from_bits(u64::from_str_radix(rest, 16).ok()?)),
            't' => Self::Text(rest.to_owned()),
            'b' => {
                if !rest.len().is_multiple_of(2) {
                    return None;
                }
                let pairs = rest.as_bytes().chunks(2);
                let is_digit = |byte: &u8| byte.is_ascii_hexdigit();
                let byte = |pair: &[u8]| {
                    let pair = Some(pair).filter(|pair| pair.iter().all(is_digit))?;
                    u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()
                };
                Self::Bytes(pairs.map(byte).collect::<Option<_>>()?)
            }
            _ => return None,
        })
    }
}

impl Ord for Datum {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Flag(a), Self::Flag(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => a.cmp(b),
            (Self::Real(a), Self::Real(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Bytes(a), Self::Bytes(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Datum {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Datum {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Datum {}

/// Bytes and characters of a value that people are shown.
const SHOWN_MAX: usize = 64;

impl fmt::Display for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("nothing"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Real(number) => write!(f, "{number:?}"),
            Self::Text(text) => {
                let shown: String = text.chars().take(SHOWN_MAX).collect();
                let more = if shown.len() < text.len() { "…" } else { "" };
                write!(f, "{shown:?}{more}")
            }
            Self::Bytes(bytes) => {
                f.write_str("0x")?;
                for byte in bytes.iter().take(SHOWN_MAX) {
                    write!(f, "{byte:02x}")?;
                }
                match bytes.len() > SHOWN_MAX {
                    true => write!(f, "… ({} bytes)", bytes.len()),
                    false => Ok(()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_survives_being_a_word() {
        let values = [
            Datum::Null,
            Datum::Int(i64::MIN),
            Datum::Flag(true),
            Datum::Number(u128::MAX),
            Datum::Real(-0.1),
            Datum::Text("tä\"x".to_owned()),
            Datum::Text(String::new()),
            Datum::Bytes(vec![0, 255, 16]),
            Datum::Bytes(Vec::new()),
        ];
        for value in values {
            assert_eq!(Datum::parse(&value.to_word()), Some(value));
        }
        for bad in ["", "x", "i", "ix", "b0g", "fmaybe", "b0", "b+1"] {
            assert_eq!(Datum::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn floats_are_the_same_only_to_the_last_bit_and_nothing_comes_first() {
        assert_ne!(Datum::Real(0.1 + 0.2), Datum::Real(0.3));
        assert_eq!(Datum::Real(0.3), Datum::Real(0.3));
        assert!(Datum::Null < Datum::Int(i64::MIN));
        assert!(Datum::Bytes(vec![1]) < Datum::Bytes(vec![1, 0]));
    }

    #[test]
    fn what_is_long_is_cut_for_people() {
        assert_eq!(Datum::Bytes(vec![7; 2]).to_string(), "0x0707");
        assert!(Datum::Bytes(vec![7; 99]).to_string().ends_with("… (99 bytes)"));
        assert!(Datum::Text("x".repeat(99)).to_string().ends_with("\"…"));
    }
}
