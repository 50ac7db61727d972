//! Places in the ledger, and folds over windows of it.

use std::collections::BTreeMap;

use dwarves_domain::ids::TemplateId;
use dwarves_domain::rewards::{Weights, pplns};
use dwarves_domain::units::Units;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use super::Backend;
use super::fixtures::{append, at, commit, furnished, key, seq, share, template};
use dwarves_ports::store::{LedgerPosition, ShareRow, ValuedUnits, Write};

/// Also if the clock steps back between commits.
pub async fn a_position_is_the_last_commit_in_time<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    let place = |sequence, total| LedgerPosition {
        sequence: seq(sequence),
        total: Units::from_raw(total),
    };
    assert_eq!(store.position_at(at(99)).await.unwrap(), place(0, 0));
    let received = |n, secs| ShareRow {
        received_at: at(secs),
        ..share(n, 1, 10)
    };
    append(&store, vec![received(1, 10), received(2, 12)]).await;
    append(&store, vec![received(3, 20)]).await;
    // The clock stepped back: these were committed after the ones before, so not before second 20.
    append(&store, vec![received(4, 15)]).await;
    append(&store, vec![received(5, 30)]).await;
    for (secs, expected) in [
        (9, place(0, 0)),
        (11, place(0, 0)),
        (12, place(2, 20)),
        (19, place(2, 20)),
        (20, place(4, 40)),
        (29, place(4, 40)),
        (30, place(5, 50)),
        (99, place(5, 50)),
    ] {
        assert_eq!(
            store.position_at(at(secs)).await.unwrap(),
            expected,
            "at second {secs}"
        );
    }
    for (total, expected) in [
        (0, place(0, 0)),
        (19, place(0, 0)),
        (20, place(2, 20)),
        (39, place(3, 30)),
        (50, place(5, 50)),
    ] {
        let position = store.position_before(Units::from_raw(total)).await;
        assert_eq!(position.unwrap(), expected, "before the total {total}");
    }
}

/// One miner's part of the ledger, as a plain list has it.
struct Line {
    sequence: u64,
    template: u32,
    miner: u8,
    before: u128,
    units: u128,
}

/// Whatever the shares, batches and windows.
pub async fn windows_agree_with_a_plain_fold<B: Backend>(_: B) {
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let units = prop_oneof![Just(0_u128), 1..50_u128, 1..u128::MAX / 10_000];
    let one = (0..3_u32, 1..3_u32, units);
    let batches = prop::collection::vec(prop::collection::vec(one, 0..6), 0..12);
    let question = (
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        1..u128::MAX / 1_000,
    );
    let questions = prop::collection::vec(question, 12);
    for _ in 0..12 {
        let batches = batches.new_tree(&mut runner).unwrap().current();
        let questions = questions.new_tree(&mut runner).unwrap().current();
        let backend = B::fresh();
        let store = furnished(&backend).await;
        commit(&store, vec![Write::SaveTemplate(Box::new(template(2)))]).await;
        let (mut lines, mut total) = (Vec::new(), 0);
        for batch in batches {
            let mut rows = Vec::new();
            for (worker, template, units) in batch {
                let sequence = lines.len() as u64 + 1;
                rows.push(ShareRow {
                    template: TemplateId::new(template),
                    ..share(sequence, worker + 1, units)
                });
                lines.push(Line {
                    sequence,
                    template,
                    miner: if worker == 1 { 2 } else { 1 },
                    before: total,
                    units,
                });
                total += units;
            }
            append(&store, rows).await;
        }
        for (a, b, size) in questions {
            let places = lines.len() + 1;
            let (after, through) = (a.index(places) as u64, b.index(places) as u64);
            let winner = lines.get(b.index(places).saturating_sub(1));
            let size = Units::from_raw(size % (total + 2) + 1);
            let window = match winner {
                Some(w) => pplns::Window::of_block(Units::from_raw(w.before), Units::from_raw(w.units), size),
                None => pplns::Window::ending_now(Units::from_raw(total), size),
            };
            let window = window.unwrap();
            let passed = lines.iter().filter(|line| line.sequence <= through);
            let overlaps = passed.map(|line| {
                let overlap = window.overlap(Units::from_raw(line.before), Units::from_raw(line.units));
                (key(line.miner), overlap)
            });
            let expected = Weights::sum(overlaps).unwrap();
            assert_eq!(
                store.weights_in_window(window, seq(through)).await.unwrap(),
                expected
            );

            let inside = || {
                lines
                    .iter()
                    .filter(|l| after < l.sequence && l.sequence <= through)
            };
            let expected = Weights::sum(inside().map(|line| (key(line.miner), 2 * line.units))).unwrap();
            assert_eq!(
                store.weights_between(seq(after), seq(through)).await.unwrap(),
                expected
            );

            let mut sums: BTreeMap<(u32, u8), u128> = BTreeMap::new();
            for line in inside() {
                *sums.entry((line.template, line.miner)).or_default() += line.units;
            }
            let expected: Vec<_> = sums
                .into_iter()
                .map(|((id, miner), units)| ValuedUnits {
                    hotkey: key(miner),
                    units: Units::from_raw(units),
                    subsidy: template(id).chain.subsidy,
                    coinbase_value: template(id).chain.coinbase_value,
                })
                .collect();
            assert_eq!(
                store.values_between(seq(after), seq(through)).await.unwrap(),
                expected
            );
        }
    }
}
