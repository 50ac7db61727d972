//! The operator's session in a browser.

use actix_web::http::Method;
use actix_web::test::TestRequest;
use actix_web::web;
use dwarves_actors::handlers::admin::messages::{AdminCaller, Authorize, Control};
use dwarves_domain::operator::{OperatorKey, OperatorSession};
use dwarves_domain::time::Span;
use serde_json::json;

use super::fake_ports::port;
use super::fakes::World;
use super::samples::{ADMIN_TOKEN, NOW};
use super::{Answer, ask_state, get, post};
use crate::HttpState;

const PATH: &str = "/v1/admin/session";

fn delete() -> TestRequest {
    TestRequest::default().method(Method::DELETE).uri(PATH)
}

async fn log_in(state: &web::Data<HttpState>, token: &str) -> Answer {
    let body = json!({ "token": token }).to_string();
    ask_state(state.clone(), post(PATH, &body)).await
}

/// Logs in; gives the cookie and the token of changes.
async fn logged_in(state: &web::Data<HttpState>) -> (String, String) {
    let answer = log_in(state, ADMIN_TOKEN).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let cookie = answer.header("set-cookie").unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    (cookie, answer.json()["csrf"].as_str().unwrap().to_owned())
}

fn control() -> TestRequest {
    post(
        "/v1/admin/control",
        r#"{"actor":"pool_manager","message":"echo"}"#,
    )
}

#[actix_web::test]
async fn the_cookie_opens_what_the_token_opens_and_changes_carry_their_token() {
    let state = World::new().state();
    let (cookie, csrf) = logged_in(&state).await;
    let with = |request: TestRequest| request.insert_header(("Cookie", format!("a=b; {cookie}; c=d")));
    let read = ask_state(state.clone(), with(get(PATH))).await.json();
    assert_eq!((&read["logged_in"], &read["csrf"]), (&json!(true), &json!(csrf)));
    assert_eq!(read["expires_at"], "2023-11-14T23:13:20.123Z");
    for path in ["/v1/admin/audit", "/v1/admin/withholding"] {
        assert_eq!(
            ask_state(state.clone(), with(get(path))).await.status,
            200,
            "{path}"
        );
    }
    let right = with(control()).insert_header(("X-CSRF-Token", csrf.clone()));
    assert_eq!(ask_state(state.clone(), right).await.status, 200);
    let other_csrf = OperatorKey::of_token("other").csrf(&OperatorSession {
        expires_at: NOW.plus(Span::from_secs(3_600)),
        generation: 0,
    });
    for wrong in [None, Some(""), Some("0"), Some(&csrf[..62]), Some(&*other_csrf)] {
        let mut request = with(control());
        if let Some(wrong) = wrong {
            request = request.insert_header(("X-CSRF-Token", wrong));
        }
        let answer = ask_state(state.clone(), request).await;
        answer.refuses(403, "csrf_invalid", Some("x-csrf-token"));
    }
    let twice = with(control())
        .append_header(("X-CSRF-Token", csrf.clone()))
        .append_header(("X-CSRF-Token", csrf));
    ask_state(state, twice)
        .await
        .refuses(403, "csrf_invalid", Some("x-csrf-token"));
}

/// Every place that a browser may say a change comes from.
#[actix_web::test]
async fn a_change_from_another_sites_page_is_refused_whatever_it_carries() {
    let state = World::new().state();
    let (cookie, csrf) = logged_in(&state).await;
    for (headers, refused) in [
        (&[][..], None),
        (&[("sec-fetch-site", "same-origin")], None),
        (&[("sec-fetch-site", "none")], None),
        (&[("sec-fetch-site", "same-site")], Some("sec-fetch-site")),
        (&[("sec-fetch-site", "cross-site")], Some("sec-fetch-site")),
        // A proxy may ask for another host; the browser knows what it asked for.
        (
            &[
                ("sec-fetch-site", "same-origin"),
                ("origin", "https://pool.example"),
                ("host", "127.0.0.1"),
            ],
            None,
        ),
        (
            &[
                ("sec-fetch-site", "cross-site"),
                ("origin", "http://pool.example"),
                ("host", "pool.example"),
            ],
            Some("sec-fetch-site"),
        ),
        (
            &[
                ("origin", "http://pool.example:8080"),
                ("host", "Pool.Example:8080"),
            ],
            None,
        ),
        (
            &[("origin", "http://pool.example"), ("host", "pool.example:8080")],
            Some("origin"),
        ),
        (
            &[("origin", "https://evil.example"), ("host", "pool.example")],
            Some("origin"),
        ),
        (&[("origin", "null"), ("host", "null")], Some("origin")),
        (
            &[("origin", "pool.example"), ("host", "pool.example")],
            Some("origin"),
        ),
        // Nobody but a proxy of the operator's may say for which host it was asked.
        (
            &[
                ("origin", "https://evil.example"),
                ("host", "pool.example"),
                ("x-forwarded-host", "evil.example"),
            ],
            Some("origin"),
        ),
    ] {
        for request in [
            control()
                .insert_header(("Cookie", &*cookie))
                .insert_header(("X-CSRF-Token", &*csrf)),
            post(PATH, &json!({ "token": ADMIN_TOKEN }).to_string()),
        ] {
            let request = headers
                .iter()
                .fold(request, |request, header| request.insert_header(*header));
            let answer = ask_state(state.clone(), request).await;
            match refused {
                None => assert_eq!(answer.status, 200, "{headers:?}: {}", answer.json()),
                Some(field) => answer.refuses(403, "csrf_invalid", Some(field)),
            }
        }
    }
    let behind = control()
        .peer_addr("10.0.0.1:1".parse().unwrap())
        .insert_header(("Cookie", &*cookie))
        .insert_header(("X-CSRF-Token", &*csrf))
        .insert_header(("Origin", "https://pool.example"))
        .insert_header(("Host", "127.0.0.1:8080"))
        .insert_header(("X-Forwarded-Host", "pool.example"));
    assert_eq!(ask_state(state, behind).await.status, 200);
}

