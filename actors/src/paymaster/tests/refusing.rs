//! Addresses that the node refuses to pay: they are found, and nobody else waits for them.

use std::collections::BTreeSet;

use dwarves_domain::payouts::WhyHeld;

use super::*;
use crate::paymaster::messages::ReadWaiting;
use PayoutState::Broadcast;

/// An address of its own for each number.
fn numbered(n: u8) -> String {
    let hash = bitcoin::PubkeyHash::from_raw_hash(bitcoin::hashes::Hash::from_byte_array([n; 20]));
    bitcoin::Address::p2pkh(hash, bitcoin::Network::Regtest).to_string()
}

fn script(n: u8) -> Vec<u8> {
    let address = PayoutAddress::parse(&numbered(n), AddressFormat::BitcoinRegtest);
    address.unwrap().script()
}

/// This many miners, each with an address of its own and 20,000 sats; the wallet refuses those of `bad`, and does not
/// say which.
async fn crowd(miners: u8, bad: &[u8]) -> Bench {
    let memory = InlineStore::fresh();
    memory.start(BEGIN).await.unwrap();
    for miner in 1..=miners {
        let write = Write::RegisterMiner {
            hotkey: hotkey(miner),
            payout_address: Some(numbered(miner)),
            at: BEGIN,
        };
        memory.commit(vec![write]).await.unwrap();
    }
    let payable = vec![20_000; miners.into()];
    memory
        .commit(vec![crediting_round(1, at(1), &payable)])
        .await
        .unwrap();
    let wallet = TestWallet::with_coins(&[3_000_000, 3_000_000, 3_000_000]);
    for &miner in bad {
        wallet.refuse_in_silence(script(miner));
    }
    Bench::on(memory, wallet, payout_settings()).await
}

impl Bench {
    async fn why_waiting(&self, miner: u8) -> Option<WhyHeld> {
        let hotkey = hotkey(miner);
        self.ask(ReadWaiting { hotkey }).await.map(|waiting| waiting.why)
    }

    fn paid_miners(&self) -> BTreeSet<Hotkey> {
        let payouts = self.memory.payouts();
        let parts = payouts.iter().flat_map(|payout| &payout.parts);
        parts.map(|part| part.hotkey).collect()
    }
}

#[actix::test]
async fn whichever_addresses_the_node_refuses_all_others_are_paid_at_once() {
    tokio::time::pause();
    for bad in [&[1][..], &[100], &[7, 8], &[1, 50, 100], &[3]] {
        let bench = crowd(100, bad).await;
        assert_eq!(
            bench.states(),
            [Broadcast],
            "{bad:?}: nothing is set aside for the tries"
        );
        let paid = bench.paid_miners();
        for miner in 1..=100 {
            let is_bad = bad.contains(&miner);
            assert_eq!(paid.contains(&hotkey(miner)), !is_bad, "{bad:?}: miner {miner}");
            let why = bench.why_waiting(miner).await;
            assert_eq!(why, is_bad.then_some(WhyHeld::AddressRefused));
        }
        let tries = bench.wallet.checks();
        assert!(tries < 60, "{bad:?}: {tries} tries");
        // It is remembered: no more tries, and the trouble stays as long as it lasts.
        for secs in 101..220 {
            bench.look_at(secs).await;
            assert_eq!(bench.troubles().await, ["address_refused"], "{bad:?}");
        }
        assert_eq!(bench.wallet.checks(), tries);
        assert_eq!(bench.states(), [Broadcast]);
    }
}

#[actix::test]
async fn more_refused_addresses_than_one_look_finds_are_found_by_the_next_ones() {
    tokio::time::pause();
    let bad: Vec<u8> = (1..=60).collect();
    let bench = crowd(100, &bad).await;
    assert!(bench.wallet.checks() < 80, "{} tries", bench.wallet.checks());
    for secs in 101..120 {
        bench.look_at(secs).await;
    }
    for secs in [140, 180, 220] {
        bench.look_at(secs).await;
    }
    let all: BTreeSet<Hotkey> = (61..=100).map(hotkey).collect();
    assert_eq!(bench.paid_miners(), all);
    assert_eq!(bench.held("address_refused").await, 60 * 20_000);
    assert_eq!(bench.troubles().await, ["address_refused"]);
}

