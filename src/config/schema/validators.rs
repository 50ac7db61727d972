//! `[validators]`: who may read miners' work in the forms of subnets' own software.

use std::net::SocketAddr;
use std::path::PathBuf;

use dwarves_domain::settings::word;
use dwarves_domain::time::Span;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::config::readers::{self, Secs, Whole};

/// Tokens at most.
const TOKENS_MAX: usize = 256;
/// Names of coins at most.
const COINS_MAX: usize = 16;

/// What stands for a hotkey where there is one name for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HotkeyNames {
    /// Its first and last four characters.
    #[default]
    Suffix,
    /// The whole of it.
    Hotkey,
}

impl<'de> Deserialize<'de> for HotkeyNames {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        word(d, &[("suffix", Self::Suffix), ("hotkey", Self::Hotkey)])
    }
}

/// `[[validators.tokens]]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// The validator's name, for the log.
    #[serde(deserialize_with = "readers::name")]
    pub name: String,
    /// The SHA-256 of its token.
    #[serde(default, deserialize_with = "digest")]
    pub sha256: Option<[u8; 32]>,
    /// The file with its token.
    #[serde(default, deserialize_with = "readers::optional")]
    pub token_file: Option<PathBuf>,
}

/// `[validators]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ValidatorsConfig {
    /// Where to listen; `None`: nowhere.
    #[serde(deserialize_with = "readers::optional_address")]
    pub listen: Option<SocketAddr>,
    /// Who may ask.
    #[serde(deserialize_with = "tokens")]
    pub tokens: Vec<TokenConfig>,
    /// How often in a minute each may.
    #[serde(with = "Whole::<1, 100_000>")]
    pub requests_per_minute: u32,
    /// Open connections.
    #[serde(with = "Whole::<1, 100_000>")]
    pub max_connections: usize,
    /// The longest time that may be asked for at once.
    #[serde(rename = "range_max_secs", with = "Secs::<60, 2_592_000>")]
    pub range_max: Span,
    /// What stands for a hotkey.
    pub hotkey_names: HotkeyNames,
    /// The names of coins under which TAOHash's validators find the work.
    #[serde(deserialize_with = "coins")]
    pub coins: Vec<String>,
    /// The part of a worker's value that TAOHash's validators pay for.
    #[serde(deserialize_with = "fraction")]
    pub worker_percentage: f64,
    /// The wallet under which HashTensor's validators look for workers.
    pub wallet: String,
    /// The first part of workers' names as InfiniteHash's miners write them.
    #[serde(deserialize_with = "subaccount")]
    pub subaccount: String,
}

impl Default for ValidatorsConfig {
    fn default() -> Self {
        Self {
            listen: None,
            tokens: Vec::new(),
            requests_per_minute: 60,
            max_connections: 256,
            range_max: Span::from_secs(86_400),
            hotkey_names: HotkeyNames::Suffix,
            coins: vec!["btc".to_owned()],
            worker_percentage: 0.015,
            wallet: String::new(),
            subaccount: "infinite".to_owned(),
        }
    }
}

fn digest<'de, D: Deserializer<'de>>(d: D) -> Result<Option<[u8; 32]>, D::Error> {
    let Some(text) = readers::optional::<D, String>(d)? else {
        return Ok(None);
    };
    let read = hex_bytes(&text);
    let wrong = || D::Error::custom("expected 64 hex digits: printf %s TOKEN | sha256sum");
    read.map(Some).ok_or_else(wrong)
}

fn hex_bytes(text: &str) -> Option<[u8; 32]> {
    let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let bytes = (0..text.len().min(64)).step_by(2);
    let bytes = bytes.map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok());
    let bytes: Option<Vec<u8>> = bytes.collect();
    bytes.filter(|_| is_hex)?.try_into().ok()
}

fn tokens<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<TokenConfig>, D::Error> {
    let tokens: Vec<TokenConfig> = readers::list(d, "a list of tokens")?;
    for (at, token) in tokens.iter().enumerate() {
        let name = &token.name;
        if tokens[..at].iter().any(|other| other.name == *name) {
            return Err(D::Error::custom(format!("two tokens are named {name:?}")));
        }
        if token.sha256.is_some() == token.token_file.is_some() {
            let detail = format!("token {name:?}: one of sha256 and token_file says which it is");
            return Err(D::Error::custom(detail));
        }
    }
    readers::at_most(tokens, TOKENS_MAX, "tokens")
}

/// A name as JSON members and parts of workers' names have it: no dots.
fn is_plain(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=32).contains(&name.len()) && name.bytes().all(is_letter)
}

fn coins<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<String>, D::Error> {
    let coins: Vec<String> = readers::list(d, "a list of coins, such as [\"btc\"]")?;
    if let Some(coin) = coins.iter().find(|coin| !is_plain(coin)) {
        return Err(D::Error::custom(format!(
            "expected names such as \"btc\", found {coin:?}"
        )));
    }
    readers::at_most(coins, COINS_MAX, "coins")
}

fn subaccount<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    let name = String::deserialize(d)?;
    if !is_plain(&name) {
        return Err(D::Error::custom(format!(
            "expected a name without dots such as \"infinite\", found {name:?}"
        )));
    }
    Ok(name)
}

fn fraction<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
    let number = f64::deserialize(d)?;
    if !(0.0..=1.0).contains(&number) {
        return Err(D::Error::custom(format!(
            "expected a number from 0.0 to 1.0, found {number}"
        )));
    }
    Ok(number)
}
