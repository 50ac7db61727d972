//! How evaluation goes, and what admins and miners tell it beside work.

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::evaluation::{BreakerState, SubmissionId};
use dwarves_domain::refusal::Refusal;
use dwarves_ports::store::Write;
use serde_json::{Value, json};

use super::WorkEvaluator;
use super::messages::{EndpointView, EvaluatorControl, EvaluatorView, ReadEvaluator, RemoveSubmission};
use crate::ask::{Ask, ReplyTo};
use crate::control::Controlled;
use crate::work_manager::messages::HoldWork;

impl WorkEvaluator {
    fn view(&self) -> EvaluatorView {
        let now = self.parts.clock.now();
        let endpoints: Vec<_> = self
            .endpoints
            .iter()
            .map(|endpoint| EndpointView {
                name: endpoint.name.clone(),
                breaker: endpoint.breaker.state(now),
                at_work: endpoint.at_work,
                answers: endpoint.answers,
                failures: endpoint.failures,
            })
            .collect();
        let away: Vec<_> = endpoints
            .iter()
            .filter(|endpoint| endpoint.breaker != BreakerState::Closed)
            .map(|endpoint| endpoint.name.as_str())
            .collect();
        let hindrance = (!away.is_empty()).then(|| {
            format!(
                "evaluator_away: {} of {} fail time after time ({}); what is submitted waits",
                away.len(),
                endpoints.len(),
                away.join(", ")
            )
        });
        EvaluatorView {
            waiting: self.queue.waiting(),
            at_work: endpoints.iter().map(|endpoint| endpoint.at_work).sum(),
            endpoints,
            evaluated: self.evaluated,
            faults: self.faults.clone(),
            is_held: !self.holds.is_empty(),
            hindrance,
        }
    }

    fn remove(
        &mut self,
        id: SubmissionId,
        ctx: &mut Context<Self>,
        then: impl FnOnce(Result<(), Refusal>) + 'static,
    ) {
        let writes = vec![Write::RemoveSubmission { id }];
        self.commit(writes, ctx, move |this, result, _| {
            let done = result.map(drop).map_err(|_| Refusal::Unavailable);
            if done.is_ok() {
                drop(this.queue.remove(&id));
            }
            then(done);
        });
    }

    fn remove_by_order(&mut self, id: SubmissionId, reply: ReplyTo<Controlled>, ctx: &mut Context<Self>) {
        let done = json!({ "submission": id.to_string(), "removed": true });
        let writes = reply.commit(vec![Write::RemoveSubmission { id }], &done);
        self.commit(writes, ctx, move |this, result, _| match result {
            Ok(written) => {
                log::warn!("submission={id} is removed");
                drop(this.queue.remove(&id));
                reply.committed(&written);
                reply.answer(crate::control::done(done, &written));
            }
            Err(_) => reply.answer(Err(Refusal::Unavailable)),
        });
    }
}

impl EvaluatorView {
    /// As `status` shows it.
    pub fn to_json(&self) -> Value {
        let endpoints = self.endpoints.iter().map(|endpoint| {
            json!({
                "evaluator": endpoint.name,
                "breaker": endpoint.breaker.name(),
                "at_work": endpoint.at_work,
                "answers": endpoint.answers,
                "failures": endpoint.failures,
            })
        });
        let faults = self.faults.iter();
        let faults: serde_json::Map<_, _> = faults
            .map(|(fault, count)| (fault.name().to_owned(), json!(count)))
            .collect();
        json!({
            "waiting": self.waiting,
            "at_work": self.at_work,
            "evaluated": self.evaluated,
            "faults": faults,
            "evaluators": endpoints.collect::<Vec<_>>(),
        })
    }
}

impl Handler<Ask<ReadEvaluator>> for WorkEvaluator {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadEvaluator>, _: &mut Self::Context) {
        ask.reply.answer(self.view());
    }
}

impl Handler<Ask<HoldWork>> for WorkEvaluator {
    type Result = ();

    /// Nothing is taken while it holds; what was taken is evaluated all the same.
    fn handle(&mut self, ask: Ask<HoldWork>, _: &mut Self::Context) {
        let HoldWork { why, holds } = ask.payload;
        if holds {
            self.holds.insert(why);
        } else {
            self.holds.remove(&why);
        }
        ask.reply.answer(());
    }
}

impl Handler<Ask<EvaluatorControl>> for WorkEvaluator {
    type Result = ();

    fn handle(&mut self, ask: Ask<EvaluatorControl>, ctx: &mut Self::Context) {
        match ask.payload {
            EvaluatorControl::Status => ask.reply.answer(Ok(self.view().to_json())),
            EvaluatorControl::RemoveSubmission(id) => {
                let stored = self.parts.store.submission(id);
                let reply = ask.reply;
                ctx.spawn(
                    wrap_future::<_, Self>(stored).map(move |stored, this, ctx| match stored {
                        Ok(Some(_)) => this.remove_by_order(id, reply, ctx),
                        Ok(None) => {
                            let why = format!("there is no submission {id}");
                            reply.answer(Err(Refusal::ControlRefused(why)));
                        }
                        Err(_) => reply.answer(Err(Refusal::Unavailable)),
                    }),
                );
            }
        }
    }
}

impl Handler<Ask<RemoveSubmission>> for WorkEvaluator {
    type Result = ();

    fn handle(&mut self, ask: Ask<RemoveSubmission>, ctx: &mut Self::Context) {
        let RemoveSubmission { id, owner } = ask.payload;
        let stored = self.parts.store.submission(id);
        let reply = ask.reply;
        ctx.spawn(
            wrap_future::<_, Self>(stored).map(move |stored, this, ctx| match stored {
                Ok(Some(row)) if row.hotkey == owner => {
                    this.remove(id, ctx, |done| reply.answer(done.map(|()| true)));
                }
                Ok(_) => reply.answer(Ok(false)),
                Err(_) => reply.answer(Err(Refusal::Unavailable)),
            }),
        );
    }
}
