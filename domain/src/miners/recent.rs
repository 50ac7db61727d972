//! Which headers were accepted lately, so that each counts once.
//!
//! One set per live template. A header's hash covers everything that a miner may change, so it names the share
//! whatever job or way in it came by. Only accepted shares enter, so filling the sets costs proof of work.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hasher};

use crate::ids::{HeaderHash, Sequence, TemplateId};

/// The accepted headers of the live templates. Bounded.
#[derive(Clone, Debug)]
pub struct RecentShares {
    sets: BTreeMap<TemplateId, Set>,
    seed: u64,
    len: usize,
    capacity: usize,
}

/// The headers of one template. What is known of each stands apart from the table that finds it, in the order in
/// which they were claimed: a batch is confirmed without looking anything up.
#[derive(Clone, Debug)]
struct Set {
    slots: HashMap<HeaderHash, Slot, SeededHashes>,
    seen: Vec<Seen>,
    /// Slots of headers that were released, for the next ones.
    free: Vec<Slot>,
}

/// The place of a claimed header among those of its template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// Accepted, but its commit is still under way.
    Pending,
    Committed(Sequence),
}

impl Set {
    fn new(seed: u64) -> Self {
        Self {
            slots: HashMap::with_hasher(SeededHashes(seed)),
            seen: Vec::new(),
            free: Vec::new(),
        }
    }

    fn seen(&self, slot: Slot) -> Seen {
        self.seen[slot.0 as usize]
    }
}

