//! Who may connect, and as whom: connection caps, bans and the extranonces of open sessions.
//!
//! A connection holds its place by keeping parts of a shared count alive; whatever way it ends, dropping them
//! gives the place back, without a message that could get lost.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use dwarves_domain::network::{host, subnet};
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::work::{ExtraNonce1, FrontEnd, SessionSeat};

use super::penalties::{Offenders, Signs};

/// Entries of a table, from which on those of closed connections are thrown out now and then.
const TABLE_SLACK: usize = 1_024;

/// How many connections there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionCaps {
    /// Connections in all.
    pub total: usize,
    /// From one address (IPv4), or one network of 64 bits (IPv6).
    pub per_address: usize,
    /// From one network of 24 bits (IPv4) or 48 bits (IPv6).
    pub per_subnet: usize,
    /// For how long a worker is kept out that was put out twice within this time.
    pub ban: Span,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSeat {
    /// The pool has as many connections as it may.
    Total,
    /// The address or its network has.
    Address,
    /// The address is kept out for a while.
    Banned,
}

/// One of a number of places.
pub type Place = Arc<()>;

/// The places that an address takes.
#[derive(Debug)]
pub struct AddressSeat {
    _address: Place,
    _subnet: Place,
    signs: Arc<Signs>,
}

impl AddressSeat {
    /// Where honest work behind the address is noted.
    pub fn signs(&self) -> &Signs {
        &self.signs
    }
}

/// A session's extranonce, which no other open session has.
#[derive(Debug)]
pub struct Lease {
    seat: SessionSeat,
    is_over: AtomicBool,
}

impl Lease {
    /// The session's extranonce and how it was given.
    pub fn seat(&self) -> SessionSeat {
        self.seat
    }

    /// Whether another connection took the session over.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

/// What is known of open connections.
#[derive(Debug)]
pub struct ConnectionLimiter {
    caps: ConnectionCaps,
    total: Place,
    addresses: HashMap<IpAddr, Weak<()>>,
    subnets: HashMap<IpAddr, Weak<()>>,
    leases: HashMap<ExtraNonce1, Weak<Lease>>,
    /// Who is kept out.
    offenders: Offenders,
    front_end: FrontEnd,
    life: u32,
    /// ConnectionLimiter that were given out or passed over in this life.
    numbered: u64,
}

impl ConnectionLimiter {
    /// No connection yet, of this front end in this life of the pool.
    pub fn new(caps: ConnectionCaps, front_end: FrontEnd, life: u32) -> Self {
        Self {
            caps,
            total: Place::default(),
            addresses: HashMap::new(),
            subnets: HashMap::new(),
            leases: HashMap::new(),
            offenders: Offenders::new(caps.ban),
            front_end,
            life,
            numbered: 0,
        }
    }

    /// How many connections there may be.
    pub fn caps(&self) -> ConnectionCaps {
        self.caps
    }

    /// A place among all.
    ///
    /// # Errors
    /// If there are as many connections as there may be.
    pub fn take(&self) -> Result<Place, NoSeat> {
        // One of the counts is our own.
        if Arc::strong_count(&self.total) > self.caps.total {
            return Err(NoSeat::Total);
        }
        Ok(Arc::clone(&self.total))
    }

    /// The places of this address.
    ///
    /// # Errors
    /// If it or its network has as many as it may, or it is banned.
    pub fn take_for(&mut self, ip: IpAddr, now: Timestamp) -> Result<AddressSeat, NoSeat> {
        if self.offenders.is_address_kept_out(ip, now) {
            return Err(NoSeat::Banned);
        }
        let address = place_in(&mut self.addresses, host(ip), self.caps.per_address)?;
        let subnet = place_in(&mut self.subnets, subnet(ip), self.caps.per_subnet)?;
        Ok(AddressSeat {
            _address: address,
            _subnet: subnet,
            signs: self.offenders.signs_of(ip, now),
        })
    }

    /// The extranonce of a new session. No open session has it, and none that may still come back on a live
    /// template had it: before it is given again, millions of others are.
    pub fn lease(&mut self) -> Arc<Lease> {
        loop {
            let seat = SessionSeat::numbered(self.front_end, self.life, self.numbered);
            self.numbered += 1;
            // Far fewer sessions can be open than there are slots, so this ends soon.
            if self.open(seat.extranonce1).is_none() {
                return self.lease_out(seat);
            }
        }
    }

    /// The seat of an earlier session, for one that goes on as it. Should it be open still (a line that broke
    /// without a word), it is over. `None` if its extranonce is another session's by now, or another front end's.
    pub fn resume(&mut self, seat: SessionSeat) -> Option<Arc<Lease>> {
        if seat.extranonce1.front_end() != self.front_end {
            return None;
        }
        if let Some(open) = self.open(seat.extranonce1) {
            if open.seat != seat {
                return None;
            }
            open.is_over.store(true, Ordering::Relaxed);
        }
        Some(self.lease_out(seat))
    }

    /// The open session that has this extranonce.
    fn open(&self, extranonce1: ExtraNonce1) -> Option<Arc<Lease>> {
        self.leases.get(&extranonce1).and_then(Weak::upgrade)
    }

    fn lease_out(&mut self, seat: SessionSeat) -> Arc<Lease> {
        if self.leases.len() > 2 * self.caps.total + TABLE_SLACK {
            self.leases.retain(|_, lease| lease.strong_count() > 0);
        }
        let lease = Arc::new(Lease {
            seat,
            is_over: AtomicBool::new(false),
        });
        self.leases.insert(seat.extranonce1, Arc::downgrade(&lease));
        lease
    }

    /// Who is kept out, and for how long.
    pub fn offenders(&mut self) -> &mut Offenders {
        &mut self.offenders
    }

