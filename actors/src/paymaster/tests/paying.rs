//! The way of a payout when nothing goes wrong, and when the chain does.

use super::*;
use PayoutState::{Broadcast, Confirmed, Returned};

#[actix::test]
async fn a_due_balance_is_reserved_signed_sent_and_paid_once_it_is_deep() {
    let bench = Bench::new([50_000, 9_999, 20_000, 30_000]).await;
    assert_eq!(bench.states(), [Broadcast], "due at the start");
    let payout = bench.payout(1);
    let parts: Vec<(Hotkey, u64)> = payout.parts.iter().map(|p| (p.hotkey, p.amount.sats())).collect();
    let expected = [(hotkey(1), 50_000), (hotkey(4), 30_000), (hotkey(3), 20_000)];
    assert_eq!(
        parts, expected,
        "the largest first, and nobody below the threshold"
    );
    assert_eq!(bench.of_miners(Balance::Payable), [0, 9_999, 0, 0]);
    assert_eq!(bench.of_miners(Balance::InFlight), [50_000, 0, 20_000, 30_000]);
    assert_eq!(bench.wallet.waiting(), [bench.signed(1).txid]);

    bench.wallet.mine(2);
    bench.look_at(110).await;
    assert_eq!(bench.states(), [Broadcast], "not deep yet");
    assert_eq!(bench.payout(1).confirmations, 2);
    bench.wallet.mine(1);
    bench.look_at(120).await;
    assert_eq!(bench.states(), [Confirmed]);
    assert_eq!(bench.of_miners(Balance::Paid), [50_000, 0, 20_000, 30_000]);
    assert_eq!(bench.of_miners(Balance::InFlight), [0; 4]);
    let paid = bench.wallet.paid();
    assert_eq!(paid.get(&script_of(1)), Some(&50_000));
    assert_eq!(
        paid.get(&script_of(3)),
        Some(&50_000),
        "miners 3 and 4 share an address"
    );
    let fee = bench.signed(1).fee.sats() as i64;
    assert_eq!(bench.balance(Account::NetworkFees), fee);
    assert_eq!(bench.balance(Account::Reserve), -fee, "the pool pays the network");
    assert_eq!(bench.wallet.fees() as i64, fee);
    assert_eq!(bench.troubles().await, [""; 0]);
}

#[actix::test]
async fn miners_who_pay_the_fee_are_debited_what_left_the_wallet_for_them() {
    let settings = PaymasterSettings {
        payer: FeePayer::Miners,
        ..payout_settings()
    };
    let wallet = TestWallet::with_coins(&[1_000_000]);
    let bench = Bench::with(rich([50_000, 10_000, 20_001, 30_000]).await, wallet, settings).await;
    bench.wallet.mine(3);
    bench.look_at(110).await;
    assert_eq!(bench.states(), [Confirmed]);
    let paid = bench.of_miners(Balance::Paid);
    let fee = bench.signed(1).fee.sats() as i64;
    assert!(fee > 0);
    assert_eq!(paid.iter().sum::<i64>() + fee, 110_001);
    assert_eq!(bench.balance(Account::NetworkFees), fee);
    assert_eq!(bench.balance(Account::Reserve), 0);
    let chain = bench.wallet.paid();
    assert_eq!(chain[&script_of(1)] as i64, paid[0]);
    assert_eq!(chain[&script_of(2)] as i64, paid[1]);
    assert_eq!(chain[&script_of(3)] as i64, paid[2] + paid[3]);
}

#[actix::test]
async fn a_payout_waits_for_its_interval_and_takes_what_came_meanwhile() {
    let bench = Bench::new([50_000, 0, 0, 0]).await;
    credit(&bench.memory, 2, [11_000, 12_000, 0, 0]).await;
    bench.look_at(150).await;
    assert_eq!(bench.states().len(), 1);
    bench.look_at(161).await;
    assert_eq!(bench.states(), [Broadcast, Broadcast]);
    assert_eq!(bench.payout(2).total(), sats(23_000));
}

#[actix::test]
async fn more_miners_than_outputs_are_paid_by_one_transaction_after_the_other() {
    let settings = PaymasterSettings {
        outputs_max: 1,
        ..payout_settings()
    };
    let wallet = TestWallet::with_coins(&[500_000, 500_000, 500_000]);
    let bench = Bench::with(rich([50_000, 40_000, 30_000, 0]).await, wallet, settings).await;
    for secs in 101..104 {
        bench.look_at(secs).await;
    }
    assert_eq!(bench.states(), [Broadcast; 3], "without waiting for the interval");
    assert_eq!(bench.of_miners(Balance::InFlight), [50_000, 40_000, 30_000, 0]);
}

