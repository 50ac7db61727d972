use super::*;
use proptest::prelude::*;

#[derive(Debug)]
struct Vector {
    hotkey: Hotkey,
    message: Vec<u8>,
    signature: [u8; 64],
}

/// Signatures made by Bittensor's own wallet.
fn vectors() -> Vec<Vector> {
    let json = include_str!("../../tests/vectors/sr25519.json");
    let rows: Vec<serde_json::Value> = serde_json::from_str(json).unwrap();
    let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap().to_owned();
    rows.iter()
        .map(|row| Vector {
            hotkey: text(row, "hotkey").parse().unwrap(),
            message: text(row, "msg").into_bytes(),
            signature: hex::decode(&text(row, "sig")[2..]).unwrap().try_into().unwrap(),
        })
        .collect()
}

#[test]
fn a_wallets_signatures_hold() {
    let vectors = vectors();
    assert!(vectors.len() >= 32);
    for v in &vectors {
        assert!(verify(KeyType::Sr25519, &v.hotkey, &v.message, &v.signature));
    }
}

#[test]
fn a_signature_holds_for_one_signer_scheme_and_message_only() {
    let vectors = vectors();
    let (a, b) = (&vectors[0], &vectors[1]);
    assert!(!verify(KeyType::Sr25519, &b.hotkey, &a.message, &a.signature));
    assert!(!verify(KeyType::Sr25519, &a.hotkey, &b.message, &a.signature));
    assert!(!verify(KeyType::Ed25519, &a.hotkey, &a.message, &a.signature));
    let mut unmarked = a.signature;
    unmarked[63] &= 0x7f;
    assert!(!verify(KeyType::Sr25519, &a.hotkey, &a.message, &unmarked));
}

#[test]
fn ed25519_signatures_hold_and_the_all_zero_key_signs_nothing() {
    use ed25519_dalek::Signer;
    let secret = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let signer = Hotkey::from_bytes(secret.verifying_key().to_bytes());
    let signature = secret.sign(b"work").to_bytes();
    assert!(verify(KeyType::Ed25519, &signer, b"work", &signature));
    assert!(!verify(KeyType::Ed25519, &signer, b"rest", &signature));
    let zero = Hotkey::from_bytes([0; 32]);
    assert!(!verify(KeyType::Ed25519, &zero, b"work", &[0; 64]));
}

#[test]
fn the_signed_bytes_are_the_lines_of_the_protocol() {
    let vectors = vectors();
    let request = SignedRequest {
        scheme: KeyType::Sr25519,
        method: "POST",
        path: "/v1/miners?x=1",
        body: b"{}",
        nonce_nanos: 17,
        sender: vectors[0].hotkey,
        receiver: vectors[1].hotkey,
    };
    let expected = format!(
        "btauth/1\nsr25519\nPOST\n/v1/miners?x=1\n\
         44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\n17\n{}\n{}",
        vectors[0].hotkey, vectors[1].hotkey
    );
    assert_eq!(request.payload(), expected.into_bytes());
}

#[test]
fn a_signature_wrapped_by_a_wallet_in_a_browser_holds_once_and_no_deeper() {
    use ed25519_dalek::Signer;
    let ed25519 = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let sr25519 = schnorrkel::MiniSecretKey::from_bytes(&[7; 32])
        .unwrap()
        .expand_to_keypair(schnorrkel::ExpansionMode::Ed25519);
    let signers = [
        (
            KeyType::Ed25519,
            Hotkey::from_bytes(ed25519.verifying_key().to_bytes()),
        ),
        (KeyType::Sr25519, Hotkey::from_bytes(sr25519.public.to_bytes())),
    ];
    for (scheme, sender) in signers {
        let request = SignedRequest {
            scheme,
            method: "POST",
            path: "/v1/miners",
            body: b"{}",
            nonce_nanos: 17,
            sender,
            receiver: Hotkey::from_bytes([1; 32]),
        };
        let sign = |message: &[u8]| match scheme {
            KeyType::Ed25519 => ed25519.sign(message).to_bytes(),
            KeyType::Sr25519 => sr25519.sign_simple(SIGNING_CONTEXT, message).to_bytes(),
        };
        let wrap = |message: &[u8]| [b"<Bytes>", message, b"</Bytes>"].concat();
        let payload = request.payload();
        let cases = [
            (payload.clone(), true),
            (wrap(&payload), true),
            (wrap(&wrap(&payload)), false),
            ([b"<Bytes>", &payload[..]].concat(), false),
            (wrap(b""), false),
        ];
        for (signed, holds) in cases {
            let shown = String::from_utf8_lossy(&signed);
            assert_eq!(request.is_signed_by(&sign(&signed)), holds, "{scheme:?} {shown}");
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_are_never_a_signature(key in any::<[u8; 32]>(), sig in any::<[u8; 32]>(), more in any::<[u8; 32]>()) {
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&sig);
        signature[32..].copy_from_slice(&more);
        let signer = Hotkey::from_bytes(key);
        prop_assert!(!verify(KeyType::Sr25519, &signer, b"m", &signature));
        prop_assert!(!verify(KeyType::Ed25519, &signer, b"m", &signature));
    }
}

#[test]
fn a_request_is_fresh_within_the_window_alone_and_its_nonce_is_remembered_beyond_it() {
    let window = Window {
        back: Span::from_secs(16),
        ahead: Span::from_secs(60),
    };
    let now = Timestamp::from_secs(1_700_000_000);
    let nonce = |millis: i64| u64::try_from(now.moved(millis).millis()).unwrap() * 1_000_000;
    for (millis, is_fresh) in [
        (-17_000, false),
        (-16_001, false),
        (-16_000, true),
        (0, true),
        (60_000, true),
        (60_001, false),
        (3_600_000, false),
    ] {
        let expiry = window.expiry(now, nonce(millis));
        assert_eq!(expiry.is_some(), is_fresh, "{millis}");
        if let Some(expiry) = expiry {
            // As long as it may still be taken it is remembered.
            let last = now.moved(millis).plus(window.back);
            assert!(window.expiry(last, nonce(millis)).is_some() && expiry > last);
            assert_eq!(window.expiry(expiry, nonce(millis)), None);
        }
    }
    // What is no time at all is fresh at none.
    for nonce in [0, 5, u64::MAX] {
        assert_eq!(window.expiry(now, nonce), None);
    }
}
