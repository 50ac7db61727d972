//! Watch tokens: who may hand them out, list them and take them back, and what they open.

use actix_web::http::Method;
use actix_web::test::TestRequest;
use actix_web::web;
use dwarves_actors::handlers::admin::messages::{AdminCaller, Authorize};
use serde_json::json;

use super::fake_ports::port;
use super::fake_watches::{ID, row};
use super::fakes::World;
use super::samples::{ADMIN_TOKEN, STRANGER, hotkey_of, keypair};
use super::{Answer, NONCE, Signing, ask_state, get, in_session, miner, with_headers};
use crate::HttpState;

/// Seeds of keys: another miner, and an admin.
const OTHER: u8 = 2;
const ADMIN: u8 = 9;

fn state() -> web::Data<HttpState> {
    let mut world = World::new();
    world.store.watches = vec![row(miner())];
    world.ports.authorize = port(|question: Authorize| match question.caller {
        AdminCaller::Token => true,
        AdminCaller::Hotkey(hotkey) => hotkey == hotkey_of(&keypair(ADMIN)),
    });
    world.state()
}

fn list_path() -> String {
    format!("/v1/miners/{}/watches", miner())
}

fn request(method: &str, path: &str, body: &str) -> TestRequest {
    TestRequest::default()
        .method(Method::from_bytes(method.as_bytes()).unwrap())
        .uri(path)
        .set_payload(body.to_owned())
}

async fn signed(seed: u8, method: &str, path: &str, body: &str) -> Answer {
    let signing = Signing {
        method,
        path,
        body: body.as_bytes(),
        nonce: NONCE,
    };
    let request = with_headers(request(method, path, body), signing.headers_of(seed));
    ask_state(state(), request).await
}

async fn with(header: &str, method: &str, path: &str, body: &str) -> Answer {
    let request = request(method, path, body).insert_header(("Authorization", header));
    ask_state(state(), request).await
}

#[actix_web::test]
async fn a_miner_hands_out_a_token_that_is_shown_once() {
    let body = r#"{"name":"office","expires_in_secs":60}"#;
    let answer = signed(1, "POST", &list_path(), body).await;
    assert_eq!(answer.status, 201, "{}", answer.json());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(
        answer.json(),
        json!({"id": "0505050505050505", "name": "office", "created_at": "2023-11-14T22:13:20.123Z",
               "expires_at": "2023-11-14T22:14:20.123Z", "token": "f00d", "path": "/watch/f00d"})
    );
    for body in ["", "{}", r#"{"name":null,"expires_in_secs":null}"#] {
        let answer = signed(1, "POST", &list_path(), body).await;
        let told = answer.json();
        assert_eq!((&told["name"], &told["expires_at"]), (&json!(""), &json!(null)));
    }
    // Tokens are in no list.
    let list = ask_state(state(), in_session(get(&list_path()))).await;
    assert_eq!(
        list.json(),
        json!({"watches": [{"id": "0505050505050505", "name": "wall", "created_at": "2023-11-14T22:13:20.123Z",
                            "expires_at": "2023-11-14T22:14:20.123Z"}]})
    );
}

#[actix_web::test]
async fn only_the_miner_and_an_operator_order_anything() {
    let one = format!("{}/{ID}", list_path());
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    for (method, path, status) in [("POST", &list_path(), 201), ("DELETE", &one, 200)] {
        for (seed, expected) in [(1, status), (ADMIN, status), (OTHER, 403)] {
            let answer = signed(seed, method, path, "").await;
            assert_eq!(answer.status, expected, "{method} {seed}: {}", answer.json());
        }
        assert_eq!(with(&bearer, method, path, "").await.status, status);
        // Neither a session nor a watch token does: both are read off screens more easily than keys.
        for token in ["Bearer junk", "Watch of-owner"] {
            let refused = with(token, method, path, "").await;
            assert_eq!(refused.status, 401, "{method} {token}");
        }
        let session = ask_state(state(), in_session(request(method, path, ""))).await;
        session.refuses(401, "token_invalid", Some("authorization"));
        let nobody = ask_state(state(), request(method, path, "")).await;
        nobody.refuses(401, "signature_missing", Some("x-bittensor-signature"));
    }
    assert_eq!(signed(1, "GET", &list_path(), "").await.status, 200);
    assert_eq!(signed(ADMIN, "GET", &list_path(), "").await.status, 200);
    assert_eq!(with(&bearer, "GET", &list_path(), "").await.status, 200);
    signed(OTHER, "GET", &list_path(), "")
        .await
        .refuses(403, "forbidden", None);
    with("Watch of-owner", "GET", &list_path(), "")
        .await
        .refuses(403, "forbidden", None);
    with("Watch over", "GET", &list_path(), "")
        .await
        .refuses(401, "watch_invalid", None);
    ask_state(state(), get(&list_path()))
        .await
        .refuses(401, "signature_missing", None);
}

