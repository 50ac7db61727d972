//! Work goes to an evaluator, and its result into the ledger.

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::evaluation::{BreakerState, Failure, Fault, Outcome, read_answer};
use dwarves_domain::time::Span;
use dwarves_ports::evaluator::{EvaluationTask, EvaluatorError};
use dwarves_ports::store::{Evaluated, StoreAction, StoreError, SubmissionRow, Write};

use super::messages::Submitted;
use super::{GRACE, STORE_AGAIN, WorkEvaluator};

/// The longest wait before another try.
const RETRY_MAX: Span = Span::from_secs(300);

/// What came of one try.
enum Tried {
    /// The submission is not there any more.
    Gone,
    /// The store could not be read: nobody was asked.
    Unread(StoreError),
    /// An evaluator was asked.
    Asked(Result<Vec<u8>, EvaluatorError>),
}

impl WorkEvaluator {
    /// Hands out work as long as there is some that is due and an evaluator that has room.
    pub(super) fn evaluate_due(&mut self, ctx: &mut Context<Self>) {
        let now = self.parts.clock.now();
        while let Some(which) = self.free_endpoint() {
            let Some(row) = self.queue.take_due(now) else {
                return;
            };
            self.evaluate(which, row, ctx);
        }
    }

    /// The evaluator that has the least to do, of those whose breakers let one pass.
    fn free_endpoint(&self) -> Option<usize> {
        let now = self.parts.clock.now();
        let at_once = self.parts.settings.at_once;
        let free = self.endpoints.iter().enumerate().filter(|(_, endpoint)| {
            endpoint.at_work < at_once && endpoint.breaker.lets_pass(now, endpoint.at_work)
        });
        free.min_by_key(|(_, endpoint)| (endpoint.at_work, endpoint.answers))
            .map(|(which, _)| which)
    }

    fn evaluate(&mut self, which: usize, row: SubmissionRow, ctx: &mut Context<Self>) {
        self.endpoints[which].at_work += 1;
        let settings = &self.parts.settings;
        let (work, evaluator) = (
            self.parts.store.submitted_work(row.id),
            settings.evaluator.clone(),
        );
        let timeout = settings.timeout.to_std();
        let task = row.clone();
        let tried = async move {
            let work = match work.await {
                Ok(Some(work)) => work,
                Ok(None) => return Tried::Gone,
                Err(error) => return Tried::Unread(error),
            };
            let answer = evaluator.evaluate(
                which,
                EvaluationTask {
                    id: task.id,
                    hotkey: task.hotkey,
                    worker: task.worker,
                    received_at: task.received_at,
                    work,
                },
            );
            // It has a deadline of its own; what comes after this one nobody waits for.
            let answer = tokio::time::timeout(timeout + GRACE, answer).await;
            Tried::Asked(answer.unwrap_or(Err(EvaluatorError::Late(timeout))))
        };
        ctx.spawn(wrap_future::<_, Self>(tried).map(move |tried, this, ctx| {
            this.tried(which, row, tried, ctx);
        }));
    }

    fn tried(&mut self, which: usize, row: SubmissionRow, tried: Tried, ctx: &mut Context<Self>) {
        let answer = match tried {
            Tried::Asked(answer) => answer,
            Tried::Gone => {
                self.endpoints[which].at_work -= 1;
                self.forget(&row);
                return self.evaluate_due(ctx);
            }
            Tried::Unread(error) => {
                log::warn!("submission={} cannot be read, again soon: {error}", row.id);
                self.endpoints[which].at_work -= 1;
                return self.again(&row, 0);
            }
        };
        let measure = self.parts.settings.measure;
        let outcome = match answer {
            Ok(answer) => read_answer(&answer, measure),
            Err(EvaluatorError::Refused(why)) => Err(Failure::new(Fault::Refused, why)),
            Err(EvaluatorError::Away(why)) => {
                self.note_failure(which, None, &why);
                self.endpoints[which].at_work -= 1;
                // Nobody looked at the work: it waits for as long as it takes.
                self.again(&row, 0);
                return self.evaluate_due(ctx);
            }
            Err(error @ EvaluatorError::Late(_)) => Err(Failure::new(Fault::Late, error)),
            Err(error @ EvaluatorError::Failed(_)) => Err(Failure::new(Fault::Failed, error)),
        };
        // These are the evaluator's faults, and perhaps of this moment; the others are the work's, and for good.
        if let Err(failure) = &outcome
            && matches!(
                failure.fault,
                Fault::Late | Fault::Failed | Fault::Malformed | Fault::Missing
            )
        {
            self.note_failure(which, Some(&row), &failure.detail);
            if self.queue.tries(&row.id) + 1 < self.parts.settings.tries {
                self.endpoints[which].at_work -= 1;
                self.again(&row, 1);
                return self.evaluate_due(ctx);
            }
        } else {
            self.note_answer(which);
        }
        self.settle(which, row, outcome, ctx);
    }

