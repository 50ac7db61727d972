//! The JSON of the calls in use. Fields that the pool does not need are left alone.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use dwarves_domain::ids::HeaderHash;
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A text that `T` is read from.
fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(deserializer: D) -> Result<T, D::Error> {
    struct TextVisitor<T>(PhantomData<T>);
    impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for TextVisitor<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }
    deserializer.deserialize_str(TextVisitor(PhantomData))
}

/// Bytes in hex, of any length. A template has megabytes of them and miners wait for it, so they are decoded where
/// they stand in the answer.
fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    struct HexVisitor;
    impl Visitor<'_> for HexVisitor {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("bytes in hex")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<u8>, E> {
            // The decoder passes over such a beginning.
            if let [b'0', b'x' | b'X', ..] = text.as_bytes() {
                return Err(E::custom("hex that begins with 0x"));
            }
            const_hex::decode(text).map_err(E::custom)
        }
    }
    deserializer.deserialize_str(HexVisitor)
}

fn optional_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
    bytes(deserializer).map(Some)
}

/// Eight hex digits.
fn compact<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let text = String::deserialize(deserializer)?;
    u32::from_str_radix(&text, 16).map_err(D::Error::custom)
}

/// The answer of `getblocktemplate` (BIP22, BIP23, BIP145).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct TemplateJson {
    #[serde(default)]
    pub(super) capabilities: Vec<String>,
    pub(super) version: u32,
    #[serde(default)]
    pub(super) rules: Vec<String>,
    /// The version bits with which the network votes now (BIP9).
    #[serde(default)]
    pub(super) vbavailable: BTreeMap<String, u8>,
    #[serde(rename = "previousblockhash", deserialize_with = "parsed")]
    pub(super) previous: HeaderHash,
    pub(super) transactions: Vec<TransactionJson>,
    /// Whole sats, unlike the amounts of wallets.
    #[serde(rename = "coinbasevalue")]
    pub(super) coinbase_value: u64,
    #[serde(default)]
    pub(super) longpollid: Option<String>,
    #[serde(rename = "mintime")]
    pub(super) time_min: u32,
    #[serde(rename = "curtime")]
    pub(super) time: u32,
    #[serde(deserialize_with = "compact")]
    pub(super) bits: u32,
    pub(super) height: u32,
    #[serde(
        rename = "default_witness_commitment",
        default,
        deserialize_with = "optional_bytes"
    )]
    pub(super) witness_commitment: Option<Vec<u8>>,
    /// Litecoin's extension block.
    #[serde(default, deserialize_with = "optional_bytes")]
    pub(super) mweb: Option<Vec<u8>>,
}

/// One of the template's transactions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct TransactionJson {
    #[serde(deserialize_with = "bytes")]
    pub(super) data: Vec<u8>,
    #[serde(deserialize_with = "parsed")]
    pub(super) txid: HeaderHash,
    /// Whole sats. BIP22 lets it be left out if it is not known.
    #[serde(default)]
    pub(super) fee: Option<i64>,
}

/// The answer of `getblockchaininfo`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct ChainInfoJson {
    pub(super) chain: String,
    pub(super) blocks: u32,
    pub(super) headers: u32,
    #[serde(rename = "bestblockhash", deserialize_with = "parsed")]
    pub(super) best: HeaderHash,
    #[serde(rename = "initialblockdownload")]
    pub(super) initial_download: bool,
    /// All work in the chain, 64 hex digits: as texts they compare as the numbers do.
    #[serde(default)]
    pub(super) chainwork: Option<String>,
    /// The tip's time in Unix seconds; newer nodes name it.
    #[serde(default)]
    pub(super) time: Option<u32>,
    /// Before Bitcoin Core 23: the deployments, and whether each is active.
    #[serde(default, deserialize_with = "some_deployments")]
    pub(super) softforks: Option<Vec<(String, bool)>>,
    /// A text, or since Bitcoin Core 28 a list of texts.
    #[serde(default)]
    warnings: Value,
}

