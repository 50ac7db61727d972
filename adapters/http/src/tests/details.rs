//! One block, one share, why a miner got an amount; luck.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{ExtraNonce, HeaderHash, RoundId, Sequence, WorkerId};
use dwarves_domain::rewards::{Scheme, Source};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::units::{BasisPoints, Units};
use dwarves_domain::work::coinbase::{Coinbase, CoinbaseSpec};
use dwarves_domain::work::{ChainTemplate, CoinbaseForm};
use dwarves_ports::store::{
    Accounting, BlockBooked, BlockDetails, BlockRow, BlockState, CreditKind, CreditRow, CreditWorkings,
    RoundRow, ShareDetails, ShareRow, TemplateRow,
};
use serde_json::{Value, json};

use super::fakes::World;
use super::samples::{NOW, sats};
use super::{ask, ask_state, get, miner};

pub(super) const HASH: HeaderHash = HeaderHash::from_bytes([2; 32]);
/// Pays a witness key hash of twenty sevens.
const SCRIPT: [u8; 22] = [0, 20, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7];

fn template() -> TemplateRow {
    TemplateRow {
        id: dwarves_domain::ids::TemplateId::new(4),
        received_at: NOW,
        chain: ChainTemplate {
            height: 101,
            previous: HeaderHash::from_bytes([1; 32]),
            version: 0x2000_0000,
            version_mask: 0,
            bits: CompactTarget::from_bits(0x1d00_ffff),
            time: 1,
            time_min: 0,
            time_max: 2,
            subsidy: sats(5_000_000_000),
            coinbase_value: sats(5_000_000_700),
            coinbase_form: CoinbaseForm::Bip54,
            witness_commitment: Some([&[0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed][..], &[9; 32]].concat()),
            transactions: Vec::new(),
            trailer: Vec::new(),
        },
        payout_script: SCRIPT.to_vec(),
        tag: "/dwarves/".to_owned(),
    }
}

pub(super) fn share(is_whole: bool) -> ShareDetails {
    ShareDetails {
        sequence: Sequence::new(7),
        total_before: "1.5".parse().unwrap(),
        hotkey: miner(),
        worker: "rig1".parse().unwrap(),
        row: ShareRow {
            template: template().id,
            extranonce: ExtraNonce::new(5).into(),
            worker: WorkerId::new(1),
            share_bits: CompactTarget::from_bits(0x1d00_ffff),
            units: Units::ONE,
            hash: HASH,
            version: 0x2000_0000,
            time: 1_700_000_000,
            nonce: 0xbeef,
            received_at: NOW,
            block: None,
        },
        is_whole,
        template: template(),
        block: Some(BlockState::Immature),
        round: Some(RoundId::new(3)),
    }
}

fn block_row(hash: HeaderHash, sequence: u64) -> BlockRow {
    BlockRow {
        hash,
        height: 101,
        reward: sats(5_000_000_700),
        finder: Some(miner()),
        sequence: Sequence::new(sequence),
        total_before: "1.5".parse().unwrap(),
        units: Units::ONE,
        found_at: NOW,
        state: BlockState::Immature,
        confirmations: 4,
        accounting: Accounting::Credited,
        effort: "0.5".parse().unwrap(),
        bytes: Vec::new(),
    }
}

pub(super) fn details() -> BlockDetails {
    BlockDetails {
        block: block_row(HASH, 7),
        beginning: Vec::new(),
        states: vec![(BlockState::Submitted, Some(NOW)), (BlockState::Immature, None)],
        booked: Some(BlockBooked {
            round: RoundId::new(3),
            fee: sats(700),
            kept: sats(0),
            credited: sats(5_000_000_000),
        }),
    }
}

fn path() -> String {
    format!("/v1/blocks/{HASH}")
}

async fn block(change: impl FnOnce(&mut World)) -> Value {
    let mut world = World::new();
    world.store.block_details = vec![details()];
    world.store.shares = vec![share(true)];
    world.store.blocks = vec![block_row(HeaderHash::from_bytes([1; 32]), 2)];
    change(&mut world);
    let answer = ask_state(world.state(), get(&path())).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()
}

fn spec(template: &TemplateRow) -> Vec<u8> {
    let coinbase = Coinbase::new(&CoinbaseSpec {
        height: template.chain.height,
        form: template.chain.coinbase_form,
        tag: &template.tag,
        payout_script: &template.payout_script,
        value: template.chain.coinbase_value,
        witness_commitment: template.chain.witness_commitment.as_deref(),
    });
    coinbase.unwrap().transaction(ExtraNonce::new(5))
}

