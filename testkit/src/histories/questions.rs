//! Everything that can be asked of a store, asked of all.

use std::collections::BTreeSet;
use std::fmt::Debug;

use crate::build::sats;
use dwarves_domain::evaluation::Measure;
use dwarves_domain::history::{Step, Sums};
use dwarves_domain::ids::{ExtraNonce, NoticeId, PayoutId, RoundId, Sequence, TemplateId};
use dwarves_domain::payouts::Txid;
use dwarves_domain::rewards::pplns;
use dwarves_domain::statements::EpochId;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Units;
use dwarves_domain::watch::WatchId;
use dwarves_ports::store::reads::{PageRequest, PoolTotals};
use dwarves_ports::store::{
    HistoryOf, HistoryQuestion, HistoryStep, SharedStore, StoreErrorKind, StoreFuture, WorkerSums,
};
use proptest::test_runner::TestCaseError;

use super::Named;
use super::history::{History, at, hash, miner, owner};
use super::writes::{batch_name, name};

/// Asks all and compares with the first. A question that fails must fail in all.
async fn same<T: PartialEq + Debug>(
    stores: &[Named],
    what: &str,
    ask: impl Fn(&SharedStore) -> StoreFuture<T>,
) -> Result<(), TestCaseError> {
    let answer = |result: Result<T, dwarves_ports::store::StoreError>| -> Result<T, StoreErrorKind> {
        result.map_err(|error| error.kind())
    };
    let [(_, plain), others @ ..] = stores else {
        return Ok(());
    };
    let of_plain = answer(ask(plain).await);
    for (which, store) in others {
        let other = answer(ask(store).await);
        if other != of_plain {
            let difference = difference(&of_plain, which, &other);
            return Err(TestCaseError::fail(format!("{what}:{difference}")));
        }
    }
    Ok(())
}

/// The lines in which two answers differ.
pub(super) fn difference<T: Debug>(of_plain: &T, which: &str, other: &T) -> String {
    let (of_plain, other) = (format!("{of_plain:#?}"), format!("{other:#?}"));
    let lines = of_plain.lines().zip(other.lines()).enumerate();
    let first = lines.filter(|(_, (a, b))| a != b).map(|(n, _)| n).next();
    let first = first.unwrap_or(0).saturating_sub(6);
    let part = |text: &str| text.lines().skip(first).take(24).collect::<Vec<_>>().join("\n");
    format!(
        "\n--- plain, from line {first}\n{}\n--- {which}\n{}",
        part(&of_plain),
        part(&other)
    )
}

/// Begins a life of all and compares what each says.
///
/// # Errors
/// Where they differ.
pub async fn agree_at_start(stores: &[Named], now: Timestamp) -> Result<(), TestCaseError> {
    same(stores, "start", |store| store.start(now)).await
}

/// The history of some, of whom each has met all that others do.
fn histories(history: &History) -> Vec<HistoryOf> {
    let mut all = vec![HistoryOf::Pool];
    all.extend((0..3).map(|n| HistoryOf::Miner(miner(n))));
    for id in history.workers.keys().take(3) {
        let name = format!("rig-{}", id.get()).parse().unwrap();
        all.push(HistoryOf::Worker(owner(*id), name));
    }
    all
}

/// Floats are not exact, and depend on the order in which they are added up.
fn rounded_floats(sums: Sums) -> Sums {
    let round = |number: f64| format!("{number:.9e}").parse().unwrap();
    Sums {
        hashes: round(sums.hashes),
        squares: round(sums.squares),
        ..sums
    }
}

fn rounded_sums(of: WorkerSums) -> WorkerSums {
    WorkerSums {
        sums: of.sums.into_iter().map(rounded_floats).collect(),
        ..of
    }
}

/// How many workers there were is told late.
fn rounded(history: dwarves_ports::store::History) -> dwarves_ports::store::History {
    let steps = history.steps.into_iter().map(|step| HistoryStep {
        sums: rounded_floats(step.sums),
        miners: None,
        workers: None,
        last_bits: None,
        ..step
    });
    dwarves_ports::store::History {
        begins: history.begins,
        lives: history.lives,
        steps: steps.collect(),
    }
}

fn pages() -> [PageRequest; 4] {
    [(None, 100), (None, 2), (Some(4), 3), (Some(0), 5)].map(|(cursor, limit)| PageRequest { cursor, limit })
}

