//! Lists as CSV.

use std::collections::BTreeSet;

use super::fakes::World;
use super::{Answer, ask, ask_state, get, miner};
use dwarves_domain::history::Sums;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::PayoutId;
use dwarves_domain::payouts::{PayoutState, Txid};
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{CreditKind, CreditRow, HistoryStep, MinerPayoutRow};

use super::samples::{NOW, sats};

fn text(answer: &Answer) -> String {
    assert_eq!(answer.status, 200);
    let kind = answer.header("content-type");
    assert_eq!(kind, Some("text/csv; charset=utf-8; header=present"));
    String::from_utf8(answer.body.clone()).unwrap()
}

fn credit(amount: u64, kind: CreditKind) -> CreditRow {
    CreditRow {
        round: dwarves_domain::ids::RoundId::new(3),
        closed_at: NOW,
        hotkey: miner(),
        units: "0.5".parse().unwrap(),
        amount: sats(amount),
        kind,
        block: None,
    }
}

#[actix_web::test]
async fn every_list_is_answered_as_csv_with_the_rows_of_its_json() {
    let mut world = World::new();
    world.store.credits = vec![credit(7, CreditKind::Credit), credit(5, CreditKind::Reversal)];
    world.store.payouts = vec![MinerPayoutRow {
        payout: PayoutId::new(9),
        state: PayoutState::Cancelled,
        txid: Some(Txid::from_bytes([1; 32])),
        exported: None,
        confirmations: 0,
        reserved_at: NOW,
        sent_at: None,
        address: "bcrt1qx".to_owned(),
        amount: sats(100),
        fee: sats(4),
        note: "=1+1, \"quoted\"".to_owned(),
    }];
    let state = world.state();
    let path = format!("/v1/miners/{}", miner());
    let credits = ask_state(state.clone(), get(&format!("{path}/credits?format=csv&limit=1"))).await;
    let at = "2023-11-14T22:13:20.123Z";
    assert_eq!(
        text(&credits),
        format!("round_id,closed_at,units,amount_sats,kind,block\r\n3,{at},0.5,7,credit,\r\n")
    );
    assert_eq!(credits.header("x-next-cursor"), Some("1"));
    let rest =
        get(&format!("{path}/credits?cursor=1")).insert_header(("Accept", "text/html, text/csv;q=0.9"));
    let rest = ask_state(state.clone(), rest).await;
    assert!(
        text(&rest).ends_with(&format!("3,{at},0.5,-5,reversal,\r\n")),
        "{}",
        text(&rest)
    );
    assert_eq!(rest.header("x-next-cursor"), None);
    let payouts = text(&ask_state(state.clone(), get(&format!("{path}/payouts?format=csv"))).await);
    assert!(
        payouts.ends_with(&format!("100,{at},,\"'=1+1, \"\"quoted\"\"\",,\r\n")),
        "{payouts}"
    );

    // An empty list has its header line.
    for (path, first) in [
        ("/v1/blocks", "hash,height,state,"),
        ("/v1/rounds", "id,closed_at,scheme,"),
        ("/v1/payouts", "id,state,txid,"),
    ] {
        let empty = text(&ask(get(&format!("{path}?format=csv"))).await);
        assert!(empty.starts_with(first) && empty.ends_with("\r\n"), "{empty}");
        assert_eq!(empty.lines().count(), 1);
    }
}

