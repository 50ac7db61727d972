//! Every witness version, program length and kind of script, on every network. `tests/payouts.rs` holds the same
//! table against a real litecoind's answers.

use bitcoin::base58;
use bitcoin::bech32::{Fe32, Hrp, segwit};

use super::*;

const MAIN: &str = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq";

/// An address of MWEB, as litecoind 0.21.2.1 makes them on regtest.
const MWEB: &str = "tmweb1qqw2edst3f937cdjm9yttuh9utnp57cwjrp8pdel9hm050eh2fwenjqlpxr6kvlqprxarwcdsxchgjpsn8nq3cdmjnh3w8zuathr7fq4wzyw6f28x";

const PARTS: [(AddressFormat, &str); 6] = [
    (AddressFormat::Bitcoin, "bc"),
    (AddressFormat::BitcoinTest, "tb"),
    (AddressFormat::BitcoinRegtest, "bcrt"),
    (AddressFormat::Litecoin, "ltc"),
    (AddressFormat::LitecoinTest, "tltc"),
    (AddressFormat::LitecoinRegtest, "rltc"),
];

fn witness(part: &str, version: u8, program: &[u8]) -> String {
    let (part, version) = (Hrp::parse(part).unwrap(), Fe32::try_from(version).unwrap());
    let mut text = String::new();
    segwit::encode_lower_to_fmt_unchecked(&mut text, part, version, program).unwrap();
    text
}

#[test]
fn an_address_is_taken_on_its_own_chain_only() {
    let address = PayoutAddress::parse(MAIN, AddressFormat::Bitcoin).unwrap();
    assert_eq!(address.to_string(), MAIN);
    assert_eq!(address.script().len(), 22);
    let upper = PayoutAddress::parse(&MAIN.to_uppercase(), AddressFormat::Bitcoin).unwrap();
    assert_eq!(upper.identity(), address.identity());
    assert!(matches!(
        PayoutAddress::parse(MAIN, AddressFormat::BitcoinRegtest),
        Err(ParseAddressError::WrongNetwork { .. })
    ));
}

#[test]
fn mistyped_and_oversized_texts_are_no_addresses() {
    let typo = MAIN.replace("5mdq", "5mdp");
    for bad in [typo.as_str(), "", "x", &"1".repeat(10_000)] {
        assert!(matches!(
            PayoutAddress::parse(bad, AddressFormat::Bitcoin),
            Err(ParseAddressError::NotAnAddress { .. })
        ));
    }
}

/// What nodes pay: BIP141 knows lengths 2 to 40; of version 0 there are two kinds (BIP141), and what later versions
/// mean is open, so they are paid (BIP350). What a chain took for itself is nobody's.
#[test]
fn every_witness_version_and_length_is_taken_or_refused_as_its_chain_means_it() {
    for (format, part) in PARTS {
        for version in 0..=16 {
            for length in 0..=45 {
                let text = witness(part, version, &vec![7; length]);
                let parsed = PayoutAddress::parse(&text, format);
                let is_litecoins_own = format.is_litecoin() && matches!(version, 8 | 9);
                match (version, length) {
                    (0, 20 | 32) => assert!(parsed.is_ok(), "{text}"),
                    (0, _) | (_, 0 | 1 | 41..) => assert!(
                        matches!(parsed, Err(ParseAddressError::NotAnAddress { .. })),
                        "{text}: {parsed:?}"
                    ),
                    _ if is_litecoins_own => assert!(
                        matches!(parsed, Err(ParseAddressError::NobodysProgram { .. })),
                        "{text}: {parsed:?}"
                    ),
                    _ => {
                        let script = parsed.unwrap().script();
                        assert_eq!(script[..2], [0x50 + version, length as u8], "{text}");
                    }
                }
            }
        }
        let anchor = PayoutAddress::parse(&witness(part, 1, &[0x4e, 0x73]), format);
        assert!(
            matches!(anchor, Err(ParseAddressError::NobodysProgram { .. })),
            "{format:?}"
        );
    }
    assert_eq!(witness("bc", 1, &[0x4e, 0x73]), "bc1pfeessrawgf");
}

/// Each version byte that a base58 address can have is a key's hash, a script's hash or nothing, by network.
#[test]
fn every_version_byte_of_base58_is_taken_or_refused_as_its_chain_means_it() {
    for (format, keys, scripts) in [
        (AddressFormat::Bitcoin, 0x00, vec![0x05]),
        (AddressFormat::BitcoinTest, 0x6f, vec![0xc4]),
        (AddressFormat::BitcoinRegtest, 0x6f, vec![0xc4]),
        (AddressFormat::Litecoin, 0x30, vec![0x32, 0x05]),
        (AddressFormat::LitecoinTest, 0x6f, vec![0x3a, 0xc4]),
        (AddressFormat::LitecoinRegtest, 0x6f, vec![0x3a, 0xc4]),
    ] {
        for byte in 0..=255_u8 {
            for length in [0, 19, 20, 21, 32] {
                let mut bytes = vec![byte];
                bytes.resize(1 + length, 7);
                let parsed = PayoutAddress::parse(&base58::encode_check(&bytes), format);
                let first = parsed.as_ref().map(|address| address.script()[0]).ok();
                let expected = match length {
                    20 if byte == keys => Some(0x76),
                    20 if scripts.contains(&byte) => Some(0xa9),
                    _ => None,
                };
                assert_eq!(first, expected, "{format:?} {byte:#x} {length}");
            }
        }
    }
}

#[test]
fn mweb_addresses_are_named_on_litecoin() {
    let main = MWEB.replacen("tmweb1", "ltcmweb1", 1);
    for format in AddressFormat::ALL {
        for text in [MWEB, &main, &MWEB.to_uppercase(), "ltcmweb1"] {
            let error = PayoutAddress::parse(text, format).unwrap_err();
            let is_named = matches!(error, ParseAddressError::Mweb { .. });
            assert_eq!(is_named, format.is_litecoin(), "{text}: {error}");
            assert_eq!(error.to_string().contains("MWEB"), format.is_litecoin());
        }
    }
}

#[test]
fn the_address_of_a_script_is_the_one_that_pays_it() {
    use bitcoin::hashes::Hash;
    use bitcoin::{PubkeyHash, ScriptHash, WPubkeyHash, WScriptHash};
    let scripts = [
        ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array([1; 20])),
        ScriptBuf::new_p2sh(&ScriptHash::from_byte_array([2; 20])),
        ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([3; 20])),
        ScriptBuf::new_p2wsh(&WScriptHash::from_byte_array([4; 32])),
        ScriptBuf::from_bytes([&[0x51, 32][..], &[5; 32]].concat()),
    ];
    for format in AddressFormat::ALL {
        for script in &scripts {
            let address = PayoutAddress::of_script(script.as_bytes(), format).unwrap();
            assert_eq!(address.script(), script.to_bytes(), "{address}");
        }
        // A key, a commitment, nothing, what is cut off, and what the chain takes for something else.
        for script in [
            [&[33][..], &[2; 33], &[0xac]].concat(),
            [&[0x6a, 0x24][..], &[7; 36]].concat(),
            Vec::new(),
            vec![0, 20, 1],
            vec![0x51, 2, 0x4e, 0x73],
        ] {
            assert_eq!(PayoutAddress::of_script(&script, format), None, "{script:?}");
        }
    }
}
