//! The routes, asked over an in-process App with fake actors behind the ports.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use actix_web::body::{BodySize, BoxBody, MessageBody, to_bytes};
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap};
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, web};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::signature::{KeyType, SignedRequest};
use dwarves_domain::time::Span;
use serde_json::Value;

use self::fakes::World;
use self::samples::{NOW, POOL, hotkey_of, keypair, token};
use super::{HttpState, configure};

mod admin;
mod auth;
mod batches;
mod bodies;
mod csv;
mod details;
mod document;
mod earnings;
mod epochs;
mod events;
mod fake_ports;
mod fake_watches;
mod fakes;
mod history;
mod hostile;
mod json_rpc;
mod miners;
mod notifications;
mod operator;
mod pages;
mod payouts;
mod pool;
mod privacy;
mod samples;
mod server;
mod store;
mod watches;
mod work;

/// The hashrates of a pool without history.
fn no_hashrates() -> Value {
    no_hashrates_over([620, 3_620, 87_200])
}

/// The same of what began later.
fn no_hashrates_over(secs: [u64; 3]) -> Value {
    let none = |(window, over)| serde_json::json!({"window_secs": window, "over_secs": over, "hashrate": 0.0, "error": null});
    let windows = [600, 3_600, 86_400].into_iter().zip(secs);
    windows.map(none).collect()
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Checks that this is a refusal in its full form, and gives its code.
    pub(crate) fn code(&self) -> String {
        let problem = self.json();
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(problem["status"], self.status.as_u16());
        let code = problem["code"].as_str().unwrap();
        assert_eq!(problem["type"], format!("urn:dwarves:problem:{code}"));
        assert!(!problem["title"].as_str().unwrap().is_empty());
        assert!(!problem["detail"].as_str().unwrap().is_empty());
        let unauthorized = self.status == StatusCode::UNAUTHORIZED;
        assert_eq!(self.header("www-authenticate").is_some(), unauthorized);
        let passes = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&self.status);
        assert_eq!(self.header("retry-after").is_some(), passes);
        code.to_owned()
    }

    /// Checks that this is a refusal with this code for this field.
    #[track_caller]
    pub(crate) fn refuses(&self, status: u16, code: &str, field: Option<&str>) {
        assert_eq!(self.code(), code, "{}", self.json());
        assert_eq!(self.status.as_u16(), status);
        assert_eq!(self.json()["field"].as_str(), field, "{}", self.json());
    }
}

/// Asks an App that has this state.
pub(crate) async fn ask_state(state: web::Data<HttpState>, request: TestRequest) -> Answer {
    let app = init_service(App::new().app_data(state).configure(configure)).await;
    let response = call_service(&app, request.to_request()).await;
    let status = response.status();
    let headers = response.headers().clone();
    let body = match response.response().body().size() {
        BodySize::Stream => begin(response.into_body()).await,
        _ => to_bytes(response.into_body()).await.unwrap().to_vec(),
    };
    Answer {
        status,
        headers,
        body,
    }
}

/// What a body without end begins with.
async fn begin(body: BoxBody) -> Vec<u8> {
    let mut body = pin!(body);
    let mut begun = Vec::new();
    poll_fn(|cx| {
        while let Poll::Ready(Some(piece)) = body.as_mut().poll_next(cx) {
            begun.extend_from_slice(&piece.unwrap());
        }
        Poll::Ready(())
    })
    .await;
    begun
}

/// Asks an App in whose world everything is in good order.
pub(crate) async fn ask(request: TestRequest) -> Answer {
    ask_state(World::new().state(), request).await
}

/// What a test signs; change a field to sign something wrong.
#[derive(Clone, Copy)]
pub(crate) struct Signing<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) nonce: u64,
}

impl Signing<'_> {
    /// The headers as Bittensor's client sends them.
    pub(crate) fn headers(self) -> Vec<(&'static str, String)> {
        self.headers_of(1)
    }

    /// The same of the miner whose key has this seed.
    pub(crate) fn headers_of(self, seed: u8) -> Vec<(&'static str, String)> {
        let keypair = keypair(seed);
        let sender = hotkey_of(&keypair);
        let payload = SignedRequest {
            scheme: KeyType::Sr25519,
            method: self.method,
            path: self.path,
            body: self.body,
            nonce_nanos: self.nonce,
            sender,
            receiver: POOL,
        }
        .payload();
        let signature = keypair.sign_simple(b"substrate", &payload).to_bytes();
        vec![
            ("X-Bittensor-Version", "1".to_owned()),
            ("X-Bittensor-Hotkey", sender.to_string()),
            ("X-Bittensor-Receiver", POOL.to_string()),
            ("X-Bittensor-Nonce", self.nonce.to_string()),
            ("X-Bittensor-Signature", format!("0x{}", hex::encode(signature))),
        ]
    }
}

pub(crate) const NONCE: u64 = 1_700_000_000_000_000_000;

pub(crate) fn with_headers(mut request: TestRequest, headers: Vec<(&'static str, String)>) -> TestRequest {
    for header in headers {
        request = request.append_header(header);
    }
    request
}

/// A signed POST.
pub(crate) fn signed_post(path: &str, body: &str) -> TestRequest {
    let signing = Signing {
        method: "POST",
        path,
        body: body.as_bytes(),
        nonce: NONCE,
    };
    let request = TestRequest::post().uri(path).set_payload(body.to_owned());
    with_headers(request, signing.headers()).insert_header((CONTENT_TYPE, "application/json"))
}

/// A request that carries a live session token.
pub(crate) fn in_session(request: TestRequest) -> TestRequest {
    let token = token(NOW.plus(Span::from_secs(1)));
    request.insert_header(("Authorization", format!("Bearer {token}")))
}

pub(crate) fn get(path: &str) -> TestRequest {
    TestRequest::get().uri(path)
}

pub(crate) fn post(path: &str, body: &str) -> TestRequest {
    TestRequest::post().uri(path).set_payload(body.to_owned())
}

/// The test miner.
pub(crate) fn miner() -> Hotkey {
    hotkey_of(&keypair(1))
}
