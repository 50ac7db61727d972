//! Questions to the store, and pages of answers.

use std::collections::BTreeMap;

use dwarves_domain::blocks::BlockState;
use dwarves_domain::ids::{PayoutId, RoundId, Sequence, TemplateId, WorkerId};
use dwarves_domain::ledger::{Holdings, Income};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::{Amount, Units};

use super::ledger_rows::{CounterRow, MinerRow, TemplateRow, WorkerRow};

/// Where a page begins: after the row with this number (lists run from the newest to the oldest).
pub type Cursor = u64;

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Where to go on; `None`: from the newest.
    pub cursor: Option<Cursor>,
    /// At most this many rows.
    pub limit: u32,
}

impl PageRequest {
    /// The number that all rows of the page are below, as a column of 64 bits holds it.
    pub fn before(&self) -> i64 {
        self.cursor.map_or(i64::MAX, super::codec::int)
    }

    /// How many rows to ask for: one more than wanted shows whether there is another page.
    pub fn rows_max(&self) -> i64 {
        i64::from(self.limit) + 1
    }
}

/// Part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows, newest first.
    pub rows: Vec<T>,
    /// Where the next page begins; `None`: there is none.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// One page of numbered rows, newest first, of which there is one more if there is another page.
    pub fn of(mut rows: Vec<(u64, T)>, limit: u32) -> Self {
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next = rows.last().map(|(number, _)| *number).filter(|_| more);
        Self {
            rows: rows.into_iter().map(|(_, row)| row).collect(),
            next,
        }
    }
}

/// A miner's balances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MinerBalances {
    /// Credited for blocks that are not deep enough.
    pub immature: Amount,
    /// Waiting to be paid out.
    pub payable: Amount,
    /// In a payout that is under way.
    pub in_flight: Amount,
    /// Paid and deep on the chain.
    pub paid: Amount,
}

/// Sums over the whole ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolTotals {
    /// The sum over all accounts: always 0.
    pub ledger_sum: i128,
    /// Where the accounts stand, by what they are for.
    pub holdings: Holdings,
    /// What blocks and emissions brought. The holdings match it at every commit.
    pub income: Income,
    /// How many blocks are in each state.
    pub blocks_by_state: BTreeMap<BlockState, u64>,
    /// How many blocks were lost after they were deep and are still lost.
    pub blocks_lost: u64,
    /// Units of all shares.
    pub units: Units,
    /// Shares in the ledger, ever.
    pub shares: u64,
    /// Blocks that are not orphaned or refused.
    pub blocks: u64,
    /// Units of work up to the last such block, for luck: blocks over units.
    pub units_to_last_block: Units,
    /// Bytes of the log of writes that wait to be moved to the database; it grows while somebody reads for long.
    pub log_bytes: u64,
}

/// All that must be known when the pool starts.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredState {
    /// Which life of the pool this is: 1, 2, 3, … counted durably. Extranonces begin with it.
    pub life: u32,
    /// The number for the next template.
    pub next_template: TemplateId,
    /// The last share.
    pub last_sequence: Sequence,
    /// Units of all shares.
    pub total_units: Units,
    /// All registered miners.
    pub miners: Vec<MinerRow>,
    /// The first worker's number that was never given.
    pub next_worker: WorkerId,
    /// Workers that were taken out and still have shares, and whose they were.
    pub workers_gone: Vec<(WorkerId, dwarves_domain::hotkey::Hotkey)>,
    /// All workers with what their shares came to, exact as of the last share.
    pub workers: Vec<(WorkerRow, CounterRow)>,
    /// Nonces that were used and are not too old yet: hotkey, nonce, expiry.
    pub nonces: Vec<(dwarves_domain::hotkey::Hotkey, u64, Timestamp)>,
    /// Templates that are not retired, oldest first.
    pub templates: Vec<TemplateRow>,
    /// Templates that are retired and still whole, oldest first. The data of their transactions is left out: it may be
    /// much, and is needed only if a block of one of them is found.
    pub past_templates: Vec<TemplateRow>,
    /// Settings that were changed while running.
    pub settings: BTreeMap<String, String>,
    /// The last closed round.
    pub last_round: Option<LastRound>,
    /// The last payout, and when its money was set aside.
    pub last_payout: Option<(PayoutId, Timestamp)>,
    /// When the pool was first started.
    pub created_at: Timestamp,
}

/// The last closed round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastRound {
    /// The round's number.
    pub id: RoundId,
    /// The date with which it closed.
    pub closed_at: Timestamp,
    /// The last share that it looked at.
    pub through: Sequence,
    /// What it carried of its emission: the next round has it beside its own.
    pub emission_carried: Amount,
    /// Parts of a sat that schemes paying by the share still owe, by miner.
    pub carried: BTreeMap<dwarves_domain::hotkey::Hotkey, u128>,
}
