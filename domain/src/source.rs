//! Where something comes from that costs the pool something: places that all use are shared out by it.
//!
//! A miner's name proves nothing over Stratum and JSON-RPC, where anybody may log in as anybody; the address of the
//! client is what nobody makes up. So places are shared among clients first, then among the miners of each.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroUsize;

use crate::hotkey::Hotkey;
use crate::network::host;

/// A client and the miner that it speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    client: IpAddr,
    miner: Hotkey,
}

impl Source {
    /// What this client address sends for this miner. One IPv6 network of 64 bits is one client.
    pub fn new(client: IpAddr, miner: Hotkey) -> Self {
        Self {
            client: host(client),
            miner,
        }
    }

    /// The client's network address.
    pub fn client(&self) -> IpAddr {
        self.client
    }

    /// The account that the work is for.
    pub fn miner(&self) -> Hotkey {
        self.miner
    }
}

/// How many of something there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedLimit {
    /// Places in all.
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

/// Places that are taken and given back, of which no client can take all.
#[derive(Debug)]
pub struct SharedPlaces {
    limit: SharedLimit,
    taken: usize,
    by_client: HashMap<IpAddr, usize>,
}

impl SharedPlaces {
    /// Every place is free.
    pub fn new(limit: SharedLimit) -> Self {
        Self {
            limit,
            taken: 0,
            by_client: HashMap::new(),
        }
    }

    /// Takes a place, if there is one for this client.
    #[must_use]
    pub fn take(&mut self, client: IpAddr) -> bool {
        self.take_several(client, NonZeroUsize::MIN)
    }

    /// Takes as many places as these, if there are that many for this client.
    #[must_use]
    pub fn take_several(&mut self, client: IpAddr, count: NonZeroUsize) -> bool {
        let fits = |taken: usize, limit: usize| limit.saturating_sub(taken) >= count.get();
        let own = self.by_client.get(&client).copied().unwrap_or(0);
        if !fits(self.taken, self.limit.total) || !fits(own, self.limit.per_client) {
            return false;
        }
        self.by_client.insert(client, own + count.get());
        self.taken += count.get();
        true
    }

    /// Gives a place back that this client took.
    ///
    /// # Panics
    /// If it took none.
    pub fn give_back(&mut self, client: IpAddr) {
        self.give_back_several(client, NonZeroUsize::MIN);
    }

    /// Gives as many places back as these, which this client took.
    ///
    /// # Panics
    /// If it took fewer.
    pub fn give_back_several(&mut self, client: IpAddr, count: NonZeroUsize) {
        let own = self.by_client.get_mut(&client).expect("a place was taken");
        *own = own.checked_sub(count.get()).expect("as many places were taken");
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
    use super::*;

    #[test]
    fn one_client_takes_its_share_and_the_others_find_theirs_and_all_come_back() {
        let limit = SharedLimit {
            total: 5,
            per_client: 2,
        };
        let mut places = SharedPlaces::new(limit);
        let clients = ["192.0.2.1", "192.0.2.2", "2001:db8::1"].map(|ip| ip.parse::<IpAddr>().unwrap());
        let taken = clients.map(|client| (0..9).filter(|_| places.take(client)).count());
        assert_eq!((taken, places.taken()), ([2, 2, 1], 5));
        for (client, taken) in clients.into_iter().zip(taken) {
            (0..taken).for_each(|_| places.give_back(client));
        }
        assert_eq!(places.taken(), 0);
        assert!(places.by_client.is_empty(), "nobody is remembered who has none");
        assert!(places.take(clients[2]));
    }
}
