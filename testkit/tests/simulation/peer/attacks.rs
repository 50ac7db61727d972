//! What a hostile peer tries.

use dwarves_actors::handlers::submission::messages::{SharesAnswer, SubmitShares};
use dwarves_actors::miner_manager::messages::JoinWorker;
use dwarves_domain::login::Identity;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::{AcceptedShare, Rejection, Submission};
use dwarves_testkit::build::{hotkey, prove, submission, worker_name};

use super::{CLIENT, PATIENCE, PEER, Peer};
use crate::miner::hotkey_of;

/// Requests of one flood: twice as many as one client may have under way at one of the doors.
const FLOOD: u64 = 40;

impl Peer {
    /// Brings what another made as its own, under the other's job and under a job of its own.
    pub(super) async fn bring_as_own(&self) {
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
    pub(super) async fn repeat_for_another(&self) {
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
            (None, Ok(AcceptedShare { hash, .. })) => panic!("{hash} is not good and counts"),
            (Some(made), Err(Rejection::Duplicate(first))) => self.notes.duplicate(made, first),
            _ => {}
        }
    }

    /// The same good share by two doors at the same moment, perhaps of two fronts.
    pub(super) async fn send_twice_at_once(&self) {
        let Some((share, hash)) = self.own_share() else {
            return;
        };
        let shares = [share];
        let (first, second) = tokio::join!(
            self.send(hotkey_of(PEER), None, &shares, 0),
            self.send_by(&self.others, hotkey_of(PEER), None, &shares, 1)
        );
        let mut counted = 0;
        for reply in [first, second] {
            if let Ok(verdicts) = reply.judged {
                counted += u32::from(self.own_verdict(hash, &verdicts[0]));
            }
        }
        assert!(counted <= 1, "{hash} counts {counted} times");
        let is_one_front = self.doors.of.epoch == self.others.of.epoch;
        let fronts = if is_one_front { "" } else { " to two fronts" };
        self.event(&format!(" sends twice at once{fronts}: {counted} counts"));
    }

    /// Names of workers that nobody has: its own, and in sessions under another's name.
    pub(super) async fn make_up_workers(&self) {
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
    pub(super) async fn sign_for_another(&self) {
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
    pub(super) async fn flood(&self) {
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