#[actix_web::test]
async fn wrong_tokens_and_cookies_open_nothing() {
    let mut world = World::new();
    world.ports.authorize = port(|question: Authorize| question.caller == AdminCaller::Token);
    world.ports.control = port(|_: Control| panic!("nobody may get here"));
    let state = world.state();
    let sealed = |token: &str, secs: u64, generation| {
        OperatorKey::of_token(token).seal(&OperatorSession {
            expires_at: NOW.plus(Span::from_secs(secs)),
            generation,
        })
    };
    let right = sealed(ADMIN_TOKEN, 1, 0);
    for cookie in [
        String::new(),
        "0".repeat(right.len()),
        right[2..].to_owned(),
        sealed("another token", 1, 0),
        sealed(ADMIN_TOKEN, 0, 0),
        sealed(ADMIN_TOKEN, 1, 1),
    ] {
        let with =
            |request: TestRequest| request.insert_header(("Cookie", format!("dwarves_operator={cookie}")));
        for request in [get("/v1/admin/audit"), control()] {
            let answer = ask_state(state.clone(), with(request)).await;
            answer.refuses(401, "signature_missing", Some("x-bittensor-signature"));
        }
        let read = ask_state(state.clone(), with(get(PATH))).await.json();
        assert_eq!(
            read,
            json!({"logged_in": false, "csrf": null, "expires_at": null})
        );
    }
    // A wrong token is not made good by a right cookie.
    let both = get("/v1/admin/audit")
        .insert_header(("Cookie", format!("dwarves_operator={right}")))
        .insert_header(("Authorization", "Bearer wrong"));
    ask_state(state.clone(), both)
        .await
        .refuses(401, "token_invalid", Some("authorization"));
    for _ in 0..3 {
        log_in(&state, "wrong")
            .await
            .refuses(401, "token_invalid", Some("token"));
    }
    let refused = log_in(&state, ADMIN_TOKEN).await;
    refused.refuses(429, "too_many_logins", None);
    assert_eq!(refused.header("retry-after"), Some("120"));
    assert!(refused.header("set-cookie").is_none());
    ask_state(state.clone(), post(PATH, r#"{"token":"x","more":1}"#))
        .await
        .refuses(400, "body_invalid", Some("more"));
    ask_state(state, post(PATH, "{}"))
        .await
        .refuses(400, "body_invalid", Some("token"));
}

#[actix_web::test]
async fn logging_out_ends_every_session_and_needs_the_token_of_changes() {
    let state = World::new().state();
    let (cookie, csrf) = logged_in(&state).await;
    let with = |request: TestRequest| request.insert_header(("Cookie", &*cookie));
    ask_state(state.clone(), with(delete()))
        .await
        .refuses(403, "csrf_invalid", Some("x-csrf-token"));
    assert_eq!(
        ask_state(state.clone(), with(get("/v1/admin/audit")))
            .await
            .status,
        200
    );
    let answer = ask_state(
        state.clone(),
        with(delete()).insert_header(("X-CSRF-Token", csrf)),
    )
    .await;
    assert_eq!(answer.json()["logged_in"], false);
    let gone = answer.header("set-cookie").unwrap();
    assert!(
        gone.starts_with("dwarves_operator=; Path=/; Max-Age=0;"),
        "{gone}"
    );
    let after = ask_state(state.clone(), with(get("/v1/admin/audit"))).await;
    after.refuses(401, "signature_missing", Some("x-bittensor-signature"));
    // Who is not logged in may log out.
    assert_eq!(ask_state(state.clone(), with(delete())).await.status, 200);
    logged_in(&state).await;
}

#[actix_web::test]
async fn the_cookie_goes_over_tls_alone_where_the_request_came_over_it() {
    let body = json!({ "token": ADMIN_TOKEN }).to_string();
    for (peer, proto, secure) in [
        ("192.0.2.1:1", "https", false),
        ("10.0.0.1:1", "http", false),
        ("10.0.0.1:1", "https", true),
    ] {
        let request = post(PATH, &body)
            .peer_addr(peer.parse().unwrap())
            .insert_header(("X-Forwarded-Proto", proto));
        let answer = ask_state(World::new().state(), request).await;
        let cookie = answer.header("set-cookie").unwrap();
        let end = cookie.split_once(';').unwrap().1;
        let expected = " Path=/; Max-Age=3600; HttpOnly; SameSite=Strict";
        let expected = format!("{expected}{}", if secure { "; Secure" } else { "" });
        assert_eq!(end, expected, "{peer} {proto}");
    }
}
