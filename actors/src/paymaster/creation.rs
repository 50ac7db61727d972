//! Payouts that are to be: planned, tried, set aside, signed, stored, and only then sent.
//!
//! What a payout costs, and whether the node takes it, is known before any money is set aside. What is learnt from a
//! refusal is kept for the plans after it.

use std::collections::BTreeSet;

use dwarves_domain::ids::PayoutId;
use dwarves_domain::payouts::{
    FeeTerms, Funds, OutPoint, Payout, PayoutBatch, PayoutState, Plan, PlanDigest, Price, Purse, Transition,
    Txid, WhyHeld, plan,
};
use dwarves_domain::units::Amount;
use dwarves_ports::store::{Write, Written};
use dwarves_ports::wallet::{WalletAction, WalletError, WalletErrorKind};
use serde_json::json;
use tracing::Instrument;

use super::deadline::patiently;
use super::errand::{Ended, Errand, RefusedScript};
use super::machine::Machine;
use super::signing::{build_request, check_signed};
use super::trouble::{Trouble, TroubleKind};
use crate::spans;

/// Plans of one look: after each but the last something was learnt from the wallet's refusal.
const PLANS_MAX: u32 = 8;
/// Virtual bytes below which a transaction that is too large is not made any smaller.
const VBYTES_MIN: u64 = 300;

/// What became of making a payout.
pub(super) enum Made {
    /// It was signed, or there is nothing to be done any more.
    Done,
    /// The wallet cannot make it: its money is payable again.
    GivenUp(WalletError),
}

/// What is paid next, and the coins that it is paid from.
pub(super) struct Planned {
    pub(super) plan: Plan,
    pub(super) purse: Purse,
    pub(super) funds: Funds,
}

impl Machine {
    /// Plans a payout, asks whether the network takes it, sets its money aside and makes it.
    pub(super) async fn plan_and_make(&mut self, watched: &[Payout]) -> Result<(), Ended> {
        self.forget_old_refusals();
        let mut suspected = BTreeSet::new();
        for _ in 0..PLANS_MAX {
            let planned = self.plan(&suspected).await?;
            self.report
                .troubles
                .extend(planned.hindrances(&self.report.errand));
            let plan = planned.plan;
            self.report.plan = Some(plan.clone());
            let batch = self.batch(&plan)?;
            if let Some(agreed) = self.agreed
                && self.digest(&batch, plan.price)? != agreed
            {
                self.report.is_other_plan = true;
                return Ok(());
            }
            if plan.parts.is_empty() {
                return Ok(());
            }
            if !self.may_send() {
                return Ok(());
            }
            match patiently(self.wallet.check(build_request(&batch, self.terms()))).await {
                Ok(()) => {
                    let last = self.report.errand.last_payout;
                    let id = last.map_or(PayoutId::new(1), PayoutId::next);
                    let made = self.reserve_and_make(id, plan, watched);
                    return made.instrument(spans::of_payout(id)).await;
                }
                Err(error) if error.action() == WalletAction::Replan => {
                    suspected.extend(self.learn(&batch, error).await?);
                    // The next plan finds anew what hinders it.
                    self.report
                        .troubles
                        .retain(|trouble| !trouble.kind.is_of_planning());
                }
                Err(error) => return Err(Ended::Trouble(Trouble::of_wallet(&error))),
            }
        }
        let detail = format!("{PLANS_MAX} plans were refused, one after the other; it goes on soon");
        Err(Ended::Trouble(Trouble::new(TroubleKind::WalletRefused, detail)))
    }

    pub(super) fn batch(&self, plan: &Plan) -> Result<PayoutBatch, Ended> {
        let batch = PayoutBatch::new(plan.parts.clone(), self.settings.payer, self.settings.addresses);
        batch.map_err(|error| Ended::Trouble(Trouble::new(TroubleKind::AddressRefused, error.to_string())))
    }

    /// The name of what would be sent, as a dry run tells it.
    fn digest(&self, batch: &PayoutBatch, price: Option<Price>) -> Result<PlanDigest, Ended> {
        let parts = batch.parts_after(price.map_or(Amount::ZERO, |price| price.borne));
        let parts =
            parts.map_err(|error| Ended::Trouble(Trouble::new(TroubleKind::Ledger, error.to_string())))?;
        Ok(PlanDigest::of(self.settings.payer, &parts))
    }