#[actix_web::test]
async fn a_block_is_shown_with_its_coinbase_beside_the_books() {
    let block = block(|_| ()).await;
    assert_eq!(block["hash"], HASH.to_string());
    assert_eq!(
        (&block["sequence"], &block["worker"]),
        (&json!(7), &json!("rig1"))
    );
    assert_eq!((&block["share_before"], &block["round"]), (&json!(2), &json!(3)));
    assert_eq!(block["network_difficulty"], 1.0);
    assert!((block["probability"].as_f64().unwrap() - 0.393_469).abs() < 1e-6);
    assert_eq!(
        block["books"],
        json!({"reward_sats": 5_000_000_700_u64, "fee_sats": 700, "credited_sats": 5_000_000_000_u64,
               "kept_sats": 0, "matches": true})
    );
    assert_eq!(
        block["states"],
        json!([{"state": "submitted", "at": "2023-11-14T22:13:20.123Z"}, {"state": "immature", "at": null}])
    );
    let coinbase = &block["coinbase"];
    assert_eq!(coinbase["hex"], hex::encode(spec(&template())));
    assert_eq!(
        (&coinbase["height"], &coinbase["tag"]),
        (&json!(101), &json!("/dwarves/"))
    );
    assert_eq!(coinbase["witness_commitment"], "09".repeat(32));
    assert_eq!(coinbase["outputs"][0]["value_sats"], 5_000_000_700_u64);
    assert_eq!(coinbase["outputs"][0]["is_pool"], true);
    let address = coinbase["outputs"][0]["address"].as_str().unwrap();
    assert!(address.starts_with("bcrt1q"), "{address}");
    assert_eq!(coinbase["outputs"][1]["is_pool"], false);
    assert_eq!(coinbase["outputs"][1]["address"], Value::Null);
    assert_eq!(block["value_sats"], 5_000_000_700_u64);
}

#[actix_web::test]
async fn books_that_do_not_match_the_coinbase_say_so() {
    let paid_less = block(|world| world.store.shares[0].template.chain.coinbase_value = sats(1)).await;
    assert_eq!(paid_less["books"]["matches"], false);
    let lost_one = block(|world| {
        let booked = world.store.block_details[0].booked.as_mut().unwrap();
        booked.fee = sats(699);
    });
    assert_eq!(lost_one.await["books"]["matches"], false);
}

#[actix_web::test]
async fn a_block_is_read_from_its_own_bytes_while_they_are_kept() {
    let mut bytes = vec![0; 80];
    bytes[72..76].copy_from_slice(&0x1c00_ffff_u32.to_le_bytes());
    bytes.push(1);
    bytes.extend_from_slice(&spec(&template()));
    let block = block(|world| {
        world.store.block_details[0].beginning = bytes;
        world.store.block_details[0].booked = None;
        // The share in its place is another's: its own was lost.
        world.store.shares[0].row.hash = HeaderHash::from_bytes([3; 32]);
    });
    let block = block.await;
    assert_eq!(block["network_difficulty"], 256.0);
    assert_eq!((&block["worker"], &block["round"]), (&Value::Null, &Value::Null));
    assert_eq!(block["coinbase"]["outputs"][0]["is_pool"], true);
    assert_eq!(block["books"]["matches"], true);
    assert_eq!(block["books"]["fee_sats"], Value::Null);
}

#[actix_web::test]
async fn what_is_not_kept_any_more_is_null() {
    let block = block(|world| {
        world.store.shares.clear();
        world.store.blocks.clear();
        world.store.block_details[0].booked = None;
    });
    let block = block.await;
    for field in [
        "worker",
        "coinbase",
        "value_sats",
        "network_difficulty",
        "share_before",
    ] {
        assert_eq!(block[field], Value::Null, "{field}");
    }
    assert_eq!(block["books"]["matches"], Value::Null);
    // A share without the end of its extranonce gives no coinbase, but all else.
    let old = super::ask_state(
        {
            let mut world = World::new();
            world.store.block_details = vec![details()];
            world.store.shares = vec![share(false)];
            world.state()
        },
        get(&path()),
    );
    let old = old.await.json();
    assert_eq!((&old["coinbase"], &old["worker"]), (&Value::Null, &json!("rig1")));
}

#[actix_web::test]
async fn names_that_are_none_are_refused_by_name() {
    for path in ["x", "00", &"0".repeat(63), &"A".repeat(64), &"0".repeat(64)] {
        let answer = ask(get(&format!("/v1/blocks/{path}"))).await;
        answer.refuses(404, "block_unknown", Some("hash"));
        let answer = ask(get(&format!("/v1/payouts/{path}"))).await;
        answer.refuses(404, "payout_unknown", Some("txid"));
    }
    for path in [
        "x",
        "0",
        "-1",
        "+1",
        "1.5",
        "99999999999999999999",
        "18446744073709551615",
        "21",
    ] {
        let answer = ask(get(&format!("/v1/shares/{path}"))).await;
        answer.refuses(404, "share_unknown", Some("sequence"));
    }
    for path in ["/v1/luck?x=1", "/v1/shares/1?x=1", &format!("{}?x=1", path())] {
        ask(get(path)).await.refuses(400, "query_invalid", Some("x"));
    }
}

