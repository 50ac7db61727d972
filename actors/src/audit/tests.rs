//! Every admin message on the assembled pool, with a disk that fills before and right after the first commit: what the
//! message changes and its row of the audit trail are there together, or neither is.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use actix::Actor;
use dwarves_domain::address::{AddressFormat, PayoutAddress};
use dwarves_domain::ids::{PayoutId, TemplateId, WorkerId};
use dwarves_domain::payouts::{FeePayer, Part, Payout};
use dwarves_domain::time::Span;
use dwarves_ports::store::reads::PageRequest;
use dwarves_ports::store::{AuditRow, BanRow, Store, WorkerRow, Write};
use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::build::{BEGIN, EASY_BITS, hotkey, sats, worker_name};
use dwarves_testkit::faulty_store::{FaultPlan, FaultyStore};
use dwarves_testkit::{ManualClock, RecordingHalt, TestChain, TestWallet, settle};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::ask::Port;
use crate::assembly::{Placement, Trade, World, start};
use crate::control::Controlled;
use crate::handlers::admin::messages::{AdminCaller, Control};
use crate::handlers::admin::{ACTORS, AdminHandler, AdminHandlerParts};
use crate::testing::payouts::crediting_round;
use crate::testing::settings::{payout_settings, pool_settings};

const ADDRESS: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

/// What is so before the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    /// Miners 1 and 2, 1 with a worker and 2 banned, and a fee that an admin stored.
    Usual,
    /// Miner 1 is owed something.
    Owed,
    /// A payout is reserved, and payouts are paused.
    Reserved,
    /// The wallet paid miner 1 what the ledger does not know.
    PaidElsewhere,
}

/// A message, what is so before it, and whether it changes what is stored.
type Case = (&'static str, &'static str, Value, Before, bool);

fn cases() -> Vec<Case> {
    use Before::{Owed, PaidElsewhere, Reserved, Usual};
    let [miner, banned] = [1, 2].map(|n| hotkey(n).to_string());
    let pool = "pool_manager";
    let (miners, rewards, payouts) = ("miner_manager", "reward_distributor", "paymaster");
    let difficulty = json!({ "hotkey": miner, "worker": "rig", "difficulty": 1e-7 });
    let exports = "payout_exporter";
    let paid = || json!({ "batch": "b", "reference": "tx", "payouts": [1] });
    let lift = || json!({ "address": "192.0.2.1" });
    vec![
        (pool, "status", json!({}), Usual, false),
        (pool, "pause", json!({}), Usual, true),
        (pool, "resume", json!({}), Usual, true),
        (pool, "drain", json!({}), Usual, false),
        (pool, "shutdown", json!({}), Usual, false),
        (
            pool,
            "forget_setting",
            json!({ "setting": "rewards.fee_bps" }),
            Usual,
            true,
        ),
        (
            pool,
            "forget_setting",
            json!({ "setting": "rewards.paused" }),
            Usual,
            false,
        ),
        (
            miners,
            "ban",
            json!({ "hotkey": miner, "reason": "spam" }),
            Usual,
            true,
        ),
        (miners, "unban", json!({ "hotkey": banned }), Usual, true),
        (miners, "open_registration", json!({}), Usual, true),
        (miners, "close_registration", json!({}), Usual, true),
        (miners, "set_share_difficulty", difficulty, Usual, true),
        (
            miners,
            "remove_worker",
            json!({ "hotkey": miner, "worker": "rig" }),
            Usual,
            true,
        ),
        (miners, "remove_miner", json!({ "hotkey": miner }), Usual, true),
        // The store refuses it: it is owed something.
        (miners, "remove_miner", json!({ "hotkey": miner }), Owed, false),
        ("work_manager", "refresh", json!({}), Usual, false),
        ("stratum_gate", "status", json!({}), Usual, false),
        ("stratum_gate", "lift", lift(), Usual, false),
        ("http_gate", "status", json!({}), Usual, false),
        ("http_gate", "lift", lift(), Usual, false),
        (
            rewards,
            "set_run_interval",
            json!({ "run_interval_secs": 77 }),
            Usual,
            true,
        ),
        (rewards, "distribute_now", json!({}), Usual, true),
        (rewards, "pause", json!({}), Usual, true),
        (rewards, "resume", json!({}), Usual, true),
        (rewards, "set_fee", json!({ "fee_bps": 8 }), Usual, true),
        (rewards, "reset_schedule", json!({}), Usual, true),
        // Refused: its rewards come from blocks, and it has no work evaluated.
        (
            rewards,
            "set_emission",
            json!({ "emission_sats": 9 }),
            Usual,
            false,
        ),
        ("work_evaluator", "status", json!({}), Usual, false),
        (
            "work_evaluator",
            "remove_submission",
            json!({ "submission": "0".repeat(32) }),
            Usual,
            false,
        ),
        (payouts, "pause", json!({}), Usual, true),
        (payouts, "resume", json!({}), Usual, true),
        (payouts, "pay_now", json!({ "dry_run": false }), Owed, true),
        (payouts, "pay_now", json!({ "dry_run": true }), Owed, false),
        (payouts, "cancel", json!({ "payout": 1 }), Reserved, true),
        (
            payouts,
            "set_threshold",
            json!({ "threshold_sats": 20_000 }),
            Usual,
            true,
        ),
        (payouts, "adopt", json!({}), PaidElsewhere, true),
        (
            payouts,
            "release",
            json!({ "hold": "restored" }),
            PaidElsewhere,
            true,
        ),
        (payouts, "release", json!({ "hold": "start" }), Usual, false),
        // Refused: it has a wallet. What they change elsewhere is tested beside the exporter.
        (exports, "status", json!({}), Usual, false),
        (exports, "export", json!({ "batch": "b" }), Owed, false),
        (exports, "mark_paid", paid(), Owed, false),
        (exports, "unmark_paid", paid(), Owed, false),
        (exports, "give_back", json!({ "batch": "b" }), Owed, false),
    ]
}

