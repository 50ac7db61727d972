//! Work comes in: who may bring it, how much of it may wait, and its way into the ledger.

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::evaluation::{SubmissionId, WorkDigest};
use dwarves_domain::refusal::Refusal;
use dwarves_domain::time::Span;
use dwarves_ports::store::{NewSubmission, StoreAction, StoreError, SubmissionRow, Write, Written};

use super::messages::{SubmitWork, Submitted};
use super::queue::Watcher;
use super::{ASK_DEADLINE, WorkEvaluator};
use crate::ask::Ask;
use crate::miner_manager::messages::ReadStanding;

impl Handler<Ask<SubmitWork>> for WorkEvaluator {
    type Result = ();

    fn handle(&mut self, ask: Ask<SubmitWork>, ctx: &mut Self::Context) {
        let Ask { payload, reply, .. } = ask;
        if let Err(refusal) = self.has_room(&payload) {
            return reply.answer(Err(refusal));
        }
        let standing = self.parts.standing.clone();
        let hotkey = payload.hotkey;
        let welcome = async move { standing.ask(ReadStanding { hotkey }, ASK_DEADLINE).await };
        ctx.spawn(
            wrap_future::<_, Self>(welcome).map(move |welcome, this, ctx| match welcome {
                Ok(Ok(())) => this.take(payload, reply, ctx),
                Ok(Err(refusal)) => reply.answer(Err(refusal)),
                Err(error) => reply.answer(Err(error.into())),
            }),
        );
    }
}

impl WorkEvaluator {
    /// Whether more work of this miner may wait. The same again, whose answer was lost, needs no room.
    fn has_room(&self, work: &SubmitWork) -> Result<(), Refusal> {
        if !self.holds.is_empty() {
            return Err(Refusal::Paused);
        }
        let settings = &self.parts.settings;
        if self
            .queue
            .same(&work.hotkey, &WorkDigest::of(&work.work))
            .is_some()
        {
            return Ok(());
        }
        if self.queue.of_miner(&work.hotkey) >= settings.of_miner_max {
            return Err(Refusal::TooMuchWaits {
                limit: settings.of_miner_max,
            });
        }
        if self.queue.len() >= settings.waiting_max {
            return Err(Refusal::Busy);
        }
        Ok(())
    }

    /// Takes the work of a miner who may submit.
    fn take(&mut self, work: SubmitWork, reply: Watcher, ctx: &mut Context<Self>) {
        // Meanwhile others may have taken the room.
        if let Err(refusal) = self.has_room(&work) {
            return reply.answer(Err(refusal));
        }
        let SubmitWork {
            hotkey,
            worker,
            work,
            wait,
        } = work;
        let digest = WorkDigest::of(&work);
        if let Some(id) = self.queue.same(&hotkey, &digest) {
            return self.watch(id, false, wait, reply, ctx);
        }
        let received_at = self.parts.clock.date();
        let row = SubmissionRow {
            id: SubmissionId::of(&hotkey, &digest, received_at),
            hotkey,
            worker: worker.clone(),
            received_at,
            evaluated: None,
        };
        let write = Write::QueueSubmission(Box::new(NewSubmission {
            id: row.id,
            hotkey,
            worker,
            digest,
            received_at,
            work,
            counts_since: self.counts_since(),
        }));
        self.queue.begin_coming(hotkey);
        self.commit(vec![write], ctx, move |this, result, ctx| {
            this.queue.end_coming(&hotkey);
            match result.map(|written| written.into_iter().next()) {
                Ok(Some(Written::Submission { id, is_new: true })) => {
                    this.queue.add(row, Some(digest));
                    this.watch(id, true, wait, reply, ctx);
                    this.evaluate_due(ctx);
                }
                Ok(Some(Written::Submission { id, is_new: false })) if this.queue.contains(&id) => {
                    this.watch(id, false, wait, reply, ctx);
                }
                Ok(Some(Written::Submission { id, is_new: false })) => this.tell_known(id, reply, ctx),
                Ok(Some(Written::NoMiner)) => reply.answer(Err(Refusal::MinerUnknown)),
                Ok(_) => reply.answer(Err(Refusal::Unavailable)),
                Err(error) => {
                    this.take_up_again(error.as_ref(), row, ctx);
                    reply.answer(Err(Refusal::Unavailable));
                }
            }
        });
    }

    /// If nobody knows whether it was stored, the store says so, once it can be read.
    fn take_up_again(&mut self, error: Option<&StoreError>, row: SubmissionRow, ctx: &mut Context<Self>) {
        if error.is_some_and(|error| error.action() != StoreAction::Stop) {
            return;
        }
        let stored = self.parts.store.submission(row.id);
        ctx.spawn(wrap_future::<_, Self>(stored).map(|stored, this, ctx| {
            if let Ok(Some(row)) = stored
                && row.evaluated.is_none()
                && !this.queue.contains(&row.id)
            {
                this.queue.add(row, None);
                this.evaluate_due(ctx);
            }
        }));
    }

    /// Tells of the result once it is there, or after `wait` that it is not.
    fn watch(&mut self, id: SubmissionId, is_new: bool, wait: Span, reply: Watcher, ctx: &mut Context<Self>) {
        if let Some(number) = self.queue.watch(&id, is_new, reply) {
            ctx.run_later(wait.to_std(), move |this, _| this.queue.call_off(&id, number));
        }
    }

    /// Tells of work that was evaluated before.
    fn tell_known(&mut self, id: SubmissionId, reply: Watcher, ctx: &mut Context<Self>) {
        let stored = self.parts.store.submission(id);
        ctx.spawn(wrap_future(async move {
            reply.answer(match stored.await {
                Ok(Some(row)) => Ok(Submitted { row, is_new: false }),
                // It was removed a moment ago: it may come again.
                Ok(None) => Err(Refusal::Busy),
                Err(_) => Err(Refusal::Unavailable),
            });
        }));
    }
}
