//! The pool, its blocks and rounds, and whether it is ready.

use std::sync::Arc;

use dwarves_actors::live_work::LiveWork;
use dwarves_actors::pool_manager::messages::LifeState;
use dwarves_actors::work_manager::messages::WorkView;
use dwarves_domain::ids::{HeaderHash, RoundId, Sequence};
use dwarves_domain::rewards::{Scheme, Source};
use dwarves_domain::units::Units;
use dwarves_ports::chain::Standing;
use dwarves_ports::store::{Accounting, BlockRow, BlockState, CreditKind, CreditRow, RoundRow};
use serde_json::{Value, json};

use super::fake_ports::port;
use super::fakes::World;
use super::samples::{ADMIN_TOKEN, NOW, POOL, pool_view, sats};
use super::{ask, ask_state, get, miner, no_hashrates};

#[actix_web::test]
async fn the_pool_shows_its_terms_and_its_state() {
    let mut world = World::new();
    world.store.found = 3;
    world.store.units = "1.5".parse().unwrap();
    let answer = ask_state(world.state(), get("/v1/pool")).await;
    assert_eq!(answer.status, 200);
    let mut pool = answer.json();
    // 3 blocks where 1.5 were to be expected.
    for (field, expected) in [("luck_error", 0.8165), ("luck_percentile", 0.9344)] {
        let value = pool.as_object_mut().unwrap().remove(field).unwrap();
        assert!(
            (value.as_f64().unwrap() - expected).abs() < 1e-4,
            "{field} {value}"
        );
    }
    assert_eq!(
        pool,
        json!({
            "name": "Test pool", "hotkey": POOL.to_string(), "chain": "devnet", "algorithm": "sha256d",
            "unit": "BTC", "unit_decimals": 8, "evaluated": null,
            "state": "running", "height": 100, "network_difficulty": 1.0,
            "miners": 2, "workers": 3, "workers_active": 1, "hashrate": 2000.0, "hashrate_error": 0.25,
            "hashrates": no_hashrates(), "share_rate": 0.0,
            "registration_open": true, "round_effort": 0.0, "effort_percentile": 0.0,
            "scheme": "pplns", "fee_bps": 100, "run_interval_secs": 60,
            "next_round_at": "2023-11-14T22:13:20.123Z", "luck": 2.0,
            "shares": {"accepted": 20, "rejected": {
                "unknown_job": 1, "stale": 2, "duplicate": 3, "low_difficulty": 4,
                "time_out_of_range": 5, "version_out_of_mask": 6,
            }},
            "ledger_sum_sats": 0,
        })
    );
}

#[actix_web::test]
async fn without_work_or_blocks_the_pool_has_no_height_and_no_luck() {
    let mut world = World::new();
    world.ports.work = port(|_| WorkView {
        work: Arc::new(LiveWork::none()),
        trouble: None,
        standing: Arc::new(Standing::trusted()),
    });
    world.store.units = Units::ONE;
    let pool = ask_state(world.state(), get("/v1/pool")).await.json();
    for field in [
        "height",
        "network_difficulty",
        "luck",
        "luck_error",
        "luck_percentile",
    ] {
        assert_eq!(pool[field], Value::Null, "{field}");
    }
}

pub(super) fn block(state: BlockState) -> BlockRow {
    BlockRow {
        hash: HeaderHash::from_bytes([2; 32]),
        height: 101,
        reward: sats(5_000_000_000),
        finder: Some(miner()),
        sequence: Sequence::new(1),
        total_before: Units::ZERO,
        units: Units::ONE,
        found_at: NOW,
        state,
        confirmations: 4,
        accounting: Accounting::None,
        effort: "0.5".parse().unwrap(),
        bytes: Vec::new(),
    }
}

#[actix_web::test]
async fn blocks_are_listed_with_what_became_of_them() {
    let states = [
        (BlockState::Submitted, "submitted"),
        (BlockState::Accepted, "accepted"),
        (BlockState::Immature, "immature"),
        (BlockState::Mature, "mature"),
        (BlockState::Orphaned, "orphaned"),
        (BlockState::Refused, "refused"),
    ];
    let mut world = World::new();
    world.store.blocks = states.iter().map(|(state, _)| block(*state)).collect();
    let answer = ask_state(world.state(), get("/v1/blocks")).await.json();
    for (at, (_, name)) in states.iter().enumerate() {
        assert_eq!(
            answer["blocks"][at],
            json!({"hash": "02".repeat(32), "height": 101, "state": name, "reward_sats": 5_000_000_000_u64,
                   "found_by": miner().to_string(), "found_at": "2023-11-14T22:13:20.123Z",
                   "confirmations": 4, "effort": 0.5})
        );
    }
    assert_eq!(answer["next_cursor"], Value::Null);
}

