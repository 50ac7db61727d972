//! Holds: nothing leaves while there is one, whatever the payouts' state and whoever asks.

use PayoutState::{Broadcast, Confirmed, Reserved, Signed as IsSigned};
use dwarves_domain::payouts::Part;
use dwarves_domain::refusal::Refusal;

use super::*;
use crate::control::hold::Hold;
use crate::control::hold::HoldPayouts;
use crate::paymaster::holds::Holds;

fn set(hold: Hold) -> HoldPayouts {
    HoldPayouts {
        hold,
        detail: Some("for the test".to_owned()),
    }
}

fn lift(hold: Hold) -> HoldPayouts {
    HoldPayouts { hold, detail: None }
}

impl Bench {
    async fn tell(&self, told: HoldPayouts) {
        Outbox::new(&self.paymaster).tell(told).unwrap();
        settle().await;
    }
}

/// As [`Bench::new`], where time is paused already.
async fn paused_bench(payable: [u64; 4]) -> Bench {
    let wallet = TestWallet::with_coins(&[60_000, 500_000, 2_000_000]);
    Bench::on(rich(payable).await, wallet, payout_settings()).await
}

/// A payout that is reserved, under a hold.
async fn reserved(hold: Hold) -> Bench {
    let bench = paused_bench([0; 4]).await;
    bench.tell(set(hold)).await;
    credit(&bench.memory, 2, [50_000, 0, 0, 0]).await;
    let part = Part {
        hotkey: hotkey(1),
        address: address_of(1).to_owned(),
        amount: sats(50_000),
        fee: sats(0),
        borne: sats(0),
    };
    let rate = payout_settings().fee_rate;
    let payout = Payout::reserve(PayoutId::new(1), at(100), vec![part], FeePayer::Pool, rate);
    let write = Write::ReservePayout(Box::new(payout));
    bench.memory.commit(vec![write]).await.unwrap();
    assert_eq!(bench.states(), [Reserved]);
    bench
}

/// A payout that is signed and was never sent, under a hold.
async fn signed(hold: Hold) -> Bench {
    let wallet = TestWallet::with_coins(&[500_000]);
    wallet.refuse(Some("not now"));
    let bench = Bench::on(rich([50_000, 0, 0, 0]).await, wallet, payout_settings()).await;
    bench.tell(set(hold)).await;
    bench.wallet.refuse(None);
    assert_eq!(bench.states(), [IsSigned]);
    bench
}

#[actix::test]
async fn under_every_hold_nothing_is_planned_by_time_or_by_hand_until_it_is_lifted() {
    tokio::time::pause();
    for hold in Hold::ALL {
        let bench = paused_bench([0; 4]).await;
        bench.tell(set(hold)).await;
        credit(&bench.memory, 2, [50_000, 0, 0, 0]).await;
        bench.look_at(1_000).await;
        assert_eq!(bench.states(), [], "{hold}");
        let refused = bench
            .ask(PaymasterControl::PayNow {
                dry_run: false,
                plan: None,
            })
            .await;
        assert!(matches!(refused, Err(Refusal::ControlRefused(why)) if why.contains(hold.name())));
        let Ok(told) = bench
            .ask(PaymasterControl::PayNow {
                dry_run: true,
                plan: None,
            })
            .await
        else {
            panic!("a dry run is always answered");
        };
        assert_eq!(told["holds"][0]["hold"], hold.name());
        assert_eq!(told["total_sats"], 50_000);
        assert!(bench.wallet.locked().is_empty() && bench.wallet.waiting().is_empty());
        bench.tell(lift(hold)).await;
        assert_eq!(bench.states(), [Broadcast], "{hold}");
    }
}

#[actix::test]
async fn two_holds_hold_until_both_are_lifted_and_a_repeat_changes_only_the_detail() {
    tokio::time::pause();
    let bench = paused_bench([0; 4]).await;
    bench.tell(set(Hold::Clock)).await;
    bench.tell(set(Hold::Chain)).await;
    let mut other = set(Hold::Clock);
    other.detail = Some("x".repeat(10_000));
    bench.tell(other).await;
    credit(&bench.memory, 2, [50_000, 0, 0, 0]).await;
    bench.tell(lift(Hold::Chain)).await;
    bench.tell(lift(Hold::Chain)).await;
    bench.look_at(1_000).await;
    assert_eq!(bench.states(), []);
    let holds = bench.view().await.holds;
    assert_eq!(holds.to_json().as_array().unwrap().len(), 1);
    assert_eq!(
        holds.to_json()[0]["detail"].as_str().unwrap().len(),
        500,
        "bounded"
    );
    bench.tell(lift(Hold::Clock)).await;
    assert_eq!(bench.states(), [Broadcast]);
}

/// Payouts in every state meet every hold: what was never sent stays, what was sent is followed, but not by the word
/// of a chain that is in doubt.
#[actix::test]
async fn each_state_of_a_payout_under_each_hold() {
    tokio::time::pause();
    for hold in Hold::ALL {
        // A payout that is only reserved or signed when the hold comes.
        for bench in [reserved(hold).await, signed(hold).await] {
            let before = bench.states();
            bench.look_at(200).await;
            assert_eq!(bench.states(), before, "{hold}");
            assert!(bench.wallet.waiting().is_empty(), "{hold}");
            bench.tell(lift(hold)).await;
            assert_eq!(bench.states(), [Broadcast], "{hold}");
        }
        // One that was sent and got lost, and then is mined.
        let bench = paused_bench([50_000, 0, 0, 0]).await;
        bench.tell(set(hold)).await;
        bench.wallet.lose_mempool();
        bench.look_at(200).await;
        let txid = bench.signed(1).txid;
        if hold.doubts_chain() {
            assert_eq!(bench.wallet.waiting(), [], "{hold}");
            bench.tell(lift(hold)).await;
            bench.tell(set(hold)).await;
        }
        assert_eq!(
            bench.wallet.waiting(),
            [txid],
            "{hold}: the same bytes are sent again"
        );
        bench.wallet.mine(3);
        bench.look_at(300).await;
        let state = if hold.doubts_chain() { Broadcast } else { Confirmed };
        assert_eq!(bench.states(), [state], "{hold}");
        bench.tell(lift(hold)).await;
        assert_eq!(bench.states(), [Confirmed], "{hold}");
    }
}

#[actix::test]
async fn only_what_an_operator_may_judge_is_released_by_hand() {
    tokio::time::pause();
    for hold in Hold::ALL {
        let bench = paused_bench([0; 4]).await;
        let not_held = bench.ask(PaymasterControl::Release(hold)).await;
        assert!(matches!(not_held, Err(Refusal::ControlRefused(_))));
        bench.tell(set(hold)).await;
        let outcome = bench.ask(PaymasterControl::Release(hold)).await;
        assert_eq!(outcome.is_ok(), hold.may_be_released());
        assert_eq!(bench.view().await.holds.is_empty(), hold.may_be_released());
    }
}

#[test]
fn every_hold_is_read_by_its_own_name() {
    for hold in Hold::ALL {
        assert_eq!(hold.name().parse(), Ok(hold));
    }
    assert!("".parse::<Hold>().is_err());
    assert!(Holds::default().is_empty());
}
