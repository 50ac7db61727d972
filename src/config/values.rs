//! Reading one value: its type, its range, and what would be right.
//!
//! Each function is a `deserialize_with`. A refusal names what was found and what is expected; the caller
//! adds key, file and line.

use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use dwarves_domain::chain_guard::Pin;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::payouts::{FeePayer, FeeRate};
use dwarves_domain::rewards::{Scheme, Source};
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::Span;
use dwarves_domain::units::{Amount, BasisPoints, Units};
use dwarves_domain::work::{Algorithm, FrontEnd, VersionRolling, coinbase};
use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Unexpected, Visitor};

use super::sections::{Acknowledge, ChainKind, FallbackNode, LogFormat, NodeUrl};
use dwarves_peers::Network;

/// A whole number from `MIN` to `MAX`.
pub(super) fn whole<'de, D, T, const MIN: i64, const MAX: i64>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64>,
{
    let number = deserializer.deserialize_i64(WholeVisitor { min: MIN, max: MAX })?;
    T::try_from(number).map_err(|_| D::Error::custom("this number does not fit"))
}

struct WholeVisitor {
    min: i64,
    max: i64,
}

impl Visitor<'_> for WholeVisitor {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from {} to {}", self.min, self.max)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<i64, E> {
        if (self.min..=self.max).contains(&value) {
            Ok(value)
        } else {
            Err(E::invalid_value(Unexpected::Signed(value), &self))
        }
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<i64, E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => Err(E::invalid_value(Unexpected::Unsigned(value), &self)),
        }
    }
}

/// 4 or 8: the parsers of small miners know no sizes between them.
pub(super) fn extranonce2_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let bytes = whole::<D, usize, { i64::MIN }, { i64::MAX }>(deserializer);
    match bytes {
        Ok(bytes @ (4 | 8)) => Ok(bytes),
        Ok(bytes @ 5..=7) => Err(D::Error::custom(format!(
            "{bytes} bytes break NerdMiner and its kin; set 8, which every proxy can share out, or 4"
        ))),
        Ok(_) | Err(_) => Err(D::Error::custom("expected 4 or 8")),
    }
}

/// Whole seconds.
pub(super) fn secs<'de, D: Deserializer<'de>, const MIN: i64, const MAX: i64>(
    deserializer: D,
) -> Result<Span, D::Error> {
    whole::<D, u64, MIN, MAX>(deserializer).map(Span::from_secs)
}

/// Whole days.
pub(super) fn days<'de, D: Deserializer<'de>, const MIN: i64, const MAX: i64>(
    deserializer: D,
) -> Result<Span, D::Error> {
    whole::<D, u64, MIN, MAX>(deserializer).map(|days| Span::from_secs(days * 86_400))
}

/// Whole sats.
pub(super) fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
    let sats = whole::<D, u64, 0, { i64::MAX }>(deserializer)?;
    Amount::from_sats(sats).ok_or_else(|| D::Error::custom("this amount does not fit"))
}

/// 0 to 10000.
pub(super) fn basis_points<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BasisPoints, D::Error> {
    let points = whole::<D, u16, 0, { BasisPoints::WHOLE as i64 }>(deserializer)?;
    BasisPoints::new(points).ok_or_else(|| D::Error::custom("more than the whole"))
}

/// Sats for each virtual byte.
pub(super) fn fee_rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FeeRate, D::Error> {
    let rate = whole::<D, u32, 1, { FeeRate::MAX as i64 }>(deserializer)?;
    FeeRate::new(rate).ok_or_else(|| D::Error::custom("not a fee rate"))
}

/// 1 to 5000 basis points: a fee of more than half is a slip of the keyboard.
pub(super) fn fee_max<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BasisPoints, D::Error> {
    let points = whole::<D, u16, 1, 5_000>(deserializer)?;
    BasisPoints::new(points).ok_or_else(|| D::Error::custom("more than the whole"))
}

/// A number with or without decimals, within bounds.
struct NumberVisitor {
    min: f64,
    max: f64,
    what: &'static str,
}

