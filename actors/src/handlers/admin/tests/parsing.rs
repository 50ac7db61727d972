//! Messages as they are written: understood, or refused by the name of what is wrong.

use dwarves_domain::ids::PayoutId;
use dwarves_domain::refusal::{Refusal, UnknownControl};
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::units::BasisPoints;
use dwarves_testkit::build::{hotkey, sats, worker_name};
use serde_json::json;

use super::*;
use crate::gate::GateControl;
use crate::miner_manager::messages::MinerControl;
use crate::paymaster::messages::PaymasterControl;
use crate::pool_manager::messages::PoolControl;
use crate::reward_distributor::messages::DistributorControl;
use crate::work_manager::messages::WorkControl;

#[actix::test]
async fn every_message_is_understood_and_delivered() {
    use ControlMessage::{Gate, HttpGate, Miners, Payouts, Pool, Rewards, Work};
    let key = hotkey(2);
    let until = Timestamp::from_secs(1_900_000_000);
    let fixed = |worker: Option<&str>, difficulty: Option<f64>| {
        Miners(MinerControl::SetShareDifficulty {
            hotkey: key,
            worker: worker.map(worker_name),
            difficulty: difficulty.map(|d| Difficulty::from_f64(d).unwrap()),
        })
    };
    let ban = |until| {
        Miners(MinerControl::Ban {
            hotkey: key,
            reason: "spam".to_owned(),
            until,
        })
    };
    let pay_now = |dry_run| Payouts(PaymasterControl::PayNow { dry_run, plan: None });
    let text = key.to_string();
    let fee = BasisPoints::new(10_000).unwrap();
    let messages = [
        ("pool_manager", "status", json!({}), Pool(PoolControl::Status)),
        ("pool_manager", "pause", json!({}), Pool(PoolControl::Pause)),
        ("pool_manager", "resume", json!({}), Pool(PoolControl::Resume)),
        ("pool_manager", "drain", json!({}), Pool(PoolControl::Drain)),
        ("pool_manager", "shutdown", json!({}), Pool(PoolControl::Shutdown)),
        (
            "miner_manager",
            "ban",
            json!({ "hotkey": text, "reason": "spam" }),
            ban(None),
        ),
        (
            "miner_manager",
            "ban",
            json!({ "hotkey": text, "reason": "spam", "until": "2030-03-17T17:46:40Z" }),
            ban(Some(until)),
        ),
        (
            "miner_manager",
            "ban",
            json!({ "hotkey": text, "reason": "spam", "until": null }),
            ban(None),
        ),
        (
            "miner_manager",
            "unban",
            json!({ "hotkey": text }),
            Miners(MinerControl::Unban { hotkey: key }),
        ),
        (
            "miner_manager",
            "open_registration",
            json!({}),
            Miners(MinerControl::OpenRegistration),
        ),
        (
            "miner_manager",
            "close_registration",
            json!({}),
            Miners(MinerControl::CloseRegistration),
        ),
        (
            "miner_manager",
            "set_share_difficulty",
            json!({ "hotkey": text, "worker": "rig", "difficulty": 0.5 }),
            fixed(Some("rig"), Some(0.5)),
        ),
        (
            "miner_manager",
            "set_share_difficulty",
            json!({ "hotkey": text, "difficulty": null }),
            fixed(None, None),
        ),
        ("work_manager", "refresh", json!({}), Work(WorkControl::Refresh)),
        ("stratum_gate", "status", json!({}), Gate(GateControl::Status)),
        ("http_gate", "status", json!({}), HttpGate(GateControl::Status)),
        (
            "http_gate",
            "lift",
            json!({ "address": "192.0.2.1" }),
            HttpGate(GateControl::Lift("192.0.2.1".parse().unwrap())),
        ),
        (
            "stratum_gate",
            "lift",
            json!({ "address": "2001:db8::1" }),
            Gate(GateControl::Lift("2001:db8::1".parse().unwrap())),
        ),
        (
            "reward_distributor",
            "set_run_interval",
            json!({ "run_interval_secs": 5 }),
            Rewards(DistributorControl::SetRunInterval(Span::from_secs(5))),
        ),
        (
            "reward_distributor",
            "distribute_now",
            json!({}),
            Rewards(DistributorControl::DistributeNow),
        ),
        (
            "reward_distributor",
            "pause",
            json!({}),
            Rewards(DistributorControl::Pause),
        ),
        (
            "reward_distributor",
            "resume",
            json!({}),
            Rewards(DistributorControl::Resume),
        ),
        (
            "reward_distributor",
            "set_fee",
            json!({ "fee_bps": 10_000 }),
            Rewards(DistributorControl::SetFee(fee)),
        ),
        ("paymaster", "pause", json!({}), Payouts(PaymasterControl::Pause)),
        (
            "paymaster",
            "resume",
            json!({}),
            Payouts(PaymasterControl::Resume),
        ),
        ("paymaster", "pay_now", json!({}), pay_now(false)),
        ("paymaster", "pay_now", json!({ "dry_run": null }), pay_now(false)),
        ("paymaster", "pay_now", json!({ "dry_run": true }), pay_now(true)),
        (
            "paymaster",
            "cancel",
            json!({ "payout": 7 }),
            Payouts(PaymasterControl::Cancel(PayoutId::new(7))),
        ),
        (
            "paymaster",
            "set_threshold",
            json!({ "threshold_sats": 70_000 }),
            Payouts(PaymasterControl::SetThreshold(sats(70_000))),
        ),
    ];
    let mut bench = bench().await;
    for (actor, message, fields, expected) in messages {
        let done = Ok(json!({ "ok": true }));
        let (delivered, row, reply) = bench.deliver(control(actor, message, fields), done).await;
        assert_eq!(delivered, expected);
        assert_eq!(reply, Ok(json!({ "ok": true })));
        assert_eq!((row.actor.as_str(), row.message.as_str()), (actor, message));
    }
}

