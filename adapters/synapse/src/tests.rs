//! Recorded conversations, signatures of real wallets, and what is wrong with calls in every way.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::signature::{KeyType, verify};
use dwarves_testkit::fuzz_corpus::{corpus, mutated};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::body::{Body, hash, python_str};
use crate::class::Class;
use crate::fuzzing;
use crate::headers::{CallHeaders, Named, Sent, TIMEOUT};

/// What real wallets signed, as `bittensor` 9.12.2 has it signed.
const SIGNED: &str = include_str!("../tests/vectors/sr25519.json");
/// What a real dendrite sent, for classes with other fields than the pool's.
const REGISTER: &str = include_str!("../tests/vectors/dendrite-9.12.2-register.txt");
const SUBMIT: &str = include_str!("../tests/vectors/dendrite-9.12.2-submit_work.txt");

const POOL: &str = "5FC1hH1frk3oZKjzVEg4gJnWz1xGEQR91dt9cvnNRzgFwdxu";

fn named(text: &str) -> Named<'_> {
    let hotkey = text.parse().unwrap();
    Named { hotkey, text }
}

fn pool() -> Named<'static> {
    named(POOL)
}

#[derive(Deserialize)]
struct Signed {
    hotkey: String,
    #[serde(rename = "pub")]
    key: String,
    msg: String,
    sig: String,
}

#[test]
fn signatures_of_real_wallets_hold_over_their_message_alone() {
    let all: Vec<Signed> = serde_json::from_str(SIGNED).unwrap();
    assert_eq!(all.len(), 64);
    for Signed {
        hotkey,
        key,
        msg,
        sig,
    } in all
    {
        let signer: Hotkey = hotkey.parse().unwrap();
        assert_eq!(hex::encode(signer.as_bytes()), key);
        let [nonce, _, receiver, uuid, body_hash] =
            <[&str; 5]>::try_from(msg.split('.').collect::<Vec<_>>()).unwrap();
        assert_eq!(receiver, POOL);
        let header = |name: &'static str| match name {
            "bt_header_dendrite_version" => Sent::Once("9012002"),
            "bt_header_dendrite_nonce" => Sent::Once(nonce),
            "bt_header_dendrite_uuid" => Sent::Once(uuid),
            "bt_header_dendrite_hotkey" => Sent::Once(&hotkey),
            "bt_header_dendrite_signature" => Sent::Once(&sig),
            "computed_body_hash" => Sent::Once(body_hash),
            _ => Sent::Never,
        };
        let headers = CallHeaders::read(header, pool()).unwrap();
        let message = headers.message(pool());
        assert_eq!(message, msg.as_bytes());
        let holds = |message: &[u8]| verify(KeyType::Sr25519, &signer, message, &headers.signature);
        assert!(holds(&message));
        assert!(
            !holds(&headers.message(named(&hotkey))),
            "it is for another receiver"
        );
        assert!(!holds(&[&message[..], b"0"].concat()));
    }
}

/// The headers and the body of a recorded request.
fn recorded(request: &str) -> (Vec<(&str, &str)>, &str) {
    let (head, body) = request.split_once("\n\n").unwrap();
    let headers = head.lines().filter_map(|line| line.split_once(": "));
    (headers.collect(), body.trim_end())
}

fn find<'a>(headers: &[(&'a str, &'a str)], name: &str) -> Sent<'a> {
    let known = headers.iter().find(|(known, _)| *known == name);
    known.map_or(Sent::Never, |(_, value)| Sent::Once(value))
}

#[test]
fn what_a_real_dendrite_sent_is_read_and_hashes_to_what_it_signed() {
    for (request, fields) in [
        (REGISTER, &["worker_name", "payout_address"][..]),
        (SUBMIT, &["job_id", "extranonce2", "ntime"]),
    ] {
        let (headers, body) = recorded(request);
        let call = CallHeaders::read(|name| find(&headers, name), pool()).unwrap();
        assert_eq!(call.timeout, TIMEOUT);
        let signer: Hotkey = call.hotkey.parse().unwrap();
        assert!(verify(
            KeyType::Sr25519,
            &signer,
            &call.message(pool()),
            &call.signature
        ));
        let body = Body::parse(body.as_bytes()).unwrap();
        let texts: Vec<_> = fields
            .iter()
            .map(|name| python_str(body.field(name).unwrap()).unwrap())
            .collect();
        assert_eq!(hash(texts.iter().map(AsRef::as_ref)), call.body_hash);
        assert!(body.names_nobody_but(named(call.hotkey)).is_ok());
        assert_eq!(body.names_nobody_but(pool()).unwrap_err().status(), 403);
        assert_eq!(
            body.said(Class::Register, call.body_hash).unwrap_err().status(),
            400
        );
    }
}