async fn ledger(before: Before) -> InlineStore {
    let memory = InlineStore::fresh();
    memory.start(BEGIN).await.unwrap();
    let register = |n| Write::RegisterMiner {
        hotkey: hotkey(n),
        payout_address: Some(ADDRESS.to_owned()),
        at: BEGIN,
    };
    let setting = |key: &str, value: &str| Write::SaveSetting {
        key: key.to_owned(),
        value: Some(value.to_owned()),
    };
    let mut writes = vec![
        register(1),
        register(2),
        Write::AddWorker(WorkerRow {
            id: WorkerId::new(1),
            hotkey: hotkey(1),
            name: worker_name("rig"),
        }),
        Write::Ban {
            hotkey: hotkey(2),
            ban: BanRow {
                reason: "spam".to_owned(),
                until: None,
            },
        },
        setting("rewards.fee_bps", "777"),
    ];
    if matches!(before, Before::Reserved | Before::PaidElsewhere) {
        writes.push(crediting_round(1, BEGIN, &[50_000]));
        writes.push(setting("payouts.paused", "true"));
    }
    if before == Before::Reserved {
        let part = Part {
            hotkey: hotkey(1),
            address: ADDRESS.to_owned(),
            amount: sats(50_000),
            fee: sats(0),
            borne: sats(0),
        };
        let rate = payout_settings().fee_rate;
        let payout = Payout::reserve(PayoutId::new(1), BEGIN, vec![part], FeePayer::Pool, rate);
        writes.push(Write::ReservePayout(Box::new(payout)));
    }
    memory.commit(writes).await.unwrap();
    memory
}

/// All that is stored, but for the audit trail, and for templates: those are stored as they come.
async fn stored(memory: &InlineStore) -> String {
    let mut state = memory.copy().unwrap().start(BEGIN).await.unwrap();
    state.templates.clear();
    state.past_templates.clear();
    state.next_template = TemplateId::new(1);
    format!("{state:?} {:?} {:?}", memory.payouts(), memory.balances())
}

async fn trail(memory: &InlineStore) -> Vec<AuditRow> {
    let page = PageRequest {
        cursor: None,
        limit: 100,
    };
    memory.audit(page).await.unwrap().rows
}

struct Outcome {
    /// Commits before the message.
    commits: u64,
    reply: Controlled,
    changed: bool,
    trail: Vec<AuditRow>,
}