#[actix_web::test]
async fn json_is_what_is_answered_if_nothing_else_is_asked_for() {
    for accept in ["*/*", "application/json, text/csv", "text/html", "text/csvx", ""] {
        let answer = ask(get("/v1/blocks").insert_header(("Accept", accept))).await;
        assert_eq!(
            answer.header("content-type"),
            Some("application/json"),
            "{accept}"
        );
    }
    let asked = get("/v1/blocks?format=json").insert_header(("Accept", "text/csv"));
    assert_eq!(ask(asked).await.header("content-type"), Some("application/json"));
    for format in ["xml", "", "CSV"] {
        let answer = ask(get(&format!("/v1/blocks?format={format}"))).await;
        answer.refuses(400, "query_invalid", Some("format"));
    }
    // A refusal is a problem in either form.
    let stranger = Hotkey::from_bytes([9; 32]);
    let nobody = ask(get(&format!("/v1/miners/{stranger}x/credits?format=csv"))).await;
    nobody.refuses(404, "miner_unknown", Some("hotkey"));
}

/// The tables that have no pages.
#[actix_web::test]
async fn every_table_of_the_pages_is_answered_as_csv() {
    let mut world = World::new();
    world.store.history = vec![HistoryStep {
        at: Timestamp::from_secs(1_699_999_980),
        sums: Sums {
            accepted: 3,
            rejected: [0, 2, 0, 0, 0, 0],
            ..Sums::default()
        },
        last_bits: None,
        miners: None,
        workers: None,
    }];
    let state = world.state();
    let path = format!("/v1/miners/{}", miner());
    for (path, header, row) in [
        (
            path.clone(),
            "name,hashrate,share_difficulty,",
            "rig1,1000.5,0.5,,,10,0,2,0,4,0,0",
        ),
        (
            format!("{path}/earnings"),
            "name,from,to,earned_sats,",
            "yesterday,2023-11-13T00:00:00.000Z,2023-11-14T00:00:00.000Z,0,",
        ),
        (
            format!("{path}/history?resolution=minute"),
            "at,units,accepted,rejected.unknown_job,rejected.stale,",
            "2023-11-14T22:13:00.000Z,0,3,0,2,0,0,0,0,0.0,,,,,true",
        ),
        (
            "/v1/pool/history?resolution=minute".to_owned(),
            "at,units,",
            "2023-11-14T22:13:00.000Z,0,3,0,2,",
        ),
        (
            "/v1/chain".to_owned(),
            "name,state,height,is_used,behind,tip_age_secs,",
            "",
        ),
        ("/v1/luck".to_owned(), "blocks,found,", "10,"),
    ] {
        let joint = if path.contains('?') { '&' } else { '?' };
        let answer = ask_state(state.clone(), get(&format!("{path}{joint}format=csv"))).await;
        let table = text(&answer);
        let mut lines = table.lines();
        assert!(lines.next().unwrap().starts_with(header), "{path}: {table}");
        assert!(
            lines.next().unwrap_or_default().starts_with(row),
            "{path}: {table}"
        );
    }
}

/// The columns are fields of the rows, so that none is always empty.
#[actix_web::test]
async fn the_columns_of_csv_are_described_fields() {
    let document = ask(get("/openapi.json")).await.json();
    let schemas = &document["components"]["schemas"];
    for (path, schema) in [
        ("/v1/blocks", "Block"),
        ("/v1/rounds", "Round"),
        ("/v1/payouts", "PayoutSummary"),
        (&format!("/v1/miners/{}/credits", miner()), "MinerCredit"),
        (&format!("/v1/miners/{}/payouts", miner()), "MinerPayout"),
        (&format!("/v1/miners/{}/earnings", miner()), "EarningsPeriod"),
        ("/v1/pool/history", "HistoryPoint"),
        ("/v1/chain", "NodeState"),
        ("/v1/luck", "LuckWindow"),
    ] {
        let header = text(&ask(get(&format!("{path}?format=csv"))).await);
        let columns = header.lines().next().unwrap().split(',');
        let outer = columns.map(|column| column.split('.').next().unwrap());
        let columns: BTreeSet<&str> = outer.collect();
        let fields = schemas[schema]["properties"].as_object().unwrap();
        assert_eq!(columns.len(), fields.len(), "{path}");
        for column in columns {
            assert!(fields.contains_key(column), "{path}: {column}");
        }
    }
}