/// Asks all of everything and compares what each says.
///
/// # Errors
/// Where they differ.
pub async fn agree(stores: &[Named], history: &History) -> Result<(), TestCaseError> {
    let last = history.last().get();
    for limit in [1, 100] {
        same(stores, "blocks_to_account", |s| s.blocks_to_account(limit)).await?;
        same(stores, "watched_payouts", |s| s.watched_payouts(limit)).await?;
        same(stores, "unplanned_notices", |s| s.unplanned_notices(limit)).await?;
        for after in [0, 2, 5] {
            let after = NoticeId::new(after);
            same(stores, "notices_after", |s| s.notices_after(after, limit)).await?;
        }
        same(stores, "deliveries", |s| s.deliveries(limit)).await?;
        for since in [0, 20, 1_000] {
            same(stores, "notices_since", |s| s.notices_since(at(since), limit)).await?;
        }
    }
    for n in 0..4 {
        same(stores, "watches_of", |s| s.watches_of(miner(n))).await?;
        let id = WatchId::from_bytes([n; 8]);
        same(stores, "watch", |s| s.watch(id)).await?;
    }
    for depth in [0, 3, 1_000] {
        same(stores, "open_blocks", |s| s.open_blocks(depth)).await?;
    }
    let places = BTreeSet::from([0, 1, last / 3, last / 2, last.saturating_sub(1), last, last + 1]);
    for &through in &places {
        let through = Sequence::new(through);
        for &after in places.iter().filter(|&&after| after <= through.get()) {
            let after = Sequence::new(after);
            same(stores, "weights_between", |s| s.weights_between(after, through)).await?;
            same(stores, "values_between", |s| s.values_between(after, through)).await?;
        }
        for (total, size) in [(0, 1), (900, 400), (5_000, 2_500), (20_000, 100_000)] {
            let (total, size) = (Units::from_raw(total), Units::from_raw(size));
            let window = pplns::Window::of_block(total, Units::from_raw(7), size).unwrap();
            same(stores, "weights_in_window", |s| {
                s.weights_in_window(window, through)
            })
            .await?;
            same(stores, "position_before", |s| s.position_before(total)).await?;
        }
    }
    for &after in &places {
        let after = Sequence::new(after);
        for limit in [0, 1, 3, u32::MAX] {
            same(stores, "recent_shares", |s| s.recent_shares(after, limit)).await?;
        }
    }
    same(stores, "epochs", |s| s.epochs()).await?;
    for &after in &places {
        for (through, limit) in [(last, u32::MAX), (last, 3), (last / 2, 7), (u64::MAX, 0)] {
            let (after, through) = (Sequence::new(after), Sequence::new(through));
            same(stores, "work_between", |s| s.work_between(after, through, limit)).await?;
        }
    }
    for secs in [0, 5, 60, 1_000, 1_000_000] {
        let end = EpochId::new(at(secs).secs().unsigned_abs());
        same(stores, "rejected_before", |s| s.rejected_before(end)).await?;
    }
    let heads = stores[0].1.statements(pages()[0]).await.unwrap().rows;
    for page in [None, heads.get(1).map(|head| head.ended.epoch.start.get())] {
        let page = PageRequest {
            cursor: page,
            limit: 2,
        };
        same(stores, "statements", |s| s.statements(page)).await?;
    }
    for head in heads {
        same(stores, "statement", |s| s.statement(head.ended.epoch.start)).await?;
    }
    same(stores, "statement", |s| s.statement(EpochId::new(3))).await?;
    for secs in [-1_000, 0, 1, 5, 20, 60, 1_000] {
        same(stores, "position_at", |s| s.position_at(at(secs))).await?;
    }
    for n in 0..history.shares + 3 {
        same(stores, "block", |s| s.block(hash(n))).await?;
        let of_block = |s: &SharedStore| s.block_details(hash(n), 100);
        same(stores, "block_details", of_block).await?;
        same(stores, "share", |s| s.share(Sequence::new(n))).await?;
        same(stores, "block_before", |s| s.block_before(hash(n))).await?;
        same(stores, "block_credits", |s| s.block_credits(hash(n))).await?;
        same(stores, "owner_of", |s| s.owner_of(ExtraNonce::new(n << 32))).await?;
    }
    for id in 0..=history.template + 1 {
        same(stores, "template", |s| s.template(TemplateId::new(id))).await?;
    }
    for limit in [1, 100] {
        same(stores, "waiting_submissions", |s| s.waiting_submissions(limit)).await?;
    }
    for measure in Measure::ALL {
        for (after, until) in [(-100, 1_000_000), (0, 40), (30, 200)] {
            same(stores, "best_results", |s| {
                s.best_results(measure, at(after), at(until))
            })
            .await?;
        }
    }
    for n in 0..6 {
        let hotkey = miner(n);
        for work in 0..8 {
            let id = name(n, work);
            same(stores, "submission", |s| s.submission(id)).await?;
            same(stores, "submitted_work", |s| s.submitted_work(id)).await?;
        }
        for page in pages() {
            same(stores, "submissions", |s| s.submissions(hotkey, page)).await?;
        }
        for measure in Measure::ALL {
            for since in [0, 50] {
                same(stores, "miner_results", |s| {
                    s.miner_results(hotkey, measure, at(since))
                })
                .await?;
            }
        }
        same(stores, "miner_balances", |s| s.miner_balances(hotkey)).await?;
        for (secs, limit) in [(-1_000, 100), (0, 2), (60, 1), (60, 0), (60, 100)] {
            same(stores, "earned", |s| s.earned(hotkey, at(secs), limit)).await?;
        }
        same(stores, "payout_threshold", |s| s.payout_threshold(hotkey)).await?;
        for page in pages() {
            same(stores, "miner_credits", |s| s.miner_credits(hotkey, page)).await?;
            same(stores, "miner_payouts", |s| s.miner_payouts(hotkey, page)).await?;
        }
    }
    for least in [0, 1, 600] {
        same(stores, "payout_candidates", |s| s.payout_candidates(sats(least))).await?;
    }
    same(stores, "payees", |s| s.payees()).await?;
    same(stores, "subscriptions", |s| s.subscriptions()).await?;
    same(stores, "miner_notices", |s| s.miner_notices()).await?;
    same(stores, "settings", |s| s.settings()).await?;
    let txids: Vec<_> = (0..=255).map(|byte| Txid::from_bytes([byte; 32])).collect();
    same(stores, "known_txids", |s| s.known_txids(txids.clone())).await?;
    for txid in &txids {
        same(stores, "payout_of", |s| s.payout_of(*txid)).await?;
    }
    for limit in [0, 2, 100] {
        same(stores, "found_ends", |s| s.found_ends(limit)).await?;
    }
    for id in 0..=history.payout + 1 {
        same(stores, "payout", |s| s.payout(PayoutId::new(id))).await?;
    }
    for id in 0..=history.round + 1 {
        same(stores, "round", |s| s.round(RoundId::new(id))).await?;
        for n in 0..6 {
            same(stores, "workings", |s| s.workings(RoundId::new(id), miner(n))).await?;
        }
    }
    for n in 0..5 {
        let name = || batch_name(n);
        same(stores, "payout_batch", |s| s.payout_batch(name())).await?;
        same(stores, "batch_payouts", |s| s.batch_payouts(name())).await?;
    }
    for page in pages() {
        same(stores, "payout_batches", |s| s.payout_batches(page)).await?;
        same(stores, "blocks", |s| s.blocks(page)).await?;
        same(stores, "rounds", |s| s.rounds(page)).await?;
        same(stores, "payouts", |s| s.payouts(page)).await?;
        same(stores, "audit", |s| s.audit(page)).await?;
    }
    let all = (at(-100_000), at(100_000_000));
    let asked = [
        (Step::Minute, all),
        (Step::Minute, (at(60), at(4_000))),
        (Step::Hour, all),
        (Step::Day, all),
    ];
    for (step, (from, to)) in asked {
        for of in histories(history) {
            let question = HistoryQuestion { of, step, from, to };
            same(stores, "history", |s| {
                let history = s.history(question.clone());
                Box::pin(async move { history.await.map(|history| history.map(rounded)) })
            })
            .await?;
        }
    }
    let since = [Step::Minute, Step::Minute, Step::Hour, Step::Day];
    for secs in [-100_000, 0, 1_000, 7_200] {
        let since: Vec<_> = since
            .into_iter()
            .zip([at(secs), at(secs + 600), at(secs), at(secs)])
            .collect();
        for n in 0..6 {
            same(stores, "worker_sums", |s| {
                let sums = s.worker_sums(miner(n), since.clone());
                Box::pin(async move { Ok(sums.await?.into_iter().map(rounded_sums).collect::<Vec<_>>()) })
            })
            .await?;
        }
    }
    same(stores, "totals", |s| {
        let totals = s.totals();
        Box::pin(async move {
            // Only a store on disk has a log.
            totals.await.map(|totals| PoolTotals {
                log_bytes: 0,
                ..totals
            })
        })
    })
    .await
}
