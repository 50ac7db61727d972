//! Answers that are waited for, in the order of their requests.
//!
//! Shares are answered when they are on disk; many may be on their way. Whatever was asked after them is
//! answered after them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context as Wake, Poll};

use dwarves_actors::handlers::submission::messages::SharesAnswer;
use dwarves_domain::ids::WorkerId;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::{Rejection, ShareVerdict};
use tokio::sync::oneshot;

use super::StratumSession;
use crate::conversation::Telling;
use crate::protocol::fault::Fault;
use crate::protocol::reply;

/// What a submit is answered with.
#[derive(Clone, Copy, Debug)]
pub(super) enum Slot {
    /// The next verdict, on a share of this worker.
    Judged(WorkerId),
    /// This, whatever the next verdict says: it was looked at only because it may be a block.
    Stray(Fault),
    /// This; it was no share.
    Known(Fault),
}

/// The submits of one read.
#[derive(Default)]
pub(super) struct DueShares {
    /// Their ids as JSON, one after the other.
    ids: String,
    /// Where each id ends, and what it is answered with.
    slots: Vec<(u32, Slot)>,
}

impl DueShares {
    pub(super) fn push(&mut self, id: &str, slot: Slot) {
        self.ids.push_str(id);
        let end = u32::try_from(self.ids.len()).expect("the ids of one read are shorter than the read");
        self.slots.push((end, slot));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Each submit with its answer, and its place among the shares if it is one.
    fn each(&self, mut answer: impl FnMut(&str, Slot, Option<usize>)) {
        let mut begin = 0;
        let mut places = 0..;
        for (end, slot) in &self.slots {
            let end = *end as usize;
            let place = match slot {
                Slot::Judged(_) | Slot::Stray(_) => places.next(),
                Slot::Known(_) => None,
            };
            answer(&self.ids[begin..end], *slot, place);
            begin = end;
        }
    }

    /// Answers every submit with its own fault; shares with `unjudged`, for there are no verdicts. The shares at the
    /// places `blocks` are blocks.
    pub(super) fn write_faults(&self, unjudged: Option<Fault>, blocks: &[usize], out: &mut Vec<u8>) {
        self.each(|id, slot, place| match (slot, unjudged) {
            (Slot::Known(fault) | Slot::Stray(fault), _) | (Slot::Judged(_), Some(fault)) => {
                write_fault(out, id, fault, place.is_some_and(|place| blocks.contains(&place)));
            }
            (Slot::Judged(_), None) => {}
        });
    }
}

fn write_fault(out: &mut Vec<u8>, id: &str, fault: Fault, is_block: bool) {
    if is_block {
        reply::fault_of_block(out, id, fault);
    } else {
        reply::fault(out, id, fault);
    }
}

/// Tells the log what became of a share.
fn tell(verdict: &ShareVerdict, worker: WorkerId) {
    let worker = worker.get();
    match verdict {
        Ok(share) => tracing::debug!(
            share = %share.hash,
            sequence = share.sequence.get(),
            worker,
            "share is answered: accepted"
        ),
        Err(reason) => tracing::debug!(reason = reason.reason(), worker, "share is answered: rejected"),
    }
}

/// One thing that is due.
enum Due {
    /// A text that is ready, but not its turn yet.
    Text(Vec<u8>),
    /// Shares that are being judged.
    Shares(DueShares, oneshot::Receiver<SharesAnswer>),
}

/// Everything that is due.
#[derive(Default)]
pub(super) struct DueQueue(VecDeque<Due>);

impl DueQueue {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn push_text(&mut self, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        match self.0.back_mut() {
            Some(Due::Text(last)) => last.extend_from_slice(text),
            _ => self.0.push_back(Due::Text(text.to_vec())),
        }
    }

    pub(super) fn push_shares(&mut self, shares: DueShares, answer: oneshot::Receiver<SharesAnswer>) {
        self.0.push_back(Due::Shares(shares, answer));
    }
}

impl StratumSession {
    /// Writes every answer whose turn it is.
    pub(super) fn poll_due(&mut self, wake: &mut Wake<'_>) {
        let mut any = false;
        while let Some(due) = self.due.0.front_mut() {
            let answer = match due {
                Due::Text(_) => None,
                Due::Shares(_, answer) => match Pin::new(answer).poll(wake) {
                    Poll::Pending => break,
                    // The handler is gone: whether the shares count is unknown, and repeating is safe.
                    Poll::Ready(answer) => Some(answer.unwrap_or_else(|_| Err(Refusal::Unavailable).into())),
                },
            };
            any = true;
            match (self.due.0.pop_front(), answer) {
                (Some(Due::Text(text)), _) => self.out.extend_from_slice(&text),
                (Some(Due::Shares(shares, _)), Some(answer)) => self.answer_shares(&shares, answer),
                _ => {}
            }
        }
        if any {
            if self.due.is_empty() {
                self.due.0 = VecDeque::new();
            }
            self.tell_work(Telling::IfNew);
        }
    }

    fn answer_shares(&mut self, shares: &DueShares, answer: SharesAnswer) {
        let SharesAnswer { judged, blocks } = answer;
        let fault = match judged {
            Ok(verdicts) => return self.write_verdicts(shares, &verdicts, &blocks),
            Err(Refusal::MinerUnknown) => Fault::UNAUTHORIZED,
            Err(Refusal::Unavailable) => {
                Fault::Other("The pool cannot store shares right now, please try again")
            }
            Err(refusal) => Fault::from(&refusal),
        };
        shares.write_faults(Some(fault), &blocks, &mut self.out);
    }

    fn write_verdicts(&mut self, shares: &DueShares, verdicts: &[ShareVerdict], blocks: &[usize]) {
        // Late shares are no sign of life: a miner that sends nothing else is stuck on work that is over.
        let is_late = |verdict: &ShareVerdict| matches!(verdict, Err(Rejection::Stale));
        if !verdicts.iter().all(is_late) {
            self.heard_at = self.thread.now();
        }
        let mut verdicts = verdicts.iter();
        let is_honest = self.say(|talk, scene, out| {
            shares.each(|id, slot, place| {
                let mut verdict = || verdicts.next().expect("every share gets a verdict");
                let fault = match slot {
                    Slot::Known(fault) => Some(fault),
                    Slot::Judged(worker) => {
                        let verdict = verdict();
                        tell(verdict, worker);
                        talk.on_verdict(verdict, worker, scene)
                    }
                    Slot::Stray(fault) => {
                        verdict();
                        Some(fault)
                    }
                };
                match fault {
                    None => reply::ok(out, id),
                    Some(fault) => {
                        write_fault(out, id, fault, place.is_some_and(|place| blocks.contains(&place)));
                    }
                }
            });
            talk.take_honest()
        });
        if let Some(seat) = self.address_seat.as_ref().filter(|_| is_honest) {
            seat.signs().note(self.thread.now());
        }
    }
}
