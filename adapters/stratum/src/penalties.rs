//! Who is kept out, and for how long: the worker whose shares are refused again and again, and only if there is nobody
//! honest behind its address the address itself. Pure: the gate owns it and tells it the time.
//!
//! A farm shares one address. One broken rig must not keep the others out, not even when all of them come back at once
//! after their line was down. So a worker is kept out by name, and an address only when many names misbehaved there
//! and no session of it had a share accepted lately.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use dwarves_actors::gate::KeptOut;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerName;
use dwarves_domain::network::host;
use dwarves_domain::time::{Span, Timestamp};

/// Workers, and addresses, whose misbehaviour is remembered. With more at once the connection caps must do.
const OFFENDERS_MAX: usize = 10_000;
/// Addresses whose last accepted share is remembered beyond their sessions.
const SIGNS_MAX: usize = 100_000;
/// Different offenders behind one address, from which on the address itself is looked at.
const OFFENDERS_OF_ADDRESS_MAX: usize = 8;

/// A worker behind an address.
pub type WorkerAt = (IpAddr, Hotkey, WorkerName);

/// The workers that are kept out, each until when.
pub type KeptOutWorkers = BTreeMap<WorkerAt, Timestamp>;

/// The last sign of honest work behind an address, shared by its sessions.
#[derive(Debug)]
pub struct Signs(AtomicI64);

impl Signs {
    fn none() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(i64::MIN)))
    }

    /// A worker in good standing had a share accepted.
    pub fn note(&self, now: Timestamp) {
        self.0.store(now.millis(), Ordering::Relaxed);
    }

    fn is_honest(&self, now: Timestamp, within: Span) -> bool {
        let last = self.0.load(Ordering::Relaxed);
        last != i64::MIN && now.since(Timestamp::from_millis(last)) < within
    }
}

#[derive(Clone, Copy, Debug)]
struct Offence {
    put_out_at: Timestamp,
    times: u32,
    until: Option<Timestamp>,
}

#[derive(Clone, Debug, Default)]
struct AddressOffences {
    /// When each new offender was put out.
    offenders: Vec<Timestamp>,
    times: u32,
    until: Option<Timestamp>,
}

/// All who misbehaved lately.
#[derive(Debug)]
pub struct Offenders {
    keep_out: Span,
    workers: HashMap<WorkerAt, Offence>,
    addresses: HashMap<IpAddr, AddressOffences>,
    signs: HashMap<IpAddr, Arc<Signs>>,
}

impl Offenders {
    /// Nobody yet. Who is put out twice within `keep_out` is kept out for as long.
    pub fn new(keep_out: Span) -> Self {
        Self {
            keep_out,
            workers: HashMap::new(),
            addresses: HashMap::new(),
            signs: HashMap::new(),
        }
    }

    /// Where the sessions of this address note their honest work.
    pub fn signs_of(&mut self, ip: IpAddr, now: Timestamp) -> Arc<Signs> {
        let ip = host(ip);
        if let Some(signs) = self.signs.get(&ip) {
            return Arc::clone(signs);
        }
        if self.signs.len() == self.signs.capacity() || self.signs.len() >= SIGNS_MAX {
            let keep_out = self.keep_out;
            self.signs
                .retain(|_, signs| Arc::strong_count(signs) > 1 || signs.is_honest(now, keep_out));
        }
        let signs = Signs::none();
        if self.signs.len() < SIGNS_MAX {
            self.signs.insert(ip, Arc::clone(&signs));
        }
        signs
    }

    /// Whether everybody behind this address is kept out.
    pub fn is_address_kept_out(&self, ip: IpAddr, now: Timestamp) -> bool {
        let offences = self.addresses.get(&host(ip));
        offences
            .and_then(|offences| offences.until)
            .is_some_and(|until| now < until)
    }

