//! The client against a scripted node.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::CALLS_MAX;
use super::scripted_node::{Act, Seen, nobody, serve};
use super::*;

fn client(url: &str) -> RpcClient {
    RpcClient::start(Endpoint::new(url, None).unwrap(), "rpc-test").unwrap()
}

fn scripted(script: impl Fn(&Seen) -> Act + Send + Sync + 'static) -> RpcClient {
    client(&serve(script))
}

async fn fails(act: Act) -> RpcError {
    let client = scripted(move |_| act.clone()).with_timeout(Duration::from_millis(300));
    client
        .call::<Value>("getblockcount", json!([]))
        .await
        .unwrap_err()
}

#[actix::test]
async fn a_call_carries_method_params_wallet_and_login() {
    let url = serve(|seen| {
        let login = BASE64_STANDARD
            .decode(seen.authorization.strip_prefix("Basic ").unwrap())
            .unwrap();
        let login = String::from_utf8(login).unwrap();
        Act::result(&json!([seen.method, seen.params, seen.path, login]))
    });
    let client = client(&url.replace("http://", "http://pool:secret@"));
    let answer: Value = client.call("getblockhash", json!([7])).await.unwrap();
    assert_eq!(answer, json!(["getblockhash", [7], "/", "pool:secret"]));
    let wallet = client.with_wallet("my pool");
    let answer: Value = wallet.call("getbalances", json!([])).await.unwrap();
    assert_eq!(
        answer,
        json!(["getbalances", [], "/wallet/my%20pool", "pool:secret"])
    );
    assert!(!format!("{wallet:?} {}", wallet.address()).contains("secret"));
}

