//! Who is asking.

use actix_web::test::TestRequest;
use dwarves_domain::hotkey::Hotkey;

use super::samples::{ADMIN_TOKEN, NOW, POOL, token};
use super::{Answer, NONCE, Signing, ask, get, in_session, post, signed_post, with_headers};

const SIGNING: Signing<'static> = Signing {
    method: "POST",
    path: "/v1/sessions",
    body: b"{}",
    nonce: NONCE,
};

/// Asks for a session with these headers.
async fn open(headers: Vec<(&'static str, String)>) -> Answer {
    ask(with_headers(post("/v1/sessions", "{}"), headers)).await
}

/// A good signature's headers, with one replaced; an empty text takes it away.
fn with(name: &'static str, value: &str) -> Vec<(&'static str, String)> {
    let mut headers = SIGNING.headers();
    headers.retain(|(header, _)| *header != name);
    if !value.is_empty() {
        headers.push((name, value.to_owned()));
    }
    headers
}

#[actix_web::test]
async fn a_signature_over_method_path_query_and_body_opens_a_session() {
    let answer = open(SIGNING.headers()).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.json()["expires_at"], "2023-11-14T22:14:20.123Z");

    let token = answer.json()["token"].as_str().unwrap().to_owned();
    let request = get("/v1/work?worker=rig1").insert_header(("Authorization", format!("bearer {token}")));
    assert_eq!(ask(request).await.status, 200);
}

#[actix_web::test]
async fn a_session_route_takes_a_signature_too_and_its_query_is_signed_as_sent() {
    for path in ["/v1/work?worker=rig%2D1", "/v1/work", "/v1/work?"] {
        let signing = Signing {
            method: "GET",
            path,
            body: b"",
            nonce: NONCE,
        };
        assert_eq!(
            ask(with_headers(get(path), signing.headers())).await.status,
            200,
            "{path}"
        );
    }
    let signing = Signing {
        method: "GET",
        path: "/v1/work?worker=rig1",
        body: b"",
        nonce: NONCE,
    };
    let other_path = ask(with_headers(get("/v1/work?worker=rig2"), signing.headers())).await;
    other_path.refuses(401, "signature_invalid", Some("x-bittensor-signature"));
}

#[actix_web::test]
async fn what_was_not_signed_as_sent_is_refused() {
    let other_body = ask(with_headers(post("/v1/sessions", "{} "), SIGNING.headers())).await;
    other_body.refuses(401, "signature_invalid", Some("x-bittensor-signature"));
    let signing = Signing {
        method: "PUT",
        ..SIGNING
    };
    let other_method = open(signing.headers()).await;
    other_method.refuses(401, "signature_invalid", Some("x-bittensor-signature"));
}

#[actix_web::test]
async fn every_header_that_is_missing_or_malformed_is_named() {
    open(with("X-Bittensor-Signature", "")).await.refuses(
        401,
        "signature_missing",
        Some("x-bittensor-signature"),
    );
    let long_nonce = "1".repeat(21);
    let alice_typo = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQZ";
    let polkadot = "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5";
    for (name, value) in [
        ("X-Bittensor-Version", ""),
        ("X-Bittensor-Version", "2"),
        ("X-Bittensor-Version", "1.0"),
        ("X-Bittensor-Hotkey", ""),
        ("X-Bittensor-Hotkey", alice_typo),
        ("X-Bittensor-Hotkey", polkadot),
        ("X-Bittensor-Nonce", ""),
        ("X-Bittensor-Nonce", "+1700000000000000000"),
        ("X-Bittensor-Nonce", "-1"),
        ("X-Bittensor-Nonce", "01700000000000000000"),
        ("X-Bittensor-Nonce", "1_700"),
        ("X-Bittensor-Nonce", "18446744073709551616"),
        ("X-Bittensor-Nonce", &long_nonce),
        ("X-Bittensor-Crypto", "ecdsa"),
        ("X-Bittensor-Signature", "0x00"),
        ("X-Bittensor-Signature", &"0".repeat(130)),
        ("X-Bittensor-Signature", &format!("0X{}", "0".repeat(128))),
        ("X-Bittensor-Signature", &format!("0x{}", "g".repeat(128))),
    ] {
        let answer = open(with(name, value)).await;
        answer.refuses(401, "auth_malformed", Some(&name.to_lowercase()));
    }
    let checksum = open(with("X-Bittensor-Hotkey", alice_typo)).await;
    assert!(checksum.json()["detail"].as_str().unwrap().contains("checksum"));
    let prefix = open(with("X-Bittensor-Hotkey", polkadot)).await;
    assert!(prefix.json()["detail"].as_str().unwrap().contains("prefix"));
}

