//! Which headers of a job to try next: all nonces of the own part, then another time, then other version bits.

use dwarves_domain::work::{Algorithm, Header};
use dwarves_lanes::Lanes;

use super::hasher::Hasher;

/// How many nonces there are.
const NONCES: u64 = 1 << 32;

/// What a miner may change of a header besides the nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freedom {
    /// Earliest header time, Unix seconds.
    pub time_min: u32,
    /// Latest header time, Unix seconds.
    pub time_max: u32,
    /// Version bits that may be changed.
    pub version_mask: u32,
}

/// Some nonces of one header.
#[derive(Debug)]
pub struct NonceRange<'a> {
    /// The header, prepared.
    pub hasher: &'a mut Hasher,
    /// The header's version in this search.
    pub version: u32,
    /// The header's time in this search.
    pub time: u32,
    /// The first nonce.
    pub first: u32,
    /// How many nonces to try.
    pub count: u32,
}

/// One thread's part of the headers of a job. No two parts and no two batches have a header in common.
#[derive(Debug)]
pub struct Search {
    header: Header,
    algorithm: Algorithm,
    lanes: Lanes,
    freedom: Freedom,
    /// The own nonces, from and to (not included).
    nonces: (u64, u64),
    next_nonce: u64,
    /// How many times and versions were used up.
    times: u64,
    versions: u64,
    hasher: Hasher,
}

impl Search {
    /// Part `part` of `parts` of the headers that `freedom` allows, which are hashed in these lanes.
    ///
    /// # Panics
    /// If `part` is not below `parts`, or there are more parts than nonces.
    pub fn new(
        header: Header,
        algorithm: Algorithm,
        lanes: Lanes,
        freedom: Freedom,
        part: u64,
        parts: u64,
    ) -> Self {
        assert!(part < parts && parts <= NONCES, "part {part} of {parts} is none");
        let nonces = (part * NONCES / parts, (part + 1) * NONCES / parts);
        let mut search = Self {
            header,
            algorithm,
            lanes,
            freedom,
            nonces,
            next_nonce: nonces.0,
            times: 0,
            versions: 0,
            hasher: Hasher::new(&header, algorithm, lanes),
        };
        search.hasher = Hasher::new(&search.present_header(), algorithm, lanes);
        search
    }

    /// The next nonces, at most `most`; `None` if every header was tried.
    pub fn next_batch(&mut self, most: u32) -> Option<NonceRange<'_>> {
        if self.next_nonce == self.nonces.1 {
            self.roll()?;
        }
        let count = u64::from(most.max(1)).min(self.nonces.1 - self.next_nonce);
        let first = self.next_nonce;
        self.next_nonce += count;
        Some(NonceRange {
            version: self.version(),
            time: self.time(),
            first: u32::try_from(first).expect("nonces end before 2^32"),
            count: u32::try_from(count).expect("a batch has at most `most` nonces"),
            hasher: &mut self.hasher,
        })
    }

    /// Goes on to the next time, or to the next version with the first time.
    fn roll(&mut self) -> Option<()> {
        let all_versions = 1_u64 << self.freedom.version_mask.count_ones();
        if self.times + 1 < self.all_times() {
            self.times += 1;
        } else if self.versions + 1 < all_versions {
            self.versions += 1;
            self.times = 0;
        } else {
            return None;
        }
        self.next_nonce = self.nonces.0;
        self.hasher = Hasher::new(&self.present_header(), self.algorithm, self.lanes);
        Some(())
    }

    /// How many times are allowed; the header's own is always one of them.
    fn all_times(&self) -> u64 {
        let (min, max) = self.bounds();
        u64::from(max - min) + 1
    }

    fn bounds(&self) -> (u32, u32) {
        let time = self.header.time();
        (self.freedom.time_min.min(time), self.freedom.time_max.max(time))
    }

    /// The header's time and those after it come first, then those before it: later times are nearer to when
    /// the block would be found.
    fn time(&self) -> u32 {
        let (min, max) = self.bounds();
        let time = u64::from(self.header.time()) + self.times;
        let wrapped = if time > u64::from(max) {
            time - u64::from(max) - 1 + u64::from(min)
        } else {
            time
        };
        u32::try_from(wrapped).expect("it lies between the bounds")
    }

    fn version(&self) -> u32 {
        self.header.version() ^ spread(self.versions, self.freedom.version_mask)
    }

    fn present_header(&self) -> Header {
        self.header.rolled(self.version(), self.time(), 0)
    }
}

