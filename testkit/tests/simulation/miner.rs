//! A miner that really mines, and does what miners do when answers get lost.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use dwarves_actors::handlers::registration::messages::{Authenticate, Register};
use dwarves_actors::handlers::submission::messages::{FetchWork, SharesAnswer, SubmitShares};
use dwarves_actors::miner_manager::messages::Registered;
use dwarves_actors::work_manager::messages::IssuedJob;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::HeaderHash;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::AcceptedShare;
use dwarves_domain::share::ShareVerdict;
use dwarves_domain::share::{Rejection, Submission};
use dwarves_domain::signature::{KeyType, SignedRequest};
use dwarves_domain::work::{Job, JobId};
use dwarves_ports::clock::Clock;
use dwarves_testkit::build::{hotkey, miss, prove, submission, worker_name};
use dwarves_testkit::{Prng, SimClock};
use ed25519_dalek::{Signer, SigningKey};

use crate::life::Doors;
use crate::notes::Notes;
use crate::wire::Wire;

/// Where all miners of the simulation are: its limits leave all places to one client.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
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

/// Goes on for as long as the life does.
pub(crate) async fn mine(
    state: Rc<RefCell<MinerState>>,
    doors: Doors,
    wire: Wire,
    clock: SimClock,
    notes: Notes,
) {
    let miner = Miner {
        state,
        doors,
        wire,
        clock,
        notes,
    };
    loop {
        let wait = 20 + miner.below(900);
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let (is_registered, has_jobs, retired) = {
            let state = miner.state.borrow();
            (state.is_registered, !state.jobs.is_empty(), state.retired)
        };
        if retired {
            return;
        }
        if !is_registered || miner.below(100) < 2 {
            miner.register().await;
        }
        if !has_jobs || miner.below(100) < 30 {
            miner.fetch().await;
        }
        let request = miner.state.borrow_mut().request(&miner.notes);
        if let Some(request) = request {
            miner.submit(request).await;
        }
    }
}

/// A request to register, signed by a simulation's miner.
pub(crate) fn signed(n: u8, nonce_nanos: u64, from: IpAddr) -> Authenticate {
    let request = SignedRequest {
        scheme: KeyType::Ed25519,
        method: "POST",
        path: "/v1/miners",
        body: b"{}",
        nonce_nanos,
        sender: hotkey_of(n),
        receiver: hotkey(200),
    };
    Authenticate {
        from,
        scheme: request.scheme,
        method: request.method.to_owned(),
        path: request.path.to_owned(),
        body: request.body.to_vec(),
        nonce_nanos,
        sender: request.sender,
        receiver: request.receiver,
        signature: key_of(n).sign(&request.payload()).to_bytes(),
    }
}

struct Miner {
    state: Rc<RefCell<MinerState>>,
    doors: Doors,
    wire: Wire,
    clock: SimClock,
    notes: Notes,
}

impl Miner {
    fn below(&self, bound: u64) -> u64 {
        self.state.borrow_mut().prng.below(bound)
    }

    fn event(&self, what: &str) {
        let n = self.state.borrow().n;
        self.notes
            .event(format!("{} miner {n}: {what}", self.clock.now()));
    }

    /// Some do not wait long for an answer.
    fn patience(&self) -> Duration {
        Duration::from_millis(if self.below(10) == 0 { 20 } else { 10_000 })
    }

    fn signed(&self) -> Authenticate {
        let mut state = self.state.borrow_mut();
        let now = u64::try_from(self.clock.date().millis()).expect("after 1970") * 1_000_000;
        let nonce_nanos = now.max(state.last_signed_at + 1);
        state.last_signed_at = nonce_nanos;
        signed(state.n, nonce_nanos, CLIENT)
    }

    async fn register(&self) {
        // Sometimes somebody replays what was signed before.
        let before = self.state.borrow().signed.clone();
        let replayed = before.filter(|_| self.below(3) == 0);
        let signed = replayed.unwrap_or_else(|| self.signed());
        self.state.borrow_mut().signed = Some(signed.clone());
        self.wire.borrow_mut().hear_signed(&signed);
        let (sender, nonce) = (signed.sender, signed.nonce_nanos);
        let reply = self.doors.authenticate.ask(signed, self.patience()).await;
        self.event(&format!("authenticated: {reply:?}"));
        assert_ne!(reply, Ok(Err(Refusal::Busy)), "somebody took its allowance");
        if reply != Ok(Ok(())) {
            return;
        }
        self.notes.authentic(sender, nonce);
        let n = self.state.borrow().n;
        let register = Register {
            hotkey: sender,
            payout_address: ADDRESSES.get(usize::from(n)).map(|address| (*address).to_owned()),
            payout_threshold: None,
            from: std::net::Ipv4Addr::LOCALHOST.into(),
        };
        let reply = self.doors.register.ask(register, self.patience()).await;
        self.event(&format!("registered: {reply:?}"));
        if matches!(reply, Ok(Ok(Registered { .. }))) {
            self.state.borrow_mut().is_registered = true;
        }
    }

