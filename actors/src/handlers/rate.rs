//! How many signed requests there may be in a second: in all, and of each client.

use std::net::IpAddr;

use dwarves_domain::limits::{KeyedLimiter, Rate, TokenBucket};
use dwarves_domain::time::Timestamp;

use dwarves_domain::source::Source;

/// Clients, and signers, whose allowances are remembered. About 100 bytes each.
const REMEMBERED_MAX: usize = 65_536;

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
pub(crate) enum Payer {
    /// The client.
    Client,
    /// A signer who was right before, at this client.
    Signer,
}

/// A rate limit in all, of which each client has a share: none of them can use up what the others need. Signers who were
/// right before have allowances beside their client's, together as much again, so that junk from the same address does
/// not keep them out.
#[derive(Debug)]
pub(crate) struct FairRate {
    all: TokenBucket,
    per_client: Rate,
    clients: KeyedLimiter<IpAddr>,
    per_signer: Rate,
    signers: KeyedLimiter<Source>,
    signers_of: KeyedLimiter<IpAddr>,
}

impl FairRate {
    /// Full allowances.
    pub(crate) fn new(rate: SharedRate) -> Self {
        Self::remembering(rate, REMEMBERED_MAX)
    }

    fn remembering(rate: SharedRate, keys_max: usize) -> Self {
        let per_client = Rate::per_sec(rate.per_client);
        // Who cannot be remembered as a signer is a client as any other.
        let no_crowd = Rate::per_sec(0);
        Self {
            all: TokenBucket::full(Rate::per_sec(rate.total)),
            per_client,
            clients: KeyedLimiter::new(keys_max, per_client),
            per_signer: Rate::per_sec(rate.per_client.div_ceil(PROVEN_PART)),
            signers: KeyedLimiter::new(keys_max, no_crowd),
            signers_of: KeyedLimiter::new(keys_max, no_crowd),
        }
    }

    /// Takes one more, if there is one for this source now: from its own allowance and from that of all.
    pub(crate) fn take(&mut self, source: Source, now: Timestamp) -> Option<Payer> {
        let client = source.client();
        // Its own first: who has used that up takes nothing from the others.
        let is_signers = self.signers.take_if_known(&source, now)
            && self.signers_of.take(client, self.per_client, now).is_ok();
        let payer = if is_signers {
            Payer::Signer
        } else {
            self.clients.take(client, self.per_client, now).ok()?;
            Payer::Client
        };
        self.all.take(now).ok()?;
        Some(payer)
    }

    /// Notes that this source was right: from now on it has an allowance of its own.
    pub(crate) fn prove(&mut self, source: Source, now: Timestamp) {
        if !self.signers.remember(source, self.per_signer, now) {
            // Rare, and cheap to make good: who signs on is known again.
            self.signers.clear();
            self.signers.remember(source, self.per_signer, now);
        }
    }

    /// Makes this source alone pay for this many more, as it paid for the first.
    pub(crate) fn charge(&mut self, source: Source, payer: Payer, more: u32, now: Timestamp) {
        match payer {
            Payer::Client => self.clients.charge(source.client(), self.per_client, more, now),
            Payer::Signer => self.signers.charge(source, self.per_signer, more, now),
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
        FairRate::new(SharedRate { total, per_client })
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
        assert_eq!(rate.take(ip(1), Timestamp::EPOCH), Some(Payer::Client));
        (0..1_000).for_each(|_| rate.charge(ip(1), Payer::Client, 9, Timestamp::EPOCH));
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
        let (total, per_client) = (1_000, 4);
        let mut rate = FairRate::remembering(SharedRate { total, per_client }, 2);
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
        assert_eq!(rate.take(honest, now), Some(Payer::Client));
        rate.prove(honest, now);
        while let Some(payer) = rate.take(junk, now) {
            rate.charge(junk, payer, 9, now);
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
