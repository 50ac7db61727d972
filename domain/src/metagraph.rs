//! A subnet's metagraph as its operator wrote it to a file: who has which uid, and which stake.
//!
//! The file is JSON: an array of neurons, or an object that holds it as `neurons`, with `netuid` and `block` beside it if
//! the operator cares to say them:
//!
//! ```json
//! {"netuid": 14, "block": 5123456, "neurons": [
//!     {"uid": 0, "hotkey": "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY", "stake": 1024.5}]}
//! ```
//!
//! A neuron has `uid`, `hotkey`, and `stake` in whole coins (TAO or alpha), which may be left out: 0. Other fields are
//! skipped, since tools write a neuron's whole row. What is behind the ninth decimal place of a stake is dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::decimal::{Decimal, DecimalError};
use crate::hotkey::{Hotkey, ParseHotkeyError};

/// The largest file that is read: uids are 16 bits, and a neuron's row is some hundred bytes.
pub const FILE_MAX: usize = 32 * 1024 * 1024;

/// Stake in base units: 10^9 rao are one coin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rao(u64);

impl Rao {
    /// Decimal places of a coin.
    pub const DECIMALS: u32 = 9;

    /// A stake of so many rao.
    pub const fn new(rao: u64) -> Self {
        Self(rao)
    }

    /// The number of rao.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// A stake in whole coins; what is behind the ninth decimal place is dropped.
    ///
    /// # Errors
    /// A number below zero, or more than 64 bits of rao.
    pub fn from_coins(coins: Decimal) -> Result<Self, StakeError> {
        if coins.is_negative() {
            return Err(StakeError::Negative);
        }
        let rao = coins.steps(Self::DECIMALS).ok_or(StakeError::TooMuch)?;
        u64::try_from(rao).map(Self).map_err(|_| StakeError::TooMuch)
    }
}

impl fmt::Display for Rao {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Why a number is not a stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StakeError {
    /// Below zero.
    #[error("it is below zero")]
    Negative,
    /// Does not fit.
    #[error("it is more than there can be")]
    TooMuch,
    /// No number.
    #[error(transparent)]
    Number(#[from] DecimalError),
}

/// What the metagraph says of one hotkey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neuron {
    /// Its number in the subnet.
    pub uid: u16,
    /// Its stake.
    pub stake: Rao,
}

/// A metagraph: at most one neuron for each uid, and for each hotkey.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metagraph {
    netuid: Option<u16>,
    block: Option<u64>,
    neurons: BTreeMap<Hotkey, Neuron>,
}

/// Why a file is not a metagraph. `place` counts neurons from 0 on.
#[derive(Debug, thiserror::Error)]
pub enum MetagraphError {
    /// More bytes than are read.
    #[error("a metagraph's file has at most {FILE_MAX} bytes")]
    TooLarge,
    /// Not the JSON that is expected.
    #[error("expected neurons with uid, hotkey and stake: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A hotkey that is none.
    #[error("neuron {place}: hotkey: {error}")]
    Hotkey {
        /// Which neuron.
        place: usize,
        /// What is wrong with it.
        error: ParseHotkeyError,
    },
    /// A stake that is none.
    #[error("neuron {place}: stake: {error}")]
    Stake {
        /// Which neuron.
        place: usize,
        /// What is wrong with it.
        error: StakeError,
    },
    /// A uid that another neuron has.
    #[error("neuron {place}: uid {uid} is another neuron's as well")]
    UidTwice {
        /// Which neuron.
        place: usize,
        /// The uid.
        uid: u16,
    },
    /// A hotkey that another neuron has.
    #[error("neuron {place}: hotkey {hotkey} is another neuron's as well")]
    HotkeyTwice {
        /// Which neuron.
        place: usize,
        /// The hotkey.
        hotkey: Hotkey,
    },
}

#[derive(Deserialize)]
struct NeuronText<'a> {
    uid: u16,
    #[serde(borrow)]
    hotkey: std::borrow::Cow<'a, str>,
    #[serde(borrow, default)]
    stake: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Whole<'a> {
    #[serde(default)]
    netuid: Option<u16>,
    #[serde(default)]
    block: Option<u64>,
    #[serde(borrow)]
    neurons: Vec<NeuronText<'a>>,
}

impl Metagraph {
    /// Reads a file's bytes.
    ///
    /// # Errors
    /// Whatever is wrong first, by the neuron's place.
    pub fn parse(file: &[u8]) -> Result<Self, MetagraphError> {
        if file.len() > FILE_MAX {
            return Err(MetagraphError::TooLarge);
        }
        let is_array = file.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
        let whole = if is_array {
            Whole {
                netuid: None,
                block: None,
                neurons: serde_json::from_slice(file)?,
            }
        } else {
            serde_json::from_slice(file)?
        };
        let mut neurons = BTreeMap::new();
        let mut uids = BTreeSet::new();
        for (place, neuron) in whole.neurons.iter().enumerate() {
            let hotkey: Hotkey = neuron
                .hotkey
                .parse()
                .map_err(|error| MetagraphError::Hotkey { place, error })?;
            let stake = neuron
                .stake
                .map_or(Ok(Rao::default()), |text| read_stake(text.get()));
            let stake = stake.map_err(|error| MetagraphError::Stake { place, error })?;
            let uid = neuron.uid;
            if !uids.insert(uid) {
                return Err(MetagraphError::UidTwice { place, uid });
            }
            if neurons.insert(hotkey, Neuron { uid, stake }).is_some() {
                return Err(MetagraphError::HotkeyTwice { place, hotkey });
            }
        }
        Ok(Self {
            netuid: whole.netuid,
            block: whole.block,
            neurons,
        })
    }

