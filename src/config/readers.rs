//! What settings need beside the values that read themselves (`dwarves_domain::settings`): ranges of plain numbers and
//! times, lists, texts, and what an empty text stands for.
//!
//! Each stands in a `with` or `deserialize_with` of the field that it reads.

use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::path::PathBuf;

use dwarves_domain::chain_guard::Pin;
use dwarves_domain::evaluation::Reading;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::metagraph::Rao;
use dwarves_domain::network::Subnet;
use dwarves_domain::rewards::evaluated::LOSS_FLOOR_LEAST;
use dwarves_domain::settings::{decimal, text, whole};
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::Span;
use dwarves_domain::units::{BasisPoints, Units};
use dwarves_domain::work::coinbase;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Unexpected, Visitor};
use toml::Value;

/// A whole number from `MIN` to `MAX`.
pub(super) enum Whole<const MIN: i64, const MAX: i64> {}

impl<const MIN: i64, const MAX: i64> Whole<MIN, MAX> {
    pub(super) fn deserialize<'de, D: Deserializer<'de>, T: TryFrom<i64>>(d: D) -> Result<T, D::Error> {
        whole(d, MIN, MAX)
    }
}

/// Whole seconds.
pub(super) enum Secs<const MIN: i64, const MAX: i64> {}

impl<const MIN: i64, const MAX: i64> Secs<MIN, MAX> {
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Span, D::Error> {
        whole(d, MIN, MAX).map(Span::from_secs)
    }
}

/// Whole days.
pub(super) enum Days<const MIN: i64, const MAX: i64> {}

impl<const MIN: i64, const MAX: i64> Days<MIN, MAX> {
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Span, D::Error> {
        whole(d, MIN, MAX).map(|days: u64| Span::from_secs(days * 86_400))
    }
}

/// Seconds with decimals, kept to the millisecond; the bounds are milliseconds.
pub(super) enum Millis<const MIN: i64, const MAX: i64> {}

impl<const MIN: i64, const MAX: i64> Millis<MIN, MAX> {
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Span, D::Error> {
        let secs = decimal(
            d,
            MIN as f64 / 1_000.0,
            MAX as f64 / 1_000.0,
            "a number of seconds",
        )?;
        Ok(Span::from_millis((secs * 1_000.0).round() as u64))
    }
}

/// 4 or 8: the parsers of small miners know no sizes between them.
pub(super) fn extranonce2_bytes<'de, D: Deserializer<'de>>(d: D) -> Result<usize, D::Error> {
    match whole::<_, usize>(d, i64::MIN, i64::MAX) {
        Ok(bytes @ (4 | 8)) => Ok(bytes),
        Ok(bytes @ 5..=7) => Err(D::Error::custom(format!(
            "{bytes} bytes break NerdMiner and its kin; set 8, which every proxy can share out, or 4"
        ))),
        Ok(_) | Err(_) => Err(D::Error::custom("expected 4 or 8")),
    }
}

/// 1 to 5000 basis points: a fee of more than half is a slip of the keyboard.
pub(super) fn fee_max<'de, D: Deserializer<'de>>(d: D) -> Result<BasisPoints, D::Error> {
    let points = whole(d, 1, 5_000)?;
    BasisPoints::new(points).ok_or_else(|| D::Error::custom("more than the whole"))
}

/// A difficulty, or 0 for none.
pub(super) fn difficulty_or_zero<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Difficulty>, D::Error> {
    let value = decimal(d, 0.0, 1e18, "a difficulty")?;
    if value == 0.0 {
        return Ok(None);
    }
    let difficulty = Difficulty::from_f64(value).filter(|_| value >= 1e-9);
    let wrong = || D::Error::custom("expected a difficulty from 0.000000001 on, or 0 for that of the chain");
    difficulty.map(Some).ok_or_else(wrong)
}

