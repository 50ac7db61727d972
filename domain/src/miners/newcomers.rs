//! How many new identities one place may bring: a name that costs nothing would else fill the registry.
//!
//! A payout address is a miner's whole registration, and anybody can make up as many as they like. So each client
//! address has an allowance of new identities, an hour's worth of which can be saved up. What is remembered of it is
//! one instant: when the allowance is whole again. From then on it is as if nobody had come from there.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use crate::time::{Span, Timestamp};

/// The time for which allowances are named.
const HOUR: Span = Span::from_secs(3_600);

/// Whom an allowance belongs to: a network, by its first address and its number of bits.
type Scope = (u8, IpAddr);

/// The networks of IPv6 that have an allowance of their own, and how many times that of one machine it is. One client
/// is given 64 bits, often 56 or 48 of them, and whoever rents machines soon has 32: their parts are no strangers to
/// each other.
const NETWORKS: [(u8, u64); 3] = [(64, 1), (48, 4), (32, 16)];

/// The allowances of all client addresses. Bounded.
#[derive(Clone, Debug)]
pub struct Newcomers {
    per_hour: u64,
    /// When the allowance of each is whole again.
    whole_at: BTreeMap<Scope, Timestamp>,
    scopes_max: usize,
    /// The one allowance of all those who cannot be remembered one by one.
    crowd_whole_at: Timestamp,
}

/// The allowance is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyNew {
    /// After which time there is one more.
    pub try_again: Span,
}

impl Newcomers {
    /// Whole allowances of `per_hour` new identities (at least one), remembered for at most `hosts_max` client
    /// addresses and networks. If more than that come within an hour, the others share one allowance.
    pub fn new(per_hour: u32, hosts_max: usize) -> Self {
        Self {
            per_hour: u64::from(per_hour.max(1)),
            whole_at: BTreeMap::new(),
            scopes_max: hosts_max,
            crowd_whole_at: Timestamp::EPOCH,
        }
    }

    /// The time in which an allowance of this many times a machine's grows by one.
    fn cost(&self, times: u64) -> Span {
        Span::from_millis((HOUR.millis() / self.per_hour.saturating_mul(times)).max(1))
    }

    /// Takes one from the allowance of this client address, and of the networks that it is part of.
    ///
    /// # Errors
    /// If one of them has none left now.
    pub fn admit(&mut self, from: IpAddr, now: Timestamp) -> Result<(), TooManyNew> {
        let scopes = scopes(from);
        let unknown = |known: &BTreeMap<Scope, Timestamp>| {
            let new = |scope: &&(Scope, u64)| !known.contains_key(&scope.0);
            scopes.iter().filter(new).count()
        };
        if self.whole_at.len() + unknown(&self.whole_at) > self.scopes_max {
            self.whole_at.retain(|_, whole_at| *whole_at > now);
        }
        let has_room = self.whole_at.len() + unknown(&self.whole_at) <= self.scopes_max;
        // Nothing is taken from one if another has none left.
        let mut refused: Option<Span> = None;
        for (scope, times) in &scopes {
            let whole_at = match self.whole_at.get(scope) {
                Some(whole_at) => *whole_at,
                None if has_room => now,
                None => self.crowd_whole_at,
            };
            let used = used(whole_at, now);
            let then = used.millis() + self.cost(*times).millis();
            if then > HOUR.millis() {
                self.set(scope, now.plus(used));
                refused = refused.max(Some(Span::from_millis(then - HOUR.millis())));
            }
        }
        if let Some(try_again) = refused {
            return Err(TooManyNew { try_again });
        }
        for (scope, times) in &scopes {
            let cost = self.cost(*times).millis();
            if has_room {
                self.whole_at.entry(*scope).or_insert(now);
            }
            let whole_at = match self.whole_at.get(scope) {
                Some(whole_at) => *whole_at,
                // The crowd pays once, as its machines do.
                None if *times == 1 => self.crowd_whole_at,
                None => continue,
            };
            let used = used(whole_at, now).millis() + cost;
            self.set(scope, now.plus(Span::from_millis(used)));
        }
        Ok(())
    }

    /// Notes when an allowance is whole again: the scope's own, or the crowd's.
    fn set(&mut self, scope: &Scope, at: Timestamp) {
        *self.whole_at.get_mut(scope).unwrap_or(&mut self.crowd_whole_at) = at;
    }

