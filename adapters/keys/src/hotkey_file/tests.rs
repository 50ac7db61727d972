use super::*;
use dwarves_domain::signature;
use dwarves_system::clock::SystemClock;
use dwarves_system::entropy::SystemRandomness;
use dwarves_system::entropy::testing::{Broken, Constant};
use proptest::prelude::*;

/// Substrate's development phrase; its key without derivation is well known.
const PHRASE: &str = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";
const ADDRESS: &str = "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV";

/// As `bittensor-wallet` 4.1.1 writes a new hotkey.
const BY_BITTENSOR: &str = r#"{"ss58Address":"5DLTYtG3RsiNQqy1EidsRQ9kRvnG2VJVKB27VHJYJP94ox4f","secretSeed":"0x0670ea3e3b53220812569f30d6bf887e678e62927ffe0bceb57105767bdb7eb6","accountId":"0x383fffe1901e9a6364b6d80bd9f5d57305c82db57c51be09c7e1d1651a24706f","cryptoType":1,"privateKey":"0x5a6ea69bf0e1c1ea540153cb2b7a52ffde624a898b682b51d98d8379adb0f10a1fdc912f926f8c0b4d285630e8edfe50749673a622dd60e9b44214b267dca7b0","secretPhrase":"soap blue subway bullet nurse flame burger range fringe often add win","publicKey":"0x383fffe1901e9a6364b6d80bd9f5d57305c82db57c51be09c7e1d1651a24706f"}"#;
/// As it writes //Alice, which has neither phrase nor seed of its own.
const ALICE_BY_BITTENSOR: &str = r#"{"cryptoType":1,"accountId":"0xd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d","publicKey":"0xd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d","ss58Address":"5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY","privateKey":"0x33a6f3093f158a7109f679410bef1a0c54168145e0cecb4df006c1c2fffb1f09925a225d97aa00682d6a59b95b18780c10d7032336e88f3442b42361f4a66011"}"#;
/// As it writes the key of the seed 0x1111..11: the seed's bytes as text.
const SEED_AS_TEXT: &str = r#"{"privateKey":"0x704b72419b89bab3a4632685428901bf5715b44e40ec0df50f01fdc1553bf60b092539815e61663c7f9c4c9c377346f5d2936875bd760f0ac5c5f4f6e78a6d76","accountId":"0x50780547322a1ceba67ea8c552c9bc6c686f8698ac9a8cafab7cd15a1db19859","cryptoType":1,"ss58Address":"5DtDLm5rQHShDqojQpsvcN8tRXHVFaecfDoRet1SU6BFD9Fi","secretSeed":"0x\u0011\u0011\u0011\u0011\u0011\u0011\u0011\u0011\u0011\u0011\u0011\u0011\u0011\u0011\u0011\u0011\u0011\u0011\u0011\u0011\u0011\u0011\u0011\u0011\u0011\u0011\u0011\u0011\u0011\u0011\u0011\u0011","publicKey":"0x50780547322a1ceba67ea8c552c9bc6c686f8698ac9a8cafab7cd15a1db19859"}"#;

#[test]
fn the_development_phrase_gives_its_well_known_key() {
    let key = HotkeyFile::from_phrase(PHRASE, "").unwrap();
    assert_eq!(key.hotkey().to_string(), ADDRESS);
    assert_eq!(
        hex::encode(key.seed.unwrap()),
        "fac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e"
    );
    let spaced = format!("  {} \n", PHRASE.to_uppercase().replace(' ', "  "));
    assert_eq!(
        HotkeyFile::from_phrase(&spaced, "").unwrap().hotkey(),
        key.hotkey()
    );
    assert_ne!(
        HotkeyFile::from_phrase(PHRASE, "password").unwrap().hotkey(),
        key.hotkey()
    );
}

#[test]
fn what_is_wrong_with_a_phrase_is_said_without_repeating_its_words() {
    let cases = [
        ("bottom drive", "it has 2 words"),
        (&*PHRASE.replace("lake", "leak"), "word 4 is not"),
        (&*PHRASE.replace("lake", "race"), "checksum"),
    ];
    for (phrase, expected) in cases {
        let error = HotkeyFile::from_phrase(phrase, "").unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("obey"), "{error}");
    }
}

#[test]
fn key_files_of_bittensor_are_read() {
    for (text, address) in [
        (BY_BITTENSOR, "5DLTYtG3RsiNQqy1EidsRQ9kRvnG2VJVKB27VHJYJP94ox4f"),
        (
            ALICE_BY_BITTENSOR,
            "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
        ),
        (SEED_AS_TEXT, "5DtDLm5rQHShDqojQpsvcN8tRXHVFaecfDoRet1SU6BFD9Fi"),
    ] {
        assert_eq!(json::read(text).unwrap().hotkey().to_string(), address);
    }
}

