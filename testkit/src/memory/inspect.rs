//! What only tests may look at, all that is stored, as it is; and a copy of it, as a backup is one.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{Sequence, WorkerId};
use dwarves_domain::ledger::Balances;
use dwarves_domain::payouts::Payout;

use tokio::sync::watch;

use super::MemoryStore;
use dwarves_ports::store::rows::{BlockRow, ShareRow};

impl MemoryStore {
    /// A store with what this one holds now. It knows nothing of what comes later.
    #[must_use]
    pub fn copy(&self) -> Self {
        let state = watch::Sender::new(self.state.borrow().clone());
        Self { state }
    }

    /// Whose a worker is, if it was ever stored.
    pub fn owner_of_worker(&self, worker: WorkerId) -> Option<Hotkey> {
        let state = self.state.borrow();
        let known = state.rest.workers.get(&worker).map(|(row, _)| row.hotkey);
        known.or_else(|| state.rest.workers_gone.get(&worker).map(|(hotkey, _)| *hotkey))
    }

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
