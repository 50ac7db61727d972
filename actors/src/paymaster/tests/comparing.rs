//! The ledger beside its wallet: every state of the one with every state of the other.

use PayoutState::{Broadcast, Cancelled, Confirmed};
use dwarves_domain::payouts::Txid;
use dwarves_domain::refusal::Refusal;
use serde_json::json;

use super::*;
use crate::control::hold::Hold;
use crate::paymaster::comparison::{COMPARED, RESTORED};

/// A script that no miner has, with an address: to a witness of 20 bytes.
fn foreign_script() -> Vec<u8> {
    [vec![0x00, 0x14], vec![0x77; 20]].concat()
}

/// What the wallet sent that the ledger does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Nothing,
    ToMiner,
    Elsewhere,
}

fn send(wallet: &TestWallet, sent: Sent) {
    match sent {
        Sent::Nothing => {}
        Sent::ToMiner => drop(wallet.pay_elsewhere(&[(script_of(2), 20_000)])),
        Sent::Elsewhere => drop(wallet.pay_elsewhere(&[(foreign_script(), 20_000)])),
    }
}

async fn settings(bench: &Bench) -> std::collections::BTreeMap<String, String> {
    bench.memory.settings().await.unwrap()
}

async fn bench(memory: InlineStore, wallet: &TestWallet) -> Bench {
    Bench::on(memory, wallet.clone(), payout_settings()).await
}

fn adopt(only: Option<Txid>) -> PaymasterControl {
    PaymasterControl::Adopt {
        only,
        reserve_bears: false,
    }
}

fn coins() -> TestWallet {
    TestWallet::with_coins(&[60_000, 500_000, 2_000_000])
}

#[actix::test]
async fn each_state_of_the_ledger_and_each_state_of_the_wallet_hold_or_go() {
    tokio::time::pause();
    // Was this ledger compared before, what was sent before the start, and after it: held after the start, and in the end.
    let rows = [
        (false, Sent::Nothing, Sent::Nothing, false, false),
        (false, Sent::ToMiner, Sent::Nothing, true, true),
        (false, Sent::Elsewhere, Sent::Nothing, false, false),
        (true, Sent::Nothing, Sent::Nothing, false, false),
        (true, Sent::ToMiner, Sent::Nothing, true, true),
        (true, Sent::Elsewhere, Sent::Nothing, true, true),
        (true, Sent::Nothing, Sent::ToMiner, false, true),
        (true, Sent::Nothing, Sent::Elsewhere, false, false),
        (false, Sent::Nothing, Sent::ToMiner, false, true),
        (false, Sent::Nothing, Sent::Elsewhere, false, false),
    ];
    for row in rows {
        for confirmed in [false, true] {
            let (was_compared, before, after, held_first, held_last) = row;
            let wallet = coins();
            let memory = rich([0; 4]).await;
            if was_compared {
                drop(bench(memory.clone(), &wallet).await);
            }
            send(&wallet, before);
            wallet.mine(u32::from(confirmed));
            credit(&memory, 2, [50_000, 0, 0, 0]).await;
            let bench = bench(memory, &wallet).await;
            let is_held = |view: &PayoutsView| view.holds.contains(Hold::Restored);
            assert_eq!(is_held(&bench.view().await), held_first, "{row:?}");
            assert_eq!(
                bench.states().is_empty(),
                held_first,
                "{row:?}: nothing is planned before it is compared"
            );
            // The coins that came back as change must be there for whoever is next.
            bench.wallet.mine(1);
            send(&wallet, after);
            bench.wallet.mine(1);
            credit(&bench.memory, 3, [0, 0, 50_000, 0]).await;
            bench.look_at(100_000).await;
            assert_eq!(is_held(&bench.view().await), held_last, "{row:?}");
            let paid = bench.of_miners(Balance::InFlight)[2] + bench.of_miners(Balance::Paid)[2];
            assert_eq!(paid == 0, held_last, "{row:?}");
            assert!(bench.never_halted());
        }
    }
}