#[actix::test]
async fn a_lost_transaction_is_sent_again_as_the_same_bytes() {
    let bench = Bench::new([50_000, 0, 0, 0]).await;
    let first = bench.signed(1);
    bench.wallet.lose_mempool();
    bench.look_at(110).await;
    assert_eq!(bench.wallet.waiting(), [first.txid]);
    bench.wallet.mine(1);
    bench.wallet.reorganise(1, true);
    bench.look_at(120).await;
    assert_eq!(bench.wallet.waiting(), [first.txid]);
    assert_eq!(bench.signed(1), first);
    assert_eq!(bench.states(), [Broadcast]);
}

#[actix::test]
async fn a_reorganisation_deeper_than_a_payout_takes_it_back_into_flight_and_is_an_alarm() {
    let bench = Bench::new([50_000, 0, 0, 0]).await;
    bench.wallet.mine(3);
    bench.look_at(110).await;
    assert_eq!(bench.of_miners(Balance::Paid), [50_000, 0, 0, 0]);
    bench.wallet.reorganise(3, true);
    bench.look_at(120).await;
    assert_eq!(bench.states(), [Broadcast]);
    assert_eq!(bench.of_miners(Balance::Paid), [0; 4]);
    assert_eq!(bench.of_miners(Balance::InFlight), [50_000, 0, 0, 0]);
    assert_eq!(bench.balance(Account::NetworkFees), 0);
    assert_eq!(bench.view().await.alarms.reorged, 1);
    bench.look_at(125).await;
    assert_eq!(
        bench.troubles().await,
        ["payout_reorged"],
        "shown as long as it lasts"
    );
    assert_eq!(
        bench.wallet.waiting(),
        [bench.signed(1).txid],
        "the same transaction again"
    );
    bench.wallet.mine(3);
    bench.look_at(130).await;
    bench.look_at(131).await;
    assert_eq!(bench.of_miners(Balance::Paid), [50_000, 0, 0, 0]);
    assert_eq!(bench.troubles().await, [""; 0]);
    assert_eq!(bench.memory.balances().sum(), 0);
}

#[actix::test]
async fn inputs_spent_elsewhere_give_the_money_back_only_once_that_is_deep() {
    let bench = Bench::new([50_000, 0, 0, 0]).await;
    bench.wallet.spend_elsewhere(&bench.signed(1).inputs);
    bench.wallet.mine(1);
    bench.look_at(110).await;
    assert_eq!(bench.troubles().await, ["inputs_spent"]);
    assert_eq!(bench.states(), [Broadcast]);
    bench.wallet.mine(1);
    bench.look_at(120).await;
    assert_eq!(bench.states(), [Returned]);
    assert_eq!(bench.of_miners(Balance::Payable), [50_000, 0, 0, 0]);
    assert!(
        bench.payout(1).note.contains("spent by transaction"),
        "{}",
        bench.payout(1).note
    );
    assert_eq!(bench.view().await.alarms.returned, 1);
    bench.look_at(170).await;
    assert_eq!(bench.states(), [Returned, Broadcast], "paid by another payout");
}

/// The second spends the change of the first, so it goes with it, and nobody spends its own coin.
#[actix::test]
async fn a_payout_that_stands_on_a_returned_one_is_returned_too() {
    let wallet = TestWallet::with_coins(&[500_000]);
    let bench = Bench::with(rich([50_000, 0, 0, 0]).await, wallet, payout_settings()).await;
    bench.wallet.mine(1);
    credit(&bench.memory, 2, [0, 40_000, 0, 0]).await;
    bench.look_at(170).await;
    assert_eq!(bench.states(), [Broadcast, Broadcast]);
    let (first, second) = (bench.signed(1), bench.signed(2));
    assert_eq!(second.inputs[0].txid, first.txid);

    bench.wallet.reorganise(1, true);
    bench.wallet.spend_elsewhere(&first.inputs);
    bench.wallet.give(2_000_000);
    bench.look_at(180).await;
    assert_eq!(bench.states(), [Broadcast, Broadcast], "its rival is not deep");
    bench.wallet.mine(2);
    bench.look_at(190).await;
    bench.look_at(191).await;
    assert_eq!(bench.states()[..2], [Returned, Returned]);
    bench.look_at(260).await;
    bench.wallet.mine(3);
    bench.look_at(270).await;
    assert_eq!(bench.of_miners(Balance::Paid), [50_000, 40_000, 0, 0]);
    assert_eq!(bench.of_miners(Balance::InFlight), [0; 4]);

    // The chain of before comes back: both are mined after all, and what is paid twice is the reserve's.
    bench.wallet.reorganise(6, true);
    bench.wallet.revive(&first.bytes);
    bench.wallet.revive(&second.bytes);
    bench.wallet.mine(3);
    for secs in [280, 290, 300] {
        bench.look_at(secs).await;
    }
    assert_eq!(bench.states()[..2], [Confirmed, Confirmed]);
    assert_eq!(bench.memory.balances().sum(), 0);
}

