//! Work over JSON-RPC: what miners of that age send, and what makes them do the right thing.

use actix_web::http::StatusCode;
use actix_web::test::TestRequest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bitcoin::hashes::{Hash, sha256d};
use dwarves_actors::miner_manager::messages::Joined;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::time::Span;
use serde_json::{Value, json};

use super::fake_ports::port;
use super::fakes::World;
use super::samples::{STRANGER, job, template};
use super::{Answer, ask, ask_state, miner, post};

const ADDRESS: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

fn as_user(request: TestRequest, user: &str) -> TestRequest {
    let credentials = STANDARD.encode(format!("{user}:x"));
    request.insert_header(("Authorization", format!("Basic {credentials}")))
}

/// A call as minerd sends it: without a version, with its own headers.
fn call(method: &str, params: Value) -> TestRequest {
    let body = json!({"method": method, "params": params, "id": 7}).to_string() + "\r\n";
    let request = post("/rpc", &body).insert_header(("X-Mining-Extensions", "midstate"));
    as_user(request, &format!("{}.rig", miner()))
}

fn result(answer: &Answer) -> Value {
    let json = answer.json();
    assert_eq!(answer.status, StatusCode::OK, "{json}");
    assert_eq!((&json["error"], &json["id"]), (&Value::Null, &json!(7)));
    json["result"].clone()
}

/// Checks that a call came to nothing, and gives the message.
fn failure(answer: &Answer, status: u16, code: i32) -> String {
    let json = answer.json();
    assert_eq!(answer.status.as_u16(), status, "{json}");
    assert_eq!(
        (&json["result"], &json["error"]["code"]),
        (&Value::Null, &json!(code))
    );
    assert_eq!(answer.header("www-authenticate").is_some(), status == 401);
    json["error"]["message"].as_str().unwrap().to_owned()
}

fn bytes(hex_digits: &Value) -> Vec<u8> {
    hex::decode(hex_digits.as_str().unwrap()).unwrap()
}

#[actix_web::test]
async fn a_template_has_a_coinbase_of_its_own_and_what_is_made_of_it_is_the_jobs_header() {
    let params = json!([{"capabilities": ["coinbasetxn", "workid"], "rules": ["segwit"]}]);
    let answer = ask(call("getblocktemplate", params)).await;
    let given = result(&answer);
    let chain = template();
    assert_eq!(given["height"], chain.chain().height);
    assert_eq!(given["target"], job().share_target().to_string());
    assert_eq!(given["workid"], job().id().to_string());
    assert_eq!(given["transactions"], json!([]));
    // libblkmaker takes no version of BIP9's kind without them.
    assert_eq!(
        (&given["vbavailable"], &given["vbrequired"]),
        (&json!({}), &json!(0))
    );
    assert!(
        given["mutable"]
            .as_array()
            .unwrap()
            .contains(&json!("submit/coinbase"))
    );
    // A header, put together as a miner does it. There is one transaction, so its id is the merkle root.
    let number = |name: &str| u32::try_from(given[name].as_u64().unwrap()).unwrap();
    let mut header = number("version").to_le_bytes().to_vec();
    header.extend(bytes(&given["previousblockhash"]).iter().rev());
    header.extend(sha256d::Hash::hash(&bytes(&given["coinbasetxn"]["data"])).to_byte_array());
    header.extend(number("curtime").to_le_bytes());
    header.extend(bytes(&given["bits"]).iter().rev());
    header.extend(0u32.to_le_bytes());
    assert_eq!(header, job().header().as_bytes());
}

#[actix_web::test]
async fn a_long_poll_says_whether_old_work_is_lost() {
    let first = result(&ask(call("getblocktemplate", json!([{}]))).await);
    let known = first["longpollid"].as_str().unwrap();
    let later = |id: &str| call("getblocktemplate", json!([{ "longpollid": id }]));
    let same_tip = result(&ask(later(known)).await);
    assert_eq!(same_tip["submitold"], true);
    let other_tip = format!("{}{}", "0".repeat(64), &known[64..]);
    assert_eq!(result(&ask(later(&other_tip)).await)["submitold"], false);
    let message = failure(&ask(later("0")).await, 400, -32_602);
    assert!(message.contains("params[0].longpollid"), "{message}");
}