#[actix::test]
async fn an_address_that_the_wallet_names_holds_up_nobody_else() {
    tokio::time::pause();
    let bench = crowd(3, &[]).await;
    bench.wallet.refuse_script(script(1));
    let payable = [20_000; 3];
    let write = crediting_round(2, at(2), &payable);
    bench.memory.commit(vec![write]).await.unwrap();
    bench.look_at(161).await;
    assert_eq!(bench.states(), [Broadcast, Broadcast]);
    assert_eq!(bench.why_waiting(1).await, Some(WhyHeld::AddressRefused));
    assert_eq!(bench.why_waiting(2).await, None);
    assert_eq!(bench.troubles().await, ["address_refused"]);
    // Another address is paid with the next payout.
    let write = Write::RegisterMiner {
        hotkey: hotkey(1),
        payout_address: Some(numbered(9)),
        at: at(170),
    };
    bench.memory.commit(vec![write]).await.unwrap();
    bench.look_at(230).await;
    assert_eq!(bench.states(), [Broadcast; 3]);
    assert_eq!(bench.troubles().await, [""; 0]);
    assert_eq!(bench.why_waiting(1).await, None);
}

#[actix::test]
async fn a_refused_address_is_tried_again_after_a_day() {
    tokio::time::pause();
    let bench = crowd(3, &[2]).await;
    bench.wallet.forgive();
    bench.look_at(200).await;
    assert_eq!(
        bench.troubles().await,
        ["address_refused"],
        "not tried again so soon"
    );
    bench.wallet.mine(9);
    bench.look_at(210).await;
    bench.look_at(100 + 24 * 3_600 + 61).await;
    assert_eq!(bench.troubles().await, [""; 0]);
    assert_eq!(bench.paid_miners().len(), 3);
}

#[actix::test]
async fn a_node_that_takes_nothing_at_all_makes_no_address_guilty() {
    tokio::time::pause();
    for miners in [1, 9] {
        let bench = crowd(miners, &[]).await;
        let write = crediting_round(2, at(2), &vec![20_000; miners.into()]);
        bench.memory.commit(vec![write]).await.unwrap();
        bench.wallet.refuse_to_sign(Some("mempool min fee not met"));
        for secs in 161..260 {
            bench.look_at(secs).await;
            assert_eq!(bench.troubles().await, ["wallet_refused"]);
        }
        assert_eq!(bench.states(), [Broadcast], "nothing is set aside meanwhile");
        assert_eq!(bench.held("address_refused").await, 0);
        bench.wallet.refuse_to_sign(None);
        bench.look_at(300).await;
        assert_eq!(bench.states(), [Broadcast, Broadcast]);
        assert_eq!(bench.troubles().await, [""; 0]);
    }
}

#[actix::test]
async fn a_dry_run_says_that_the_node_would_refuse() {
    tokio::time::pause();
    let bench = crowd(2, &[]).await;
    let write = crediting_round(2, at(2), &[20_000; 2]);
    bench.memory.commit(vec![write]).await.unwrap();
    bench.wallet.refuse_in_silence(script(2));
    let told = bench.dry_run().await;
    let trouble = told["trouble"].as_str().unwrap();
    assert!(trouble.contains("pegin-count-mismatch"), "{told}");
    bench.look_at(161).await;
    let told = bench.dry_run().await;
    assert_eq!(told["held"]["address_refused"]["miners"], 1, "{told}");
    assert_eq!(told["waiting"][0]["reason"], "address_refused", "{told}");
    assert_eq!(told["waiting"][0]["hotkey"], hotkey(2).to_string());
}
