//! Bytes that nobody sends by mistake: never a panic, never a fault of the pool's own, always a problem
//! that says what is wrong.

use actix_web::App;
use actix_web::body::to_bytes;
use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, call_service, init_service};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::json;

use super::fakes::World;
use super::samples::{ADMIN_TOKEN, NOW, job, token};
use super::{Answer, NONCE, Signing, miner};
use crate::configure;
use dwarves_domain::time::Span;

/// A request as a client might send it.
#[derive(Clone, Debug)]
struct Sent {
    method: Method,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

/// Requests that the routes take, with every way of saying who is asking.
fn valid() -> Vec<Sent> {
    let share = format!(
        r#"{{"worker":"rig1","shares":[{{"job_id":"{}","nonce":7,"time":8}}]}}"#,
        job().id()
    );
    let control = r#"{"actor":"pool_manager","message":"echo","a":{"b":[1,null]}}"#;
    let miner_path = format!("/v1/miners/{}", miner());
    let work = format!("/v1/work?worker=rig1&longpoll={}", job().id());
    let posts = [
        ("/v1/work", share.as_str()),
        ("/v1/sessions", "{}"),
        ("/v1/miners", r#"{"payout_address":"bcrt1q"}"#),
        ("/v1/admin/control", control),
    ];
    let gets = [
        work.as_str(),
        &miner_path,
        &format!("{miner_path}/credits?limit=5&cursor=1"),
        &format!("{miner_path}/payouts"),
        "/v1/pool",
        "/v1/blocks?limit=5",
        "/v1/rounds?cursor=1",
        "/v1/rounds/1",
        "/v1/admin/audit?limit=1",
        "/healthz",
        "/readyz",
        "/openapi.json",
    ];
    let calls = [
        json!({"method": "getblocktemplate", "params": [{"rules": ["segwit"]}], "id": 0}),
        json!({"method": "submitblock", "params": ["00".repeat(180), {"workid": job().id().to_string()}], "id": 0}),
        json!({"method": "getwork", "params": ["00".repeat(128)], "id": 0}),
    ];
    let user = format!("Basic {}", STANDARD.encode(format!("{}.rig1:x", miner())));
    let calls = calls.map(|call| Sent {
        method: Method::POST,
        path: "/rpc".to_owned(),
        headers: vec![("Authorization".to_owned(), user.clone().into_bytes())],
        body: call.to_string().into_bytes(),
    });
    let posts = posts.map(|(path, body)| (Method::POST, path.to_owned(), body.as_bytes().to_vec()));
    let gets = gets.map(|path| (Method::GET, path.to_owned(), Vec::new()));
    posts
        .into_iter()
        .chain(gets)
        .flat_map(|(method, path, body)| {
            let signing = Signing {
                method: method.as_str(),
                path: &path,
                body: &body,
                nonce: NONCE,
            };
            let signed = signing
                .headers()
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.into_bytes()))
                .collect();
            let bearer =
                |token: &str| vec![("Authorization".to_owned(), format!("Bearer {token}").into_bytes())];
            let ways = [
                signed,
                bearer(&token(NOW.plus(Span::from_secs(9)))),
                bearer(ADMIN_TOKEN),
            ];
            ways.map(|headers| Sent {
                method: method.clone(),
                path: path.clone(),
                headers,
                body: body.clone(),
            })
        })
        .chain(calls)
        .collect()
}

