//! What a history has come to, so that the next writes are mostly sensible ones.

use std::collections::{BTreeMap, BTreeSet};

use crate::build::hotkey;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{HeaderHash, Sequence, WorkerId};
use dwarves_domain::time::Timestamp;
use dwarves_ports::store::{CounterRow, WorkerRow, Write, Written};

/// What is drawn for one write: its kind, and three numbers that say the rest.
pub type Draw = (u8, u8, u8, u16);

/// Every kind of write.
pub const NAMES: [&str; 33] = [
    "append shares",
    "register miner",
    "add worker",
    "number workers",
    "retire workers",
    "remove miner",
    "use nonce",
    "ban",
    "unban",
    "save template",
    "retire templates",
    "drop templates",
    "record candidate",
    "drop block bytes",
    "set block state",
    "recover block",
    "close round",
    "reserve payout",
    "step payout",
    "adopt payout",
    "begin batch",
    "set payout threshold",
    "save setting",
    "prune shares",
    "prune history",
    "pass time",
    "begin epochs",
    "end epoch",
    "add statement",
    "cease epochs",
    "queue submission",
    "settle submission",
    "remove submission",
];

/// What there is to choose from.
#[derive(Debug, Default)]
pub struct History {
    /// Seconds since the begin.
    pub(crate) secs: i64,
    /// Shares that were made, whether they were stored or not; so no two have the same hash.
    pub(crate) shares: u64,
    /// The ledger's end.
    pub(crate) last: u64,
    /// The last template that was made.
    pub(crate) template: u32,
    /// The last round and the last payout that were made.
    pub(crate) round: u64,
    pub(crate) payout: u64,
    /// Workers that were taken out; and those whose numbers the store may have forgotten since, and that are not given
    /// again.
    gone: BTreeSet<WorkerId>,
    pub(crate) forgotten: BTreeSet<WorkerId>,
    /// What the shares of each worker that is stored came to.
    pub(crate) workers: BTreeMap<WorkerId, CounterRow>,
}

pub(crate) fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_700_000_000 + secs)
}

/// A hash that looks like no other number's.
pub(crate) fn hash(n: u64) -> HeaderHash {
    let mut bytes = [0x5a; 32];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    HeaderHash::from_bytes(bytes)
}

/// One of a few miners, so that they meet again.
pub(crate) fn miner(n: u8) -> Hotkey {
    hotkey(n % 5)
}

/// Whose worker has this number, but for writes that contradict what is stored.
pub(crate) fn owner(worker: WorkerId) -> Hotkey {
    miner(u8::try_from(worker.get() % 5).unwrap())
}

impl History {
    /// The date.
    pub fn now(&self) -> Timestamp {
        at(self.secs)
    }

    /// The ledger's last share.
    pub(crate) fn last(&self) -> Sequence {
        Sequence::new(self.last)
    }

    /// What a pool has before its first share.
    ///
    /// # Panics
    /// Never: it makes names that are names.
    pub fn begin(&mut self) -> Vec<Write> {
        let register = |n| Write::RegisterMiner {
            hotkey: miner(n),
            payout_address: None,
            at: at(0),
        };
        let add = |n| {
            Write::AddWorker(WorkerRow {
                id: WorkerId::new(n),
                hotkey: owner(WorkerId::new(n)),
                name: format!("rig-{n}").parse().unwrap(),
            })
        };
        let mut writes: Vec<_> = (0..5).map(register).chain((0..6).map(add)).collect();
        writes.push(self.save_template(0, 1));
        writes
    }

    /// Notes what was stored.
    ///
    /// # Panics
    /// If the writes are none of a history's.
    pub fn note(&mut self, writes: &[Write], written: &[Written]) {
        for (write, answer) in writes.iter().zip(written) {
            match write {
                Write::AddWorker(row) => {
                    self.workers.entry(row.id).or_default();
                }
                Write::PruneShares { .. } => self.forgotten.extend(self.gone.iter().copied()),
                Write::RetireWorkers { workers } => {
                    self.gone.extend(workers.iter().map(|(id, _)| *id));
                    self.workers.retain(|id, _| workers.iter().all(|w| w.0 != *id))
                }
                Write::RemoveMiner { hotkey } if *answer == Written::Done => {
                    let theirs = self.workers.keys().filter(|id| owner(**id) == *hotkey);
                    self.gone.extend(theirs.copied());
                    self.workers.retain(|id, _| owner(*id) != *hotkey);
                }
                _ => {}
            }
            let (Write::AppendShares(shares), Written::Shares { first, .. }) = (write, answer) else {
                continue;
            };
            self.last = first.get() + shares.len() as u64 - 1;
            for share in shares {
                let counter = self.workers.entry(share.worker).or_default();
                counter.accepted += 1;
                counter.units = counter.units.checked_add(share.units).unwrap();
                counter.blocks += u64::from(share.block.is_some());
                counter.last_share_at = counter.last_share_at.max(Some(share.received_at));
            }
        }
    }
}
