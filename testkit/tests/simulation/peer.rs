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
use dwarves_actors::miner_manager::messages::JoinWorker;
use dwarves_actors::miner_manager::messages::Registered;
use dwarves_actors::work_manager::messages::IssuedJob;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::HeaderHash;
use dwarves_domain::login::Identity;
use dwarves_domain::miners::Client;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::AcceptedShare;
use dwarves_domain::share::ShareVerdict;
use dwarves_domain::share::{Rejection, Submission};
use dwarves_domain::work::Job;
use dwarves_ports::clock::Clock;
use dwarves_testkit::build::{hotkey, prove, submission, worker_name};
use dwarves_testkit::{Prng, SimClock};

use crate::life::Doors;
use crate::miner::{hotkey_of, signed};
use crate::notes::Notes;
use crate::wire::{Overheard, Wire, remember};

/// The peer's number among the miners.
pub(crate) const PEER: u8 = 9;
/// Where it is.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 66));
/// Where it is paid.
const ADDRESS: &str = "2MzQwSSnBHWHqSAqtTVQ6v47XtaisrJa1Vc";
/// How long it waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Requests of one flood: twice as many as one client may have under way at one of the doors.
const FLOOD: u64 = 40;

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
    doors: Doors,
    wire: Wire,
    clock: SimClock,
    notes: Notes,
}

