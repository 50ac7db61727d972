//! What is kept of epochs.

use std::collections::BTreeMap;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{Sequence, WorkerId, WorkerName};
use dwarves_domain::statements::EpochId;
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{EndedEpoch, OpenEpoch, StatementRow};

/// What is kept of epochs.
#[derive(Clone, Default)]
pub(super) struct Epochs {
    pub(super) open: Option<OpenEpoch>,
    pub(super) ended: Option<EndedEpoch>,
    pub(super) statements: BTreeMap<EpochId, StatementRow>,
    /// Rejected shares that no statement has counted.
    pub(super) rejected: Vec<(Timestamp, (Hotkey, WorkerName), [u64; 6])>,
    /// Who each worker is or was.
    pub(super) names: BTreeMap<WorkerId, (Hotkey, WorkerName)>,
}

impl Epochs {
    pub(super) fn name(&mut self, id: WorkerId, hotkey: Hotkey, name: WorkerName) {
        self.names.insert(id, (hotkey, name));
    }

    /// The last share that may be pruned, if any may not.
    pub(super) fn stated_through(&self) -> Option<Sequence> {
        let open = self.open.map(|open| open.after);
        self.ended.map(|ended| ended.after).or(open)
    }

    pub(super) fn cease(&mut self) {
        (self.open, self.ended) = (None, None);
        self.rejected.clear();
    }

    pub(super) fn keep_rejected(&mut self, at: Timestamp, worker: WorkerId, more: [u64; 6]) {
        if let Some(open) = self.open {
            let of = self.names[&worker].clone();
            self.rejected.push((at.max(open.start.start()), of, more));
        }
    }
}
