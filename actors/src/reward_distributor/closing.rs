//! A round on its way into the ledger.

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::ids::RoundId;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::rewards::{self, ClosedRound};
use dwarves_domain::rounds::DueRound;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::units::Amount;
use dwarves_ports::clock::Moment;
use dwarves_ports::store::reads::LastRound;
use dwarves_ports::store::{StoreAction, StoreError, Write};
use serde_json::{Value, json};
use tracing::{Instrument, Span as LogSpan};

use super::round_input::{Gathered, gather};
use super::{Cause, InFlight, RETRY_AFTER, RewardDistributor};
use crate::ask::AskError;
use crate::ledger::messages::Commit;
use crate::meter;
use crate::spans;

/// A round that is closed so soon after it was due takes all shares that are there: their dates do not matter.
const PUNCTUAL: Span = Span::from_secs(2);

/// What is said of a closed round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Summary {
    id: RoundId,
    reward: Amount,
    credited: Amount,
    fee: Amount,
    miners: usize,
}

impl Summary {
    /// As an admin is told.
    fn to_json(self) -> Value {
        json!({
            "round": self.id.get(),
            "reward_sats": self.reward.sats(),
            "credited_sats": self.credited.sats(),
            "fee_sats": self.fee.sats(),
        })
    }
}

impl RewardDistributor {
    /// Closes `round`: gathers its input, closes it by the rules, and commits it.
    pub(super) fn close_round(&mut self, round: DueRound, cause: Cause, ctx: &mut Context<Self>) {
        self.is_closing = true;
        let span = spans::of_round(round.id);
        let began = Moment::now();
        let store = self.parts.store.clone();
        let clock = &self.parts.clock;
        let is_punctual = clock.now().since(round.closed_at) <= PUNCTUAL;
        // The schedule counts in running time; what is written down is a date.
        let dated = DueRound {
            id: round.id,
            closed_at: clock.date_of(round.closed_at),
        };
        let gathered = gather(
            store,
            dated,
            is_punctual,
            self.parts.terms,
            self.parts.last_round.clone(),
            self.parts.retention,
        );
        let gathered = gathered.instrument(span.clone());
        ctx.spawn(wrap_future::<_, Self>(gathered).map(move |gathered, this, ctx| {
            let _said_of_it = span.enter();
            match gathered.map(|gathered| (rewards::close(&gathered.input), gathered)) {
                Ok((Ok(closed), gathered)) => {
                    let in_flight =
                        this.prepare(round, closed, gathered, (began, dated.closed_at), span.clone());
                    this.commit_round(in_flight, cause, ctx);
                }
                Ok((Err(error), _)) => {
                    // The rules refuse what the store says: going on could pay wrongly.
                    this.parts
                        .halt
                        .halt(&format!("round {} cannot be closed: {error}", round.id));
                    this.not_closed(cause, ctx);
                }
                Err(error) => this.not_gathered(round, &error, cause, ctx),
            }
        }));
    }

    fn not_gathered(&mut self, round: DueRound, error: &StoreError, cause: Cause, ctx: &mut Context<Self>) {
        if error.action() == StoreAction::Stop {
            self.parts
                .halt
                .halt(&format!("round {} cannot be read: {error}", round.id));
        } else {
            tracing::warn!("round={} cannot be read, again soon: {error}", round.id);
        }
        self.not_closed(cause, ctx);
    }

    /// Nothing was committed: the schedule brings the same round up again.
    fn not_closed(&mut self, cause: Cause, ctx: &mut Context<Self>) {
        if let Cause::Admin(reply) = cause {
            reply.answer(Err(Refusal::Unavailable));
        }
        ctx.run_later(RETRY_AFTER, |this, ctx| this.finished(ctx));
    }

