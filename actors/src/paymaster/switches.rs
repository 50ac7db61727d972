//! Settings of payouts that admins change: the same ones, whoever sends payouts.

use actix::prelude::*;
use dwarves_domain::payouts::PlanRules;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::units::Amount;
use serde_json::json;

use super::PaymasterSettings;
use super::messages::PayoutsView;
use crate::ask::ReplyTo;
use crate::control::Controlled;
use crate::setting::HasSettings;

/// The setting of the balance from which miners are paid.
pub(super) const THRESHOLD: &str = "payouts.threshold_sats";
/// The setting that says whether payouts are paused.
pub(super) const PAUSED: &str = "payouts.paused";

/// An actor whose payouts admins pause, and whose threshold they set.
pub(crate) trait PayoutSwitches: HasSettings {
    /// What is added where a threshold is refused that is less than the least one.
    const WHY_NOT_LESS: &'static str;

    /// How its payouts are shown.
    fn view_mut(&mut self) -> &mut PayoutsView;

    /// Its settings.
    fn settings_mut(&mut self) -> &mut PaymasterSettings;

    /// Goes by it that payouts are paused, or no longer.
    fn paused_changed(&mut self) {}

    /// Pauses payouts, or resumes them.
    fn set_paused(&mut self, paused: bool, reply: ReplyTo<Controlled>, ctx: &mut Context<Self>) {
        let done = json!({ "paused": paused });
        self.store_then(PAUSED, paused.to_string(), done, reply, ctx, move |this| {
            log::warn!("payouts {}", if paused { "paused" } else { "resumed" });
            this.view_mut().paused = paused;
            this.paused_changed();
        });
    }

    /// Sets the balance from which miners are paid who chose none.
    fn set_threshold(&mut self, threshold: Amount, reply: ReplyTo<Controlled>, ctx: &mut Context<Self>) {
        let rules = self.settings_mut().rules();
        let least = PlanRules { threshold, ..rules }.threshold_of(None);
        if threshold < least {
            let why = format!("threshold_sats must be at least {least}{}", Self::WHY_NOT_LESS);
            return reply.answer(Err(Refusal::ControlRefused(why)));
        }
        let value = threshold.sats().to_string();
        let done = json!({ "threshold_sats": threshold.sats() });
        self.store_then(THRESHOLD, value, done, reply, ctx, move |this| {
            log::info!("payout threshold changed threshold_sats={threshold}");
            this.settings_mut().threshold = threshold;
            this.view_mut().threshold = threshold;
        });
    }
}