fn world_with_rounds(count: u64) -> World {
    let mut world = World::new();
    let round = |id| RoundRow {
        id: RoundId::new(id),
        closed_at: NOW,
        scheme: Scheme::Proportional,
        source: Source::Emission,
        reward: sats(100),
        fee: sats(1),
        kept: sats(2),
        credited: sats(97),
        emitted: None,
        blocks: vec![HeaderHash::from_bytes([2; 32])],
        digest: [0; 32],
    };
    world.store.rounds = (1..=count).rev().map(round).collect();
    world.store.credits = vec![CreditRow {
        round: RoundId::new(1),
        closed_at: NOW,
        hotkey: miner(),
        units: "0.5".parse().unwrap(),
        amount: sats(97),
        kind: CreditKind::Credit,
        block: None,
    }];
    world
}

#[actix_web::test]
async fn a_round_is_shown_with_every_credit() {
    let answer = ask_state(world_with_rounds(1).state(), get("/v1/rounds/1")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        json!({"id": 1, "closed_at": "2023-11-14T22:13:20.123Z", "scheme": "proportional",
               "source": "emission", "reward_sats": 100, "fee_sats": 1, "credited_sats": 97, "kept_sats": 2,
               "emission": null,
               "blocks": ["02".repeat(32)],
               "credits": [{"hotkey": miner().to_string(), "units": "0.5", "amount_sats": 97, "block": null}]})
    );
    for unknown in [
        "2",
        "0",
        "x",
        "-1",
        "+1",
        "18446744073709551615",
        "99999999999999999999",
    ] {
        let answer = ask_state(
            world_with_rounds(1).state(),
            get(&format!("/v1/rounds/{unknown}")),
        )
        .await;
        answer.refuses(404, "round_unknown", Some("id"));
    }
}

#[actix_web::test]
async fn rounds_come_fifty_a_page_if_nobody_says_otherwise() {
    let state = world_with_rounds(120).state();
    let first = ask_state(state.clone(), get("/v1/rounds")).await.json();
    assert_eq!(first["rounds"].as_array().unwrap().len(), 50);
    assert_eq!(first["rounds"][0]["id"], 120);
    let all = ask_state(state, get("/v1/rounds?limit=100")).await.json();
    assert_eq!(all["rounds"].as_array().unwrap().len(), 100);
}

#[actix_web::test]
async fn the_process_is_alive_and_the_pool_ready() {
    assert_eq!(ask(get("/healthz")).await.json(), json!({"status": "alive"}));
    let ready = ask(get("/readyz")).await;
    assert_eq!(ready.status, 200);
    assert_eq!(ready.json()["status"], "ready");
}

#[actix_web::test]
async fn a_pool_that_is_not_ready_says_what_hinders_it() {
    let hindrance = |change: fn(&mut dwarves_actors::pool_manager::messages::PoolView)| {
        let mut view = pool_view(LifeState::Running);
        change(&mut view);
        let mut world = World::new();
        world.ports.pool = port(move |_| view.clone());
        async { ask_state(world.state(), get("/readyz")).await }
    };
    for (answer, words) in [
        (hindrance(|view| view.has_work = false).await, "no work"),
        (hindrance(|view| view.ledger_writes = false).await, "ledger"),
        (
            hindrance(|view| view.state = LifeState::Draining).await,
            "draining",
        ),
        (hindrance(|view| view.state = LifeState::Paused).await, "paused"),
    ] {
        answer.refuses(503, "not_ready", None);
        let problem = answer.json();
        assert!(problem["detail"].as_str().unwrap().contains(words));
        assert!(problem["hindrances"][0].as_str().unwrap().contains(words));
    }
    // A complaint alone is no reason to send miners away.
    let answer = hindrance(|view| view.hindrances.push("the node is slow".to_owned())).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["hindrances"], json!(["the node is slow"]));
}

/// The value of a figure without labels, or with these.
fn figure(page: &str, name: &str) -> f64 {
    let line = page.lines().find(|line| line.split(' ').next() == Some(name));
    let value = line.and_then(|line| line.split(' ').nth(1));
    value
        .unwrap_or_else(|| panic!("{name} is missing"))
        .parse()
        .unwrap()
}

