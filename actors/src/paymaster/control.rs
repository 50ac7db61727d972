//! What admins may tell the paymaster, and what it shows. Settings are stored before they hold.

use std::collections::BTreeMap;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::ids::PayoutId;
use dwarves_domain::payouts::{Held, PayoutState, PlanDigest, Transition, WhyHeld};
use dwarves_domain::refusal::Refusal;
use dwarves_domain::units::Amount;
use dwarves_ports::store::Write;
use serde_json::{Value, json};
use tracing::Instrument;

use super::comparison::{Compared, RESTORED};
use super::errand::{Report, Settle};
use super::machine::Machine;
use super::messages::{DrainPayouts, PaymasterControl, PayoutsView, ReadPayouts, ReadWaiting};
use super::switches::{PAUSED, PayoutSwitches, THRESHOLD};
use super::{Paymaster, PaymasterSettings, WISHES_MAX, Wish};
use crate::ask::{Ask, Port, ReplyTo};
use crate::audit::Order;
use crate::control::Controlled;
use crate::control::hold::{Hold, HoldPayouts};
use crate::ledger::messages::Commit;
use crate::setting::HasSettings;
use crate::spans;

/// Settings that an admin changed in an earlier life and that override the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredPayoutSettings {
    /// The balance from which miners are paid who chose none.
    pub threshold: Option<Amount>,
    /// Whether payouts are paused.
    pub paused: bool,
    /// What of the wallet's history was compared with the ledger.
    pub compared: Option<Compared>,
    /// What the ledger says if it was restored from a backup and nothing was settled since.
    pub restored: Option<String>,
}

impl StoredPayoutSettings {
    /// Reads them from the stored settings.
    pub fn read(settings: &BTreeMap<String, String>) -> Self {
        let threshold = settings.get(THRESHOLD).and_then(|value| value.parse().ok());
        Self {
            threshold: threshold.and_then(Amount::from_sats),
            paused: settings.get(PAUSED).is_some_and(|value| value == "true"),
            compared: Compared::read(settings),
            restored: settings.get(RESTORED).cloned(),
        }
    }
}

/// Balances that wait, as JSON by reason.
pub(crate) fn held(held: &BTreeMap<WhyHeld, Held>) -> Value {
    let of_reason = |(why, held): (&WhyHeld, &Held)| {
        let sums = json!({ "miners": held.miners, "amount_sats": held.amount.sats() });
        (why.name().to_owned(), sums)
    };
    Value::Object(held.iter().map(of_reason).collect())
}

/// What a payout that was asked for came to.
pub(super) fn paid_now(report: &Report) -> Controlled {
    if report.is_other_plan {
        let why = "plan: something else is due by now; ask for another dry run, and look at it";
        return Err(Refusal::ControlRefused(why.to_owned()));
    }
    let troubles: Vec<String> = report.troubles.iter().map(ToString::to_string).collect();
    if report.begun.is_none() && !troubles.is_empty() {
        return Err(Refusal::ControlRefused(troubles.join("; ")));
    }
    let begun = report.begun;
    let open = report.open.iter().flat_map(|(open, _)| open);
    let open = open.into_iter().find(|open| Some(open.id) == begun);
    let plan = report.plan.as_ref();
    Ok(json!({
        "dry_run": false,
        "payout": begun.map(|id| id.get()),
        "state": open.map(|open| open.state.name()),
        "txid": open.and_then(|open| open.txid).map(|txid| txid.to_string()),
        "miners": plan.map_or(0, |plan| plan.parts.len()),
        "total_sats": plan.map_or(0, |plan| plan.total.sats()),
        "held": plan.map(|plan| held(&plan.held)),
        "troubles": troubles,
    }))
}

/// What came of an order about what the ledger does not know.
pub(super) fn settled(report: &Report) -> Controlled {
    report.settled.clone().unwrap_or_else(|| {
        let troubles: Vec<String> = report.troubles.iter().map(ToString::to_string).collect();
        let why = match troubles.is_empty() {
            true => "nothing is booked while it is in doubt whether this is the ledger's chain".to_owned(),
            false => troubles.join("; "),
        };
        Err(Refusal::ControlRefused(why))
    })
}

