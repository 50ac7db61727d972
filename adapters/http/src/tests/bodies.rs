//! Bodies that are not as they should be, and paths and methods that there are not.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::FromRequest;
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::Method;
use actix_web::test::TestRequest;
use actix_web::web::{self, Bytes};
use dwarves_domain::limits::SharedLimit;
use futures_core::Stream;

use super::fakes::World;
use super::{ask, ask_state, get, in_session, post, signed_post};
use crate::HttpState;
use crate::body;
use crate::problem::Code;

/// What is refused in a body of shares, and at which field.
async fn refuses_at(body: &str, field: Option<&str>) {
    let answer = ask(in_session(post("/v1/work", body))).await;
    answer.refuses(400, "body_invalid", field);
}

#[actix_web::test]
async fn the_field_that_is_wrong_is_named_by_its_path() {
    let good = r#"{"job_id":"j","nonce":1}"#;
    let fourth = |share: &str| format!(r#"{{"shares":[{good},{good},{good},{share}]}}"#);
    for (share, field) in [
        (r#"{"job_id":"j","nonce":-1}"#, "shares[3].nonce"),
        (r#"{"job_id":"j","nonce":4294967296}"#, "shares[3].nonce"),
        (r#"{"job_id":"j","nonce":1.0}"#, "shares[3].nonce"),
        (r#"{"job_id":"j","nonce":"12"}"#, "shares[3].nonce"),
        (r#"{"job_id":"j","nonce":"0000000g"}"#, "shares[3].nonce"),
        (r#"{"job_id":"j","nonce":null}"#, "shares[3].nonce"),
        (r#"{"job_id":"j","nonce":1,"time":"x"}"#, "shares[3].time"),
        (r#"{"job_id":"j","nonce":1,"version":[]}"#, "shares[3].version"),
        (r#"{"job_id":7,"nonce":1}"#, "shares[3].job_id"),
        (r#"{"job_id":"j"}"#, "shares[3].nonce"),
        (r#"{"nonce":1}"#, "shares[3].job_id"),
        (r#"{"job_id":"j","nonce":1,"x":0}"#, "shares[3].x"),
        (r#"{"job_id":"j","nonce":1,"nonce":1}"#, "shares[3].nonce"),
        ("7", "shares[3]"),
    ] {
        refuses_at(&fourth(share), Some(field)).await;
    }
    for (body, field) in [
        (r#"{"shares":{}}"#, "shares"),
        (r#"{"worker":"rig1"}"#, "shares"),
        (r#"{"shares":[],"extra":1}"#, "extra"),
        (r#"{"shares":[],"worker":"a b"}"#, "worker"),
        (r#"{"shares":[],"worker":5}"#, "worker"),
        (r#"{"shares":[],"shares":[]}"#, "shares"),
    ] {
        refuses_at(body, Some(field)).await;
    }
}

#[actix_web::test]
async fn what_is_not_json_is_refused() {
    for body in [
        "",
        "x",
        "[]",
        "null",
        "{\"shares\":[]} x",
        "{\"shares\":[]}{}",
        "\u{feff}{}",
    ] {
        refuses_at(body, None).await;
    }
    refuses_at("{\"shares\":[NaN]}", Some("shares[0]")).await;
    let deep = format!("{{\"shares\":{}", "[".repeat(100_000));
    let answer = ask(in_session(post("/v1/work", &deep))).await;
    assert_eq!(answer.code(), "body_invalid");
    let nested = format!(
        "{{\"actor\":\"a\",\"message\":\"b\",\"x\":{}",
        "[".repeat(100_000)
    );
    let admin = post("/v1/admin/control", &nested).insert_header(("Authorization", "Bearer open-sesame"));
    assert_eq!(ask(admin).await.code(), "body_invalid");
}

#[actix_web::test]
async fn a_long_wrong_field_does_not_come_back_in_full() {
    let body = format!(r#"{{"shares":[],"{}":1}}"#, "x".repeat(100_000));
    let answer = ask(in_session(post("/v1/work", &body))).await;
    assert_eq!(answer.code(), "body_invalid");
    assert!(answer.body.len() < 2_000, "{} bytes", answer.body.len());
}

#[actix_web::test]
async fn a_body_over_the_limit_is_too_large_whether_announced_or_not() {
    let mut world = World::new();
    world.limits.body_bytes = 20;
    let state = world.state();
    let fits = in_session(post("/v1/work", "{\"shares\":[      ]}"));
    assert_eq!(ask_state(state.clone(), fits).await.status, 200);
    let too_long = in_session(post("/v1/work", "{\"shares\":[        ]}"));
    let answer = ask_state(state.clone(), too_long).await;
    answer.refuses(413, "body_too_large", None);
    let announced = in_session(TestRequest::post().uri("/v1/work")).insert_header(("Content-Length", "21"));
    ask_state(state, announced)
        .await
        .refuses(413, "body_too_large", None);
}

/// A body that comes in these pieces and then, if it does not end, never goes on.
struct Pieces {
    left: Vec<Result<Bytes, PayloadError>>,
    ends: bool,
}

impl Stream for Pieces {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.left.is_empty() && !self.ends {
            return Poll::Pending;
        }
        let next = (!self.left.is_empty()).then(|| self.left.remove(0));
        Poll::Ready(next)
    }
}

async fn read(left: Vec<Result<Bytes, PayloadError>>, ends: bool) -> Result<Bytes, Code> {
    let mut world = World::new();
    world.limits.body_bytes = 5;
    world.limits.body_deadline = Duration::from_millis(10);
    read_in(&world.state(), left, ends).await
}

async fn read_in(
    state: &web::Data<HttpState>,
    left: Vec<Result<Bytes, PayloadError>>,
    ends: bool,
) -> Result<Bytes, Code> {
    let (req, _) = TestRequest::post().uri("/v1/work").to_http_parts();
    let mut payload: Payload = Payload::Stream {
        payload: Box::pin(Pieces { left, ends }),
    };
    let payload = web::Payload::from_request(&req, &mut payload).await.unwrap();
    body::read(&req, payload, state)
        .await
        .map_err(|problem| problem.code())
}

#[actix_web::test]
async fn a_body_in_pieces_is_put_together_within_the_limit() {
    let piece = |text: &'static str| Ok(Bytes::from_static(text.as_bytes()));
    let whole = read(vec![piece("ab"), piece(""), piece("cd"), piece("e")], true).await;
    assert_eq!(whole, Ok(Bytes::from_static(b"abcde")));
    let over = read(vec![piece("ab"), piece("cd"), piece("ef")], false).await;
    assert_eq!(over, Err(Code::BodyTooLarge));
    assert_eq!(read(vec![piece("abcdef")], false).await, Err(Code::BodyTooLarge));
    assert_eq!(read(Vec::new(), true).await, Ok(Bytes::new()));
}

#[actix_web::test]
async fn a_body_that_does_not_come_or_breaks_off_is_refused() {
    let piece = || Ok(Bytes::from_static(b"ab"));
    assert_eq!(read(vec![piece()], false).await, Err(Code::BodyTimeout));
    let broken = read(vec![piece(), Err(PayloadError::Incomplete(None))], true).await;
    assert_eq!(broken, Err(Code::BodyInvalid));
}

#[actix_web::test]
async fn a_content_type_may_be_left_out_but_must_be_json() {
    let with_type = |value: &'static str| {
        in_session(post("/v1/work", "{\"shares\":[]}")).insert_header(("Content-Type", value))
    };
    for good in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/vnd.pool+json",
    ] {
        assert_eq!(ask(with_type(good)).await.status, 200, "{good}");
    }
    for bad in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "",
        "json",
        "application/jsonx",
    ] {
        let answer = ask(with_type(bad)).await;
        answer.refuses(415, "unsupported_media_type", Some("content-type"));
    }
    let zipped = in_session(post("/v1/work", "{\"shares\":[]}")).insert_header(("Content-Encoding", "gzip"));
    ask(zipped)
        .await
        .refuses(415, "unsupported_media_type", Some("content-encoding"));
}

#[actix_web::test]
async fn an_empty_body_is_an_empty_object_where_nothing_need_be_said() {
    for path in ["/v1/sessions", "/v1/miners"] {
        assert!(ask(signed_post(path, "")).await.status.is_success(), "{path}");
    }
    let answer = ask(signed_post("/v1/sessions", "{\"worker\":\"a\"}")).await;
    answer.refuses(400, "body_invalid", Some("worker"));
    let answer = ask(signed_post("/v1/miners", "{\"payout\":\"a\"}")).await;
    answer.refuses(400, "body_invalid", Some("payout"));
    let answer = ask(signed_post("/v1/miners", "{\"payout_address\":1}")).await;
    answer.refuses(400, "body_invalid", Some("payout_address"));
}

#[actix_web::test]
async fn paths_and_methods_that_there_are_not_are_refused_by_name() {
    for path in [
        "/v1",
        "/v1/pool/",
        "/v2/pool",
        "/v1/miners//credits",
        "/v1/work/x",
        "/V1/pool",
    ] {
        ask(get(path)).await.refuses(404, "not_found", None);
    }
    for (method, path, allowed) in [
        (Method::DELETE, "/v1/work", "GET, HEAD, POST"),
        (Method::GET, "/v1/sessions", "POST"),
        (Method::POST, "/v1/pool", "GET, HEAD"),
        (Method::PUT, "/", "GET, HEAD, POST"),
        (Method::GET, "/rpc", "POST"),
        (
            Method::POST,
            "/v1/miners/x/notifications",
            "GET, HEAD, PUT, DELETE",
        ),
        (Method::PUT, "/v1/miners/x/notifications/test", "POST"),
        (Method::POST, "/blocks", "GET, HEAD"),
        (Method::DELETE, "/assets/style.css", "GET, HEAD"),
        (Method::PUT, "/rpc/longpoll", "GET, HEAD, POST"),
        (Method::OPTIONS, "/v1/rounds/1", "GET, HEAD"),
        (Method::PUT, "/openapi.json", "GET, HEAD"),
        (Method::from_bytes(b"BREW").unwrap(), "/healthz", "GET, HEAD"),
    ] {
        let answer = ask(TestRequest::default().method(method).uri(path)).await;
        answer.refuses(405, "method_not_allowed", None);
        assert_eq!(answer.header("allow"), Some(allowed), "{path}");
    }
    let head = TestRequest::default().method(Method::HEAD).uri("/v1/pool");
    assert_eq!(ask(head).await.status, 200);
}

#[actix_web::test]
async fn bodies_on_their_way_have_room_for_all_of_them_or_are_refused_unread() {
    let piece = || Ok(Bytes::from_static(b"ab"));
    let mut world = World::new();
    world.limits.bodies_bytes = SharedLimit::unshared(2 * world.limits.body_bytes);
    world.limits.body_deadline = Duration::from_millis(50);
    let state = world.state();
    // None of them says how long it will be. One that is there whole needs no room.
    let stalled = || read_in(&state, vec![piece()], false);
    let (first, second, third, whole) = tokio::join!(
        stalled(),
        stalled(),
        stalled(),
        read_in(&state, vec![piece(), piece()], true)
    );
    assert_eq!([first, second], [Err(Code::BodyTimeout), Err(Code::BodyTimeout)]);
    assert_eq!(third, Err(Code::Busy));
    assert_eq!(whole, Ok(Bytes::from_static(b"abab")));
    assert_eq!(stalled().await, Err(Code::BodyTimeout), "the room came back");
}
