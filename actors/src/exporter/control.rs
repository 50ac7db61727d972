//! What the paymaster is asked elsewhere: settings, holds, and how payouts are.

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::refusal::Refusal;
use dwarves_ports::store::Write;
use serde_json::json;

use super::Exporter;
use crate::ask::{Ask, Port, ReplyTo};
use crate::control::Controlled;
use crate::control::hold::{Hold, HoldPayouts};
use crate::ledger::messages::Commit;
use crate::paymaster::PaymasterSettings;
use crate::paymaster::comparison::RESTORED;
use crate::paymaster::messages::{DrainPayouts, PaymasterControl, PayoutsView, ReadPayouts, ReadWaiting};
use crate::paymaster::switches::PayoutSwitches;
use crate::setting::HasSettings;

impl Handler<Ask<PaymasterControl>> for Exporter {
    type Result = ();

    fn handle(&mut self, ask: Ask<PaymasterControl>, ctx: &mut Self::Context) {
        let reply = ask.reply;
        let order = reply.span();
        let _said_of_it = order.enter();
        match ask.payload {
            PaymasterControl::Pause => self.set_paused(true, reply, ctx),
            PaymasterControl::Resume => self.set_paused(false, reply, ctx),
            PaymasterControl::SetThreshold(threshold) => self.set_threshold(threshold, reply, ctx),
            PaymasterControl::Release(hold) => self.release(hold, reply, ctx),
            PaymasterControl::PayNow { .. }
            | PaymasterControl::Cancel(_)
            | PaymasterControl::Adopt { .. } => {
                let why =
                    "this pool has no wallet: payout_exporter export begins a batch, which you send yourself";
                reply.answer(Err(Refusal::ControlRefused(why.to_owned())));
            }
        }
    }
}

impl HasSettings for Exporter {
    fn ledger(&self) -> &Port<Commit> {
        &self.parts.ledger
    }

    fn setting_changed(&mut self, ctx: &mut Context<Self>) {
        self.look(ctx);
    }
}

impl PayoutSwitches for Exporter {
    const WHY_NOT_LESS: &'static str = "";

    fn view_mut(&mut self) -> &mut PayoutsView {
        &mut self.view
    }

    fn settings_mut(&mut self) -> &mut PaymasterSettings {
        &mut self.parts.settings
    }
}

impl Exporter {
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
        if hold != Hold::Restored {
            self.lift(hold);
            let left = self.view.holds.to_json();
            return reply.answer(Ok(json!({ "released": hold.name(), "holds": left })));
        }
        // What the ledger says of it is taken out first, so that it does not come back with the next start.
        let done = json!({ "released": hold.name() });
        let write = Write::SaveSetting {
            key: RESTORED.to_owned(),
            value: None,
        };
        let writes = reply.commit(vec![write], &done);
        let Ok(answer) = self.parts.ledger.post(Commit { writes }) else {
            return reply.answer(Err(Refusal::Busy));
        };
        ctx.spawn(
            wrap_future::<_, Self>(answer).map(move |answer, this, _| match answer {
                Ok(Ok(written)) => {
                    this.lift(hold);
                    reply.committed(&written);
                    reply.answer(crate::control::done(done, &written));
                }
                Ok(Err(_)) | Err(_) => reply.answer(Err(Refusal::Unavailable)),
            }),
        );
    }

    fn lift(&mut self, hold: Hold) {
        self.view.holds.apply(HoldPayouts { hold, detail: None });
    }
}

impl Handler<HoldPayouts> for Exporter {
    type Result = ();

    fn handle(&mut self, told: HoldPayouts, _: &mut Self::Context) {
        self.view.holds.apply(told);
    }
}

impl Handler<Ask<ReadPayouts>> for Exporter {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadPayouts>, _: &mut Self::Context) {
        ask.reply.answer(self.view.clone());
    }
}

impl Handler<Ask<ReadWaiting>> for Exporter {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadWaiting>, _: &mut Self::Context) {
        ask.reply.answer(self.waiting.get(&ask.payload.hotkey).copied());
    }
}

impl Handler<Ask<DrainPayouts>> for Exporter {
    type Result = ();

    fn handle(&mut self, ask: Ask<DrainPayouts>, ctx: &mut Self::Context) {
        self.is_draining = true;
        for (_, reply) in self.orders.drain(..) {
            let why = "the pool is draining".to_owned();
            reply.answer(Err(Refusal::ControlRefused(why)));
        }
        self.drained.push(ask.reply);
        self.go_on(ctx);
    }
}