/// A small change to some bytes.
#[derive(Clone, Debug)]
enum Change {
    Flip(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index),
    Cut(prop::sample::Index),
    Repeat,
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Flip(at, with) if !bytes.is_empty() => {
                let at = at.index(bytes.len());
                bytes[at] ^= with;
            }
            Self::Remove(at) if !bytes.is_empty() => {
                bytes.remove(at.index(bytes.len()));
            }
            Self::Insert(at, what) => {
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..at, what.iter().copied());
            }
            Self::Cut(at) => bytes.truncate(at.index(bytes.len() + 1)),
            Self::Repeat => bytes.extend_from_within(..),
            Self::Flip(..) | Self::Remove(_) => {}
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let spice = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..8),
        prop::sample::select(vec![
            "\"",
            "{",
            "[",
            "}",
            ",",
            "null",
            "-1",
            "1e999",
            "\\u0000",
            "\\ud800",
            "%00",
            "%",
            "&",
            "=",
            "?",
            "/",
            "//",
            "..",
            "9999999999999999999999",
            "\u{feff}",
            "\u{0}",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    prop_oneof![
        (any::<prop::sample::Index>(), 1u8..).prop_map(|(at, with)| Change::Flip(at, with)),
        (any::<prop::sample::Index>(), spice).prop_map(|(at, what)| Change::Insert(at, what)),
        any::<prop::sample::Index>().prop_map(Change::Remove),
        any::<prop::sample::Index>().prop_map(Change::Cut),
        Just(Change::Repeat),
    ]
}

/// Where a change hits.
#[derive(Clone, Copy, Debug)]
enum Place {
    Path,
    Header(usize),
    Body,
}

fn mutated() -> impl Strategy<Value = Sent> {
    let place = prop_oneof![
        1 => Just(Place::Path),
        1 => (0usize..5).prop_map(Place::Header),
        3 => Just(Place::Body),
    ];
    (
        prop::sample::select(valid()),
        prop::collection::vec((place, change()), 0..4),
    )
        .prop_map(|(mut sent, changes)| {
            for (place, change) in changes {
                match place {
                    Place::Path => {
                        let mut path = sent.path.into_bytes();
                        change.apply(&mut path);
                        sent.path = String::from_utf8_lossy(&path).into_owned();
                    }
                    Place::Header(at) => {
                        if let Some((_, value)) = sent.headers.get_mut(at) {
                            change.apply(value);
                        }
                    }
                    Place::Body => change.apply(&mut sent.body),
                }
            }
            sent
        })
}

fn random() -> impl Strategy<Value = Sent> {
    (
        prop::sample::select(valid()),
        prop::collection::vec(any::<u8>(), 0..300),
    )
        .prop_map(|(mut sent, body)| {
            sent.body = body;
            sent
        })
}

/// Asks with `sent`; `None` if it is no HTTP request at all, which the server refuses before the routes.
fn request(sent: &Sent) -> Option<TestRequest> {
    use actix_web::http::header::{HeaderName, HeaderValue};
    let uri: actix_web::http::Uri = sent.path.parse().ok()?;
    let mut request = TestRequest::default()
        .method(sent.method.clone())
        .uri(&uri.to_string())
        .set_payload(sent.body.clone());
    for (name, value) in &sent.headers {
        let name: HeaderName = name.parse().ok()?;
        request = request.append_header((name, HeaderValue::from_bytes(value).ok()?));
    }
    Some(request)
}

fn holds(cases: u32, strategy: impl Strategy<Value = Sent>) {
    let system = actix_web::rt::System::new();
    let app = system.block_on(async {
        init_service(App::new().app_data(World::new().state()).configure(configure)).await
    });
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let asked = std::cell::Cell::new(0);
    proptest!(config, |(sent in strategy)| {
        let Some(request) = request(&sent) else {
            return Ok(());
        };
        asked.set(asked.get() + 1);
        let answer = system.block_on(async {
            let response = call_service(&app, request.to_request()).await;
            Answer {
                status: response.status(),
                headers: response.headers().clone(),
                body: to_bytes(response.into_body()).await.unwrap().to_vec(),
            }
        });
        let is_call = sent.method == Method::POST && answer.header("content-type") == Some("application/json");
        if is_call && !answer.status.is_success() {
            // Whatever path the change made of it, it was one of JSON-RPC.
            prop_assert!(answer.json()["error"]["message"].is_string());
            prop_assert!(!answer.status.is_server_error());
        } else if !answer.status.is_success() {
            let code = answer.code();
            prop_assert!(
                !answer.status.is_server_error() || answer.status == StatusCode::SERVICE_UNAVAILABLE,
                "{} {code}", answer.status
            );
        }
    });
    let asked = asked.get();
    assert!(asked > cases / 2, "only {asked} of {cases} were requests at all");
}

#[test]
fn changed_requests_are_answered_or_refused() {
    holds(3_000, mutated());
}

#[test]
fn random_bodies_are_answered_or_refused() {
    holds(1_000, random());
}
