//! Places that cost nothing to take: whoever takes the most gives way first.
//!
//! A name, a registration: anybody can make up as many as they like, and there is room for only so many. Each place is
//! remembered with the client that took it. When room is needed, the client with the most places loses its oldest
//! one, so that nobody who takes a few is ever pushed out by somebody who takes all that there are.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::hotkey::Hotkey;
use crate::network::site;

/// Who takes places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Client {
    /// Who signed, or showed a session's token: nobody else can ask in its name.
    Owner(Hotkey),
    /// Whoever is at this network address; see [`Client::at`].
    At(IpAddr),
    /// Nobody remembers: it was in an earlier life of the pool.
    Earlier,
}

impl Client {
    /// Who connects from this address: an IPv4 address, or an IPv6 network of 48 bits.
    pub fn at(ip: IpAddr) -> Self {
        Self::At(site(ip))
    }
}

/// A place that was taken by a `C`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<C = Client> {
    client: C,
    at: u64,
}

impl<C: Copy> Place<C> {
    /// Who took it.
    pub fn client(&self) -> C {
        self.client
    }
}

/// All places that are taken by clients `C` for a `T` each, by client and age.
#[derive(Clone, Debug)]
pub struct Places<T, C = Client> {
    taken: BTreeMap<C, BTreeMap<u64, T>>,
    sizes: BTreeSet<(usize, C)>,
    next: u64,
    len: usize,
}

impl<T, C> Default for Places<T, C> {
    fn default() -> Self {
        Self {
            taken: BTreeMap::new(),
            sizes: BTreeSet::new(),
            next: 0,
            len: 0,
        }
    }
}

impl<T: Copy, C: Copy + Ord> Places<T, C> {
    /// Takes a place for `who`: the client's newest.
    pub fn take(&mut self, client: C, who: T) -> Place<C> {
        let of_client = self.taken.entry(client).or_default();
        self.sizes.remove(&(of_client.len(), client));
        let at = self.next;
        self.next += 1;
        of_client.insert(at, who);
        self.sizes.insert((of_client.len(), client));
        self.len += 1;
        Place { client, at }
    }

    /// Gives a place back. One that was given back before stays so.
    pub fn leave(&mut self, place: &Place<C>) {
        let Some(of_client) = self.taken.get_mut(&place.client) else {
            return;
        };
        let before = of_client.len();
        if of_client.remove(&place.at).is_none() {
            return;
        }
        self.len -= 1;
        self.sizes.remove(&(before, place.client));
        if before > 1 {
            self.sizes.insert((before - 1, place.client));
        } else {
            self.taken.remove(&place.client);
        }
    }

    /// Who gives way first: the oldest place of the client that has the most.
    pub fn first_to_give_way(&self) -> Option<T> {
        let (_, client) = self.sizes.last()?;
        self.taken.get(client)?.values().next().copied()
    }

    /// Takes the place of whoever gives way first, and says whose it was.
    pub fn make_room(&mut self) -> Option<T> {
        let (_, client) = *self.sizes.last()?;
        let (at, who) = self.taken.get(&client)?.first_key_value()?;
        let (at, who) = (*at, *who);
        self.leave(&Place { client, at });
        Some(who)
    }

    /// How many places are taken.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none is taken.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use proptest::prelude::*;

    use super::*;

    fn at(n: u8) -> Client {
        Client::at(IpAddr::from([192, 0, 2, n]))
    }

    #[test]
    fn who_leaves_the_last_place_is_forgotten() {
        let mut places = Places::default();
        assert!(places.is_empty());
        let last = places.take(at(1), 1);
        assert!(!places.is_empty());
        places.leave(&last);
        assert!(places.is_empty());
        assert!(places.taken.is_empty() && places.sizes.is_empty());
    }

    #[test]
    fn whoever_takes_the_most_gives_way_the_oldest_first() {
        let mut places = Places::default();
        assert_eq!(places.first_to_give_way(), None);
        places.take(at(1), 100);
        let flood: Vec<_> = (0..3).map(|n| places.take(at(2), n)).collect();
        for (n, place) in flood.iter().take(2).enumerate() {
            assert_eq!(places.first_to_give_way(), Some(n));
            places.leave(place);
            places.leave(place);
        }
        assert_eq!(places.len(), 2);
        let owner = Client::Owner(Hotkey::from_bytes([1; 32]));
        let own: Vec<_> = (10..12).map(|n| places.take(owner, n)).collect();
        assert_eq!(places.first_to_give_way(), Some(10));
        own.iter().for_each(|place| places.leave(place));
        assert_eq!(places.len(), 2);
    }

    #[test]
    fn one_client_is_one_however_many_addresses_it_has() {
        let of = |ip: &str| Client::at(ip.parse().unwrap());
        assert_eq!(of("::ffff:192.0.2.1"), at(1));
        assert_eq!(of("2001:db8::1"), of("2001:db8:0:ffff::2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:1::1"));
        assert_eq!(
            of("2001:db8::1"),
            Client::At(IpAddr::V6(Ipv6Addr::from_bits(0x2001_0db8 << 96)))
        );
    }

    proptest! {
        /// Against a plain list.
        #[test]
        fn it_says_what_a_plain_list_says(
            steps in proptest::collection::vec((0u8..4, any::<bool>(), any::<bool>()), 0..200),
        ) {
            let mut places = Places::default();
            let mut plain: Vec<(u8, usize, Place)> = Vec::new();
            for (who, (client, leaves, makes_room)) in steps.into_iter().enumerate() {
                if leaves {
                    let Some(first) = places.first_to_give_way() else {
                        prop_assert!(plain.is_empty());
                        continue;
                    };
                    let held = |client: u8| plain.iter().filter(|(of, ..)| *of == client).count();
                    let at = plain.iter().position(|(_, who, _)| *who == first).unwrap();
                    let (client, _, place) = plain[at];
                    prop_assert!((0..4).all(|other| held(other) <= held(client)));
                    prop_assert!(plain[..at].iter().all(|(of, ..)| *of != client), "the oldest first");
                    if makes_room {
                        prop_assert_eq!(places.make_room(), Some(first));
                    } else {
                        places.leave(&place);
                    }
                    plain.remove(at);
                } else {
                    plain.push((client, who, places.take(at(client), who)));
                }
                prop_assert_eq!(places.len(), plain.len());
            }
        }
    }
}