#[actix::test]
async fn a_returned_payout_that_comes_back_is_taken_from_the_balance_or_from_the_reserve() {
    let bench = Bench::new([50_000, 0, 0, 40_000]).await;
    let first = bench.signed(1);
    bench.wallet.spend_elsewhere(&first.inputs);
    bench.wallet.mine(2);
    bench.look_at(110).await;
    assert_eq!(bench.states(), [Returned]);
    // Miner 1 is paid again meanwhile; miner 4 is not.
    let port = PaymasterControl::SetThreshold(sats(45_000));
    bench.ask(port).await.unwrap();
    bench.look_at(170).await;
    assert_eq!(bench.states(), [Returned, Broadcast]);
    bench.wallet.mine(3);
    bench.look_at(180).await;
    assert_eq!(bench.of_miners(Balance::Paid), [50_000, 0, 0, 0]);
    // A reorganisation of everything: the rival is gone, and the first transaction is mined after all.
    let second = bench.signed(2).txid;
    bench.wallet.reorganise(6, true);
    bench.wallet.revive(&first.bytes);
    bench.wallet.mine(1);
    for secs in [190, 200] {
        bench.look_at(secs).await;
    }
    assert_eq!(bench.view().await.alarms.revived, 1);
    assert_eq!(bench.states(), [Broadcast, Broadcast]);
    assert_eq!(
        bench.wallet.waiting(),
        [second],
        "the second payout is sent again"
    );
    bench.wallet.mine(3);
    bench.look_at(210).await;
    assert_eq!(bench.states(), [Confirmed, Confirmed]);
    assert_eq!(bench.of_miners(Balance::Paid), [100_000, 0, 0, 40_000]);
    assert_eq!(bench.of_miners(Balance::Payable), [0; 4]);
    assert!(bench.never_halted());
    let fees = bench.balance(Account::NetworkFees);
    assert_eq!(
        bench.balance(Account::Reserve),
        -50_000 - fees,
        "the reserve bore what miner 1 had got"
    );
    assert_eq!(bench.memory.balances().sum(), 0);
}

#[actix::test]
async fn a_payout_that_is_very_deep_is_looked_at_no_more() {
    let bench = Bench::new([50_000, 0, 0, 0]).await;
    bench.wallet.mine(9);
    bench.look_at(110).await;
    bench.look_at(111).await;
    assert_eq!(bench.states(), [Confirmed]);
    assert!(!bench.payout(1).is_watched);
    assert!(bench.signed(1).bytes.is_empty(), "nobody has to send it any more");
    assert!(bench.view().await.open.is_empty());
}

#[actix::test]
async fn a_miners_own_threshold_holds_for_that_miner() {
    let memory = rich([50_000, 20_000, 2_000, 0]).await;
    for (miner, threshold) in [(1, 60_000), (3, 1_500)] {
        let write = Write::SetPayoutThreshold {
            hotkey: hotkey(miner),
            threshold: Some(sats(threshold)),
        };
        memory.commit(vec![write]).await.unwrap();
    }
    let wallet = TestWallet::with_coins(&[500_000]);
    let bench = Bench::with(memory, wallet, payout_settings()).await;
    assert_eq!(bench.of_miners(Balance::InFlight), [0, 20_000, 2_000, 0]);
}

/// From its beginning to its end, what the log says of a payout says which one it is.
#[actix::test]
async fn what_is_said_of_a_payout_is_within_its_span() {
    let heard = Heard::from_now_on(Level::INFO);
    let bench = Bench::new([50_000, 0, 0, 0]).await;
    credit(&bench.memory, 2, [0, 12_000, 0, 0]).await;
    bench.look_at(161).await;
    bench.wallet.mine(3);
    bench.look_at(170).await;
    assert_eq!(bench.states(), [Confirmed, Confirmed]);
    let lines = heard.about("payout=");
    for line in &lines {
        let said = line["message"].as_str().unwrap();
        let number = of_span(line, "payout", "payout")
            .as_u64()
            .unwrap_or_else(|| panic!("{line}"));
        assert!(said.contains(&format!("payout={number} ")), "{line}");
    }
    for said in ["begun", "signed", "sent", "confirmed"] {
        for number in [1, 2] {
            let is_it = |line: &&serde_json::Value| {
                let message = line["message"].as_str().unwrap();
                message.starts_with(&format!("payout={number} ")) && message.contains(said)
            };
            assert_eq!(lines.iter().filter(is_it).count(), 1, "{number} {said}");
        }
    }
}
