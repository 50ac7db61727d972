//! The shares of one read go to the submission handler together, are kept while it is busy, and are looked at when the
//! session ends.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as Wake, Poll};
use std::time::Duration;

use dwarves_actors::ask::AskError;
use dwarves_actors::handlers::submission::messages::{RolledShare, SubmitRolled};
use dwarves_domain::hotkey::Hotkey;

use super::StratumSession;
use super::pending_answers::{DueShares, Slot};
use crate::conversation::{Attempt, Effect};
use crate::protocol::fault::Fault;
use crate::protocol::line::{self, Split};

/// How often a session that ends is read once more: what its miner may have sent before it knew.
const LAST_READS: usize = 8;

/// How often shares are sent again while the handler is busy, and how long it is waited in between.
const KNOCKS_MAX: u32 = 200;
const KNOCK_EVERY: Duration = Duration::from_millis(50);

/// Shares that the handler was too busy for.
pub(super) struct Knocking {
    submit: SubmitRolled,
    answers: DueShares,
    times: u32,
    again: Pin<Box<tokio::time::Sleep>>,
}

/// The shares of the present read, for one miner.
#[derive(Default)]
pub(super) struct ReadShares {
    miner: Option<Hotkey>,
    shares: Vec<RolledShare>,
    answers: DueShares,
}

impl StratumSession {
    pub(super) fn on_attempt(&mut self, id: &str, attempt: Attempt) {
        match attempt {
            Attempt::Fault(fault) => self.batch.answers.push(id, Slot::Known(fault)),
            Attempt::Share(miner, share) => {
                let worker = match &share {
                    RolledShare::Solved { job, .. } => Some(job.worker()),
                    RolledShare::Rejected(rejected) | RolledShare::Refused { rejected, .. } => {
                        rejected.worker
                    }
                };
                // Only a stray share is nobody's.
                let slot = worker.map_or(Slot::Stray(Fault::UNAUTHORIZED), Slot::Judged);
                self.join_batch(id, miner, share, slot);
            }
            Attempt::Stray(miner, share, fault) => self.join_batch(id, miner, share, Slot::Stray(fault)),
        }
    }

    fn join_batch(&mut self, id: &str, miner: Hotkey, share: RolledShare, slot: Slot) {
        if self.batch.miner.is_some_and(|other| other != miner) {
            self.send_batch();
        }
        self.batch.miner = Some(miner);
        self.batch.shares.push(share);
        self.batch.answers.push(id, slot);
    }

    /// Sends the shares of this read, in one message.
    pub(super) fn send_batch(&mut self) {
        if self.batch.answers.is_empty() {
            return;
        }
        let batch = std::mem::take(&mut self.batch);
        let Some(miner) = batch.miner else {
            // Nothing in it is a share: it is answered at once, if nothing before it is waited for.
            let mut text = Vec::new();
            batch.answers.write_faults(None, &[], &mut text);
            return self.answer(&text);
        };
        let submit = SubmitRolled {
            miner,
            from: self.ip,
            shares: batch.shares,
        };
        self.send_shares(submit, batch.answers, 0);
    }

    /// Sends shares to be judged. While the handler is busy they are kept, for there may be a block among them; until
    /// they are on their way nothing more is read.
    fn send_shares(&mut self, submit: SubmitRolled, answers: DueShares, times: u32) {
        match self.thread.peers.submit.offer(submit) {
            Ok(answer) => self.due.push_shares(answers, answer),
            Err((AskError::Busy, submit)) if times < KNOCKS_MAX => {
                self.knocking = Some(Box::new(Knocking {
                    submit,
                    answers,
                    times: times + 1,
                    again: Box::pin(tokio::time::sleep(KNOCK_EVERY)),
                }));
            }
            Err(_) => {
                let mut text = Vec::new();
                answers.write_faults(Some(Fault::POOL_BUSY), &[], &mut text);
                self.answer(&text);
            }
        }
    }

    /// Sends shares that the handler was too busy for.
    pub(super) fn poll_knocking(&mut self, wake: &mut Wake<'_>) {
        while let Some(knocking) = &mut self.knocking {
            if knocking.again.as_mut().poll(wake).is_pending() {
                return;
            }
            let Some(knocking) = self.knocking.take() else {
                return;
            };
            let Knocking {
                submit,
                answers,
                times,
                ..
            } = *knocking;
            self.send_shares(submit, answers, times);
        }
    }

    /// Looks at what the miner of a session that ends had sent by now: there may be a block in it. Nobody waits for answers.
    pub(super) fn look_for_blocks(&mut self, wake: &mut Wake<'_>) {
        if let Some(knocking) = self.knocking.take() {
            self.send_shares(knocking.submit, knocking.answers, KNOCKS_MAX);
        }
        let mut unread = std::mem::take(&mut self.unread);
        let mut scratch = self.thread.take_scratch();
        for _ in 0..LAST_READS {
            match self.transport.poll_read(wake, &mut scratch) {
                Poll::Ready(Ok(n)) if n > 0 => unread.extend_from_slice(&scratch[..n]),
                _ => break,
            }
        }
        self.thread.give_scratch_back(scratch);
        let thread = Rc::clone(&self.thread);
        let rules = &thread.listeners[self.listener].rules;
        let mut rest = &unread[..];
        while let Split::Line(line, after) = line::split(rest) {
            rest = after;
            let mut unsaid = Vec::new();
            let step = thread.on_stage(rules, |scene| self.talk.on_line(line, scene, &mut unsaid));
            if let Effect::Share { id, attempt } = step {
                self.on_attempt(id, attempt);
            }
        }
        self.send_batch();
    }
}
