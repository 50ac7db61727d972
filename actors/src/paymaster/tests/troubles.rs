//! Everything that can hinder payouts: each is seen, nothing is lost, and it goes on once it is mended.

use super::*;
use PayoutState::{Broadcast, Confirmed, Reserved, Signed as IsSigned};

#[actix::test]
async fn a_locked_or_missing_wallet_reserves_nothing_and_is_followed_by_a_payout() {
    tokio::time::pause();
    let wallet = TestWallet::with_coins(&[500_000]);
    for (state, name) in [
        (WalletState::Locked, "wallet_locked"),
        (
            WalletState::NotLoaded("no wallet".to_owned()),
            "wallet_not_loaded",
        ),
        (
            WalletState::Syncing("50 blocks behind".to_owned()),
            "wallet_syncing",
        ),
    ] {
        wallet.set_state(state);
        let bench = Bench::on(rich([50_000, 0, 0, 0]).await, wallet.clone(), payout_settings()).await;
        assert_eq!(bench.troubles().await, [name]);
        bench.look_at(105).await;
        assert_eq!(bench.troubles().await, [name], "also between two plans");
        assert_eq!(bench.states(), []);
        let remedy = bench.view().await.troubles[0].kind.remedy();
        assert!(!remedy.is_empty());
    }
    let bench = Bench::on(rich([50_000, 0, 0, 0]).await, wallet.clone(), payout_settings()).await;
    wallet.set_state(WalletState::Ready);
    bench.look_at(131).await;
    assert_eq!(bench.states(), [Broadcast]);
    assert_eq!(bench.troubles().await, [""; 0]);
}

#[actix::test]
async fn what_was_sent_is_followed_while_the_wallet_is_locked() {
    let bench = Bench::new([50_000, 0, 0, 0]).await;
    bench.wallet.set_state(WalletState::Locked);
    bench.wallet.mine(3);
    bench.look_at(110).await;
    assert_eq!(bench.states(), [Confirmed]);
}

#[actix::test]
async fn too_few_coins_go_to_the_smallest_balances_first_and_the_rest_is_told() {
    let wallet = TestWallet::with_coins(&[62_000]);
    wallet.keep_in_mweb(7_000_000);
    let bench = Bench::with(rich([50_000, 20_000, 0, 0]).await, wallet, payout_settings()).await;
    assert_eq!(bench.states(), [Broadcast]);
    assert_eq!(
        bench.of_miners(Balance::Payable),
        [10_000, 0, 0, 0],
        "what is left is at its threshold"
    );
    assert_eq!(bench.held("short_of_funds").await, 10_000);
    for secs in 105..155 {
        bench.look_at(secs).await;
        assert_eq!(
            bench.troubles().await,
            ["short_of_funds"],
            "also between two plans"
        );
    }
    let detail = bench.view().await.troubles[0].detail.clone();
    assert!(detail.contains("10000 sats of 1 miners wait"), "{detail}");
    assert!(detail.contains("7000000 more sit in MWEB"), "{detail}");
    bench.wallet.give(10_500);
    bench.look_at(161).await;
    assert_eq!(bench.states(), [Broadcast, Broadcast]);
    assert_eq!(bench.troubles().await, [""; 0]);
    assert_eq!(bench.of_miners(Balance::InFlight), [50_000, 20_000, 0, 0]);
}

#[actix::test]
async fn without_any_coins_nothing_is_set_aside() {
    let wallet = TestWallet::default();
    let bench = Bench::with(rich([50_000, 0, 0, 0]).await, wallet, payout_settings()).await;
    assert_eq!(bench.troubles().await, ["short_of_funds"]);
    assert_eq!(bench.states(), []);
    bench.wallet.give(60_000);
    bench.look_at(131).await;
    assert_eq!(bench.states(), [Broadcast]);
}

