//! What a miner wants to be told: it alone says and sees it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use actix_web::http::Method;
use actix_web::test::TestRequest;
use dwarves_actors::miner_notifier::MinerNotifierPorts;
use dwarves_actors::miner_notifier::messages::{
    ConfirmAddress, NotGranted, SendTest, Subscribe, Subscribed, SubscriptionView, ToldView, Unsubscribe,
};
use dwarves_domain::notices::subscription::Subscription;
use dwarves_domain::notices::wishes::WishError;
use dwarves_domain::time::Span;
use serde_json::{Value, json};

use super::fake_ports::port;
use super::fakes::World;
use super::samples::{NOW, hotkey_of, keypair, token};
use super::{Answer, ask_state, miner};

/// What the notifier was asked.
type Asked = Rc<RefCell<Vec<Subscribe>>>;

fn subscribed(order: &Subscribe) -> Subscribed {
    let changed = Subscription::change(None, order.wishes.clone(), &[], NOW);
    let secrets = changed.new_secrets.iter().map(|name| (name.clone(), [7; 32]));
    Subscribed {
        secrets: secrets.collect::<BTreeMap<_, _>>(),
        view: SubscriptionView {
            subscription: changed.subscription,
            waiting: 2,
        },
    }
}

fn world() -> (World, Asked) {
    let asked = Asked::default();
    let mut world = World::new();
    let (write, read) = (Rc::clone(&asked), Rc::clone(&asked));
    world.ports.notifications = Some(MinerNotifierPorts {
        subscribe: port(move |order: Subscribe| {
            write.borrow_mut().push(order.clone());
            Ok(subscribed(&order))
        }),
        read: port(move |_| {
            let asked = read.borrow();
            asked
                .last()
                .map(|order| subscribed(order).view)
                .ok_or(NotGranted::NothingWanted)
        }),
        unsubscribe: port(|_: Unsubscribe| Ok(())),
        test: port(|order: SendTest| Ok(order.channel.into_iter().collect())),
        confirm: port(|order: ConfirmAddress| match order.code.as_str() {
            "right" => Ok(()),
            "late" => Err(NotGranted::NoCode),
            _ => Err(NotGranted::WrongCode),
        }),
        told: port(|_| ToldView::default()),
    });
    (world, asked)
}

fn path(rest: &str) -> String {
    format!("/v1/miners/{}/notifications{rest}", miner())
}

/// A request with the test miner's session.
fn request(method: Method, path: &str, body: &str) -> TestRequest {
    let session = token(NOW.plus(Span::from_secs(60)));
    TestRequest::default()
        .method(method)
        .uri(path)
        .insert_header(("Authorization", format!("Bearer {session}")))
        .set_payload(body.to_owned())
}

fn body() -> Value {
    json!({
        "channels": [
            {"name": "hook", "kind": "webhook", "url": "https://example.org/secret-path"},
            {"name": "phone", "kind": "ntfy", "url": "https://ntfy.sh/secret-topic", "token": "tk_secret"},
            {"name": "post", "kind": "mail", "address": "me@example.org"},
        ],
        "events": ["worker_offline", "block_found"],
        "quiet_hours": {"from": 22, "until": 7},
        "utc_offset_minutes": 120,
        "digest_hour": 8,
        "offline_after_secs": 600,
    })
}

async fn put(body: &Value) -> Answer {
    let (world, _) = world();
    ask_state(world.state(), request(Method::PUT, &path(""), &body.to_string())).await
}

