//! Hashing over the nonces of a header, several at once.

use dwarves_domain::ids::HeaderHash;
use dwarves_domain::target::Target;
use dwarves_domain::work::{Algorithm, Header};
use dwarves_lanes::{Lanes, Scan, ScryptMemory};

/// Headers whose scrypt is asked for together: some milliseconds, and full lanes whatever they are.
const SCRYPTS: usize = 24;

/// A header whose nonces are searched.
#[derive(Debug)]
pub enum Hasher {
    /// Bitcoin's double SHA-256.
    Sha256d(Sha256dHasher),
    /// Litecoin's scrypt.
    Scrypt(ScryptHasher),
}

impl Hasher {
    /// Prepares the search over `header`'s nonces in these lanes; the nonce that it holds does not matter.
    pub fn new(header: &Header, algorithm: Algorithm, lanes: Lanes) -> Self {
        match algorithm {
            Algorithm::Sha256d => Self::Sha256d(Sha256dHasher {
                lanes,
                header: Scan::new(header.as_bytes()),
                nonces: Vec::new(),
            }),
            Algorithm::Scrypt => Self::Scrypt(ScryptHasher {
                lanes,
                header: *header,
                memory: ScryptMemory::new(),
            }),
        }
    }

    /// Hashes with `count` nonces from `first` on (wrapping) and tells `found` of each that meets `target`.
    pub fn scan(&mut self, first: u32, count: u32, target: Target, found: impl FnMut(u32)) {
        match self {
            Self::Sha256d(hasher) => hasher.scan(first, count, target, found),
            Self::Scrypt(hasher) => hasher.scan(first, count, target, found),
        }
    }
}

/// A header whose nonces are searched with SHA-256d.
#[derive(Debug)]
pub struct Sha256dHasher {
    lanes: Lanes,
    header: Scan,
    /// Nonces that are to be looked at again, kept for their room.
    nonces: Vec<u32>,
}

impl Sha256dHasher {
    fn scan(&mut self, first: u32, count: u32, target: Target, mut found: impl FnMut(u32)) {
        let bytes = target.to_be_bytes();
        let top_of_target = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        self.nonces.clear();
        // A hash is compared by its most significant 32 bits first. That spares almost every nonce the rest.
        self.lanes
            .scan(&self.header, first, count, top_of_target, &mut self.nonces);
        for nonce in &self.nonces {
            if target.is_met_by(&HeaderHash::from_bytes(self.header.hash(*nonce))) {
                found(*nonce);
            }
        }
    }
}

/// A header whose nonces are searched with scrypt.
#[derive(Debug)]
pub struct ScryptHasher {
    lanes: Lanes,
    header: Header,
    memory: ScryptMemory,
}