#[actix_web::test]
async fn what_is_wrong_is_named() {
    let long = format!(r#"{{"name":"{}"}}"#, "x".repeat(65));
    for (body, code, status, field) in [
        (r#"{"nam":"x"}"#, "body_invalid", 400, Some("nam")),
        (r#"{"name":7}"#, "body_invalid", 400, Some("name")),
        (r#"{"name":"a\u001b[2J"}"#, "body_invalid", 400, Some("name")),
        (&long, "body_invalid", 400, Some("name")),
        (
            r#"{"expires_in_secs":0}"#,
            "body_invalid",
            400,
            Some("expires_in_secs"),
        ),
        (
            r#"{"expires_in_secs":-1}"#,
            "body_invalid",
            400,
            Some("expires_in_secs"),
        ),
        (
            r#"{"expires_in_secs":316224001}"#,
            "body_invalid",
            400,
            Some("expires_in_secs"),
        ),
        (r#"{"name":"full"}"#, "watches_full", 409, None),
        (r#"{"name":"banned"}"#, "banned", 403, None),
        (r#"{"name":"busy"}"#, "busy", 503, None),
    ] {
        let answer = signed(1, "POST", &list_path(), body).await;
        answer.refuses(status, code, field);
    }
    let banned = with(
        &format!("Bearer {ADMIN_TOKEN}"),
        "POST",
        &list_path(),
        r#"{"name":"banned"}"#,
    )
    .await;
    assert_eq!(banned.status, 201, "an operator may");
    for id in ["0", "0404040404040404", "05050505050505050", "x"] {
        let answer = signed(1, "DELETE", &format!("{}/{id}", list_path()), "").await;
        answer.refuses(404, "watch_unknown", Some("id"));
    }
    let stranger = format!("/v1/miners/{STRANGER}/watches");
    for path in [stranger.clone(), format!("{stranger}/{ID}")] {
        let method = if path.ends_with("watches") {
            "POST"
        } else {
            "DELETE"
        };
        let answer = with(&format!("Bearer {ADMIN_TOKEN}"), method, &path, "").await;
        answer.refuses(404, "miner_unknown", None);
    }
    signed(1, "POST", &format!("{}?x=1", list_path()), "")
        .await
        .refuses(400, "query_invalid", Some("x"));
}

#[actix_web::test]
async fn a_token_says_which_miner_it_shows() {
    let answer = ask_state(state(), get("/v1/watch/of-owner")).await;
    assert_eq!(
        answer.json(),
        json!({"hotkey": miner().to_string(), "expires_at": "2023-11-14T22:14:20.123Z"})
    );
    for (token, code, status) in [
        ("junk", "watch_unknown", 404),
        ("over", "watch_unknown", 404),
        ("of-nobody", "miner_unknown", 404),
        ("many", "too_many_guesses", 429),
        ("later", "unavailable", 503),
    ] {
        let answer = ask_state(state(), get(&format!("/v1/watch/{token}"))).await;
        answer.refuses(status, code, None);
    }
    let many = ask_state(state(), get("/v1/watch/many")).await;
    assert_eq!(many.header("retry-after"), Some("120"));
}
