//! Batches of exported payouts: begun once, never changed, and their money moved by every mark once.

use dwarves_domain::ids::PayoutId;
use dwarves_domain::payouts::{
    BatchDigest, BatchName, Part, PaymentReference, Payout, PayoutState, Transition,
};
use dwarves_domain::units::Amount;
use dwarves_ports::store::{BatchHead, BatchRow, NewBatch, SharedStore, StoreErrorKind, Write, Written};

use super::Backend;
use super::fixtures::{at, commit, key, page, refused, sats};
use super::payouts::with_payable;

fn name(text: &str) -> BatchName {
    text.parse().unwrap()
}

/// A batch of this name whose payouts are numbered from `first` on, of these miners and amounts.
fn batch(batch: &str, first: u64, parts: &[(u8, u64)], previous: Option<BatchDigest>) -> NewBatch {
    let text = format!("text of {batch} ").repeat(100);
    let csv = format!("table of {batch}\r\n");
    let payouts = parts.iter().zip(first..).map(|((miner, amount), id)| {
        let part = Part {
            hotkey: key(*miner),
            address: format!("address of {miner}"),
            amount: sats(*amount),
            fee: Amount::ZERO,
            borne: Amount::ZERO,
        };
        Payout::export(PayoutId::new(id), at(9), part, name(batch))
    });
    let head = BatchHead {
        name: name(batch),
        at: at(9),
        first_payout: PayoutId::new(first),
        payouts: parts.len() as u64,
        total: sats(parts.iter().map(|(_, amount)| amount).sum()),
        digest: BatchDigest::of(&text),
        previous,
        signer: key(9),
        signature: [7; 64],
        csv_signature: [8; 64],
    };
    let payouts = payouts.collect();
    NewBatch {
        row: BatchRow { head, text, csv },
        payouts,
    }
}

fn begin(batch: &NewBatch) -> Vec<Write> {
    vec![Write::BeginBatch(Box::new(batch.clone()))]
}

fn step(id: u64, step: Transition) -> Write {
    Write::StepPayout {
        id: PayoutId::new(id),
        step,
        at: at(20),
    }
}

fn reference(text: &str) -> PaymentReference {
    text.parse().unwrap()
}

/// Payable, in flight and paid of a miner.
async fn has(store: &SharedStore, miner: u8) -> (u64, u64, u64) {
    let has = store.miner_balances(key(miner)).await.unwrap();
    (has.payable.sats(), has.in_flight.sats(), has.paid.sats())
}

/// A batch takes its miners' money once, is read back byte for byte, and never changes.
pub async fn a_batch_begins_once_and_never_changes<B: Backend>(backend: B) {
    let mut store = with_payable(&backend).await;
    let good = batch("one", 1, &[(1, 1_000), (2, 400)], None);
    let other = |change: &dyn Fn(&mut NewBatch)| {
        let mut other = good.clone();
        change(&mut other);
        other
    };
    let bad = [
        other(&|b| b.row.head.previous = Some(BatchDigest::of("x"))),
        other(&|b| b.row.head.digest = BatchDigest::of("x")),
        other(&|b| b.row.head.payouts = 3),
        other(&|b| b.row.head.total = sats(1)),
        other(&|b| b.row.head.first_payout = PayoutId::new(2)),
        other(&|b| b.payouts[1].parts[0].hotkey = key(1)),
        other(&|b| b.payouts[1].exported = None),
        other(&|b| b.row.head.name = name("two")),
        batch("empty", 1, &[], None),
    ];
    for bad in &bad {
        assert_eq!(refused(&store, begin(bad)).await, StoreErrorKind::Conflict);
    }
    let much = batch("one", 1, &[(1, 1_000), (2, 501)], None);
    assert_eq!(commit(&store, begin(&much)).await, [Written::PayoutRefused]);
    assert_eq!(store.payout_batch(name("one")).await.unwrap(), None);
    assert_eq!(
        (has(&store, 1).await, has(&store, 2).await),
        ((1_000, 0, 0), (500, 0, 0))
    );
    assert_eq!(commit(&store, begin(&good)).await, [Written::Done]);
    assert_eq!(
        (has(&store, 1).await, has(&store, 2).await),
        ((0, 1_000, 0), (100, 400, 0))
    );
    // The same again, with other signatures: the first stay, and nothing moves.
    let again = other(&|b| b.row.head.signature = [1; 64]);
    assert_eq!(commit(&store, begin(&again)).await, [Written::Done]);
    let another = other(&|b| b.row.csv.push('x'));
    assert_eq!(refused(&store, begin(&another)).await, StoreErrorKind::Conflict);
    store = {
        drop(store);
        backend.open()
    };
    assert_eq!(has(&store, 1).await, (0, 1_000, 0));
    let stored = store.payout_batch(name("one")).await.unwrap();
    assert_eq!(stored.as_ref(), Some(&good.row));
    assert_eq!(store.batch_payouts(name("one")).await.unwrap(), good.payouts);
    assert_eq!(store.batch_payouts(name("two")).await.unwrap(), []);
    // The next one follows it, and its payouts are numbered on.
    let back = batch("two", 2, &[(2, 100)], Some(good.row.head.digest));
    assert_eq!(refused(&store, begin(&back)).await, StoreErrorKind::Conflict);
    let next = batch("two", 3, &[(2, 100)], Some(good.row.head.digest));
    assert_eq!(commit(&store, begin(&next)).await, [Written::Done]);
    assert_eq!(has(&store, 2).await, (0, 500, 0));
    let newest = store.payout_batches(page(None, 1)).await.unwrap();
    assert_eq!(newest.rows[0].head, next.row.head);
    assert_eq!((newest.rows[0].number, newest.next), (2, Some(2)));
    let rest = store.payout_batches(page(newest.next, 1)).await.unwrap();
    assert_eq!(
        (rest.rows[0].head.clone(), rest.next),
        (good.row.head.clone(), None)
    );
    // A payout of the wallet comes behind them, too.
    let started = store.start(at(30)).await.unwrap();
    assert_eq!(started.last_payout, Some((PayoutId::new(3), at(9))));
    assert!(store.watched_payouts(9).await.unwrap().is_empty());
}