    async fn reserve_and_make(&mut self, id: PayoutId, plan: Plan, watched: &[Payout]) -> Result<(), Ended> {
        if !self.may_send() {
            return Ok(());
        }
        let (payer, rate) = (self.settings.payer, self.settings.fee_rate);
        let payout = Payout::reserve(id, self.clock.date(), plan.parts, payer, rate);
        tracing::info!(
            "payout={id} is begun miners={} sats={} fee_sats={}",
            payout.parts.len(),
            plan.total,
            plan.price.map_or(Amount::ZERO, |price| price.fee)
        );
        let done = json!({
            "dry_run": false,
            "payout": id.get(),
            "state": payout.state.name(),
            "miners": payout.parts.len(),
            "total_sats": plan.total.sats(),
        });
        let write = Write::ReservePayout(Box::new(payout));
        let written = self.commit_order(vec![write], &done).await?;
        if written.first() == Some(&Written::PayoutRefused) {
            // A balance went down since it was read; the next plan sees it.
            return Ok(());
        }
        self.report.errand.last_payout = Some(id);
        self.report.begun = Some(id);
        match self.make(id, watched).await? {
            Made::Done => Ok(()),
            Made::GivenUp(error) => {
                self.report.begun = None;
                Err(Ended::Trouble(Trouble::of_wallet(&error)))
            }
        }
    }

    /// Who would be paid now, and from what.
    pub(super) async fn plan(&mut self, suspected: &BTreeSet<Vec<u8>>) -> Result<Planned, Ended> {
        let funds = patiently(self.wallet.funds()).await?;
        self.plan_with(funds, suspected).await
    }

    /// Who would be paid now from these funds.
    pub(super) async fn plan_with(
        &mut self,
        funds: Funds,
        suspected: &BTreeSet<Vec<u8>>,
    ) -> Result<Planned, Ended> {
        let one = Amount::from_sats(1).expect("one sat is an amount");
        let candidates = self.store.payout_candidates(one).await;
        let candidates = candidates.map_err(|error| self.store_failed(&error))?;
        let mut rules = self.settings.rules();
        rules.terms = self.terms();
        rules.outputs_max = self.report.errand.outputs_max;
        rules.refused = self.report.errand.refused.keys().cloned().collect();
        rules.suspected.clone_from(suspected);
        let purse = Purse::new(&funds, rules.terms);
        let plan = plan(candidates, &rules, &purse).map_err(|error| {
            self.halt
                .halt(&format!("payouts cannot be planned from the ledger: {error}"));
            Ended::Trouble(Trouble::new(TroubleKind::Ledger, error.to_string()))
        })?;
        Ok(Planned { plan, purse, funds })
    }

    /// What the network is offered, and how much of it it carries, as far as that is known.
    pub(super) fn terms(&self) -> FeeTerms {
        FeeTerms {
            vbytes_max: self.report.errand.vbytes_max,
            ..self.settings.terms()
        }
    }

    /// Builds, signs, stores and sends a reserved payout.
    pub(super) async fn make(&mut self, id: PayoutId, watched: &[Payout]) -> Result<Made, Ended> {
        let payout = self.known_payout(id).await?;
        if payout.state != PayoutState::Reserved {
            return Ok(Made::Done);
        }
        let batch = match PayoutBatch::new(payout.parts.clone(), payout.payer, self.settings.addresses) {
            Ok(batch) => batch,
            Err(error) => {
                let error = WalletError::new(WalletErrorKind::Refused, error.to_string());
                return self.give_up(id, error).await;
            }
        };
        if !self.may_send() {
            return Ok(Made::Done);
        }
        let built = match patiently(self.wallet.build(build_request(&batch, self.terms()))).await {
            Ok(built) => built,
            Err(error) if error.action() == WalletAction::Replan => return self.give_up(id, error).await,
            Err(error) => return Err(Ended::Trouble(Trouble::of_wallet(&error).of(id))),
        };
        let known: BTreeSet<Txid> = watched
            .iter()
            .filter_map(|p| p.signed.as_ref())
            .map(|s| s.txid)
            .collect();
        let spent: BTreeSet<OutPoint> = spent_inputs(watched).collect();
        let fees = match check_signed(&built, &batch, self.settings.fee_max, &known, &spent) {
            Ok(fees) => fees,
            Err(why) => {
                tracing::error!(
                    "payout={id}: the wallet signed another transaction than was asked for: {why}"
                );
                let trouble = Trouble::new(TroubleKind::WalletRefused, why).of(id);
                return Err(Ended::Trouble(trouble));
            }
        };
        let signed = built.signed;
        let step = Transition::Sign {
            signed: signed.clone(),
            fees,
        };
        self.take(id, vec![step]).await?;
        let payout = Payout {
            state: PayoutState::Signed,
            signed: Some(signed),
            ..payout
        };
        self.send(&payout, true).await?;
        Ok(Made::Done)
    }

    /// Gives a payout up that the wallet cannot make: nothing of it was ever sent, so its money is payable again.
    async fn give_up(&mut self, id: PayoutId, error: WalletError) -> Result<Made, Ended> {
        self.take(id, vec![Transition::Cancel(error.to_string())]).await?;
        Ok(Made::GivenUp(error))
    }

