//! Batches of exported payouts, and weights: what an operator of a subnet's pool takes away.

use actix_web::test::TestRequest;
use dwarves_domain::blocks::CreditKind;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{PayoutId, RoundId};
use dwarves_domain::payouts::{BatchDigest, Exported, PayoutState};
use dwarves_domain::rewards::{Scheme, Source};
use dwarves_domain::units::Amount;
use dwarves_ports::store::{BatchHead, BatchRow, BatchSummary, CreditRow, RoundRow};
use serde_json::{Value, json};

use super::admin::as_admin;
use super::fakes::World;
use super::payouts::payout;
use super::samples::{NOW, POOL, sats};
use super::{ask_state, get};

const AT: &str = "2023-11-14T22:13:20.123Z";

/// A batch of one payout.
fn world() -> World {
    let name = "b-1".parse().unwrap();
    let mut exported = payout();
    exported.state = PayoutState::Exported;
    exported.signed = None;
    exported.sent_at = None;
    exported.parts.truncate(1);
    exported.parts[0].fee = Amount::ZERO;
    exported.exported = Some(Exported {
        batch: "b-1".parse().unwrap(),
        reference: None,
    });
    let (text, csv) = ("the text\n".to_owned(), "the,table\n".to_owned());
    let head = BatchHead {
        name,
        at: NOW,
        first_payout: PayoutId::new(5),
        payouts: 1,
        total: sats(100),
        digest: BatchDigest::of(&text),
        previous: None,
        signer: POOL,
        signature: [1; 64],
        csv_signature: [2; 64],
    };
    let summary = BatchSummary {
        number: 1,
        head: head.clone(),
        exported: 1,
        paid: 0,
        cancelled: 0,
    };
    let mut world = World::new();
    world.store.batches = vec![(summary, BatchRow { head, text, csv }, vec![exported])];
    world
}

fn asked(path: &str) -> TestRequest {
    as_admin(get(path))
}

fn head() -> Value {
    json!({
        "batch": "b-1", "at": AT, "first_payout": 5, "payouts": 1, "total_sats": 100,
        "digest": BatchDigest::of("the text\n").to_string(), "previous": null, "hotkey": POOL.to_string(),
        "signature": format!("0x{}", "01".repeat(64)), "csv_signature": format!("0x{}", "02".repeat(64)),
    })
}

fn with(mut object: Value, more: &Value) -> Value {
    let fields = more.as_object().unwrap().clone();
    object.as_object_mut().unwrap().extend(fields);
    object
}

#[actix_web::test]
async fn a_batch_is_listed_and_read_as_it_was_signed() {
    let state = world().state();
    let list = ask_state(state.clone(), asked("/v1/admin/batches")).await.json();
    let counts = json!({"exported": 1, "paid": 0, "cancelled": 0});
    assert_eq!(
        list,
        json!({"batches": [with(head(), &counts)], "next_cursor": null})
    );
    let one = ask_state(state.clone(), asked("/v1/admin/batches/b-1"))
        .await
        .json();
    assert_eq!(one, with(head(), &json!({"text": "the text\n"})));
    let table = ask_state(state.clone(), asked("/v1/admin/batches/b-1?format=csv")).await;
    assert_eq!(table.body, b"the,table\n", "byte for byte what was signed");
    assert_eq!(
        table.header("x-signature"),
        Some(&*format!("0x{}", "02".repeat(64)))
    );
    assert_eq!(table.header("x-signer"), Some(&*POOL.to_string()));
    let payouts = ask_state(state, asked("/v1/admin/batches/b-1/payouts"))
        .await
        .json();
    let miner = Hotkey::from_bytes([7; 32]).to_string();
    let row = json!({"payout_id": 5, "state": "exported", "hotkey": miner, "address": "bcrt1qx",
                     "amount_sats": 100, "reference": null, "first_paid_at": null, "changed_at": AT});
    assert_eq!(payouts, json!({"payouts": [row]}));
}