#[actix::test]
async fn a_wallet_that_can_not_be_asked_is_waited_for_and_nothing_is_planned_meanwhile() {
    tokio::time::pause();
    let wallet = coins();
    wallet.set_state(WalletState::NotLoaded("away".to_owned()));
    let bench = bench(rich([50_000, 0, 0, 0]).await, &wallet).await;
    bench.look_at(1_000).await;
    assert_eq!(bench.states(), []);
    assert_eq!(bench.troubles().await, ["wallet_not_loaded"]);
    bench.wallet.set_state(WalletState::Ready);
    bench.look_at(2_000).await;
    assert_eq!(bench.states(), [Broadcast]);
}

/// The whole story: a payout of a later ledger, the older ledger restored, looked at, booked, gone on.
#[actix::test]
async fn a_restored_ledger_pays_nobody_twice_and_its_books_become_right() {
    tokio::time::pause();
    for (payer, was_reserved) in [
        (FeePayer::Pool, false),
        (FeePayer::Miners, false),
        (FeePayer::Pool, true),
    ] {
        let settings = PaymasterSettings {
            payer,
            ..payout_settings()
        };
        let wallet = coins();
        let later = rich([50_000, 20_000, 0, 0]).await;
        let live = Bench::on(later.clone(), wallet.clone(), settings.clone()).await;
        assert_eq!(live.states(), [Broadcast]);
        let (fee, txid) = (live.signed(1).fee, live.signed(1).txid);
        wallet.mine(5);
        live.look_at(110).await;
        assert_eq!(live.states(), [Confirmed]);
        let right = (live.of_miners(Balance::Paid), live.balance(Account::NetworkFees));
        // The backup: before the payout, or when its money was set aside.
        let older = rich([50_000, 20_000, 0, 0]).await;
        if was_reserved {
            let mut reserved = live.payout(1);
            reserved.parts.iter_mut().for_each(|part| part.fee = sats(0));
            let write = Payout::reserve(reserved.id, at(100), reserved.parts, payer, reserved.fee_rate);
            older
                .commit(vec![Write::ReservePayout(Box::new(write))])
                .await
                .unwrap();
        }
        let bench = Bench::on(older, wallet.clone(), settings).await;
        bench.look_at(10_000).await;
        assert!(bench.view().await.holds.contains(Hold::Restored));
        assert!(bench.wallet.waiting().is_empty());
        let Ok(told) = bench.ask(adopt(None)).await else {
            panic!("it is booked");
        };
        assert_eq!(told["adopted"][0]["txid"], json!(txid.to_string()));
        assert_eq!(told["adopted"][0]["borne_by_reserve_sats"], 0);
        assert_eq!(told["adopted"][0]["fee_sats"], fee.sats());
        let again = bench.ask(adopt(Some(txid))).await;
        assert!(matches!(again, Err(Refusal::ControlRefused(_))), "{again:?}");
        assert!(bench.view().await.holds.is_empty());
        bench.look_at(20_000).await;
        let states = if was_reserved {
            vec![Cancelled, Confirmed]
        } else {
            vec![Confirmed]
        };
        assert_eq!(bench.states(), states, "{payer}");
        let now = (
            bench.of_miners(Balance::Paid),
            bench.balance(Account::NetworkFees),
        );
        assert_eq!(now, right, "{payer}: what the later ledger had booked");
        assert_eq!(bench.troubles().await, [""; 0]);
        credit(&bench.memory, 2, [30_000, 0, 0, 0]).await;
        let bench = bench.restarted().await;
        bench.look_at(100_000).await;
        assert_eq!(bench.wallet.waiting().len(), 1, "it goes on");
    }
}

#[actix::test]
async fn what_is_none_of_the_pools_is_left_out_by_releasing_also_after_a_restart() {
    tokio::time::pause();
    let wallet = coins();
    let memory = rich([0; 4]).await;
    drop(bench(memory.clone(), &wallet).await);
    send(&wallet, Sent::Elsewhere);
    credit(&memory, 2, [50_000, 0, 0, 0]).await;
    let bench = bench(memory, &wallet).await;
    let nothing = bench.ask(adopt(None)).await;
    assert!(matches!(nothing, Err(Refusal::ControlRefused(_))));
    let Ok(told) = bench.ask(PaymasterControl::Release(Hold::Restored)).await else {
        panic!("an operator may");
    };
    assert_eq!(told["left_out"], 1);
    assert_eq!(told["spends"][0]["outputs"][0]["to_miner"], false);
    bench.wallet.mine(1);
    let bench = bench.restarted().await;
    bench.look_at(1_000).await;
    assert!(bench.view().await.holds.is_empty());
    assert_eq!(bench.states(), [Broadcast]);
    let kept = settings(&bench).await[COMPARED].clone();
    bench.wallet.mine(30);
    // The first look moves the mark, the next one asks from there.
    bench.look_at(100_000).await;
    bench.look_at(200_000).await;
    assert_ne!(settings(&bench).await[COMPARED], kept, "the mark moves on");
    assert!(
        !settings(&bench).await[COMPARED].contains("\"seen\":[\""),
        "and what lies behind it is forgotten"
    );
}

