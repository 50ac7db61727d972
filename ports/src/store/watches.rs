//! Who may look at a miner beside itself and the operator.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::time::Timestamp;
use dwarves_domain::watch::{WatchId, WatchName};

/// A watch token that a miner handed out. The token itself is not kept: its number and the pool's secret make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchRow {
    /// Its number.
    pub id: WatchId,
    /// The miner that it shows.
    pub hotkey: Hotkey,
    /// What its owner calls it.
    pub name: WatchName,
    /// When it was handed out.
    pub created_at: Timestamp,
    /// The moment from which it no longer counts; `None`: it counts until it is taken back.
    pub expires_at: Option<Timestamp>,
}

impl WatchRow {
    /// Whether it counts no longer at `now`.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| now >= expires_at)
    }
}