/// Units above zero: a whole number or an exact decimal in quotes. A TOML float is binary and would change the number
/// that was written.
pub(super) fn window_units<'de, D: Deserializer<'de>>(d: D) -> Result<Units, D::Error> {
    const EXPECTED: &str =
        "units above 0 and at most 1000000: a whole number, or a decimal in quotes (\"0.5\")";
    let value = Value::deserialize(d)?;
    let (written, found) = match &value {
        Value::String(text) => (Some(text.clone()), Unexpected::Str(text)),
        Value::Integer(number) => (Some(number.to_string()), Unexpected::Signed(*number)),
        Value::Float(number) => (None, Unexpected::Float(*number)),
        _ => (None, Unexpected::Other(value.type_str())),
    };
    let units = written.and_then(|written| written.parse::<Units>().ok());
    units
        .filter(|units| !units.is_zero() && units.raw() / Units::ONE.raw() <= 1_000_000)
        .ok_or_else(|| D::Error::invalid_value(found, &EXPECTED))
}

/// A loss from 10^-9 to 1, as an exact decimal in quotes.
pub(super) fn loss_floor<'de, D: Deserializer<'de>>(d: D) -> Result<Reading, D::Error> {
    const EXPECTED: &str = "a loss from 0.000000001 to 1 in quotes, such as \"0.000001\"";
    text(d, EXPECTED, |found| {
        let floor = found.parse().ok();
        floor
            .filter(|floor: &Reading| (LOSS_FLOOR_LEAST..=Reading::ONE.steps()).contains(&floor.steps()))
            .ok_or_else(|| format!("expected {EXPECTED}, found {found:?}"))
    })
}

/// 1 to 10000 basis points.
pub(super) fn winner<'de, D: Deserializer<'de>>(d: D) -> Result<BasisPoints, D::Error> {
    let points = whole(d, 1, i64::from(BasisPoints::WHOLE))?;
    BasisPoints::new(points).ok_or_else(|| D::Error::custom("more than the whole"))
}

/// A stake: a number from 0 on.
pub(super) fn stake<'de, D: Deserializer<'de>>(d: D) -> Result<Rao, D::Error> {
    let value = decimal(d, 0.0, 1e10, "a stake")?;
    let coins = value.to_string().parse().map_err(D::Error::custom)?;
    Rao::from_coins(coins).map_err(D::Error::custom)
}

/// As `read` does, or nothing if it is an empty text.
fn none_if_empty<'de, D: Deserializer<'de>, T>(
    d: D,
    read: impl FnOnce(Value) -> Result<T, toml::de::Error>,
) -> Result<Option<T>, D::Error> {
    match Value::deserialize(d)? {
        Value::String(text) if text.is_empty() => Ok(None),
        value => read(value)
            .map(Some)
            .map_err(|error| D::Error::custom(error.message())),
    }
}

/// A value that reads itself, or nothing if it is an empty text.
pub(super) fn optional<'de, D, T>(d: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: for<'any> Deserialize<'any>,
{
    none_if_empty(d, T::deserialize)
}

/// A path.
pub(super) fn path<'de, D: Deserializer<'de>>(d: D) -> Result<PathBuf, D::Error> {
    optional(d)?.ok_or_else(|| D::Error::custom("expected the path of a file, found nothing"))
}

/// Where to listen.
pub(super) fn address<'de, D: Deserializer<'de>>(d: D) -> Result<SocketAddr, D::Error> {
    const EXPECTED: &str = "an IP address and a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\"";
    text(d, EXPECTED, |found| {
        found
            .parse()
            .map_err(|_| format!("expected {EXPECTED}, found {found:?}"))
    })
}

/// Where to listen, or nowhere if it is empty.
pub(super) fn optional_address<'de, D: Deserializer<'de>>(d: D) -> Result<Option<SocketAddr>, D::Error> {
    none_if_empty(d, address)
}

