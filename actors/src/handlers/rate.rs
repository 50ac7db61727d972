//! A rate limit: this many in a second, with one second's worth saved up; and one that clients share.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;

use dwarves_domain::time::Timestamp;

use dwarves_domain::source::Source;

/// Clients, and signers, whose allowances are remembered. About 100 bytes each.
const REMEMBERED_MAX: usize = 65_536;

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

    /// Takes this many more, as a debt if need be: at most a second's worth.
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
    /// How many of all clients together.
    pub total: u32,
    /// Of one client.
    pub per_client: u32,
}

/// Of a client's rate, the part that each signer has who was right before.
const PROVEN_PART: u32 = 10;

/// Whose allowance something was taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purse {
    /// That of the client.
    Clients,
    /// That of a signer who was right before, at this client.
    Signers,
}

/// A rate limit in all, of which each client has a share: none of them can use up what the others need. Signers who were
/// right before have allowances beside their client's, together as much again, so that junk from the same address does
/// not keep them out.
#[derive(Debug)]
pub(crate) struct FairRate {
    rate: SharedRate,
    all: RateLimit,
    clients: HashMap<IpAddr, RateLimit>,
    signers: HashMap<Source, RateLimit>,
    signers_of: HashMap<IpAddr, RateLimit>,
    /// The one allowance of all those who cannot be remembered one by one.
    crowd: RateLimit,
    remembered_max: usize,
}

/// The allowance under this key, if there is room to remember it.
fn of<K: Eq + Hash>(
    table: &mut HashMap<K, RateLimit>,
    key: K,
    per_sec: u32,
    max: usize,
    now: Timestamp,
) -> Option<&mut RateLimit> {
    if table.len() >= max && !table.contains_key(&key) {
        // A whole allowance is as good as none that is remembered.
        table.retain(|_, own| !own.is_whole(now));
        if table.len() >= max {
            return None;
        }
    }
    Some(table.entry(key).or_insert_with(|| RateLimit::new(per_sec, now)))
}

impl FairRate {
    /// Full allowances.
    pub(crate) fn new(rate: SharedRate, now: Timestamp) -> Self {
        Self {
            rate,
            all: RateLimit::new(rate.total, now),
            clients: HashMap::new(),
            signers: HashMap::new(),
            signers_of: HashMap::new(),
            crowd: RateLimit::new(rate.per_client, now),
            remembered_max: REMEMBERED_MAX,
        }
    }

    fn clients(&mut self, client: IpAddr, now: Timestamp) -> &mut RateLimit {
        let (per_sec, max) = (self.rate.per_client, self.remembered_max);
        of(&mut self.clients, client, per_sec, max, now).unwrap_or(&mut self.crowd)
    }

    /// Takes one more, if there is one for this source now: from its own allowance and from that of all.
    pub(crate) fn take(&mut self, source: Source, now: Timestamp) -> Option<Purse> {
        let client = source.client();
        // Its own first: who has used that up takes nothing from the others.
        let is_known = self.signers.get_mut(&source).is_some_and(|own| own.allows(now));
        let purse = if is_known
            && of(
                &mut self.signers_of,
                client,
                self.rate.per_client,
                self.remembered_max,
                now,
            )
            .is_some_and(|own| own.allows(now))
        {
            Purse::Signers
        } else if self.clients(client, now).allows(now) {
            Purse::Clients
        } else {
            return None;
        };
        self.all.allows(now).then_some(purse)
    }

    /// Notes that this source was right: from now on it has an allowance of its own.
    pub(crate) fn prove(&mut self, source: Source, now: Timestamp) {
        let per_sec = self.rate.per_client.div_ceil(PROVEN_PART);
        if !self.signers.contains_key(&source) && self.signers.len() >= self.remembered_max {
            // Rare, and cheap to make good: who signs on is known again.
            self.signers.clear();
        }
        of(&mut self.signers, source, per_sec, self.remembered_max, now);
    }

    /// Makes this source alone pay for this many more, from the purse that the first was taken from.
    pub(crate) fn charge(&mut self, source: Source, purse: Purse, more: u32, now: Timestamp) {
        match purse {
            Purse::Clients => self.clients(source.client(), now).charge(more),
            Purse::Signers => {
                if let Some(own) = self.signers.get_mut(&source) {
                    own.charge(more);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use dwarves_domain::hotkey::Hotkey;

    use super::*;

    fn of_miner(client: u8, miner: u8) -> Source {
        Source::new(IpAddr::from([192, 0, 2, client]), Hotkey::from_bytes([miner; 32]))
    }

    fn ip(client: u8) -> Source {
        of_miner(client, 1)
    }

    fn allowed(rate: &mut FairRate, client: u8, millis: i64) -> usize {
        let at = Timestamp::from_millis(millis);
        (0..100).filter(|_| rate.take(ip(client), at).is_some()).count()
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
        assert_eq!(rate.take(ip(1), Timestamp::EPOCH), Some(Purse::Clients));
        (0..1_000).for_each(|_| rate.charge(ip(1), Purse::Clients, 9, Timestamp::EPOCH));
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
        rate.remembered_max = 2;
        assert_eq!([1, 2].map(|client| allowed(&mut rate, client, 0)), [4, 4]);
        assert_eq!([3, 4].map(|client| allowed(&mut rate, client, 0)), [4, 0]);
        assert_eq!(allowed(&mut rate, 4, 10_000), 4, "who came long ago is forgotten");
        assert_eq!(rate.clients.len(), 1);
    }

    #[test]
    fn who_was_right_before_is_heard_through_junk_from_the_same_client_and_no_further() {
        let mut rate = rate(200, 40);
        let now = Timestamp::EPOCH;
        let (honest, junk) = (of_miner(1, 1), of_miner(1, 2));
        assert_eq!(rate.take(honest, now), Some(Purse::Clients));
        rate.prove(honest, now);
        while let Some(purse) = rate.take(junk, now) {
            rate.charge(junk, purse, 9, now);
        }
        let heard = (0..100).filter(|_| rate.take(honest, now).is_some()).count();
        assert_eq!(heard, 4, "a tenth of the client's share");
        // However many keys it makes up, a client has its share twice at most.
        for miner in 0..200 {
            rate.prove(of_miner(1, miner), now);
        }
        let all = (0..200)
            .flat_map(|miner| [miner; 9])
            .filter(|miner| rate.take(of_miner(1, *miner), now).is_some());
        assert!(all.count() <= 36);
    }
}
