//! Charts: points, marks and hashrates.

use dwarves_actors::miner_manager::messages::ReadMiner;
use dwarves_domain::history::Sums;
use dwarves_domain::target::CompactTarget;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Units;
use dwarves_ports::store::{HistoryStep, LifeRow};
use serde_json::{Value, json};

use super::fake_ports::port;
use super::fakes::World;
use super::samples::{NOW, miner_view};
use super::{ask_state, get, miner};

/// The minute that goes on at [`NOW`], 20 seconds of which are over.
const OPEN: i64 = 1_699_999_980;

fn minute(minutes_ago: i64, accepted: u64, bits: u32) -> HistoryStep {
    let bits = CompactTarget::from_bits(bits);
    let mut sums = Sums::default();
    sums.add_shares(bits, Units::from_raw(Units::ONE.raw() / 4), accepted);
    HistoryStep {
        at: Timestamp::from_secs(OPEN - 60 * minutes_ago),
        sums,
        last_bits: Some(bits),
        miners: None,
        workers: (minutes_ago == 3).then_some(7),
    }
}

const EASY: u32 = 0x1d00_ffff;
const HARD: u32 = 0x1c00_ffff;

/// Shares until half an hour ago, none for 27 minutes, and a harder one in the minute that goes on.
fn world() -> World {
    let mut world = World::new();
    world.store.history = (31..=120).rev().map(|ago| minute(ago, 2, EASY)).collect();
    world
        .store
        .history
        .extend([minute(3, 4, EASY), minute(0, 1, HARD)]);
    world
}

async fn history(world: World, path: &str) -> Value {
    let answer = ask_state(world.state(), get(path)).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()
}

