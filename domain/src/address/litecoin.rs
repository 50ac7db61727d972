//! Litecoin's addresses: those of Bitcoin with other prefixes.
//!
//! Source: `chainparams.cpp` of Litecoin Core 0.21. A script hash has two prefixes: the one that Bitcoin uses
//! too, which Litecoin had at first, and its own. Addresses of the extension blocks (`ltcmweb1...`) are none that
//! a coinbase or a payout on the main chain can pay, and witness programs of versions 8 and 9 are Litecoin's own.

use bitcoin::bech32::{Hrp, segwit};
use bitcoin::hashes::Hash;
use bitcoin::{PubkeyHash, Script, ScriptBuf, ScriptHash, WitnessProgram, WitnessVersion, base58};

use super::{Fault, PayoutAddress, meaning_of};

/// Every human-readable part in use on Litecoin's and Bitcoin's networks.
const KNOWN_PARTS: [&str; 6] = ["ltc", "tltc", "rltc", "bc", "tb", "bcrt"];
/// Every version byte in use there.
const KNOWN_VERSIONS: [u8; 7] = [0x00, 0x05, 0x30, 0x32, 0x6f, 0xc4, 0x3a];

/// What tells the addresses of one network.
pub(super) struct Prefixes {
    human_readable_part: &'static str,
    public_key: u8,
    /// The own prefix of script hashes, and Bitcoin's.
    script: [u8; 2],
}

pub(super) const MAIN: Prefixes = Prefixes {
    human_readable_part: "ltc",
    public_key: 0x30,
    script: [0x32, 0x05],
};
pub(super) const TEST: Prefixes = Prefixes {
    human_readable_part: "tltc",
    public_key: 0x6f,
    script: [0x3a, 0xc4],
};
pub(super) const REGTEST: Prefixes = Prefixes {
    human_readable_part: "rltc",
    ..TEST
};

impl Prefixes {
    pub(super) fn parse(&self, text: &str) -> Result<PayoutAddress, Fault> {
        match segwit::decode(text) {
            Ok((part, version, program)) => {
                let part = part.to_lowercase();
                if part != self.human_readable_part {
                    let is_known = KNOWN_PARTS.contains(&part.as_str());
                    return Err(if is_known {
                        Fault::WrongNetwork
                    } else {
                        Fault::NotAnAddress
                    });
                }
                let version = WitnessVersion::try_from(version).map_err(|_| Fault::NotAnAddress)?;
                if let Some(meaning) = meaning_of(version, &program, true) {
                    return Err(Fault::NobodysProgram(meaning));
                }
                let program = WitnessProgram::new(version, &program).map_err(|_| Fault::NotAnAddress)?;
                Ok(PayoutAddress {
                    text: text.to_lowercase(),
                    script: ScriptBuf::new_witness_program(&program),
                })
            }
            Err(_) => self.parse_base58(text),
        }
    }

    /// The address that a script pays, if it is of a kind that addresses are written for.
    pub(super) fn of_script(&self, script: &Script) -> Option<String> {
        let bytes = script.as_bytes();
        if script.is_p2pkh() {
            return Some(base58::encode_check(
                &[&[self.public_key], &bytes[3..23]].concat(),
            ));
        }
        if script.is_p2sh() {
            return Some(base58::encode_check(&[&[self.script[0]], &bytes[2..22]].concat()));
        }
        let version = script.witness_version()?;
        let part = Hrp::parse(self.human_readable_part).ok()?;
        segwit::encode(part, version.to_fe(), bytes.get(2..)?).ok()
    }

