//! What the trail and the log say of an order.

use dwarves_domain::refusal::Refusal;
use dwarves_ports::store::{StoreError, StoreErrorKind};
use dwarves_testkit::build::BEGIN;
use dwarves_testkit::settle;
use serde_json::{Value, json};

use super::*;
use crate::spans::heard::{Heard, of_span};

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