/// What the sets say to a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareClaim {
    /// Never seen; it is claimed now, in this slot, and must be confirmed or released.
    New(Slot),
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
        let set = self.sets.entry(template).or_insert_with(|| Set::new(seed));
        match set.slots.entry(hash) {
            Entry::Occupied(known) => match set.seen[known.get().0 as usize] {
                Seen::Pending => ShareClaim::Pending,
                Seen::Committed(sequence) => ShareClaim::Duplicate(sequence),
            },
            Entry::Vacant(place) => {
                if self.len >= self.capacity {
                    return ShareClaim::Full;
                }
                let slot = match set.free.pop() {
                    Some(slot) => slot,
                    None => match u32::try_from(set.seen.len()) {
                        Ok(next) => {
                            set.seen.push(Seen::Pending);
                            Slot(next)
                        }
                        Err(_) => return ShareClaim::Full,
                    },
                };
                set.seen[slot.0 as usize] = Seen::Pending;
                place.insert(slot);
                self.len += 1;
                ShareClaim::New(slot)
            }
        }
    }

    /// The header that was claimed in this slot is in the ledger, as `sequence`.
    pub fn confirm(&mut self, template: TemplateId, slot: Slot, sequence: Sequence) {
        // The template may have retired while its last shares were being committed.
        let set = self.sets.get_mut(&template);
        if let Some(seen) = set.and_then(|set| set.seen.get_mut(slot.0 as usize)) {
            *seen = Seen::Committed(sequence);
        }
    }

    /// The claimed header could not be stored: it was never seen.
    pub fn release(&mut self, template: TemplateId, hash: HeaderHash) {
        if let Some(set) = self.sets.get_mut(&template)
            && let Some(slot) = set.slots.remove(&hash)
        {
            set.free.push(slot);
            self.len -= 1;
        }
    }

    /// Takes in a header that the store knows.
    pub fn restore(&mut self, template: TemplateId, hash: HeaderHash, sequence: Sequence) {
        if let ShareClaim::New(slot) = self.claim(template, hash) {
            self.confirm(template, slot, sequence);
        }
    }

    /// The place in the ledger of a header that was claimed, if it has one by now.
    pub fn sequence_of(&self, template: TemplateId, hash: &HeaderHash) -> Option<Sequence> {
        let set = self.sets.get(&template)?;
        match set.seen(*set.slots.get(hash)?) {
            Seen::Committed(sequence) => Some(sequence),
            Seen::Pending => None,
        }
    }

    /// Forgets the headers of templates before `oldest`: their jobs are stale whatever is submitted.
    pub fn retire_before(&mut self, oldest: TemplateId) {
        let live = self.sets.split_off(&oldest);
        let retired = std::mem::replace(&mut self.sets, live);
        self.len -= retired.values().map(|set| set.slots.len()).sum::<usize>();
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

    fn claim(recent: &mut RecentShares, template: TemplateId, n: u8) -> Slot {
        match recent.claim(template, hash(n)) {
            ShareClaim::New(slot) => slot,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_header_counts_once_and_tells_where() {
        let mut recent = RecentShares::new(10, 1);
        let slot = claim(&mut recent, T1, 1);
        assert_eq!(recent.claim(T1, hash(1)), ShareClaim::Pending);
        recent.confirm(T1, slot, Sequence::new(5));
        assert_eq!(recent.claim(T1, hash(1)), ShareClaim::Duplicate(Sequence::new(5)));
    }

    #[test]
    fn a_header_that_could_not_be_stored_may_come_again() {
        let mut recent = RecentShares::new(10, 1);
        let first = claim(&mut recent, T1, 1);
        recent.release(T1, hash(1));
        assert!(recent.is_empty());
        assert_eq!(claim(&mut recent, T1, 2), first, "its slot is free again");
        assert_ne!(claim(&mut recent, T1, 1), first);
    }

    #[test]
    fn full_sets_refuse_until_a_template_retires() {
        let mut recent = RecentShares::new(2, 1);
        recent.restore(T1, hash(1), Sequence::new(1));
        recent.restore(T2, hash(2), Sequence::new(2));
        assert_eq!(recent.claim(T2, hash(3)), ShareClaim::Full);
        recent.retire_before(T2);
        assert_eq!(recent.len(), 1);
        claim(&mut recent, T2, 3);
        assert_eq!(recent.claim(T2, hash(2)), ShareClaim::Duplicate(Sequence::new(2)));
    }

    proptest! {
        /// Against a plain map that does not know of slots.
        #[test]
        fn it_says_what_a_plain_map_says(
            steps in proptest::collection::vec((0u8..5, 1u32..5, 0u8..80), 0..200),
        ) {
            let mut recent = RecentShares::new(50, 7);
            let mut plain: BTreeMap<(TemplateId, u8), Option<Sequence>> = BTreeMap::new();
            for (at, (step, template, n)) in steps.into_iter().enumerate() {
                let template = TemplateId::new(template);
                let key = (template, n);
                match step {
                    0..=2 => match (recent.claim(template, hash(n)), plain.get(&key)) {
                        (ShareClaim::New(slot), None) => {
                            let sequence = Sequence::new(at as u64);
                            let is_confirmed = step > 0;
                            plain.insert(key, is_confirmed.then_some(sequence));
                            if is_confirmed {
                                recent.confirm(template, slot, sequence);
                            }
                        }
                        (ShareClaim::Pending, Some(None)) => {}
                        (ShareClaim::Duplicate(first), Some(Some(sequence))) => prop_assert_eq!(first, *sequence),
                        (ShareClaim::Full, None) => prop_assert_eq!(plain.len(), 50),
                        (said, known) => prop_assert!(false, "{said:?} of {known:?}"),
                    },
                    3 => {
                        recent.release(template, hash(n));
                        plain.remove(&key);
                    }
                    _ => {
                        recent.retire_before(template);
                        plain.retain(|(of, _), _| *of >= template);
                    }
                }
                prop_assert_eq!(recent.len(), plain.len());
                let seen = plain.get(&key).copied().flatten();
                prop_assert_eq!(recent.sequence_of(template, &hash(n)), seen);
                let slots: usize = recent.sets.values().map(|set| set.seen.len()).sum();
                let free: usize = recent.sets.values().map(|set| set.free.len()).sum();
                prop_assert_eq!(slots, plain.len() + free);
            }
        }
    }
}
