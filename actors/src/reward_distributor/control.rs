//! What admins may tell the reward distributor, and what it shows. Settings are stored before they hold.

use std::collections::BTreeMap;

use actix::prelude::*;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::rewards::Source;
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::units::{Amount, BasisPoints};
use serde_json::json;

use super::messages::{DistributorControl, DrainRounds, ReadSchedule, ScheduleView};
use super::{Cause, RewardDistributor};
use crate::ask::{Ask, Port, ReplyTo};
use crate::control::Controlled;
use crate::ledger::messages::Commit;
use crate::setting::HasSettings;

const RUN_INTERVAL: &str = "rewards.run_interval_millis";
const FEE: &str = "rewards.fee_bps";
const EMISSION: &str = "rewards.emission_sats";
const PAUSED: &str = "rewards.paused";
const RESET_AT: &str = "rewards.schedule_reset_at_millis";

/// Settings that an admin changed in an earlier life and that override the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoredTerms {
    /// How often a round closes.
    pub run_interval: Option<Span>,
    /// The operator's fee.
    pub fee: Option<BasisPoints>,
    /// What every round emits.
    pub emission: Option<Amount>,
    /// Whether rounds are paused.
    pub paused: bool,
    /// When the schedule was reset last.
    pub reset_at: Option<Timestamp>,
}

impl StoredTerms {
    /// Reads them from the stored settings.
    pub fn read(settings: &BTreeMap<String, String>) -> Self {
        let number = |key: &str| settings.get(key)?.parse::<u64>().ok();
        Self {
            run_interval: number(RUN_INTERVAL).map(Span::from_millis),
            fee: number(FEE).and_then(|points| BasisPoints::new(u16::try_from(points).ok()?)),
            emission: number(EMISSION).and_then(Amount::from_sats),
            paused: settings.get(PAUSED).is_some_and(|value| value == "true"),
            reset_at: settings
                .get(RESET_AT)
                .and_then(|value| value.parse().ok())
                .map(Timestamp::from_millis),
        }
    }
}

impl Handler<Ask<DistributorControl>> for RewardDistributor {
    type Result = ();

    fn handle(&mut self, ask: Ask<DistributorControl>, ctx: &mut Self::Context) {
        let reply = ask.reply;
        let order = reply.span();
        let _said_of_it = order.enter();
        match ask.payload {
            DistributorControl::SetRunInterval(interval) => {
                if interval == Span::default() {
                    return reply.answer(Err(Refusal::ControlRefused(
                        "an interval is at least 1 second".to_owned(),
                    )));
                }
                let millis = interval.millis().to_string();
                // Zero is the only interval that is refused, and it was refused above.
                let mut then = self.parts.schedule;
                let _changed = then.set_interval(interval);
                let done = json!({
                    "run_interval_secs": interval.secs(),
                    "next_round_at_millis": self.parts.clock.date_of(then.next_at()).millis(),
                });
                self.store_then(RUN_INTERVAL, millis, done, reply, ctx, move |this| {
                    log::info!("run interval changed run_interval_secs={}", interval.secs());
                    let _changed = this.parts.schedule.set_interval(interval);
                });
            }
            DistributorControl::SetFee(fee) => {
                let done = json!({ "fee_bps": fee.get() });
                self.store_then(FEE, fee.get().to_string(), done, reply, ctx, move |this| {
                    log::info!("fee changed fee_bps={}", fee.get());
                    this.parts.terms.fee = fee;
                });
            }
            DistributorControl::SetEmission(_) if self.parts.terms.source != Source::Emission => {
                reply.answer(Err(Refusal::ControlRefused(
                    "rewards come from blocks: rewards.source says so".to_owned(),
                )));
            }
            DistributorControl::SetEmission(emission) => {
                let done = json!({ "emission_sats": emission.sats() });
                let sats = emission.sats().to_string();
                self.store_then(EMISSION, sats, done, reply, ctx, move |this| {
                    log::info!("emission changed emission_sats={emission}");
                    this.parts.terms.emission = emission;
                });
            }
            DistributorControl::Pause => {
                let done = json!({ "paused": true });
                self.store_then(PAUSED, "true".to_owned(), done, reply, ctx, |this| {
                    log::warn!("reward rounds paused");
                    this.parts.paused = true;
                });
            }
            DistributorControl::Resume => {
                let done = json!({ "paused": false });
                self.store_then(PAUSED, "false".to_owned(), done, reply, ctx, |this| {
                    log::warn!("reward rounds resumed");
                    this.parts.paused = false;
                });
            }
            DistributorControl::ResetSchedule => self.reset_schedule(reply, ctx),
            DistributorControl::DistributeNow => self.distribute_now(reply, ctx),
        }
    }
}

