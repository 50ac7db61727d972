//! A miner asks the pool: it registers, fetches work, sends shares, and holds the answers against what it knows.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::Duration;

use dwarves_actors::handlers::registration::messages::{Authenticate, Register};
use dwarves_actors::handlers::submission::messages::{FetchWork, SharesAnswer, SubmitShares};
use dwarves_actors::miner_manager::messages::Registered;
use dwarves_actors::work_manager::messages::IssuedJob;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::{AcceptedShare, Rejection, ShareVerdict};
use dwarves_domain::signature::{KeyType, SignedRequest};
use dwarves_domain::time::Span;
use dwarves_ports::clock::Clock;
use dwarves_testkit::SimClock;
use dwarves_testkit::build::{hotkey, worker_name};

use ed25519_dalek::Signer;

use super::{ADDRESSES, Kind, MinerState, Sent, Share, hotkey_of, key_of};
use crate::doors::{Doors, Ways};
use crate::notes::Notes;
use crate::wire::{Overheard, Wire};

/// Where all miners of the simulation are: its limits leave all places to one client.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// How long the pool waits until a block of a share that does not count is stored, before it says that it is one.
const STORED_IN: Span = Span::from_secs(10);

/// Goes on for as long as the life does.
pub(crate) async fn mine(
    state: Rc<RefCell<MinerState>>,
    ways: Ways,
    wire: Wire,
    clock: SimClock,
    notes: Notes,
) {
    let miner = Miner {
        state,
        ways,
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
    ways: Ways,
    wire: Wire,
    clock: SimClock,
    notes: Notes,
}

impl Miner {
    fn below(&self, bound: u64) -> u64 {
        self.state.borrow_mut().prng.below(bound)
    }

    /// The doors that it comes to this time, if any are open.
    fn doors(&self) -> Option<Doors> {
        self.ways.any(|doors| self.below(doors))
    }

    fn event(&self, what: &str) {
        let n = self.state.borrow().n;
        self.notes
            .event(format!("{} miner {n}: {what}", self.clock.now()));
    }

    /// Some do not wait long for an answer. Where there are several fronts, more of them try another one soon, while what
    /// they sent may still be on its way.
    fn patience(&self, doors: &Doors) -> Duration {
        let has_others = doors.of.front > 0;
        Duration::from_millis(match self.below(10) {
            0 => 20,
            1..6 if has_others => 1_500,
            _ => 10_000,
        })
    }

    fn signed(&self) -> Authenticate {
        let mut state = self.state.borrow_mut();
        let now = u64::try_from(self.clock.date().millis()).expect("after 1970") * 1_000_000;
        let nonce_nanos = now.max(state.last_signed_at + 1);
        state.last_signed_at = nonce_nanos;
        signed(state.n, nonce_nanos, CLIENT)
    }

    async fn register(&self) {
        let Some(doors) = self.doors() else { return };
        // Sometimes somebody replays what was signed before.
        let before = self.state.borrow().signed.clone();
        let replayed = before.filter(|_| self.below(3) == 0);
        let signed = replayed.unwrap_or_else(|| self.signed());
        self.state.borrow_mut().signed = Some(signed.clone());
        self.wire.borrow_mut().hear_signed(&signed);
        let (sender, nonce) = (signed.sender, signed.nonce_nanos);
        let reply = doors.authenticate.ask(signed, self.patience(&doors)).await;
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
        let reply = doors.register.ask(register, self.patience(&doors)).await;
        self.event(&format!("registered: {reply:?}"));
        if matches!(reply, Ok(Ok(Registered { .. }))) {
            self.state.borrow_mut().is_registered = true;
        }
    }

    async fn fetch(&self) {
        let Some(doors) = self.doors() else { return };
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
        let reply = doors.workers[door].0.ask(fetch, self.patience(&doors)).await;
        match reply {
            Ok(Ok(IssuedJob { job, .. })) => {
                self.notes
                    .gave_work(job.extranonce(), doors.of.front, doors.of.epoch);
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
        // What becomes of a lost one nobody can say, so nobody can judge who repeats it.
        let judged = sent.shares.iter().filter(|share| share.kind != Kind::Lost);
        self.wire.borrow_mut().hear(judged.map(|share| Overheard {
            miner: submit.miner,
            worker: submit.worker.clone(),
            submission: share.submission,
            hash: share.good(),
        }));
        if self.below(10) == 0 {
            // It takes its time on the way, and somebody who hears it may be faster.
            let late = self.below(300);
            tokio::time::sleep(Duration::from_millis(late)).await;
        }
        let Some(doors) = self.doors() else {
            MinerState::remember(&mut self.state.borrow_mut().unanswered, sent);
            return;
        };
        let asked_at = self.clock.now();
        let door = self.below(2) as usize;
        let reply = doors.workers[door].1.ask(submit, self.patience(&doors)).await;
        let reply = reply.map(|reply| {
            let SharesAnswer { judged, blocks } = reply;
            // One that could not be stored for so long is on its way to the chain, and that is all that is said of it.
            let is_stored = self.clock.now().since(asked_at) < STORED_IN;
            let blocks = blocks.into_iter().filter(|_| is_stored);
            for hash in blocks.filter_map(|place| sent.shares[place].good()) {
                self.notes.block(hash, self.state.borrow().hotkey());
            }
            judged
        });
        if reply == Ok(Err(Refusal::Busy)) && doors.of.is_sound() {
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
                // Its registration was acknowledged, so it is stored: only a front that leads no more may not know of it.
                assert!(
                    !self.state.borrow().is_registered || !doors.of.is_sound(),
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
