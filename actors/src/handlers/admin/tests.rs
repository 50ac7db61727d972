use std::sync::Arc;

use dwarves_domain::ids::PayoutId;
use dwarves_domain::refusal::{Refusal, UnknownControl};
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::units::BasisPoints;
use dwarves_ports::store::{StoreError, StoreErrorKind, Written};
use dwarves_testkit::build::{BEGIN, hotkey, sats, worker_name};
use dwarves_testkit::{ManualClock, settle};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::*;
use crate::control::Controlled;
use crate::gate::GateControl;
use crate::miner_manager::messages::MinerControl;
use crate::paymaster::messages::PaymasterControl;
use crate::pool_manager::messages::PoolControl;
use crate::reward_distributor::messages::DistributorControl;
use crate::spans::heard::{Heard, of_span};
use crate::testing::{Inbox, recorded_port};
use crate::work_manager::messages::WorkControl;

struct Bench {
    handler: Addr<AdminHandler>,
    deliver: Inbox<Ask<Deliver>>,
    ledger: Inbox<Ask<Commit>>,
}

async fn bench() -> Bench {
    tokio::time::pause();
    let (deliver, deliver_inbox) = recorded_port();
    let (ledger, ledger_inbox) = recorded_port();
    let handler = AdminHandler::new(AdminHandlerParts {
        admins: [hotkey(1)].into(),
        deliver,
        ledger,
        clock: Arc::new(ManualClock::at(BEGIN)),
    })
    .start();
    settle().await;
    Bench {
        handler,
        deliver: deliver_inbox,
        ledger: ledger_inbox,
    }
}

fn control(actor: &str, message: &str, fields: Value) -> Control {
    let Value::Object(fields) = fields else {
        panic!("fields are an object")
    };
    Control {
        caller: AdminCaller::Token,
        actor: actor.to_owned(),
        message: message.to_owned(),
        fields,
    }
}

impl Bench {
    fn post(&self, control: Control) -> oneshot::Receiver<Controlled> {
        Port::new(&self.handler).post(control).unwrap()
    }

    /// Sends a message; the pool manager answers `outcome`. Gives what it was delivered, the row of the audit
    /// trail, and the reply.
    async fn deliver(
        &mut self,
        control: Control,
        outcome: Controlled,
    ) -> (ControlMessage, AuditRow, Controlled) {
        let mut answer = self.post(control);
        settle().await;
        let deliver = self.deliver.try_recv().unwrap();
        deliver.reply.answer(outcome);
        settle().await;
        assert!(
            answer.try_recv().is_err(),
            "it is in the trail before it is answered"
        );
        let commit = self.ledger.try_recv().unwrap();
        let [Write::AppendAudit(row)] = &commit.payload.writes[..] else {
            panic!("one row of the trail")
        };
        let row = row.clone();
        commit.reply.answer(Ok(vec![Written::Done]));
        (deliver.payload.0, row, answer.await.unwrap())
    }

    /// The refusal of a message that comes nowhere.
    async fn refused(&mut self, control: Control) -> Controlled {
        let reply = self.post(control).await.unwrap();
        assert!(self.deliver.try_recv().is_err(), "it is not delivered");
        reply
    }
}

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
    let pay_now = |dry_run| Payouts(PaymasterControl::PayNow { dry_run });
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
            "stratum_gate",
            "http_gate",
            "reward_distributor",
            "paymaster"
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

#[actix::test]
async fn only_admins_and_the_token_may() {
    let mut bench = bench().await;
    let by = |caller| Control {
        caller,
        ..control("pool_manager", "pause", json!({}))
    };
    let stranger = AdminCaller::Hotkey(hotkey(2));
    assert_eq!(bench.refused(by(stranger)).await, Err(Refusal::Forbidden));
    assert!(bench.ledger.try_recv().is_err());
    let admin = AdminCaller::Hotkey(hotkey(1));
    let done = Ok(json!({}));
    let (_, row, _) = bench.deliver(by(admin), done).await;
    assert_eq!(row.who, hotkey(1).to_string());
    for (caller, may) in [(stranger, false), (admin, true), (AdminCaller::Token, true)] {
        let answer = Port::<Authorize>::new(&bench.handler)
            .post(Authorize { caller })
            .unwrap();
        assert_eq!(answer.await, Ok(may));
    }
}

#[actix::test]
async fn the_trail_says_who_did_what_when_and_what_came_of_it() {
    let mut bench = bench().await;
    let message = || control("reward_distributor", "set_fee", json!({ "fee_bps": 50 }));
    let cases = [
        (
            Ok(json!({ "fee_bps": 50 })),
            Ok(json!({ "fee_bps": 50 })),
            json!({ "done": { "fee_bps": 50 } }),
        ),
        (
            // What was read may be long, and is asked for often: of that only the length is kept.
            Ok(json!({ "view": "x".repeat(5_000) })),
            Ok(json!({ "view": "x".repeat(5_000) })),
            json!({ "done": { "bytes": 5_011 } }),
        ),
        (
            Err(Refusal::ControlRefused("not now".to_owned())),
            Err(Refusal::ControlRefused("not now".to_owned())),
            json!({ "refused": "not now" }),
        ),
        (
            Err(Refusal::Busy),
            Err(Refusal::Busy),
            json!({ "refused": "busy" }),
        ),
        (
            Err(Refusal::Unavailable),
            Err(Refusal::Unavailable),
            json!({ "refused": "unavailable; whether it holds is not known" }),
        ),
    ];
    for (outcome, told, noted) in cases {
        let (_, row, reply) = bench.deliver(message(), outcome).await;
        assert_eq!(reply, told);
        assert_eq!(serde_json::from_str::<Value>(&row.outcome).unwrap(), noted);
        assert_eq!(
            serde_json::from_str::<Value>(&row.fields).unwrap(),
            json!({ "fee_bps": 50 })
        );
        assert_eq!((row.at, row.who.as_str()), (BEGIN, "token"));
    }
}

#[actix::test]
async fn an_actor_that_does_not_answer_is_unavailable_and_in_the_trail_as_such() {
    let mut bench = bench().await;
    let answer = bench.post(control("pool_manager", "pause", json!({})));
    tokio::time::sleep(DELIVER_DEADLINE * 2).await;
    let commit = bench.ledger.try_recv().unwrap();
    commit
        .reply
        .answer(Err(StoreError::new(StoreErrorKind::Unavailable, "disk full")));
    // What was done is told even if the trail could not be written; the log has it.
    assert_eq!(answer.await.unwrap(), Err(Refusal::Unavailable));
}

/// What an actor says while it carries an order out is said within the order, and nothing secret is in it.
#[actix::test]
async fn what_is_said_of_an_order_is_within_its_span() {
    let heard = Heard::from_now_on(Level::INFO);
    let mut bench = bench().await;
    let _answer = bench.post(control(
        "paymaster",
        "set_threshold",
        json!({ "threshold_sats": 5_000 }),
    ));
    settle().await;
    let delivered = bench.deliver.try_recv().unwrap();
    delivered.reply.span().in_scope(|| tracing::warn!("it is done"));
    tracing::warn!("and something else");
    let done = heard.lines();
    let order = |line: &Value, field: &str| of_span(line, "order", field).clone();
    for (field, value) in [
        ("who", "token"),
        ("actor", "paymaster"),
        ("order", "set_threshold"),
    ] {
        assert_eq!(order(&done[0], field), value);
        assert_eq!(order(&done[1], field), Value::Null, "it is over");
    }
}
