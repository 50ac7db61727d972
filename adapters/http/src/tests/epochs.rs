//! Epochs and their statements.

use dwarves_domain::ids::Sequence;
use dwarves_domain::statements::{Epoch, EpochId, StatementDigest};
use dwarves_ports::store::{EndedEpoch, StatementHead, StatementRow};
use serde_json::{Value, json};

use super::fakes::World;
use super::{ask_state, get, miner};

fn row(n: u64) -> StatementRow {
    let text = format!("a text of \"many\" words, number {n}\n{{}}");
    StatementRow {
        head: StatementHead {
            ended: EndedEpoch {
                epoch: Epoch {
                    start: EpochId::new(1_700_000_000 + 60 * n),
                    end: EpochId::new(1_700_000_060 + 60 * n),
                },
                after: Sequence::new(3 * n),
                through: Sequence::new(3 * n + 3),
            },
            digest: StatementDigest::of(&text),
            previous: (n > 0).then(|| StatementDigest::from_bytes([7; 32])),
            signer: miner(),
            signature: [9; 64],
        },
        text,
    }
}

fn world(count: u64) -> World {
    let mut world = World::new();
    world.store.statements = (0..count).map(row).collect();
    world
}

fn head(n: u64) -> Value {
    let digest = StatementDigest::of(&row(n).text).to_string();
    json!({
        "id": 1_700_000_000 + 60 * n, "start": if n == 0 { "2023-11-14T22:13:20.000Z" } else { "2023-11-14T22:14:20.000Z" },
        "end": if n == 0 { "2023-11-14T22:14:20.000Z" } else { "2023-11-14T22:15:20.000Z" }, "shares": 3,
        "sequence_after": 3 * n, "sequence_through": 3 * n + 3, "digest": digest,
        "previous": if n == 0 { Value::Null } else { json!("07".repeat(32)) },
        "hotkey": miner().to_string(), "signature": format!("0x{}", "09".repeat(64)),
    })
}

#[actix_web::test]
async fn epochs_are_listed_newest_first_page_by_page() {
    let all = ask_state(world(2).state(), get("/v1/epochs")).await.json();
    assert_eq!(all, json!({"epochs": [head(1), head(0)], "next_cursor": null}));
    let first = ask_state(world(2).state(), get("/v1/epochs?limit=1"))
        .await
        .json();
    assert_eq!(first, json!({"epochs": [head(1)], "next_cursor": "1700000060"}));
    let rest = ask_state(world(2).state(), get("/v1/epochs?cursor=1700000060")).await;
    assert_eq!(rest.json(), json!({"epochs": [head(0)], "next_cursor": null}));
    let none = ask_state(world(0).state(), get("/v1/epochs")).await.json();
    assert_eq!(none, json!({"epochs": [], "next_cursor": null}));
}

#[actix_web::test]
async fn a_statement_is_answered_byte_for_byte_and_never_changes() {
    let answer = ask_state(world(2).state(), get("/v1/epochs/1700000000")).await;
    let mut expected = head(0);
    expected["statement"] = json!(row(0).text);
    assert_eq!(answer.json(), expected);
    let tag = format!("\"{}\"", row(0).head.digest);
    assert_eq!(answer.header("etag"), Some(tag.as_str()));
    let cached = Some("public, max-age=31536000, immutable");
    assert_eq!(answer.header("cache-control"), cached);
    for known in [tag.clone(), "*".to_owned(), format!("\"x\", W/{tag}")] {
        let request = get("/v1/epochs/1700000000").insert_header(("if-none-match", known));
        let answer = ask_state(world(2).state(), request).await;
        assert_eq!(answer.status, 304);
        assert!(answer.body.is_empty());
        assert_eq!(answer.header("etag"), Some(tag.as_str()));
        assert_eq!(answer.header("cache-control"), cached);
    }
    let request = get("/v1/epochs/1700000000").insert_header(("if-none-match", "\"x\""));
    assert_eq!(ask_state(world(2).state(), request).await.status, 200);
}

#[actix_web::test]
async fn what_was_not_stated_is_unknown() {
    for unknown in [
        "1",
        "1700000001",
        "1700000120",
        "x",
        "-1",
        "+1700000000",
        "9223372036854775808",
        "99999999999999999999",
    ] {
        let answer = ask_state(world(2).state(), get(&format!("/v1/epochs/{unknown}"))).await;
        answer.refuses(404, "epoch_unknown", Some("id"));
    }
    let answer = ask_state(world(2).state(), get("/v1/epochs/1700000000?x=1")).await;
    answer.refuses(400, "query_invalid", Some("x"));
}
