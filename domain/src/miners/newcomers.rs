//! How many new identities one place may bring: a name that costs nothing would else fill the registry.
//!
//! A payout address is a miner's whole registration, and anybody can make up as many as they like. So each client
//! address has an allowance of new identities, an hour's worth of which can be saved up.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::limits::{Empty, KeyedLimiter, Rate};
use crate::network::neighbourhoods;
use crate::time::{Span, Timestamp};

/// The allowances of all client addresses, and of the networks that they are part of. Bounded.
#[derive(Clone, Debug)]
pub struct Newcomers {
    rate: Rate,
    allowances: KeyedLimiter<IpNet>,
}

/// The allowance is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyNew {
    /// After which time there is one more.
    pub try_again: Span,
}

impl Newcomers {
    /// Whole allowances of `per_hour` new identities (at least one), remembered for at most `networks_max` client
    /// addresses and networks. If more than that come within an hour, the others share one allowance.
    pub fn new(per_hour: u32, networks_max: usize) -> Self {
        let rate = Rate::per_hour(per_hour.max(1));
        Self {
            rate,
            allowances: KeyedLimiter::new(networks_max, rate),
        }
    }

    /// Takes one from the allowance of this client address, and of the networks that it is part of.
    ///
    /// # Errors
    /// If one of them has none left now.
    pub fn admit(&mut self, from: IpAddr, now: Timestamp) -> Result<(), TooManyNew> {
        let networks = neighbourhoods(from).map(|(network, times)| (network, self.rate.times(times)));
        let networks: Vec<_> = networks.collect();
        let taken = self.allowances.take_each(&networks, now);
        taken.map_err(|Empty { try_again }| TooManyNew { try_again })
    }

    /// Gives back what was taken for an identity that could not be stored.
    pub fn give_back(&mut self, from: IpAddr) {
        for (network, _) in neighbourhoods(from) {
            self.allowances.give_back(&network);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

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
        assert_eq!(newcomers.allowances.len(), 100);
        // Those that are remembered keep their own.
        assert!(newcomers.admit(host_of(7), NOW).is_ok());
        // An hour later nobody is remembered any more.
        let later = NOW.plus(Span::from_secs(3_600));
        assert!(newcomers.admit(host_of(20_000), later).is_ok());
        assert_eq!(newcomers.allowances.len(), 1);
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
}
