//! Which headers were accepted lately, so that each counts once.
//!
//! One set per live template. A header's hash covers everything that a miner may change, so it names the share
//! whatever job or way in it came by. Only accepted shares enter, so filling the sets costs proof of work.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hasher};

use crate::ids::{HeaderHash, Sequence, TemplateId};

/// The accepted headers of the live templates. Bounded.
#[derive(Clone, Debug)]
pub struct RecentShares {
    sets: BTreeMap<TemplateId, HashMap<HeaderHash, Seen, SeededHashes>>,
    seed: u64,
    len: usize,
    capacity: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// Accepted, but its commit is still under way.
    Pending,
    Committed(Sequence),
}

/// What the sets say to a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareClaim {
    /// Never seen; it is claimed now and must be confirmed or released.
    New,
    /// Claimed before; its commit is still under way.
    Pending,
    /// Accepted before.
    Duplicate(Sequence),
    /// The sets are full: shares must wait until templates retire.
    Full,
}

impl RecentShares {
    /// Empty sets for at most `capacity` headers. The secret `seed` keeps anybody from choosing headers that
    /// collide in the tables.
    pub fn new(capacity: usize, seed: u64) -> Self {
        Self {
            sets: BTreeMap::new(),
            seed,
            len: 0,
            capacity,
        }
    }

    /// Claims a header of a live template.
    pub fn claim(&mut self, template: TemplateId, hash: HeaderHash) -> ShareClaim {
        let seed = self.seed;
        let set = self
            .sets
            .entry(template)
            .or_insert_with(|| HashMap::with_hasher(SeededHashes(seed)));
        match set.get(&hash) {
            Some(Seen::Pending) => ShareClaim::Pending,
            Some(Seen::Committed(sequence)) => ShareClaim::Duplicate(*sequence),
            None if self.len >= self.capacity => ShareClaim::Full,
            None => {
                set.insert(hash, Seen::Pending);
                self.len += 1;
                ShareClaim::New
            }
        }
    }

    /// The claimed header is in the ledger, as `sequence`.
    pub fn confirm(&mut self, template: TemplateId, hash: HeaderHash, sequence: Sequence) {
        // The template may have retired while its last shares were being committed.
        if let Some(seen) = self.sets.get_mut(&template).and_then(|set| set.get_mut(&hash)) {
            *seen = Seen::Committed(sequence);
        }
    }

    /// The claimed header could not be stored: it was never seen.
    pub fn release(&mut self, template: TemplateId, hash: HeaderHash) {
        if let Some(set) = self.sets.get_mut(&template)
            && set.remove(&hash).is_some()
        {
            self.len -= 1;
        }
    }

    /// Takes in a header that the store knows.
    pub fn restore(&mut self, template: TemplateId, hash: HeaderHash, sequence: Sequence) {
        if self.claim(template, hash) == ShareClaim::New {
            self.confirm(template, hash, sequence);
        }
    }

    /// The place in the ledger of a header that was claimed, if it has one by now.
    pub fn sequence_of(&self, template: TemplateId, hash: &HeaderHash) -> Option<Sequence> {
        match self.sets.get(&template)?.get(hash)? {
            Seen::Committed(sequence) => Some(*sequence),
            Seen::Pending => None,
        }
    }

    /// Forgets the headers of templates before `oldest`: their jobs are stale whatever is submitted.
    pub fn retire_before(&mut self, oldest: TemplateId) {
        let live = self.sets.split_off(&oldest);
        let retired = std::mem::replace(&mut self.sets, live);
        self.len -= retired.values().map(HashMap::len).sum::<usize>();
    }

    /// How many headers are kept.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Header hashes are evenly spread already: eight of their bytes, mixed with a secret, place them.
#[derive(Clone, Copy, Debug)]
struct SeededHashes(u64);

impl BuildHasher for SeededHashes {
    type Hasher = SeededHasher;

    fn build_hasher(&self) -> SeededHasher {
        SeededHasher(self.0)
    }
}

struct SeededHasher(u64);

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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const T1: TemplateId = TemplateId::new(1);
    const T2: TemplateId = TemplateId::new(2);

    fn hash(n: u8) -> HeaderHash {
        HeaderHash::from_bytes([n; 32])
    }

    #[test]
    fn a_header_counts_once_and_tells_where() {
        let mut recent = RecentShares::new(10, 1);
        assert_eq!(recent.claim(T1, hash(1)), ShareClaim::New);
        assert_eq!(recent.claim(T1, hash(1)), ShareClaim::Pending);
        recent.confirm(T1, hash(1), Sequence::new(5));
        assert_eq!(recent.claim(T1, hash(1)), ShareClaim::Duplicate(Sequence::new(5)));
    }

    #[test]
    fn a_header_that_could_not_be_stored_may_come_again() {
        let mut recent = RecentShares::new(10, 1);
        assert_eq!(recent.claim(T1, hash(1)), ShareClaim::New);
        recent.release(T1, hash(1));
        assert!(recent.is_empty());
        assert_eq!(recent.claim(T1, hash(1)), ShareClaim::New);
    }

    #[test]
    fn full_sets_refuse_until_a_template_retires() {
        let mut recent = RecentShares::new(2, 1);
        recent.restore(T1, hash(1), Sequence::new(1));
        recent.restore(T2, hash(2), Sequence::new(2));
        assert_eq!(recent.claim(T2, hash(3)), ShareClaim::Full);
        recent.retire_before(T2);
        assert_eq!(recent.len(), 1);
        assert_eq!(recent.claim(T2, hash(3)), ShareClaim::New);
        assert_eq!(recent.claim(T2, hash(2)), ShareClaim::Duplicate(Sequence::new(2)));
    }

    proptest! {
        #[test]
        fn the_length_is_the_number_of_kept_headers(
            steps in proptest::collection::vec((0u8..4, 1u32..5, any::<u8>()), 0..200),
        ) {
            let mut recent = RecentShares::new(50, 7);
            for (step, template, n) in steps {
                let template = TemplateId::new(template);
                match step {
                    0 | 1 => { recent.claim(template, hash(n)); }
                    2 => recent.release(template, hash(n)),
                    _ => recent.retire_before(template),
                }
                prop_assert!(recent.len() <= 50);
                prop_assert_eq!(recent.len(), recent.sets.values().map(HashMap::len).sum::<usize>());
            }
        }
    }
}
