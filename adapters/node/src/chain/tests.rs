//! The chain over scripted nodes: every error, failover, self-test, submission.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use dwarves_domain::address::{AddressFormat, PayoutAddress};
use dwarves_domain::time::Span;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::*;
use crate::rpc::Endpoint;
use crate::rpc::scripted_node::{Act, Seen, nobody, serve};
use dwarves_domain::work::{Algorithm, VersionRolling};
use dwarves_system::clock::SystemClock;

mod around;
mod guard;
mod start;
mod submitting;
mod templates;
mod wallet_node;

use start::*;

const BITCOIN: &str = include_str!("../../../../tests/fixtures/templates/btc-regtest-core31-20tx-h122.json");
const GENESIS: &str = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206";
const ADDRESS: &str = "bcrt1qs758ursh4q9z627kt3pp5yysm78ddny6txaqgw";

fn hash(number: u32) -> String {
    format!("{number:064x}")
}

/// The hash of a made-up block of a branch, which has blocks of its own above `fork_at`.
fn hash_on(branch: u32, fork_at: u32, number: u32) -> String {
    hash(if number > fork_at {
        number + 1_000_000 * branch
    } else {
        number
    })
}

fn template(height: u32) -> Value {
    let mut template: Value = serde_json::from_str(BITCOIN).unwrap();
    template["height"] = height.into();
    template["previousblockhash"] = hash(height - 1).into();
    template["longpollid"] = format!("{}1", hash(height - 1)).into();
    template
}

/// What a scripted node is like now. The test changes it.
#[derive(Clone, Debug)]
struct State {
    height: u32,
    genesis: &'static str,
    /// What it does instead of giving a template, or instead of answering anything.
    work: Option<Act>,
    all: Option<Act>,
    judgement: Value,
    submission: Act,
    header: Act,
    initial_download: bool,
    headers: Option<u32>,
    rules: Value,
    /// The branch that it is on, and the last block that all branches have.
    branch: (u32, u32),
    info: Value,
    deployments: Act,
    /// What it says of the network around it, by the calls that it knows.
    around: Vec<(&'static str, Act)>,
}

impl State {
    fn at(height: u32) -> Self {
        Self {
            height,
            genesis: GENESIS,
            work: None,
            all: None,
            judgement: Value::Null,
            submission: Act::result(&Value::Null),
            header: Act::result(&json!({"confirmations": 1})),
            initial_download: false,
            headers: None,
            rules: json!(["csv", "!segwit", "taproot"]),
            branch: (0, 0),
            info: json!({}),
            deployments: Act::Error(-32601, "Method not found"),
            around: Vec::new(),
        }
    }
}

/// A node whose state the test holds, and what it was asked.
struct Scripted {
    state: watch::Sender<State>,
    url: String,
    calls: mpsc::Receiver<String>,
}

impl Scripted {
    fn new(state: State) -> Self {
        let (state, present) = watch::channel(state);
        let (seen, calls) = mpsc::channel();
        let url = serve(move |call| {
            let _nobody_looks = seen.send(name_of(call));
            answer(call, &present)
        });
        Self { state, url, calls }
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        self.state.send_modify(change);
    }

