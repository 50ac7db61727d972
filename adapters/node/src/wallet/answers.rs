//! The node's answers as far as they are read. What else is in them may change from node to node.

use std::collections::BTreeMap;

use dwarves_domain::payouts::{OutPoint, Sizes, Spend, Txid};
use dwarves_domain::units::Amount;
use dwarves_ports::wallet::{Sent, Spends};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::rpc::CoinAmount;

/// `getwalletinfo`
#[derive(Debug, Deserialize)]
pub(super) struct WalletInfo {
    /// Until when it is unlocked; 0: locked; absent: not encrypted.
    pub(super) unlocked_until: Option<u64>,
    /// False, or how far a rescan has come.
    #[serde(default)]
    scanning: Value,
}

impl WalletInfo {
    pub(super) fn is_scanning(&self) -> bool {
        self.scanning.is_object()
    }
}

/// `getblockchaininfo`
#[derive(Debug, Deserialize)]
pub(super) struct ChainInfo {
    pub(super) blocks: u64,
    pub(super) headers: u64,
    #[serde(default)]
    pub(super) initialblockdownload: bool,
}

/// A line of `listunspent`. Litecoin's confidential (MWEB) coins have no script and no place on the main chain, though
/// some are listed with the id of the transaction that pegged them in; they are not read as coins.
#[derive(Debug, Deserialize)]
pub(super) struct Unspent {
    #[serde(default)]
    txid: String,
    #[serde(default)]
    vout: u32,
    pub(super) amount: CoinAmount,
    #[serde(rename = "scriptPubKey", default)]
    script: String,
    #[serde(default)]
    spendable: bool,
    #[serde(default = "yes")]
    safe: bool,
}

const fn yes() -> bool {
    true
}

/// Kinds of scripts whose spending has a known size: how they begin and end in hex, their length in bytes, and
/// the virtual bytes of an input with its signature.
const KINDS: [(&str, &str, usize, u64); 4] = [
    ("0014", "", 22, 68),        // to a key's hash, with witness
    ("a914", "87", 23, 91),      // the same inside of a script's hash
    ("76a914", "88ac", 25, 148), // to a key's hash, of old
    ("5120", "", 34, 58),        // to a taproot key
];

impl Unspent {
    /// Virtual bytes of an input that spends it, if it is of a known kind.
    fn input_size(&self) -> Option<u64> {
        let of_kind = |(begin, end, length, _): &&(&str, &str, usize, u64)| {
            self.script.len() == 2 * length && self.script.starts_with(begin) && self.script.ends_with(end)
        };
        KINDS.iter().find(of_kind).map(|(_, _, _, size)| *size)
    }

    /// Whether the wallet can sign for it, nobody else can take it back, and its size is known.
    pub(super) fn is_ours(&self) -> bool {
        self.spendable && self.safe && self.place().is_some() && self.input_size().is_some()
    }

    /// Whether it is a coin of Litecoin's extension blocks: those alone have no script.
    pub(super) fn is_in_mweb(&self) -> bool {
        self.script.is_empty()
    }

    pub(super) fn place(&self) -> Option<OutPoint> {
        let txid: Txid = self.txid.parse().ok()?;
        Some(OutPoint {
            txid,
            vout: self.vout,
        })
    }
}

/// Sizes for transactions of these coins: of each piece the largest, so that the rate is never missed.
pub(super) fn sizes_of(coins: &[Unspent]) -> Sizes {
    Sizes {
        base: 13,
        input: coins.iter().filter_map(Unspent::input_size).max().unwrap_or(148),
        // Change goes to a key's hash with witness.
        change: 31,
    }
}

/// A place of an output, in `lockunspent` and `listlockunspent`.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct PlaceJson {
    txid: String,
    vout: u32,
}

impl PlaceJson {
    pub(super) fn of(place: &OutPoint) -> Self {
        Self {
            txid: place.txid.to_string(),
            vout: place.vout,
        }
    }

    pub(super) fn place(&self) -> Option<OutPoint> {
        let txid: Txid = self.txid.parse().ok()?;
        Some(OutPoint {
            txid,
            vout: self.vout,
        })
    }
}

/// `signrawtransactionwithwallet`
#[derive(Debug, Deserialize)]
pub(super) struct SignedHex {
    pub(super) hex: String,
    pub(super) complete: bool,
}

/// A line of `testmempoolaccept`.
#[derive(Debug, Deserialize)]
pub(super) struct Accepted {
    pub(super) allowed: bool,
    #[serde(rename = "reject-reason")]
    pub(super) reason: Option<String>,
}