    /// A session behind this address was put out, or a worker in one; `worker` is whose shares were refused, if there
    /// were shares. Gives those who are kept out from now on.
    pub fn on_put_out(
        &mut self,
        ip: IpAddr,
        worker: Option<(Hotkey, WorkerName)>,
        now: Timestamp,
    ) -> Vec<KeptOut> {
        let (ip, keep_out) = (host(ip), self.keep_out);
        let mut kept_out = Vec::new();
        let mut is_new = true;
        if let Some((hotkey, name)) = worker {
            let key = (ip, hotkey, name);
            let before = self.workers.get(&key).copied();
            let before = before.filter(|offence| now.since(offence.put_out_at) < keep_out);
            is_new = before.is_none();
            if before.is_some() || self.workers.len() < OFFENDERS_MAX {
                let offence = Offence {
                    put_out_at: now,
                    times: before.map_or(1, |offence| offence.times.saturating_add(1)),
                    until: before.map(|_| now.plus(keep_out)),
                };
                kept_out.extend(of_worker(&key, &offence));
                self.workers.insert(key, offence);
            }
        }
        kept_out.extend(self.note_at_address(ip, is_new, now));
        kept_out
    }

    fn note_at_address(&mut self, ip: IpAddr, is_new: bool, now: Timestamp) -> Option<KeptOut> {
        if self.addresses.len() >= OFFENDERS_MAX && !self.addresses.contains_key(&ip) {
            return None;
        }
        let keep_out = self.keep_out;
        let signs = self.signs.get(&ip);
        let is_honest = signs.is_some_and(|signs| signs.is_honest(now, keep_out));
        let offences = self.addresses.entry(ip).or_default();
        offences.times = offences.times.saturating_add(1);
        offences.offenders.retain(|at| now.since(*at) < keep_out);
        if is_new && offences.offenders.len() < OFFENDERS_OF_ADDRESS_MAX {
            offences.offenders.push(now);
        }
        if offences.offenders.len() < OFFENDERS_OF_ADDRESS_MAX || is_honest {
            return None;
        }
        offences.until = Some(now.plus(keep_out));
        of_address(ip, offences)
    }

    /// The workers that are kept out.
    pub fn workers(&self) -> KeptOutWorkers {
        let until = |(key, offence): (&WorkerAt, &Offence)| Some((key.clone(), offence.until?));
        self.workers.iter().filter_map(until).collect()
    }

    /// Everybody who is kept out, addresses first.
    pub fn kept_out(&self) -> Vec<KeptOut> {
        let addresses = self
            .addresses
            .iter()
            .filter_map(|(ip, offences)| of_address(*ip, offences));
        let workers = self
            .workers
            .iter()
            .filter_map(|(key, offence)| of_worker(key, offence));
        let mut all: Vec<_> = addresses.chain(workers).collect();
        all.sort_by(|a, b| (&a.worker, a.address).cmp(&(&b.worker, b.address)));
        all
    }

    /// Forgets what is over, and gives those who are let in again.
    pub fn expire(&mut self, now: Timestamp) -> Vec<KeptOut> {
        let mut over = Vec::new();
        let keep_out = self.keep_out;
        self.workers.retain(|key, offence| {
            if offence.until.is_some_and(|until| until <= now) {
                over.extend(of_worker(key, offence));
                offence.until = None;
            }
            now.since(offence.put_out_at) < keep_out
        });
        self.addresses.retain(|ip, offences| {
            if offences.until.is_some_and(|until| until <= now) {
                over.extend(of_address(*ip, offences));
                offences.until = None;
            }
            offences.offenders.retain(|at| now.since(*at) < keep_out);
            offences.until.is_some() || !offences.offenders.is_empty()
        });
        over
    }

    /// Lets an address and the workers behind it in again, with a clean record. Gives those who were kept out.
    pub fn lift(&mut self, ip: IpAddr) -> Vec<KeptOut> {
        let ip = host(ip);
        let lifted = self.kept_out();
        let lifted = lifted.into_iter().filter(|one| one.address == ip).collect();
        self.addresses.remove(&ip);
        self.workers.retain(|(address, ..), _| *address != ip);
        lifted
    }
}

fn of_worker((address, hotkey, name): &WorkerAt, offence: &Offence) -> Option<KeptOut> {
    Some(KeptOut {
        address: *address,
        worker: Some((*hotkey, name.clone())),
        until: offence.until?,
        put_out: offence.times,
    })
}