#[test]
fn the_hash_is_that_of_pythons_texts() {
    let empty = "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a";
    assert_eq!(hash(std::iter::empty()), empty);
    for (values, expected) in [
        (
            r#"["j1", "00000001", 1700000000]"#,
            "2ff1820c145217bd8984b0824bd61846ecf8d7aa60b3ea9a13490b3ae5b2033a",
        ),
        (
            r#"["rig1", "bc1qexample"]"#,
            "54ed1e889d9bae3fe386e32a0ac1cacd61f0742f90502925d02d304088ea5a72",
        ),
        (
            r#"["rig1", null]"#,
            "5b863afd1e02ecb48a78c853f872c2ccab1307d8846242b018ca588892ee0f0c",
        ),
    ] {
        let values: Vec<&RawValue> = serde_json::from_str(values).unwrap();
        let texts: Vec<_> = values.iter().map(|value| python_str(value).unwrap()).collect();
        assert_eq!(hash(texts.iter().map(AsRef::as_ref)), expected);
    }
    for (token, expected) in [
        ("1e-05", Some("1e-05")),
        ("1e+16", Some("1e+16")),
        ("0.1", Some("0.1")),
        ("9007199254740993", Some("9007199254740993")),
        ("18446744073709551616", Some("18446744073709551616")),
        ("true", Some("True")),
        ("false", Some("False")),
        ("null", Some("None")),
        (r#""True""#, Some("True")),
        (r#""\u00e9\n\ud83d\ude00""#, Some("\u{e9}\n\u{1f600}")),
        (r#""\ud83d""#, None),
        ("[1]", None),
        ("{}", None),
    ] {
        let value: &RawValue = serde_json::from_str(token).unwrap();
        assert_eq!(python_str(value).as_deref(), expected, "{token}");
    }
}

/// Every header, in every way in which it can be wrong; `None` leaves it out.
#[test]
fn headers_that_prove_nothing_are_refused_whatever_is_wrong_with_them() {
    let (right, _) = recorded(REGISTER);
    let with = |name: &'static str, value: Option<&'static str>| {
        CallHeaders::read(
            |asked| {
                if asked == name {
                    value.map_or(Sent::Never, Sent::Once)
                } else {
                    find(&right, asked)
                }
            },
            pool(),
        )
    };
    let short = "0x80";
    let no_prefix = concat!(
        "808f131b35685fc4735ab18f85756b17991fc0f26b8f7750300e74b866c8fe10",
        "61fedcdedba8350b25769b8b57649888b0fc582b21047119de83245a7b8cbe8b"
    );
    for (name, value, status) in [
        ("bt_header_dendrite_signature", None, 401),
        ("bt_header_dendrite_signature", Some(""), 401),
        ("bt_header_dendrite_signature", Some(short), 401),
        ("bt_header_dendrite_signature", Some(no_prefix), 401),
        ("bt_header_dendrite_version", None, 401),
        ("bt_header_dendrite_version", Some("7001999"), 401),
        ("bt_header_dendrite_version", Some("9.12.2"), 401),
        ("bt_header_dendrite_hotkey", None, 401),
        ("bt_header_dendrite_uuid", None, 401),
        ("bt_header_dendrite_uuid", Some(""), 400),
        ("bt_header_dendrite_uuid", Some("a.b"), 400),
        ("bt_header_dendrite_nonce", None, 401),
        ("bt_header_dendrite_nonce", Some("abc"), 400),
        ("bt_header_dendrite_nonce", Some("+1795351055633786632"), 400),
        ("bt_header_dendrite_nonce", Some("01795351055633786632"), 400),
        ("bt_header_dendrite_nonce", Some("1_795_351_055_633_786"), 400),
        ("bt_header_dendrite_nonce", Some("1795351055633786632.0"), 400),
        ("bt_header_dendrite_nonce", Some("-5"), 400),
        ("bt_header_dendrite_nonce", Some("99999999999999999999"), 400),
        ("computed_body_hash", None, 400),
        ("computed_body_hash", Some("a7ff"), 400),
        ("timeout", Some("abc"), 400),
        ("timeout", Some("nan"), 400),
        ("timeout", Some("inf"), 400),
        ("timeout", Some("0.0"), 400),
        ("timeout", Some("-1"), 400),
        (
            "bt_header_axon_hotkey",
            Some("5FpjvVN9fkYjNvNwzZYxLFNz2UVDmeZ8ZvD47A1dLMnsVgo6"),
            401,
        ),
    ] {
        let fault = with(name, value).unwrap_err();
        assert_eq!(fault.status(), status, "{name} {value:?}: {}", fault.message());
    }
    // What a server has no need of may be missing, and any time-out that a client can mean is taken.
    for name in ["bt_header_axon_hotkey", "name", "header_size", "timeout"] {
        assert!(with(name, None).is_ok(), "{name}");
    }
    for (timeout, secs) in [("1e9", 60.0), ("0.25", 0.25), ("12", 12.0), ("1e-05", 1e-05)] {
        let read = with("timeout", Some(timeout)).unwrap();
        assert_eq!(read.timeout.as_secs_f64(), secs);
    }
    let twice = CallHeaders::read(
        |asked| {
            if asked == "bt_header_dendrite_nonce" {
                Sent::Unclear
            } else {
                find(&right, asked)
            }
        },
        pool(),
    );
    assert_eq!(twice.unwrap_err().status(), 400);
}

/// Every class with a right body, and that body with each thing wrong that can be.
#[test]
fn a_body_is_what_its_class_declares_and_signed_or_refused() {
    let said = |class: Class, body: &str| {
        let body = Body::parse(body.as_bytes())?;
        let texts: Option<Vec<_>> = class
            .signed_fields()
            .iter()
            .map(|name| body.field(name).and_then(python_str))
            .collect();
        let hash = texts.map_or_else(String::new, |texts| hash(texts.iter().map(AsRef::as_ref)));
        body.said(class, &hash).map(|said| said.text("worker").to_owned())
    };
    let right = [
        (
            Class::Register,
            r#"{"action": "register", "worker": "r", "payout_address": ""}"#,
        ),
        (
            Class::GetWork,
            r#"{"action": "get_work", "worker": "r", "x": [1]}"#,
        ),
        (
            Class::SubmitWork,
            r#"{"work": "{}", "action": "submit_work", "worker": "r"}"#,
        ),
        (Class::MinerStatus, r#"{"action": "miner_status", "worker": "r"}"#),
    ];
    for (class, body) in right {
        assert_eq!(said(class, body).unwrap(), "r");
        // One class's call is no other's, though its hash is right.
        for other in Class::ALL
            .into_iter()
            .filter(|other| *other != class && *other != Class::Ping)
        {
            let message = said(other, body).unwrap_err().message().to_owned();
            assert!(
                message.contains("action") || message.contains("missing"),
                "{message}"
            );
        }
        // What is signed by nobody: the hash of nothing, which a class without a declaration has.
        let nothing = hash(std::iter::empty());
        let parsed = Body::parse(body.as_bytes()).unwrap();
        assert_eq!(parsed.said(class, &nothing).unwrap_err().status(), 400);
        for field in class.signed_fields() {
            for (wrong, means) in [
                ("null", "text"),
                ("1", "text"),
                ("true", "text"),
                ("[1]", "text"),
                ("{}", "text"),
            ] {
                let value = format!("\"{field}\": ");
                let (before, after) = body.split_once(&value).unwrap();
                let end = after[1..].find('"').unwrap() + 2;
                let body = format!("{before}{value}{wrong}{}", &after[end..]);
                let fault = said(class, &body).unwrap_err();
                assert_eq!(fault.status(), 400);
                assert!(
                    fault.message().contains(means) && fault.message().contains(field),
                    "{}",
                    fault.message()
                );
            }
        }
    }
    let nothing = hash(std::iter::empty());
    assert!(
        Body::parse(br#"{"a": 1}"#)
            .unwrap()
            .said(Class::Ping, &nothing)
            .is_ok()
    );
    let many = format!(
        "{{{}}}",
        (0..65)
            .map(|n| format!("\"f{n}\": 1"))
            .collect::<Vec<_>>()
            .join(",")
    );
    for malformed in [
        "",
        "[]",
        "null",
        "{",
        r#"{"a": NaN}"#,
        r#"{"a": Infinity}"#,
        r#"{"a": 1, "a": 2}"#,
        &many,
    ] {
        assert_eq!(
            Body::parse(malformed.as_bytes()).unwrap_err().status(),
            400,
            "{malformed}"
        );
    }
    assert_eq!(Body::parse(b"{\"a\": \"\xff\"}").unwrap_err().status(), 400);
    for (dendrite, status) in [("5", 400), (r#"{"hotkey": 5}"#, 400), (r#"{"hotkey": ""}"#, 403)] {
        let body = format!(r#"{{"dendrite": {dendrite}}}"#);
        let fault = Body::parse(body.as_bytes())
            .unwrap()
            .names_nobody_but(pool())
            .unwrap_err();
        assert_eq!(fault.status(), status, "{dendrite}");
    }
}

#[test]
fn the_corpus_is_handled() {
    corpus("synapse_headers")
        .iter()
        .for_each(|bytes| fuzzing::headers(bytes));
    corpus("synapse_body")
        .iter()
        .for_each(|bytes| fuzzing::body(bytes));
}

proptest! {
    #[test]
    fn headers_changed_anew_are_handled(bytes in mutated("synapse_headers")) {
        fuzzing::headers(&bytes);
    }

    #[test]
    fn bodies_changed_anew_are_handled(bytes in mutated("synapse_body")) {
        fuzzing::body(&bytes);
    }
}
