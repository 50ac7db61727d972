//! What a miner earned beside what was to be expected, its place in the window, and when it is paid next.

use dwarves_actors::paymaster::messages::PayoutsView;
use dwarves_actors::reward_distributor::messages::ScheduleView;
use dwarves_domain::history::Sums;
use dwarves_domain::ids::{HeaderHash, Sequence};
use dwarves_domain::rewards::{Scheme, Source};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::units::{BasisPoints, Units};
use dwarves_ports::store::{Accounting, BlockRow, BlockState, Earned, HistoryStep};
use serde_json::{Value, json};

use super::fake_ports::port;
use super::fakes::World;
use super::samples::{NOW, STRANGER, miner_view, sats};
use super::{ask, ask_state, get, miner};

/// 2023-11-14, the day of [`NOW`], at midnight.
const TODAY: i64 = 1_699_920_000;

fn day(days_ago: i64) -> Timestamp {
    Timestamp::from_secs(TODAY - days_ago * 86_400)
}

/// Shares of a quarter of a unit each.
fn mined(days_ago: i64, shares: u64) -> HistoryStep {
    let mut sums = Sums::default();
    let quarter = Units::from_raw(Units::ONE.raw() / 4);
    sums.add_shares(CompactTarget::from_bits(0x1d00_ffff), quarter, shares);
    HistoryStep {
        at: day(days_ago),
        sums,
        last_bits: None,
        miners: None,
        workers: None,
    }
}

fn block(days_ago: i64, reward: u64, state: BlockState) -> BlockRow {
    BlockRow {
        hash: HeaderHash::from_bytes([2; 32]),
        height: 101,
        reward: sats(reward),
        finder: None,
        sequence: Sequence::new(1),
        total_before: Units::ZERO,
        units: Units::ONE,
        found_at: day(days_ago),
        state,
        confirmations: 4,
        accounting: Accounting::None,
        effort: Units::ONE,
        bytes: Vec::new(),
    }
}

fn schedule(scheme: Scheme, source: Source) -> ScheduleView {
    ScheduleView {
        scheme,
        source,
        fee: BasisPoints::new(100).unwrap(),
        window: "2".parse().unwrap(),
        run_interval: Span::from_secs(60),
        next_round_at: NOW,
        last_round: None,
        paused: false,
        missed: 0,
        emission: None,
    }
}

/// Two blocks and an orphan yesterday, a block 20 days ago.
fn world(scheme: Scheme, source: Source) -> World {
    let mut world = World::new();
    world.ports.schedule = port(move |_| schedule(scheme, source));
    world.store.history = vec![mined(20, 4), mined(3, 16), mined(1, 16), mined(0, 400)];
    world.store.blocks = vec![
        block(0, 5, BlockState::Immature),
        block(1, 1_100, BlockState::Immature),
        block(1, 900, BlockState::Mature),
        block(1, 7, BlockState::Orphaned),
        block(20, 2_000, BlockState::Mature),
    ];
    world.store.earned = Earned {
        days: [(day(0), 9), (day(1), 3_000), (day(6), -40), (day(20), 2_000)].into(),
        cut_at: None,
    };
    world
}

async fn periods(world: World) -> Vec<Value> {
    let answer = ask_state(world.state(), get(&format!("/v1/miners/{}/earnings", miner()))).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()["periods"].as_array().unwrap().clone()
}

/// Nothing is 0, and no less than that.
#[actix_web::test]
async fn whoever_mined_nothing_is_to_expect_nothing() {
    let mut world = world(Scheme::Pplns, Source::Blocks);
    world.store.history.clear();
    let periods = periods(world).await;
    for period in &periods {
        assert_eq!(period["expected_blocks"].to_string(), "0.0", "{period}");
    }
}

#[actix_web::test]
async fn a_period_of_which_not_all_blocks_are_counted_says_so() {
    let mut world = world(Scheme::Pplns, Source::Blocks);
    world.store.blocks = vec![block(3, 5, BlockState::Mature); 1_001];
    let cut: Vec<bool> = periods(world)
        .await
        .iter()
        .map(|period| period["is_cut"] == true)
        .collect();
    assert_eq!(cut, [false, false, true, true]);
}

#[actix_web::test]
async fn what_was_earned_stands_beside_what_was_to_be_expected() {
    let periods = periods(world(Scheme::Pplns, Source::Blocks)).await;
    // 4 units at 1,000 sats less 1 %, and the root of 4 blocks.
    assert_eq!(
        periods[1],
        json!({"name": "yesterday", "from": "2023-11-13T00:00:00.000Z", "to": "2023-11-14T00:00:00.000Z",
               "earned_sats": 3_000, "expected_sats": 3_960, "spread_sats": 1_980, "blocks": 2,
               "expected_blocks": 4.0, "is_cut": false})
    );
    assert_eq!(
        (&periods[2]["name"], &periods[2]["earned_sats"]),
        (&json!("7_days"), &json!(2_960))
    );
    assert_eq!(periods[2]["expected_sats"], 7_920);
    assert_eq!(
        (&periods[3]["name"], &periods[3]["blocks"]),
        (&json!("30_days"), &json!(3))
    );
    assert_eq!(periods[3]["earned_sats"], 4_960);
    // So far, and none of it in the others.
    let today = &periods[0];
    assert_eq!(
        (
            &today["name"],
            &today["earned_sats"],
            &today["blocks"],
            &today["expected_blocks"]
        ),
        (&json!("today"), &json!(9), &json!(1), &json!(400.0 / 4.0))
    );
}