/// Puts the low bits of `number` into the places of the ones in `mask`.
fn spread(mut number: u64, mask: u32) -> u32 {
    let mut spread = 0;
    for bit in (0..32).map(|place| 1_u32 << place).filter(|bit| mask & bit != 0) {
        if number & 1 != 0 {
            spread |= bit;
        }
        number >>= 1;
    }
    spread
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn header(version: u32, time: u32) -> Header {
        Header::from_bytes([3; 80]).rolled(version, time, 0)
    }

    /// Every (version, time, first nonce) of a search with batches of a quarter of all nonces.
    fn all(mut search: Search) -> Vec<(u32, u32, u32)> {
        let mut tried = Vec::new();
        while let Some(batch) = search.next_batch(1 << 30) {
            tried.push((batch.version, batch.time, batch.first));
        }
        tried
    }

    #[test]
    fn nonces_come_first_then_later_times_then_earlier_ones_then_versions() {
        let freedom = Freedom {
            time_min: 99,
            time_max: 101,
            version_mask: 0b100,
        };
        let tried = all(Search::new(
            header(1, 100),
            Algorithm::Sha256d,
            Lanes::PLAIN,
            freedom,
            0,
            1,
        ));
        let firsts: Vec<u32> = tried.iter().take(5).map(|t| t.2).collect();
        assert_eq!(firsts, [0, 1 << 30, 2 << 30, 3 << 30, 0]);
        let rolled: Vec<(u32, u32)> = tried.iter().step_by(4).map(|t| (t.0, t.1)).collect();
        assert_eq!(rolled, [(1, 100), (1, 101), (1, 99), (5, 100), (5, 101), (5, 99)]);
    }

    #[test]
    fn a_job_without_freedom_ends_with_its_nonces() {
        let freedom = Freedom {
            time_min: 100,
            time_max: 100,
            version_mask: 0,
        };
        assert_eq!(
            all(Search::new(
                header(1, 100),
                Algorithm::Sha256d,
                Lanes::PLAIN,
                freedom,
                1,
                4
            )),
            [(1, 100, 1 << 30)]
        );
    }

    #[test]
    fn a_batch_hashes_the_header_that_it_names() {
        let freedom = Freedom {
            time_min: 100,
            time_max: 101,
            version_mask: 1 << 13,
        };
        let header = header(1, 100);
        let mut search = Search::new(header, Algorithm::Sha256d, Lanes::PLAIN, freedom, 0, 1 << 30);
        while let Some(batch) = search.next_batch(10) {
            let rolled = header.rolled(batch.version, batch.time, batch.first);
            let mut target = *rolled.hash().as_bytes();
            target.reverse();
            let target = dwarves_domain::target::Target::from_be_bytes(target).unwrap();
            let mut found = 0;
            batch.hasher.scan(batch.first, 1, target, |_| found += 1);
            assert_eq!(found, 1, "version {} time {}", batch.version, batch.time);
        }
    }

    proptest! {
        #[test]
        fn parts_cover_all_nonces_once(parts in 1u64..300) {
            let freedom = Freedom { time_min: 1, time_max: 1, version_mask: 0 };
            let mut next = 0;
            for part in 0..parts {
                let search = Search::new(header(1, 1), Algorithm::Sha256d, Lanes::PLAIN, freedom, part, parts);
                prop_assert_eq!(search.nonces.0, next);
                next = search.nonces.1;
            }
            prop_assert_eq!(next, NONCES);
        }

        #[test]
        fn no_header_is_tried_twice_and_all_stay_in_bounds(
            time in 50u32..60, before in 0u32..4, after in 0u32..4, mask in any::<u32>(),
        ) {
            // At most five bits, so that the search ends.
            let mask = mask & 0x1111_1000;
            let freedom = Freedom { time_min: time - before, time_max: time + after, version_mask: mask };
            let tried = all(Search::new(header(0x2000_0000, time), Algorithm::Sha256d, Lanes::PLAIN, freedom, 0, 4));
            let distinct: HashSet<_> = tried.iter().collect();
            prop_assert_eq!(distinct.len(), tried.len());
            prop_assert_eq!(tried.len() as u64, u64::from(before + after + 1) << mask.count_ones());
            for (version, time, _) in tried {
                prop_assert!((freedom.time_min..=freedom.time_max).contains(&time));
                prop_assert_eq!((version ^ 0x2000_0000) & !mask, 0);
            }
        }
    }
}