/// `gettransaction`
#[derive(Debug, Deserialize)]
pub(super) struct TransactionInfo {
    /// Below zero: so deep is the block of a transaction that conflicts with it.
    pub(super) confirmations: i64,
    #[serde(default)]
    pub(super) walletconflicts: Vec<String>,
    #[serde(default)]
    hex: String,
    /// Below zero; only of what the wallet sent.
    fee: Option<CoinAmount>,
    /// What it is made of, if that was asked.
    decoded: Option<Decoded>,
}

/// `decoded` of `gettransaction`
#[derive(Debug, Deserialize)]
struct Decoded {
    #[serde(default)]
    vin: Vec<InputJson>,
}

/// An input. Those of coinbases and of MWEB have no place on the main chain.
#[derive(Debug, Deserialize)]
struct InputJson {
    #[serde(default)]
    txid: String,
    #[serde(default)]
    vout: u32,
}

/// `listsinceblock`
#[derive(Debug, Deserialize)]
pub(super) struct History {
    transactions: Vec<HistoryLine>,
    /// A block so deep that it can be the next mark.
    #[serde(default)]
    lastblock: Option<String>,
}

/// A line of `listsinceblock`: an output that the wallet paid or got. Change has none.
#[derive(Debug, Deserialize)]
struct HistoryLine {
    #[serde(default)]
    txid: String,
    #[serde(default)]
    category: String,
    #[serde(default)]
    address: String,
    amount: CoinAmount,
    #[serde(default)]
    confirmations: i64,
    #[serde(default)]
    abandoned: bool,
}

impl History {
    /// What was sent to others: a payment to the wallet itself has a line of each kind.
    pub(super) fn spends(self) -> Spends {
        let is_sent =
            |line: &&HistoryLine| line.category == "send" && line.confirmations >= 0 && !line.abandoned;
        let mut own: BTreeMap<(&str, &str, i64), usize> = BTreeMap::new();
        for line in self.transactions.iter().filter(|line| line.category != "send") {
            *own.entry((&line.txid, &line.address, line.amount.sats()))
                .or_default() += 1;
        }
        let mut spends: BTreeMap<Txid, Spend> = BTreeMap::new();
        for line in self.transactions.iter().filter(is_sent) {
            let sats = line.amount.sats().unsigned_abs();
            let (Ok(txid), Some(amount)) = (line.txid.parse::<Txid>(), Amount::from_sats(sats)) else {
                continue;
            };
            let spend = spends.entry(txid).or_insert_with(|| Spend {
                txid,
                outputs: Vec::new(),
                confirmations: u32::try_from(line.confirmations).unwrap_or(u32::MAX),
            });
            let key = (
                line.txid.as_str(),
                line.address.as_str(),
                amount.sats().cast_signed(),
            );
            match own.get_mut(&key).filter(|count| **count > 0) {
                Some(count) => *count -= 1,
                None => spend.outputs.push((line.address.clone(), amount)),
            }
        }
        let mut spends: Vec<Spend> = spends.into_values().collect();
        spends.sort_by_key(|spend| std::cmp::Reverse(spend.confirmations));
        Spends {
            spends,
            mark: self.lastblock,
        }
    }
}

impl TransactionInfo {
    /// Its bytes and fee, as the wallet that sent it knows them.
    pub(super) fn sent(&self) -> Option<Sent> {
        Some(Sent {
            bytes: hex::decode(&self.hex).ok()?,
            inputs: self.inputs()?.collect(),
            fee: Amount::from_sats(self.fee?.sats().unsigned_abs())?,
        })
    }

    /// Whether it spends one of `inputs`.
    pub(super) fn spends(&self, inputs: &[OutPoint]) -> bool {
        let mut spent = self.inputs().into_iter().flatten();
        spent.any(|input| inputs.contains(&input))
    }

    /// The coins of the main chain that it spends, as the node reads it; `None` if that was not asked. MWEB's own
    /// inputs have no place there.
    fn inputs(&self) -> Option<impl Iterator<Item = OutPoint> + '_> {
        let decoded = self.decoded.as_ref()?;
        Some(decoded.vin.iter().filter_map(|input| {
            let txid: Txid = input.txid.parse().ok()?;
            Some(OutPoint {
                txid,
                vout: input.vout,
            })
        }))
    }
}

/// `gettxout`
#[derive(Debug, Deserialize)]
pub(super) struct ChainOutput {
    pub(super) confirmations: u32,
}

/// A line of `listtransactions`.
#[derive(Debug, Deserialize)]
pub(super) struct WalletLine {
    #[serde(default)]
    pub(super) txid: String,
    #[serde(default)]
    category: String,
    #[serde(default)]
    confirmations: i64,
}

impl WalletLine {
    /// Whether it is in the chain and spends coins of the wallet.
    pub(super) fn may_spend(&self) -> bool {
        self.category == "send" && self.confirmations > 0
    }
}