impl Visitor<'_> for NumberVisitor {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {} to {}", self.what, self.min, self.max)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<f64, E> {
        // A comparison that NaN fails, too.
        if value >= self.min && value <= self.max {
            Ok(value)
        } else {
            Err(E::invalid_value(Unexpected::Float(value), &self))
        }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<f64, E> {
        self.visit_f64(value as f64)
    }
}

/// Seconds with decimals, kept to the millisecond.
pub(super) fn share_interval<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
    let secs = deserializer.deserialize_f64(NumberVisitor {
        min: 0.01,
        max: 3_600.0,
        what: "a number of seconds",
    })?;
    Ok(Span::from_millis((secs * 1_000.0).round() as u64))
}

/// Seconds with decimals between two looks at a node, kept to the millisecond.
pub(super) fn poll_interval<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
    let secs = deserializer.deserialize_f64(NumberVisitor {
        min: 0.05,
        max: 60.0,
        what: "a number of seconds",
    })?;
    Ok(Span::from_millis((secs * 1_000.0).round() as u64))
}

/// The most nodes that stand in for the first.
const FALLBACKS_MAX: usize = 8;

/// Nodes that stand in for the first.
pub(super) fn fallbacks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<FallbackNode>, D::Error> {
    let nodes = Vec::<FallbackNode>::deserialize(deserializer)?;
    if nodes.len() > FALLBACKS_MAX {
        return Err(D::Error::custom(format!(
            "at most {FALLBACKS_MAX} nodes, found {}",
            nodes.len()
        )));
    }
    Ok(nodes)
}

/// A node's address that may not be left out.
pub(super) fn some_node_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NodeUrl, D::Error> {
    node_url(deserializer)?.ok_or_else(|| D::Error::custom("expected a node's address, found nothing"))
}

/// The most blocks that can be pinned: each is asked for at every look.
const PINS_MAX: usize = 64;
/// The most deployments that can be named.
const DEPLOYMENTS_MAX: usize = 32;

/// Blocks that must be on the chain.
pub(super) fn pins<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Pin>, D::Error> {
    let pins: Vec<Pin> = texts(deserializer, "a list of blocks, such as [\"961632:0000...\"]")?;
    let mut heights: Vec<u32> = pins.iter().map(|pin| pin.height).collect();
    heights.sort_unstable();
    if let Some(twice) = heights.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(D::Error::custom(format!("height {} is pinned twice", twice[0])));
    }
    at_most(pins, PINS_MAX, "blocks")
}

/// Names of deployments.
pub(super) fn deployments<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let names: Vec<String> = texts(deserializer, "a list of names, such as [\"testdummy\"]")?;
    let is_name =
        |name: &&String| name.is_empty() || name.len() > 64 || !name.chars().all(|c| c.is_ascii_graphic());
    if let Some(wrong) = names.iter().find(is_name) {
        return Err(D::Error::custom(format!(
            "{wrong:?}: expected the name of a deployment, as getdeploymentinfo has it"
        )));
    }
    at_most(names, DEPLOYMENTS_MAX, "names")
}

fn at_most<T, E: Error>(values: Vec<T>, max: usize, what: &str) -> Result<Vec<T>, E> {
    if values.len() > max {
        return Err(E::custom(format!("at most {max} {what}, found {}", values.len())));
    }
    Ok(values)
}

/// A difficulty (bdiff).
pub(super) fn difficulty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Difficulty, D::Error> {
    let value = deserializer.deserialize_f64(NumberVisitor {
        min: 1e-9,
        max: 1e18,
        what: "a difficulty",
    })?;
    Difficulty::from_f64(value).ok_or_else(|| D::Error::custom("expected a difficulty above 0"))
}

/// A difficulty (bdiff), or 0 for none.
pub(super) fn difficulty_or_zero<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Difficulty>, D::Error> {
    let value = deserializer.deserialize_f64(NumberVisitor {
        min: 0.0,
        max: 1e18,
        what: "a difficulty",
    })?;
    if value == 0.0 {
        return Ok(None);
    }
    let difficulty = Difficulty::from_f64(value).filter(|_| value >= 1e-9);
    let wrong = || D::Error::custom("expected a difficulty from 0.000000001 on, or 0 for that of the chain");
    difficulty.map(Some).ok_or_else(wrong)
}

