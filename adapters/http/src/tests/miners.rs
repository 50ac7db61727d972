//! Registration, and what anyone may know of a miner.

use actix_web::test::TestRequest;
use dwarves_domain::address::ParseAddressError;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, PayoutId, RoundId};
use dwarves_domain::payouts::{PayoutState, Txid, Waiting, WhyHeld};
use dwarves_domain::refusal::Refusal;
use dwarves_domain::time::Span;
use dwarves_ports::store::{CreditKind, CreditRow, MinerBalances, MinerPayoutRow, StoreErrorKind};
use serde_json::json;

use super::fake_ports::port;
use super::fakes::World;
use super::samples::{NOW, STRANGER, sats};
use super::{ask, ask_state, get, miner, no_hashrates_over, signed_post};

#[actix_web::test]
async fn a_new_miner_is_created_and_a_known_one_is_known() {
    let new = ask(signed_post("/v1/miners", r#"{"payout_address":"bcrt1q"}"#)).await;
    assert_eq!(new.status, 201);
    assert_eq!(
        new.json(),
        json!({"hotkey": miner().to_string(), "registration_success": true,
               "registered_at": "2023-11-14T22:13:20.123Z", "payout_address": "bcrt1q"})
    );
    let known = ask(signed_post("/v1/miners", r#"{"payout_address":null}"#)).await;
    assert_eq!(known.status, 200);
    assert_eq!(known.json()["payout_address"], json!(null));
}

#[actix_web::test]
async fn every_refusal_of_a_registration_has_its_code() {
    let expected = "bcrt1...";
    let cases = [
        (Err(Refusal::RegistrationClosed), 403, "registration_closed", None),
        (Err(Refusal::PoolFull), 403, "registration_closed", None),
        (
            Err(Refusal::TooManyNew {
                try_again: Span::from_millis(59_001),
            }),
            429,
            "too_many_new_miners",
            None,
        ),
        (
            Err(Refusal::Banned {
                reason: "spam".to_owned(),
            }),
            403,
            "banned",
            None,
        ),
        (
            Err(Refusal::PayoutAddressInvalid(ParseAddressError::WrongNetwork {
                expected,
            })),
            422,
            "payout_address_invalid",
            Some("payout_address"),
        ),
        (Err(Refusal::Busy), 503, "busy", None),
        (Err(Refusal::Unavailable), 503, "unavailable", None),
    ];
    for (reply, status, code, field) in cases {
        let mut world = World::new();
        world.worker.register = port(move |_| reply.clone());
        let answer = ask_state(world.state(), signed_post("/v1/miners", "{}")).await;
        answer.refuses(status, code, field);
    }
}

#[actix_web::test]
async fn every_refusal_of_a_session_has_its_code() {
    let cases = [
        (Err(Refusal::MinerUnknown), 404, "miner_unknown"),
        (
            Err(Refusal::Banned {
                reason: "spam".to_owned(),
            }),
            403,
            "banned",
        ),
        (Err(Refusal::Busy), 503, "busy"),
    ];
    for (reply, status, code) in cases {
        let mut world = World::new();
        world.worker.open_session = port(move |_| reply.clone());
        let answer = ask_state(world.state(), signed_post("/v1/sessions", "{}")).await;
        answer.refuses(status, code, None);
    }
}

fn miner_path(hotkey: Hotkey, rest: &str) -> TestRequest {
    get(&format!("/v1/miners/{hotkey}{rest}"))
}

#[actix_web::test]
async fn a_miner_is_shown_with_its_work_and_what_it_is_owed() {
    let mut world = World::new();
    world.store.balances = MinerBalances {
        immature: sats(1),
        payable: sats(2),
        in_flight: sats(3),
        paid: sats(4),
    };
    let answer = ask_state(world.state(), miner_path(miner(), "")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        json!({
            "hotkey": miner().to_string(),
            "registered_at": "2023-11-14T22:13:20.123Z",
            "payout_address": "bcrt1example",
            "hashrate": 1000.5,
            "hashrates": no_hashrates_over([10, 10, 10]),
            "shares": {"accepted": 10, "rejected": {
                "unknown_job": 1, "stale": 2, "duplicate": 3, "low_difficulty": 4,
                "time_out_of_range": 5, "version_out_of_mask": 6,
            }},
            "performance": {"units": "0.0625", "window_units": "2"},
            "blocks": {"found": 2, "expected": 2.5},
            "window": {"units": "0.0625", "of_units": "0", "share": 0.0, "first_sequence": 5, "leaves_at": null},
            "next_payout": {"threshold_sats": 0, "payable_sats": 2, "per_day_sats": null,
                            "due_at": "2023-11-14T22:13:20.123Z"},
            "balance_sats": {"immature": 1, "payable": 2, "in_flight": 3, "paid": 4},
            "workers": [{"name": "rig1", "hashrate": 1000.5, "hashrates": no_hashrates_over([10, 10, 10]),
                         "share_difficulty": 0.5, "last_share_at": null, "last_share_age_secs": null, "shares": 10,
                         "rejected": {"unknown_job": 0, "stale": 2, "duplicate": 0, "low_difficulty": 4,
                                      "time_out_of_range": 0, "version_out_of_mask": 0}}],
        })
    );
}

#[actix_web::test]
async fn a_balance_that_is_due_and_waits_says_why() {
    for why in WhyHeld::ALL {
        let mut world = World::new();
        world.ports.waiting = port(move |_| {
            let amount = sats(297_980);
            Some(Waiting { why, amount })
        });
        let told = ask_state(world.state(), miner_path(miner(), "")).await.json();
        let held = &told["payout_held"];
        assert_eq!(
            (&held["reason"], &held["amount_sats"]),
            (&json!(why.name()), &json!(297_980))
        );
        assert!(held["detail"].as_str().unwrap().len() > 20, "{held}");
    }
}

#[actix_web::test]
async fn an_unknown_or_mistyped_hotkey_is_nobodys() {
    for rest in ["", "/credits", "/payouts"] {
        ask(miner_path(STRANGER, rest))
            .await
            .refuses(404, "miner_unknown", None);
        for wrong in [
            "x",
            "%00",
            "%ff",
            "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQZ",
        ] {
            let answer = ask(get(&format!("/v1/miners/{wrong}{rest}"))).await;
            answer.refuses(404, "miner_unknown", Some("hotkey"));
        }
    }
}

fn credit(round: u64, block: Option<HeaderHash>) -> CreditRow {
    CreditRow {
        round: RoundId::new(round),
        closed_at: NOW,
        hotkey: miner(),
        units: "0.5".parse().unwrap(),
        amount: sats(round),
        kind: if round == 2 {
            CreditKind::Reversal
        } else {
            CreditKind::Credit
        },
        block,
    }
}

#[actix_web::test]
async fn credits_come_in_pages() {
    let mut world = World::new();
    world.store.credits = vec![
        credit(3, Some(HeaderHash::from_bytes([1; 32]))),
        credit(2, None),
        credit(1, None),
    ];
    let state = world.state();
    let first = ask_state(state.clone(), miner_path(miner(), "/credits?limit=2"))
        .await
        .json();
    assert_eq!(
        first["credits"][0],
        json!({"round_id": 3, "closed_at": "2023-11-14T22:13:20.123Z", "units": "0.5", "amount_sats": 3, "kind": "credit",
               "block": "01".repeat(32)})
    );
    assert_eq!(first["credits"][1]["block"], json!(null));
    assert_eq!(first["credits"][1]["amount_sats"], json!(-2));
    assert_eq!(first["credits"][1]["kind"], json!("reversal"));
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = format!("/credits?limit=2&cursor={cursor}");
    let second = ask_state(state, miner_path(miner(), &rest)).await.json();
    assert_eq!(second["credits"][0]["round_id"], 1);
    assert_eq!(second["next_cursor"], json!(null));
}

fn payout(id: u64, txid: Option<[u8; 32]>) -> MinerPayoutRow {
    MinerPayoutRow {
        payout: PayoutId::new(id),
        state: if txid.is_some() {
            PayoutState::Broadcast
        } else {
            PayoutState::Cancelled
        },
        txid: txid.map(Txid::from_bytes),
        exported: None,
        confirmations: 2,
        reserved_at: NOW,
        sent_at: txid.map(|_| NOW),
        address: "bcrt1example".to_owned(),
        amount: sats(1_000),
        fee: sats(30),
        note: if txid.is_some() {
            String::new()
        } else {
            "too large".to_owned()
        },
    }
}

#[actix_web::test]
async fn payouts_come_in_pages_with_what_became_of_each() {
    let mut world = World::new();
    let mut txid = [0; 32];
    txid[0] = 0xff;
    world.store.payouts = vec![payout(2, Some(txid)), payout(1, None)];
    let state = world.state();
    let first = ask_state(state.clone(), miner_path(miner(), "/payouts?limit=1"))
        .await
        .json();
    let sent = "2023-11-14T22:13:20.123Z";
    assert_eq!(
        first["payouts"],
        json!([{"payout_id": 2, "state": "broadcast", "txid": format!("{}ff", "00".repeat(31)),
                "confirmations": 2, "address": "bcrt1example", "amount_sats": 970, "fee_sats": 30,
                "debited_sats": 1_000, "reserved_at": sent, "sent_at": sent, "note": null, "batch": null,
                "reference": null}])
    );
    let rest = format!(
        "/payouts?limit=1&cursor={}",
        first["next_cursor"].as_str().unwrap()
    );
    let second = ask_state(state, miner_path(miner(), &rest)).await.json();
    assert_eq!(second["payouts"][0]["txid"], json!(null));
    assert_eq!(second["payouts"][0]["note"], "too large");
    assert_eq!(second["next_cursor"], json!(null));
}

#[actix_web::test]
async fn a_miner_chooses_its_threshold_and_sees_it() {
    let own = ask(signed_post("/v1/miners", r#"{"payout_threshold_sats":70000}"#)).await;
    assert_eq!(own.json()["payout_threshold_sats"], 70_000);
    let none = ask(signed_post("/v1/miners", "{}")).await;
    assert_eq!(none.json().get("payout_threshold_sats"), None);
    let mut world = World::new();
    world.store.threshold = Some(sats(70_000));
    let shown = ask_state(world.state(), miner_path(miner(), "")).await;
    assert_eq!(shown.json()["payout_threshold_sats"], 70_000);
    let mut world = World::new();
    world.worker.register = port(|_| Err(Refusal::PayoutThresholdInvalid { least: sats(546) }));
    let low = ask_state(
        world.state(),
        signed_post("/v1/miners", r#"{"payout_threshold_sats":1}"#),
    )
    .await;
    low.refuses(422, "payout_threshold_invalid", Some("payout_threshold_sats"));
    let huge = r#"{"payout_threshold_sats":9223372036854775808}"#;
    let huge = ask(signed_post("/v1/miners", huge)).await;
    huge.refuses(422, "payout_threshold_invalid", Some("payout_threshold_sats"));
}

#[actix_web::test]
async fn a_miner_without_payouts_has_an_empty_list_of_them() {
    let answer = ask(miner_path(miner(), "/payouts?limit=1")).await;
    assert_eq!(answer.json(), json!({"payouts": [], "next_cursor": null}));
}

#[actix_web::test]
async fn a_page_that_can_not_be_is_refused_by_name() {
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=+5", "limit"),
        ("limit=", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("cursor=", "cursor"),
        ("cursor=-1", "cursor"),
        ("cursor=18446744073709551615", "cursor"),
        ("cursor=1&cursor=2", "cursor"),
        ("page=1", "page"),
    ] {
        for list in [
            format!("/v1/miners/{}/credits", miner()),
            "/v1/blocks".into(),
            "/v1/rounds".into(),
        ] {
            ask(get(&format!("{list}?{query}")))
                .await
                .refuses(400, "query_invalid", Some(field));
        }
    }
}

#[actix_web::test]
async fn a_store_that_fails_is_reported_without_its_secrets() {
    for (failure, status, code) in [
        (StoreErrorKind::Unavailable, 503, "unavailable"),
        (StoreErrorKind::Corrupt, 500, "internal"),
    ] {
        let mut world = World::new();
        world.store.failure = Some(failure);
        let answer = ask_state(world.state(), miner_path(miner(), "")).await;
        answer.refuses(status, code, None);
        assert!(!String::from_utf8(answer.body).unwrap().contains("secret"));
    }
}
