//! Values on their way into a statement, and numbers of 128 bits as the database has them.

use std::error::Error;

use bytes::{BufMut as _, BytesMut};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, NoticeId, PayoutId, RoundId, Sequence, TemplateId, WorkerId};
use dwarves_domain::payouts::Txid;
use dwarves_domain::rewards::HalfUnits;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::{Amount, Units};
use dwarves_ports::store::codec::{int, sats};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

type Refusal = Box<dyn Error + Sync + Send>;

/// A value of a statement's parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    /// Nothing.
    Null,
    /// A number of 64 bits.
    Int(i64),
    /// Yes or no.
    Flag(bool),
    /// A number of 128 bits.
    Number(u128),
    /// A text.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Something else, such as a list.
    Other(&'a (dyn ToSql + Sync)),
}

impl ToSql for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Refusal> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(number) if *ty == Type::INT4 => i32::try_from(*number)?.to_sql(ty, out),
            Self::Int(number) => number.to_sql_checked(ty, out),
            Self::Flag(flag) => flag.to_sql_checked(ty, out),
            Self::Number(number) => Number(*number).to_sql_checked(ty, out),
            // The one character that a text in the database cannot have.
            Self::Text(text) if text.contains('\0') => text.replace('\0', "\u{fffd}").to_sql_checked(ty, out),
            Self::Text(text) => text.to_sql_checked(ty, out),
            Self::Bytes(bytes) => bytes.to_sql_checked(ty, out),
            Self::Other(value) => value.to_sql_checked(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

macro_rules! values_of {
    ($($type:ty: |$it:ident| $value:expr;)+) => {
        $(impl<'a> From<$type> for Value<'a> {
            fn from($it: $type) -> Self {
                $value
            }
        })+
    };
}

values_of! {
    i64: |it| Self::Int(it);
    u64: |it| Self::Int(int(it));
    u32: |it| Self::Int(i64::from(it));
    u16: |it| Self::Int(i64::from(it));
    bool: |it| Self::Flag(it);
    u128: |it| Self::Number(it);
    &'a str: |it| Self::Text(it);
    &'a String: |it| Self::Text(it);
    &'a [u8]: |it| Self::Bytes(it);
    &'a Vec<u8>: |it| Self::Bytes(it);
    &'a Hotkey: |it| Self::Bytes(it.as_bytes());
    &'a HeaderHash: |it| Self::Bytes(it.as_bytes());
    &'a Txid: |it| Self::Bytes(it.as_bytes());
    Timestamp: |it| Self::Int(it.millis());
    Amount: |it| Self::Int(sats(it));
    Units: |it| Self::Number(it.raw());
    HalfUnits: |it| Self::Number(it.half_steps());
    Sequence: |it| Self::Int(int(it.get()));
    RoundId: |it| Self::Int(int(it.get()));
    PayoutId: |it| Self::Int(int(it.get()));
    NoticeId: |it| Self::Int(int(it.get()));
    TemplateId: |it| Self::Int(i64::from(it.get()));
    WorkerId: |it| Self::Int(i64::from(it.get()));
}

impl<'a, const N: usize> From<&'a [u8; N]> for Value<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Bytes(bytes)
    }
}

/// The values of a statement's parameters, in order.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        &[$($crate::value::Value::from($value)),*]
    };
}
pub(crate) use values;

/// A whole number from 0 on, of the database's type for numbers of any size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number(pub(crate) u128);

/// What one digit of the database's counts.
const BASE: u128 = 10_000;
/// Digits that a number of 128 bits has at most.
const DIGITS_MAX: usize = 10;

impl Number {
    /// Appends its binary form: how many digits, the first one's weight, the sign, decimal places, and the digits.
    pub(crate) fn put(self, out: &mut BytesMut) {
        let mut digits = [0_i16; DIGITS_MAX];
        let (mut rest, mut count) = (self.0, 0);
        while rest > 0 {
            digits[count] = i16::try_from(rest % BASE).expect("a digit is less than the base");
            rest /= BASE;
            count += 1;
        }
        let length = i16::try_from(count).expect("a number has few digits");
        out.put_i16(length);
        out.put_i16((length - 1).max(0));
        out.put_i16(0);
        out.put_i16(0);
        for digit in digits[..count].iter().rev() {
            out.put_i16(*digit);
        }
    }

    fn read(raw: &[u8]) -> Option<Self> {
        let mut words = raw
            .chunks_exact(2)
            .map(|word| i16::from_be_bytes([word[0], word[1]]));
        let (length, weight, sign) = (words.next()?, words.next()?, words.next()?);
        words.next()?;
        if sign != 0 {
            return None;
        }
        let mut number = 0_u128;
        for _ in 0..length {
            let digit = u128::try_from(words.next()?).ok()?;
            number = number.checked_mul(BASE)?.checked_add(digit)?;
        }
        // Zeros at the end are left out.
        for _ in 0..u32::try_from(i32::from(weight) + 1 - i32::from(length)).ok()? {
            number = number.checked_mul(BASE)?;
        }
        Some(Self(number))
    }
}

impl ToSql for Number {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Refusal> {
        self.put(out);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::NUMERIC
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Number {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Refusal> {
        Self::read(raw).ok_or_else(|| "not a whole number of 128 bits".into())
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::NUMERIC
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(number: u128) -> BytesMut {
        let mut out = BytesMut::new();
        Number(number).put(&mut out);
        out
    }

    proptest! {
        #[test]
        fn numbers_survive_storing(number in prop_oneof![any::<u128>(), 0..100_000_u128]) {
            prop_assert_eq!(Number::read(&bytes(number)), Some(Number(number)));
        }
    }

    #[test]
    fn what_is_no_whole_number_of_128_bits_does_not_parse() {
        // As the database writes 10000, without its zeros; -1; 0.5; 10^40; and a number that is cut off.
        assert_eq!(
            Number::read(&[0, 1, 0, 1, 0, 0, 0, 0, 0, 1]),
            Some(Number(10_000))
        );
        for bad in [
            &[0, 1, 0, 0, 0x40, 0, 0, 0, 0, 1][..],
            &[0, 1, 0xff, 0xff, 0, 0, 0, 1, 0x13, 0x88],
            &[0, 1, 0, 10, 0, 0, 0, 0, 0, 1],
            &[0, 2, 0, 1, 0, 0, 0, 0, 0, 1],
        ] {
            assert_eq!(Number::read(bad), None, "{bad:?}");
        }
        assert_eq!(Number::read(&bytes(u128::MAX)), Some(Number(u128::MAX)));
        assert_eq!(Number::read(&bytes(0)), Some(Number(0)));
    }
}
