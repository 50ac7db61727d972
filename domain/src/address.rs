//! Payout addresses, checked for the chain in use.

use std::fmt;
use std::str::FromStr;

use bitcoin::address::NetworkUnchecked;
use bitcoin::{Network, Script, ScriptBuf, WitnessVersion};
use sha2::{Digest, Sha256};

use crate::hotkey::Hotkey;

mod account;
mod litecoin;

/// Which chain's addresses are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressFormat {
    /// Bitcoin's main network.
    Bitcoin,
    /// Bitcoin's test networks (testnet, testnet4, signet share one format).
    BitcoinTest,
    /// Bitcoin's regtest, which the embedded devnet uses too.
    BitcoinRegtest,
    /// Litecoin's main network.
    Litecoin,
    /// Litecoin's test network.
    LitecoinTest,
    /// Litecoin's regtest.
    LitecoinRegtest,
    /// SS58 as Bittensor has it, for pools that do not pay by themselves.
    Ss58,
    /// Addresses of Ethereum and its kin (EIP-55), likewise.
    Evm,
    /// None at all: whoever is paid is known by the hotkey.
    Nothing,
}

impl AddressFormat {
    /// Whether its chain can be begun anew by anybody: regtest, and the devnet, which writes addresses the same.
    pub const fn is_private(self) -> bool {
        matches!(self, Self::BitcoinRegtest | Self::LitecoinRegtest)
    }

    /// Every format of a chain that the pool pays on by itself.
    pub const ALL: [Self; 6] = [
        Self::Bitcoin,
        Self::BitcoinTest,
        Self::BitcoinRegtest,
        Self::Litecoin,
        Self::LitecoinTest,
        Self::LitecoinRegtest,
    ];

    /// The formats in which `text` is a valid address. Addresses in base58 look the same on a chain's test
    /// networks and its regtest.
    pub fn all_of(text: &str) -> Vec<Self> {
        let is_right = |format: &Self| PayoutAddress::parse(text, *format).is_ok();
        Self::ALL.into_iter().filter(is_right).collect()
    }

    /// Whether it is one of Litecoin's networks.
    pub const fn is_litecoin(self) -> bool {
        matches!(self, Self::Litecoin | Self::LitecoinTest | Self::LitecoinRegtest)
    }

    /// How an address of this format begins, for people.
    pub fn example(self) -> &'static str {
        match self {
            Self::Bitcoin => "bc1..., 1... or 3...",
            Self::BitcoinTest => "tb1..., m..., n... or 2...",
            Self::BitcoinRegtest => "bcrt1..., m..., n... or 2...",
            Self::Litecoin => "ltc1..., L..., M... or 3...",
            Self::LitecoinTest => "tltc1..., m..., n..., Q... or 2...",
            Self::LitecoinRegtest => "rltc1..., m..., n..., Q... or 2...",
            Self::Ss58 => "5...",
            Self::Evm => "0x...",
            Self::Nothing => "nothing: this pool pays hotkeys",
        }
    }
}

/// An address that the chain in use can pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayoutAddress {
    /// As the chain's own software writes it.
    text: String,
    script: ScriptBuf,
}

/// Why a text is no payout address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseAddressError {
    /// Not an address, or mistyped.
    #[error("not an address of this chain, which begin with {expected}")]
    NotAnAddress {
        /// How addresses of the chain begin.
        expected: &'static str,
    },
    /// An address of another network.
    #[error("an address of another network; those of this chain begin with {expected}")]
    WrongNetwork {
        /// How addresses of the chain begin.
        expected: &'static str,
    },
    /// An address of Litecoin's extension blocks.
    #[error(
        "an MWEB address, to which no payout can be sent; give one of the main chain, which begin with {expected}"
    )]
    Mweb {
        /// How addresses of the chain begin.
        expected: &'static str,
    },
    /// A witness program to which the chain itself gives a meaning, so that it is no wallet's.
    #[error("no wallet's address: {meaning}; give one that your wallet made")]
    NobodysProgram {
        /// What the chain takes it for.
        meaning: &'static str,
    },
}

/// What is wrong with an address, before it is known what would be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    NotAnAddress,
    WrongNetwork,
    NobodysProgram(&'static str),
}

/// What a chain takes a witness program for, if it gives it a meaning of its own. Programs of versions without any
/// meaning yet are paid as every node pays them: BIP350 asks senders for that, and a later soft fork may give them one.
fn meaning_of(version: WitnessVersion, program: &[u8], is_litecoin: bool) -> Option<&'static str> {
    match version {
        // Whoever comes first spends it: an output to raise a transaction's fee by (pay-to-anchor, Bitcoin Core 28).
        WitnessVersion::V1 if program == [0x4e, 0x73] => Some("pay-to-anchor, which anybody may spend"),
        WitnessVersion::V8 if is_litecoin => {
            Some("witness version 8 is the script of Litecoin's own MWEB transaction (HogEx)")
        }
        WitnessVersion::V9 if is_litecoin => {
            Some("witness version 9 is the script of Litecoin's peg-ins to MWEB")
        }
        _ => None,
    }
}

