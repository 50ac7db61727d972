//! Payouts through a real litecoind: what leaves the wallet is what is debited, whatever dies between two steps.
//!
//! Two nodes on regtest, made for the test: litecoind gives no templates to a node without a peer. The chain is
//! mined past the activation of MWEB, so that payouts are made as on today's Litecoin. Needs Debian's package
//! `litecoind`; run with `cargo test --test payouts -- --ignored`.
#![allow(clippy::unwrap_used, reason = "these are tests, and helpers of tests")]
#![allow(
    clippy::disallowed_methods,
    reason = "tests that wait for a program must give up some time"
)]

#[path = "payouts/hostile.rs"]
mod hostile;
#[path = "payouts/nodes.rs"]
mod nodes;
#[path = "payouts/world.rs"]
mod world;

use std::time::{Duration, Instant};

use dwarves_domain::payouts::{FeePayer, PayoutState};
use dwarves_node::rpc::{CoinAmount, RpcError};
use dwarves_ports::wallet::{Wallet, WalletState};
use dwarves_testkit::WalletFault;
use dwarves_testkit::build::sats;
use nodes::{call, to_sats};
use serde_json::{Value, json};
use world::{LOOKS, World};

fn in_system(test: impl Future<Output = ()>) {
    actix_rt::System::new().block_on(test);
}

#[test]
#[ignore = "needs litecoind"]
fn a_crash_at_every_call_of_a_real_wallet_pays_everybody_once() {
    in_system(async {
        let mut world = World::new().await;
        world.credit([300_000, 200_000, 100_001]).await;
        let calls = world.live(&[], LOOKS).calls;
        world.settle_and_check("nothing fails").await;
        assert!(calls > 10, "{calls} calls prove nothing");
        for call in 1..=calls.min(16) {
            let survived = [WalletFault::After, WalletFault::Twice][usize::from(call % 2 == 0)];
            for fault in WalletFault::DEADLY.into_iter().chain([survived]) {
                world.settings.payer = if call % 2 == 0 {
                    FeePayer::Pool
                } else {
                    FeePayer::Miners
                };
                world.credit([50_000 + call, 40_000, 30_000]).await;
                world.live(&[(call, fault)], 3);
            }
        }
        world.compare_books_with_chain().await;
    });
}

#[test]
#[ignore = "needs litecoind"]
fn a_wallet_that_is_not_there_locked_or_short_is_seen_and_paid_from_once_it_is_mended() {
    in_system(async {
        let mut world = World::new().await;
        let wallet = world.wallet();
        assert_eq!(wallet.state().await.unwrap(), WalletState::Ready);
        // Not loaded: a restart of the node unloads it.
        world.chain.node.restart(&[]).await;
        assert!(matches!(wallet.state().await.unwrap(), WalletState::NotLoaded(_)));
        world.chain.node.load_wallets().await;
        // Locked. A wallet that was just encrypted is.
        let _: Value = call(&world.chain.pool, "encryptwallet", json!(["pass"])).await;
        let begin = Instant::now();
        while wallet.state().await.ok() != Some(WalletState::Locked) {
            assert!(
                begin.elapsed() < Duration::from_secs(30),
                "{:?}",
                wallet.state().await
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // The restart took the peer's connection with it for a moment; `addnode` is not kept.
        let to_peer = format!("127.0.0.1:{}", world.chain.peer.port);
        let added: Result<Value, RpcError> =
            world.chain.client.call("addnode", json!([to_peer, "add"])).await;
        assert!(added.is_ok(), "{added:?}");
        world.credit([50_000, 60_000, 70_000]).await;
        world.live(&[], 2);
        assert_eq!(
            world.balances().await[0].payable,
            sats(50_000),
            "nothing was set aside"
        );
        let _: Value = call(&world.chain.pool, "walletpassphrase", json!(["pass", 10_000])).await;
        world.settle_and_check("unlocked").await;
        // Short of funds: more than all of the pool's coins. The small balance is paid, and the other as far as they go.
        let rich = 100_000_000_000_000;
        world.credit([rich, 70_000, 0]).await;
        let life = world.live(&[], 2);
        assert!(
            life.troubles()
                .iter()
                .any(|trouble| trouble.starts_with("short_of_funds"))
        );
        let balances = world.balances().await;
        assert_eq!(balances[1].payable, sats(0));
        assert!(balances[0].payable > sats(0) && balances[0].payable < sats(rich));
    });
}

#[test]
#[ignore = "needs litecoind"]
fn a_reorganisation_deeper_than_a_payout_and_a_rival_are_followed_on_a_real_chain() {
    in_system(async {
        let mut world = World::new().await;
        world.credit([500_000, 0, 0]).await;
        world.live(&[], LOOKS);
        let payout = world.last_payout().await;
        assert_eq!(payout.state, PayoutState::Confirmed);
        // Everything since is undone, deeper than the payout had to be, and the node forgets the transaction.
        let first: String = call(&world.chain.client, "getblockhash", json!([world.since + 1])).await;
        let _: Value = call(&world.chain.client, "invalidateblock", json!([first])).await;
        world.chain.pay_others().await;
        world.live(&[], 1);
        let reorged = world.last_payout().await;
        assert_eq!(reorged.state, PayoutState::Broadcast, "{reorged:?}");
        assert_eq!(world.balances().await[0].in_flight, sats(500_000));
        assert_eq!(reorged.signed, payout.signed, "the same transaction");
        world.settle_and_check("after the reorganisation").await;

        // Somebody else with the wallet's keys spends what a payout spends, before the payout is mined: the chain
        // without the payout goes on with the rival in it.
        world.credit([0, 400_000, 0]).await;
        world.live(&[], 1);
        let payout = world.last_payout().await;
        let signed = payout.signed.clone().unwrap();
        let height: u64 = call(&world.chain.client, "getblockcount", json!([])).await;
        let mined: String = call(&world.chain.client, "getblockhash", json!([height])).await;
        let inputs: Vec<Value> = signed
            .inputs
            .iter()
            .map(|input| json!({ "txid": input.txid.to_string(), "vout": input.vout }))
            .collect();
        let mut worth = 0;
        for input in &signed.inputs {
            let parent: Value = call(
                &world.chain.pool,
                "gettransaction",
                json!([input.txid.to_string(), true, true]),
            )
            .await;
            worth += to_sats(&parent["decoded"]["vout"][input.vout as usize]["value"]);
        }
        let back: String = call(&world.chain.pool, "getnewaddress", json!(["", "bech32"])).await;
        let amount = CoinAmount::from(sats(worth - 20_000)).to_string();
        let rival: String = call(
            &world.chain.pool,
            "createrawtransaction",
            json!([inputs, [{ back: amount }]]),
        )
        .await;
        let _: Value = call(&world.chain.client, "invalidateblock", json!([mined])).await;
        world.chain.pay_others().await;
        // A node that forgot what waited takes the rival: as another miner's node would.
        world
            .chain
            .node
            .restart(&["-persistmempool=0", "-walletbroadcast=0"])
            .await;
        world.chain.node.load_wallets().await;
        let rival: Value = call(&world.chain.pool, "signrawtransactionwithwallet", json!([rival])).await;
        assert_eq!(rival["complete"], true, "{rival}");
        let _: String = call(&world.chain.client, "sendrawtransaction", json!([rival["hex"]])).await;
        world.chain.mine(1).await;
        world.live(&[], LOOKS);
        let returned = world.store.payout(payout.id).await.unwrap().unwrap();
        assert_eq!(returned.state, PayoutState::Returned, "{returned:?}");
        world.settle_and_check("after the rival").await;
    });
}
