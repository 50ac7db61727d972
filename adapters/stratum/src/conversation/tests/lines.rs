//! Whatever lines come: answered, passed over, and never a panic.

use dwarves_testkit::build::template;
use proptest::prelude::*;
use serde_json::json;

use super::*;

#[test]
fn a_wish_without_an_id_is_taken_and_not_answered() {
    let mut talk = Talk::mining_on(template(1));
    for (method, params) in [
        (
            "mining.suggest_target",
            json!(["00000000ffff0000000000000000000000000000000000000000000000000000"]),
        ),
        ("mining.suggest_difficulty", json!([5e-9])),
        ("mining.extranonce.subscribe", json!([])),
        ("mining.ping", json!([])),
        ("mining.suggest_difficulty", json!(["nonsense"])),
        ("mining.nonsense", json!([])),
        ("mining.get_transactions", json!(["x"])),
    ] {
        for line in [
            json!({"id": null, "method": method, "params": params}),
            json!({"method": method, "params": params}),
        ] {
            talk.sent.clear();
            talk.line(&line);
            assert_eq!(talk.sent, [json!(null); 0], "{line}");
        }
    }
    talk.tell(Telling::IfNew);
    assert!(talk.notified().is_some(), "the suggestion was taken");
    // Without an answer to these a miner cannot go on.
    talk.sent.clear();
    talk.line(&json!({"id": null, "method": "mining.subscribe", "params": []}));
    talk.line(&json!({"id": null, "method": "mining.configure", "params": [[], {}]}));
    assert_eq!(talk.sent.len(), 2);
    assert!(talk.sent.iter().all(|answer| answer["id"].is_null()));
}

proptest! {
    #[test]
    fn no_conversation_makes_it_panic(lines in proptest::collection::vec(any_line(), 0..20)) {
        let mut talk = Talk::mining_on(template(1));
        for line in lines {
            talk.on_stage(|talk, scene, out| {
                let _step = talk.on_line(&line, scene, out);
                talk.tell_work(Telling::IfNew, scene, out);
            });
        }
        prop_assert!(talk.conversation.members.len() <= talk.rules.workers_max);
    }
}

fn any_line() -> impl Strategy<Value = Vec<u8>> {
    let method = prop_oneof![
        Just("mining.subscribe"),
        Just("mining.authorize"),
        Just("mining.submit"),
        Just("mining.configure"),
        Just("mining.suggest_difficulty"),
        Just("mining.suggest_target"),
        Just("mining.ping"),
    ];
    let param = prop_oneof![
        Just(json!(USER)),
        Just(json!("00")),
        Just(json!("0000000000000000")),
        Just(json!("65432100")),
        Just(json!(["version-rolling", "minimum-difficulty"])),
        Just(json!({"version-rolling.mask": "ffffffff"})),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,20}".prop_map(|text| json!(text)),
    ];
    let request = (method, proptest::collection::vec(param, 0..7)).prop_map(|(method, params)| {
        json!({"id": 1, "method": method, "params": params})
            .to_string()
            .into_bytes()
    });
    prop_oneof![request, proptest::collection::vec(any::<u8>(), 0..100)]
}