/// A difficulty that was given.
pub(super) fn some_difficulty<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Difficulty>, D::Error> {
    difficulty(deserializer).map(Some)
}

/// A text that `parse` understands.
struct TextVisitor<T, F> {
    expected: &'static str,
    parse: F,
    result: PhantomData<T>,
}

impl<T, F: Fn(&str) -> Result<T, String>> Visitor<'_> for TextVisitor<T, F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).map_err(E::custom)
    }
}

fn text<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    expected: &'static str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<T, D::Error> {
    deserializer.deserialize_str(TextVisitor {
        expected,
        parse,
        result: PhantomData,
    })
}

/// One of several words.
fn word<'de, D: Deserializer<'de>, T: Copy>(
    deserializer: D,
    expected: &'static str,
    words: &[(&str, T)],
) -> Result<T, D::Error> {
    text(deserializer, expected, |found| {
        words
            .iter()
            .find(|(word, _)| *word == found)
            .map(|(_, value)| *value)
            .ok_or_else(|| format!("expected {expected}, found {found:?}"))
    })
}

/// A text, or nothing if it is empty.
pub(super) fn optional_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    text(deserializer, "a text", |found| {
        Ok((!found.is_empty()).then(|| found.to_owned()))
    })
}

/// A path, or nothing if it is empty.
pub(super) fn optional_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    optional_text(deserializer).map(|path| path.map(PathBuf::from))
}

/// A path.
pub(super) fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    optional_path(deserializer)?.ok_or_else(|| D::Error::custom("expected the path of a file, found nothing"))
}

/// The pool's name.
pub(super) fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let expected = "1 to 64 printable characters";
    text(deserializer, expected, |found| {
        let fits = (1..=64).contains(&found.chars().count()) && !found.chars().any(char::is_control);
        fits.then(|| found.to_owned())
            .ok_or_else(|| format!("expected {expected}"))
    })
}

/// The tag in the pool's coinbases.
pub(super) fn tag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let expected = "at most 64 printable ASCII characters";
    text(deserializer, expected, |found| {
        let printable = |b: u8| b == b' ' || b.is_ascii_graphic();
        let fits = found.len() <= coinbase::TAG_LEN_MAX && found.bytes().all(printable);
        fits.then(|| found.to_owned())
            .ok_or_else(|| format!("expected {expected}"))
    })
}

/// The number of a front end.
pub(super) fn front_end<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FrontEnd, D::Error> {
    let number = whole::<_, u8, 0, { FrontEnd::COUNT as i64 - 1 }>(deserializer)?;
    FrontEnd::new(number).ok_or_else(|| D::Error::custom("there are fewer front ends"))
}

const ADDRESS: &str = "an IP address and a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\"";

fn parse_address(found: &str) -> Result<SocketAddr, String> {
    found
        .parse()
        .map_err(|_| format!("expected {ADDRESS}, found {found:?}"))
}

/// Where to listen.
pub(super) fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    text(deserializer, ADDRESS, parse_address)
}

/// Where to listen, or nowhere if it is empty.
pub(super) fn optional_address<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    text(deserializer, ADDRESS, |found| {
        if found.is_empty() {
            Ok(None)
        } else {
            parse_address(found).map(Some)
        }
    })
}

/// A node's address, or nothing if it is empty. A refusal does not repeat it: it may hold a password.
pub(super) fn node_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NodeUrl>, D::Error> {
    let expected = "an address such as \"http://user:password@127.0.0.1:8332\"";
    text(deserializer, expected, |found| match found {
        "" => Ok(None),
        found => NodeUrl::parse(found)
            .map(Some)
            .ok_or_else(|| format!("expected {expected}")),
    })
}

/// `durable` or `queued`.
pub(super) fn acknowledge<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Acknowledge, D::Error> {
    let words = [("durable", Acknowledge::Durable), ("queued", Acknowledge::Queued)];
    word(deserializer, "\"durable\" or \"queued\"", &words)
}

