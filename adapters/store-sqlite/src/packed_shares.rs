//! A row's shares as one blob, without what they have in common.
//!
//! Every share is a record of [`RECORD`] bytes. Bytes that are the same in all of a row's shares stand once, those that
//! are not stand one share after the other; and what comes last in the record is mostly zero in all of them, so it does
//! not stand at all. Every record gives back exactly what was put in, whatever the numbers are: nothing is rounded, and
//! nothing is derived from anything else.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | [`FORMAT`] |
//! | 1 | how many shares there are |
//! | 1 | how many terms |
//! | each terms | template (7 bits a byte, the lowest first, the top bit set on all but the last), share target (4, little-endian), length of the units (1), units (big-endian without leading zeros) |
//! | 1 | how many bytes of the record stand; the others are zero in all shares |
//! | a bit for each of these, in whole bytes, the lowest first; with one share: none | 1: this byte differs |
//! | 1 for each whose bit is 0 | the byte, in the order of the record |
//! | for each share, 1 for each whose bit is 1 | the byte, in the order of the record |
//!
//! The record, with numbers in little-endian order: hash (the first 27 bytes), extranonce (12, as they are), nonce (4),
//! version (4), time (4), worker (the lower 2), wait (the lower 2), number of its terms (1); worker (the upper 2), hash
//! (the last 5), wait (the upper 6), 1 if the extranonce's last four bytes are not known. The wait is how long before the
//! row's `committed_at` the share came, ms, as a signed number of 64 bits.

use dwarves_domain::ids::{TemplateId, WorkerId};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Units;

use super::error::{Outcome, corrupt};

mod record;

use record::{OF_WORTH, RECORD, worth_of};
pub(super) use record::{StoredShare, Terms};

/// Shares that a row holds at most. More in a row would save some bytes of what they have in common, but rows that do not
/// fill pages leave a part of them empty: four rows of so many fill one.
pub(super) const SHARES_PER_ROW: usize = 16;

/// The first byte: another form will have another.
const FORMAT: u8 = 1;
const _: () = assert!(SHARES_PER_ROW <= u8::MAX as usize);
/// The blob of these shares, of which there are at least one and at most [`SHARES_PER_ROW`].
pub(super) fn pack(shares: impl ExactSizeIterator<Item = StoredShare>, committed_at: Timestamp) -> Vec<u8> {
    let count = shares.len();
    assert!(
        (1..=SHARES_PER_ROW).contains(&count),
        "a row holds some shares, and not too many"
    );
    let mut terms: Vec<Terms> = Vec::with_capacity(4);
    let mut records = [[0; RECORD]; SHARES_PER_ROW];
    for (record, share) in records.iter_mut().zip(shares) {
        let known = terms.iter().position(|terms| *terms == share.terms);
        let place = known.unwrap_or(terms.len());
        if known.is_none() {
            terms.push(share.terms);
        }
        *record = share.record(byte(place), committed_at);
    }
    let records = &records[..count];
    let first = &records[0];
    let mut differs = [0; RECORD];
    for record in &records[1..] {
        for ((differs, byte), same) in differs.iter_mut().zip(record).zip(first) {
            *differs |= byte ^ same;
        }
    }
    let is_there = |at: &usize| differs[*at] != 0 || first[*at] != 0;
    let kept = (0..RECORD).rev().find(is_there).map_or(0, |last| last + 1);
    let mut blob = Vec::with_capacity(16 + terms.len() * 24 + (count + 1) * kept);
    blob.extend([FORMAT, byte(count), byte(terms.len())]);
    for terms in &terms {
        push_terms(&mut blob, terms);
    }
    blob.push(byte(kept));
    if count > 1 {
        for eight in differs[..kept].chunks(8) {
            let bits = eight
                .iter()
                .enumerate()
                .map(|(bit, differs)| u8::from(*differs != 0) << bit);
            blob.push(bits.fold(0, |mask, bit| mask | bit));
        }
    }
    let same = (0..kept).filter(|at| differs[*at] == 0);
    blob.extend(same.map(|at| first[at]));
    let mut runs = Runs::default();
    runs.fill(&differs[..kept]);
    for record in records {
        for (at, length) in runs.iter() {
            blob.extend_from_slice(&record[at..at + length]);
        }
    }
    blob
}

fn byte(small: usize) -> u8 {
    u8::try_from(small).expect("a row's counts and places fit a byte")
}

fn push_terms(blob: &mut Vec<u8>, terms: &Terms) {
    let mut template = terms.template.get();
    while template >= 0x80 {
        blob.push(template.to_le_bytes()[0] | 0x80);
        template >>= 7;
    }
    blob.push(template.to_le_bytes()[0]);
    blob.extend(terms.share_bits.bits().to_le_bytes());
    let units = terms.units.raw().to_be_bytes();
    let zeros = units.iter().take_while(|byte| **byte == 0).count();
    blob.push(byte(16 - zeros));
    blob.extend_from_slice(&units[zeros..]);
}

fn take_terms(blob: &mut &[u8]) -> Option<Terms> {
    let (mut template, mut shift) = (0_u32, 0);
    loop {
        let part = take_byte(blob)?;
        let bits = u32::from(part & 0x7f);
        if shift > 28 || (shift == 28 && bits > 0xf) {
            return None;
        }
        template |= bits << shift;
        shift += 7;
        if part & 0x80 == 0 {
            break;
        }
    }
    let (share_bits, rest) = blob.split_first_chunk()?;
    *blob = rest;
    let length = usize::from(take_byte(blob)?);
    let (significant, rest) = blob.split_at_checked(length)?;
    *blob = rest;
    let mut units = [0; 16];
    units
        .get_mut(16_usize.checked_sub(length)?..)?
        .copy_from_slice(significant);
    Some(Terms {
        template: TemplateId::new(template),
        share_bits: CompactTarget::from_bits(u32::from_le_bytes(*share_bits)),
        units: Units::from_raw(u128::from_be_bytes(units)),
    })
}