/// Goes on for as long as the life does.
pub(crate) async fn attack(
    state: Rc<RefCell<PeerState>>,
    doors: Doors,
    wire: Wire,
    clock: SimClock,
    notes: Notes,
) {
    let peer = Peer {
        state,
        doors,
        wire,
        clock,
        notes,
    };
    loop {
        let wait = 20 + peer.below(600);
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let (retired, is_registered) = {
            let state = peer.state.borrow();
            (state.retired, state.is_registered)
        };
        if retired {
            return;
        }
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
        let submit = SubmitShares {
            miner,
            from: CLIENT,
            worker: worker.map(worker_name),
            shares: shares.iter().copied().map(Some).collect(),
        };
        let reply = self.doors.workers[door].1.ask(submit, PATIENCE).await;
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
            Err(Refusal::MinerUnknown) => panic!("a registered peer is unknown"),
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

    /// Brings what another made as its own, under the other's job and under a job of its own.
    async fn bring_as_own(&self) {
        let Some(heard) = self.overheard() else { return };
        let door = self.below(2) as usize;
        let reply = self.send(hotkey_of(PEER), None, &[heard.submission], door).await;
        let SharesAnswer { judged, blocks } = reply;
        if let Ok(verdicts) = judged {
            let unknown = Err(Rejection::UnknownJob);
            assert_eq!(verdicts, [unknown], "another's share");
            let what = if blocks.is_empty() { "nothing" } else { "a block" };
            self.event(&format!(" brings what another made: {what}"));
        }
        let Some(job) = self.state.borrow().jobs.last().cloned() else {
            return;
        };
        // The same nonce in a job of its own is another header, which is its own work if it is good.
        let own = submission(&job, heard.submission.nonce);
        let proof = prove(&job, own.nonce);
        if let Ok(proof) = &proof {
            self.notes.made(proof.hash, hotkey_of(PEER));
        }
        let reply = self.send(hotkey_of(PEER), None, &[own], door).await;
        if let (Ok(verdicts), Ok(proof)) = (reply.judged, proof) {
            self.own_verdict(proof.hash, &verdicts[0]);
        }
    }

    /// Sends another's share in the other's name, perhaps before the other's own request arrives.
    async fn repeat_for_another(&self) {
        let Some(heard) = self.overheard() else { return };
        let door = self.below(2) as usize;
        let worker = heard.worker.as_ref().map(|name| name.as_str());
        let reply = self.send(heard.miner, worker, &[heard.submission], door).await;
        let Ok(verdicts) = reply.judged else {
            return;
        };
        self.event(&format!(" repeats for another: {:?}", verdicts[0]));
        match (heard.hash, verdicts[0]) {
            (Some(made), Ok(AcceptedShare { hash, sequence, .. })) => {
                assert_eq!(hash, made);
                self.notes.accepted(hash, sequence, heard.miner);
            }
            (None, Ok(AcceptedShare { hash, .. })) => {
                // Of a ledger that is gone; whoever made it may hear of it yet.
                panic!("{hash} is not good and counts");
            }
            (Some(made), Err(Rejection::Duplicate(first))) => self.notes.duplicate(made, first),
            _ => {}
        }
    }

    /// The same good share by both doors at the same moment.
    async fn send_twice_at_once(&self) {
        let Some((share, hash)) = self.own_share() else {
            return;
        };
        let shares = [share];
        let (first, second) = tokio::join!(
            self.send(hotkey_of(PEER), None, &shares, 0),
            self.send(hotkey_of(PEER), None, &shares, 1)
        );
        let mut counted = 0;
        for reply in [first, second] {
            if let Ok(verdicts) = reply.judged {
                counted += u32::from(self.own_verdict(hash, &verdicts[0]));
            }
        }
        assert!(counted <= 1, "{hash} counts {counted} times");
        self.event(&format!(" sends twice at once: {counted} counts"));
    }

    /// Names of workers that nobody has: its own, and in sessions under another's name.
    async fn make_up_workers(&self) {
        let victim = self.overheard().map_or(hotkey_of(0), |heard| heard.miner);
        for _ in 0..12 {
            let name = format!("made-up-{}", self.below(1_000));
            let join = JoinWorker {
                identity: Identity::Hotkey(victim),
                worker: worker_name(&name),
                issued: None,
                earned: None,
                from: CLIENT,
            };
            let _whatever_it_says = self.doors.join.ask(join, PATIENCE).await;
        }
        let name = format!("made-up-{}", self.below(1_000));
        self.fetch(&name).await;
    }

    /// What another signed, again and changed.
    async fn sign_for_another(&self) {
        let heard = self.wire.borrow().signed.clone();
        let Some(mut request) = heard.last().cloned() else {
            return;
        };
        request.from = CLIENT;
        let (sender, nonce) = (request.sender, request.nonce_nanos);
        let change = self.below(5);
        match change {
            0 => request.body = b"{\"payout_address\":\"mine\"}".to_vec(),
            1 => request.nonce_nanos += 1,
            2 => request.sender = hotkey_of(PEER),
            3 => request.receiver = hotkey(201),
            _ => {}
        }
        let reply = self.doors.authenticate.ask(request, PATIENCE).await;
        let Ok(reply) = reply else { return };
        self.event(&format!(" signs for another: {reply:?}"));
        if reply == Ok(()) {
            // Unchanged, and the other's own request did not arrive.
            assert_eq!(change, 4, "a changed request is authentic");
            self.notes.authentic(sender, nonce);
        }
    }

    /// More requests of bad shares than one client may have under way.
    async fn flood(&self) {
        let Some(job) = self.state.borrow().jobs.last().cloned() else {
            return;
        };
        let mut bad = submission(&job, 0);
        bad.time = Some(1);
        let door = self.below(2) as usize;
        let sending = (0..FLOOD).map(|nonce| {
            let submit = SubmitShares {
                miner: hotkey_of(PEER),
                from: CLIENT,
                worker: None,
                shares: vec![Some(Submission {
                    nonce: nonce as u32,
                    ..bad
                })],
            };
            self.doors.workers[door].1.post(submit)
        });
        let sent: Vec<_> = sending.collect();
        let (mut judged, mut refused) = (0, 0);
        for answer in sent.into_iter().flatten() {
            let answer = tokio::time::timeout(PATIENCE, answer).await;
            let Ok(Ok(reply)) = answer else { continue };
            match reply.judged {
                Ok(verdicts) => {
                    assert!(!matches!(verdicts[0], Ok(AcceptedShare { .. })));
                    judged += 1;
                }
                Err(Refusal::Busy) => refused += 1,
                _ => {}
            }
        }
        self.event(&format!(" floods: {judged} are judged, {refused} are not"));
    }
}