#[actix::test]
async fn amounts_keep_every_digit() {
    #[derive(Deserialize)]
    struct Balances {
        trusted: CoinAmount,
        immature: CoinAmount,
    }
    let client = scripted(|_| Act::Result(r#"{"trusted": 20999999.97690001, "immature": 0.1}"#.to_owned()));
    let balances: Balances = client.call("getbalances", json!([])).await.unwrap();
    assert_eq!(balances.trusted.sats(), 2_099_999_997_690_001);
    assert_eq!(balances.immature.sats(), 10_000_000);
}

#[actix::test]
async fn each_error_of_a_node_has_its_class() {
    for (code, trouble) in [
        (-4, WalletTrouble::Other),
        (-6, WalletTrouble::Funds),
        (-13, WalletTrouble::Locked),
        (-18, WalletTrouble::NotLoaded),
        (-19, WalletTrouble::NotNamed),
    ] {
        let error = fails(Act::Error(code, "no")).await;
        assert_eq!(
            (error.code(), error.is_unknown(), error.is_answer()),
            (Some(code), false, true)
        );
        let message = "no".to_owned();
        assert_eq!(error, RpcError::Wallet { trouble, message });
    }
    let said = || "Loading".to_owned();
    assert_eq!(
        fails(Act::Error(-28, "Loading")).await,
        RpcError::WarmingUp(said())
    );
    assert_eq!(
        fails(Act::Error(-9, "Loading")).await,
        RpcError::NotConnected(said())
    );
    assert_eq!(
        fails(Act::Error(-10, "Loading")).await,
        RpcError::InitialDownload(said())
    );
    let message = "Block not found".to_owned();
    assert_eq!(
        fails(Act::Error(-5, "Block not found")).await,
        RpcError::Refused { code: -5, message }
    );
    let unknown_method = r#"{"result":null,"error":{"code":-32601,"message":"Method not found"},"id":1}"#;
    assert_eq!(fails(Act::Raw(404, unknown_method)).await.code(), Some(-32601));
    // The style of JSON-RPC 2.0: status 200, no result.
    let error = fails(Act::Raw(
        200,
        r#"{"jsonrpc":"2.0","error":{"code":-9,"message":"x"},"id":1}"#,
    ))
    .await;
    assert_eq!(error.code(), Some(-9));
}

#[actix::test]
async fn what_may_have_been_carried_out_is_unknown_and_the_rest_is_not() {
    for act in [
        Act::HangUp,
        Act::Stall(Duration::from_secs(3)),
        Act::Raw(200, "not json"),
        Act::Raw(502, "<html>Bad gateway</html>"),
        Act::Raw(200, ""),
        Act::Raw(200, r#"{"result":7,"error":"text"}"#),
    ] {
        let error = fails(act.clone()).await;
        assert!(error.is_unknown() && !error.is_answer(), "{act:?}: {error}");
    }
    let odd: Result<u32, _> = scripted(|_| Act::Result("\"seven\"".to_owned()))
        .call("x", json!([]))
        .await;
    assert!(odd.unwrap_err().is_unknown());

    let refused = client(&nobody()).call::<Value>("x", json!([])).await.unwrap_err();
    assert!(matches!(refused, RpcError::Unreachable(_)), "{refused}");
    let overloaded = fails(Act::Raw(503, "Work queue depth exceeded")).await;
    assert_eq!(overloaded, RpcError::Busy("Work queue depth exceeded".to_owned()));
    for status in [401, 403] {
        let error = fails(Act::Raw(status, "")).await;
        assert!(
            matches!(error, RpcError::Unauthorized(_)) && !error.is_unknown(),
            "{error}"
        );
    }
}

#[actix::test]
async fn what_a_node_says_is_cut_and_cleaned() {
    let error = fails(Act::Error(-5, "a\nb\u{1b}[2J")).await;
    assert_eq!(error.to_string(), "the node refuses (-5): a b [2J");
    let long: &'static str = "x".repeat(100_000).leak();
    assert!(fails(Act::Error(-5, long)).await.to_string().len() < 400);
}

#[actix::test]
async fn a_new_cookie_is_read_when_the_old_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(".cookie");
    let calls = Arc::new(AtomicUsize::new(0));
    let (count, cookie) = (Arc::clone(&calls), file.clone());
    // The node knows one secret: what the file holds now. It writes another one before the third call.
    let url = serve(move |seen| {
        if count.fetch_add(1, Ordering::SeqCst) == 1 {
            std::fs::write(&cookie, "__cookie__:two").unwrap();
        }
        let right = format!(
            "Basic {}",
            BASE64_STANDARD.encode(std::fs::read(&cookie).unwrap())
        );
        if seen.authorization == right {
            Act::result(&json!("in"))
        } else {
            Act::Raw(401, "")
        }
    });
    let client = RpcClient::start(Endpoint::new(&url, Some(&file)).unwrap(), "rpc-test").unwrap();
    let missing = client.call::<String>("x", json!([])).await.unwrap_err();
    assert!(matches!(missing, RpcError::Unauthorized(_)), "{missing}");
    std::fs::write(&file, "__cookie__:one").unwrap();
    assert_eq!(client.call::<String>("x", json!([])).await.unwrap(), "in");
    assert_eq!(client.call::<String>("x", json!([])).await.unwrap(), "in");
    // One call, then one that was refused and made again.
    assert_eq!(calls.load(Ordering::SeqCst), 3);
}

#[actix::test]
async fn a_wrong_password_is_asked_for_once() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let url = serve(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Act::Raw(401, "")
    });
    let error = client(&url.replace("http://", "http://a:b@"))
        .call::<Value>("x", json!([]))
        .await;
    assert!(matches!(error, Err(RpcError::Unauthorized(_))));
    // A node answers wrong passwords slowly and on purpose: one try a call, no more.
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[actix::test]
async fn a_full_queue_refuses_and_abandoned_calls_are_not_made() {
    let open = Arc::new(AtomicBool::new(false));
    let calls = Arc::new(AtomicUsize::new(0));
    let (gate, count) = (Arc::clone(&open), Arc::clone(&calls));
    let client = scripted(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        while !gate.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        Act::Result("1".to_owned())
    });
    let ask = |client: &RpcClient| {
        let client = client.clone();
        actix_rt::spawn(async move { client.call::<u32>("x", json!([])).await })
    };
    let first = ask(&client);
    while calls.load(Ordering::SeqCst) == 0 {
        actix_rt::time::sleep(Duration::from_millis(1)).await;
    }
    let waiting: Vec<_> = (0..CALLS_MAX).map(|_| ask(&client)).collect();
    // A runtime polls some dozens of new tasks a turn.
    actix_rt::time::sleep(Duration::from_millis(20)).await;
    let refused = client.call::<u32>("x", json!([])).await;
    assert!(matches!(refused, Err(RpcError::Busy(_))), "{refused:?}");

    waiting.iter().for_each(actix_rt::task::JoinHandle::abort);
    actix_rt::time::sleep(Duration::from_millis(20)).await;
    open.store(true, Ordering::SeqCst);
    assert_eq!(first.await.unwrap(), Ok(1));
    while client.call::<u32>("x", json!([])).await.is_err() {
        actix_rt::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(
        calls.load(Ordering::SeqCst),
        2,
        "the first and the last call alone were made"
    );
}

/// One reading or two: an answer means the same, and nothing of a longer one before it is left.
#[actix::test]
async fn answers_of_every_form_are_told_apart() {
    let long = format!(
        r#"{{"result": "{}", "error": null, "id": 1}}"#,
        "x".repeat(100_000)
    );
    let long: &'static str = Box::leak(long.into_boxed_str());
    type Expected = fn(&Result<Option<String>, RpcError>) -> bool;
    let table: [(u16, &'static str, Expected); 10] = [
        (200, r#"{"result": "a", "error": null, "id": 1}"#, |answer| {
            *answer == Ok(Some("a".to_owned()))
        }),
        (200, r#"{"jsonrpc": "2.0", "result": "a"}"#, |answer| {
            *answer == Ok(Some("a".to_owned()))
        }),
        (200, r#"{"result": null, "error": null}"#, |answer| {
            *answer == Ok(None)
        }),
        (200, r#"{"error": null}"#, |answer| *answer == Ok(None)),
        (
            500,
            r#"{"result": null, "error": {"code": -1, "message": "no"}}"#,
            |answer| matches!(answer, Err(RpcError::Refused { code: -1, .. })),
        ),
        (200, r#"{"error": {"code": -1}}"#, |answer| {
            matches!(answer, Err(RpcError::Refused { code: -1, .. }))
        }),
        (200, r#"{"result": "a", "error": {"code": -1}}"#, |answer| {
            matches!(answer, Err(RpcError::Refused { code: -1, .. }))
        }),
        (500, r#"{"result": 7, "error": {"code": -1}}"#, |answer| {
            matches!(answer, Err(RpcError::Refused { code: -1, .. }))
        }),
        (
            200,
            r#"{"result": 7, "error": null}"#,
            |answer| matches!(answer, Err(RpcError::Unknown(why)) if why.starts_with("its result is not understood")),
        ),
        (
            200,
            r#"{"result": "a", "error": null"#,
            |answer| matches!(answer, Err(RpcError::Unknown(why)) if why.contains("without JSON-RPC")),
        ),
    ];
    let calls = AtomicUsize::new(0);
    let client = scripted(move |_| {
        let call = calls.fetch_add(1, Ordering::SeqCst);
        let (status, body, _) = table[call / 2 % table.len()];
        if call.is_multiple_of(2) {
            Act::Raw(200, long)
        } else {
            Act::Raw(status, body)
        }
    });
    for (_, body, is_expected) in table {
        let before: String = client.call("x", json!([])).await.unwrap();
        assert_eq!(before.len(), 100_000);
        let answer = client.call("x", json!([])).await;
        assert!(is_expected(&answer), "{body}: {answer:?}");
    }
}