#[test]
fn a_key_is_written_exactly_as_bittensor_writes_it() {
    let ours: serde_json::Value =
        serde_json::from_str(&json::write(&json::read(BY_BITTENSOR).unwrap())).unwrap();
    let theirs: serde_json::Value = serde_json::from_str(BY_BITTENSOR).unwrap();
    // But for the number that versions up to 4.0.1 cannot read.
    let mut theirs = theirs;
    theirs.as_object_mut().unwrap().remove("cryptoType");
    assert_eq!(ours, theirs);
}

/// As bittensor 11.3.0 (bittensor-core 0.1.5) writes ed25519 keys: of a phrase, of a seed, of //Alice.
const ED25519_BY_BITTENSOR: [(&str, &str); 3] = [
    (
        r#"{"secretPhrase":"bottom drive obey lake curtain smoke basket hold race lonely fit walk","privateKey":"0xfac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e","ss58Address":"5DFJF7tY4bpbpcKPJcBTQaKuCDEPCpiz8TRjpmLeTtweqmXL","cryptoType":0,"publicKey":"0x345071da55e5dccefaaa440339415ef9f2663338a38f7da0df21be5ab4e055ef","accountId":"0x345071da55e5dccefaaa440339415ef9f2663338a38f7da0df21be5ab4e055ef","secretSeed":"0xfac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e"}"#,
        "5DFJF7tY4bpbpcKPJcBTQaKuCDEPCpiz8TRjpmLeTtweqmXL",
    ),
    (
        r#"{"cryptoType":0,"privateKey":"0x1111111111111111111111111111111111111111111111111111111111111111","publicKey":"0xd04ab232742bb4ab3a1368bd4615e4e6d0224ab71a016baf8520a332c9778737","secretSeed":"0x1111111111111111111111111111111111111111111111111111111111111111","accountId":"0xd04ab232742bb4ab3a1368bd4615e4e6d0224ab71a016baf8520a332c9778737","ss58Address":"5Gmp1LHh81mEqwCDPP7ug46TTMXYo3ZuwVHTeNhP1Gp2jLKV"}"#,
        "5Gmp1LHh81mEqwCDPP7ug46TTMXYo3ZuwVHTeNhP1Gp2jLKV",
    ),
    (
        r#"{"cryptoType":0,"ss58Address":"5FA9nQDVg267DEd8m1ZypXLBnvN7SFxYwV7ndqSYGiN9TTpu","publicKey":"0x88dc3417d5058ec4b4503e0c12ea1a0a89be200fe98922423d4334014fa6b0ee","accountId":"0x88dc3417d5058ec4b4503e0c12ea1a0a89be200fe98922423d4334014fa6b0ee","privateKey":"0xabf8e5bdbe30c65656c0a3cbd181ff8a56294a69dfedd27982aace4a76909115"}"#,
        "5FA9nQDVg267DEd8m1ZypXLBnvN7SFxYwV7ndqSYGiN9TTpu",
    ),
];

#[test]
fn ed25519_keys_are_read_survive_their_file_and_sign_by_their_own_scheme() {
    for (text, address) in ED25519_BY_BITTENSOR {
        let key = json::read(text).unwrap();
        assert_eq!(key.hotkey().to_string(), address);
        assert_eq!(json::read(&json::write(&key)).unwrap().hotkey(), key.hotkey());
        let receiver = Hotkey::from_bytes([9; 32]);
        let headers = key.sign_request("POST", "/v1/miners", b"{}", RequestNonce(7), receiver);
        let value = |name: &str| {
            headers
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| value.as_str())
        };
        assert_eq!(value("X-Bittensor-Crypto"), Some("ed25519"));
        let signature = hex::decode(
            value("X-Bittensor-Signature")
                .unwrap()
                .strip_prefix("0x")
                .unwrap(),
        );
        let request = SignedRequest {
            scheme: KeyType::Ed25519,
            method: "POST",
            path: "/v1/miners",
            body: b"{}",
            nonce_nanos: 7,
            sender: key.hotkey(),
            receiver,
        };
        assert!(request.is_signed_by(&signature.unwrap().try_into().unwrap()));
    }
    let sr25519 = HotkeyFile::from_seed([1; 32]);
    let headers = sr25519.sign_request("POST", "/", b"", RequestNonce(7), sr25519.hotkey());
    assert!(headers.iter().all(|(name, _)| *name != "X-Bittensor-Crypto"));
}

#[test]
fn the_kind_of_a_key_may_be_a_text_and_an_unknown_one_is_refused() {
    let text = BY_BITTENSOR.replace("\"cryptoType\":1", "\"cryptoType\":\"1\"");
    assert!(json::read(&text).is_ok());
    for wrong in ["2", "\"sr\"", "-1", "null1"] {
        let text = BY_BITTENSOR.replace("\"cryptoType\":1", &format!("\"cryptoType\":{wrong}"));
        assert!(json::read(&text).is_err(), "{wrong}");
    }
}

