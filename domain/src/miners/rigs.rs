//! Whose shares over HTTP are mostly wrong, and until when they are kept out. Pure: who owns it tells it the time.
//!
//! HTTP has no sessions, so a rig is known by its client's address, its miner and its worker: all three, so that the
//! honest rigs of the same miner, or behind the same address, go on.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::rejects::{Limits, Rejects, Rung};
use crate::hotkey::Hotkey;
use crate::ids::{WorkerId, WorkerName};
use crate::network::host;
use crate::time::{Span, Timestamp};

/// Rigs whose windows, or whose time outside, are remembered. About 200 bytes each. With more at once the quotas of
/// clients must do.
pub const RIGS_MAX: usize = 10_000;

/// One of a miner's machines, as well as a request tells.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rig {
    /// The request names it.
    Named(WorkerName),
    /// Its jobs name it.
    Numbered(WorkerId),
    /// Nothing names it: the job is none of this miner's.
    Unknown,
}

/// A rig and where it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RigAt {
    /// The client (IPv6: the first address of its network of 64 bits).
    pub client: IpAddr,
    /// The miner whose rig it is.
    pub miner: Hotkey,
    /// The rig, by its worker's name or number.
    pub rig: Rig,
}

#[derive(Clone, Copy, Debug)]
struct Ladder {
    rejects: Rejects,
    last: Timestamp,
}

/// The ladders of rigs that had a wrong share lately.
#[derive(Debug)]
pub struct Ladders {
    limits: Limits,
    rigs: HashMap<RigAt, Ladder>,
    /// No room was found since time last passed.
    is_full: bool,
}

impl Ladders {
    /// Nobody has a record yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            rigs: HashMap::new(),
            is_full: false,
        }
    }

    /// Notes how many of a request's shares were right and wrong. One request climbs one rung at most: its rig may have
    /// gathered shares for long, and could not know better yet. Gives whether the rig has climbed to the top and is to be
    /// kept out; then its ladder is forgotten.
    pub fn note(&mut self, rig: &RigAt, right: u16, wrong: u16, now: Timestamp) -> bool {
        // Who sends nothing wrong needs no window.
        if !self.rigs.contains_key(rig) && (wrong == 0 || !self.has_room()) {
            return false;
        }
        let ladder = self.rigs.entry(rig.clone()).or_insert(Ladder {
            rejects: Rejects::default(),
            last: now,
        });
        ladder.last = now;
        ladder.rejects.note_many(right, wrong);
        let is_over = ladder.rejects.take_rung(&self.limits) == Some(Rung::Disconnect);
        if is_over {
            self.rigs.remove(rig);
        }
        is_over
    }

    /// When it is full, those give way that had no bad window yet.
    fn has_room(&mut self) -> bool {
        if self.rigs.len() >= RIGS_MAX && !self.is_full {
            self.rigs
                .retain(|_, ladder| !ladder.rejects.is_in_good_standing());
            self.is_full = self.rigs.len() >= RIGS_MAX;
        }
        self.rigs.len() < RIGS_MAX
    }

    /// Forgets whoever sent nothing for as long as one is kept out.
    pub fn expire(&mut self, now: Timestamp) {
        let keep_out = self.limits.keep_out;
        self.rigs.retain(|_, ladder| now.since(ladder.last) < keep_out);
        self.is_full = false;
    }
}

/// The rigs that are kept out, each until when.
#[derive(Debug)]
pub struct KeptOutRigs {
    keep_out: Span,
    rigs: Arc<HashMap<RigAt, Timestamp>>,
}

impl KeptOutRigs {
    /// Nobody yet. Whoever is put out stays out for this long.
    pub fn new(keep_out: Span) -> Self {
        Self {
            keep_out,
            rigs: Arc::default(),
        }
    }

    /// All of them.
    pub fn all(&self) -> &Arc<HashMap<RigAt, Timestamp>> {
        &self.rigs
    }

    /// Keeps a rig out from now on. Gives whether it was let in before; nobody is put out beyond [`RIGS_MAX`].
    pub fn put_out(&mut self, rig: RigAt, now: Timestamp) -> bool {
        if self.rigs.len() >= RIGS_MAX && !self.rigs.contains_key(&rig) {
            return false;
        }
        let until = now.plus(self.keep_out);
        Arc::make_mut(&mut self.rigs).insert(rig, until).is_none()
    }

    /// Lets in again whose time is over, and gives them.
    pub fn expire(&mut self, now: Timestamp) -> Vec<RigAt> {
        self.let_in(|_, until| until <= now)
    }

    /// Lets everybody behind an address in again, and gives them.
    pub fn lift(&mut self, client: IpAddr) -> Vec<RigAt> {
        let client = host(client);
        self.let_in(|rig, _| rig.client == client)
    }