#[actix_web::test]
async fn what_is_to_be_expected_depends_on_the_scheme() {
    let of = async |scheme, source| {
        let period = periods(world(scheme, source)).await.swap_remove(1);
        (period["expected_sats"].clone(), period["spread_sats"].clone())
    };
    assert_eq!(
        of(Scheme::Solo, Source::Blocks).await,
        (json!(3_960), json!(1_980))
    );
    assert_eq!(of(Scheme::Pps, Source::Blocks).await, (json!(3_000), json!(0)));
    assert_eq!(
        of(Scheme::Pplns, Source::Emission).await,
        (Value::Null, Value::Null)
    );
    let mut cut = world(Scheme::Fpps, Source::Blocks);
    cut.store.earned.cut_at = Some(day(2));
    let cut: Vec<Value> = periods(cut)
        .await
        .iter()
        .map(|period| period["is_cut"].clone())
        .collect();
    assert_eq!(cut, [json!(false), json!(false), json!(true), json!(true)]);
    let stranger = ask(get(&format!("/v1/miners/{STRANGER}/earnings"))).await;
    stranger.refuses(404, "miner_unknown", None);
    ask(get(&format!("/v1/miners/{}/earnings?x=1", miner())))
        .await
        .refuses(400, "query_invalid", Some("x"));
}

async fn read(change: impl FnOnce(&mut World)) -> Value {
    let mut world = world(Scheme::Pplns, Source::Blocks);
    change(&mut world);
    ask_state(world.state(), get(&format!("/v1/miners/{}", miner())))
        .await
        .json()
}

#[actix_web::test]
async fn a_miner_sees_how_long_its_work_stays_in_the_window() {
    let window = read(|world| {
        world.store.units = "10".parse().unwrap();
        world.ports.miner = port(|question: dwarves_actors::miner_manager::messages::ReadMiner| {
            let mut view = miner_view(question.hotkey);
            view.workers[0].last_share_at = Some(NOW);
            Some(view)
        });
    })
    .await["window"]
        .clone();
    assert_eq!(
        (&window["units"], &window["of_units"]),
        (&json!("0.0625"), &json!("2"))
    );
    assert_eq!(
        (&window["share"], &window["first_sequence"]),
        (&json!(0.031_25), &json!(5))
    );
    // Two units at 2,000 hashes a second and 2^32 hashes a unit: some 50 days.
    let leaves_at = window["leaves_at"].as_str().unwrap();
    assert!(leaves_at.starts_with("2024-01-03T"), "{leaves_at}");
    let none = read(|world| world.ports.schedule = port(|_| schedule(Scheme::Solo, Source::Blocks))).await;
    assert_eq!(none["window"], Value::Null, "there is no window");
}

#[actix_web::test]
async fn the_next_payout_is_told_from_what_came_in_lately() {
    let of_one_since = async |days: i64, threshold: Option<u64>, payable: u64, earned: i64| {
        let next = read(|world| {
            world.ports.miner = port(
                move |question: dwarves_actors::miner_manager::messages::ReadMiner| {
                    let mut view = miner_view(question.hotkey);
                    view.registered_at = NOW.moved(-days * 86_400_000);
                    Some(view)
                },
            );
            world.store.threshold = threshold.map(sats);
            world.store.balances.payable = sats(payable);
            world.store.earned.days = [(day(1), earned)].into();
            world.ports.payouts = port(|_| PayoutsView {
                threshold: sats(10_000),
                next_plan_at: NOW.plus(Span::from_secs(60)),
                ..PayoutsView::default()
            });
        });
        next.await["next_payout"].clone()
    };
    let of = async |threshold, payable, earned| of_one_since(30, threshold, payable, earned).await;
    // 7,000 in seven days: 3,000 more take three days.
    let next = of(None, 7_000, 7_000).await;
    assert_eq!(
        next,
        json!({"threshold_sats": 10_000, "payable_sats": 7_000, "per_day_sats": 1_000,
               "due_at": "2023-11-17T22:13:20.123Z"})
    );
    assert_eq!(
        of(Some(8_000), 7_000, 7_000).await["due_at"],
        "2023-11-15T22:13:20.123Z"
    );
    // Whoever is two days old earned the same in two days.
    let young = of_one_since(2, None, 7_000, 7_000).await;
    assert_eq!(young["per_day_sats"], 3_500);
    assert_eq!(
        of(None, 9_999, 70_000_000).await["due_at"],
        "2023-11-14T22:14:20.123Z",
        "soon, but not before the next plan"
    );
    assert_eq!(
        of(None, 10_000, 0).await["due_at"],
        "2023-11-14T22:14:20.123Z",
        "at the next plan"
    );
    for earned in [0, -5] {
        let never = of(None, 7_000, earned).await;
        assert_eq!(
            (&never["per_day_sats"], &never["due_at"]),
            (&Value::Null, &Value::Null)
        );
    }
}