impl PayoutsView {
    /// As the pool's status shows it.
    pub fn to_json(&self) -> Value {
        json!({
            "by_export": self.is_by_export,
            "paused": self.paused,
            "holds": self.holds.to_json(),
            "threshold_sats": self.threshold.sats(),
            "next_plan_at_millis": (!self.is_by_export).then(|| self.next_plan_at.millis()),
            "last_payout": self.last_payout.map(|id| id.get()),
            "open": self.open.iter().map(|open| json!({
                "payout": open.id.get(),
                "state": open.state.name(),
                "txid": open.txid.map(|txid| txid.to_string()),
                "confirmations": open.confirmations,
            })).collect::<Vec<_>>(),
            "settled": self.settled,
            "troubles": self.troubles.iter().map(|trouble| json!({
                "kind": trouble.kind.name(),
                "payout": trouble.payout.map(|id| id.get()),
                "detail": trouble.detail,
                "remedy": trouble.kind.remedy(),
            })).collect::<Vec<_>>(),
            "held": held(&self.held),
            "alarms": {
                "reorged": self.alarms.reorged,
                "returned": self.alarms.returned,
                "revived": self.alarms.revived,
            },
        })
    }
}

impl Handler<Ask<PaymasterControl>> for Paymaster {
    type Result = ();

    fn handle(&mut self, ask: Ask<PaymasterControl>, ctx: &mut Self::Context) {
        let reply = ask.reply;
        let order = reply.span();
        let _said_of_it = order.enter();
        match ask.payload {
            PaymasterControl::Pause => self.set_paused(true, reply, ctx),
            PaymasterControl::Resume => self.set_paused(false, reply, ctx),
            PaymasterControl::SetThreshold(threshold) => self.set_threshold(threshold, reply, ctx),
            PaymasterControl::PayNow { dry_run: true, .. } => self.wish(Wish::DryRun(reply), ctx),
            PaymasterControl::PayNow { dry_run: false, plan } => self.pay_now(plan, reply, ctx),
            PaymasterControl::Cancel(id) => self.wish(Wish::Cancel(id, reply), ctx),
            PaymasterControl::Release(hold) => self.release(hold, reply, ctx),
            PaymasterControl::Adopt { only, reserve_bears } => {
                self.settle(Settle::Adopt { only, reserve_bears }, reply, ctx);
            }
        }
    }
}

impl HasSettings for Paymaster {
    fn ledger(&self) -> &Port<Commit> {
        &self.parts.ledger
    }

    fn setting_changed(&mut self, ctx: &mut Context<Self>) {
        self.look(ctx);
    }
}

impl PayoutSwitches for Paymaster {
    const WHY_NOT_LESS: &'static str = ": less would be dust, which the network does not carry, or cost more than \
                                        payouts.fee_max_bps of itself to be paid";

    fn view_mut(&mut self) -> &mut PayoutsView {
        &mut self.view
    }

    fn settings_mut(&mut self) -> &mut PaymasterSettings {
        &mut self.parts.settings
    }

    fn paused_changed(&mut self) {
        self.set_gate();
    }
}

impl Paymaster {
    fn pay_now(&mut self, agreed: Option<PlanDigest>, reply: ReplyTo<Controlled>, ctx: &mut Context<Self>) {
        let refuse = |why: &str| Err(Refusal::ControlRefused(why.to_owned()));
        if self.is_draining {
            return reply.answer(refuse("the pool is draining"));
        }
        if self.view.paused {
            return reply.answer(refuse("payouts are paused; resume them first"));
        }
        if let Some(held) = self.view.holds.lines().next() {
            return reply.answer(Err(Refusal::ControlRefused(format!(
                "payouts are held by {held}"
            ))));
        }
        if self.asked_now.is_some() || self.paying.is_some() {
            return reply.answer(refuse("a payout is being made; ask again"));
        }
        self.asked_now = Some((agreed, reply));
        self.look(ctx);
    }

    /// Grants a wish once no look is under way.
    fn wish(&mut self, wish: Wish, ctx: &mut Context<Self>) {
        if self.is_draining {
            return wish.answer(Err(Refusal::ControlRefused("the pool is draining".to_owned())));
        }
        if self.wishes.len() >= WISHES_MAX {
            return wish.answer(Err(Refusal::Busy));
        }
        if self.is_looking {
            self.wishes.push_back(wish);
        } else {
            self.grant(wish, ctx);
        }
    }

    /// Grants a wish; no look begins meanwhile.
    pub(super) fn grant(&mut self, wish: Wish, ctx: &mut Context<Self>) {
        self.is_looking = true;
        let mut machine = self.machine(self.errand.clone());
        machine.order = wish.order();
        let (holds, paused) = (self.view.holds.clone(), self.view.paused);
        let span = machine.order_span();
        let granted = async move {
            match wish {
                Wish::DryRun(reply) => reply.answer(machine.dry_run(holds, paused).await),
                Wish::Cancel(id, reply) => {
                    let cancelled = machine.cancel(id).instrument(spans::of_payout(id));
                    reply.answer(cancelled.await);
                }
            }
        };
        let granted = granted.instrument(span);
        let granted = wrap_future::<_, Self>(granted);
        ctx.spawn(granted.map(|(), this, ctx| {
            this.free(ctx);
            this.look(ctx);
        }));
    }
}

