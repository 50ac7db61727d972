//! Each method's params become values.
//!
//! Numbers that miners write as hex are read into integers here, whatever their case or length, so that one
//! share has one name: what is compared later never is a text.

use std::borrow::Cow;
use std::fmt;

use dwarves_domain::target::Target;
use dwarves_domain::work::SessionJobId;
use dwarves_domain::work::extranonce::EXTRANONCE2_LEN_MAX;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::fault::Fault;
use super::plain;

/// The longest user name, password or agent, in bytes. Mining firmware cuts its own at 63 to 191.
pub const TEXT_LEN_MAX: usize = 256;
/// The most extensions that one `mining.configure` may name.
const EXTENSIONS_MAX: usize = 16;

/// A text of the params; the empty text if it is something else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }

            fn visit_unit<E>(self) -> Result<Text<'de>, E> {
                Ok(Text::default())
            }

            fn visit_u64<E>(self, _: u64) -> Result<Text<'de>, E> {
                Ok(Text::default())
            }

            fn visit_i64<E>(self, _: i64) -> Result<Text<'de>, E> {
                Ok(Text::default())
            }

            fn visit_f64<E>(self, _: f64) -> Result<Text<'de>, E> {
                Ok(Text::default())
            }

            fn visit_bool<E>(self, _: bool) -> Result<Text<'de>, E> {
                Ok(Text::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Text<'de>, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Text::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text<'de>, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Text::default())
            }
        }
        deserializer.deserialize_any(TextVisitor)
    }
}

/// The first `N` params as texts, and how many params there were.
struct Texts<const N: usize>;

impl<'de, const N: usize> DeserializeSeed<'de> for Texts<N> {
    type Value = ([Text<'de>; N], usize);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for Texts<N> {
    type Value = ([Text<'de>; N], usize);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut texts = [const { Text(Cow::Borrowed("")) }; N];
        let mut count = 0;
        for place in &mut texts {
            match list.next_element()? {
                Some(text) => *place = text,
                None => return Ok((texts, count)),
            }
            count += 1;
        }
        while list.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok((texts, count))
    }
}

fn texts<const N: usize>(params: &str) -> Result<([Text<'_>; N], usize), Fault> {
    if let Some((texts, count)) = plain::texts::<N>(params) {
        return Ok((texts.map(|text| Text(Cow::Borrowed(text))), count));
    }
    general_texts(params)
}

/// The texts of whatever JSON the params may be.
fn general_texts<const N: usize>(params: &str) -> Result<([Text<'_>; N], usize), Fault> {
    let mut json = serde_json::Deserializer::from_str(params);
    Texts::<N>
        .deserialize(&mut json)
        .map_err(|_| Fault::Other("Invalid params"))
}

/// `mining.subscribe`: agent and the session to be resumed, if given.
///
/// # Errors
/// If the params are no list.
pub fn subscribe(params: &str) -> Result<[Cow<'_, str>; 2], Fault> {
    let ([agent, session], _) = texts::<2>(params)?;
    Ok([agent.0, session.0])
}

/// `mining.authorize`: user name and password.
///
/// # Errors
/// If the params are no list, or one of the two is longer than any device writes it.
pub fn authorize(params: &str) -> Result<[Cow<'_, str>; 2], Fault> {
    let ([user, password], _) = texts::<2>(params)?;
    if user.0.len() > TEXT_LEN_MAX || password.0.len() > TEXT_LEN_MAX {
        return Err(Fault::Unauthorized("User name or password too long"));
    }
    Ok([user.0, password.0])
}

/// What a miner rolled of the extranonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtraNonce2 {
    bytes: [u8; EXTRANONCE2_LEN_MAX],
    len: u8,
}

impl ExtraNonce2 {
    /// The bytes as they are sent and stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// `mining.submit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submit<'a> {
    /// The user name.
    pub user: Cow<'a, str>,
    /// The job; `None` if the id is none that the pool writes.
    pub job: Option<SessionJobId>,
    /// What was rolled of the extranonce.
    pub extranonce2: ExtraNonce2,
    /// The header's time.
    pub time: u32,
    /// The header's nonce.
    pub nonce: u32,
    /// The rolled bits of the version, if given.
    pub version_bits: Option<u32>,
}

/// Reads the params of `mining.submit` for an extranonce2 of `extranonce2_len` bytes.
///
/// # Errors
/// If something is missing or no number of its size.
pub fn submit(params: &str, extranonce2_len: usize) -> Result<Submit<'_>, Fault> {
    let ([user, job, extranonce2, time, nonce, bits], count) = texts::<6>(params)?;
    if count < 5 {
        return Err(Fault::Other("Invalid params"));
    }
    Ok(Submit {
        user: user.0,
        job: SessionJobId::parse(job.0.as_bytes()),
        extranonce2: extranonce2_of(&extranonce2.0, extranonce2_len)
            .ok_or(Fault::Other("Incorrect size of extranonce2"))?,
        time: number(&time.0).ok_or(Fault::Other("Incorrect size of ntime"))?,
        nonce: number(&nonce.0).ok_or(Fault::Other("Incorrect size of nonce"))?,
        version_bits: match &*bits.0 {
            "" => None,
            bits => Some(number(bits).ok_or(Fault::Other("Incorrect size of version bits"))?),
        },
    })
}

fn extranonce2_of(text: &str, len: usize) -> Option<ExtraNonce2> {
    let mut bytes = [0; EXTRANONCE2_LEN_MAX];
    let place = bytes.get_mut(..len)?;
    hex::decode_to_slice(text, place).ok()?;
    Some(ExtraNonce2 {
        bytes,
        len: u8::try_from(len).ok()?,
    })
}

/// A 32-bit number in at most 8 hex digits of either case. Some firmware leaves leading zeros out.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.len() <= 8 && text.bytes().all(|b| b.is_ascii_hexdigit());
    digits.then(|| u32::from_str_radix(text, 16).ok())?
}

/// A number that may be written as a text.
fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number: &f64| number.is_finite() && *number > 0.0)
}