    fn let_in(&mut self, is_in: impl Fn(&RigAt, Timestamp) -> bool) -> Vec<RigAt> {
        let all = self.rigs.iter();
        let mut let_in: Vec<_> = all
            .filter(|(rig, until)| is_in(rig, **until))
            .map(|(rig, _)| rig.clone())
            .collect();
        let_in.sort();
        if !let_in.is_empty() {
            Arc::make_mut(&mut self.rigs).retain(|rig, until| !is_in(rig, *until));
        }
        let_in
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Sequence;
    use crate::share::Rejection;

    const NOW: Timestamp = Timestamp::from_secs(1_000);
    const LIMITS: Limits = Limits {
        window: 10,
        percent_max: 50,
        keep_out: Span::from_secs(60),
    };

    fn at(secs: u64) -> Timestamp {
        NOW.plus(Span::from_secs(secs))
    }

    fn rig(client: u32, miner: u8, rig: Rig) -> RigAt {
        RigAt {
            client: IpAddr::V4(std::net::Ipv4Addr::from_bits(client)),
            miner: Hotkey::from_bytes([miner; 32]),
            rig,
        }
    }

    fn named(name: &str) -> Rig {
        Rig::Named(name.parse().unwrap())
    }

    /// After how many shares, of which this many in ten are wrong, the rig is put out.
    fn shares_until_out(wrong_of_ten: u32) -> Option<u32> {
        let mut ladders = Ladders::new(LIMITS);
        let rig = rig(1, 1, named("rig"));
        (1..=100).find(|n| {
            let is_wrong = n % 10 < wrong_of_ten;
            ladders.note(&rig, u16::from(!is_wrong), u16::from(is_wrong), NOW)
        })
    }

    #[test]
    fn mostly_wrong_shares_climb_the_ladder_and_a_few_do_not() {
        for (wrong, out_after) in [(0, None), (1, None), (5, None), (10, Some(30))] {
            assert_eq!(shares_until_out(wrong), out_after, "{wrong} of ten");
        }
        assert!(shares_until_out(7).is_some());
    }

    #[test]
    fn one_request_climbs_one_rung_whatever_it_brings() {
        let mut ladders = Ladders::new(LIMITS);
        let rig = rig(1, 1, named("rig"));
        let outs: Vec<_> = (0..3).map(|_| ladders.note(&rig, 0, 1_000, NOW)).collect();
        assert_eq!(outs, [false, false, true]);
    }

    #[test]
    fn every_reason_counts_but_being_late() {
        for (reason, is_wrong) in [
            (Rejection::UnknownJob, true),
            (Rejection::Stale, false),
            (Rejection::Duplicate(Sequence::new(1)), true),
            (Rejection::LowDifficulty, true),
            (Rejection::TimeOutOfRange, true),
            (Rejection::VersionOutOfMask, true),
        ] {
            assert_eq!(reason.is_wrong(), is_wrong, "{reason:?}");
        }
    }

    #[test]
    fn rigs_climb_apart_by_client_miner_and_worker() {
        let broken = rig(1, 1, named("a"));
        let neighbours = [
            rig(2, 1, named("a")),
            rig(1, 2, named("a")),
            rig(1, 1, named("b")),
            rig(1, 1, Rig::Numbered(WorkerId::new(1))),
            rig(1, 1, Rig::Unknown),
        ];
        let mut ladders = Ladders::new(LIMITS);
        let mut out = 0;
        for n in 0..30 {
            out += u32::from(ladders.note(&broken, 0, 1, NOW));
            for neighbour in &neighbours {
                // One wrong share in ten is nothing.
                let wrong = u16::from(n % 10 == 0);
                assert!(!ladders.note(neighbour, 1 - wrong, wrong, NOW), "{neighbour:?}");
            }
        }
        assert_eq!(out, 1);
        assert!(!ladders.rigs.contains_key(&broken), "it begins at the bottom");
    }

    #[test]
    fn whoever_is_kept_out_comes_in_when_time_is_over_or_an_admin_lifts_it() {
        let mut kept_out = KeptOutRigs::new(LIMITS.keep_out);
        let (a, b, other) = (
            rig(1, 1, named("a")),
            rig(1, 1, named("b")),
            rig(2, 1, named("a")),
        );
        for rig in [&a, &b, &other] {
            assert!(kept_out.put_out(rig.clone(), NOW));
            assert!(!kept_out.put_out(rig.clone(), NOW), "it is out already");
        }
        assert_eq!(kept_out.lift("0.0.0.1".parse().unwrap()), [a, b]);
        assert_eq!(kept_out.lift("::ffff:0.0.0.1".parse().unwrap()), []);
        assert_eq!(kept_out.all().len(), 1, "the other address's stays");
        assert_eq!(kept_out.expire(at(59)), []);
        assert_eq!(kept_out.expire(at(60)), [other]);
        assert!(kept_out.all().is_empty());
    }

    #[test]
    fn what_is_remembered_is_bounded_and_forgotten() {
        let mut ladders = Ladders::new(LIMITS);
        let mut kept_out = KeptOutRigs::new(LIMITS.keep_out);
        let bad = rig(0, 1, named("bad"));
        for _ in 0..10 {
            ladders.note(&bad, 0, 1, NOW);
        }
        for n in 1..RIGS_MAX as u32 + 100 {
            ladders.note(&rig(n, 1, Rig::Unknown), 0, 1, NOW);
            kept_out.put_out(rig(n, 1, Rig::Unknown), NOW);
            assert!(ladders.rigs.len() <= RIGS_MAX);
        }
        assert_eq!(kept_out.all().len(), RIGS_MAX);
        assert!(
            ladders.rigs.contains_key(&bad),
            "junk drives nobody from the ladder"
        );
        ladders.expire(at(60));
        assert!(ladders.rigs.is_empty());
    }
}