fn of_address(address: IpAddr, offences: &AddressOffences) -> Option<KeptOut> {
    Some(KeptOut {
        address,
        worker: None,
        until: offences.until?,
        put_out: offences.times,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);
    const KEEP_OUT: Span = Span::from_secs(60);

    fn ip() -> IpAddr {
        "192.0.2.9".parse().unwrap()
    }

    fn worker(n: u8) -> Option<(Hotkey, WorkerName)> {
        Some((Hotkey::from_bytes([7; 32]), format!("rig{n}").parse().unwrap()))
    }

    fn at(secs: u64) -> Timestamp {
        NOW.plus(Span::from_secs(secs))
    }

    #[test]
    fn a_worker_that_is_put_out_twice_is_kept_out_and_its_neighbours_are_not() {
        let mut offenders = Offenders::new(KEEP_OUT);
        assert_eq!(offenders.on_put_out(ip(), worker(1), NOW), [], "once may happen");
        for secs in 1..20 {
            // However often it comes back.
            let kept_out = offenders.on_put_out(ip(), worker(1), at(secs));
            assert_eq!(kept_out.len(), 1);
            assert_eq!(
                (&kept_out[0].worker, kept_out[0].until),
                (&worker(1), at(secs + 60))
            );
        }
        assert!(!offenders.is_address_kept_out(ip(), at(20)));
        let names: Vec<_> = offenders
            .workers()
            .into_keys()
            .map(|key| key.2.to_string())
            .collect();
        assert_eq!(names, ["rig1"]);
        assert_eq!(offenders.expire(at(78)), []);
        let over = offenders.expire(at(79));
        assert_eq!((over.len(), &over[0].worker), (1, &worker(1)));
        assert!(offenders.kept_out().is_empty());
        assert_eq!(
            offenders.on_put_out(ip(), worker(1), at(200)),
            [],
            "long ago is forgotten"
        );
    }

    #[test]
    fn an_address_is_kept_out_only_if_many_misbehave_and_nobody_honest_is_there() {
        for is_honest in [false, true] {
            for unnamed in [false, true] {
                let mut offenders = Offenders::new(KEEP_OUT);
                let signs = offenders.signs_of(ip(), NOW);
                if is_honest {
                    signs.note(NOW);
                }
                // The line was down: no session is open any more.
                drop(signs);
                for n in 0..20 {
                    let who = worker(n).filter(|_| !unnamed);
                    offenders.on_put_out(ip(), who, at(u64::from(n)));
                    let is_out = offenders.is_address_kept_out(ip(), at(u64::from(n)));
                    assert_eq!(is_out, !is_honest && n >= 7, "{n} {is_honest} {unnamed}");
                }
                // What was honest long ago is no reason any more.
                for n in 0..20 {
                    offenders.on_put_out(ip(), worker(100 + n).filter(|_| !unnamed), at(100));
                }
                assert!(offenders.is_address_kept_out(ip(), at(100)));
                assert!(!offenders.is_address_kept_out("192.0.2.10".parse().unwrap(), at(100)));
            }
        }
    }

    #[test]
    fn lifting_lets_an_address_and_its_workers_in_with_a_clean_record() {
        let mut offenders = Offenders::new(KEEP_OUT);
        for n in 0..10 {
            offenders.on_put_out(ip(), worker(n), NOW);
            offenders.on_put_out(ip(), worker(n), NOW);
        }
        let other: IpAddr = "192.0.2.10".parse().unwrap();
        offenders.on_put_out(other, worker(1), NOW);
        offenders.on_put_out(other, worker(1), NOW);
        assert_eq!(offenders.lift("::ffff:192.0.2.9".parse().unwrap()).len(), 11);
        assert_eq!(offenders.lift(ip()), []);
        assert!(!offenders.is_address_kept_out(ip(), NOW));
        assert_eq!(offenders.kept_out().len(), 1, "the other address's stays");
        assert_eq!(offenders.on_put_out(ip(), worker(1), NOW), []);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut offenders = Offenders::new(KEEP_OUT);
        for n in 0..OFFENDERS_MAX as u32 + 100 {
            let address = IpAddr::V4(std::net::Ipv4Addr::from_bits(n));
            offenders.on_put_out(address, worker(1), NOW);
            let _signs = offenders.signs_of(address, NOW);
        }
        assert_eq!(offenders.workers.len(), OFFENDERS_MAX);
        assert_eq!(offenders.addresses.len(), OFFENDERS_MAX);
        assert!(
            offenders.signs.len() < OFFENDERS_MAX,
            "without work and sessions nothing stays"
        );
        offenders.expire(at(60));
        assert!(offenders.workers.is_empty() && offenders.addresses.is_empty());
    }
}
