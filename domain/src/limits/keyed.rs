//! A token bucket for each key, for a bounded number of keys.
//!
//! A full bucket is as good as none that is remembered, so those are forgotten when room is needed. The keys that find
//! no room even so are a crowd: they share one bucket. So what is remembered is bounded, whoever comes has something,
//! and those who are remembered lose nothing to the crowd.

use std::collections::HashMap;
use std::hash::Hash;

use super::bucket::{Empty, Rate, TokenBucket};
use crate::time::Timestamp;

/// Token buckets by key. Bounded.
#[derive(Clone, Debug)]
pub struct KeyedLimiter<K> {
    buckets: HashMap<K, TokenBucket>,
    keys_max: usize,
    /// The one bucket of all those who cannot be remembered one by one.
    crowd: TokenBucket,
}

impl<K: Copy + Eq + Hash> KeyedLimiter<K> {
    /// Full buckets, of which at most `keys_max` are remembered. The others share one that fills at `crowd`; at none in
    /// a period they have nothing.
    pub fn new(keys_max: usize, crowd: Rate) -> Self {
        Self {
            buckets: HashMap::new(),
            keys_max,
            crowd: TokenBucket::full(crowd),
        }
    }

    /// Whether there is room for all of these keys, now that those with full buckets are forgotten if need be.
    fn has_room(&mut self, keys: impl Iterator<Item = K> + Clone, now: Timestamp) -> bool {
        let fit = |buckets: &HashMap<K, TokenBucket>| {
            let unknown = keys.clone().filter(|key| !buckets.contains_key(key)).count();
            unknown == 0 || buckets.len() + unknown <= self.keys_max
        };
        if !fit(&self.buckets) {
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
        }
        fit(&self.buckets)
    }

    /// Remembers a key, with a full bucket if it was not remembered before. Gives whether there was room.
    pub fn remember(&mut self, key: K, rate: Rate, now: Timestamp) -> bool {
        let has_room = self.has_room(std::iter::once(key), now);
        if has_room {
            self.buckets.entry(key).or_insert(TokenBucket::full(rate));
        }
        has_room
    }

    /// Forgets all keys.
    pub fn clear(&mut self) {
        self.buckets.clear();
    }

    /// Takes a token of this key's bucket, or of the crowd's.
    ///
    /// # Errors
    /// If there is none.
    pub fn take(&mut self, key: K, rate: Rate, now: Timestamp) -> Result<(), Empty> {
        self.take_each(&[(key, rate)], now)
    }

    /// Takes a token of this key's bucket if it is remembered and has one. Gives whether it did.
    pub fn take_if_known(&mut self, key: &K, now: Timestamp) -> bool {
        let bucket = self.buckets.get_mut(key);
        bucket.is_some_and(|bucket| bucket.take(now).is_ok())
    }

    /// Takes a token of each of these keys' buckets, or of none of them. Those that cannot be remembered take one of
    /// the crowd's between them. No key may be there twice.
    ///
    /// # Errors
    /// If one of them has none; it names the longest time.
    pub fn take_each(&mut self, wanted: &[(K, Rate)], now: Timestamp) -> Result<(), Empty> {
        let has_room = self.has_room(wanted.iter().map(|(key, _)| *key), now);
        let mut longest: Option<Empty> = None;
        for (key, rate) in wanted {
            let found = match self.buckets.get_mut(key) {
                Some(bucket) => bucket.check(now),
                None if has_room => TokenBucket::full(*rate).check(now),
                None => self.crowd.check(now),
            };
            longest = longest.max(found.err());
        }
        if let Some(empty) = longest {
            return Err(empty);
        }
        let mut crowd = Some(&mut self.crowd);
        for (key, rate) in wanted {
            if has_room {
                self.buckets.entry(*key).or_insert(TokenBucket::full(*rate));
            }
            if let Some(bucket) = self.buckets.get_mut(key).or_else(|| crowd.take()) {
                bucket.take(now)?;
            }
        }
        Ok(())
    }

    /// Has this key alone, or the crowd, pay for this many more: as a debt if need be, of a period's worth at most.
    pub fn charge(&mut self, key: K, rate: Rate, tokens: u32, now: Timestamp) {
        self.remember(key, rate, now);
        let bucket = self.buckets.get_mut(&key).unwrap_or(&mut self.crowd);
        bucket.charge(tokens, now);
    }

    /// Puts a token back that this key took. What the crowd took is gone.
    pub fn give_back(&mut self, key: &K) {
        if let Some(bucket) = self.buckets.get_mut(key) {
            bucket.give_back();
        }
    }

    /// How many keys are remembered.
    pub fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Whether no key is remembered.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }
}

#[cfg(test)]
mod tests;
