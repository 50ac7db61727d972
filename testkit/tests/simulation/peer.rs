//! A hostile peer. It hears what all others send and is sometimes faster; it brings their shares as its own and as
//! theirs, makes up workers for them, signs in their names, floods the pool with bad shares, sends the same share twice
//! at once, and goes on when it is banned. It mines, too, so that there is something to be had.
//!
//! What must hold: nobody else is refused anything because of it (see `miner`), nothing counts twice, what others made
//! is theirs whoever brings it, and a block of its own reaches the chain although it is banned.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use dwarves_actors::handlers::registration::messages::Register;
use dwarves_actors::handlers::submission::messages::{FetchWork, SharesAnswer, SubmitShares};
use dwarves_actors::miner_manager::messages::Registered;
use dwarves_actors::work_manager::messages::IssuedJob;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::HeaderHash;
use dwarves_domain::miners::Client;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::{AcceptedShare, Rejection, ShareVerdict, Submission};
use dwarves_domain::work::Job;
use dwarves_ports::clock::Clock;
use dwarves_testkit::build::{prove, submission, worker_name};
use dwarves_testkit::{Prng, SimClock};

use crate::doors::{Doors, Ways};
use crate::miner::{hotkey_of, signed};
use crate::notes::Notes;
use crate::wire::{Overheard, Wire, remember};

mod attacks;

/// The peer's number among the miners.
pub(crate) const PEER: u8 = 9;
/// Where it is.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 66));
/// Where it is paid.
const ADDRESS: &str = "2MzQwSSnBHWHqSAqtTVQ6v47XtaisrJa1Vc";
/// How long it waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the peer knows; it outlives the pool's lives.
pub(crate) struct PeerState {
    prng: Prng,
    jobs: Vec<Arc<Job>>,
    next_nonce: u32,
    last_signed_at: u64,
    is_registered: bool,
    /// Attacks no more.
    pub(crate) retired: bool,
}

impl PeerState {
    pub(crate) fn new(prng: Prng) -> Self {
        Self {
            prng,
            jobs: Vec::new(),
            next_nonce: 0,
            last_signed_at: 0,
            is_registered: false,
            retired: false,
        }
    }

    /// An older ledger was put back.
    pub(crate) fn outlive_restore(&mut self) {
        self.jobs.clear();
        self.is_registered = false;
    }
}

struct Peer {
    state: Rc<RefCell<PeerState>>,
    /// By which it comes this time, and others that it may know: perhaps the same.
    doors: Doors,
    others: Doors,
    wire: Wire,
    clock: SimClock,
    notes: Notes,
}

/// Goes on for as long as the life does.
pub(crate) async fn attack(
    state: Rc<RefCell<PeerState>>,
    ways: Ways,
    wire: Wire,
    clock: SimClock,
    notes: Notes,
) {
    loop {
        let wait = 20 + state.borrow_mut().prng.below(600);
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let (retired, is_registered) = {
            let state = state.borrow();
            (state.retired, state.is_registered)
        };
        if retired {
            return;
        }
        let any = || ways.any(|several| state.borrow_mut().prng.below(several));
        let (Some(doors), Some(others)) = (any(), any()) else {
            continue;
        };
        let peer = Peer {
            state: state.clone(),
            doors,
            others,
            wire: wire.clone(),
            clock: clock.clone(),
            notes: notes.clone(),
        };
        if !is_registered {
            peer.register().await;
            continue;
        }
        match peer.below(100) {
            0..25 => peer.mine().await,
            25..45 => peer.bring_as_own().await,
            45..65 => peer.repeat_for_another().await,
            65..72 => peer.send_twice_at_once().await,
            72..82 => peer.make_up_workers().await,
            82..94 => peer.sign_for_another().await,
            _ => peer.flood().await,
        }
    }
}

impl Peer {
    fn below(&self, bound: u64) -> u64 {
        self.state.borrow_mut().prng.below(bound)
    }

    fn event(&self, what: &str) {
        self.notes.event(format!("{} peer{what}", self.clock.now()));
    }

    async fn register(&self) {
        let nonce = {
            let now = u64::try_from(self.clock.date().millis()).expect("after 1970") * 1_000_000;
            let mut state = self.state.borrow_mut();
            state.last_signed_at = now.max(state.last_signed_at + 1);
            state.last_signed_at
        };
        let request = signed(PEER, nonce, CLIENT);
        let reply = self.doors.authenticate.ask(request, PATIENCE).await;
        if reply != Ok(Ok(())) {
            return;
        }
        self.notes.authentic(hotkey_of(PEER), nonce);
        let register = Register {
            hotkey: hotkey_of(PEER),
            payout_address: Some(ADDRESS.to_owned()),
            payout_threshold: None,
            from: CLIENT,
        };
        let reply = self.doors.register.ask(register, PATIENCE).await;
        self.event(&format!(" registers: {reply:?}"));
        if matches!(reply, Ok(Ok(Registered { .. }))) {
            self.state.borrow_mut().is_registered = true;
        }
    }

