//! Money that was set aside and not signed becomes payable again: by itself if the wallet refuses, or by an admin.

use PayoutState::{Broadcast, Cancelled, Reserved};
use dwarves_domain::payouts::Part;
use dwarves_domain::refusal::Refusal;

use super::*;

/// A ledger in which an earlier life set money of these miners aside for payout 1 and signed nothing.
async fn left_reserved(payable: [u64; 4], parts: &[(u8, u64)], address: Option<&str>) -> InlineStore {
    let memory = rich(payable).await;
    let part = |&(miner, amount): &(u8, u64)| Part {
        hotkey: hotkey(miner),
        address: address.unwrap_or(address_of(miner)).to_owned(),
        amount: sats(amount),
        fee: sats(0),
        borne: sats(0),
    };
    let parts = parts.iter().map(part).collect();
    let rate = payout_settings().fee_rate;
    let payout = Payout::reserve(PayoutId::new(1), at(50), parts, FeePayer::Pool, rate);
    memory
        .commit(vec![Write::ReservePayout(Box::new(payout))])
        .await
        .unwrap();
    memory
}

#[actix::test]
async fn a_payout_of_an_earlier_life_that_is_refused_is_given_up_and_planned_anew_at_once() {
    tokio::time::pause();
    // Its fee is above the cap: many small outputs and one that could carry itself.
    let settings = PaymasterSettings {
        fee_rate: FeeRate::new(300).unwrap(),
        ..payout_settings()
    };
    let memory = left_reserved([300_000, 12_000, 13_000, 0], &[(2, 12_000), (3, 13_000)], None).await;
    let wallet = TestWallet::with_coins(&[5_000_000]);
    let bench = Bench::on(memory, wallet, settings).await;
    assert_eq!(bench.states(), [Cancelled, Broadcast]);
    assert_eq!(bench.of_miners(Balance::InFlight)[0], 300_000);

    // The wallet has too few coins for it, or refuses it.
    for refuse in [false, true] {
        let memory = left_reserved([50_000, 20_000, 0, 0], &[(1, 50_000), (2, 20_000)], None).await;
        let wallet = TestWallet::with_coins(&[if refuse { 500_000 } else { 30_000 }]);
        if refuse {
            wallet.refuse_in_silence(script_of(1));
        }
        let bench = Bench::on(memory, wallet, payout_settings()).await;
        assert_eq!(bench.states(), [Cancelled, Broadcast]);
        assert_eq!(bench.of_miners(Balance::InFlight)[1], 20_000);
        assert_eq!(bench.balance(Account::Reserve), 0);
    }

    // One of its addresses is none any more.
    let bad = "rltc1facy8g9ct0ahn9wxz4j2h83pg6dd4w5ns5e4h2lpvqxza90gfwxxsx23tr9";
    let memory = left_reserved([50_000, 20_000, 0, 0], &[(1, 50_000)], Some(bad)).await;
    let bench = Bench::on(memory, TestWallet::with_coins(&[500_000]), payout_settings()).await;
    assert_eq!(bench.states(), [Cancelled, Broadcast]);
    assert_eq!(bench.of_miners(Balance::InFlight), [50_000, 20_000, 0, 0]);
}

#[actix::test]
async fn an_admin_gives_up_what_is_set_aside_and_nothing_else() {
    tokio::time::pause();
    let cancel = |id| PaymasterControl::Cancel(PayoutId::new(id));
    let memory = left_reserved([50_000, 20_000, 0, 0], &[(1, 50_000)], None).await;
    let wallet = TestWallet::with_coins(&[500_000]);
    wallet.set_state(WalletState::Locked);
    let bench = Bench::on(memory, wallet, payout_settings()).await;
    assert_eq!(bench.states(), [Reserved], "it waits for the passphrase");
    bench.ask(PaymasterControl::Pause).await.unwrap();
    for _ in 0..2 {
        let Ok(told) = bench.ask(cancel(1)).await else {
            panic!("it can be given up, and twice is once");
        };
        assert_eq!(told["state"], "cancelled");
        assert_eq!(told["returned_sats"], 50_000);
        assert_eq!(bench.states(), [Cancelled]);
        assert_eq!(bench.of_miners(Balance::Payable), [50_000, 20_000, 0, 0]);
    }
    assert_eq!(bench.payout(1).note, "given up by an admin");
    bench.wallet.set_state(WalletState::Ready);
    bench.ask(PaymasterControl::Resume).await.unwrap();
    bench.look_at(200).await;
    assert_eq!(bench.states(), [Cancelled, Broadcast]);
    for (id, why) in [(2, "signed"), (7, "no payout 7")] {
        let refused = bench.ask(cancel(id)).await;
        assert!(
            matches!(&refused, Err(Refusal::ControlRefused(told)) if told.contains(why)),
            "{refused:?}"
        );
    }
    assert_eq!(bench.states(), [Cancelled, Broadcast]);
    bench.ask(DrainPayouts).await;
    let refused = bench.ask(cancel(1)).await;
    assert!(matches!(refused, Err(Refusal::ControlRefused(why)) if why.contains("draining")));
}

#[actix::test]
async fn what_is_deep_is_not_open_any_more() {
    let bench = Bench::new([50_000, 0, 0, 0]).await;
    assert_eq!(bench.view().await.open.len(), 1);
    bench.wallet.mine(3);
    bench.look_at(110).await;
    let view = bench.view().await;
    assert!(view.open.is_empty(), "{:?}", view.open);
    assert_eq!(view.settled, 1, "it is still watched");
    bench.wallet.reorganise(3, true);
    bench.look_at(120).await;
    let view = bench.view().await;
    assert_eq!((view.open.len(), view.settled), (1, 0));
}
