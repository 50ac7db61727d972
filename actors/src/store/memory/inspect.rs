//! What only tests may look at: all that is stored, as it is.

use dwarves_domain::ids::Sequence;
use dwarves_domain::ledger::Balances;
use dwarves_domain::payouts::Payout;

use super::MemoryStore;
use crate::store::rows::{BlockRow, ShareRow};

impl MemoryStore {
    /// Every share that was not pruned, oldest first.
    pub fn shares(&self) -> Vec<(Sequence, ShareRow)> {
        let state = self.state.borrow();
        let shares = state.shares.iter();
        shares.map(|share| (share.sequence, share.row.clone())).collect()
    }

    /// Where every account stands.
    pub fn balances(&self) -> Balances {
        self.state.borrow().rest.balances.clone()
    }

    /// Every payout, oldest first.
    pub fn payouts(&self) -> Vec<Payout> {
        self.state.borrow().rest.payouts.values().cloned().collect()
    }

    /// Every found block, in the order in which it was stored.
    pub fn found_blocks(&self) -> Vec<BlockRow> {
        self.state.borrow().rest.blocks.clone()
    }
}