#[actix_web::test]
async fn wishes_are_set_and_read_and_a_secret_is_shown_once() {
    let (world, asked) = world();
    let state = world.state();
    let put = request(Method::PUT, &path(""), &body().to_string());
    let answer = ask_state(state.clone(), put).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let mut set = answer.json();
    let secret = set["channels"][0]
        .as_object_mut()
        .unwrap()
        .remove("secret")
        .unwrap();
    assert!(secret.as_str().unwrap().starts_with("whsec_"));
    assert_eq!(asked.borrow()[0].wishes.channels.len(), 3);
    let read = ask_state(state.clone(), request(Method::GET, &path(""), "")).await;
    assert_eq!(read.json(), set);
    assert_eq!(
        set,
        json!({
            "hotkey": miner().to_string(),
            "channels": [
                {"name": "hook", "kind": "webhook", "leads_to": "https://example.org/***", "state": "open", "why": null, "since": null},
                {"name": "phone", "kind": "ntfy", "leads_to": "https://ntfy.sh/***", "state": "open", "why": null, "since": null},
                {"name": "post", "kind": "mail", "leads_to": "me@example.org", "state": "unconfirmed", "why": null,
                 "since": "2023-11-14T22:13:20.123Z"},
            ],
            "events": ["block_found", "worker_offline"],
            "quiet_hours": {"from": 22, "until": 7},
            "utc_offset_minutes": 120,
            "digest_hour": 8,
            "offline_after_secs": 600,
            "low_percent": 50,
            "reject_percent": 10,
            "waiting": 2,
            "dropped": 0,
        })
    );
    let text = String::from_utf8(read.body.clone()).unwrap();
    assert!(!text.contains("secret"), "{text}");
    let removed = ask_state(state, request(Method::DELETE, &path(""), "")).await;
    assert_eq!((removed.status.as_u16(), removed.body.len()), (204, 0));
}

#[actix_web::test]
async fn nobody_else_sets_sees_or_tries_what_a_miner_is_told() {
    let (world, asked) = world();
    let state = world.state();
    let other = hotkey_of(&keypair(2));
    for (method, rest, body) in [
        (Method::GET, "", String::new()),
        (Method::PUT, "", body().to_string()),
        (Method::DELETE, "", String::new()),
        (Method::POST, "/test", String::new()),
        (
            Method::POST,
            "/confirm",
            json!({"channel": "post", "code": "right"}).to_string(),
        ),
    ] {
        let of_other = format!("/v1/miners/{other}/notifications{rest}");
        let answer = ask_state(state.clone(), request(method.clone(), &of_other, &body)).await;
        answer.refuses(403, "forbidden", None);
        let unsigned = TestRequest::default()
            .method(method)
            .uri(&path(rest))
            .set_payload(body);
        let answer = ask_state(state.clone(), unsigned).await;
        answer.refuses(401, "signature_missing", Some("x-bittensor-signature"));
    }
    assert!(asked.borrow().is_empty());
}

#[actix_web::test]
async fn where_the_operator_has_not_turned_it_on_it_is_off() {
    let state = World::new().state();
    let answer = ask_state(state, request(Method::GET, &path(""), "")).await;
    answer.refuses(404, "notifications_off", None);
}