/// `text` or `json`.
pub(super) fn log_format<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LogFormat, D::Error> {
    word(deserializer, "\"text\" or \"json\"", &LogFormat::ALL)
}

/// `devnet` or `node`.
pub(super) fn chain_kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ChainKind, D::Error> {
    let words = [("devnet", ChainKind::Devnet), ("node", ChainKind::Node)];
    word(deserializer, "\"devnet\" or \"node\"", &words)
}

/// `sha256d` or `scrypt`.
pub(super) fn algorithm<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Algorithm, D::Error> {
    let words = [("sha256d", Algorithm::Sha256d), ("scrypt", Algorithm::Scrypt)];
    word(deserializer, "\"sha256d\" or \"scrypt\"", &words)
}

/// The bits of the version that miners may roll.
pub(super) fn version_rolling<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<VersionRolling, D::Error> {
    let words = VersionRolling::ALL.map(|rolling| (rolling.as_str(), rolling));
    word(deserializer, "\"bip323\", \"bip320\" or \"off\"", &words)
}

/// A reward scheme.
pub(super) fn scheme<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Scheme, D::Error> {
    let words = [
        ("pplns", Scheme::Pplns),
        ("proportional", Scheme::Proportional),
        ("pps", Scheme::Pps),
        ("fpps", Scheme::Fpps),
        ("solo", Scheme::Solo),
    ];
    let expected = "\"pplns\", \"proportional\", \"pps\", \"fpps\" or \"solo\"";
    word(deserializer, expected, &words)
}

/// A source of rewards.
pub(super) fn source<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Source, D::Error> {
    let words = [("blocks", Source::Blocks), ("emission", Source::Emission)];
    word(deserializer, "\"blocks\" or \"emission\"", &words)
}

/// Who pays the network's fee.
pub(super) fn fee_payer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FeePayer, D::Error> {
    let words = [("pool", FeePayer::Pool), ("miners", FeePayer::Miners)];
    word(deserializer, "\"pool\" or \"miners\"", &words)
}

/// Units above zero: a whole number or an exact decimal in quotes.
pub(super) fn window_units<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Units, D::Error> {
    struct UnitsVisitor;

    impl Visitor<'_> for UnitsVisitor {
        type Value = Units;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            // A TOML float is binary and would change the number that was written.
            f.write_str("units above 0 and at most 1000000: a whole number, or a decimal in quotes (\"0.5\")")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Units, E> {
            let units = Units::from_str(text).map_err(|_| E::invalid_value(Unexpected::Str(text), &self))?;
            if units.is_zero() || units.raw() / Units::ONE.raw() > 1_000_000 {
                return Err(E::invalid_value(Unexpected::Str(text), &self));
            }
            Ok(units)
        }

        fn visit_i64<E: Error>(self, value: i64) -> Result<Units, E> {
            self.visit_str(&value.to_string())
        }
    }

    deserializer.deserialize_any(UnitsVisitor)
}

/// A list of hotkeys.
pub(super) fn hotkeys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Hotkey>, D::Error> {
    texts(deserializer, "a list of hotkeys, such as [\"5Grwva...\"]")
}

/// A list of addresses and networks.
pub(super) fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Network>, D::Error> {
    texts(
        deserializer,
        "a list of addresses and networks, such as [\"10.0.0.0/8\"]",
    )
}

/// A list of texts that stand for something.
fn texts<'de, D, T>(deserializer: D, expected: &'static str) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    struct TextsVisitor<T> {
        expected: &'static str,
        result: PhantomData<T>,
    }

    impl<'de, T: FromStr<Err: fmt::Display>> Visitor<'de> for TextsVisitor<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.expected)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut values = Vec::new();
            while let Some(text) = list.next_element::<String>()? {
                let value = text
                    .parse()
                    .map_err(|error| A::Error::custom(format!("{text:?}: {error}")))?;
                values.push(value);
            }
            Ok(values)
        }
    }

    deserializer.deserialize_seq(TextsVisitor {
        expected,
        result: PhantomData,
    })
}