/// Payouts of a batch are marked paid, unmarked and given back one by one; each moves money once.
pub async fn a_batchs_payouts_are_marked_unmarked_and_given_back<B: Backend>(backend: B) {
    let mut store = with_payable(&backend).await;
    let good = batch("one", 1, &[(1, 1_000), (2, 500)], None);
    commit(&store, begin(&good)).await;
    let pay = |id| step(id, Transition::Pay(reference("0xabc")));
    let unpay = |id| step(id, Transition::Unpay(reference("0xabc")));
    commit(&store, vec![pay(1), pay(1)]).await;
    assert_eq!(
        (has(&store, 1).await, has(&store, 2).await),
        ((0, 0, 1_000), (0, 500, 0))
    );
    let counts = async |store: &SharedStore| {
        let newest = store.payout_batches(page(None, 1)).await.unwrap().rows.remove(0);
        (newest.exported, newest.paid, newest.cancelled)
    };
    assert_eq!(counts(&store).await, (1, 1, 0));
    let row = store
        .miner_payouts(key(1), page(None, 1))
        .await
        .unwrap()
        .rows
        .remove(0);
    assert_eq!((row.state, row.sent_at), (PayoutState::Paid, Some(at(20))));
    let exported = row.exported.unwrap();
    assert_eq!(
        (exported.batch, exported.reference),
        (name("one"), Some(reference("0xabc")))
    );
    // Another payment is another one; what is marked is not given back, nor is what was.
    for wrong in [
        step(1, Transition::Pay(reference("0xdef"))),
        step(1, Transition::Unpay(reference("0xdef"))),
        step(1, Transition::Cancel("x".to_owned())),
        step(2, Transition::Send),
    ] {
        assert_eq!(refused(&store, vec![wrong]).await, StoreErrorKind::Conflict);
    }
    commit(&store, vec![unpay(1), unpay(1)]).await;
    assert_eq!(has(&store, 1).await, (0, 1_000, 0));
    let cancel = |id| step(id, Transition::Cancel("not sent".to_owned()));
    assert_eq!(refused(&store, vec![cancel(1)]).await, StoreErrorKind::Conflict);
    commit(&store, vec![cancel(2), cancel(2)]).await;
    assert_eq!(has(&store, 2).await, (500, 0, 0));
    assert_eq!(refused(&store, vec![pay(2)]).await, StoreErrorKind::Conflict);
    store = {
        drop(store);
        backend.open()
    };
    assert_eq!(counts(&store).await, (1, 0, 1));
    // A conflict takes all of its commit back.
    assert_eq!(
        refused(&store, vec![pay(1), pay(2)]).await,
        StoreErrorKind::Conflict
    );
    assert_eq!(has(&store, 1).await, (0, 1_000, 0));
    let stored = store.payout_batch(name("one")).await.unwrap();
    assert_eq!(stored, Some(good.row), "what was signed stays");
    let payouts = store.payouts(page(None, 9)).await.unwrap();
    let states: Vec<_> = payouts.rows.iter().map(|row| row.payout.state).collect();
    assert_eq!(states, [PayoutState::Cancelled, PayoutState::Exported]);
}