    /// Keeps in mind what was wrong with a batch that the wallet refused. Returns scripts that have to wait while it
    /// is not known which of them is wrong.
    async fn learn(&mut self, batch: &PayoutBatch, error: WalletError) -> Result<BTreeSet<Vec<u8>>, Ended> {
        let none = BTreeSet::new();
        match error.kind() {
            WalletErrorKind::BadAddress(script) => {
                self.refuse(script.clone(), error.to_string());
                Ok(none)
            }
            WalletErrorKind::TooLarge => {
                let vbytes = self.report.plan.as_ref().and_then(|plan| plan.price);
                let vbytes = vbytes.map_or(VBYTES_MIN, |price| price.vbytes * 3 / 4);
                let errand = &mut self.report.errand;
                if batch.outputs().len() > 1 {
                    errand.outputs_max = batch.outputs().len() / 2;
                } else if vbytes < VBYTES_MIN {
                    return Err(Ended::Trouble(Trouble::of_wallet(&error)));
                } else {
                    errand.vbytes_max = vbytes;
                }
                tracing::warn!("payouts: {error}: it is made smaller");
                Ok(none)
            }
            WalletErrorKind::Refused => self.find_refused(batch, &error).await,
            // The coins are others than a moment ago; the next plan sees it.
            _ => Ok(none),
        }
    }

    pub(super) fn refuse(&mut self, script: Vec<u8>, why: String) {
        let refusal = RefusedScript {
            why,
            at: self.clock.now(),
        };
        self.report.errand.refused.insert(script, refusal);
    }
}

impl Planned {
    /// What hinders those who are due and wait.
    pub(super) fn hindrances(&self, errand: &Errand) -> Vec<Trouble> {
        let mut found = Vec::new();
        let plan = &self.plan;
        let named = |why: WhyHeld| {
            let mut of_reason = plan.waiting.iter().filter(|(_, waiting)| waiting.why == why);
            of_reason
                .next()
                .map_or_else(String::new, |(hotkey, _)| hotkey.to_string())
        };
        let mut tell = |kind, why: WhyHeld, more: String| {
            let held = plan.held_for(why);
            if held.miners > 0 {
                let detail = format!("{} sats of {} miners wait{more}", held.amount, held.miners);
                found.push(Trouble::new(kind, detail));
            }
        };
        let why = errand.refused.values().next().map_or("", |refusal| &refusal.why);
        let whose = named(WhyHeld::AddressRefused);
        let more = format!(", among them {whose}: {why}");
        tell(TroubleKind::AddressRefused, WhyHeld::AddressRefused, more);
        let more = format!(
            ", among them {}: no address that this chain can pay",
            named(WhyHeld::AddressInvalid)
        );
        tell(TroubleKind::AddressRefused, WhyHeld::AddressInvalid, more);
        let more = format!(
            "; {} are paid now, and the wallet can spend {}{}",
            plan.total,
            self.purse.total(),
            self.elsewhere()
        );
        tell(TroubleKind::ShortOfFunds, WhyHeld::ShortOfFunds, more);
        let terms = self.purse.terms();
        let more = format!(
            ": at {} sats a virtual byte they would cost more than {} basis points{}",
            terms.rate.sats_per_vbyte(),
            terms.fee_max.get(),
            self.elsewhere()
        );
        tell(TroubleKind::FeeTooHigh, WhyHeld::FeeTooHigh, more);
        if plan.parts.is_empty() {
            let more = format!(": none of it fits into {} virtual bytes", terms.vbytes_max);
            tell(TroubleKind::TooLarge, WhyHeld::NextBatch, more);
        }
        found
    }

    /// Coins that are the wallet's and that no payout can spend.
    fn elsewhere(&self) -> String {
        let mut told = String::new();
        let (coins, left_out) = self.purse.left_out();
        if coins > 0 {
            told.push_str(&format!(
                "; {coins} coins of {left_out} more cost too much of themselves to be spent"
            ));
        }
        if self.funds.in_mweb > Amount::ZERO {
            told.push_str(&format!(
                "; {} more sit in MWEB, where payouts cannot be made from: sendtoaddress to a bech32 address of the \
                 wallet brings them back after six blocks",
                self.funds.in_mweb
            ));
        }
        told
    }
}

/// The inputs of payouts that were sent or may be: a new one that spends them is an old answer.
fn spent_inputs(watched: &[Payout]) -> impl Iterator<Item = OutPoint> + '_ {
    let standing = |payout: &&Payout| payout.state.is_in_flight() || payout.state == PayoutState::Confirmed;
    let standing = watched.iter().filter(standing);
    standing
        .filter_map(|payout| payout.signed.as_ref())
        .flat_map(|signed| signed.inputs.iter().copied())
}