#[actix::test]
async fn a_fee_above_the_cap_is_known_before_anything_is_set_aside() {
    let settings = PaymasterSettings {
        fee_rate: FeeRate::new(200).unwrap(),
        ..payout_settings()
    };
    let wallet = TestWallet::with_coins(&[50_000_000]);
    let bench = Bench::with(rich([50_000, 0, 0, 0]).await, wallet, settings).await;
    for secs in 100..200 {
        bench.look_at(secs).await;
        assert_eq!(bench.troubles().await, ["fee_too_high"]);
    }
    assert_eq!(bench.states(), []);
    assert_eq!(bench.of_miners(Balance::Payable), [50_000, 0, 0, 0]);
    // Somebody whose payout carries the fee is paid, and takes the other along.
    credit(&bench.memory, 2, [0, 60_000, 0, 0]).await;
    bench.look_at(231).await;
    assert_eq!(bench.of_miners(Balance::InFlight), [50_000, 60_000, 0, 0]);
    assert_eq!(bench.troubles().await, [""; 0]);
}

#[actix::test]
async fn a_transaction_that_the_wallet_finds_too_large_is_split() {
    let wallet = TestWallet::with_coins(&[500_000, 500_000, 500_000]);
    wallet.limit_outputs(1);
    let bench = Bench::with(rich([50_000, 20_000, 0, 0]).await, wallet, payout_settings()).await;
    assert_eq!(bench.troubles().await, [""; 0]);
    bench.look_at(101).await;
    assert_eq!(bench.states(), [Broadcast, Broadcast]);
    assert_eq!(bench.of_miners(Balance::InFlight), [50_000, 20_000, 0, 0]);
}

#[actix::test]
async fn a_balance_that_needs_more_inputs_than_fit_is_paid_in_parts_and_nobody_waits_for_it() {
    let settings = PaymasterSettings {
        vbytes_max: 1_000,
        ..payout_settings()
    };
    // A dozen coins fit into a transaction.
    let wallet = TestWallet::with_coins(&[10_000; 80]);
    let bench = Bench::with(rich([400_000, 12_000, 13_000, 14_000]).await, wallet, settings).await;
    assert_eq!(bench.troubles().await, [""; 0]);
    assert_eq!(bench.payout(1).parts.len(), 4);
    assert_eq!(bench.of_miners(Balance::Payable)[1..], [0; 3], "nobody waits");
    let told = bench.dry_run().await;
    assert_eq!(told["miners"][0]["hotkey"], hotkey(1).to_string());
    assert!(
        told["miners"][0]["left_sats"].as_u64().unwrap() > 100_000,
        "{told}"
    );
    assert_eq!(told["held"]["next_batch"]["miners"], 1, "{told}");
    assert!(told["vbytes"].as_u64().unwrap() <= 1_000, "{told}");
    for secs in 101..110 {
        bench.look_at(secs).await;
        assert_eq!(bench.troubles().await, [""; 0]);
    }
    assert_eq!(
        bench.of_miners(Balance::Payable),
        [0; 4],
        "one transaction after the other"
    );
    assert_eq!(
        bench.of_miners(Balance::InFlight),
        [400_000, 12_000, 13_000, 14_000]
    );
    bench.wallet.mine(3);
    bench.look_at(111).await;
    assert_eq!(bench.of_miners(Balance::Paid), [400_000, 12_000, 13_000, 14_000]);
    assert_eq!(bench.wallet.paid()[&script_of(1)], 400_000, "to the last sat");
}

#[actix::test]
async fn a_refused_transaction_stays_signed_and_is_offered_again() {
    let wallet = TestWallet::with_coins(&[500_000]);
    wallet.refuse(Some("min relay fee not met"));
    let bench = Bench::with(rich([50_000, 0, 0, 0]).await, wallet, payout_settings()).await;
    assert_eq!(bench.troubles().await, ["transaction_refused"]);
    assert_eq!(bench.states(), [IsSigned]);
    let signed = bench.signed(1);
    bench.look_at(200).await;
    assert_eq!(bench.states(), [IsSigned]);
    bench.wallet.refuse(None);
    bench.look_at(210).await;
    assert_eq!(bench.states(), [Broadcast]);
    assert_eq!(bench.signed(1), signed, "never built again");
}

#[actix::test]
async fn a_payout_without_a_block_for_a_day_is_stuck() {
    let bench = Bench::new([50_000, 0, 0, 0]).await;
    bench.look_at(100 + 24 * 3_600).await;
    assert_eq!(bench.troubles().await, ["payout_stuck"]);
    bench.wallet.mine(1);
    bench.look_at(110 + 24 * 3_600).await;
    bench.look_at(111 + 24 * 3_600).await;
    assert_eq!(bench.troubles().await, [""; 0]);
}

