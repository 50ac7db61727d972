//! Which network a node is on, and what follows from it.

use std::fmt;

use dwarves_domain::address::AddressFormat;
use dwarves_domain::time::Span;
use dwarves_domain::work::Algorithm;

/// A currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coin {
    /// Bitcoin.
    Bitcoin,
    /// Litecoin.
    Litecoin,
}

impl Coin {
    /// How its blocks are hashed.
    pub const fn algorithm(self) -> Algorithm {
        match self {
            Self::Bitcoin => Algorithm::Sha256d,
            Self::Litecoin => Algorithm::Scrypt,
        }
    }

    /// The coin whose blocks are hashed like this.
    pub const fn of_algorithm(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256d => Self::Bitcoin,
            Algorithm::Scrypt => Self::Litecoin,
        }
    }

    /// The formats of this coin in which `address` is right. Several, if it does not tell the test networks
    /// and the regtest apart.
    pub fn formats_of(self, address: &str) -> Vec<AddressFormat> {
        let own: &[AddressFormat] = match self {
            Self::Bitcoin => &[
                AddressFormat::Bitcoin,
                AddressFormat::BitcoinTest,
                AddressFormat::BitcoinRegtest,
            ],
            Self::Litecoin => &[
                AddressFormat::Litecoin,
                AddressFormat::LitecoinTest,
                AddressFormat::LitecoinRegtest,
            ],
        };
        let mut formats = AddressFormat::all_of(address);
        formats.retain(|format| own.contains(format));
        formats
    }
}

/// The genesis blocks by which networks are told. Sources: `chainparams.cpp` of Bitcoin Core 31 and Litecoin
/// Core 0.21. Every custom signet has the genesis block of the default one.
const GENESIS: [(&str, Coin, &str); 8] = [
    (
        "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
        Coin::Bitcoin,
        "main",
    ),
    (
        "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943",
        Coin::Bitcoin,
        "test",
    ),
    (
        "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043",
        Coin::Bitcoin,
        "testnet4",
    ),
    (
        "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6",
        Coin::Bitcoin,
        "signet",
    ),
    (
        "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
        Coin::Bitcoin,
        "regtest",
    ),
    (
        "12a765e31ffd4059bada1e25190f6e98c99d9714d334efa41a195a7e7e04bfe2",
        Coin::Litecoin,
        "main",
    ),
    (
        "4966625a4b2851d9fdee139e56211a0d88575f59ed816ff5e6a63deb4e3e29a0",
        Coin::Litecoin,
        "test",
    ),
    (
        "530827f38f93b43ed12af0b3ad25a288dc02ed74d6d7857862df51fc56c416f9",
        Coin::Litecoin,
        "regtest",
    ),
];

/// A test network's rule: a block whose time is more than this after the one before has these bits, the easiest that
/// there are; any other has the usual ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowBlocks {
    /// Seconds after the block before that are still in time.
    pub after_secs: u32,
    /// The bits of a late block.
    pub bits: u32,
}

impl SlowBlocks {
    /// Blocks from one calculation of the difficulty to the next.
    const PERIOD: u32 = 2_016;

    /// Whether it holds for a block of this height: not for one whose difficulty is calculated.
    pub fn holds_at(&self, height: u32) -> bool {
        !height.is_multiple_of(Self::PERIOD)
    }
}

/// One network of a coin, by the name that `getblockchaininfo` gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The currency whose rules hold.
    pub coin: Coin,
    /// `main`, `test`, `testnet4`, `signet` or `regtest`.
    pub name: &'static str,
}

impl Network {
    /// The network that begins with this genesis block, if it is known.
    pub fn of_genesis(hash: &str) -> Option<Self> {
        let known = GENESIS.iter().find(|(genesis, _, _)| *genesis == hash)?;
        Some(Self {
            coin: known.1,
            name: known.2,
        })
    }

    /// How addresses are written there.
    pub fn addresses(self) -> AddressFormat {
        match (self.coin, self.name) {
            (Coin::Bitcoin, "main") => AddressFormat::Bitcoin,
            (Coin::Bitcoin, "regtest") => AddressFormat::BitcoinRegtest,
            (Coin::Bitcoin, _) => AddressFormat::BitcoinTest,
            (Coin::Litecoin, "main") => AddressFormat::Litecoin,
            (Coin::Litecoin, "regtest") => AddressFormat::LitecoinRegtest,
            (Coin::Litecoin, _) => AddressFormat::LitecoinTest,
        }
    }

    /// The rule of test networks on blocks that come late; `None` where there is none, or where it changes nothing
    /// (regtest). Sources: `chainparams.cpp` and `pow.cpp` of Bitcoin Core 31 and Litecoin Core 0.21.
    pub fn slow_blocks(self) -> Option<SlowBlocks> {
        match (self.coin, self.name) {
            (Coin::Bitcoin, "test" | "testnet4") => Some(SlowBlocks {
                after_secs: 1_200,
                bits: 0x1d00_ffff,
            }),
            (Coin::Litecoin, "test") => Some(SlowBlocks {
                after_secs: 300,
                bits: 0x1e0f_ffff,
            }),
            _ => None,
        }
    }

    /// How old the tip may be before it is worth a look; `None` where chains stand still for days. With ten minutes a
    /// block, three hours without one come once in 65 million blocks; Litecoin's come four times as often.
    pub fn tip_age_max(self) -> Option<Span> {
        match (self.coin, self.name) {
            (Coin::Bitcoin, "main") => Some(Span::from_secs(10_800)),
            (Coin::Litecoin, "main") => Some(Span::from_secs(3_600)),
            _ => None,
        }
    }

    /// The rules that a client of `getblocktemplate` must know (BIP9, BIP145), or the node gives none.
    pub fn rules(self) -> &'static [&'static str] {
        match (self.coin, self.name) {
            // Both, also before the extension blocks are active.
            (Coin::Litecoin, _) => &["mweb", "segwit"],
            (Coin::Bitcoin, "signet") => &["segwit", "signet"],
            (Coin::Bitcoin, _) => &["segwit"],
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.coin, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_known_network_has_addresses_and_rules_of_its_coin() {
        for (genesis, coin, name) in GENESIS {
            let network = Network::of_genesis(genesis).unwrap();
            assert_eq!(network, Network { coin, name });
            assert_eq!(network.rules().contains(&"mweb"), coin == Coin::Litecoin);
            assert!(network.rules().contains(&"segwit"));
            let is_test = name.starts_with("test");
            assert_eq!(network.slow_blocks().is_some(), is_test, "{network}");
        }
        assert_eq!(Network::of_genesis(&"0".repeat(64)), None);
        let formats: Vec<_> = GENESIS.iter().filter_map(|g| Network::of_genesis(g.0)).collect();
        for format in AddressFormat::ALL {
            assert!(
                formats.iter().any(|network| network.addresses() == format),
                "{format:?}"
            );
        }
    }

    #[test]
    fn bitcoins_genesis_blocks_are_those_of_the_bitcoin_library() {
        use bitcoin::blockdata::constants::genesis_block;
        for network in [
            bitcoin::Network::Bitcoin,
            bitcoin::Network::Testnet,
            bitcoin::Network::Testnet4,
            bitcoin::Network::Signet,
            bitcoin::Network::Regtest,
        ] {
            let hash = genesis_block(network).block_hash().to_string();
            assert_eq!(
                Network::of_genesis(&hash).unwrap().coin,
                Coin::Bitcoin,
                "{network}"
            );
        }
    }
}
