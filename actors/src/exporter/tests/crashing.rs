//! What the disk does not take, what the audit trail has, and the end.

use super::*;

#[actix::test]
async fn a_batch_that_the_disk_does_not_take_is_not_there_and_one_whose_answer_is_lost_is_told() {
    let plan = FaultPlan {
        at: vec![(1, Fault::Refuse), (2, Fault::LoseAfter)],
        ..FaultPlan::default()
    };
    let bench = Bench::with(&[500], plan).await;
    assert_eq!(bench.export("b").await, Err(Refusal::Unavailable));
    assert_eq!((bench.row("b").await, bench.has(1).await), (None, (500, 0, 0)));
    // The process stops when it does not know; the next life does.
    assert_eq!(bench.export("b").await, Err(Refusal::Unavailable));
    let bench = bench.restarted().await;
    assert_eq!(bench.export("b").await.unwrap()["is_new"], false);
    assert_eq!(bench.has(1).await, (0, 500, 0));
}

#[actix::test]
async fn an_order_is_in_the_audit_trail_with_what_it_changes() {
    let bench = Bench::new(&[500]).await;
    let port: Port<ExporterControl> = Port::new(&bench.exporter);
    let row = AuditRow {
        id: 0,
        at: BEGIN,
        who: "token".to_owned(),
        actor: "payout_exporter".to_owned(),
        message: "export".to_owned(),
        fields: "{}".to_owned(),
        outcome: String::new(),
    };
    let order = async |control| {
        let order = Order::new(row.clone());
        let answer = port.ask_by_order(control, Some(order.clone()), Duration::from_secs(9));
        answer.await.unwrap().unwrap();
        order.is_in_trail()
    };
    let batch = || name("b");
    let mark = || ExporterControl::MarkPaid {
        batch: batch(),
        reference: reference("tx"),
        payouts: None,
    };
    assert!(order(ExporterControl::Export(batch())).await);
    assert!(
        !order(ExporterControl::Export(batch())).await,
        "it changed nothing"
    );
    assert!(order(mark()).await);
    assert!(!order(mark()).await);
    let page = PageRequest {
        cursor: None,
        limit: 9,
    };
    let trail = bench.store.audit(page).await.unwrap().rows;
    assert_eq!(trail.len(), 2);
    assert!(trail[0].outcome.contains("\"marked\":1"), "{}", trail[0].outcome);
}

#[actix::test]
async fn a_drained_exporter_begins_nothing_more() {
    let bench = Bench::new(&[500]).await;
    bench.ask(DrainPayouts).await;
    assert!(refused(bench.export("b").await).contains("draining"));
    assert_eq!(bench.row("b").await, None);
}