impl PayoutAddress {
    /// The longest text worth looking at: bech32 stops at 90.
    const TEXT_LEN_MAX: usize = 100;
    /// How addresses of MWEB begin on Litecoin's main network, and on its others.
    const MWEB_BEGIN: [&'static str; 2] = ["ltcmweb1", "tmweb1"];

    /// The address that `text` writes in `format`.
    ///
    /// # Errors
    /// If it is none, mistyped, of another network, of MWEB, or one that the chain takes for something else.
    pub fn parse(text: &str, format: AddressFormat) -> Result<Self, ParseAddressError> {
        let expected = format.example();
        let begins_with = |begin: &str| {
            text.get(..begin.len())
                .is_some_and(|first| first.eq_ignore_ascii_case(begin))
        };
        if format.is_litecoin() && Self::MWEB_BEGIN.into_iter().any(begins_with) {
            return Err(ParseAddressError::Mweb { expected });
        }
        if text.len() > Self::TEXT_LEN_MAX {
            return Err(ParseAddressError::NotAnAddress { expected });
        }
        match format {
            AddressFormat::Bitcoin => Self::bitcoin(text, Network::Bitcoin),
            AddressFormat::BitcoinTest => Self::bitcoin(text, Network::Testnet),
            AddressFormat::BitcoinRegtest => Self::bitcoin(text, Network::Regtest),
            AddressFormat::Litecoin => litecoin::MAIN.parse(text),
            AddressFormat::LitecoinTest => litecoin::TEST.parse(text),
            AddressFormat::LitecoinRegtest => litecoin::REGTEST.parse(text),
            AddressFormat::Ss58 => account::ss58(text),
            AddressFormat::Evm => account::evm(text),
            AddressFormat::Nothing => Err(Fault::NotAnAddress),
        }
        .map_err(|fault| match fault {
            Fault::NotAnAddress => ParseAddressError::NotAnAddress { expected },
            Fault::WrongNetwork => ParseAddressError::WrongNetwork { expected },
            Fault::NobodysProgram(meaning) => ParseAddressError::NobodysProgram { meaning },
        })
    }

    /// The address that `script` pays, as the chain's own software writes it; `None` if no address is written for such
    /// a script, or the chain takes it for something else.
    pub fn of_script(script: &[u8], format: AddressFormat) -> Option<Self> {
        let script = Script::from_bytes(script);
        let bitcoin = |network| {
            let address = bitcoin::Address::from_script(script, network).ok()?;
            Some(address.to_string())
        };
        let text = match format {
            AddressFormat::Bitcoin => bitcoin(Network::Bitcoin),
            AddressFormat::BitcoinTest => bitcoin(Network::Testnet),
            AddressFormat::BitcoinRegtest => bitcoin(Network::Regtest),
            AddressFormat::Litecoin => litecoin::MAIN.of_script(script),
            AddressFormat::LitecoinTest => litecoin::TEST.of_script(script),
            AddressFormat::LitecoinRegtest => litecoin::REGTEST.of_script(script),
            AddressFormat::Ss58 | AddressFormat::Evm | AddressFormat::Nothing => None,
        }?;
        Self::parse(&text, format).ok()
    }

    fn bitcoin(text: &str, network: Network) -> Result<Self, Fault> {
        let address = bitcoin::Address::<NetworkUnchecked>::from_str(text)
            .map_err(|_| Fault::NotAnAddress)?
            .require_network(network)
            .map_err(|_| Fault::WrongNetwork)?;
        if let Some(program) = address.witness_program()
            && let Some(meaning) = meaning_of(program.version(), program.program().as_bytes(), false)
        {
            return Err(Fault::NobodysProgram(meaning));
        }
        Ok(Self {
            text: address.to_string(),
            script: address.script_pubkey(),
        })
    }

    /// The identity of a miner that gives nothing but this address.
    ///
    /// The ledger knows miners by 32 bytes. A hotkey's are its public key; an address's are a hash of the script
    /// that pays it, for which nobody has a secret key: no signature ever speaks for it, so nobody can change
    /// where it is paid. Every way to write the same address gives the same identity.
    pub fn identity(&self) -> Hotkey {
        let digest = Sha256::new()
            .chain_update(b"dwarves/address-identity/1")
            .chain_update(self.script())
            .finalize();
        Hotkey::from_bytes(digest.into())
    }

    /// The script that pays it. Of accounts on chains that the pool does not pay on it is what tells them apart, and nothing
    /// that a chain would take.
    pub fn script(&self) -> Vec<u8> {
        self.script.to_bytes()
    }
}

impl fmt::Display for PayoutAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests;