#[actix::test]
async fn a_field_that_is_missing_unknown_or_wrong_is_named() {
    let key = hotkey(2).to_string();
    let ban = |fields| ("miner_manager", "ban", fields);
    let difficulty = |fields| ("miner_manager", "set_share_difficulty", fields);
    let interval = |fields| ("reward_distributor", "set_run_interval", fields);
    let fee = |fields| ("reward_distributor", "set_fee", fields);
    let long = "x".repeat(501);
    let cases = [
        ("surprise", ("pool_manager", "pause", json!({ "surprise": 1 }))),
        ("hotkey", ban(json!({ "reason": "spam" }))),
        ("hotkey", ban(json!({ "hotkey": 5, "reason": "spam" }))),
        ("hotkey", ban(json!({ "hotkey": "5abc", "reason": "spam" }))),
        ("reason", ban(json!({ "hotkey": key }))),
        ("reason", ban(json!({ "hotkey": key, "reason": "" }))),
        ("reason", ban(json!({ "hotkey": key, "reason": long }))),
        (
            "until",
            ban(json!({ "hotkey": key, "reason": "spam", "until": "tomorrow" })),
        ),
        (
            "until",
            ban(json!({ "hotkey": key, "reason": "spam", "until": 1 })),
        ),
        ("difficulty", difficulty(json!({ "hotkey": key }))),
        (
            "difficulty",
            difficulty(json!({ "hotkey": key, "difficulty": 0 })),
        ),
        (
            "difficulty",
            difficulty(json!({ "hotkey": key, "difficulty": "1" })),
        ),
        (
            "worker",
            difficulty(json!({ "hotkey": key, "difficulty": 1, "worker": "a b" })),
        ),
        ("run_interval_secs", interval(json!({}))),
        ("run_interval_secs", interval(json!({ "run_interval_secs": 0 }))),
        ("run_interval_secs", interval(json!({ "run_interval_secs": 1.5 }))),
        (
            "run_interval_secs",
            interval(json!({ "run_interval_secs": 40_000_000 })),
        ),
        ("fee_bps", fee(json!({ "fee_bps": 10_001 }))),
        ("fee_bps", fee(json!({ "fee_bps": -1 }))),
        ("fee", fee(json!({ "fee_bps": 1, "fee": 1 }))),
        ("dry_run", ("paymaster", "pay_now", json!({ "dry_run": 1 }))),
        ("payout", ("paymaster", "cancel", json!({}))),
        ("payout", ("paymaster", "cancel", json!({ "payout": "7" }))),
        ("threshold_sats", ("paymaster", "set_threshold", json!({}))),
        (
            "threshold_sats",
            ("paymaster", "set_threshold", json!({ "threshold_sats": 0 })),
        ),
    ];
    let mut bench = bench().await;
    for (named, (actor, message, fields)) in cases {
        let reply = bench.refused(control(actor, message, fields.clone())).await;
        let Err(Refusal::ControlFieldInvalid { field, detail }) = reply else {
            panic!("{fields}: expected a bad field, got {reply:?}")
        };
        assert_eq!(field, named, "{fields}");
        assert!(!detail.is_empty());
    }
}

#[actix::test]
async fn an_unknown_actor_or_message_is_told_those_that_there_are() {
    let mut bench = bench().await;
    let Err(Refusal::ControlUnknown {
        what: UnknownControl::Actor,
        known,
    }) = bench.refused(control("ledger", "status", json!({}))).await
    else {
        panic!("there is no such actor")
    };
    assert_eq!(
        known,
        [
            "pool_manager",
            "miner_manager",
            "work_manager",
            "work_evaluator",
            "stratum_gate",
            "http_gate",
            "reward_distributor",
            "paymaster",
            "payout_exporter"
        ]
    );
    let Err(Refusal::ControlUnknown {
        what: UnknownControl::Message,
        known,
    }) = bench.refused(control("work_manager", "pause", json!({}))).await
    else {
        panic!("there is no such message")
    };
    assert_eq!(known, ["refresh"]);
}
