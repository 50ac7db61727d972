//! A miner that really mines, and does what miners do when answers get lost.

use std::sync::Arc;

use dwarves_actors::handlers::registration::messages::Authenticate;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::HeaderHash;
use dwarves_domain::share::Submission;
use dwarves_domain::work::{Job, JobId};
use dwarves_testkit::Prng;
use dwarves_testkit::build::{miss, prove, submission};
use ed25519_dalek::SigningKey;

use crate::notes::Notes;

mod asking;

pub(crate) use asking::{mine, signed};

/// Jobs and requests that a miner remembers.
const MEMORY: usize = 6;

/// What a share must come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A good share; its header's hash.
    Good(HeaderHash),
    /// A hash above the share target.
    Miss,
    /// A time that the chain does not take.
    WrongTime,
    /// A job of nobody.
    Forged,
    /// Of a job that was given out after the backup of a ledger that was put back: the pool does not know it, or knows
    /// another one by its name.
    Lost,
}

#[derive(Clone)]
struct Share {
    submission: Submission,
    kind: Kind,
    /// Whose job it is.
    worker: &'static str,
}

/// A request, kept until it is answered for good.
#[derive(Clone)]
struct Sent {
    worker: Option<&'static str>,
    shares: Vec<Share>,
}

/// What a miner knows; it outlives the pool's lives.
pub(crate) struct MinerState {
    n: u8,
    prng: Prng,
    /// With the names of the workers that they were given to.
    jobs: Vec<(Arc<Job>, &'static str)>,
    next_nonce: u32,
    unanswered: Vec<Sent>,
    answered: Vec<Sent>,
    signed: Option<Authenticate>,
    last_signed_at: u64,
    is_registered: bool,
    /// Mines no more.
    pub(crate) retired: bool,
}

fn key_of(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n + 1; 32])
}

/// Where the first miners are paid; two of them at the same place, and the others nowhere.
pub(crate) const ADDRESSES: [&str; 3] = [
    "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
    "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn",
    "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
];

/// The hotkey of a simulation's miner.
pub(crate) fn hotkey_of(n: u8) -> Hotkey {
    Hotkey::from_bytes(key_of(n).verifying_key().to_bytes())
}

impl Share {
    /// The hash of its header, if it is good.
    fn good(&self) -> Option<HeaderHash> {
        match self.kind {
            Kind::Good(hash) => Some(hash),
            _ => None,
        }
    }
}

impl MinerState {
    /// An older ledger was put back; this miner was registered in it, or was not.
    pub(crate) fn outlive_restore(&mut self, was_registered: bool) {
        self.is_registered = was_registered;
        self.jobs.clear();
        let sent = self.unanswered.iter_mut().chain(&mut self.answered);
        for share in sent.flat_map(|sent| &mut sent.shares) {
            share.kind = Kind::Lost;
        }
    }

    /// Whether the pool said that it is registered.
    pub(crate) fn is_registered(&self) -> bool {
        self.is_registered
    }

    pub(crate) fn new(n: u8, prng: Prng) -> Self {
        Self {
            n,
            prng,
            jobs: Vec::new(),
            next_nonce: 0,
            unanswered: Vec::new(),
            answered: Vec::new(),
            signed: None,
            last_signed_at: 0,
            is_registered: false,
            retired: false,
        }
    }

    fn hotkey(&self) -> Hotkey {
        hotkey_of(self.n)
    }

    fn worker(&mut self) -> &'static str {
        ["rig", "gpu"][self.prng.below(2) as usize]
    }

    fn remember<T>(list: &mut Vec<T>, item: T) {
        if list.len() >= MEMORY {
            list.remove(0);
        }
        list.push(item);
    }

    /// One share, good or not, of a job that is known, perhaps an old one.
    fn share(&mut self, notes: &Notes) -> Option<Share> {
        let newest = self.jobs.last()?.clone();
        let (job, worker) = if self.prng.chance(80) {
            newest
        } else {
            let at = self.prng.below(self.jobs.len() as u64) as usize;
            self.jobs.get(at)?.clone()
        };
        let from = self.next_nonce;
        let good = |from: u32| (from..).find_map(|nonce| Some((nonce, prove(&job, nonce).ok()?)));
        let (submission, kind) = match self.prng.below(20) {
            // Only jobs that are harder than nothing can be missed.
            0 if prove(&job, 0).is_err() || prove(&job, 1).is_err() => {
                (submission(&job, miss(&job, from)), Kind::Miss)
            }
            1 => {
                let mut wrong = submission(&job, from);
                wrong.time = Some(1);
                (wrong, Kind::WrongTime)
            }
            2 => {
                let mut forged = submission(&job, from);
                let mut id = job.id().to_string().into_bytes();
                id[12] = if id[12] == b'0' { b'1' } else { b'0' };
                let id = String::from_utf8(id).expect("hex digits are text");
                forged.job_id = id.parse::<JobId>().expect("a job id has this form");
                (forged, Kind::Forged)
            }
            _ => {
                let (nonce, proof) = good(from)?;
                self.next_nonce = nonce + 1;
                notes.made(proof.hash, self.hotkey());
                (submission(&job, nonce), Kind::Good(proof.hash))
            }
        };
        Some(Share {
            submission,
            kind,
            worker,
        })
    }

    /// What is submitted next: new shares, or an old request again.
    fn request(&mut self, notes: &Notes) -> Option<Sent> {
        if !self.unanswered.is_empty() && self.prng.chance(60) {
            return Some(self.unanswered.remove(0));
        }
        if !self.answered.is_empty() && self.prng.chance(15) {
            let at = self.prng.below(self.answered.len() as u64) as usize;
            return Some(self.answered[at].clone());
        }
        let count = if self.prng.chance(60) {
            1
        } else {
            2 + self.prng.below(5)
        };
        let mut shares: Vec<Share> = (0..count).filter_map(|_| self.share(notes)).collect();
        if shares.len() > 1 && self.prng.chance(20) {
            // The same share twice in one request.
            shares.push(shares[0].clone());
        }
        let worker = if self.prng.chance(10) {
            Some(self.worker())
        } else {
            None
        };
        (!shares.is_empty()).then_some(Sent { worker, shares })
    }
}