impl ChainInfoJson {
    /// What the node warns of.
    pub(super) fn warnings(&self) -> Vec<String> {
        match &self.warnings {
            Value::String(text) if !text.is_empty() => vec![text.clone()],
            Value::Array(texts) => texts
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            _ => Vec::new(),
        }
    }
}

/// Deployments by name: of each whether it is active. Other forms, as very old nodes have them, tell nothing.
fn some_deployments<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<(String, bool)>>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let active = |(name, fork): (&String, &Value)| Some((name.clone(), fork.get("active")?.as_bool()?));
    Ok(value
        .as_object()
        .map(|forks| forks.iter().filter_map(active).collect()))
}

fn deployments<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, bool)>, D::Error> {
    some_deployments(deserializer)?.ok_or_else(|| D::Error::custom("expected deployments by name"))
}

/// The answer of `getdeploymentinfo`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct DeploymentInfoJson {
    /// Of each whether it is active.
    #[serde(deserialize_with = "deployments")]
    pub(super) deployments: Vec<(String, bool)>,
}

/// The answer of `getblockheader`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct HeaderJson {
    /// -1: not on the best chain.
    pub(super) confirmations: i64,
    /// Its time in Unix seconds; every real node names it.
    #[serde(default)]
    pub(super) time: Option<u32>,
}

/// The answer of `getnetworkinfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct NetworkInfoJson {
    pub(super) connections: u32,
    /// Since Bitcoin Core 0.21.
    #[serde(default)]
    pub(super) connections_in: Option<u32>,
    #[serde(default)]
    pub(super) connections_out: Option<u32>,
}

/// One of the answer of `getpeerinfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct PeerJson {
    pub(super) inbound: bool,
}

/// One of the answer of `getchaintips`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct ChainTipJson {
    pub(super) height: u32,
    #[serde(deserialize_with = "parsed")]
    pub(super) hash: HeaderHash,
    #[serde(rename = "branchlen")]
    pub(super) branch_len: u32,
    pub(super) status: String,
}

/// The answer of `getblock` with the ids of its transactions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct BlockJson {
    pub(super) time: u32,
    pub(super) tx: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(data: &str) -> Result<Vec<u8>, serde_json::Error> {
        let txid = "00".repeat(32);
        let json = format!(r#"{{"data":"{data}","txid":"{txid}","hash":"{txid}","depends":[1],"weight":4}}"#);
        serde_json::from_str::<TransactionJson>(&json).map(|transaction| transaction.data)
    }

    #[test]
    fn what_is_no_hex_is_refused() {
        for wrong in [
            "0",
            "0x00",
            "0X00",
            "0g",
            "g0",
            " 00",
            "00 ",
            "ä0",
            "00000000000000000000000000000000-0",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert_eq!(read("").unwrap(), Vec::<u8>::new());
        // An escape means what it says.
        assert_eq!(read("\\u0030a").unwrap(), [0x0a]);
    }

    proptest! {
        #[test]
        fn hex_of_any_length_and_case_is_what_another_decoder_reads(
            bytes in proptest::collection::vec(any::<u8>(), 0..200), upper in any::<bool>(),
            at in any::<prop::sample::Index>(), digit in any::<u8>(),
        ) {
            let text = if upper { hex::encode_upper(&bytes) } else { hex::encode(&bytes) };
            prop_assert_eq!(&read(&text).unwrap(), &bytes);
            if !text.is_empty() && (0x20..0x7f).contains(&digit) && !b"\"\\".contains(&digit) {
                let mut changed = text.into_bytes();
                let at = at.index(changed.len());
                changed[at] = digit;
                let changed = String::from_utf8(changed).unwrap();
                prop_assert_eq!(read(&changed).ok(), hex::decode(&changed).ok());
            }
        }
    }
}