impl HasSettings for RewardDistributor {
    fn ledger(&self) -> &Port<Commit> {
        &self.parts.ledger
    }

    fn setting_changed(&mut self, ctx: &mut Context<Self>) {
        self.poke(ctx);
    }
}

impl RewardDistributor {
    /// The date at which the next round is due.
    fn next_round_at(&self) -> Timestamp {
        self.parts.clock.date_of(self.parts.schedule.next_at())
    }

    /// Counts from now on. Rounds keep their numbers and the shares that they have, so nothing is paid twice.
    fn reset_schedule(&mut self, reply: ReplyTo<Controlled>, ctx: &mut Context<Self>) {
        if self.is_closing {
            return reply.answer(Err(Refusal::ControlRefused(
                "a round is being closed; ask again".to_owned(),
            )));
        }
        let now = self.parts.clock.now();
        let at = self.parts.clock.date_of(now).millis().to_string();
        let missed = self.parts.schedule.missed(now);
        let mut then = self.parts.schedule;
        then.reset(now);
        let done = json!({
            "missed_rounds_forgotten": missed,
            "next_round_at_millis": self.parts.clock.date_of(then.next_at()).millis(),
        });
        self.store_then(RESET_AT, at, done, reply, ctx, move |this| {
            // A round that began meanwhile counts from its own closing.
            if !this.is_closing {
                this.parts.schedule.reset(now);
            }
            log::warn!("the schedule of rounds was reset; missed rounds forgotten: {missed}");
        });
    }

    fn distribute_now(&mut self, reply: ReplyTo<Controlled>, ctx: &mut Context<Self>) {
        if self.is_draining {
            return reply.answer(Err(Refusal::ControlRefused("the pool is draining".to_owned())));
        }
        if self.is_closing {
            return reply.answer(Err(Refusal::ControlRefused(
                "a round is being closed; ask again".to_owned(),
            )));
        }
        if let Some(refused) = &self.news.refused {
            return reply.answer(Err(Refusal::ControlRefused(refused.clone())));
        }
        if !self.news.is_confirmed {
            return reply.answer(Err(Refusal::ControlRefused(
                "the clock is not confirmed yet after the start; ask again in a minute".to_owned(),
            )));
        }
        match self.parts.schedule.now(self.parts.clock.now()) {
            Ok(round) => self.close_round(round, Cause::Admin(Box::new(reply)), ctx),
            Err(error) => reply.answer(Err(Refusal::ControlRefused(error.to_string()))),
        }
    }
}

impl Handler<Ask<ReadSchedule>> for RewardDistributor {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadSchedule>, _: &mut Self::Context) {
        let terms = &self.parts.terms;
        ask.reply.answer(ScheduleView {
            scheme: terms.scheme,
            source: terms.source,
            fee: terms.fee,
            window: terms.window,
            emission: (terms.source == Source::Emission).then_some(terms.emission),
            run_interval: self.parts.schedule.interval(),
            next_round_at: self.next_round_at(),
            last_round: self.parts.last_round.as_ref().map(|last| last.id),
            paused: self.parts.paused,
            missed: self.parts.schedule.missed(self.parts.clock.now()),
        });
    }
}

impl Handler<Ask<DrainRounds>> for RewardDistributor {
    type Result = ();

    fn handle(&mut self, ask: Ask<DrainRounds>, _: &mut Self::Context) {
        self.is_draining = true;
        if self.is_closing {
            self.drained.push(ask.reply);
        } else {
            ask.reply.answer(());
        }
    }
}