#[actix_web::test]
async fn a_share_is_shown_with_what_it_counts_for() {
    let mut world = World::new();
    world.store.shares = vec![share(true)];
    let state = world.state();
    let answer = ask_state(state.clone(), get("/v1/shares/7")).await;
    assert_eq!(
        answer.json(),
        json!({"sequence": 7, "hash": HASH.to_string(), "hotkey": miner().to_string(), "worker": "rig1",
               "at": "2023-11-14T22:13:20.123Z", "template": 4, "height": 101, "issued_difficulty": 1.0,
               "network_difficulty": 1.0, "units": "1", "units_before": "1.5", "is_block": true,
               "block": HASH.to_string(), "block_state": "immature", "round": 3, "version_hex": "20000000",
               "time": 1_700_000_000, "nonce_hex": "0000beef", "extranonce_hex": "000000000000000500000000"})
    );
    // There are 20: one that is not there was pruned.
    let pruned = ask_state(state.clone(), get("/v1/shares/6")).await;
    pruned.refuses(404, "share_unknown", Some("sequence"));
    assert!(
        pruned.json()["detail"]
            .as_str()
            .unwrap()
            .contains("not kept any more")
    );
    let future = ask_state(state, get("/v1/shares/21")).await;
    assert!(future.json()["detail"].as_str().unwrap().contains("yet"));
}

#[actix_web::test]
async fn luck_is_told_over_three_windows() {
    let mut world = World::new();
    world.store.found_ends = (1..=60)
        .rev()
        .map(|n| Units::from_raw(2 * n * Units::ONE.raw()))
        .collect();
    let luck = ask_state(world.state(), get("/v1/luck")).await.json();
    let windows = luck["windows"].as_array().unwrap();
    let read = |at: usize, field: &str| windows[at][field].as_f64().unwrap();
    assert_eq!(
        (read(0, "blocks"), read(0, "found"), read(0, "expected")),
        (10.0, 10.0, 20.0)
    );
    assert_eq!(
        (read(1, "found"), read(1, "expected"), read(1, "luck")),
        (50.0, 100.0, 0.5)
    );
    assert_eq!(
        (read(2, "blocks"), read(2, "found"), read(2, "expected")),
        (250.0, 60.0, 120.0)
    );
    assert!(read(1, "low") < 0.5 && read(1, "high") > 0.5 && read(1, "high") < 1.0);
    assert!(read(1, "percentile") < 1e-4);
    let none = ask(get("/v1/luck")).await.json();
    assert_eq!(none["windows"][0]["luck"], Value::Null);
    assert_eq!(none["windows"][0]["found"], 0);
}

#[actix_web::test]
async fn a_credit_is_explained_or_it_is_said_why_not() {
    let credit = |amount| CreditRow {
        round: RoundId::new(3),
        closed_at: NOW,
        hotkey: miner(),
        units: "1".parse().unwrap(),
        amount: sats(amount),
        kind: CreditKind::Credit,
        block: Some(HASH),
    };
    let world = |amount, is_kept: bool| {
        let mut world = World::new();
        world.store.block_details = vec![details()];
        world.store.rounds = vec![RoundRow {
            id: RoundId::new(3),
            closed_at: NOW,
            scheme: Scheme::Pplns,
            source: Source::Blocks,
            reward: sats(5_000_000_700),
            fee: sats(700),
            kept: sats(0),
            credited: sats(5_000_000_000),
            emitted: None,
            blocks: vec![HASH],
            digest: [0; 32],
        }];
        world.store.credits = vec![credit(amount)];
        if is_kept {
            let kept = CreditWorkings {
                fee: BasisPoints::new(7).unwrap(),
                splits: Vec::new(),
                paid: None,
            };
            world.store.workings.insert((RoundId::new(3), miner()), kept);
        }
        world.state()
    };
    let path = format!("/v1/miners/{}/rounds/3", miner());
    let answer = ask_state(world(5_000_000_000, false), get(&path)).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    let example = answer.json();
    assert_eq!(
        (&example["amount_sats"], &example["round"]["id"]),
        (&json!(5_000_000_000_u64), &json!(3))
    );
    let steps = example["steps"].as_array().unwrap();
    assert_eq!(steps.last().unwrap()["name"], "amount_sats");
    assert_eq!(steps.last().unwrap()["result"], "5000000000");
    assert_eq!(steps[0]["block"], HASH.to_string());
    assert_eq!(
        example["remainder"]["splits"][0]["work"][0]["hotkey"],
        miner().to_string()
    );
    let with_terms = ask_state(world(5_000_000_000, true), get(&path)).await.json();
    assert_eq!(with_terms["terms"]["fee_bps"], 7);
    assert_eq!(with_terms["steps"][0]["name"], "fee_sats");

    // Books that say otherwise are the pool's fault, and it says so.
    let differs = ask_state(world(5, true), get(&path)).await;
    differs.refuses(500, "internal", None);
    let stranger = Hotkey::from_bytes([9; 32]);
    let path = format!("/v1/miners/{stranger}/rounds/3");
    let nothing = ask_state(world(5_000_000_000, true), get(&path)).await;
    nothing.refuses(404, "credit_unknown", Some("id"));
    for (hotkey, id, code, field) in [
        (miner().to_string(), "4", "round_unknown", "id"),
        (miner().to_string(), "x", "round_unknown", "id"),
        ("nobody".to_owned(), "3", "miner_unknown", "hotkey"),
    ] {
        let answer = ask_state(world(1, true), get(&format!("/v1/miners/{hotkey}/rounds/{id}"))).await;
        answer.refuses(404, code, Some(field));
    }
}
