//! A share as it is stored, and its record of bytes.

use dwarves_domain::ids::{ExtraNonce, HeaderHash, TemplateId, WorkerId};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Units;
use dwarves_domain::work::FullExtraNonce;
use dwarves_ports::store::ShareRow;

/// Bytes of a share's record.
pub(super) const RECORD: usize = 70;
/// Bytes of the hash that stand in the front part of the record. The others are zero if the share target is as hard as
/// on any network of today.
const HASH_FRONT: usize = 27;
// Where the parts of the record begin.
const EXTRANONCE: usize = HASH_FRONT;
const NONCE: usize = EXTRANONCE + 12;
const VERSION: usize = NONCE + 4;
const TIME: usize = VERSION + 4;
const WORKER_LOW: usize = TIME + 4;
const WAIT_LOW: usize = WORKER_LOW + 2;
const TERMS: usize = WAIT_LOW + 2;
const WORKER_HIGH: usize = TERMS + 1;
const HASH_BACK: usize = WORKER_HIGH + 2;
const WAIT_HIGH: usize = HASH_BACK + 32 - HASH_FRONT;
const LACKS_TAIL: usize = WAIT_HIGH + 6;
const _: () = assert!(LACKS_TAIL + 1 == RECORD);

/// A share as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoredShare {
    pub(crate) terms: Terms,
    pub(crate) worker: WorkerId,
    pub(crate) extranonce: [u8; 12],
    /// The share is of a time when nobody kept the last four bytes of the extranonce: here they are zero.
    pub(crate) lacks_tail: bool,
    pub(crate) version: u32,
    pub(crate) time: u32,
    pub(crate) nonce: u32,
    pub(crate) received_at: Timestamp,
    pub(crate) hash: HeaderHash,
}

/// What shares of one template and difficulty have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) template: TemplateId,
    pub(crate) share_bits: CompactTarget,
    pub(crate) units: Units,
}

impl StoredShare {
    pub(crate) fn of(row: &ShareRow) -> Self {
        Self {
            terms: Terms {
                template: row.template,
                share_bits: row.share_bits,
                units: row.units,
            },
            worker: row.worker,
            extranonce: *row.extranonce.as_bytes(),
            lacks_tail: false,
            version: row.version,
            time: row.time,
            nonce: row.nonce,
            received_at: row.received_at,
            hash: row.hash,
        }
    }

    /// The share as everybody else knows it; a block is stored apart from it.
    pub(crate) fn to_row(self) -> ShareRow {
        ShareRow {
            template: self.terms.template,
            extranonce: FullExtraNonce::from_bytes(self.extranonce),
            worker: self.worker,
            share_bits: self.terms.share_bits,
            units: self.terms.units,
            hash: self.hash,
            version: self.version,
            time: self.time,
            nonce: self.nonce,
            received_at: self.received_at,
            block: None,
        }
    }

    /// The first eight bytes of the extranonce.
    pub(crate) fn extranonce_head(&self) -> ExtraNonce {
        let (head, _) = self
            .extranonce
            .split_first_chunk()
            .expect("twelve bytes begin with eight");
        ExtraNonce::new(u64::from_be_bytes(*head))
    }

    /// Its record, for a row of this time in which its terms have this number.
    pub(super) fn record(&self, terms: u8, committed_at: Timestamp) -> [u8; RECORD] {
        let mut record = [0; RECORD];
        let (hash_front, hash_back) = self.hash.as_bytes().split_at(HASH_FRONT);
        let worker = self.worker.get().to_le_bytes();
        let wait = committed_at
            .millis()
            .wrapping_sub(self.received_at.millis())
            .to_le_bytes();
        let parts: [(usize, &[u8]); 12] = [
            (0, hash_front),
            (EXTRANONCE, &self.extranonce),
            (NONCE, &self.nonce.to_le_bytes()),
            (VERSION, &self.version.to_le_bytes()),
            (TIME, &self.time.to_le_bytes()),
            (WORKER_LOW, &worker[..2]),
            (WAIT_LOW, &wait[..2]),
            (TERMS, &[terms]),
            (WORKER_HIGH, &worker[2..]),
            (HASH_BACK, hash_back),
            (WAIT_HIGH, &wait[2..]),
            (LACKS_TAIL, &[u8::from(self.lacks_tail)]),
        ];
        for (at, part) in parts {
            record[at..at + part.len()].copy_from_slice(part);
        }
        record
    }

    /// The share of a record; `None` if there are no terms of its number.
    pub(super) fn of_record(record: &[u8; RECORD], terms: &[Terms], committed_at: Timestamp) -> Option<Self> {
        let mut hash = [0; 32];
        hash[..HASH_FRONT].copy_from_slice(&record[..HASH_FRONT]);
        hash[HASH_FRONT..].copy_from_slice(&record[HASH_BACK..WAIT_HIGH]);
        let wait = wait_of(record);
        let mut extranonce = [0; 12];
        extranonce.copy_from_slice(&record[EXTRANONCE..NONCE]);
        Some(Self {
            terms: *terms.get(usize::from(record[TERMS]))?,
            worker: worker_of(record),
            extranonce,
            lacks_tail: record[LACKS_TAIL] != 0,
            version: number(record, VERSION),
            time: number(record, TIME),
            nonce: number(record, NONCE),
            received_at: Timestamp::from_millis(committed_at.millis().wrapping_sub(wait)),
            hash: HeaderHash::from_bytes(hash),
        })
    }
}

/// The bytes of a record that say whose a share is, what it counts for and when it came.
pub(super) const OF_WORTH: [usize; 13] = [
    WORKER_LOW,
    WORKER_LOW + 1,
    WORKER_HIGH,
    WORKER_HIGH + 1,
    TERMS,
    WAIT_LOW,
    WAIT_LOW + 1,
    WAIT_HIGH,
    WAIT_HIGH + 1,
    WAIT_HIGH + 2,
    WAIT_HIGH + 3,
    WAIT_HIGH + 4,
    WAIT_HIGH + 5,
];

/// Whose a share is, the number of its terms, and when it came, of a record in which [`OF_WORTH`] is right.
pub(super) fn worth_of(record: &[u8; RECORD], committed_at: Timestamp) -> (WorkerId, usize, Timestamp) {
    let received_at = committed_at.millis().wrapping_sub(wait_of(record));
    (
        worker_of(record),
        usize::from(record[TERMS]),
        Timestamp::from_millis(received_at),
    )
}

fn wait_of(record: &[u8; RECORD]) -> i64 {
    let mut wait = [0; 8];
    wait[..2].copy_from_slice(&record[WAIT_LOW..TERMS]);
    wait[2..].copy_from_slice(&record[WAIT_HIGH..LACKS_TAIL]);
    i64::from_le_bytes(wait)
}

fn number(record: &[u8; RECORD], at: usize) -> u32 {
    u32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]])
}

fn worker_of(record: &[u8; RECORD]) -> WorkerId {
    let [a, b, c, d] = [WORKER_LOW, WORKER_LOW + 1, WORKER_HIGH, WORKER_HIGH + 1].map(|at| record[at]);
    WorkerId::new(u32::from_le_bytes([a, b, c, d]))
}