#[actix_web::test]
async fn submitted_blocks_are_judged_by_their_header_in_the_words_of_bip22() {
    let state = World::new().state();
    let submit = |nonce: u32, with_id: bool| {
        let header = *job().header();
        let header = header.rolled(header.version(), header.time(), nonce);
        // minerd sends the number of transactions and the coinbase behind it.
        let block = hex::encode(header.as_bytes()) + "01020304";
        let id = json!({"workid": job().id().to_string()});
        let params = if with_id {
            json!([block, id])
        } else {
            json!([block])
        };
        ask_state(state.clone(), call("submitblock", params))
    };
    assert_eq!(result(&submit(9, false).await), "unknown-work");
    assert_eq!(result(&submit(9, true).await), Value::Null);
    result(&ask_state(state.clone(), call("getblocktemplate", json!([{}]))).await);
    for (nonce, word) in [
        (1, json!("stale-work")),
        (2, json!("duplicate")),
        (3, json!("high-hash")),
        (4, json!("unknown-work")),
        (9, Value::Null),
    ] {
        assert_eq!(result(&submit(nonce, false).await), word, "nonce {nonce}");
    }
    for wrong in [
        json!([]),
        json!([7]),
        json!(["00"]),
        json!(["zz".repeat(80)]),
        json!(["ä".repeat(100)]),
    ] {
        failure(
            &ask_state(state.clone(), call("submitblock", wrong)).await,
            400,
            -32_602,
        );
    }
}

#[actix_web::test]
async fn a_bare_header_comes_back_without_a_name_and_is_known() {
    let state = World::new().state();
    let answer = ask_state(state.clone(), call("getwork", json!([]))).await;
    assert_eq!(answer.header("x-long-polling"), Some("/rpc/longpoll"));
    let given = result(&answer);
    let mut target = bytes(&given["target"]);
    target.reverse();
    assert_eq!(target, job().share_target().to_be_bytes());
    let data = given["data"].as_str().unwrap().to_owned();
    // The nonce is the twentieth word, and words are turned: it is written most significant byte first.
    let solved = |nonce: u32| format!("{}{nonce:08x}{}", &data[..152], &data[160..]);
    let submit = |nonce: u32| ask_state(state.clone(), call("getwork", json!([solved(nonce)])));
    let answer = submit(9).await;
    assert_eq!(
        (result(&answer), answer.header("x-reject-reason")),
        (json!(true), None)
    );
    let answer = submit(3).await;
    assert_eq!(result(&answer), false);
    assert_eq!(answer.header("x-reject-reason"), Some("high-hash"));
    let other = format!("{}{}", &data[..80], "00".repeat(88));
    let answer = ask_state(state.clone(), call("getwork", json!([other]))).await;
    assert_eq!(result(&answer), false);
    assert_eq!(answer.header("x-reject-reason"), Some("unknown-work"));
    for wrong in [json!([1]), json!(["00"]), json!([format!("{data}00")])] {
        failure(
            &ask_state(state.clone(), call("getwork", wrong)).await,
            400,
            -32_602,
        );
    }
}

#[actix_web::test]
async fn getwork_waits_on_a_path_of_its_own_with_or_without_a_body() {
    let user = format!("{}.rig", miner());
    let get = as_user(TestRequest::get().uri("/rpc/longpoll"), &user);
    let answer = ask(get).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["result"]["data"].as_str().unwrap().len(), 256);
    let body = r#"{"method":"getwork","params":[],"id":7}"#;
    let answer = ask(as_user(post("/rpc/longpoll", body), &user)).await;
    assert_eq!(result(&answer)["data"].as_str().unwrap().len(), 256);
}

#[actix_web::test]
async fn an_unknown_method_is_an_error_with_status_200_so_that_miners_fall_back() {
    let answer = ask(call("getmininginfo", json!([]))).await;
    let message = failure(&answer, 200, -32_601);
    assert!(message.contains("getmininginfo"), "{message}");
    assert_eq!(answer.json()["id"], 7);
    let proposal = call("getblocktemplate", json!([{"mode": "proposal", "data": "00"}]));
    failure(&ask(proposal).await, 400, -32_602);
}

#[actix_web::test]
async fn callers_are_miners_or_addresses_by_basic_authorization() {
    let body = r#"{"method":"getwork","params":[],"id":7}"#;
    let message = failure(&ask(post("/", body)).await, 401, -1);
    assert!(message.contains("HOTKEY"), "{message}");
    for user in ["", "nobody", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4.rig"] {
        failure(&ask(as_user(post("/", body), user)).await, 401, -1);
    }
    for wrong in ["Basic", "Basic ???", "Bearer x", "Basic /w=="] {
        let request = post("/", body).insert_header(("Authorization", wrong));
        failure(&ask(request).await, 401, -1);
    }
    result(&ask(as_user(post("/", body), &format!("{ADDRESS}.rig"))).await);
    let mut world = World::new();
    world.worker.fetch_work = port(|_| Err(Refusal::MinerUnknown));
    let answer = ask_state(world.state(), as_user(post("/", body), &STRANGER.to_string())).await;
    let message = failure(&answer, 401, -1);
    assert!(message.contains("not registered"), "{message}");
}