    /// How often this was called since the last look.
    fn count(&self, name: &str) -> usize {
        self.calls.try_iter().filter(|call| call == name).count()
    }
}

fn name_of(call: &Seen) -> String {
    match (&call.params[0]["mode"], &call.params[0]["longpollid"]) {
        (Value::String(mode), _) => mode.clone(),
        (_, Value::String(_)) => "longpoll".to_owned(),
        _ => call.method.clone(),
    }
}

fn answer(call: &Seen, present: &watch::Receiver<State>) -> Act {
    let state = present.borrow().clone();
    if let Some(act) = state.all {
        return act;
    }
    let proposed = || {
        state.work.clone().unwrap_or_else(|| {
            let mut template = template(state.height + 1);
            template["rules"] = state.rules.clone();
            template["previousblockhash"] = hash_on(state.branch.0, state.branch.1, state.height).into();
            Act::result(&template)
        })
    };
    match name_of(call).as_str() {
        "getblockhash" => match call.params[0]
            .as_u64()
            .and_then(|height| u32::try_from(height).ok())
        {
            Some(0) => Act::result(&json!(state.genesis)),
            Some(height) if height <= state.height => {
                Act::result(&json!(hash_on(state.branch.0, state.branch.1, height)))
            }
            _ => Act::Error(-8, "Block height out of range"),
        },
        "getdeploymentinfo" => state.deployments,
        "getblockchaininfo" => {
            let mut info = json!({
                "chain": "regtest", "blocks": state.height, "headers": state.headers.unwrap_or(state.height),
                "bestblockhash": hash_on(state.branch.0, state.branch.1, state.height),
                "initialblockdownload": state.initial_download, "chainwork": format!("{:064x}", state.height),
            });
            let more = state.info.as_object().unwrap().clone();
            info.as_object_mut().unwrap().extend(more);
            Act::result(&info)
        }
        "getblocktemplate" => proposed(),
        "longpoll" => {
            let known = call.params[0]["longpollid"].as_str().unwrap().to_owned();
            loop {
                let now = present.borrow().clone();
                if let Some(act) = now.all {
                    return act;
                }
                if !known.starts_with(&hash(now.height)) {
                    return now.work.unwrap_or_else(|| Act::result(&template(now.height + 1)));
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        "proposal" => Act::result(&state.judgement),
        "submitblock" => state.submission,
        "getblockheader" => state.header,
        "getnetworkinfo" | "getpeerinfo" | "getchaintips" => around::answer(call, &state.around),
        other => panic!("the chain called {other}"),
    }
}

async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..1_000 {
        if let Some(found) = look().await {
            return found;
        }
        actix_rt::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited too long for {what}");
}

fn tip(height: u32) -> Tip {
    Tip {
        hash: hash(height).parse().unwrap(),
        height,
    }
}

#[actix::test]
async fn a_new_tip_is_told_by_the_long_poll_and_its_template_needs_no_second_call() {
    let node = Scripted::new(State::at(121));
    let chain = chain_of(&[&node.url]);
    assert_eq!(chain.tip_after(None).await, Ok(tip(121)));
    assert_eq!(chain.template().await.unwrap().height, 122);
    assert_eq!(node.count("proposal"), 1, "the pool's own block is judged first");

    let next = chain.tip_after(Some(tip(121).hash));
    node.set(|state| state.height = 122);
    assert_eq!(next.await, Ok(tip(122)));
    let template = chain.template().await.unwrap();
    assert_eq!((template.height, template.previous), (123, tip(122).hash));
    assert_eq!(node.count("proposal"), 0, "the rules are the same");
}

#[actix::test]
async fn polling_finds_a_tip_that_the_long_poll_does_not_tell() {
    let mut state = State::at(121);
    // A node without long polling.
    let mut without = template(122);
    without.as_object_mut().unwrap().remove("longpollid");
    state.work = Some(Act::result(&without));
    let node = Scripted::new(state);
    let chain = chain_of(&[&node.url]);
    assert_eq!(chain.tip_after(None).await, Ok(tip(121)));
    let next = chain.tip_after(Some(tip(121).hash));
    let mut without = template(123);
    without.as_object_mut().unwrap().remove("longpollid");
    node.set(|state| {
        state.height = 122;
        state.work = Some(Act::result(&without));
    });
    assert_eq!(next.await, Ok(tip(122)));
    assert_eq!(node.count("longpoll"), 0);
}

#[actix::test]
async fn every_error_of_a_node_is_told_and_ends_when_the_node_mends() {
    for (act, class) in [
        (Act::Error(-28, "Loading block index..."), "is starting"),
        (Act::Error(-9, "not connected!"), "no connection"),
        (Act::Error(-10, "in initial sync"), "downloading"),
        (
            Act::Error(-1, "TestBlockValidity failed: bad-txns-vin-empty"),
            "bad-txns-vin-empty",
        ),
        (
            Act::Error(-8, "must be called with the segwit rule"),
            "refuses (-8)",
        ),
        (Act::Error(-32601, "Method not found"), "refuses (-32601)"),
        (Act::Raw(401, ""), "refuses the login"),
        (Act::Raw(403, ""), "refuses the login"),
        (Act::Raw(503, "Work queue depth exceeded"), "too many calls"),
        (Act::Raw(502, "<html>"), "no answer"),
        (Act::Raw(200, "{"), "no answer"),
        (Act::HangUp, "no answer"),
        (Act::Result("{\"height\": 5}".to_owned()), "not understood"),
    ] {
        let mut state = State::at(121);
        state.work = Some(act.clone());
        let node = Scripted::new(state);
        let chain = chain_of(&[&node.url]);
        let error = chain.tip_after(None).await.unwrap_err();
        assert!(error.to_string().contains(class), "{act:?}: {error}");
        assert!(!matches!(error, ChainError::Unsound(_)), "{error}");
        let error = chain.template().await.unwrap_err();
        assert!(error.to_string().contains(class), "{act:?}: {error}");
        node.set(|state| state.work = None);
        eventually("work", async || chain.template().await.ok()).await;
        eventually("the tip", async || chain.tip_after(None).await.ok()).await;
    }
}

#[actix::test]
async fn a_node_that_is_not_there_is_unreachable() {
    let chain = chain_of(&[&nobody()]);
    for error in [
        chain.tip_after(None).await.unwrap_err(),
        chain.template().await.unwrap_err(),
        chain.submit(vec![0; 100]).await.unwrap_err(),
        chain.status(tip(1).hash).await.unwrap_err(),
        chain.sync_state().await.unwrap_err(),
    ] {
        assert!(matches!(error, ChainError::Unreachable(_)), "{error}");
    }
}

#[actix::test]
async fn work_that_comes_again_ends_the_trouble_although_the_tip_is_the_same() {
    let node = Scripted::new(State::at(121));
    let chain = chain_of(&[&node.url]);
    assert_eq!(chain.tip_after(None).await, Ok(tip(121)));
    // The long poll is under way and says nothing, and the looks find the same tip.
    actix_rt::time::sleep(Duration::from_millis(1_100)).await;
    node.set(|state| state.work = Some(Act::Error(-9, "not connected!")));
    let error = eventually("the trouble", async || chain.template().await.err()).await;
    assert_eq!(chain.tip_after(None).await, Err(error));
    node.set(|state| state.work = None);
    assert_eq!(chain.template().await.unwrap().height, 122);
    assert_eq!(chain.tip_after(None).await, Ok(tip(121)));
}

#[actix::test]
async fn another_node_takes_over_and_hands_back() {
    let (first, second) = (Scripted::new(State::at(121)), Scripted::new(State::at(121)));
    let chain = chain_of(&[&first.url, &second.url]);
    eventually("both nodes", async || {
        let _template = chain.template().await.ok()?;
        (first.count("longpoll") > 0 || first.count("getblocktemplate") > 0).then_some(())
    })
    .await;
    first.set(|state| state.all = Some(Act::HangUp));
    let next = chain.tip_after(Some(tip(121).hash));
    second.set(|state| state.height = 122);
    assert_eq!(next.await, Ok(tip(122)));
    assert_eq!(chain.template().await.unwrap().height, 123);
    // Far behind, the first is not preferred; level again, it is.
    first.set(|state| {
        state.all = None;
        state.height = 100;
    });
    actix_rt::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(chain.template().await.unwrap().height, 123);
    first.set(|state| state.height = 122);
    second.set(|state| state.all = Some(Act::HangUp));
    eventually("the first node's work", async || {
        chain
            .template()
            .await
            .ok()
            .filter(|template| template.height == 123)
    })
    .await;
}

#[actix::test]
async fn a_node_of_another_chain_gives_no_work() {
    for (genesis, says) in [
        (
            "530827f38f93b43ed12af0b3ad25a288dc02ed74d6d7857862df51fc56c416f9",
            "chain.algorithm = \"scrypt\"",
        ),
        (
            "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
            "chain.payout_address",
        ),
        (
            "00000000000000000000000000000000000000000000000000000000000000ff",
            "none that the pool knows",
        ),
    ] {
        let mut state = State::at(121);
        state.genesis = genesis;
        let chain = chain_of(&[&Scripted::new(state).url]);
        let error = chain.template().await.unwrap_err();
        assert!(matches!(error, ChainError::Unsound(_)), "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
}