#[actix_web::test]
async fn the_figures_are_in_the_text_format_of_prometheus() {
    let mut world = World::new();
    world.store.found = 3;
    world.store.units = "1.5".parse().unwrap();
    let answer = ask_state(world.state(), get("/metrics")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let page = String::from_utf8(answer.body).unwrap();
    for (name, value) in [
        ("dwarves_running", 1.0),
        ("dwarves_miners", 2.0),
        ("dwarves_shares_accepted_total", 20.0),
        ("dwarves_shares_rejected_total{reason=\"stale\"}", 2.0),
        ("dwarves_blocks{state=\"mature\"}", 0.0),
        ("dwarves_blocks_waiting", 1.0),
        ("dwarves_deep_reorgs_total", 2.0),
        ("dwarves_chain_synced", 1.0),
        ("dwarves_chain_verdict{verdict=\"majority\"}", 1.0),
        ("dwarves_chain_verdict{verdict=\"minority\"}", 0.0),
        ("dwarves_chain_in_doubt", 0.0),
        ("dwarves_ledger_difference_sats", 0.0),
        ("dwarves_ledger_conserved", 1.0),
        ("dwarves_luck_ratio", 2.0),
    ] {
        assert_eq!(figure(&page, name), value, "{name}");
    }
    // Every sample belongs to a figure that was announced with its help and its type, once.
    let mut announced = std::collections::BTreeMap::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(
                announced.insert(name.to_owned(), kind.to_owned()).is_none(),
                "{name} twice"
            );
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
            assert!(page.contains(&format!("# HELP {name} ")), "{name}");
        } else if !line.starts_with('#') {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let name = sample.split('{').next().unwrap();
            let parts = ["_bucket", "_sum", "_count"];
            let whole = parts.iter().find_map(|part| name.strip_suffix(part));
            let of_histogram = |name: &&str| announced.get(*name).is_some_and(|kind| kind == "histogram");
            let family = whole.filter(of_histogram).unwrap_or(name);
            assert!(announced.contains_key(family), "{name} was not announced");
            value.parse::<f64>().unwrap();
        }
    }
    assert!(page.ends_with('\n'));
    // OpenMetrics names the families of counters without what ends their samples: none may be a gauge's.
    for (name, _) in announced.iter().filter(|(_, kind)| *kind == "counter") {
        let family = name.strip_suffix("_total").unwrap();
        assert!(
            !announced.contains_key(family),
            "{family} is two things in OpenMetrics"
        );
    }
}

#[actix_web::test]
async fn the_figures_are_in_the_format_that_is_asked_for() {
    let open_metrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let text = "text/plain; version=0.0.4; charset=utf-8";
    for (accept, format) in [
        ("", text),
        ("*/*", text),
        ("text/plain", text),
        ("application/json", text),
        ("application/openmetrics-text", open_metrics),
        ("Application/OpenMetrics-Text; version=0.0.1", open_metrics),
        ("application/openmetrics-text;q=0", text),
        ("application/openmetrics-text;q=x", text),
        ("application/openmetrics-text;q=0.4, text/plain;q=0.5", text),
        // As Prometheus 2.42 asks.
        (
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            open_metrics,
        ),
    ] {
        let request = get("/metrics").insert_header(("Accept", accept));
        let answer = ask_state(World::new().state(), request).await;
        assert_eq!(answer.header("content-type"), Some(format), "{accept}");
        let page = String::from_utf8(answer.body).unwrap();
        assert_eq!(page.ends_with("# EOF\n"), format == open_metrics, "{accept}");
        let family = if format == text {
            "dwarves_shares_accepted_total"
        } else {
            "dwarves_shares_accepted"
        };
        assert!(page.contains(&format!("# TYPE {family} counter\n")), "{accept}");
        assert_eq!(figure(&page, "dwarves_shares_accepted_total"), 20.0);
    }
}

#[actix_web::test]
async fn withholding_is_for_admins_and_says_what_it_can_not_tell() {
    ask(get("/v1/admin/withholding"))
        .await
        .refuses(401, "signature_missing", Some("x-bittensor-signature"));
    let request =
        get("/v1/admin/withholding").insert_header(("Authorization", format!("Bearer {ADMIN_TOKEN}")));
    let answer = ask(request).await;
    assert_eq!(answer.status, 200);
    let miners = answer.json()["miners"].clone();
    let number = |miner: usize, field: &str| miners[miner][field].as_f64().unwrap();
    assert!((number(0, "p_value") - 0.000_912).abs() < 1e-6);
    assert_eq!(number(0, "power_all"), 1.0);
    assert!(number(0, "power_half") < 0.05);
    // Two blocks to be expected: nothing could be told of any miner.
    assert_eq!((number(1, "found"), number(1, "power_all")), (3.0, 0.0));
}