#[actix::test]
async fn what_no_balance_covers_is_booked_only_if_the_operator_says_who_bears_it() {
    tokio::time::pause();
    let wallet = coins();
    send(&wallet, Sent::ToMiner);
    let bench = bench(rich([0, 5_000, 0, 0]).await, &wallet).await;
    let refused = bench.ask(adopt(None)).await;
    assert!(
        matches!(&refused, Err(Refusal::ControlRefused(why)) if why.contains("15000 sats more")),
        "{refused:?}"
    );
    assert_eq!(bench.states(), []);
    // The rest comes in, as from a block that was recovered.
    credit(&bench.memory, 2, [0, 10_000, 0, 0]).await;
    let told = PaymasterControl::Adopt {
        only: None,
        reserve_bears: true,
    };
    let Ok(told) = bench.ask(told).await else {
        panic!("it is booked");
    };
    assert_eq!(told["adopted"][0]["borne_by_reserve_sats"], 5_000);
    assert_eq!(bench.of_miners(Balance::Payable), [0; 4]);
    assert_eq!(bench.balance(Account::Reserve), -5_000);
}

/// A ledger that says that it was restored holds whatever the wallet sent, until an operator has settled it.
#[actix::test]
async fn a_ledger_that_says_so_is_held_until_an_operator_has_looked_whatever_the_wallet_sent() {
    tokio::time::pause();
    // What was sent before the start; whether `adopt` finds something to book; whether payouts go on after it.
    let rows = [
        (Sent::Nothing, false, false),
        (Sent::ToMiner, true, true),
        (Sent::Elsewhere, false, false),
    ];
    for (sent, is_booked, goes_on) in rows {
        for was_compared in [false, true] {
            let wallet = coins();
            let memory = rich([0; 4]).await;
            if was_compared {
                drop(bench(memory.clone(), &wallet).await);
            }
            send(&wallet, sent);
            let mark = Write::SaveSetting {
                key: RESTORED.to_owned(),
                value: Some("the ledger was restored".to_owned()),
            };
            memory.commit(vec![mark]).await.unwrap();
            credit(&memory, 2, [50_000, 50_000, 0, 0]).await;
            let row = format!("{sent:?} {was_compared}");
            let mut bench = bench(memory, &wallet).await;
            // Neither time nor another start lifts it, and an operator is told what there is.
            for _ in 0..2 {
                bench.look_at(10_000).await;
                let view = bench.view().await;
                assert!(view.holds.contains(Hold::Restored), "{row}");
                assert!(bench.states().is_empty(), "{row}");
                let told = view.holds.lines().collect::<String>();
                let expected = if sent == Sent::Nothing {
                    "sent nothing"
                } else {
                    "sent 1 transactions"
                };
                let is_named = sent != Sent::Elsewhere || was_compared;
                assert!(told.contains("the ledger was restored"), "{row}: {told}");
                assert!(!is_named || told.contains(expected), "{row}: {told}");
                bench = bench.restarted().await;
            }
            bench.look_at(20_000).await;
            assert_eq!(bench.ask(adopt(None)).await.is_ok(), is_booked, "{row}");
            assert_eq!(bench.view().await.holds.is_empty(), goes_on, "{row}");
            if !goes_on {
                bench
                    .ask(PaymasterControl::Release(Hold::Restored))
                    .await
                    .unwrap();
            }
            assert!(!settings(&bench).await.contains_key(RESTORED), "{row}");
            let bench = bench.restarted().await;
            bench.look_at(100_000).await;
            assert!(bench.view().await.holds.is_empty(), "{row}");
            assert_eq!(
                bench.wallet.waiting().len(),
                1 + usize::from(sent != Sent::Nothing),
                "{row}: it goes on"
            );
        }
    }
}