    fn note_answer(&mut self, which: usize) {
        let now = self.parts.clock.now();
        let endpoint = &mut self.endpoints[which];
        endpoint.answers += 1;
        if endpoint.breaker.state(now) != BreakerState::Closed {
            log::info!("evaluator={} answers again", endpoint.name);
        }
        endpoint.breaker.succeeded();
    }

    fn note_failure(&mut self, which: usize, on: Option<&SubmissionRow>, why: &str) {
        let now = self.parts.clock.now();
        let endpoint = &mut self.endpoints[which];
        endpoint.failures += 1;
        let before = endpoint.breaker.state(now);
        endpoint.breaker.failed(now, on.map(|row| row.hotkey));
        let after = endpoint.breaker.state(now);
        if before != BreakerState::Open && after == BreakerState::Open {
            log::warn!("evaluator={} is left alone for a while: {why}", endpoint.name);
        } else {
            log::debug!("evaluator={} failed: {why}", endpoint.name);
        }
    }

    /// Puts a submission back into the line; `tried`: whether that was one of its tries.
    fn again(&mut self, row: &SubmissionRow, tried: u32) {
        let tries = self.queue.tries(&row.id) + tried;
        let doubled = self.parts.settings.retry_after.millis() << tries.saturating_sub(1).min(16);
        let wait = Span::from_millis(doubled).min(RETRY_MAX);
        let now = self.parts.clock.now();
        self.queue.put_back(row.id, tries, now.plus(wait));
    }

    /// Nobody has the submission any more: those who wait for it are told so.
    fn forget(&mut self, row: &SubmissionRow) {
        for (_, watcher) in self.queue.remove(&row.id) {
            drop(watcher);
        }
    }

    /// Stores what came of it, then tells. Its place with the evaluator stays taken until that is durable, so that never
    /// more results wait for the disk than there are places.
    fn settle(&mut self, which: usize, row: SubmissionRow, outcome: Outcome, ctx: &mut Context<Self>) {
        let evaluated = Evaluated {
            at: self.parts.clock.date(),
            outcome,
        };
        self.store_result(which, row, evaluated, ctx);
    }

    fn store_result(
        &mut self,
        which: usize,
        row: SubmissionRow,
        evaluated: Evaluated,
        ctx: &mut Context<Self>,
    ) {
        let write = Write::SettleSubmission {
            id: row.id,
            evaluated: evaluated.clone(),
            keep: self.parts.settings.history,
            counts_since: self.counts_since(),
        };
        self.commit(vec![write], ctx, move |this, result, ctx| match result {
            Ok(_) => {
                this.endpoints[which].at_work -= 1;
                this.settled(row, evaluated);
                this.evaluate_due(ctx);
            }
            Err(Some(error)) if error.action() == StoreAction::Stop => {
                log::error!("submission={} could not be stored: {error}", row.id);
                this.endpoints[which].at_work -= 1;
            }
            Err(_) => {
                ctx.run_later(STORE_AGAIN, move |this, ctx| {
                    this.store_result(which, row, evaluated, ctx);
                });
            }
        });
    }

    fn settled(&mut self, row: SubmissionRow, evaluated: Evaluated) {
        match &evaluated.outcome {
            Ok(_) => self.evaluated += 1,
            Err(failure) => {
                log::debug!("submission={} counts for nothing: {}", row.id, failure.fault);
                *self.faults.entry(failure.fault).or_default() += 1;
            }
        }
        let row = SubmissionRow {
            evaluated: Some(evaluated),
            ..row
        };
        for (is_new, watcher) in self.queue.remove(&row.id) {
            let row = row.clone();
            watcher.answer(Ok(Submitted { row, is_new }));
        }
    }
}