/// A text of which `fits` holds.
fn fitting<'de, D: Deserializer<'de>>(
    d: D,
    expected: &str,
    fits: impl FnOnce(&str) -> bool,
) -> Result<String, D::Error> {
    text(d, expected, |found| match fits(found) {
        true => Ok(found.to_owned()),
        false => Err(format!("expected {expected}")),
    })
}

/// The pool's name.
pub(super) fn name<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    fitting(d, "1 to 64 printable characters", |found| {
        (1..=64).contains(&found.chars().count()) && !found.chars().any(char::is_control)
    })
}

/// A name, or nothing if it is empty.
pub(super) fn optional_name<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    none_if_empty(d, name)
}

/// A unit of money, or nothing if it is empty.
pub(super) fn optional_unit<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    none_if_empty(d, |value| {
        fitting(value, "1 to 12 letters and digits, such as \"TAO\"", |found| {
            (1..=12).contains(&found.len()) && found.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
    })
}

/// The tag in the pool's coinbases.
pub(super) fn tag<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    let printable = |b: u8| b == b' ' || b.is_ascii_graphic();
    fitting(d, "at most 64 printable ASCII characters", |found| {
        found.len() <= coinbase::TAG_LEN_MAX && found.bytes().all(printable)
    })
}

/// A host's name or address, without a port; an empty text is none.
pub(super) fn public_host<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    none_if_empty(d, |value| {
        fitting(
            value,
            "a host's name or address without a port, such as \"pool.example\"",
            |found| {
                let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
                let is_name = found.chars().all(is_of_name) && !found.starts_with(['.', '-']);
                let is_ip = found.parse::<std::net::Ipv6Addr>().is_ok();
                (1..=253).contains(&found.len()) && (is_name || is_ip)
            },
        )
    })
}

/// A list; `expected` says what to write if it is none.
pub(super) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    d: D,
    expected: &'static str,
) -> Result<Vec<T>, D::Error> {
    struct List<T>(&'static str, PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Vec<T>, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(list))
        }
    }

    d.deserialize_seq(List(expected, PhantomData))
}

pub(super) fn at_most<T, E: Error>(values: Vec<T>, max: usize, what: &str) -> Result<Vec<T>, E> {
    if values.len() > max {
        return Err(E::custom(format!("at most {max} {what}, found {}", values.len())));
    }
    Ok(values)
}

/// Hotkeys.
pub(super) fn hotkeys<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Hotkey>, D::Error> {
    list(d, "a list of hotkeys, such as [\"5Grwva...\"]")
}

/// Addresses and networks.
pub(super) fn subnets<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Subnet>, D::Error> {
    list(d, "a list of addresses and networks, such as [\"10.0.0.0/8\"]")
}

/// The most blocks that can be pinned: each is asked for at every look.
const PINS_MAX: usize = 64;
/// The most deployments that can be named.
const DEPLOYMENTS_MAX: usize = 32;

/// Blocks that must be on the chain.
pub(super) fn pins<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Pin>, D::Error> {
    let pins: Vec<Pin> = list(d, "a list of blocks, such as [\"961632:0000...\"]")?;
    let mut heights: Vec<u32> = pins.iter().map(|pin| pin.height).collect();
    heights.sort_unstable();
    if let Some(twice) = heights.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(D::Error::custom(format!("height {} is pinned twice", twice[0])));
    }
    at_most(pins, PINS_MAX, "blocks")
}

/// Names of deployments.
pub(super) fn deployments<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<String>, D::Error> {
    let names: Vec<String> = list(d, "a list of names, such as [\"testdummy\"]")?;
    let is_name =
        |name: &String| (1..=64).contains(&name.len()) && name.chars().all(|c| c.is_ascii_graphic());
    if let Some(wrong) = names.iter().find(|name| !is_name(name)) {
        return Err(D::Error::custom(format!(
            "{wrong:?}: expected the name of a deployment, as getdeploymentinfo has it"
        )));
    }
    at_most(names, DEPLOYMENTS_MAX, "names")
}
