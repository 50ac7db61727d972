//! The exporter on a store in memory: batches, holds, crashes and the audit trail.

use std::sync::Arc;
use std::time::Duration;

use dwarves_domain::address::AddressFormat;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::PayoutId;
use dwarves_domain::payouts::export::signed_csv;
use dwarves_domain::payouts::{BatchFault, BatchName, FeePayer, PaymentReference, PayoutState, WhyHeld};
use dwarves_ports::clock::Clock;
use dwarves_ports::signer::Signer;
use dwarves_ports::store::{AuditRow, BatchRow, PageRequest, Store, Write};
use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::build::{BEGIN, hotkey, sats};
use dwarves_testkit::faulty_store::{Fault, FaultPlan, FaultyStore};
use dwarves_testkit::{ManualClock, RecordingHalt, settle};
use serde_json::Value;

use super::*;
use crate::ask::Request;
use crate::audit::Order;
use crate::control::hold::HoldPayouts;
use crate::ledger::{Acknowledge, Ledger, LedgerParts};
use crate::paymaster::comparison::RESTORED;
use crate::paymaster::control::StoredPayoutSettings;
use crate::paymaster::messages::{DrainPayouts, PaymasterControl, ReadPayouts, ReadWaiting};
use crate::testing::payouts::crediting_round;
use crate::testing::settings::pool_settings;

mod crashing;
mod marks;

const POOL: Hotkey = Hotkey::from_bytes([9; 32]);

/// Signs with the first bytes of what it signs.
struct FirstBytes;

impl Signer for FirstBytes {
    fn hotkey(&self) -> Hotkey {
        POOL
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        std::array::from_fn(|n| message.get(n).copied().unwrap_or(0))
    }
}

/// An exporter, and all that it meets.
struct Bench {
    store: InlineStore,
    clock: ManualClock,
    exporter: Addr<Exporter>,
}

async fn begin(store: &InlineStore, before: SharedStore, clock: &ManualClock) -> Addr<Exporter> {
    let stored = store.start(clock.now()).await.unwrap();
    let changed = StoredPayoutSettings::read(&stored.settings);
    let mut settings = pool_settings().payouts;
    settings.threshold = changed.threshold.unwrap_or(sats(100));
    settings.threshold_min = sats(1);
    settings.dust = Amount::ZERO;
    settings.payer = FeePayer::Pool;
    settings.addresses = AddressFormat::Nothing;
    let ledger = Ledger::new(LedgerParts {
        store: before.clone(),
        halt: RecordingHalt::default().shared(),
        acknowledge: Acknowledge::Durable,
        position: (stored.last_sequence, stored.total_units),
        mailbox_capacity: 64,
    });
    Exporter::new(ExporterParts {
        ledger: Port::new(&ledger.start()),
        store: before,
        clock: Arc::new(clock.clone()),
        exports: ExportSettings {
            unit: "TAO".to_owned(),
            decimals: 9,
            signer: Arc::new(FirstBytes),
        },
        settings,
        paused: changed.paused,
        holds: Holds::default(),
        restored: changed.restored,
    })
    .start()
}

fn name(text: &str) -> BatchName {
    text.parse().unwrap()
}

fn reference(text: &str) -> PaymentReference {
    text.parse().unwrap()
}

impl Bench {
    /// Miners 1, 2, 3, … have so much payable.
    async fn new(payable: &[u64]) -> Self {
        Self::with(payable, FaultPlan::default()).await
    }

    async fn with(payable: &[u64], plan: FaultPlan) -> Self {
        tokio::time::pause();
        let store = InlineStore::fresh();
        let clock = ManualClock::at(BEGIN);
        let mut writes: Vec<Write> = (1..=9)
            .map(|n| Write::RegisterMiner {
                hotkey: hotkey(n),
                payout_address: None,
                at: BEGIN,
            })
            .collect();
        writes.push(crediting_round(1, BEGIN, payable));
        store.commit(writes).await.unwrap();
        let faulty = FaultyStore::new(Arc::new(store.clone()), plan);
        let exporter = begin(&store, Arc::new(faulty), &clock).await;
        settle().await;
        Self {
            store,
            clock,
            exporter,
        }
    }

    async fn restarted(mut self) -> Self {
        self.exporter = begin(&self.store, Arc::new(self.store.clone()), &self.clock).await;
        settle().await;
        self
    }