    /// Which subnet it is of, if the file says so.
    pub const fn netuid(&self) -> Option<u16> {
        self.netuid
    }

    /// As of which block, if the file says so.
    pub const fn block(&self) -> Option<u64> {
        self.block
    }

    /// What it says of a hotkey; `None` if that is not registered in the subnet.
    pub fn neuron(&self, hotkey: &Hotkey) -> Option<Neuron> {
        self.neurons.get(hotkey).copied()
    }

    /// All neurons, in the order of hotkeys.
    pub fn neurons(&self) -> impl ExactSizeIterator<Item = (Hotkey, Neuron)> {
        self.neurons.iter().map(|(hotkey, neuron)| (*hotkey, *neuron))
    }
}

/// A stake as JSON: a number, or the same in quotes, or null.
fn read_stake(text: &str) -> Result<Rao, StakeError> {
    let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match bare.unwrap_or(text) {
        "null" => Ok(Rao::default()),
        number => Rao::from_coins(number.parse()?),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hotkey(n: u8) -> Hotkey {
        Hotkey::from_bytes([n; 32])
    }

    fn neuron(uid: u16, hotkey: &str, stake: &str) -> String {
        format!("{{\"uid\":{uid},\"hotkey\":\"{hotkey}\",\"stake\":{stake},\"ip\":\"/ipv4/192.0.2.7:8091\"}}")
    }

    fn error(file: &str) -> String {
        Metagraph::parse(file.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_list_and_an_object_say_the_same() {
        let [one, two] = [hotkey(1).to_string(), hotkey(2).to_string()];
        let list = format!(
            "[{}, {}]",
            neuron(0, &one, "1024.5"),
            neuron(65_535, &two, "\"1e-9\"")
        );
        let read = Metagraph::parse(list.as_bytes()).unwrap();
        let first = Neuron {
            uid: 0,
            stake: Rao::new(1_024_500_000_000),
        };
        assert_eq!(read.neuron(&hotkey(1)), Some(first));
        assert_eq!(
            read.neuron(&hotkey(2)).map(|n| (n.uid, n.stake.get())),
            Some((65_535, 1))
        );
        assert_eq!(read.neuron(&hotkey(3)), None);
        assert_eq!(
            (read.netuid(), read.block(), read.neurons().len()),
            (None, None, 2)
        );
        let whole = format!("{{\"netuid\":14,\"block\":5123456,\"neurons\":{list},\"by\":\"me\"}}");
        let whole = Metagraph::parse(whole.as_bytes()).unwrap();
        assert_eq!((whole.netuid(), whole.block()), (Some(14), Some(5_123_456)));
        assert!(whole.neurons().eq(read.neurons()));
        let without_stake = format!("[{{\"uid\":3,\"hotkey\":\"{one}\"}}]");
        let read = Metagraph::parse(without_stake.as_bytes()).unwrap();
        assert_eq!(
            read.neuron(&hotkey(1)).map(|n| (n.uid, n.stake.get())),
            Some((3, 0))
        );
        assert_eq!(Metagraph::parse(b" []").unwrap(), Metagraph::default());
    }

    #[test]
    fn a_file_that_is_wrong_is_refused_by_the_place() {
        let [one, two] = [hotkey(1).to_string(), hotkey(2).to_string()];
        let good = neuron(0, &one, "1");
        let typo = two.replace('5', "4");
        for (second, said) in [
            (
                neuron(0, &two, "1"),
                "neuron 1: uid 0 is another neuron's as well",
            ),
            (neuron(1, &one, "1"), "is another neuron's as well"),
            (neuron(1, &typo, "1"), "neuron 1: hotkey: "),
            (neuron(1, &two, "-1"), "neuron 1: stake: it is below zero"),
            (
                neuron(1, &two, "1e30"),
                "neuron 1: stake: it is more than there can be",
            ),
            (neuron(1, &two, "\"NaN\""), "neuron 1: stake: it is NaN"),
            (
                neuron(1, &two, "NaN"),
                "expected neurons with uid, hotkey and stake: ",
            ),
            (neuron(1, &two, "[]"), "neuron 1: stake: "),
            (String::from("{\"hotkey\":\"5\"}"), "missing field `uid`"),
            (format!("{{\"uid\":65536,\"hotkey\":\"{two}\"}}"), "65536"),
        ] {
            let message = error(&format!("[{good},{second}]"));
            assert!(message.contains(said), "{message} for {second}");
        }
        assert!(error("").contains("expected neurons"));
        assert!(error("{}").contains("missing field `neurons`"));
        assert!(error("[] []").contains("trailing"));
        let long = vec![b' '; FILE_MAX + 1];
        assert!(matches!(Metagraph::parse(&long), Err(MetagraphError::TooLarge)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_metagraph_or_an_error(text in "[\\[\\]{}:,\"a-z0-9. -]{0,80}") {
            let _either = Metagraph::parse(text.as_bytes());
        }
    }
}