#[actix::test]
async fn a_wallet_that_never_answers_is_a_time_out_and_the_next_look_goes_on() {
    tokio::time::pause();
    let memory = rich([50_000, 0, 0, 0]).await;
    let wallet = TestWallet::with_coins(&[500_000]);
    let silent = FaultyWallet::new(Arc::new(wallet), [(1, WalletFault::DieBefore)]);
    let clock = ManualClock::at(at(100));
    let store: SharedStore = Arc::new(memory.clone());
    let (paymaster, _halt) = live(&memory, store, Arc::new(silent), payout_settings(), &clock).await;
    tokio::time::sleep(Duration::from_secs(121)).await;
    let view = Port::new(&paymaster)
        .ask(ReadPayouts, Duration::from_secs(1))
        .await
        .unwrap();
    assert_eq!(view.troubles[0].kind.name(), "wallet_timed_out");
    clock.set(at(300));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(memory.payouts()[0].state, Broadcast);
}

#[actix::test]
async fn a_ledger_that_can_not_write_sends_nothing() {
    tokio::time::pause();
    let memory = rich([50_000, 0, 0, 0]).await;
    let wallet = TestWallet::with_coins(&[500_000]);
    let plan = FaultPlan {
        // The first keeps what was compared, the second reserves.
        at: vec![(3, Fault::Refuse)],
        disk_full: None,
    };
    let store: SharedStore = Arc::new(FaultyStore::new(Arc::new(memory.clone()), plan));
    let clock = ManualClock::at(at(100));
    let shared: SharedWallet = Arc::new(wallet.clone());
    let (paymaster, halt) = live(&memory, store, shared, payout_settings(), &clock).await;
    settle().await;
    assert_eq!(
        memory.payouts()[0].state,
        Reserved,
        "the signature was not stored"
    );
    assert!(wallet.waiting().is_empty(), "so nothing may be sent");
    clock.set(at(140));
    Outbox::new(&paymaster).tell(Poke).unwrap();
    settle().await;
    assert_eq!(memory.payouts()[0].state, Broadcast);
    assert_eq!(wallet.waiting().len(), 1);
    assert_eq!(halt.reasons(), [""; 0]);
}

/// What is set aside cannot vanish: taken for nothing, it would neither be paid nor come back.
#[actix::test]
async fn a_payout_that_the_ledger_lost_stops_the_pool() {
    tokio::time::pause();
    // With nothing sent by the wallet it is to be signed; after a payment that the ledger does not know it is to be
    // given back, so that the payment can be booked.
    for was_sent in [false, true] {
        let memory = rich([50_000, 20_000, 0, 0]).await;
        let wallet = TestWallet::with_coins(&[60_000, 500_000, 2_000_000]);
        let clock = ManualClock::at(at(100));
        let shared: SharedWallet = Arc::new(wallet.clone());
        let unsigned = FaultPlan {
            // The first keeps what was compared, the second reserves.
            at: vec![(3, Fault::Refuse)],
            disk_full: None,
        };
        let store = FaultyStore::new(Arc::new(memory.clone()), unsigned);
        let first = live(
            &memory,
            Arc::new(store),
            shared.clone(),
            payout_settings(),
            &clock,
        )
        .await;
        settle().await;
        drop(first);
        let before = memory.payouts();
        assert_eq!(before[0].state, Reserved);
        if was_sent {
            let _txid = wallet.pay_elsewhere(&[(script_of(2), 20_000)]);
        }
        let store = FaultyStore::new(Arc::new(memory.clone()), FaultPlan::default()).losing_payouts();
        let (paymaster, halt) = live(&memory, Arc::new(store), shared, payout_settings(), &clock).await;
        settle().await;
        if was_sent {
            let adopt = PaymasterControl::Adopt {
                only: None,
                reserve_bears: true,
            };
            let answer = Port::new(&paymaster)
                .ask(adopt, Duration::from_secs(300))
                .await
                .unwrap();
            assert!(answer.is_err(), "{answer:?}");
        }
        let why = "payouts cannot go on: the ledger lost payout 1, which it named before";
        assert!(
            halt.reasons().iter().any(|reason| reason == why),
            "{:?}",
            halt.reasons()
        );
        assert_eq!(memory.payouts(), before, "nothing is touched");
    }
}
