//! What becomes of exported payouts.

use super::*;

#[actix::test]
async fn marks_are_taken_once_and_taken_back() {
    let bench = Bench::new(&[500, 600]).await;
    bench.export("b").await.unwrap();
    let done = bench.mark("b", "0xabc", None).await.unwrap();
    assert_eq!((&done["marked"], &done["total_sats"]), (&2.into(), &1_100.into()));
    assert_eq!(bench.has(1).await, (0, 0, 500));
    let again = bench.mark("b", "0xabc", None).await.unwrap();
    assert_eq!(
        (&again["marked"], &again["marked_before"]),
        (&0.into(), &2.into())
    );
    let (first, other) = (PayoutId::new(1), reference("0xabc"));
    let already = BatchFault::AlreadyPaid {
        payout: first,
        reference: other.clone(),
    };
    assert_eq!(fault(bench.mark("b", "0xdef", None).await), already);
    let wrong = BatchFault::OtherReference {
        payout: first,
        reference: other,
    };
    assert_eq!(fault(bench.unmark("b", "0xdef", None).await), wrong);
    assert_eq!(fault(bench.unmark("b", "0xdef", Some(&[1])).await), wrong);
    assert_eq!(bench.states("b").await, [PayoutState::Paid; 2]);
    let undone = bench.unmark("b", "0xabc", Some(&[1])).await.unwrap();
    assert_eq!(undone["unmarked"], 1);
    assert_eq!(
        bench.states("b").await,
        [PayoutState::Exported, PayoutState::Paid]
    );
    let undone = bench.unmark("b", "0xabc", Some(&[1])).await.unwrap();
    assert_eq!(undone["unmarked"], 0, "once more changes nothing");
    // Another payment for the one that was unmarked; each mark belongs to its own.
    bench.mark("b", "0xdef", Some(&[1])).await.unwrap();
    assert_eq!(bench.unmark("b", "0xabc", None).await.unwrap()["unmarked"], 1);
    assert_eq!(
        bench.states("b").await,
        [PayoutState::Paid, PayoutState::Exported]
    );
    let money = bench.store.totals().await.unwrap();
    assert_eq!(money.holdings.check(&money.income), Ok(()));
    // Each payment is told of once.
    let told = ["batch/b/1/0xabc", "batch/b/1/0xdef"];
    assert_eq!(bench.notices().await, told);
}

#[actix::test]
async fn what_was_marked_is_not_given_back_and_what_was_not_is_payable_again() {
    let bench = Bench::new(&[500, 600, 700]).await;
    bench.export("b").await.unwrap();
    bench.mark("b", "tx", Some(&[2])).await.unwrap();
    let was_paid = |payout| BatchFault::WasPaid {
        payout: PayoutId::new(payout),
    };
    assert_eq!(fault(bench.give_back("b", None).await), was_paid(2));
    bench.unmark("b", "tx", None).await.unwrap();
    assert_eq!(fault(bench.give_back("b", Some(&[2])).await), was_paid(2));
    assert_eq!(bench.states("b").await, [PayoutState::Exported; 3]);
    let done = bench.give_back("b", Some(&[1, 1])).await.unwrap();
    assert_eq!(
        (&done["given_back"], &done["total_sats"]),
        (&1.into(), &700.into())
    );
    assert_eq!(bench.has(3).await, (700, 0, 0));
    assert_eq!(bench.give_back("b", Some(&[1])).await.unwrap()["given_back"], 0);
    let given = BatchFault::GivenBack {
        payout: PayoutId::new(1),
    };
    assert_eq!(fault(bench.mark("b", "tx", Some(&[1])).await), given);
    // The rest of the batch is marked all the same.
    assert_eq!(bench.mark("b", "tx", None).await.unwrap()["marked"], 2);
    // What was given back is in the next batch.
    assert_eq!(bench.export("c").await.unwrap()["total_sats"], 700);
    let all = bench.give_back("c", None).await.unwrap();
    assert_eq!(all["given_back"], 1);
    let given = BatchFault::GivenBack {
        payout: PayoutId::new(4),
    };
    assert_eq!(fault(bench.mark("c", "tx", None).await), given);
}

#[actix::test]
async fn what_is_not_there_is_named() {
    let bench = Bench::new(&[500]).await;
    assert_eq!(fault(bench.mark("b", "tx", None).await), BatchFault::Unknown);
    assert_eq!(fault(bench.unmark("b", "tx", None).await), BatchFault::Unknown);
    assert_eq!(fault(bench.give_back("b", None).await), BatchFault::Unknown);
    bench.export("b").await.unwrap();
    let strange = BatchFault::PayoutUnknown {
        payout: PayoutId::new(2),
    };
    assert_eq!(fault(bench.mark("b", "tx", Some(&[1, 2])).await), strange);
    assert_eq!(fault(bench.unmark("b", "tx", Some(&[2])).await), strange);
    assert_eq!(fault(bench.give_back("b", Some(&[2])).await), strange);
    assert_eq!(bench.states("b").await, [PayoutState::Exported]);
    for order in [
        PaymasterControl::PayNow {
            dry_run: true,
            plan: None,
        },
        PaymasterControl::Cancel(PayoutId::new(1)),
        PaymasterControl::Adopt {
            only: None,
            reserve_bears: false,
        },
    ] {
        assert!(refused(bench.ask(order).await).contains("payout_exporter export"));
    }
}