    fn prepare(
        &self,
        round: DueRound,
        closed: ClosedRound,
        gathered: Gathered,
        (began, closed_at): (Moment, Timestamp),
        span: LogSpan,
    ) -> InFlight {
        let through = gathered.through;
        let summary = Summary {
            id: closed.id,
            reward: closed.reward,
            credited: closed.credited,
            fee: closed.fee,
            miners: closed.credits.len(),
        };
        let last = LastRound {
            id: round.id,
            closed_at,
            through,
            emission_carried: closed.emitted.unwrap_or_default().carried,
            carried: closed.carried.clone(),
        };
        let mut writes = vec![Write::CloseRound {
            round: Box::new(closed),
            blocks: gathered.blocks,
            through,
        }];
        writes.extend(gathered.prunable.map(|through| Write::PruneShares { through }));
        writes.extend(self.parts.history.map(|kept| Write::PruneHistory {
            minutes: closed_at.minus(kept.minutes),
            hours: closed_at.minus(kept.hours),
            days: closed_at.minus(kept.days),
        }));
        InFlight {
            round,
            through,
            last,
            summary,
            writes,
            began,
            span,
        }
    }

    fn commit_round(&mut self, in_flight: InFlight, cause: Cause, ctx: &mut Context<Self>) {
        let writes = in_flight.writes.clone();
        let writes = match &cause {
            Cause::Admin(reply) => reply.commit(writes, &in_flight.summary.to_json()),
            Cause::Due => writes,
        };
        let answer = match self.parts.ledger.post(Commit { writes }) {
            Ok(answer) => answer,
            Err(AskError::Gone) => return self.not_closed(cause, ctx),
            Err(_) => return self.commit_later(in_flight, cause, ctx),
        };
        let span = in_flight.span.clone();
        ctx.spawn(wrap_future::<_, Self>(answer).map(move |result, this, ctx| {
            let _said_of_it = span.enter();
            match result {
                Ok(Ok(written)) => {
                    if let Cause::Admin(reply) = &cause {
                        reply.committed(&written);
                    }
                    this.closed(in_flight, cause, ctx);
                }
                Ok(Err(error)) if error.action() == StoreAction::Stop => this.not_closed(cause, ctx),
                Ok(Err(error)) => {
                    tracing::warn!(
                        "round={} is not booked yet, again soon: {error}",
                        in_flight.round.id
                    );
                    this.commit_later(in_flight, cause, ctx);
                }
                Err(_) => this.not_closed(cause, ctx),
            }
        }));
    }

    fn commit_later(&mut self, in_flight: InFlight, cause: Cause, ctx: &mut Context<Self>) {
        ctx.run_later(RETRY_AFTER, move |this, ctx| {
            this.commit_round(in_flight, cause, ctx)
        });
    }

    fn closed(&mut self, in_flight: InFlight, cause: Cause, ctx: &mut Context<Self>) {
        let InFlight {
            round,
            through,
            last,
            summary,
            began,
            ..
        } = in_flight;
        meter::note_since(&meter::ROUND_CLOSED, began, 1);
        let lag = self.parts.clock.now().since(round.closed_at);
        meter::ROUND_LAG.note(lag.millis().saturating_mul(1_000_000), 1);
        self.parts.last_round = Some(last);
        if let Err(error) = self.parts.schedule.closed(round) {
            self.parts
                .halt
                .halt(&format!("the schedule of rounds is broken: {error}"));
        }
        let Summary {
            id,
            reward,
            credited,
            fee,
            miners,
        } = summary;
        let line = format_args!(
            "round closed round={id} reward_sats={reward} credited_sats={credited} fee_sats={fee} miners={miners} through={through}"
        );
        if reward == Amount::ZERO {
            tracing::debug!("{line}");
        } else {
            tracing::info!("{line}");
        }
        if let Cause::Admin(reply) = cause {
            reply.answer(Ok(summary.to_json()));
        }
        self.finished(ctx);
    }

    /// No round is in flight any more: the next one that is due may begin, or draining is done.
    fn finished(&mut self, ctx: &mut Context<Self>) {
        self.is_closing = false;
        if self.is_draining {
            for reply in self.drained.drain(..) {
                reply.answer(());
            }
        }
        self.poke(ctx);
    }
}
