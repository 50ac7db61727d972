//! What held up everybody's payouts once: addresses that the node refuses, balances that no transaction holds, too few
//! coins, and coins that a peg-in to MWEB took.

use bitcoin::bech32::{Fe32, Hrp, segwit};
use dwarves_domain::address::{AddressFormat, PayoutAddress};
use dwarves_domain::payouts::{PayoutState, WhyHeld};
use dwarves_ports::store::Write;
use dwarves_ports::wallet::Wallet;
use dwarves_testkit::build::{BEGIN, hotkey, sats};
use serde_json::{Value, json};

use super::in_system;
use super::nodes::{Chain, call};
use super::world::{LOOKS, World};

fn witness(version: u8, program: &[u8]) -> String {
    let (part, version) = (Hrp::parse("rltc").unwrap(), Fe32::try_from(version).unwrap());
    let mut text = String::new();
    segwit::encode_lower_to_fmt_unchecked(&mut text, part, version, program).unwrap();
    text
}

/// Whether litecoind itself takes an address, and a transaction that pays it.
async fn node_pays(chain: &Chain, coin: &Value, address: &str) -> bool {
    let valid: Value = call(&chain.client, "validateaddress", json!([address])).await;
    if valid["isvalid"] != true || valid["ismweb"] == true {
        return false;
    }
    let inputs = json!([{ "txid": coin["txid"], "vout": coin["vout"] }]);
    let outputs = json!([{ address: "1" }, { coin["address"].as_str().unwrap(): "48.99" }]);
    let unsigned: String = call(&chain.pool, "createrawtransaction", json!([inputs, outputs])).await;
    let signed: Value = call(&chain.pool, "signrawtransactionwithwallet", json!([unsigned])).await;
    let judged: Value = call(&chain.client, "testmempoolaccept", json!([[signed["hex"]]])).await;
    judged[0]["allowed"] == true
}

#[test]
#[ignore = "needs litecoind"]
fn addresses_are_taken_and_refused_as_litecoind_does_but_for_its_own_scripts() {
    in_system(async {
        let chain = Chain::start().await;
        let coins: Vec<Value> = call(&chain.pool, "listunspent", json!([100])).await;
        let coin = coins.iter().find(|coin| coin["amount"] == 50.0).unwrap();
        let mut others = 0;
        for version in 0..=16 {
            for length in 2..=40 {
                let address = witness(version, &vec![7; length]);
                let ours = PayoutAddress::parse(&address, AddressFormat::LitecoinRegtest).is_ok();
                let theirs = node_pays(&chain, coin, &address).await;
                if ours != theirs {
                    assert!(
                        matches!(version, 8 | 9) && theirs,
                        "{version} {length}: {ours} and {theirs}"
                    );
                    others += 1;
                }
            }
        }
        assert_eq!(
            others,
            2 * 39 - 1,
            "versions 8 and 9 but for peg-ins, which the node refuses, too"
        );
        for kind in ["bech32", "legacy", "p2sh-segwit", "mweb"] {
            let address: String = call(&chain.pool, "getnewaddress", json!(["", kind])).await;
            let ours = PayoutAddress::parse(&address, AddressFormat::LitecoinRegtest).is_ok();
            assert_eq!(ours, node_pays(&chain, coin, &address).await, "{kind} {address}");
            assert_eq!(ours, kind != "mweb");
        }
    });
}

/// Puts all of the pool's coins into this many of one size and nothing else.
async fn small_coins(world: &World, count: usize, coins: &str) {
    let chain = &world.chain;
    let mut to = serde_json::Map::new();
    for _ in 0..count {
        let address: String = call(&chain.pool, "getnewaddress", json!(["", "bech32"])).await;
        to.insert(address, json!(coins));
    }
    let _: String = call(&chain.pool, "sendmany", json!(["", to])).await;
    chain.mine(1).await;
    let unspent: Vec<Value> = call(&chain.pool, "listunspent", json!([1])).await;
    let large = unspent.iter().filter(|coin| coin["amount"].as_f64() > Some(1.0));
    let large: Vec<&Value> = large.collect();
    let sum: f64 = large.iter().map(|coin| coin["amount"].as_f64().unwrap()).sum();
    let inputs: Vec<Value> = large
        .iter()
        .map(|coin| json!({ "txid": coin["txid"], "vout": coin["vout"] }))
        .collect();
    let away = json!([{ &chain.address_of_others().await: format!("{:.8}", sum - 0.01) }]);
    let unsigned: String = call(&chain.pool, "createrawtransaction", json!([inputs, away])).await;
    let signed: Value = call(&chain.pool, "signrawtransactionwithwallet", json!([unsigned])).await;
    let _: String = call(&chain.client, "sendrawtransaction", json!([signed["hex"], 0])).await;
    chain.mine(1).await;
    let unspent: Vec<Value> = call(&chain.pool, "listunspent", json!([1])).await;
    assert_eq!(unspent.len(), count, "nothing else is left");
}