fn first(params: &str) -> Result<Value, Fault> {
    let list: Vec<Value> = serde_json::from_str(params).map_err(|_| Fault::Other("Invalid params"))?;
    list.into_iter().next().ok_or(Fault::Other("Invalid params"))
}

/// `mining.suggest_difficulty`, as miners write difficulties.
///
/// # Errors
/// If there is no number above zero.
pub fn suggest_difficulty(params: &str) -> Result<f64, Fault> {
    float(&first(params)?).ok_or(Fault::Other("Invalid difficulty"))
}

/// `mining.suggest_target`: 64 hex digits.
///
/// # Errors
/// If there is none, or it is zero.
pub fn suggest_target(params: &str) -> Result<Target, Fault> {
    match first(params)? {
        Value::String(text) => text.parse().map_err(|_| Fault::Other("Invalid target")),
        _ => Err(Fault::Other("Invalid target")),
    }
}

/// An extension that `mining.configure` asks for (BIP310).
#[derive(Clone, Debug, PartialEq)]
pub enum Extension {
    /// `version-rolling`, with the miner's mask.
    VersionRolling(u32),
    /// `minimum-difficulty`, with its value as miners write difficulties.
    MinimumDifficulty(Option<f64>),
    /// `subscribe-extranonce`.
    SubscribeExtranonce,
    /// `info`.
    Info,
    /// One that the pool does not know.
    Unknown(String),
}

/// `mining.configure`.
///
/// # Errors
/// If the params are not a list of names and a map, or there are too many.
pub fn configure(params: &str) -> Result<Vec<Extension>, Fault> {
    let invalid = || Fault::Other("Invalid params");
    let list: Vec<Value> = serde_json::from_str(params).map_err(|_| invalid())?;
    let mut list = list.into_iter();
    let Some(Value::Array(names)) = list.next() else {
        return Err(invalid());
    };
    let options = list.next().unwrap_or(Value::Null);
    if names.len() > EXTENSIONS_MAX {
        return Err(Fault::Other("Too many extensions"));
    }
    names
        .into_iter()
        .map(|name| {
            let Value::String(name) = name else {
                return Err(invalid());
            };
            Ok(match name.as_str() {
                "version-rolling" => {
                    let mask = options.get("version-rolling.mask");
                    // A mask that is missing or none stands for every bit: the pool has the last word.
                    let mask = mask.and_then(Value::as_str).and_then(number);
                    Extension::VersionRolling(mask.unwrap_or(u32::MAX))
                }
                "minimum-difficulty" => {
                    Extension::MinimumDifficulty(options.get("minimum-difficulty.value").and_then(float))
                }
                "subscribe-extranonce" => Extension::SubscribeExtranonce,
                "info" => Extension::Info,
                _ => Extension::Unknown(name),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
