//! Batches of exported payouts.

use std::collections::BTreeSet;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::PayoutId;
use dwarves_domain::payouts::{BatchDigest, BatchName, Payout, PayoutState};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Amount;

/// What never changes of a batch, but for its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchHead {
    /// Its name.
    pub name: BatchName,
    /// When its money was set aside.
    pub at: Timestamp,
    /// Its first payout; the others are numbered on from it.
    pub first_payout: PayoutId,
    /// How many payouts it has: at least one.
    pub payouts: u64,
    /// What they come to.
    pub total: Amount,
    /// The digest of its text.
    pub digest: BatchDigest,
    /// That of the batch before; `None`: it is the first.
    pub previous: Option<BatchDigest>,
    /// Who signed it: the pool's own hotkey of that time.
    pub signer: Hotkey,
    /// The sr25519 signature of its text.
    pub signature: [u8; 64],
    /// The sr25519 signature of its table behind its first line ([`dwarves_domain::payouts::export::signed_csv`]).
    pub csv_signature: [u8; 64],
}

/// A batch as it was signed. It never changes; what becomes of its payouts does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchRow {
    /// What lists say of it.
    pub head: BatchHead,
    /// Its text, byte for byte.
    pub text: String,
    /// Its table, byte for byte.
    pub csv: String,
}

/// A batch that begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBatch {
    /// The batch.
    pub row: BatchRow,
    /// Its payouts, each of one miner.
    pub payouts: Vec<Payout>,
}

impl NewBatch {
    /// Whether its payouts are those that its head says: numbered on from the first, exported in it, one of a miner each,
    /// and together its total.
    pub fn is_as_its_head_says(&self) -> bool {
        let head = &self.row.head;
        let mut id = head.first_payout;
        let mut miners = BTreeSet::new();
        let mut is_next = |payout: &Payout| {
            let is_it = payout.id == id
                && payout.state == PayoutState::Exported
                && payout.reserved_at == head.at
                && payout
                    .exported
                    .as_ref()
                    .is_some_and(|exported| exported.batch == head.name)
                && matches!(payout.parts.as_slice(), [part] if miners.insert(part.hotkey));
            id = id.next();
            is_it
        };
        let amounts = self
            .payouts
            .iter()
            .flat_map(|payout| &payout.parts)
            .map(|part| part.amount);
        !self.payouts.is_empty()
            && self.payouts.len() as u64 == head.payouts
            && self.payouts.iter().all(&mut is_next)
            && Amount::checked_sum(amounts) == Some(head.total)
    }
}

/// A batch in a list, with what became of its payouts so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchSummary {
    /// Its place among all batches: 1, 2, 3, …
    pub number: u64,
    /// What never changes.
    pub head: BatchHead,
    /// Payouts that wait to be sent.
    pub exported: u64,
    /// Payouts that are marked paid.
    pub paid: u64,
    /// Payouts that were given back.
    pub cancelled: u64,
}