fn take_byte(blob: &mut &[u8]) -> Option<u8> {
    let (first, rest) = blob.split_first()?;
    *blob = rest;
    Some(*first)
}

/// Stretches of the record that differ from share to share.
struct Runs {
    /// Where each begins and how long it is; between two there is at least one byte.
    runs: [(u8, u8); RECORD.div_ceil(2)],
    count: usize,
}

impl Default for Runs {
    fn default() -> Self {
        Self {
            runs: [(0, 0); RECORD.div_ceil(2)],
            count: 0,
        }
    }
}

impl Runs {
    /// From a byte for each of the record's, which is not zero where shares differ.
    fn fill(&mut self, differs: &[u8]) {
        let mut is_in_run = false;
        for (at, differs) in differs.iter().enumerate() {
            match (*differs != 0, is_in_run) {
                (true, true) => self.runs[self.count - 1].1 += 1,
                (true, false) => {
                    self.runs[self.count] = (byte(at), 1);
                    self.count += 1;
                }
                (false, _) => {}
            }
            is_in_run = *differs != 0;
        }
    }

    fn iter(&self) -> impl Iterator<Item = (usize, usize)> {
        let runs = self.runs[..self.count].iter();
        runs.map(|(at, length)| (usize::from(*at), usize::from(*length)))
    }
}

/// A row's shares, to be read one by one.
pub(super) struct PackedShares<'a> {
    committed_at: Timestamp,
    count: usize,
    terms: Vec<Terms>,
    /// What all have in common.
    same: [u8; RECORD],
    runs: Runs,
    /// Bytes of each share's part of `parts`.
    part: usize,
    parts: &'a [u8],
}

impl<'a> PackedShares<'a> {
    /// Reads what the shares have in common.
    pub(super) fn open(blob: &'a [u8], committed_at: Timestamp) -> Outcome<Self> {
        Self::read(blob, committed_at).ok_or_else(malformed)
    }

    fn read(mut blob: &'a [u8], committed_at: Timestamp) -> Option<Self> {
        let blob = &mut blob;
        if take_byte(blob)? != FORMAT {
            return None;
        }
        let count = usize::from(take_byte(blob)?);
        let of_terms = usize::from(take_byte(blob)?);
        if count == 0 || of_terms == 0 || of_terms > count {
            return None;
        }
        let mut terms = Vec::with_capacity(of_terms);
        for _ in 0..of_terms {
            terms.push(take_terms(blob)?);
        }
        let kept = usize::from(take_byte(blob)?);
        if kept > RECORD {
            return None;
        }
        let mut differs = [0; RECORD];
        if count > 1 {
            let (mask, rest) = blob.split_at_checked(kept.div_ceil(8))?;
            *blob = rest;
            for (at, differs) in differs[..kept].iter_mut().enumerate() {
                *differs = mask[at / 8] >> (at % 8) & 1;
            }
        }
        let mut same = [0; RECORD];
        for (same, _) in same
            .iter_mut()
            .zip(&differs[..kept])
            .filter(|(_, differs)| **differs == 0)
        {
            *same = take_byte(blob)?;
        }
        let mut runs = Runs::default();
        runs.fill(&differs[..kept]);
        let part = runs.iter().map(|(_, length)| length).sum();
        (blob.len() == part * count).then_some(Self {
            committed_at,
            count,
            terms,
            same,
            runs,
            part,
            parts: blob,
        })
    }

    /// How many there are: at least one.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The share at this place, from 0 on.
    pub(super) fn share(&self, place: usize) -> Outcome<StoredShare> {
        let mut record = self.same;
        let mut part = self.parts.get(place * self.part..).ok_or_else(malformed)?;
        for (at, length) in self.runs.iter() {
            let (bytes, rest) = part.split_at_checked(length).ok_or_else(malformed)?;
            record[at..at + length].copy_from_slice(bytes);
            part = rest;
        }
        StoredShare::of_record(&record, &self.terms, self.committed_at).ok_or_else(malformed)
    }
}

impl PackedShares<'_> {
    /// Whose each share from this place on is, what it counts for and when it came, in order: what history needs, at a
    /// fraction of the work of [`Self::share`].
    pub(super) fn each_worth(
        &self,
        from: usize,
        mut show: impl FnMut(WorkerId, &Terms, Timestamp),
    ) -> Outcome<()> {
        let mut record = self.same;
        // Where the bytes that differ stand in each share's part.
        let mut moving = [(0, 0); OF_WORTH.len()];
        let mut count = 0;
        let mut begin = 0;
        for (at, length) in self.runs.iter() {
            for place in OF_WORTH
                .into_iter()
                .filter(|place| (at..at + length).contains(place))
            {
                moving[count] = (place, begin + place - at);
                count += 1;
            }
            begin += length;
        }
        for place in from..self.count {
            let part = self.parts.get(place * self.part..(place + 1) * self.part);
            let part = part.ok_or_else(malformed)?;
            for (place, at) in &moving[..count] {
                record[*place] = part[*at];
            }
            let (worker, terms, received_at) = worth_of(&record, self.committed_at);
            show(worker, self.terms.get(terms).ok_or_else(malformed)?, received_at);
        }
        Ok(())
    }
}

fn malformed() -> super::error::Fail {
    corrupt("batches.shares must be shares, packed")
}

#[cfg(test)]
mod tests;
