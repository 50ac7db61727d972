//! Who sees what of a miner, on every way out.

use std::collections::BTreeSet;

use dwarves_domain::privacy::{Privacy, Visibility};
use serde_json::Value;

use self::world::{ADDRESS, EARNED, NAME, OWED, PAID, Who, state, txid};
use super::{Answer, details, miner};
use crate::ENDPOINTS;

mod edges;
mod world;

/// What of a miner an answer of a route has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Has {
    Nothing,
    /// What it is owed, credited or paid, which is refused as a whole.
    MoneyAlone,
    /// The same among other things, or other miners' too.
    Money(&'static str),
    Name(&'static str),
    /// Names alone: refused as a whole.
    NamesAlone,
    MoneyAndNames,
}

/// Every route that reads and is for everybody, what is asked of it, and what of a miner it has.
fn routes() -> Vec<(&'static str, String, Has)> {
    let hotkey = miner();
    let path = |rest: &str| format!("/v1/miners/{hotkey}{rest}");
    let block = format!("/v1/blocks/{}", details::HASH);
    let payout = format!("/v1/payouts/{}", txid());
    let of_miner = "/v1/miners/{hotkey}";
    let mut routes = vec![
        (of_miner, path(""), Has::MoneyAndNames),
        ("/v1/miners/{hotkey}/credits", path("/credits"), Has::MoneyAlone),
        (
            "/v1/miners/{hotkey}/credits",
            path("/credits?format=csv"),
            Has::MoneyAlone,
        ),
        ("/v1/miners/{hotkey}/payouts", path("/payouts"), Has::MoneyAlone),
        (
            "/v1/miners/{hotkey}/payouts",
            path("/payouts?format=csv"),
            Has::MoneyAlone,
        ),
        ("/v1/miners/{hotkey}/earnings", path("/earnings"), Has::MoneyAlone),
        (
            "/v1/miners/{hotkey}/rounds/{id}",
            path("/rounds/3"),
            Has::MoneyAlone,
        ),
        ("/v1/miners/{hotkey}/history", path("/history"), Has::Nothing),
        (
            "/v1/miners/{hotkey}/history",
            path("/history?worker=rig1"),
            Has::NamesAlone,
        ),
        ("/v1/blocks/{hash}", block, Has::Name("worker")),
        (
            "/v1/shares/{sequence}",
            "/v1/shares/7".to_owned(),
            Has::Name("worker"),
        ),
        (
            "/v1/rounds/{id}",
            "/v1/rounds/3".to_owned(),
            Has::Money("credits"),
        ),
        (
            "/v1/rounds/{id}",
            "/v1/rounds/3?format=csv".to_owned(),
            Has::Money("credits"),
        ),
        ("/v1/payouts/{txid}", payout.clone(), Has::Money("parts")),
        (
            "/v1/payouts/{txid}",
            format!("{payout}?format=csv"),
            Has::Money("parts"),
        ),
        ("/v1/events", format!("/v1/events?miner={hotkey}"), Has::Nothing),
    ];
    for path in [
        "/v1/epochs",
        "/v1/pool",
        "/v1/pool/history",
        "/v1/chain",
        "/v1/connect",
        "/v1/blocks",
        "/v1/luck",
        "/v1/payouts",
        "/v1/rounds",
        "/v1/epochs",
        "/metrics",
        "/healthz",
        "/readyz",
        "/openapi.json",
    ] {
        routes.push((path, path.to_owned(), Has::Nothing));
    }
    routes
}

/// Routes of which the table does not speak: they are for the operator alone, or for a miner alone; or they have what was signed
/// for everybody and for ever, which is only done while names are (a pool with statements does not start otherwise); or of
/// evaluated work, whose worker is left out as a miner's names are (`submissions.rs`).
const OTHERS: [&str; 15] = [
    "/v1/miners/{hotkey}/submissions",
    "/v1/miners/{hotkey}/submissions/{id}",
    "/v1/epochs/{id}",
    "/v1/work",
    "/v1/miners/{hotkey}/watches",
    "/v1/miners/{hotkey}/notifications",
    "/v1/watch/{token}",
    "/v1/admin/state",
    "/v1/admin/session",
    "/v1/admin/audit",
    "/v1/admin/withholding",
    "/v1/admin/batches",
    "/v1/admin/batches/{batch}",
    "/v1/admin/batches/{batch}/payouts",
    "/v1/admin/weights",
];

#[test]
fn the_table_speaks_of_every_route_that_reads() {
    let there: BTreeSet<&str> = ENDPOINTS
        .iter()
        .filter(|endpoint| endpoint.method == "get")
        .map(|endpoint| endpoint.path)
        .collect();
    let mut told: BTreeSet<&str> = routes().into_iter().map(|(route, ..)| route).collect();
    told.extend(OTHERS);
    assert_eq!(there, told);
}

/// What of the miner's money an answer has.
fn money_in(answer: &Answer) -> Vec<String> {
    let text = String::from_utf8(answer.body.clone()).unwrap();
    let amounts = [OWED, PAID, EARNED].map(|sats| sats.to_string());
    let secrets = amounts.into_iter().chain([ADDRESS.to_owned()]);
    secrets.filter(|secret| text.contains(secret)).collect()
}

fn names_in(answer: &Answer) -> bool {
    String::from_utf8(answer.body.clone()).unwrap().contains(NAME)
}

fn hidden_in(answer: &Answer) -> BTreeSet<String> {
    if answer
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("text/csv"))
    {
        let hidden = answer.header("x-hidden").unwrap_or_default();
        return hidden
            .split(", ")
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
    }
    serde_json::from_slice::<Value>(&answer.body)
        .ok()
        .and_then(|body| {
            let names = body["hidden"].as_array()?.iter();
            Some(
                names
                    .filter_map(|name| name.as_str().map(str::to_owned))
                    .collect(),
            )
        })
        .unwrap_or_default()
}