#[actix_web::test]
async fn what_is_no_batch_and_who_is_no_admin_is_refused() {
    let state = world().state();
    for path in [
        "/v1/admin/batches/b-2",
        "/v1/admin/batches/b-2/payouts",
        "/v1/admin/batches/..%2f",
    ] {
        let answer = ask_state(state.clone(), asked(path)).await;
        answer.refuses(404, "batch_unknown", Some("batch"));
    }
    for path in [
        "/v1/admin/batches",
        "/v1/admin/batches/b-1",
        "/v1/admin/batches/b-1/payouts",
        "/v1/admin/weights",
    ] {
        let answer = ask_state(state.clone(), get(path)).await;
        answer.refuses(401, "signature_missing", Some("x-bittensor-signature"));
        let answer = ask_state(state.clone(), asked(&format!("{path}?x=1"))).await;
        answer.refuses(400, "query_invalid", Some("x"));
    }
}

fn round(id: u64) -> RoundRow {
    RoundRow {
        id: RoundId::new(id),
        closed_at: NOW,
        scheme: Scheme::Proportional,
        source: Source::Emission,
        reward: sats(100),
        fee: sats(0),
        kept: sats(0),
        credited: sats(100),
        emitted: None,
        blocks: Vec::new(),
        digest: [0; 32],
    }
}

fn credit(round: u64, miner: u8, amount: u64) -> CreditRow {
    CreditRow {
        round: RoundId::new(round),
        closed_at: NOW,
        hotkey: Hotkey::from_bytes([miner; 32]),
        units: "0.5".parse().unwrap(),
        amount: sats(amount),
        kind: CreditKind::Credit,
        block: None,
    }
}

/// Miner 1 has uid 7, miner 2 has uid 3, miner 3 has none.
#[actix_web::test]
async fn weights_are_of_the_rounds_that_are_asked_for_by_the_file_as_it_is_now() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("metagraph.json");
    let mut world = World::new();
    world.store.rounds = vec![round(2), round(1)];
    world.store.credits = vec![credit(1, 1, 100), credit(2, 2, 50), credit(2, 3, 9)];
    world.files.metagraph = Some(file.clone());
    world.files.version_key = 77;
    let state = world.state();
    let ask = |query: &'static str| ask_state(state.clone(), asked(query));
    ask("/v1/admin/weights")
        .await
        .refuses(409, "metagraph_unusable", None);
    let neuron = |uid: u16, miner: u8| json!({"uid": uid, "hotkey": Hotkey::from_bytes([miner; 32]).to_string(), "stake": 1});
    std::fs::write(&file, json!([neuron(7, 1), neuron(3, 2)]).to_string()).unwrap();
    let none = Hotkey::from_bytes([3; 32]).to_string();
    let without = json!([{"hotkey": none, "amount_sats": 9}]);
    let last = json!({"uids": [3], "weights": [65535], "version_key": 77, "first_round": 2, "last_round": 2,
                      "closed_at": AT, "without_uid": without, "netuid": null, "block": null});
    assert_eq!(ask("/v1/admin/weights").await.json(), last);
    let both = ask("/v1/admin/weights?rounds=2").await.json();
    assert_eq!(both["uids"], json!([3, 7]));
    // 50 of 100 of the largest, 65535.
    assert_eq!(both["weights"], json!([32768, 65535]));
    let first = ask("/v1/admin/weights?through=1&format=csv").await;
    assert_eq!(
        String::from_utf8(first.body).unwrap(),
        "uid,weight\r\n7,65535\r\n"
    );
    for (query, code, field) in [
        ("rounds=0", "query_invalid", "rounds"),
        ("rounds=101", "query_invalid", "rounds"),
        ("through=x", "query_invalid", "through"),
        ("through=18446744073709551615", "round_unknown", "through"),
    ] {
        let answer = ask_state(state.clone(), asked(&format!("/v1/admin/weights?{query}"))).await;
        let status = if code == "round_unknown" { 404 } else { 400 };
        answer.refuses(status, code, Some(field));
    }
}