    /// Gives back what was taken for an identity that could not be stored.
    pub fn give_back(&mut self, from: IpAddr) {
        for (scope, times) in scopes(from) {
            let cost = self.cost(times);
            if let Some(whole_at) = self.whole_at.get_mut(&scope) {
                *whole_at = whole_at.minus(cost);
            }
        }
    }
}

/// How much of an allowance is used. A clock that was ahead must not lock anybody out for as long as it was.
fn used(whole_at: Timestamp, now: Timestamp) -> Span {
    whole_at.since(now).min(HOUR)
}

/// The allowances that a client address draws on, and how many times a machine's each is.
fn scopes(from: IpAddr) -> Vec<(Scope, u64)> {
    match from.to_canonical() {
        IpAddr::V4(ip) => vec![((32, IpAddr::V4(ip)), 1)],
        IpAddr::V6(ip) => NETWORKS
            .iter()
            .map(|(bits, times)| ((*bits, network(ip, *bits)), *times))
            .collect(),
    }
}

/// The first `bits` (1 to 128) bits of an IPv6 address.
fn network(ip: Ipv6Addr, bits: u8) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_bits(
        ip.to_bits() & u128::MAX << (128 - u32::from(bits)),
    ))
}

/// What one machine can have as many of as it likes counts as one: an IPv4 address, however it is written, or an
/// IPv6 network of 64 bits.
pub fn host(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => network(ip, 64),
    }
}