impl ScryptHasher {
    fn scan(&mut self, first: u32, count: u32, target: Target, mut found: impl FnMut(u32)) {
        let (version, time) = (self.header.version(), self.header.time());
        let mut offset = 0;
        while offset < count {
            let nonces = (offset..count)
                .take(SCRYPTS)
                .map(|offset| first.wrapping_add(offset));
            let headers: Vec<Header> = nonces
                .clone()
                .map(|nonce| self.header.rolled(version, time, nonce))
                .collect();
            let hashes = Algorithm::Scrypt.pow_hashes(self.lanes, &headers, &mut self.memory);
            for (nonce, _) in nonces.zip(&hashes).filter(|(_, hash)| target.is_met_by(hash)) {
                found(nonce);
            }
            offset = offset.saturating_add(SCRYPTS as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bitcoin's genesis block.
    fn genesis() -> Header {
        let mut bytes = [0; 80];
        bytes[0] = 1;
        let merkle_root = "3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a";
        hex::decode_to_slice(merkle_root, &mut bytes[36..68]).unwrap();
        bytes[72..76].copy_from_slice(&0x1d00_ffff_u32.to_le_bytes());
        Header::from_bytes(bytes).rolled(1, 1_231_006_505, 0)
    }

    /// What all lanes find.
    fn found_in(header: &Header, first: u32, count: u32, target: Target) -> Vec<u32> {
        let mut all = Lanes::every().into_iter().map(|lanes| {
            let mut nonces = Vec::new();
            let mut hasher = Hasher::new(header, Algorithm::Sha256d, lanes);
            hasher.scan(first, count, target, |nonce| nonces.push(nonce));
            nonces
        });
        let nonces = all.next().expect("one is plain");
        assert!(all.all(|others| others == nonces));
        nonces
    }

    #[test]
    fn the_genesis_nonce_is_found_and_no_other_near_it() {
        let target = Target::difficulty_one();
        assert_eq!(
            found_in(&genesis(), 2_083_236_893 - 5_000, 10_000, target),
            [2_083_236_893]
        );
    }

    #[test]
    fn scrypt_finds_what_hashing_each_header_finds() {
        let mut target = [0xff; 32];
        target[0] = 0x3f;
        let target = Target::from_be_bytes(target).unwrap();
        let slow: Vec<u32> = (0..70)
            .map(|offset| (u32::MAX - 3).wrapping_add(offset))
            .filter(|&nonce| {
                let header = genesis().rolled(1, 1_231_006_505, nonce);
                target.is_met_by(&Algorithm::Scrypt.pow_hash(&header))
            })
            .collect();
        assert!(!slow.is_empty() && slow.len() < 70);
        for lanes in Lanes::every() {
            let mut hasher = Hasher::new(&genesis(), Algorithm::Scrypt, lanes);
            for count in [0, 1, 16, 70] {
                let mut found = Vec::new();
                hasher.scan(u32::MAX - 3, count, target, |nonce| found.push(nonce));
                let in_reach = |nonce: &&u32| nonce.wrapping_sub(u32::MAX - 3) < count;
                assert!(found.iter().eq(slow.iter().filter(in_reach)), "{lanes} {count}");
            }
        }
    }

    #[test]
    fn the_search_wraps_around_the_last_nonce() {
        assert_eq!(found_in(&genesis(), u32::MAX, 3, Target::MAX), [u32::MAX, 0, 1]);
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_hashing_each_header_finds(
            bytes in any::<[u8; 32]>(), first in any::<u32>(), zeros in 0u32..10,
        ) {
            let mut header = [7; 80];
            header[20..52].copy_from_slice(&bytes);
            let header = Header::from_bytes(header);
            // Targets that differ from a power of two below their first 32 bits, too.
            let mut target = [0xff; 32];
            target[..4].copy_from_slice(&(u32::MAX >> zeros).to_be_bytes());
            target[4..].copy_from_slice(&bytes[4..]);
            let target = Target::from_be_bytes(target).unwrap();
            let slow: Vec<u32> = (0..200)
                .map(|offset| first.wrapping_add(offset))
                .filter(|&nonce| {
                    let header = header.rolled(header.version(), header.time(), nonce);
                    target.is_met_by(&header.hash())
                })
                .collect();
            prop_assert_eq!(found_in(&header, first, 200, target), slow);
        }
    }

    /// Seconds of CPU that this thread had, so that other programs do not count; the wall clock elsewhere
    /// than on Linux.
    fn cpu_secs(watch: &dwarves_system::clock::Stopwatch) -> f64 {
        std::fs::read_to_string("/proc/thread-self/schedstat")
            .ok()
            .and_then(|text| text.split(' ').next()?.parse::<f64>().ok())
            .map_or(watch.elapsed().as_secs_f64(), |nanos| nanos / 1e9)
    }

    /// Run with `cargo test --release --lib -- --ignored --nocapture hashes_per_second`.
    #[test]
    #[ignore = "a measurement, not a check"]
    fn hashes_per_second() {
        let watch = dwarves_system::clock::Stopwatch::start();
        for lanes in Lanes::every() {
            for (algorithm, count) in [(Algorithm::Sha256d, 4_000_000), (Algorithm::Scrypt, 2_400)] {
                let mut hasher = Hasher::new(&genesis(), algorithm, lanes);
                let begin = cpu_secs(&watch);
                hasher.scan(0, count, Target::difficulty_one(), |_| panic!("none is so small"));
                let kilohashes = f64::from(count) / (cpu_secs(&watch) - begin) / 1e3;
                println!("{algorithm:?} by {lanes}: {kilohashes:.2} kH/s");
            }
        }
    }
}
