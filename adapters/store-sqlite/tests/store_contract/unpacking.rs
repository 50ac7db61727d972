//! Shares read from the ledger's file by what docs/schema.md says of it, and by nothing of the program's.

use dwarves_domain::ids::{HeaderHash, Sequence, TemplateId, WorkerId};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Units;
use dwarves_domain::work::FullExtraNonce;
use dwarves_ports::store::ShareRow;

/// Bytes of a share's record.
const RECORD: usize = 70;

pub(crate) struct Stored {
    pub(crate) sequence: Sequence,
    pub(crate) row: ShareRow,
    /// The last four bytes of its extranonce are not known.
    pub(crate) lacks_tail: bool,
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn one(&mut self) -> u8 {
        self.some(1)[0]
    }

    fn some(&mut self, count: usize) -> Vec<u8> {
        let (some, rest) = self.0.split_at(count);
        self.0 = rest;
        some.to_vec()
    }

    /// Seven bits a byte, the lowest first.
    fn varint(&mut self) -> u32 {
        let byte = self.one();
        let bits = u32::from(byte & 0x7f);
        if byte < 0x80 {
            bits
        } else {
            bits | self.varint() << 7
        }
    }
}

fn little(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn low(bytes: &[u8]) -> u32 {
    u32::try_from(little(bytes)).unwrap()
}

/// Every share that was not pruned, oldest first.
pub(crate) fn shares(sqlite: &rusqlite::Connection) -> Vec<Stored> {
    let sql = "SELECT first_sequence, committed_at, shares, pruned_through FROM batches, pool ORDER BY first_sequence";
    let mut statement = sqlite.prepare(sql).unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut stored = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let [first, committed_at, pruned] = [0, 1, 3].map(|column| row.get::<_, i64>(column).unwrap());
        let [first, pruned] = [first, pruned].map(i64::cast_unsigned);
        let blob: Vec<u8> = row.get(2).unwrap();
        for (sequence, (row, lacks_tail)) in (first..).zip(unpack(&blob, committed_at)) {
            if sequence > pruned {
                let sequence = Sequence::new(sequence);
                stored.push(Stored {
                    sequence,
                    row,
                    lacks_tail,
                });
            }
        }
    }
    stored
}

fn unpack(blob: &[u8], committed_at: i64) -> Vec<(ShareRow, bool)> {
    let mut bytes = Bytes(blob);
    assert_eq!(bytes.one(), 1, "the form");
    let (count, of_terms) = (bytes.one(), bytes.one());
    let terms: Vec<_> = (0..of_terms)
        .map(|_| {
            let template = bytes.varint();
            let bits = low(&bytes.some(4));
            let length = bytes.one();
            let units = bytes.some(usize::from(length));
            let units = units
                .iter()
                .fold(0, |number: u128, byte| number << 8 | u128::from(*byte));
            (template, bits, units)
        })
        .collect();
    let kept = usize::from(bytes.one());
    let mask = if count > 1 {
        bytes.some(kept.div_ceil(8))
    } else {
        vec![0; RECORD]
    };
    let differs = |at: usize| at < kept && mask[at / 8] >> (at % 8) & 1 == 1;
    let mut same = [0; RECORD];
    for (at, byte) in same.iter_mut().enumerate().take(kept) {
        if !differs(at) {
            *byte = bytes.one();
        }
    }
    let shares = (0..count).map(|_| {
        let mut record = same;
        for (at, byte) in record.iter_mut().enumerate() {
            if differs(at) {
                *byte = bytes.one();
            }
        }
        let r = |from: usize, to: usize| record[from..to].to_vec();
        let (template, bits, units) = terms[usize::from(record[55])];
        let wait = little(&[r(53, 55), r(63, 69)].concat()).cast_signed();
        let row = ShareRow {
            template: TemplateId::new(template),
            extranonce: FullExtraNonce::from_bytes(r(27, 39).try_into().unwrap()),
            worker: WorkerId::new(low(&[r(51, 53), r(56, 58)].concat())),
            share_bits: CompactTarget::from_bits(bits),
            units: Units::from_raw(units),
            hash: HeaderHash::from_bytes([r(0, 27), r(58, 63)].concat().try_into().unwrap()),
            version: low(&r(43, 47)),
            time: low(&r(47, 51)),
            nonce: low(&r(39, 43)),
            received_at: Timestamp::from_millis(committed_at.wrapping_sub(wait)),
            block: None,
        };
        (row, record[69] == 1)
    });
    shares.collect()
}