    async fn ask<R: Request>(&self, question: R) -> R::Reply
    where
        Exporter: Handler<Ask<R>>,
    {
        let port: Port<R> = Port::new(&self.exporter);
        port.ask(question, Duration::from_secs(60)).await.unwrap()
    }

    async fn order(&self, control: ExporterControl) -> Controlled {
        self.ask(control).await
    }

    async fn export(&self, batch: &str) -> Controlled {
        self.order(ExporterControl::Export(name(batch))).await
    }

    async fn mark(&self, batch: &str, by: &str, payouts: Option<&[u64]>) -> Controlled {
        let payouts = payouts.map(|ids| ids.iter().copied().map(PayoutId::new).collect());
        let (batch, reference) = (name(batch), reference(by));
        self.order(ExporterControl::MarkPaid {
            batch,
            reference,
            payouts,
        })
        .await
    }

    async fn unmark(&self, batch: &str, by: &str, payouts: Option<&[u64]>) -> Controlled {
        let payouts = payouts.map(|ids| ids.iter().copied().map(PayoutId::new).collect());
        let (batch, reference) = (name(batch), reference(by));
        self.order(ExporterControl::UnmarkPaid {
            batch,
            reference,
            payouts,
        })
        .await
    }

    async fn give_back(&self, batch: &str, payouts: Option<&[u64]>) -> Controlled {
        let payouts = payouts.map(|ids| ids.iter().copied().map(PayoutId::new).collect());
        let batch = name(batch);
        self.order(ExporterControl::GiveBack { batch, payouts }).await
    }

    async fn row(&self, batch: &str) -> Option<BatchRow> {
        self.store.payout_batch(name(batch)).await.unwrap()
    }

    /// Payable, in flight and paid of a miner.
    async fn has(&self, miner: u8) -> (u64, u64, u64) {
        let has = self.store.miner_balances(hotkey(miner)).await.unwrap();
        (has.payable.sats(), has.in_flight.sats(), has.paid.sats())
    }

    /// The states of a batch's payouts.
    async fn states(&self, batch: &str) -> Vec<PayoutState> {
        let payouts = self.store.batch_payouts(name(batch)).await.unwrap();
        payouts.iter().map(|payout| payout.state).collect()
    }

    async fn notices(&self) -> Vec<String> {
        let notices = self.store.unplanned_notices(100).await.unwrap();
        notices.into_iter().map(|notice| notice.key).collect()
    }
}

