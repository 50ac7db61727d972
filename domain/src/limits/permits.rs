//! Permits for what is under way: a number in all, and of one client.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroUsize;

/// How many of something there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedLimit {
    /// Permits in all.
    pub total: usize,
    /// Of one client.
    pub per_client: usize,
}

impl SharedLimit {
    /// `total`, of which one client may take this many percent, but at least one.
    pub const fn shared(total: usize, percent: usize) -> Self {
        let share = total.saturating_mul(percent).div_ceil(100);
        Self {
            total,
            per_client: if share == 0 { 1 } else { share },
        }
    }

    /// `total`, all of which one client may take.
    pub const fn unshared(total: usize) -> Self {
        Self::shared(total, 100)
    }
}

/// Permits that are taken and given back, of which no client can take all. No more clients are remembered than there are
/// permits.
#[derive(Debug)]
pub struct SharedPermits<K> {
    limit: SharedLimit,
    taken: usize,
    by_client: HashMap<K, usize>,
}

impl<K: Copy + Eq + Hash> SharedPermits<K> {
    /// All of them are free.
    pub fn new(limit: SharedLimit) -> Self {
        Self {
            limit,
            taken: 0,
            by_client: HashMap::new(),
        }
    }

    /// Takes a permit, if there is one for this client.
    #[must_use]
    pub fn take(&mut self, client: K) -> bool {
        self.take_several(client, NonZeroUsize::MIN)
    }

    /// Takes as many permits as these, if there are that many for this client.
    #[must_use]
    pub fn take_several(&mut self, client: K, count: NonZeroUsize) -> bool {
        let fits = |taken: usize, limit: usize| limit.saturating_sub(taken) >= count.get();
        let own = self.by_client.get(&client).copied().unwrap_or(0);
        if !fits(self.taken, self.limit.total) || !fits(own, self.limit.per_client) {
            return false;
        }
        self.by_client.insert(client, own + count.get());
        self.taken += count.get();
        true
    }

    /// Gives a permit back that this client took.
    ///
    /// # Panics
    /// If it took none.
    pub fn give_back(&mut self, client: K) {
        self.give_back_several(client, NonZeroUsize::MIN);
    }

    /// Gives as many permits back as these, which this client took.
    ///
    /// # Panics
    /// If it took fewer.
    pub fn give_back_several(&mut self, client: K, count: NonZeroUsize) {
        let own = self.by_client.get_mut(&client).expect("a permit was taken");
        *own = own.checked_sub(count.get()).expect("as many permits were taken");
        self.taken -= count.get();
        if *own == 0 {
            self.by_client.remove(&client);
        }
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        self.taken
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_client_takes_its_share_and_the_others_find_theirs_and_all_come_back() {
        let limit = SharedLimit {
            total: 5,
            per_client: 2,
        };
        let mut permits = SharedPermits::new(limit);
        let clients = ["192.0.2.1", "192.0.2.2", "2001:db8::1"].map(|ip| ip.parse::<IpAddr>().unwrap());
        let taken = clients.map(|client| (0..9).filter(|_| permits.take(client)).count());
        assert_eq!((taken, permits.taken()), ([2, 2, 1], 5));
        for (client, taken) in clients.into_iter().zip(taken) {
            (0..taken).for_each(|_| permits.give_back(client));
        }
        assert_eq!(permits.taken(), 0);
        assert!(permits.by_client.is_empty(), "nobody is remembered who has none");
        assert!(permits.take(clients[2]));
    }

    proptest! {
        /// Against a plain list of who holds how many.
        #[test]
        fn it_says_what_a_plain_list_says(
            total in 0usize..20,
            percent in 0usize..=100,
            steps in proptest::collection::vec((0u8..4, 1usize..6, any::<bool>()), 0..200),
        ) {
            let limit = SharedLimit::shared(total, percent);
            prop_assert!((1..=total.max(1)).contains(&limit.per_client));
            let mut permits = SharedPermits::new(limit);
            let mut held: Vec<(u8, usize)> = Vec::new();
            for (client, count, gives_back) in steps {
                if gives_back {
                    if let Some(at) = held.iter().position(|(other, _)| *other == client) {
                        let (_, count) = held.swap_remove(at);
                        permits.give_back_several(client, NonZeroUsize::new(count).unwrap());
                    }
                } else {
                    let all: usize = held.iter().map(|(_, count)| count).sum();
                    let own: usize = held.iter().filter(|(other, _)| *other == client).map(|(_, count)| count).sum();
                    let fits = all + count <= total && own + count <= limit.per_client;
                    prop_assert_eq!(permits.take_several(client, NonZeroUsize::new(count).unwrap()), fits);
                    if fits {
                        held.push((client, count));
                    }
                }
                prop_assert_eq!(permits.taken(), held.iter().map(|(_, count)| count).sum::<usize>());
                prop_assert!(permits.by_client.len() <= permits.taken());
            }
        }
    }
}