    /// Connections that are open now.
    pub fn connections(&self) -> u64 {
        Arc::strong_count(&self.total).saturating_sub(1) as u64
    }
}

/// One more place under this key, if there are fewer than `cap`.
fn place_in(table: &mut HashMap<IpAddr, Weak<()>>, key: IpAddr, cap: usize) -> Result<Place, NoSeat> {
    if table.len() > TABLE_SLACK && table.len() == table.capacity() {
        table.retain(|_, place| place.strong_count() > 0);
    }
    let taken = table.get(&key).map_or(0, Weak::strong_count);
    if taken >= cap {
        return Err(NoSeat::Address);
    }
    if let Some(place) = table.get(&key).and_then(Weak::upgrade) {
        return Ok(place);
    }
    let place = Place::default();
    table.insert(key, Arc::downgrade(&place));
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn seats() -> ConnectionLimiter {
        ConnectionLimiter::new(
            ConnectionCaps {
                total: 3,
                per_address: 2,
                per_subnet: 3,
                ban: Span::from_secs(60),
            },
            FrontEnd::default(),
            1,
        )
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn places_are_counted_and_given_back_when_dropped() {
        let seats = seats();
        let mut taken: Vec<_> = (0..3).map(|_| seats.take().unwrap()).collect();
        assert_eq!(seats.take().unwrap_err(), NoSeat::Total);
        taken.pop();
        assert!(seats.take().is_ok());
    }

    #[test]
    fn an_address_and_its_network_have_their_own_caps() {
        let mut seats = seats();
        let first = seats.take_for(ip("192.0.2.1"), NOW).unwrap();
        let _second = seats.take_for(ip("::ffff:192.0.2.1"), NOW).unwrap();
        assert_eq!(seats.take_for(ip("192.0.2.1"), NOW).unwrap_err(), NoSeat::Address);
        let _third = seats.take_for(ip("192.0.2.2"), NOW).unwrap();
        assert_eq!(seats.take_for(ip("192.0.2.3"), NOW).unwrap_err(), NoSeat::Address);
        assert!(seats.take_for(ip("192.0.3.3"), NOW).is_ok());
        drop(first);
        assert!(seats.take_for(ip("192.0.2.3"), NOW).is_ok());
        // A machine with a network of its own cannot take more places by changing its address.
        let _six = [1, 2].map(|n| seats.take_for(ip(&format!("2001:db8::{n}")), NOW).unwrap());
        assert!(seats.take_for(ip("2001:db8::3"), NOW).is_err());
    }

    fn slots_from_here(seats: &ConnectionLimiter) -> u64 {
        u64::from(ExtraNonce1::SLOTS) - seats.numbered
    }

    #[test]
    fn open_sessions_never_share_an_extranonce_across_wraps_and_lives() {
        let mut seats = seats();
        let kept = seats.lease();
        // Everything but a few was given out and came back.
        seats.numbered += slots_from_here(&seats) - 3;
        let leases: Vec<_> = (0..100).map(|_| seats.lease()).collect();
        let all: HashSet<_> = leases
            .iter()
            .chain([&kept])
            .map(|lease| lease.seat().extranonce1)
            .collect();
        assert_eq!(all.len(), 101);
        let mut next_life = ConnectionLimiter::new(seats.caps, FrontEnd::default(), 2);
        assert!((0..100).all(|_| !all.contains(&next_life.lease().seat().extranonce1)));
    }

    #[test]
    fn a_session_that_is_resumed_ends_the_one_that_was_open() {
        let mut seats = seats();
        let old = seats.lease();
        let new = seats.resume(old.seat()).unwrap();
        assert_eq!(new.seat(), old.seat());
        assert!(old.is_over() && !new.is_over());
        drop((old, new));
        let seat = seats.lease().seat();
        assert!(seats.resume(seat).is_some(), "it was free");
    }

    /// Every state of a seat and everybody who may show the id of one.
    #[test]
    fn an_old_id_never_ends_a_session_that_is_not_its_own() {
        let mut seats = seats();
        let first = seats.lease();
        let old = first.seat();
        drop(first);
        // All slots once round: the same extranonce is a stranger's now.
        seats.numbered += slots_from_here(&seats);
        let stranger = seats.lease();
        assert_eq!(stranger.seat().extranonce1, old.extranonce1);
        assert!(seats.resume(old).is_none());
        assert!(!stranger.is_over());
        // Nor does an id of another life's, or of another front end.
        let of_another_life = SessionSeat {
            turn: old.turn ^ 1 << 31,
            ..old
        };
        let elsewhere = SessionSeat::numbered(FrontEnd::new(1).unwrap(), 1, 0);
        assert!(seats.resume(of_another_life).is_none() && seats.resume(elsewhere).is_none());
        assert!(!stranger.is_over());
        // Once the stranger is gone, who comes back first goes on, and the other begins anew.
        let stranger_seat = stranger.seat();
        drop(stranger);
        let back = seats.resume(old).unwrap();
        assert!(seats.resume(stranger_seat).is_none() && !back.is_over());
    }

    #[test]
    fn an_address_that_is_kept_out_gets_no_place() {
        let mut seats = seats();
        let bad = ip("192.0.2.9");
        for _ in 0..8 {
            assert!(seats.take_for(bad, NOW).is_ok());
            seats.offenders().on_put_out(bad, None, NOW);
        }
        assert_eq!(seats.take_for(bad, NOW).unwrap_err(), NoSeat::Banned);
        assert!(seats.take_for(ip("192.0.2.10"), NOW).is_ok());
        assert!(seats.take_for(bad, NOW.plus(Span::from_secs(60))).is_ok());
    }
}