    async fn fetch(&self) {
        let (hotkey, worker, known) = {
            let mut state = self.state.borrow_mut();
            let worker = state.worker();
            let known = state.jobs.last().map(|(job, _)| job.id());
            (state.hotkey(), worker, known)
        };
        let fetch = FetchWork {
            miner: hotkey,
            from: CLIENT,
            worker: worker_name(worker),
            newer_than: known.filter(|_| self.below(3) == 0),
            client: dwarves_domain::miners::Client::Earlier,
        };
        let door = self.below(2) as usize;
        let reply = self.doors.workers[door].0.ask(fetch, self.patience()).await;
        match reply {
            Ok(Ok(IssuedJob { job, .. })) => {
                self.event(&format!(
                    "work template={} extranonce={:x} target={}",
                    job.template().id(),
                    job.extranonce().get(),
                    job.share_target()
                ));
                MinerState::remember(&mut self.state.borrow_mut().jobs, (job, worker));
            }
            other => self.event(&format!("no work: {other:?}")),
        }
    }

    async fn submit(&self, sent: Sent) {
        let submit = SubmitShares {
            miner: self.state.borrow().hotkey(),
            from: CLIENT,
            worker: sent.worker.map(worker_name),
            shares: sent.shares.iter().map(|share| Some(share.submission)).collect(),
        };
        self.wire
            .borrow_mut()
            .hear(&submit, |place| sent.shares[place].good());
        if self.below(10) == 0 {
            // It takes its time on the way, and somebody who hears it may be faster.
            let late = self.below(300);
            tokio::time::sleep(Duration::from_millis(late)).await;
        }
        let door = self.below(2) as usize;
        let reply = self.doors.workers[door].1.ask(submit, self.patience()).await;
        let reply = reply.map(|reply| {
            let SharesAnswer { judged, blocks } = reply;
            for hash in blocks.into_iter().filter_map(|place| sent.shares[place].good()) {
                self.notes.block(hash, self.state.borrow().hotkey());
            }
            judged
        });
        if reply == Ok(Err(Refusal::Busy)) {
            self.notes.busy();
        }
        let mut state_of_request = "again later";
        match reply {
            Ok(Ok(verdicts)) => {
                assert_eq!(verdicts.len(), sent.shares.len(), "a verdict for each share");
                for (share, verdict) in sent.shares.iter().zip(&verdicts) {
                    self.judge(share, verdict, sent.worker);
                }
                MinerState::remember(&mut self.state.borrow_mut().answered, sent);
                return;
            }
            Ok(Err(Refusal::MinerUnknown)) => {
                // Its registration was acknowledged, so it is stored: it cannot be unknown.
                assert!(
                    !self.state.borrow().is_registered,
                    "a registered miner is unknown"
                );
                state_of_request = "given up";
            }
            Ok(Err(
                Refusal::Banned { .. }
                | Refusal::Paused
                | Refusal::Busy
                | Refusal::MinerFull
                | Refusal::KeptOut { .. }
                | Refusal::Unavailable,
            ))
            | Err(_) => {
                MinerState::remember(&mut self.state.borrow_mut().unanswered, sent);
            }
            Ok(Err(other)) => panic!("shares cannot be refused with {other:?}"),
        }
        self.event(&format!("submitted: {reply:?}, {state_of_request}"));
    }

    fn judge(&self, share: &Share, verdict: &ShareVerdict, named: Option<&str>) {
        self.event(&format!("verdict {verdict:?}"));
        let stale = Err(Rejection::Stale);
        let miner = self.state.borrow().hotkey();
        if let Ok(AcceptedShare {
            hash, is_block: true, ..
        }) = verdict
        {
            self.notes.block(*hash, miner);
        }
        match (share.kind, verdict) {
            (Kind::Lost, Ok(AcceptedShare { hash, sequence, .. })) => {
                self.notes.accepted(*hash, *sequence, miner);
            }
            (Kind::Lost, _) => {}
            (Kind::Good(expected), Ok(AcceptedShare { hash, sequence, .. })) => {
                assert_eq!(*hash, expected);
                self.notes.accepted(*hash, *sequence, miner);
            }
            (Kind::Good(hash), Err(Rejection::Duplicate(first))) => {
                self.notes.duplicate(hash, *first);
            }
            (Kind::Good(_), Err(Rejection::OtherWorker))
                if named.is_some_and(|name| name != share.worker) => {}
            (_, verdict) if *verdict == stale && share.kind != Kind::Forged => {}
            (Kind::Miss, Err(Rejection::LowDifficulty))
            | (Kind::WrongTime, Err(Rejection::TimeOutOfRange))
            | (Kind::Forged, Err(Rejection::UnknownJob)) => {}
            (kind, verdict) => panic!("{kind:?} cannot come to {verdict:?}"),
        }
    }
}