#[actix_web::test]
async fn a_repeated_header_is_malformed() {
    for name in [
        "X-Bittensor-Signature",
        "X-Bittensor-Nonce",
        "X-Bittensor-Receiver",
        "X-Bittensor-Hotkey",
    ] {
        let mut headers = SIGNING.headers();
        let (_, value) = headers
            .iter()
            .find(|(header, _)| *header == name)
            .unwrap()
            .clone();
        headers.push((name, value));
        open(headers)
            .await
            .refuses(401, "auth_malformed", Some(&name.to_lowercase()));
    }
}

#[actix_web::test]
async fn upper_case_hex_and_a_named_scheme_are_fine() {
    let mut headers = SIGNING.headers();
    let signature = headers.last_mut().unwrap();
    signature.1 = format!("0x{}", signature.1[2..].to_uppercase());
    headers.push(("X-Bittensor-Crypto", "sr25519".to_owned()));
    assert_eq!(open(headers).await.status, 201);
}

#[actix_web::test]
async fn a_missing_or_other_receiver_is_wrong() {
    let other = Hotkey::from_bytes([8; 32]).to_string();
    for receiver in ["", "not-a-hotkey", &other] {
        let answer = open(with("X-Bittensor-Receiver", receiver)).await;
        answer.refuses(401, "wrong_receiver", Some("x-bittensor-receiver"));
        assert!(
            answer.json()["detail"]
                .as_str()
                .unwrap()
                .contains(&POOL.to_string())
        );
    }
}

#[actix_web::test]
async fn what_the_handler_says_of_a_signature_reaches_the_client() {
    for (nonce, status, code, field) in [
        (1, 401, "stale_request", Some("x-bittensor-nonce")),
        (2, 401, "replayed", Some("x-bittensor-nonce")),
        (3, 503, "busy", None),
        (4, 503, "unavailable", None),
        (5, 401, "wrong_receiver", Some("x-bittensor-receiver")),
    ] {
        let answer = open(Signing { nonce, ..SIGNING }.headers()).await;
        answer.refuses(status, code, field);
    }
}

#[actix_web::test]
async fn a_session_token_does_not_do_where_a_signature_is_needed() {
    for path in ["/v1/sessions", "/v1/miners"] {
        let answer = ask(in_session(post(path, "{}"))).await;
        answer.refuses(401, "signature_missing", Some("x-bittensor-signature"));
    }
}

#[actix_web::test]
async fn a_session_is_good_until_it_expires_and_only_if_it_is_one() {
    let bearer = |token: &str| get("/v1/work").insert_header(("Authorization", format!("Bearer {token}")));
    ask(bearer(&token(NOW)))
        .await
        .refuses(401, "session_expired", Some("authorization"));
    for wrong in ["", "abc", &"0".repeat(112), ADMIN_TOKEN] {
        ask(bearer(wrong))
            .await
            .refuses(401, "session_invalid", Some("authorization"));
    }
    ask(get("/v1/work"))
        .await
        .refuses(401, "signature_missing", Some("x-bittensor-signature"));
}

#[actix_web::test]
async fn a_proxys_own_authorization_does_not_hide_a_signature() {
    let request = signed_post("/v1/work", "{\"shares\":[]}").insert_header(("Authorization", "Basic dTpw"));
    assert_eq!(ask(request).await.status, 200);
    let twice: TestRequest = in_session(get("/v1/work")).append_header(("Authorization", "Bearer x"));
    ask(twice)
        .await
        .refuses(401, "auth_malformed", Some("authorization"));
}