#[actix_web::test]
async fn a_new_address_is_told_when_to_try_again_or_what_else_to_do() {
    let body = r#"{"method":"getwork","params":[],"id":7}"#;
    let refused_with = async |reply: Result<Joined, Refusal>| {
        let mut world = World::new();
        world.json_rpc.join = port(move |_| reply.clone());
        ask_state(world.state(), as_user(post("/", body), &format!("{ADDRESS}.rig"))).await
    };
    let try_again = Span::from_millis(90_500);
    let answer = refused_with(Err(Refusal::TooManyNew { try_again })).await;
    let message = failure(&answer, 429, -1);
    assert!(message.ends_with("please try again in 2 minutes"), "{message}");
    assert_eq!(answer.header("retry-after"), Some("91"));
    let message = failure(&refused_with(Err(Refusal::AddressesFull)).await, 403, -1);
    assert!(message.contains("register a hotkey"), "{message}");
}

#[actix_web::test]
async fn what_passes_is_a_status_after_which_miners_ask_again() {
    let mut world = World::new();
    world.worker.fetch_work = port(|_| Err(Refusal::NoWork));
    world.worker.submit = port(|_| Err(Refusal::Paused).into());
    let state = world.state();
    let answer = ask_state(state.clone(), call("getblocktemplate", json!([{}]))).await;
    failure(&answer, 503, -1);
    assert_eq!(answer.header("retry-after"), Some("1"));
    let header = hex::encode(job().header().as_bytes());
    let params = json!([header, {"workid": job().id().to_string()}]);
    failure(
        &ask_state(state, call("submitblock", params.clone())).await,
        503,
        -1,
    );
    let mut world = World::new();
    world.worker.submit = port(|_| {
        Err(Refusal::KeptOut {
            try_again: Span::from_secs(77),
        })
        .into()
    });
    let answer = ask_state(world.state(), call("submitblock", params)).await;
    let message = failure(&answer, 503, -1);
    assert!(message.contains("http.reject_percent"), "{message}");
    assert_eq!(answer.header("retry-after"), Some("77"));
}

#[actix_web::test]
async fn what_is_no_call_is_refused_by_name() {
    let user = format!("{}.rig", miner());
    for (body, code) in [
        ("", -32_700),
        ("{", -32_700),
        ("[]", -32_600),
        ("7", -32_600),
        (r#"{"params":[]}"#, -32_600),
        (r#"{"method":7}"#, -32_600),
        (r#"{"method":"getwork","params":{}}"#, -32_600),
    ] {
        let answer = ask(as_user(post("/", body), &user)).await;
        failure(&answer, 400, code);
    }
}

#[actix_web::test]
async fn miners_are_told_of_stratum_where_it_is_served() {
    let mut world = World::new();
    world.json_rpc.stratum_port = Some(3_333);
    let state = world.state();
    for (host, url) in [
        ("pool.example", Some("stratum+tcp://pool.example:3333")),
        ("pool.example:8080", Some("stratum+tcp://pool.example:3333")),
        ("[::1]:8080", Some("stratum+tcp://[::1]:3333")),
        ("[::1]", Some("stratum+tcp://[::1]:3333")),
        // What is no host is not told on.
        (":8080", None),
        ("a b", None),
        ("a/b@c", None),
        ("[::1", None),
        ("[pool]", None),
    ] {
        let request = call("getwork", json!([]))
            .insert_header(("Host", host))
            .insert_header(("User-Agent", "cpuminer/2.5.1"));
        let answer = ask_state(state.clone(), request).await;
        assert_eq!(answer.header("x-stratum"), url, "{host}");
    }
    let as_agent = |agent: &str| {
        call("getwork", json!([]))
            .insert_header(("Host", "pool.example"))
            .insert_header(("User-Agent", agent))
    };
    // Others do not know the header; one of them crashes on it.
    for agent in [
        "cpuminer-opt-26.1-linux",
        "cpuminer-multi/1.3.7",
        "bfgminer/5.5.0",
        "cgminer 4.11.1",
        "",
    ] {
        let answer = ask_state(state.clone(), as_agent(agent)).await;
        assert_eq!(answer.header("x-stratum"), None, "{agent}");
    }
    assert_eq!(
        ask_state(state, call("getwork", json!([])))
            .await
            .header("x-stratum"),
        None
    );
    // Nobody is sent away from a refusal, and nobody to where nothing is served.
    let mut world = World::new();
    world.json_rpc.stratum_port = Some(3_333);
    world.worker.fetch_work = port(|_| Err(Refusal::NoWork));
    let answer = ask_state(world.state(), as_agent("cpuminer/2.5.1")).await;
    assert_eq!((answer.status.as_u16(), answer.header("x-stratum")), (503, None));
    assert_eq!(ask(as_agent("cpuminer/2.5.1")).await.header("x-stratum"), None);
}
