//! The ladder of refused shares over HTTP. Each handler counts what it sees; whoever climbs to the top is kept out by all
//! of them, which the HTTP gate tells them.

use std::collections::HashMap;
use std::sync::Arc;

use dwarves_domain::ids::{WorkerId, WorkerName};
use dwarves_domain::miners::rejects::Limits;
use dwarves_domain::miners::{Ladders, Rig, RigAt};
use dwarves_domain::share::ShareVerdict;
use dwarves_domain::share::Submission;
use dwarves_domain::source::Source;
use dwarves_domain::time::{Span, Timestamp};
use tokio::sync::watch;

use crate::ask::Outbox;
use crate::http_gate::PutOutRig;

/// What a handler knows of those whose shares are mostly wrong.
pub struct Ladder {
    ladders: Ladders,
    kept_out: watch::Receiver<Arc<HashMap<RigAt, Timestamp>>>,
    gate: Outbox<PutOutRig>,
}

/// Whose shares a request brings.
pub(super) enum Rigs {
    /// Nobody asks.
    Unwatched,
    /// All are this one's.
    One(Rig),
    /// Each is another's, as the jobs say.
    Each(Vec<Rig>),
}

impl Rigs {
    /// Whose these shares are: the worker's that their request names, or theirs to whom their jobs were given.
    pub(super) fn of(
        named: Option<&WorkerName>,
        shares: &[Option<Submission>],
        given_to: impl Fn(&Submission) -> Option<WorkerId>,
    ) -> Self {
        if let Some(name) = named {
            return Self::One(Rig::Named(name.clone()));
        }
        let of_share = |share: &Option<Submission>| {
            let worker = share.as_ref().and_then(&given_to);
            worker.map_or(Rig::Unknown, Rig::Numbered)
        };
        let mut rigs = shares.iter().map(of_share);
        let Some(first) = rigs.next() else {
            return Self::Each(Vec::new());
        };
        if rigs.clone().all(|rig| rig == first) {
            return Self::One(first);
        }
        Self::Each([first].into_iter().chain(rigs).collect())
    }
}

impl Ladder {
    /// A ladder on which nobody stands. `kept_out` is what the gate says.
    pub fn new(
        limits: Limits,
        kept_out: watch::Receiver<Arc<HashMap<RigAt, Timestamp>>>,
        gate: Outbox<PutOutRig>,
    ) -> Self {
        Self {
            ladders: Ladders::new(limits),
            kept_out,
            gate,
        }
    }

    /// For how long still all rigs of a request are kept out. With one among them that is not, all are judged.
    pub(super) fn kept_out(&self, source: Source, rigs: &Rigs, now: Timestamp) -> Option<Span> {
        let kept_out = self.kept_out.borrow();
        if kept_out.is_empty() {
            return None;
        }
        let left = |rig: &Rig| {
            let until = kept_out.get(&at(source, rig))?;
            (now < *until).then(|| until.since(now))
        };
        match rigs {
            Rigs::Unwatched => None,
            Rigs::One(rig) => left(rig),
            Rigs::Each(rigs) => {
                let all: Option<Vec<Span>> = rigs.iter().map(left).collect();
                all?.into_iter().min()
            }
        }
    }

    /// Notes what became of a request's shares.
    pub(super) fn note(&mut self, source: Source, rigs: &Rigs, verdicts: &[ShareVerdict], now: Timestamp) {
        match rigs {
            Rigs::Unwatched => {}
            Rigs::One(rig) => self.note_rig(source, rig, count(verdicts.iter()), now),
            Rigs::Each(rigs) => {
                let mut of_rigs: HashMap<&Rig, Vec<&ShareVerdict>> = HashMap::new();
                for (rig, verdict) in rigs.iter().zip(verdicts) {
                    of_rigs.entry(rig).or_default().push(verdict);
                }
                for (rig, verdicts) in of_rigs {
                    self.note_rig(source, rig, count(verdicts.into_iter()), now);
                }
            }
        }
    }

    fn note_rig(&mut self, source: Source, rig: &Rig, (right, wrong): (u16, u16), now: Timestamp) {
        let rig = at(source, rig);
        if self.ladders.note(&rig, right, wrong, now) && self.gate.tell(PutOutRig(rig)).is_err() {
            log::debug!(
                "the HTTP gate is busy; a worker of hotkey={} stays in",
                source.miner()
            );
        }
    }

    /// Forgets who was quiet for long.
    pub(super) fn expire(&mut self, now: Timestamp) {
        self.ladders.expire(now);
    }
}

/// How many shares are right, and how many wrong.
fn count<'a>(verdicts: impl Iterator<Item = &'a ShareVerdict>) -> (u16, u16) {
    let (mut right, mut wrong) = (0_u16, 0_u16);
    for verdict in verdicts {
        match verdict {
            Ok(_) => right = right.saturating_add(1),
            Err(reason) if reason.is_wrong() => wrong = wrong.saturating_add(1),
            // As for sessions: the rest says nothing about the rig.
            Err(_) => {}
        }
    }
    (right, wrong)
}

fn at(source: Source, rig: &Rig) -> RigAt {
    RigAt {
        client: source.client(),
        miner: source.miner(),
        rig: rig.clone(),
    }
}