fn fault(outcome: Controlled) -> BatchFault {
    match outcome {
        Err(Refusal::Batch(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

fn refused(outcome: Controlled) -> String {
    match outcome {
        Err(Refusal::ControlRefused(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[actix::test]
async fn a_batch_takes_all_that_is_payable_once_and_is_signed_as_it_stands() {
    let bench = Bench::new(&[500, 99, 1_000]).await;
    let done = bench.export("one").await.unwrap();
    assert_eq!(done["is_new"], true);
    assert_eq!(
        (&done["payouts"], &done["total_sats"]),
        (&2.into(), &1_500.into())
    );
    assert_eq!(done["held"]["below_threshold"]["amount_sats"], 99);
    assert_eq!(
        (bench.has(3).await, bench.has(1).await),
        ((0, 1_000, 0), (0, 500, 0))
    );
    assert_eq!(
        bench.has(2).await,
        (99, 0, 0),
        "below the threshold it carries over"
    );
    let row = bench.row("one").await.unwrap();
    assert_eq!(row.head.digest.to_string(), done["digest"]);
    assert_eq!(row.head.signature, FirstBytes.sign(row.text.as_bytes()));
    assert_eq!(
        row.head.csv_signature,
        FirstBytes.sign(signed_csv(&row.csv).as_bytes())
    );
    let told: Value = serde_json::from_str(row.text.lines().nth(1).unwrap()).unwrap();
    assert_eq!(told["total"], "1500");
    assert_eq!(told["payouts"][0]["hotkey"], hotkey(3).to_string());
    assert_eq!(told["payouts"][0]["address"], hotkey(3).to_string());
    assert_eq!(
        (&told["pool"], &told["unit"]),
        (&POOL.to_string().into(), &"TAO".into())
    );
    // The same name is the same batch, whatever is payable by now, also in the next life.
    let round = crediting_round(2, BEGIN.plus(Span::from_secs(60)), &[300]);
    bench.store.commit(vec![round]).await.unwrap();
    let again = bench.export("one").await.unwrap();
    assert_eq!(
        (&again["is_new"], &again["digest"]),
        (&false.into(), &done["digest"])
    );
    let bench = bench.restarted().await;
    assert_eq!(bench.export("one").await.unwrap(), again);
    assert_eq!(bench.row("one").await.unwrap(), row);
    // The next one takes what came since, names the one before, and numbers on.
    let next = bench.export("two").await.unwrap();
    assert_eq!((&next["payouts"], &next["first_payout"]), (&1.into(), &3.into()));
    assert_eq!(
        bench.row("two").await.unwrap().head.previous,
        Some(row.head.digest)
    );
    assert_eq!(fault(bench.export("three").await), BatchFault::NothingDue);
    assert_eq!(bench.row("three").await, None, "the name stays free");
}

#[actix::test]
async fn no_batch_begins_while_payouts_are_held_or_paused_and_old_ones_are_told() {
    let bench = Bench::new(&[500]).await;
    bench.export("old").await.unwrap();
    let round = crediting_round(2, BEGIN.plus(Span::from_secs(60)), &[300]);
    bench.store.commit(vec![round]).await.unwrap();
    bench.ask(PaymasterControl::Pause).await.unwrap();
    assert!(refused(bench.export("new").await).contains("paused"));
    // It outlives a restart, as does a threshold.
    bench
        .ask(PaymasterControl::SetThreshold(sats(301)))
        .await
        .unwrap();
    let restored = Write::SaveSetting {
        key: RESTORED.to_owned(),
        value: Some("of a backup".to_owned()),
    };
    bench.store.commit(vec![restored]).await.unwrap();
    let bench = bench.restarted().await;
    assert!(refused(bench.export("new").await).contains("paused"));
    bench.ask(PaymasterControl::Resume).await.unwrap();
    assert!(refused(bench.export("new").await).contains("held by restored: of a backup"));
    assert_eq!(bench.export("old").await.unwrap()["is_new"], false);
    assert_eq!(bench.mark("old", "tx", None).await.unwrap()["marked"], 1);
    let not_set = bench.ask(PaymasterControl::Release(Hold::Start)).await;
    assert!(refused(not_set).contains("not held"));
    bench
        .ask(PaymasterControl::Release(Hold::Restored))
        .await
        .unwrap();
    assert_eq!(bench.store.settings().await.unwrap().get(RESTORED), None);
    let hold = |detail: Option<&str>| HoldPayouts {
        hold: Hold::Clock,
        detail: detail.map(str::to_owned),
    };
    bench.exporter.try_send(hold(Some("it lies"))).unwrap();
    assert!(refused(bench.export("new").await).contains("held by clock: it lies"));
    assert!(refused(bench.ask(PaymasterControl::Release(Hold::Clock)).await).contains("by itself"));
    let view = bench.ask(ReadPayouts).await;
    assert!(view.is_by_export && view.holds.contains(Hold::Clock));
    assert_eq!(view.to_json()["next_plan_at_millis"], Value::Null);
    bench.exporter.try_send(hold(None)).unwrap();
    assert_eq!(fault(bench.export("new").await), BatchFault::NothingDue);
    bench
        .ask(PaymasterControl::SetThreshold(sats(300)))
        .await
        .unwrap();
    let status = bench.order(ExporterControl::Status).await.unwrap();
    assert_eq!(
        (&status["due"]["payouts"], &status["obstacle"]),
        (&1.into(), &Value::Null)
    );
    assert_eq!(status["batches"][0]["paid"], 1);
    assert_eq!(bench.export("new").await.unwrap()["total_sats"], 300);
}

#[actix::test]
async fn what_waits_is_known_without_an_order_and_hundreds_are_one_batch() {
    let mut many: Vec<u64> = (0..250).map(|n| 1_000 + n).collect();
    many[0] = 50;
    let bench = Bench::new(&many).await;
    let held = bench.ask(ReadPayouts).await.held;
    assert_eq!(held[&WhyHeld::BelowThreshold].amount, sats(50));
    assert_eq!(
        bench.ask(ReadWaiting { hotkey: hotkey(1) }).await,
        None,
        "it is not due"
    );
    let done = bench.export("all").await.unwrap();
    assert_eq!(done["payouts"], 249);
    assert_eq!(bench.states("all").await.len(), 249);
}