impl Wish {
    fn order(&self) -> Option<Order> {
        match self {
            Self::DryRun(reply) | Self::Cancel(_, reply) => reply.order().cloned(),
        }
    }

    pub(super) fn answer(self, outcome: Controlled) {
        match self {
            Self::DryRun(reply) | Self::Cancel(_, reply) => reply.answer(outcome),
        }
    }
}

impl Machine {
    /// Gives a payout up that is set aside and not signed.
    async fn cancel(mut self, id: PayoutId) -> Controlled {
        let payout = match self.store.payout(id).await {
            Ok(Some(payout)) => payout,
            Ok(None) => return Err(Refusal::ControlRefused(format!("there is no payout {id}"))),
            Err(_) => return Err(Refusal::Unavailable),
        };
        match payout.state {
            PayoutState::Reserved | PayoutState::Cancelled => {}
            state => {
                return Err(Refusal::ControlRefused(format!(
                    "payout {id} is {state}: what is signed may be in anybody's hands, so it is never given up; its \
                     money returns once another transaction that spends its coins is deep"
                )));
            }
        }
        let note = "given up by an admin".to_owned();
        let done = json!({
            "payout": id.get(),
            "state": PayoutState::Cancelled.name(),
            "returned_sats": payout.total().sats(),
        });
        let step = Transition::Cancel(note);
        let at = self.clock.date();
        self.tell(id, &step);
        let write = Write::StepPayout { id, step, at };
        match self.commit_order(vec![write], &done).await {
            Ok(_) => Ok(done),
            Err(_) => Err(Refusal::Unavailable),
        }
    }
}

impl Handler<Ask<ReadWaiting>> for Paymaster {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadWaiting>, _: &mut Self::Context) {
        ask.reply.answer(self.waiting.get(&ask.payload.hotkey).copied());
    }
}

impl Paymaster {
    /// Lets the next look settle what the ledger does not know.
    fn settle(&mut self, settle: Settle, reply: ReplyTo<Controlled>, ctx: &mut Context<Self>) {
        if self.is_draining {
            return reply.answer(Err(Refusal::ControlRefused("the pool is draining".to_owned())));
        }
        if self.to_settle.is_some() || self.settling.is_some() {
            return reply.answer(Err(Refusal::Busy));
        }
        self.to_settle = Some((settle, reply));
        self.look(ctx);
    }

    /// Lifts a hold by an operator's order.
    fn release(&mut self, hold: Hold, reply: ReplyTo<Controlled>, ctx: &mut Context<Self>) {
        if !self.view.holds.contains(hold) {
            let why = format!("payouts are not held by {hold}");
            return reply.answer(Err(Refusal::ControlRefused(why)));
        }
        if !hold.may_be_released() {
            let why = format!("{hold} cannot be lifted by hand: {}", hold.remedy());
            return reply.answer(Err(Refusal::ControlRefused(why)));
        }
        if hold == Hold::Restored {
            return self.settle(Settle::Release, reply, ctx);
        }
        let lifted = HoldPayouts { hold, detail: None };
        self.view.holds.apply(lifted);
        self.set_gate();
        let left = self.view.holds.to_json();
        reply.answer(Ok(json!({ "released": hold.name(), "holds": left })));
        self.look(ctx);
    }
}

impl Handler<Ask<ReadPayouts>> for Paymaster {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadPayouts>, _: &mut Self::Context) {
        // Plans are made in running time; a date is what others want to see.
        ask.reply.answer(PayoutsView {
            next_plan_at: self.parts.clock.date_of(self.view.next_plan_at),
            ..self.view.clone()
        });
    }
}

impl Handler<Ask<DrainPayouts>> for Paymaster {
    type Result = ();

    fn handle(&mut self, ask: Ask<DrainPayouts>, _: &mut Self::Context) {
        self.is_draining = true;
        if let Some((_, reply)) = self.to_settle.take() {
            reply.answer(Err(Refusal::ControlRefused("the pool is draining".to_owned())));
        }
        if let Some((_, reply)) = self.asked_now.take() {
            reply.answer(Err(Refusal::ControlRefused("the pool is draining".to_owned())));
        }
        for wish in self.wishes.drain(..) {
            wish.answer(Err(Refusal::ControlRefused("the pool is draining".to_owned())));
        }
        if self.is_looking {
            self.drained.push(ask.reply);
        } else {
            ask.reply.answer(());
        }
    }
}
