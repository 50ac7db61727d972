//! What admins tell the paymaster.

use PayoutState::{Broadcast, Confirmed};
use dwarves_domain::refusal::Refusal;
use serde_json::json;

use super::*;

#[actix::test]
async fn a_dry_run_tells_what_would_be_sent_and_sends_nothing() {
    let bench = Bench::new([0, 0, 0, 0]).await;
    credit(&bench.memory, 2, [50_000, 9_000, 20_000, 30_000]).await;
    let outcome = bench
        .ask(PaymasterControl::PayNow {
            dry_run: true,
            plan: None,
        })
        .await;
    let Ok(told) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(told["total_sats"], 100_000);
    assert_eq!(told["outputs"].as_array().unwrap().len(), 2);
    assert_eq!(
        told["outputs"][0],
        json!({"address": address_of(1), "amount_sats": 50_000})
    );
    assert_eq!(told["outputs"][1]["amount_sats"], 50_000);
    assert_eq!(told["miners"].as_array().unwrap().len(), 3);
    assert_eq!(
        told["held"]["below_threshold"],
        json!({"miners": 1, "amount_sats": 9_000})
    );
    assert_eq!(told["trouble"], json!(null));
    assert_eq!(bench.states(), []);
    assert!(bench.wallet.locked().is_empty());

    // What was agreed to is paid, and nothing else: neither what is due by now nor what is made up.
    let named = |told: &serde_json::Value| Some(told["plan"].as_str().unwrap().parse().unwrap());
    credit(&bench.memory, 3, [0, 2_000, 0, 0]).await;
    for plan in [named(&told), Some(PlanDigest::of(FeePayer::Pool, &[]))] {
        let refused = bench.ask(PaymasterControl::PayNow { dry_run: false, plan }).await;
        let Err(Refusal::ControlRefused(why)) = refused else {
            panic!("{refused:?}");
        };
        assert!(why.starts_with("plan: something else is due by now"), "{why}");
        assert_eq!(bench.states(), []);
    }
    let Ok(told) = bench
        .ask(PaymasterControl::PayNow {
            dry_run: true,
            plan: None,
        })
        .await
    else {
        panic!("it is known");
    };
    let plan = named(&told);
    let outcome = bench.ask(PaymasterControl::PayNow { dry_run: false, plan }).await;
    let Ok(paid) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(
        (&paid["payout"], &paid["state"]),
        (&json!(1), &json!("broadcast"))
    );
    assert_eq!(paid["txid"], json!(bench.signed(1).txid.to_string()));
    let fee = told["fee_sats"].as_u64().unwrap();
    assert_eq!(
        bench.signed(1).fee.sats(),
        fee,
        "the fee that was told is the fee that is paid"
    );
}

/// What is due by the clock is paid; the order came after that look had begun, so it is another one's to answer.
#[actix::test]
async fn a_look_that_was_begun_before_an_order_does_not_answer_it() {
    let bench = Bench::new([0; 4]).await;
    credit(&bench.memory, 2, [50_000, 0, 0, 0]).await;
    bench.clock.set(at(100_000));
    Outbox::new(&bench.paymaster).tell(Poke).unwrap();
    let other = PlanDigest::of(FeePayer::Pool, &[]);
    let wrong = bench.post(PaymasterControl::PayNow {
        dry_run: false,
        plan: Some(PlanDigest::of(FeePayer::Miners, &[])),
    });
    settle().await;
    assert_eq!(bench.states(), [Broadcast], "it was due");
    let Err(Refusal::ControlRefused(why)) = wrong.await.unwrap() else {
        panic!("nobody agreed to what was paid");
    };
    assert!(why.starts_with("plan: something else is due by now"), "{why}");
    // And nothing is due now, which somebody may agree to.
    let Ok(paid) = bench
        .ask(PaymasterControl::PayNow {
            dry_run: false,
            plan: Some(other),
        })
        .await
    else {
        panic!("it is nothing");
    };
    assert_eq!(paid["payout"], json!(null));
}

#[actix::test]
async fn a_dry_run_without_a_wallet_still_tells_whom_it_would_pay() {
    let bench = Bench::new([0; 4]).await;
    credit(&bench.memory, 2, [50_000, 0, 0, 0]).await;
    bench
        .wallet
        .set_state(WalletState::NotLoaded("it is not there".to_owned()));
    let outcome = bench
        .ask(PaymasterControl::PayNow {
            dry_run: true,
            plan: None,
        })
        .await;
    let Ok(told) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(told["miners"][0]["debited_sats"], 50_000);
    assert_eq!(told["fee_sats"], json!(null));
    assert!(told["trouble"].as_str().unwrap().contains("wallet_not_loaded"));
}

#[actix::test]
async fn while_paused_nothing_new_leaves_but_what_left_is_followed_also_after_a_restart() {
    let bench = Bench::new([50_000, 0, 0, 0]).await;
    bench.ask(PaymasterControl::Pause).await.unwrap();
    credit(&bench.memory, 2, [0, 20_000, 0, 0]).await;
    bench.wallet.lose_mempool();
    bench.look_at(200).await;
    assert_eq!(bench.wallet.waiting(), [bench.signed(1).txid], "sent again");
    let bench = bench.restarted().await;
    assert!(bench.view().await.paused);
    bench.wallet.mine(3);
    bench.look_at(300).await;
    assert_eq!(bench.states(), [Confirmed], "and no second payout");
    let refused = bench
        .ask(PaymasterControl::PayNow {
            dry_run: false,
            plan: None,
        })
        .await;
    assert!(matches!(refused, Err(Refusal::ControlRefused(why)) if why.contains("paused")));
    bench.ask(PaymasterControl::Resume).await.unwrap();
    settle().await;
    assert_eq!(bench.states(), [Confirmed, Broadcast]);
}

#[actix::test]
async fn a_threshold_is_kept_and_never_below_dust() {
    let bench = Bench::new([0; 4]).await;
    let refused = bench.ask(PaymasterControl::SetThreshold(sats(545))).await;
    assert!(matches!(refused, Err(Refusal::ControlRefused(why)) if why.contains("546")));
    let done = bench.ask(PaymasterControl::SetThreshold(sats(600))).await;
    assert_eq!(done, Ok(json!({ "threshold_sats": 600 })));
    let bench = bench.restarted().await;
    assert_eq!(bench.view().await.threshold, sats(600));
    credit(&bench.memory, 2, [600, 599, 0, 0]).await;
    bench
        .ask(PaymasterControl::PayNow {
            dry_run: false,
            plan: None,
        })
        .await
        .unwrap();
    assert_eq!(bench.of_miners(Balance::InFlight), [600, 0, 0, 0]);
}

#[actix::test]
async fn draining_ends_what_is_under_way_and_begins_nothing() {
    let bench = Bench::new([0; 4]).await;
    bench.ask(DrainPayouts).await;
    credit(&bench.memory, 2, [50_000, 0, 0, 0]).await;
    bench.look_at(500).await;
    assert_eq!(bench.states(), []);
    let refused = bench
        .ask(PaymasterControl::PayNow {
            dry_run: false,
            plan: None,
        })
        .await;
    assert!(matches!(refused, Err(Refusal::ControlRefused(why)) if why.contains("draining")));
    let waiting = bench.post(ReadPayouts);
    assert!(waiting.await.is_ok(), "questions are still answered");
}
