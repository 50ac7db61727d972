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

/// The allowances of all client addresses. Bounded.
#[derive(Clone, Debug)]
pub struct Newcomers {
    /// The time in which an allowance grows by one.
    cost: Span,
    /// By [`host`]: when the allowance is whole again.
    whole_at: BTreeMap<IpAddr, Timestamp>,
    hosts_max: usize,
    /// The one allowance of all those who can not be remembered one by one.
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
    /// addresses. If more than that come within an hour, the others share one allowance.
    pub fn new(per_hour: u32, hosts_max: usize) -> Self {
        Self {
            cost: Span::from_millis((HOUR.millis() / u64::from(per_hour.max(1))).max(1)),
            whole_at: BTreeMap::new(),
            hosts_max,
            crowd_whole_at: Timestamp::EPOCH,
        }
    }

    /// Takes one from the allowance of this client address.
    ///
    /// # Errors
    /// If there is none left at present.
    pub fn admit(&mut self, from: IpAddr, now: Timestamp) -> Result<(), TooManyNew> {
        let host = host(from);
        if self.whole_at.len() >= self.hosts_max && !self.whole_at.contains_key(&host) {
            self.whole_at.retain(|_, whole_at| *whole_at > now);
        }
        let whole_at = if self.whole_at.len() < self.hosts_max || self.whole_at.contains_key(&host) {
            self.whole_at.entry(host).or_insert(now)
        } else {
            &mut self.crowd_whole_at
        };
        // A clock that was ahead must not lock anybody out for as long as it was.
        let used = whole_at.since(now).min(HOUR);
        let used_then = used.millis() + self.cost.millis();
        if used_then > HOUR.millis() {
            *whole_at = now.plus(used);
            let try_again = Span::from_millis(used_then - HOUR.millis());
            return Err(TooManyNew { try_again });
        }
        *whole_at = now.plus(Span::from_millis(used_then));
        Ok(())
    }

    /// Gives back what was taken for an identity that could not be stored.
    pub fn give_back(&mut self, from: IpAddr) {
        if let Some(whole_at) = self.whole_at.get_mut(&host(from)) {
            *whole_at = whole_at.minus(self.cost);
        }
    }
}

/// What one machine can have as many of as it likes counts as one: an IPv4 address, however it is written, or an
/// IPv6 network of 64 bits.
pub fn host(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & u128::MAX << 64)),
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