/// What one client can have as many of as it likes counts as one where all share what there is: an IPv4 address, or
/// an IPv6 network of 48 bits.
pub fn site(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => network(ip, 48),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000_000);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn admitted(newcomers: &mut Newcomers, from: &str, at: Timestamp) -> usize {
        (0..1_000)
            .take_while(|_| newcomers.admit(ip(from), at).is_ok())
            .count()
    }

    #[test]
    fn an_allowance_is_used_up_and_grows_again_and_says_when() {
        let mut newcomers = Newcomers::new(6, 10);
        assert_eq!(admitted(&mut newcomers, "192.0.2.1", NOW), 6);
        let refused = newcomers.admit(ip("192.0.2.1"), NOW).unwrap_err();
        assert_eq!(refused.try_again, Span::from_secs(600));
        let soon = NOW.plus(Span::from_millis(599_999));
        assert!(newcomers.admit(ip("192.0.2.1"), soon).is_err());
        let then = NOW.plus(refused.try_again);
        assert_eq!(admitted(&mut newcomers, "192.0.2.1", then), 1);
        assert_eq!(
            admitted(&mut newcomers, "192.0.2.1", then.plus(Span::from_secs(86_400))),
            6
        );
    }

    #[test]
    fn one_machine_has_one_allowance_however_it_writes_its_address() {
        let mut newcomers = Newcomers::new(2, 10);
        assert!(newcomers.admit(ip("192.0.2.1"), NOW).is_ok());
        assert!(newcomers.admit(ip("::ffff:192.0.2.1"), NOW).is_ok());
        assert!(newcomers.admit(ip("192.0.2.1"), NOW).is_err());
        assert!(newcomers.admit(ip("192.0.2.2"), NOW).is_ok());
        assert!(newcomers.admit(ip("2001:db8::1"), NOW).is_ok());
        assert!(newcomers.admit(ip("2001:db8::ffff:1:2:3"), NOW).is_ok());
        assert!(newcomers.admit(ip("2001:db8::2"), NOW).is_err());
        assert!(newcomers.admit(ip("2001:db8:0:1::1"), NOW).is_ok());
    }

    /// Each network of IPv6 that one client may have, and how many newcomers all of its addresses may bring.
    #[test]
    fn the_parts_of_a_network_are_no_strangers_to_each_other() {
        type Part = fn(u32) -> Ipv6Addr;
        let cases: [(&str, Part, usize); 4] = [
            (
                "addresses of one /64",
                |n| Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(n)),
                5,
            ),
            (
                "/64s of one /48",
                |n| Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(n) << 64),
                20,
            ),
            (
                "/48s of one /32",
                |n| Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(n) << 80),
                80,
            ),
            (
                "/32s",
                |n| Ipv6Addr::from_bits(u128::from(0x2001_0000 + n) << 96),
                2_000,
            ),
        ];
        for (what, part, expected) in cases {
            let mut newcomers = Newcomers::new(5, 100_000);
            let admitted = (0..2_000).filter(|n| newcomers.admit(IpAddr::V6(part(*n)), NOW).is_ok());
            assert_eq!(admitted.count(), expected, "{what}");
            let other = ip("3000::1");
            assert!(
                newcomers.admit(other, NOW).is_ok(),
                "{what}: others are not kept out"
            );
        }
    }

    #[test]
    fn a_network_that_was_refused_took_nothing_from_its_machines() {
        let mut newcomers = Newcomers::new(1, 1_000);
        for n in 0..4 {
            assert!(newcomers.admit(ip(&format!("2001:db8:0:{n}::1")), NOW).is_ok());
        }
        let fifth = ip("2001:db8:0:5::1");
        let refused = newcomers.admit(fifth, NOW).unwrap_err();
        assert_eq!(refused.try_again, Span::from_secs(900));
        assert!(newcomers.admit(fifth, NOW.plus(refused.try_again)).is_ok());
        newcomers.give_back(fifth);
        assert!(newcomers.admit(fifth, NOW.plus(refused.try_again)).is_ok());
    }

    #[test]
    fn what_could_not_be_stored_is_given_back() {
        let mut newcomers = Newcomers::new(1, 10);
        assert!(newcomers.admit(ip("192.0.2.1"), NOW).is_ok());
        newcomers.give_back(ip("192.0.2.1"));
        newcomers.give_back(ip("192.0.2.9"));
        assert_eq!(admitted(&mut newcomers, "192.0.2.1", NOW), 1);
        assert_eq!(admitted(&mut newcomers, "192.0.2.9", NOW), 1);
    }

    #[test]
    fn a_crowd_shares_one_allowance_and_memory_stays_bounded() {
        let mut newcomers = Newcomers::new(3, 100);
        let host_of = |n: u32| IpAddr::from(n.to_be_bytes());
        let admitted = (0..10_000u32)
            .filter(|n| newcomers.admit(host_of(*n), NOW).is_ok())
            .count();
        assert_eq!(admitted, 103, "each that is remembered, and three of all others");
        assert_eq!(newcomers.whole_at.len(), 100);
        // Those that are remembered keep their own.
        assert!(newcomers.admit(host_of(7), NOW).is_ok());
        // An hour later nobody is remembered any more.
        let later = NOW.plus(HOUR);
        assert!(newcomers.admit(host_of(20_000), later).is_ok());
        assert_eq!(newcomers.whole_at.len(), 1);
    }

    #[test]
    fn a_clock_that_steps_back_locks_nobody_out_for_long() {
        let mut newcomers = Newcomers::new(6, 10);
        assert_eq!(admitted(&mut newcomers, "192.0.2.1", NOW), 6);
        let back = NOW.minus(Span::from_secs(1_000_000));
        let refused = newcomers.admit(ip("192.0.2.1"), back).unwrap_err();
        assert_eq!(refused.try_again, Span::from_secs(600));
        assert!(
            newcomers
                .admit(ip("192.0.2.1"), back.plus(refused.try_again))
                .is_ok()
        );
    }

    proptest! {
        #[test]
        fn no_hour_brings_more_than_two_allowances_and_waiting_as_told_helps(
            per_hour in 1u32..200,
            steps in proptest::collection::vec(0u64..600_000, 1..400),
        ) {
            let mut newcomers = Newcomers::new(per_hour, 10);
            let (mut now, mut admitted) = (NOW, Vec::new());
            for step in steps {
                now = now.plus(Span::from_millis(step));
                match newcomers.admit(ip("192.0.2.1"), now) {
                    Ok(()) => admitted.push(now),
                    Err(TooManyNew { try_again }) => {
                        let mut patient = newcomers.clone();
                        prop_assert!(patient.admit(ip("192.0.2.1"), now.plus(try_again)).is_ok());
                        let hasty = try_again.millis() - 1;
                        prop_assert!(newcomers.admit(ip("192.0.2.1"), now.plus(Span::from_millis(hasty))).is_err());
                        now = now.plus(Span::from_millis(hasty));
                    }
                }
                let within = admitted.iter().filter(|at| now.since(**at) <= HOUR).count();
                prop_assert!(within <= 2 * per_hour as usize);
            }
        }
    }
}