#[actix_web::test]
async fn a_wish_that_is_none_is_named_by_its_field() {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut body = body();
        change(&mut body);
        body
    };
    let channel = |field: &'static str, value: Value| {
        with(&move |body: &mut Value| body["channels"][0][field] = value.clone())
    };
    let top = |field: &'static str, value: Value| with(&move |body: &mut Value| body[field] = value.clone());
    for (body, status, code, field) in [
        (
            channel("name", json!("a b")),
            422,
            "notifications_invalid",
            "channels[0].name",
        ),
        (
            channel("kind", json!("pigeon")),
            422,
            "notifications_invalid",
            "channels[0].kind",
        ),
        (
            channel("url", json!("ftp://x")),
            422,
            "notifications_invalid",
            "channels[0].url",
        ),
        (
            channel("url", json!(null)),
            422,
            "notifications_invalid",
            "channels[0].url",
        ),
        (
            channel("token", json!("x")),
            422,
            "notifications_invalid",
            "channels[0].token",
        ),
        (
            channel("address", json!("a@b.c")),
            422,
            "notifications_invalid",
            "channels[0].address",
        ),
        (
            channel("secret", json!("mine")),
            400,
            "body_invalid",
            "channels[0].secret",
        ),
        (
            top("events", json!(["rain"])),
            422,
            "notifications_invalid",
            "events[0]",
        ),
        (
            top("events", json!(["node_lost"])),
            422,
            "notifications_invalid",
            "events[0]",
        ),
        (
            top("quiet_hours", json!({"from": 7, "until": 7})),
            422,
            "notifications_invalid",
            "quiet_hours",
        ),
        (
            top("quiet_hours", json!({"from": 24, "until": 7})),
            422,
            "notifications_invalid",
            "quiet_hours",
        ),
        (
            top("utc_offset_minutes", json!(841)),
            422,
            "notifications_invalid",
            "utc_offset_minutes",
        ),
        (
            top("digest_hour", json!(24)),
            422,
            "notifications_invalid",
            "digest_hour",
        ),
        (top("digest_hour", json!(-1)), 400, "body_invalid", "digest_hour"),
        (
            top("offline_after_secs", json!(0)),
            422,
            "notifications_invalid",
            "offline_after_secs",
        ),
        (
            top("low_percent", json!(100)),
            422,
            "notifications_invalid",
            "low_percent",
        ),
        (
            top("reject_percent", json!(0)),
            422,
            "notifications_invalid",
            "reject_percent",
        ),
        (top("rain", json!(1)), 400, "body_invalid", "rain"),
    ] {
        put(&body).await.refuses(status, code, Some(field));
    }
    put(&json!({}))
        .await
        .refuses(400, "body_invalid", Some("channels"));
}

#[actix_web::test]
async fn every_refusal_has_its_code() {
    for (why, status, code, field) in [
        (
            NotGranted::Wish(WishError::new("channels", "x")),
            422,
            "notifications_invalid",
            Some("channels"),
        ),
        (NotGranted::NothingWanted, 404, "notifications_unknown", None),
        (NotGranted::Full, 503, "busy", None),
        (
            NotGranted::NoChannel,
            422,
            "notifications_invalid",
            Some("channel"),
        ),
        (
            NotGranted::NoOpenChannel,
            422,
            "notifications_invalid",
            Some("channel"),
        ),
        (
            NotGranted::TooMany {
                try_again: Span::from_millis(59_001),
            },
            429,
            "too_many_notifications",
            None,
        ),
        (NotGranted::Busy, 503, "busy", None),
        (NotGranted::Unavailable, 503, "unavailable", None),
    ] {
        let (mut world, _) = world();
        let refusal = why.clone();
        if let Some(ports) = &mut world.ports.notifications {
            ports.test = port(move |_: SendTest| Err(refusal.clone()));
        }
        let answer = ask_state(world.state(), request(Method::POST, &path("/test"), "")).await;
        answer.refuses(status, code, field);
        let waits = answer.header("retry-after");
        match why {
            NotGranted::TooMany { .. } => assert_eq!(waits, Some("60")),
            _ => assert_eq!(waits.is_some(), status == 503),
        }
    }
}

#[actix_web::test]
async fn tests_and_codes_go_to_the_channel_that_is_named() {
    let (world, _) = world();
    let state = world.state();
    let send = |rest: &str, body: Value| {
        ask_state(
            state.clone(),
            request(Method::POST, &path(rest), &body.to_string()),
        )
    };
    let sent = send("/test", json!({"channel": "hook"})).await;
    assert_eq!(sent.json(), json!({"channels": ["hook"]}));
    send("/test", json!({"channel": "a b"}))
        .await
        .refuses(422, "notifications_invalid", Some("channel"));
    let confirmed = send("/confirm", json!({"channel": "post", "code": "right"})).await;
    assert_eq!(confirmed.json(), json!({"channel": "post", "state": "open"}));
    for code in ["wrong", "late", ""] {
        let refused = send("/confirm", json!({"channel": "post", "code": code})).await;
        refused.refuses(422, "code_invalid", Some("code"));
    }
    send("/confirm", json!({"channel": "post"}))
        .await
        .refuses(400, "body_invalid", Some("code"));
}