/// Starts a pool and sends it the message. These commits find the disk full.
async fn run(case: &Case, disk_full: Option<Range<u64>>) -> Outcome {
    let (actor, message, fields, before, _) = case;
    let memory = ledger(*before).await;
    let plan = FaultPlan {
        disk_full,
        ..FaultPlan::default()
    };
    let store = FaultyStore::new(Arc::new(memory.clone()), plan);
    let wallet = TestWallet::with_coins(&[60_000, 500_000, 2_000_000]);
    if *before == Before::PaidElsewhere {
        let address = PayoutAddress::parse(ADDRESS, AddressFormat::BitcoinRegtest).unwrap();
        wallet.pay_elsewhere(&[(address.script(), 20_000)]);
    }
    let clock = ManualClock::at(BEGIN);
    let world = World {
        store: Arc::new(store.clone()),
        trade: Trade::Mining {
            chain: Arc::new(TestChain::new(EASY_BITS)),
            wallet: Arc::new(wallet),
        },
        clock: Arc::new(clock.clone()),
        halt: RecordingHalt::default().shared(),
        stop: watch::Sender::new(false),
    };
    let ports = start(pool_settings(), world, &Placement::Here).await.unwrap();
    settle().await;
    for _ in 0..2 {
        clock.advance(Span::from_secs(10));
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    // A round may be closed again, and none is due.
    clock.advance(Span::from_secs(1));
    tokio::time::sleep(Duration::from_secs(2)).await;
    if *before == Before::Owed {
        let credit = crediting_round(100, BEGIN.plus(Span::from_secs(30)), &[50_000]);
        memory.commit(vec![credit]).await.unwrap();
    }
    let admin = AdminHandler::new(AdminHandlerParts {
        admins: [].into(),
        deliver: ports.deliver.clone(),
        ledger: ports.commit.clone(),
        clock: Arc::new(clock),
    })
    .start();
    let (commits, was) = (store.commits(), stored(&memory).await);
    let Value::Object(fields) = fields.clone() else {
        panic!("fields are an object")
    };
    let control = Control {
        caller: AdminCaller::Token,
        actor: (*actor).to_owned(),
        message: (*message).to_owned(),
        fields,
    };
    let reply = Port::new(&admin).ask(control, Duration::from_secs(120)).await;
    Outcome {
        commits,
        reply: reply.unwrap(),
        changed: stored(&memory).await != was,
        trail: trail(&memory).await,
    }
}

#[test]
fn every_message_of_every_actor_has_a_case() {
    let cases = cases();
    for (actor, messages) in ACTORS {
        for message in messages {
            let is_it = |case: &&Case| (case.0, case.1) == (actor, message);
            assert!(
                cases.iter().any(|case| is_it(&case)),
                "{actor} {message} has no case"
            );
        }
    }
}

#[actix::test]
async fn what_a_message_changes_and_its_row_are_there_together_or_not_at_all() {
    tokio::time::pause();
    for case in cases() {
        let name = format!("{} {} {:?}", case.0, case.1, case.3);
        let outcome = run(&case, None).await;
        assert_eq!(outcome.changed, case.4, "{name}: {:?}", outcome.reply);
        let [row] = &outcome.trail[..] else {
            panic!("{name}: one row, not {:?}", outcome.trail)
        };
        assert_eq!((&*row.who, &*row.actor, &*row.message), ("token", case.0, case.1));
        if !case.4 {
            continue;
        }
        assert!(
            outcome.reply.is_ok(),
            "{name}: {outcome:?}",
            outcome = outcome.reply
        );
        assert!(row.outcome.starts_with("{\"done\":"), "{name}: {}", row.outcome);
        let first = outcome.commits + 1;
        // The first commit is the last that the disk takes, as after a crash right behind it.
        let both = run(&case, Some(first + 1..u64::MAX)).await;
        assert!(both.changed, "{name}: {:?}", both.reply);
        assert_eq!(both.trail.len(), 1, "{name}: {:?}", both.trail);
        assert!(both.trail[0].outcome.starts_with("{\"done\":"), "{name}");
        // The disk takes not even that.
        let neither = run(&case, Some(first..u64::MAX)).await;
        assert!(!neither.changed, "{name}: {:?}", neither.reply);
        assert_eq!(neither.trail, [], "{name}");
    }
}
