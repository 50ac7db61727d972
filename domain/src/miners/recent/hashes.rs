//! Where marks of jobs and hotkeys stand in hash tables: nobody outside can choose ones that collide.

use std::hash::{BuildHasher, Hasher};

/// Marks of jobs are evenly spread already, hotkeys nearly: their bytes, mixed with a secret, place them.
#[derive(Clone, Copy, Debug)]
pub(super) struct SeededHashes(pub(super) u64);

impl BuildHasher for SeededHashes {
    type Hasher = SeededHasher;

    fn build_hasher(&self) -> SeededHasher {
        SeededHasher(self.0)
    }
}

pub(super) struct SeededHasher(u64);

impl Hasher for SeededHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            // Multiply and fold: every bit of the secret and the hash reaches the table's bits.
            let product = u128::from(self.0 ^ u64::from_le_bytes(word)) * 0x9e37_79b9_7f4a_7c15;
            self.0 = (product >> 64) as u64 ^ product as u64;
        }
    }
}
