//! Batches of exported payouts as they are drawn, and what becomes of their payouts.

use crate::build::sats;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::PayoutId;
use dwarves_domain::payouts::{BatchDigest, BatchName, Part, PaymentReference, Payout, Transition};
use dwarves_domain::units::Amount;
use dwarves_ports::store::reads::PageRequest;
use dwarves_ports::store::{BatchHead, BatchRow, NewBatch, SharedStore, Write};

use super::super::history::History;
use super::one_in;

/// The name of one of the few batches that are drawn.
pub(crate) fn batch_name(n: u8) -> BatchName {
    format!("batch-{n}").parse().expect("a plain name")
}

impl History {
    pub(super) async fn begin_batch(
        &mut self,
        store: &SharedStore,
        (a, b, c): (u8, u8, u16),
    ) -> Option<Write> {
        let name = batch_name(a % 5);
        // Now and then the same again.
        if let Some(row) = store.payout_batch(name.clone()).await.unwrap()
            && !one_in(3, c)
        {
            let payouts = store.batch_payouts(name).await.unwrap();
            return Some(Write::BeginBatch(Box::new(NewBatch { row, payouts })));
        }
        let candidates = store.payout_candidates(sats(1)).await.unwrap();
        let newest = PageRequest {
            cursor: None,
            limit: 1,
        };
        let last = store.payout_batches(newest).await.unwrap();
        let first_payout = PayoutId::new(self.payout + 1);
        let at = self.now();
        let mut id = first_payout;
        let payouts: Vec<Payout> = candidates
            .iter()
            .skip(usize::from(b % 3))
            .take(3)
            .map(|candidate| {
                let more = u64::from(one_in(17, c));
                let part = Part {
                    hotkey: candidate.hotkey,
                    address: candidate.hotkey.to_string(),
                    amount: sats(candidate.payable.sats() + more),
                    fee: Amount::ZERO,
                    borne: Amount::ZERO,
                };
                let payout = Payout::export(id, at, part, name.clone());
                id = id.next();
                payout
            })
            .collect();
        let amounts = payouts.iter().map(|payout| payout.parts[0].amount);
        let text = format!("text {c} ").repeat(usize::from(b) + 1);
        let mut head = BatchHead {
            name,
            at,
            first_payout,
            payouts: payouts.len() as u64,
            total: Amount::checked_sum(amounts).unwrap(),
            digest: BatchDigest::of(&text),
            previous: last.rows.first().map(|last| last.head.digest),
            signer: Hotkey::from_bytes([b; 32]),
            signature: [a; 64],
            csv_signature: [b; 64],
        };
        match c % 31 {
            0 => head.previous = Some(BatchDigest::of("other")),
            1 => head.digest = BatchDigest::of("other"),
            2 => head.payouts += 1,
            3 => head.first_payout = PayoutId::new(1),
            4 => head.total = sats(1),
            _ => self.payout += head.payouts,
        }
        let csv = format!("table {b}");
        let row = BatchRow { head, text, csv };
        Some(Write::BeginBatch(Box::new(NewBatch { row, payouts })))
    }
}

/// What becomes of an exported payout.
pub(super) fn drawn_step(b: u8, c: u16) -> Transition {
    let reference: PaymentReference = format!("tx{}", c % 2).parse().unwrap();
    match b % 7 {
        0..=2 => Transition::Pay(reference),
        3 | 4 => Transition::Unpay(reference),
        5 => Transition::Cancel(format!("because {c}")),
        _ => Transition::Send,
    }
}
