//! A rate limit: so many in a second, with one second's worth saved up; and one that clients share.

use std::collections::HashMap;
use std::net::IpAddr;

use dwarves_domain::miners::newcomers::host;
use dwarves_domain::time::Timestamp;

/// Clients whose allowance is not whole and is remembered. About 50 bytes each.
const CLIENTS_MAX: usize = 65_536;

/// An allowance that refills with time.
#[derive(Clone, Copy, Debug)]
struct RateLimit {
    per_sec: i64,
    /// Thousandths of one. Below zero it is a debt.
    allowance: i64,
    refilled_at: Timestamp,
}

impl RateLimit {
    /// A full allowance of `per_sec` in a second.
    fn new(per_sec: u32, now: Timestamp) -> Self {
        let per_sec = i64::from(per_sec);
        Self {
            per_sec,
            allowance: per_sec * 1_000,
            refilled_at: now,
        }
    }

    fn refill(&mut self, now: Timestamp) {
        let passed = i64::try_from(now.since(self.refilled_at).millis()).unwrap_or(i64::MAX);
        let refill = passed.saturating_mul(self.per_sec);
        self.allowance = self.allowance.saturating_add(refill).min(self.per_sec * 1_000);
        self.refilled_at = now;
    }

    /// Whether one more is allowed now; if so it is taken.
    fn allows(&mut self, now: Timestamp) -> bool {
        self.refill(now);
        if self.allowance < 1_000 {
            return false;
        }
        self.allowance -= 1_000;
        true
    }

    /// Takes so many more, as a debt if need be: at most a second's worth.
    fn charge(&mut self, more: u32) {
        let after = self.allowance.saturating_sub(i64::from(more) * 1_000);
        self.allowance = after.max(-self.per_sec * 1_000);
    }

    fn is_whole(&mut self, now: Timestamp) -> bool {
        self.refill(now);
        self.allowance >= self.per_sec * 1_000
    }
}

/// How many there may be in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedRate {
    /// In all.
    pub total: u32,
    /// Of one client.
    pub per_client: u32,
}

/// A rate limit in all, of which each client has a share: none of them can use up what the others need.
#[derive(Debug)]
pub(crate) struct FairRate {
    rate: SharedRate,
    all: RateLimit,
    clients: HashMap<IpAddr, RateLimit>,
    /// The one allowance of all those who can not be remembered one by one.
    crowd: RateLimit,
    clients_max: usize,
}

impl FairRate {
    /// Full allowances.
    pub(crate) fn new(rate: SharedRate, now: Timestamp) -> Self {
        Self {
            rate,
            all: RateLimit::new(rate.total, now),
            clients: HashMap::new(),
            crowd: RateLimit::new(rate.per_client, now),
            clients_max: CLIENTS_MAX,
        }
    }

    fn own(&mut self, client: IpAddr, now: Timestamp) -> &mut RateLimit {
        let client = host(client);
        if self.clients.len() >= self.clients_max && !self.clients.contains_key(&client) {
            // A whole allowance is as good as none that is remembered.
            self.clients.retain(|_, own| !own.is_whole(now));
            if self.clients.len() >= self.clients_max {
                return &mut self.crowd;
            }
        }
        let per_client = self.rate.per_client;
        self.clients
            .entry(client)
            .or_insert_with(|| RateLimit::new(per_client, now))
    }

    /// Whether this client may have one more now; if so it is taken from its own allowance and from that of all.
    pub(crate) fn allows(&mut self, client: IpAddr, now: Timestamp) -> bool {
        // Its own first: who has used that up takes nothing from the others.
        self.own(client, now).allows(now) && self.all.allows(now)
    }

    /// Makes this client alone pay for so many more.
    pub(crate) fn charge(&mut self, client: IpAddr, more: u32, now: Timestamp) {
        self.own(client, now).charge(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    fn allowed(rate: &mut FairRate, client: u8, millis: i64) -> usize {
        let at = Timestamp::from_millis(millis);
        (0..100).filter(|_| rate.allows(ip(client), at)).count()
    }

    fn rate(total: u32, per_client: u32) -> FairRate {
        FairRate::new(SharedRate { total, per_client }, Timestamp::EPOCH)
    }

    #[test]
    fn a_burst_is_bounded_and_time_refills_it() {
        let mut rate = rate(10, 10);
        assert_eq!(allowed(&mut rate, 1, 0), 10);
        assert_eq!(allowed(&mut rate, 1, 500), 5);
        assert_eq!(allowed(&mut rate, 1, 3_600_000), 10);
        // A clock that steps back refills nothing and breaks nothing.
        assert_eq!(allowed(&mut rate, 1, 0), 0);
    }

    #[test]
    fn a_client_has_its_share_whatever_another_uses_up() {
        let mut rate = rate(40, 10);
        assert_eq!(allowed(&mut rate, 1, 0), 10);
        assert_eq!(allowed(&mut rate, 1, 0), 0);
        assert_eq!(
            [2, 3, 4, 5].map(|client| allowed(&mut rate, client, 0)),
            [10, 10, 10, 0]
        );
    }

    #[test]
    fn what_a_client_is_charged_is_its_own_debt_and_is_paid_off() {
        let mut rate = rate(40, 10);
        assert!(rate.allows(ip(1), Timestamp::EPOCH));
        (0..1_000).for_each(|_| rate.charge(ip(1), 9, Timestamp::EPOCH));
        assert_eq!(allowed(&mut rate, 1, 900), 0);
        assert_eq!(
            allowed(&mut rate, 1, 1_500),
            5,
            "a second's worth of debt at most"
        );
        assert_eq!(allowed(&mut rate, 2, 1_500), 10);
    }

    #[test]
    fn more_clients_than_can_be_remembered_share_one_allowance() {
        let mut rate = rate(1_000, 4);
        rate.clients_max = 2;
        assert_eq!([1, 2].map(|client| allowed(&mut rate, client, 0)), [4, 4]);
        assert_eq!([3, 4].map(|client| allowed(&mut rate, client, 0)), [4, 0]);
        assert_eq!(allowed(&mut rate, 4, 10_000), 4, "who came long ago is forgotten");
        assert_eq!(rate.clients.len(), 1);
    }
}
