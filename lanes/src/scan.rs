//! The search over a header's nonces.
//!
//! The first 64 of a header's 80 bytes do not change with the nonce, so their compression is done once (the midstate): each
//! nonce costs two compressions instead of three.

use crate::constants::{Block, INITIAL, State, padding_of, words_of};
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use crate::sha_extensions;
use crate::task::Task;
use crate::wide::{self, Words};
use crate::{Lanes, plain};

/// Headers that differ in nothing but their nonce.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The state after the header's first 64 bytes.
    pub(crate) midstate: State,
    /// The last block, and its words. The fourth is the nonce's.
    block: Block,
    pub(crate) words: [u32; 16],
}

impl Scan {
    /// Headers like this one, whose own nonce does not matter.
    pub fn new(header: &[u8; 80]) -> Self {
        let (first, rest) = header
            .split_first_chunk()
            .expect("a header is longer than a block");
        let block = padding_of(rest, 80);
        Self {
            midstate: plain::compressed(INITIAL, first),
            block,
            words: words_of(&block),
        }
    }

    /// The hash of the header with this nonce.
    pub fn hash(&self, nonce: u32) -> [u8; 32] {
        let mut block = self.block;
        block[12..16].copy_from_slice(&nonce.to_le_bytes());
        plain::twice(self.midstate, &[block])
    }
}

/// Which nonces are tried, and what is looked for.
struct Tries<'a> {
    search: &'a Scan,
    first: u32,
    count: u32,
    most: u32,
    found: &'a mut Vec<u32>,
}

#[allow(unsafe_code, reason = "the vectors' instructions")]
impl Task for Tries<'_> {
    #[inline(always)]
    unsafe fn in_lanes<V: Words>(self) {
        // SAFETY: the caller says so.
        unsafe { wide::scan::<V>(self.search, self.first, self.count, self.most, self.found) }
    }

    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    unsafe fn by_extensions(self) {
        // SAFETY: the caller says so.
        unsafe { sha_extensions::scan(self.search, self.first, self.count, self.most, self.found) }
    }

    fn plain(self) {
        for offset in 0..self.count {
            let nonce = self.first.wrapping_add(offset);
            let [.., a, b, c, d] = self.search.hash(nonce);
            if u32::from_le_bytes([a, b, c, d]) <= self.most {
                self.found.push(nonce);
            }
        }
    }
}

impl Lanes {
    /// Tries `count` nonces from `first` on (behind the last comes the first), and adds to `found` those with which the
    /// hash's first 32 bits are `most` or less. A hash is a little-endian number, so these are its last four bytes.
    pub fn scan(self, search: &Scan, first: u32, count: u32, most: u32, found: &mut Vec<u32>) {
        let tries = Tries {
            search,
            first,
            count,
            most,
            found,
        };
        self.run(count as usize, tries);
    }

    /// Whether these lanes find what the plain way finds, among few and many nonces, around the last one.
    pub(crate) fn scan_agrees_with_plain(self) -> bool {
        let mut header = [0; 80];
        for (n, byte) in header.iter_mut().enumerate() {
            *byte = (n.wrapping_mul(0x9e37_79b9) >> 9) as u8;
        }
        let search = Scan::new(&header);
        (0..=2 * self.kind().width() as u32 + 1).all(|count| {
            let found_by = |lanes: Self| {
                let mut found = Vec::new();
                lanes.scan(&search, u32::MAX - 3, count, u32::MAX / 2, &mut found);
                found
            };
            found_by(self) == found_by(Self::PLAIN)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::tests::{cpu_time, kinds};

    proptest! {
        #[test]
        fn a_search_finds_what_hashing_each_header_finds(
            (left, right) in any::<([u8; 40], [u8; 40])>(), first in any::<u32>(), count in 0_u32..200, zeros in 0_u32..9,
        ) {
            let mut header = [0; 80];
            header[..40].copy_from_slice(&left);
            header[40..].copy_from_slice(&right);
            let search = Scan::new(&header);
            // One less than a power of two has neighbours that differ in few bits; half of it more, others.
            for most in [u32::MAX >> zeros, (u32::MAX >> zeros) / 3 * 2] {
                let expected: Vec<u32> = (0..count)
                    .map(|offset| first.wrapping_add(offset))
                    .filter(|nonce| {
                        header[76..].copy_from_slice(&nonce.to_le_bytes());
                        let hash: [u8; 32] = Sha256::digest(Sha256::digest(header)).into();
                        assert_eq!(search.hash(*nonce), hash);
                        u32::from_le_bytes([hash[28], hash[29], hash[30], hash[31]]) <= most
                    })
                    .collect();
                for lanes in kinds() {
                    let mut found = Vec::new();
                    lanes.scan(&search, first, count, most, &mut found);
                    prop_assert_eq!(&found, &expected, "{}", lanes.kind());
                }
            }
        }
    }

    #[test]
    fn the_last_nonce_of_all_is_tried_by_every_kind() {
        let search = Scan::new(&[0; 80]);
        for lanes in kinds() {
            for count in 0..40 {
                let mut found = Vec::new();
                lanes.scan(&search, u32::MAX, count, u32::MAX, &mut found);
                let all: Vec<u32> = (0..count).map(|offset| u32::MAX.wrapping_add(offset)).collect();
                assert_eq!(found, all, "{}", lanes.kind());
            }
        }
    }

    /// What each kind tries, told and not judged:
    /// `cargo test --release -p dwarves-lanes nonces_a_second -- --ignored --nocapture`.
    #[test]
    #[ignore = "a measurement"]
    fn nonces_a_second() {
        let search = Scan::new(&[5; 80]);
        for lanes in kinds() {
            let (rounds, each) = (100, 1 << 16);
            let begin = cpu_time();
            for round in 0..rounds {
                lanes.scan(&search, round * each, each, 0, &mut Vec::new());
            }
            let millions = f64::from(rounds * each) / (cpu_time() - begin).as_secs_f64() / 1e6;
            println!("{:15} {millions:.2} MH/s", lanes.kind().name());
        }
    }
}
