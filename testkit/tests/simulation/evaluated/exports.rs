//! Batches of payouts in the simulation: what operators order of them, and what must hold of them.

use std::time::Duration;

use dwarves_actors::exporter::messages::ExporterControl;
use dwarves_actors::pool_manager::messages::{ControlMessage, Deliver};
use dwarves_domain::ids::PayoutId;
use dwarves_domain::ledger::{Account, Balance};
use dwarves_domain::payouts::{BatchDigest, BatchName, PayoutState};
use dwarves_ports::store::{PageRequest, Store};
use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::Prng;

use super::records::Records;
use super::sender::Door;
use crate::backup::word;
use crate::check::now;

/// Batches that operators name.
const NAMES: u64 = 8;

fn drawn(prng: &mut Prng) -> ExporterControl {
    let batch: BatchName = format!("batch-{}", prng.below(NAMES))
        .parse()
        .expect("a plain name");
    let reference = format!("tx-{}", prng.below(2))
        .parse()
        .expect("a plain reference");
    let payouts = prng.chance(40).then(|| {
        vec![
            PayoutId::new(1 + prng.below(12)),
            PayoutId::new(1 + prng.below(12)),
        ]
    });
    match prng.below(10) {
        0..4 => ExporterControl::Export(batch),
        4..7 => ExporterControl::MarkPaid {
            batch,
            reference,
            payouts,
        },
        7 => ExporterControl::UnmarkPaid {
            batch,
            reference,
            payouts,
        },
        8 => ExporterControl::GiveBack { batch, payouts },
        _ => ExporterControl::Status,
    }
}

/// An order about a batch; what is told of one that began stays so for ever.
pub(super) async fn order(door: &Door, prng: &mut Prng) {
    let control = drawn(prng);
    let what = format!("{control:?}");
    let name = match &control {
        ExporterControl::Export(name) => Some(name.to_string()),
        _ => None,
    };
    let message = Deliver(ControlMessage::Exports(control));
    let outcome = door
        .ports
        .deliver
        .ask(message, Duration::from_secs(30))
        .await
        .ok();
    door.records
        .event(format!("operator: {what}: {}", word(outcome.as_ref())));
    if let (Some(name), Some(Ok(told))) = (name, outcome) {
        let digest = told["digest"].as_str().expect("a batch has a digest").to_owned();
        door.records.change(|records| {
            let known = records.batches.entry(name).or_insert_with(|| digest.clone());
            assert_eq!(*known, digest, "a batch changed");
        });
    }
}

/// What batches have moved of miners' balances so far. Each that was told of is there as it was told, and follows the one
/// before.
pub(super) fn moved(memory: &InlineStore, records: &Records) -> Vec<(Account, i128)> {
    let all = PageRequest {
        cursor: None,
        limit: u32::MAX,
    };
    let mut told = records.told().batches;
    let mut batches = now(memory.payout_batches(all)).rows;
    batches.reverse();
    let mut moved = Vec::new();
    let (mut previous, mut next_payout) = (None, PayoutId::new(1));
    for (batch, number) in batches.iter().zip(1..) {
        let head = &batch.head;
        let row = now(memory.payout_batch(head.name.clone())).expect("a listed batch can be read");
        assert_eq!((batch.number, &row.head), (number, head));
        assert_eq!(BatchDigest::of(&row.text), head.digest);
        assert_eq!((head.previous, head.first_payout), (previous, next_payout));
        previous = Some(head.digest);
        if let Some(digest) = told.remove(head.name.as_str()) {
            assert_eq!(
                digest,
                head.digest.to_string(),
                "{} was told otherwise",
                head.name
            );
        }
        let payouts = now(memory.batch_payouts(head.name.clone()));
        assert_eq!(payouts.len() as u64, head.payouts);
        for payout in payouts {
            assert_eq!(payout.id, next_payout, "payouts have no gaps");
            next_payout = next_payout.next();
            let part = &payout.parts[0];
            let line = format!(
                "\"amount\":\"{}\",\"hotkey\":\"{}\"",
                part.amount.sats(),
                part.hotkey
            );
            assert!(row.text.contains(&line), "{line} is not in {}", row.text);
            let sats = i128::from(part.amount.sats());
            let to = match payout.state {
                PayoutState::Exported => Balance::InFlight,
                PayoutState::Paid => Balance::Paid,
                PayoutState::Cancelled => {
                    assert_eq!(payout.sent_at, None, "what was marked paid was given back");
                    continue;
                }
                other => panic!("{other} is no state of an exported payout"),
            };
            moved.push((Account::Miner(part.hotkey, Balance::Payable), -sats));
            moved.push((Account::Miner(part.hotkey, to), sats));
        }
    }
    assert!(told.is_empty(), "batches were told of and are lost: {told:?}");
    moved
}