/// The size of a transaction is what litecoind allows, scaled down with the number of coins.
#[test]
#[ignore = "needs litecoind"]
fn a_balance_that_needs_more_inputs_than_fit_is_paid_in_parts_by_a_real_wallet() {
    in_system(async {
        let mut world = World::new().await;
        world.settings.vbytes_max = 5_000;
        small_coins(&world, 150, "0.01").await;
        world.credit([123_456_789, 5_700_000, 5_700_001]).await;
        let life = world.live(&[], 0);
        assert_eq!(life.troubles(), [""; 0]);
        let balances = world.balances().await;
        assert_eq!(
            balances[1].payable,
            sats(0),
            "the others are in the first transaction"
        );
        assert_eq!(balances[2].payable, sats(0));
        assert!(balances[0].payable > sats(60_000_000), "{balances:?}");
        assert_eq!(life.view.held[&WhyHeld::NextBatch].miners, 1);
        world.settle_and_check("in parts, to the last unit").await;
        assert!(world.last_payout().await.id.get() >= 2);
    });
}

/// The node refuses dust and names no output: the pool's own limit is set too low on purpose.
#[test]
#[ignore = "needs litecoind"]
fn whom_a_real_node_refuses_to_pay_is_found_and_all_others_are_paid() {
    in_system(async {
        let mut world = World::new().await;
        world.settings.dust = sats(546);
        world.settings.threshold = sats(1_500);
        world.credit([2_000, 50_000, 60_000]).await;
        let life = world.live(&[], 2);
        let troubles = life.troubles();
        assert_eq!(troubles.len(), 1, "{troubles:?}");
        assert!(
            troubles[0].starts_with("address_refused") && troubles[0].contains("dust"),
            "{troubles:?}"
        );
        let balances = world.balances().await;
        let payable = balances.iter().map(|of| of.payable.sats()).collect::<Vec<_>>();
        assert_eq!(payable, [2_000, 0, 0]);
        // An address of peg-ins, from a ledger of before: nobody else waits for it.
        let write = Write::RegisterMiner {
            hotkey: hotkey(1),
            payout_address: Some(witness(9, &[7; 32])),
            at: BEGIN,
        };
        world.store.commit(vec![write]).await.unwrap();
        world.credit([50_000, 50_000, 0]).await;
        let life = world.live(&[], 2);
        assert_eq!(life.view.held[&WhyHeld::AddressInvalid].amount, sats(52_000));
        assert_eq!(world.balances().await[1].payable, sats(0));
    });
}

#[test]
#[ignore = "needs litecoind"]
fn a_payout_whose_coins_a_peg_in_took_is_returned_and_coins_in_mweb_are_named() {
    in_system(async {
        let mut world = World::new().await;
        world.credit([0, 400_000, 0]).await;
        world.live(&[], 1);
        let payout = world.last_payout().await;
        assert_eq!(payout.state, PayoutState::Broadcast);
        let txid = payout.signed.clone().unwrap().txid.to_string();
        // The chain goes on without the payout, and the wallet moves all that it has into MWEB.
        let height: u64 = call(&world.chain.client, "getblockcount", json!([])).await;
        let mined: String = call(&world.chain.client, "getblockhash", json!([height])).await;
        let _: Value = call(&world.chain.client, "invalidateblock", json!([mined])).await;
        world.chain.pay_others().await;
        world
            .chain
            .node
            .restart(&["-persistmempool=0", "-walletbroadcast=0"])
            .await;
        world.chain.node.load_wallets().await;
        let _: Value = call(&world.chain.pool, "abandontransaction", json!([txid])).await;
        let mweb: String = call(&world.chain.pool, "getnewaddress", json!(["", "mweb"])).await;
        let balance: Value = call(&world.chain.pool, "getbalance", json!([])).await;
        let all = json!([mweb, balance, "", "", true]);
        let peg_in: String = call(&world.chain.pool, "sendtoaddress", all).await;
        let peg_in: Value = call(&world.chain.pool, "gettransaction", json!([peg_in])).await;
        assert_eq!(
            &peg_in["hex"].as_str().unwrap()[8..12],
            "0009",
            "only the node reads its form"
        );
        let _: String = call(&world.chain.client, "sendrawtransaction", json!([peg_in["hex"]])).await;
        world.chain.mine(3).await;
        let life = world.live(&[], LOOKS);
        let returned = world.store.payout(payout.id).await.unwrap().unwrap();
        assert_eq!(returned.state, PayoutState::Returned, "{returned:?}");
        assert_eq!(world.balances().await[1].payable, sats(400_000));
        let troubles = life.troubles();
        assert!(
            troubles.iter().any(|trouble| trouble.contains("sit in MWEB")),
            "{troubles:?}"
        );
        // The way back.
        world.chain.restart_broadcasting().await;
        let own: String = call(&world.chain.pool, "getnewaddress", json!(["", "bech32"])).await;
        let peg_out: String = call(&world.chain.pool, "sendtoaddress", json!([own, "100"])).await;
        world.chain.mine(7).await;
        // Were it unknown to the ledger, it could be booked like any other: the node says what it is made of.
        let sent = world
            .wallet()
            .sent(peg_out.parse().unwrap())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            hex::encode(&sent.bytes[4..6]),
            "0008",
            "only the node reads its form"
        );
        assert_eq!(sent.inputs, [], "all of its coins were in MWEB");
        assert!(sent.fee > sats(0));
        world.settle_and_check("after the peg-out").await;
    });
}