    fn parse_base58(&self, text: &str) -> Result<PayoutAddress, Fault> {
        let bytes = base58::decode_check(text).map_err(|_| Fault::NotAnAddress)?;
        let (version, hash) = bytes.split_first().ok_or(Fault::NotAnAddress)?;
        let hash = <[u8; 20]>::try_from(hash).map_err(|_| Fault::NotAnAddress)?;
        let script = if *version == self.public_key {
            ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array(hash))
        } else if self.script.contains(version) {
            ScriptBuf::new_p2sh(&ScriptHash::from_byte_array(hash))
        } else if KNOWN_VERSIONS.contains(version) {
            return Err(Fault::WrongNetwork);
        } else {
            return Err(Fault::NotAnAddress);
        };
        Ok(PayoutAddress {
            text: text.to_owned(),
            script,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AddressFormat, ParseAddressError, PayoutAddress};
    use proptest::prelude::*;

    /// Addresses and the scripts that Litecoin Core's `validateaddress` gives for them.
    const REGTEST: [(&str, &str); 3] = [
        (
            "mjAsv9EK1MYKuZWhanSaoTF1UiAoeHJVig",
            "76a9142814878e1103ef7d9bdf997a9e577e943debed8388ac",
        ),
        (
            "QjtLreitAiaiqSXtjWiGHVkj7afPQnDJF7",
            "a914ff62de15a276161a11d235902a057ae7bf6f5d0b87",
        ),
        (
            "rltc1q5xp0ngq23y49v9nc49rn0z7rgs8fevh3c5ttlx",
            "0014a182f9a00a892a561678a947378bc3440e9cb2f1",
        ),
    ];

    #[test]
    fn each_kind_of_address_pays_the_script_that_litecoin_core_says() {
        for (text, script) in REGTEST {
            let address = PayoutAddress::parse(text, AddressFormat::LitecoinRegtest).unwrap();
            assert_eq!(hex::encode(address.script()), script, "{text}");
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn a_script_hash_has_two_spellings() {
        let hash = hex::decode("ff62de15a276161a11d235902a057ae7bf6f5d0b").unwrap();
        let old = bitcoin::base58::encode_check(&[&[0xc4], &hash[..20]].concat());
        let of = |text: &str| {
            PayoutAddress::parse(text, AddressFormat::LitecoinRegtest)
                .unwrap()
                .script()
        };
        assert_eq!(of(&old), of(REGTEST[1].0));
    }

    #[test]
    fn an_address_of_another_network_is_told_from_a_typo() {
        let main = "ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9";
        assert!(PayoutAddress::parse(main, AddressFormat::Litecoin).is_ok());
        let upper = PayoutAddress::parse(&main.to_uppercase(), AddressFormat::Litecoin).unwrap();
        assert_eq!(upper.to_string(), main);
        for (text, format) in [
            (main, AddressFormat::LitecoinRegtest),
            (
                "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
                AddressFormat::Litecoin,
            ),
            ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", AddressFormat::Litecoin),
            (REGTEST[2].0, AddressFormat::LitecoinTest),
        ] {
            let error = PayoutAddress::parse(text, format).unwrap_err();
            assert!(
                matches!(error, ParseAddressError::WrongNetwork { .. }),
                "{text}: {error}"
            );
        }
        for text in ["ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n8", "", "LLLL"] {
            let error = PayoutAddress::parse(text, AddressFormat::Litecoin).unwrap_err();
            assert!(
                matches!(error, ParseAddressError::NotAnAddress { .. }),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn the_network_is_told_by_the_address_as_far_as_it_can_be() {
        let bech32 = REGTEST
            .iter()
            .find(|(text, _)| text.starts_with("rltc1"))
            .unwrap()
            .0;
        assert_eq!(AddressFormat::all_of(bech32), [AddressFormat::LitecoinRegtest]);
        let base58 = REGTEST
            .iter()
            .find(|(text, _)| text.starts_with(['m', 'n']))
            .unwrap()
            .0;
        let test_networks = [
            AddressFormat::BitcoinTest,
            AddressFormat::BitcoinRegtest,
            AddressFormat::LitecoinTest,
            AddressFormat::LitecoinRegtest,
        ];
        assert_eq!(AddressFormat::all_of(base58), test_networks);
        assert_eq!(AddressFormat::all_of("nonsense"), []);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,60}") {
            for format in AddressFormat::ALL {
                let _ = PayoutAddress::parse(&text, format);
            }
        }
    }
}