#[actix_web::test]
async fn a_step_without_a_share_is_a_point_of_zeros_and_the_last_one_goes_on() {
    let path = "/v1/pool/history?resolution=minute&from=2023-11-14T22:10:00Z";
    let history = history(world(), path).await;
    assert_eq!(history["from"], "2023-11-14T22:10:00.000Z");
    assert_eq!(history["to"], "2023-11-14T22:14:00.000Z");
    assert_eq!(
        (&history["resolution"], &history["step_secs"]),
        (&json!("minute"), &json!(60))
    );
    let points = history["points"].as_array().unwrap();
    let of = |field: &str| {
        points
            .iter()
            .map(|point| point[field].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(of("accepted"), [json!(4), json!(0), json!(0), json!(1)]);
    assert_eq!(of("units"), ["1", "0", "0", "0.25"]);
    assert_eq!(
        of("is_open"),
        [json!(false), json!(false), json!(false), json!(true)]
    );
    assert_eq!(of("error"), [json!(0.5), json!(null), json!(null), json!(1.0)]);
    assert_eq!(of("workers"), [json!(7), json!(null), json!(null), json!(null)]);
    let rates: Vec<_> = points
        .iter()
        .map(|point| point["hashrate"].as_f64().unwrap())
        .collect();
    // Four of difficulty 1 in a minute; one of difficulty 256 in the 20 seconds that are over.
    assert!(
        (rates[0] / (4.0 * 4_295_032_833.0 / 60.0) - 1.0).abs() < 1e-9,
        "{rates:?}"
    );
    assert!(
        (rates[3] / (256.0 * 4_295_032_833.0 / 20.123) - 1.0).abs() < 1e-9,
        "{rates:?}"
    );
    assert_eq!(rates[1..3], [0.0, 0.0]);
}

#[actix_web::test]
async fn what_lies_before_the_history_is_left_out() {
    let hours = history(world(), "/v1/pool/history").await;
    assert_eq!(hours["from"], "2023-11-14T20:00:00.000Z");
    assert_eq!(hours["points"].as_array().unwrap().len(), 3);
    let nothing = history(World::new(), "/v1/pool/history?resolution=day").await;
    assert_eq!(
        (&nothing["points"], &nothing["from"]),
        (&json!([]), &nothing["to"])
    );
}

#[actix_web::test]
async fn marks_say_what_happened() {
    let mut world = world();
    world.store.lives = vec![LifeRow {
        life: 4,
        started_at: NOW.moved(-60_000),
        stopped_at: Some(NOW.moved(-180_000)),
    }];
    let path = format!("/v1/miners/{}/history?resolution=minute&worker=rig1", miner());
    let history = history(world, &path).await;
    let marks = history["marks"].as_array().unwrap();
    let kinds: Vec<_> = marks.iter().map(|mark| mark["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["pool_stopped", "pool_started", "difficulty"]);
    assert_eq!((&marks[2]["from"], &marks[2]["to"]), (&json!(1.0), &json!(256.0)));
    assert_eq!(marks[2]["at"], "2023-11-14T22:13:00.000Z");
    assert_eq!(marks[0]["until"], marks[1]["at"]);
    let points = history["points"].as_array().unwrap();
    assert_eq!(points.last().unwrap()["difficulty"], 256.0);
}

#[actix_web::test]
async fn windows_reach_back_from_now_and_no_further_than_the_history() {
    let pool = history(world(), "/v1/pool").await;
    let rates = pool["hashrates"].as_array().unwrap();
    let hashes = |easy: f64, hard: f64| (easy + 256.0 * hard) * 4_295_032_833.0;
    // Ten minutes and the 20 seconds since; an hour and these; from the first hour of the history on.
    let expected = [
        (600, hashes(4.0, 1.0) / 620.123),
        (3_600, hashes(4.0 + 60.0, 1.0) / 3_620.123),
        (86_400, hashes(4.0 + 180.0, 1.0) / 8_000.123),
    ];
    for (rate, (window, expected)) in rates.iter().zip(expected) {
        assert_eq!(rate["window_secs"], window);
        let shown = rate["hashrate"].as_f64().unwrap();
        assert!(
            (shown / expected - 1.0).abs() < 1e-9,
            "{window}: {shown} {expected}"
        );
    }
    let of_miner = history(world(), &format!("/v1/miners/{}", miner())).await;
    assert_eq!(of_miner["hashrates"].as_array().unwrap().len(), 3);
}

#[actix_web::test]
async fn what_cannot_be_asked_is_refused_by_name() {
    let of_miner = format!("/v1/miners/{}/history", miner());
    let cases = [
        ("/v1/pool/history?resolution=week".to_owned(), 400, "resolution"),
        ("/v1/pool/history?from=yesterday".to_owned(), 400, "from"),
        (
            "/v1/pool/history?from=0001-01-01T00:00:00Z".to_owned(),
            400,
            "from",
        ),
        ("/v1/pool/history?to=9999-01-01T00:00:00Z".to_owned(), 400, "to"),
        (
            "/v1/pool/history?from=2024-01-01T00:00:00Z".to_owned(),
            400,
            "from",
        ),
        ("/v1/pool/history?worker=rig1".to_owned(), 400, "worker"),
        (
            "/v1/pool/history?resolution=minute&from=2023-11-01T00:00:00Z&to=2023-11-14T00:00:00Z".to_owned(),
            400,
            "from",
        ),
        (format!("{of_miner}?worker=no%20name"), 400, "worker"),
        (format!("{of_miner}?worker=rig9"), 404, "worker"),
        ("/v1/miners/nobody/history".to_owned(), 404, "hotkey"),
    ];
    for (path, status, field) in cases {
        let answer = ask_state(world().state(), get(&path)).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.json());
        assert_eq!(answer.json()["field"], field, "{path}");
        answer.code();
    }
    // The very most that there may be is answered.
    let path = "/v1/pool/history?resolution=minute&from=2023-11-13T00:00:00Z&to=2023-11-14T01:00:00Z";
    let most = history(world(), path).await;
    assert_eq!(most["points"].as_array().unwrap().len(), 0);
}

/// A miner of 24 hours ago with one worker that had so many shares in all.
fn miner_with(world: &mut World, shares: u64) {
    world.ports.miner = port(move |ask: ReadMiner| {
        let mut view = miner_view(ask.hotkey);
        view.registered_at = NOW.moved(-30 * 3_600_000);
        view.accepted = shares;
        view.workers[0].shares = shares;
        view.workers[0].last_share_at = Some(NOW.moved(-20_123));
        Some(view)
    });
}

#[actix_web::test]
async fn who_began_to_work_lately_is_averaged_since_then_and_everybody_else_over_the_whole_time() {
    let path = format!("/v1/miners/{}", miner());
    // The pool is older than all windows.
    let begin = |world: &mut World| {
        let mut old = minute(26 * 60, 0, EASY);
        old.sums.rejected[1] = 1;
        world.store.history = vec![old, minute(31, 2, EASY), minute(3, 4, EASY), minute(0, 1, HARD)];
    };
    let hashes = |easy: f64, hard: f64| (easy + 256.0 * hard) * 4_295_032_833.0;
    for (shares, expected) in [
        // All of its shares lie in the last day: it began with the first of them.
        (7, [(620, 5.0), (1_880, 7.0), (1_880, 7.0)]),
        // It had one before.
        (8, [(620, 5.0), (3_620, 7.0), (87_200, 7.0)]),
    ] {
        let mut world = World::new();
        begin(&mut world);
        miner_with(&mut world, shares);
        let told = history(world, &path).await;
        let worker = &told["workers"][0];
        assert_eq!(worker["last_share_age_secs"], 20);
        for of in [&told, worker] {
            let rates = of["hashrates"].as_array().unwrap();
            assert_eq!(rates.len(), 3);
            for (rate, (over, shares)) in rates.iter().zip(expected) {
                assert_eq!(rate["over_secs"], over, "{shares} {rate}");
                let (rate, error) = (
                    rate["hashrate"].as_f64().unwrap(),
                    rate["error"].as_f64().unwrap(),
                );
                let expected = hashes(shares - 1.0, 1.0) / (over as f64 + 0.123);
                assert!((rate / expected - 1.0).abs() < 1e-9, "{rate} {expected}");
                let squares = (shares - 1.0 + 256.0 * 256.0).sqrt() / (shares - 1.0 + 256.0);
                assert!((error / squares - 1.0).abs() < 1e-9, "{error} {squares}");
            }
        }
    }
}

#[actix_web::test]
async fn the_pool_tells_how_many_shares_come_a_second() {
    let pool = history(world(), "/v1/pool").await;
    let rate = pool["share_rate"].as_f64().unwrap();
    assert!((rate / (5.0 / 620.123) - 1.0).abs() < 1e-9, "{rate}");
}

#[actix_web::test]
async fn the_first_step_of_a_pool_is_averaged_from_its_start_on() {
    let mut world = World::new();
    world.store.history = vec![minute(0, 4, EASY)];
    // The hour began 13 minutes ago, the minute 20 s ago, and the pool 12.123 s ago.
    world.store.lives = vec![LifeRow {
        life: 1,
        started_at: NOW.moved(-12_123),
        stopped_at: None,
    }];
    let state = world.state();
    for resolution in ["minute", "hour", "day"] {
        let path = format!("/v1/pool/history?resolution={resolution}");
        let answer = ask_state(state.clone(), get(&path)).await.json();
        let points = answer["points"].as_array().unwrap();
        let rate = points.last().unwrap()["hashrate"].as_f64().unwrap();
        let expected = 4.0 * 4_295_032_833.0 / 12.123;
        assert!(
            (rate / expected - 1.0).abs() < 1e-9,
            "{resolution}: {rate} {expected}"
        );
    }
}