    async fn fetch(&self, worker: &str) {
        let fetch = FetchWork {
            miner: hotkey_of(PEER),
            from: CLIENT,
            worker: worker_name(worker),
            newer_than: None,
            client: Client::Earlier,
        };
        let door = self.below(2) as usize;
        if let Ok(Ok(IssuedJob { job, .. })) = self.doors.workers[door].0.ask(fetch, PATIENCE).await {
            let of = &self.doors.of;
            self.notes.gave_work(job.extranonce(), of.front, of.epoch);
            remember(&mut self.state.borrow_mut().jobs, job);
        }
    }

    /// A good share of a job of its own, perhaps of an old one.
    fn own_share(&self) -> Option<(Submission, HeaderHash)> {
        let mut state = self.state.borrow_mut();
        let count = state.jobs.len() as u64;
        if count == 0 {
            return None;
        }
        let at = if state.prng.chance(70) {
            count - 1
        } else {
            state.prng.below(count)
        };
        let job = state.jobs[at as usize].clone();
        let from = state.next_nonce;
        let (nonce, proof) = (from..).find_map(|nonce| Some((nonce, prove(&job, nonce).ok()?)))?;
        state.next_nonce = nonce + 1;
        self.notes.made(proof.hash, hotkey_of(PEER));
        Some((submission(&job, nonce), proof.hash))
    }

    async fn send(
        &self,
        miner: Hotkey,
        worker: Option<&str>,
        shares: &[Submission],
        door: usize,
    ) -> SharesAnswer {
        self.send_by(&self.doors, miner, worker, shares, door).await
    }

    async fn send_by(
        &self,
        doors: &Doors,
        miner: Hotkey,
        worker: Option<&str>,
        shares: &[Submission],
        door: usize,
    ) -> SharesAnswer {
        let submit = SubmitShares {
            miner,
            from: CLIENT,
            worker: worker.map(worker_name),
            shares: shares.iter().copied().map(Some).collect(),
        };
        let reply = doors.workers[door].1.ask(submit, PATIENCE).await;
        // It does not care why it got no answer.
        reply.unwrap_or_else(|_| Err(Refusal::Unavailable).into())
    }

    /// Mines as others do.
    async fn mine(&self) {
        if self.state.borrow().jobs.is_empty() || self.below(2) == 0 {
            self.fetch("rig").await;
        }
        let Some((share, hash)) = self.own_share() else {
            return;
        };
        let door = self.below(2) as usize;
        let SharesAnswer { judged, blocks } = self.send(hotkey_of(PEER), None, &[share], door).await;
        if !blocks.is_empty() {
            self.notes.block(hash, hotkey_of(PEER));
        }
        match judged {
            Ok(verdicts) => {
                self.own_verdict(hash, &verdicts[0]);
            }
            Err(Refusal::Banned { .. }) if !blocks.is_empty() => {
                self.event(" is banned and has a block");
            }
            // Only a front that leads no more may not know of it.
            Err(Refusal::MinerUnknown) => assert!(!self.doors.of.is_sound(), "a registered peer is unknown"),
            _ => {}
        }
    }

    /// Whether a good share of its own counts now.
    fn own_verdict(&self, hash: HeaderHash, verdict: &ShareVerdict) -> bool {
        self.event(&format!(": {verdict:?}"));
        match verdict {
            Ok(AcceptedShare {
                hash: counted,
                sequence,
                is_block,
                ..
            }) => {
                assert_eq!(*counted, hash);
                self.notes.accepted(hash, *sequence, hotkey_of(PEER));
                if *is_block {
                    self.notes.block(hash, hotkey_of(PEER));
                }
                return true;
            }
            Err(Rejection::Duplicate(first)) => self.notes.duplicate(hash, *first),
            Err(Rejection::Stale) => {}
            other => panic!("a good share of the peer is {other:?}"),
        }
        false
    }

    /// One of what was heard, mostly the latest.
    fn overheard(&self) -> Option<Overheard> {
        let heard = self.wire.borrow();
        let count = heard.shares.len() as u64;
        if count == 0 {
            return None;
        }
        let at = if self.below(2) == 0 {
            count - 1
        } else {
            self.below(count)
        };
        heard.shares.get(at as usize).cloned()
    }
}