#[test]
fn parts_of_two_keys_in_one_file_are_refused_by_name() {
    let other = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
    let cases = [
        (
            BY_BITTENSOR.replace("5DLTYtG3RsiNQqy1EidsRQ9kRvnG2VJVKB27VHJYJP94ox4f", other),
            "ss58Address",
        ),
        (BY_BITTENSOR.replace("0x0670ea", "0x0670eb"), "secretSeed"),
        (
            BY_BITTENSOR.replace("\"accountId\":\"0x383f", "\"accountId\":\"0x383e"),
            "accountId",
        ),
        (BY_BITTENSOR.replace("0x5a6ea6", "0x5a6ea7"), "privateKey"),
        (BY_BITTENSOR.replace("soap blue", "blue soap"), "secretPhrase"),
        (
            BY_BITTENSOR.replace("\"cryptoType\":1", "\"cryptoType\":0"),
            "privateKey",
        ),
        (
            r#"{"encoded":"abc","encoding":{"type":["scrypt"]}}"#.to_owned(),
            "encrypted",
        ),
        ("{}".to_owned(), "secretPhrase, secretSeed or privateKey"),
        (r#"{"secretSeed":"12"}"#.to_owned(), "secretSeed: expected 64"),
    ];
    for (text, expected) in cases {
        let error = json::read(&text).unwrap_err();
        assert!(error.contains(expected), "{expected}: {error}");
        assert!(!error.contains("0670e"), "a secret is repeated: {error}");
    }
}

#[test]
fn a_new_key_survives_its_file() {
    let folder = tempfile::tempdir().unwrap();
    for (words, count) in [(PhraseWords::Twelve, 12), (PhraseWords::TwentyFour, 24)] {
        let path = folder.path().join(format!("{count}"));
        let key = HotkeyFile::generate(words, &SystemRandomness).unwrap();
        key.create(&path, &SystemRandomness).unwrap();
        let read = HotkeyFile::read(&path).unwrap();
        assert_eq!((read.hotkey(), read.phrase()), (key.hotkey(), key.phrase()));
        assert_eq!(read.phrase().unwrap().split(' ').count(), count);
        assert_eq!(read.warning(), None);
    }
    assert!(HotkeyFile::generate(PhraseWords::Twelve, &Broken).is_err());
}

#[test]
fn a_signed_request_verifies_and_any_change_breaks_it() {
    let key = HotkeyFile::generate(PhraseWords::Twelve, &Constant(3)).unwrap();
    let receiver = Hotkey::from_bytes([9; 32]);
    let nonce = RequestNonce::at(SystemClock.unix_nanos());
    let headers = key.sign_request("POST", "/v1/miners?a=b", b"{}", nonce, receiver);
    let value = |name: &str| &headers.iter().find(|(n, _)| *n == name).unwrap().1;
    let signature = hex::decode(value("X-Bittensor-Signature").strip_prefix("0x").unwrap()).unwrap();
    let request = SignedRequest {
        scheme: KeyType::Sr25519,
        method: "POST",
        path: "/v1/miners?a=b",
        body: b"{}",
        nonce_nanos: value("X-Bittensor-Nonce").parse().unwrap(),
        sender: value("X-Bittensor-Hotkey").parse().unwrap(),
        receiver: value("X-Bittensor-Receiver").parse().unwrap(),
    };
    let signature: [u8; 64] = signature.try_into().unwrap();
    assert!(request.is_signed_by(&signature));
    assert!(
        !SignedRequest {
            body: b"{ }",
            ..request
        }
        .is_signed_by(&signature)
    );
    assert!(!signature::verify(
        KeyType::Sr25519,
        &receiver,
        &request.payload(),
        &signature
    ));
}

#[test]
fn nonces_never_repeat_and_follow_a_clock_that_was_set_back() {
    let now = 4_000_000_000_000_000_000;
    assert_eq!(nonce_after(now - 1, now), now);
    assert_eq!(nonce_after(now, now), now + 1);
    assert_eq!(nonce_after(now + 1, now - 5), now + 2);
    assert_eq!(nonce_after(now, now - 10_000_000_000), now - 10_000_000_000);
    let now = SystemClock.unix_nanos();
    let (a, b) = (RequestNonce::at(now), RequestNonce::at(now));
    assert_ne!(a, b);
}

proptest! {
    #[test]
    fn no_text_makes_reading_panic(text in ".{0,400}") {
        let _ = json::read(&text);
    }

    #[test]
    fn every_seed_survives_its_file(seed in any::<[u8; 32]>()) {
        let key = HotkeyFile::from_seed(seed);
        let read = json::read(&json::write(&key)).unwrap();
        prop_assert_eq!(read.hotkey(), key.hotkey());
        prop_assert_eq!(read.secret_bytes(), key.secret_bytes());
    }
}
