//! Hashing over the nonces of a header.
//!
//! With SHA-256d the first 64 of a header's 80 bytes do not change with the nonce, so their compression is done once (the
//! midstate): each nonce costs two compressions instead of three. scrypt has no such shortcut.

use dwarves_domain::ids::HeaderHash;
use dwarves_domain::target::Target;
use dwarves_domain::work::{Algorithm, Header};
use dwarves_lanes::INITIAL;
use sha2::compress256;
use sha2::digest::generic_array::GenericArray;
use sha2::digest::generic_array::typenum::U64;

type Block = GenericArray<u8, U64>;

/// A header whose nonces are searched.
#[derive(Clone, Debug)]
pub enum Hasher {
    /// Bitcoin's double SHA-256.
    Sha256d(Sha256dHasher),
    /// Litecoin's scrypt, with the header that is hashed.
    Scrypt(Header),
}

impl Hasher {
    /// Prepares the search over `header`'s nonces; the nonce that it holds does not matter.
    pub fn new(header: &Header, algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256d => Self::Sha256d(Sha256dHasher::new(header)),
            Algorithm::Scrypt => Self::Scrypt(*header),
        }
    }

    /// Hashes with `count` nonces from `first` on (wrapping) and tells `found` of each that meets `target`.
    pub fn scan(&self, first: u32, count: u32, target: Target, mut found: impl FnMut(u32)) {
        match self {
            Self::Sha256d(hasher) => hasher.scan(first, count, target, found),
            Self::Scrypt(header) => {
                let (version, time) = (header.version(), header.time());
                for nonce in (0..count).map(|offset| first.wrapping_add(offset)) {
                    let header = header.rolled(version, time, nonce);
                    if target.is_met_by(&Algorithm::Scrypt.pow_hash(&header)) {
                        found(nonce);
                    }
                }
            }
        }
    }
}

/// A header whose nonces are searched with SHA-256d.
#[derive(Clone, Debug)]
pub struct Sha256dHasher {
    /// The state after the header's first 64 bytes.
    midstate: [u32; 8],
    /// The header's last 16 bytes, padded; the nonce is at 12..16.
    tail: Block,
}

impl Sha256dHasher {
    fn new(header: &Header) -> Self {
        let bytes = header.as_bytes();
        let mut midstate = INITIAL;
        compress256(&mut midstate, &[*Block::from_slice(&bytes[..64])]);
        let mut tail = Block::default();
        tail[..16].copy_from_slice(&bytes[64..]);
        tail[16] = 0x80;
        // The message's length in bits.
        tail[56..].copy_from_slice(&(8 * Header::LEN as u64).to_be_bytes());
        Self { midstate, tail }
    }

    fn scan(&self, first: u32, count: u32, target: Target, mut found: impl FnMut(u32)) {
        let bytes = target.to_be_bytes();
        let top_of_target = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let mut inner = self.tail;
        let mut outer = Block::default();
        outer[32] = 0x80;
        outer[56..].copy_from_slice(&256_u64.to_be_bytes());
        for offset in 0..count {
            let nonce = first.wrapping_add(offset);
            inner[12..16].copy_from_slice(&nonce.to_le_bytes());
            let mut state = self.midstate;
            compress256(&mut state, std::slice::from_ref(&inner));
            for (bytes, word) in outer.chunks_exact_mut(4).zip(state) {
                bytes.copy_from_slice(&word.to_be_bytes());
            }
            let mut state = INITIAL;
            compress256(&mut state, std::slice::from_ref(&outer));
            // The hash is a little-endian number: its most significant four bytes are the last word's.
            // Comparing them first spares almost every nonce the comparison of 256 bits.
            if state[7].swap_bytes() <= top_of_target && target.is_met_by(&hash_of(state)) {
                found(nonce);
            }
        }
    }
}

fn hash_of(state: [u32; 8]) -> HeaderHash {
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    HeaderHash::from_bytes(bytes)
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

    fn found_in(header: &Header, first: u32, count: u32, target: Target) -> Vec<u32> {
        let mut nonces = Vec::new();
        Hasher::new(header, Algorithm::Sha256d).scan(first, count, target, |nonce| nonces.push(nonce));
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
        let mut found = Vec::new();
        Hasher::new(&genesis(), Algorithm::Scrypt).scan(u32::MAX - 3, 16, target, |nonce| found.push(nonce));
        let slow: Vec<u32> = (0..16)
            .map(|offset| (u32::MAX - 3).wrapping_add(offset))
            .filter(|&nonce| {
                let header = genesis().rolled(1, 1_231_006_505, nonce);
                target.is_met_by(&Algorithm::Scrypt.pow_hash(&header))
            })
            .collect();
        assert!(!slow.is_empty() && slow.len() < 16);
        assert_eq!(found, slow);
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
        use sha2::{Digest, Sha256};
        let watch = dwarves_system::clock::Stopwatch::start();
        let count = 8_000_000;
        let start = cpu_secs(&watch);
        assert!(found_in(&genesis(), 0, count, Target::difficulty_one()).is_empty());
        let middle = cpu_secs(&watch);
        let header = genesis();
        let mut sum = 0;
        for nonce in 0..count / 4 {
            let header = header.rolled(1, 1_231_006_505, nonce);
            sum ^= Sha256::digest(Sha256::digest(header.as_bytes()))[31];
        }
        let end = cpu_secs(&watch);
        let ours = f64::from(count) / (middle - start) / 1e6;
        let plain = f64::from(count / 4) / (end - middle) / 1e6;
        println!("midstate {ours:.2} MH/s, plain double hash {plain:.2} MH/s ({sum})");
    }
}
