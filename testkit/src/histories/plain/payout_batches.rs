//! Batches of exported payouts in memory.

use dwarves_domain::payouts::{BatchDigest, BatchName, Payout, PayoutState};

use super::pages::page;
use super::state::{State, conflict, corrupt};
use dwarves_ports::store::reads::{Page, PageRequest};
use dwarves_ports::store::{BatchRow, BatchSummary, NewBatch, StoreError, Written};

impl State {
    pub(super) fn begin_batch(&mut self, batch: &NewBatch) -> Result<Written, StoreError> {
        let head = &batch.row.head;
        let name = &head.name;
        if let Some(known) = self.payout_batch(name) {
            return match known.text == batch.row.text && known.csv == batch.row.csv {
                true => Ok(Written::Done),
                false => Err(conflict(format!("batch {name} is another one"))),
            };
        }
        let last = self.rest.payout_batches.last().map(|last| last.head.digest);
        let last_payout = self.rest.payouts.keys().next_back();
        if head.previous != last
            || head.digest != BatchDigest::of(&batch.row.text)
            || last_payout.is_some_and(|last| *last >= head.first_payout)
            || !batch.is_as_its_head_says()
        {
            return Err(conflict(format!("batch {name} does not follow")));
        }
        let is_short = |payout: &Payout| {
            payout
                .parts
                .iter()
                .any(|part| part.amount > self.payable_of(&part.hotkey))
        };
        if batch.payouts.iter().any(is_short) {
            return Ok(Written::PayoutRefused);
        }
        for payout in &batch.payouts {
            let postings = payout.reservation().map_err(|error| corrupt(error.to_string()))?;
            let applied = self.rest.balances.apply(&postings);
            applied.map_err(|error| corrupt(format!("batch {name}: {error}")))?;
            self.rest.payouts.insert(payout.id, payout.clone());
        }
        self.rest.payout_batches.push(batch.row.clone());
        self.check_books(&format!("batch {name}"))?;
        Ok(Written::Done)
    }

    pub(super) fn payout_batch(&self, name: &BatchName) -> Option<BatchRow> {
        let mut batches = self.rest.payout_batches.iter();
        batches.find(|row| row.head.name == *name).cloned()
    }

    pub(super) fn batch_payouts(&self, name: &BatchName) -> Vec<Payout> {
        let is_of_it = |payout: &&Payout| {
            payout
                .exported
                .as_ref()
                .is_some_and(|exported| exported.batch == *name)
        };
        self.rest.payouts.values().filter(is_of_it).cloned().collect()
    }

    pub(super) fn payout_batches(&self, request: PageRequest) -> Page<BatchSummary> {
        let row_of = |(place, row): (usize, &BatchRow)| {
            let payouts = self.batch_payouts(&row.head.name);
            let count = |state| payouts.iter().filter(|payout| payout.state == state).count() as u64;
            let number = place as u64 + 1;
            let summary = BatchSummary {
                number,
                head: row.head.clone(),
                exported: count(PayoutState::Exported),
                paid: count(PayoutState::Paid),
                cancelled: count(PayoutState::Cancelled),
            };
            (number, summary)
        };
        let rows = self.rest.payout_batches.iter().enumerate().map(row_of);
        page(rows, request)
    }
}