fn check(who: Who, privacy: Privacy, path: &str, has: Has, answer: &Answer) {
    let what = format!("{who:?} {privacy:?} {path}");
    let sees_money = who.sees() || privacy.balances == Visibility::Public;
    let sees_names = who.sees() || privacy.worker_names == Visibility::Public;
    let hidden = hidden_in(answer);
    if !sees_money {
        assert!(money_in(answer).is_empty(), "{what}: {:?}", money_in(answer));
    }
    if !sees_names {
        assert!(!names_in(answer), "{what}");
    }
    let is_refused = match has {
        Has::MoneyAlone => !sees_money,
        Has::NamesAlone => !sees_names,
        _ => false,
    };
    if is_refused {
        answer.refuses(403, "hidden", (has == Has::NamesAlone).then_some("worker"));
        return;
    }
    assert_eq!(
        answer.status,
        200,
        "{what}: {}",
        String::from_utf8_lossy(&answer.body)
    );
    match has {
        // A miner that reckons its amount again is not told those of others.
        Has::MoneyAlone if path.contains("/rounds/") => {
            let is_whole = who.is_operator() || privacy.balances == Visibility::Public;
            assert_eq!(hidden.is_empty(), is_whole, "{what}: {hidden:?}");
        }
        Has::Nothing | Has::MoneyAlone | Has::NamesAlone => {
            assert!(hidden.is_empty(), "{what}: {hidden:?}");
        }
        // Others have parts, too, which the owner does not see.
        Has::Money("parts") => {
            let sees_all = who.is_operator() || privacy.balances == Visibility::Public;
            assert_eq!(hidden.contains("parts"), !sees_all, "{what}");
            let text = String::from_utf8_lossy(&answer.body);
            let is_other = [Who::OtherSigned, Who::OtherSession, Who::OtherWatcher].contains(&who);
            assert_eq!(text.contains("bcrt1other"), sees_all || is_other, "{what}");
            assert_eq!(text.contains(ADDRESS), sees_money, "{what}");
        }
        Has::Money(field) => {
            assert_eq!(hidden.contains(field), !sees_money, "{what}: {hidden:?}");
            let text = String::from_utf8_lossy(&answer.body);
            assert_eq!(text.contains(&miner().to_string()), sees_money, "{what}");
        }
        Has::Name(field) => {
            assert_eq!(hidden.contains(field), !sees_names, "{what}: {hidden:?}");
            assert_eq!(names_in(answer), sees_names, "{what}");
        }
        Has::MoneyAndNames => {
            let body = answer.json();
            assert_eq!(body["workers"].is_array(), sees_names, "{what}");
            assert_eq!(hidden.contains("workers"), !sees_names, "{what}");
            for field in ["balance_sats", "payout_address"] {
                assert_eq!(body[field].is_null(), !sees_money, "{what}: {field}");
                assert_eq!(hidden.contains(field), !sees_money, "{what}: {field}");
            }
            for field in ["next_payout", "payout_threshold_sats"] {
                assert_eq!(body.get(field).is_none(), !sees_money, "{what}: {field}");
            }
            assert_eq!(body["hashrate"], 1_000.5, "{what}: its work is for everybody");
        }
    }
}

#[actix_web::test]
async fn on_every_way_out_each_sees_what_the_operator_chose() {
    for (_, balances) in Visibility::ALL {
        for (_, worker_names) in Visibility::ALL {
            let privacy = Privacy {
                balances,
                worker_names,
            };
            for who in Who::ALL {
                let state = state(privacy);
                for (_, path, has) in routes() {
                    let answer = who.ask(&state, &path).await;
                    if path.starts_with("/v1/events") {
                        let hidden = if balances == Visibility::Owner {
                            r#","hidden":["payout"]}"#
                        } else {
                            r#"}"#
                        };
                        let hello = format!("data: {{\"resumed\":false{hidden}\n");
                        let text = String::from_utf8_lossy(&answer.body);
                        assert!(text.contains(&hello), "{who:?} {privacy:?}: {text}");
                        continue;
                    }
                    check(who, privacy, &path, has, &answer);
                }
            }
        }
    }
}
