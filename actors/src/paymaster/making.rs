//! Payouts that are to be: planned, set aside, signed, stored, and only then sent.

use std::collections::BTreeSet;

use dwarves_domain::ids::PayoutId;
use dwarves_domain::payouts::{Batch, BatchError, OutPoint, Payout, PayoutState, Plan, Step, Txid, plan};
use dwarves_domain::units::Amount;

use super::machine::{Ended, Machine, patiently};
use super::signing::{build_request, check_signed};
use super::trouble::{Trouble, TroubleKind};
use crate::store::{Write, Written};
use crate::wallet::{WalletAction, WalletError, WalletErrorKind};

/// Outputs below which a transaction that is too large is not split any further.
const OUTPUTS_MIN: usize = 1;

impl Machine {
    /// Plans a payout, sets its money aside and makes it.
    pub(super) async fn plan_and_make(&mut self, watched: &[Payout]) -> Result<(), Ended> {
        let plan = self.plan().await?;
        let (total, parts) = (plan.total, plan.parts.clone());
        self.report.plan = Some(plan);
        if parts.is_empty() {
            return Ok(());
        }
        let spendable = patiently(self.wallet.spendable()).await?;
        if spendable < total {
            let detail = format!("{total} sats are due, the wallet can spend {spendable}");
            return Err(Ended::Trouble(Trouble::new(TroubleKind::ShortOfFunds, detail)));
        }
        if !self.may_send() {
            return Ok(());
        }
        let id = self
            .report
            .errand
            .last_payout
            .map_or(PayoutId::new(1), PayoutId::next);
        let (payer, rate) = (self.settings.payer, self.settings.fee_rate);
        let payout = Payout::reserve(id, self.clock.now(), parts, payer, rate);
        log::info!("payout={id} is begun miners={} sats={total}", payout.parts.len());
        let write = Write::ReservePayout(Box::new(payout));
        let written = self.commit(vec![write]).await?;
        if written.first() == Some(&Written::PayoutRefused) {
            // A balance went down since it was read; the next plan sees it.
            return Ok(());
        }
        self.report.errand.last_payout = Some(id);
        self.report.begun = Some(id);
        self.make(id, watched).await
    }

    /// Who would be paid now.
    pub(super) async fn plan(&mut self) -> Result<Plan, Ended> {
        let one = Amount::from_sats(1).unwrap_or(Amount::ZERO);
        let candidates = self.store.payout_candidates(one).await;
        let candidates = candidates.map_err(|error| self.store_failed(&error))?;
        let mut rules = self.settings.rules();
        rules.outputs_max = self.report.errand.outputs_max;
        rules.refused.clone_from(&self.report.errand.refused);
        plan(candidates, &rules).map_err(|error| {
            self.halt
                .halt(&format!("payouts can not be planned from the ledger: {error}"));
            Ended::Trouble(Trouble::new(TroubleKind::Ledger, error.to_string()))
        })
    }

    /// Builds, signs, stores and sends a reserved payout.
    pub(super) async fn make(&mut self, id: PayoutId, watched: &[Payout]) -> Result<(), Ended> {
        let payout = self.store.payout(id).await;
        let payout = payout.map_err(|error| self.store_failed(&error))?;
        let Some(payout) = payout.filter(|payout| payout.state == PayoutState::Reserved) else {
            return Ok(());
        };
        let batch = match Batch::new(payout.parts.clone(), payout.payer, self.settings.addresses) {
            Ok(batch) => batch,
            Err(error @ (BatchError::Address { .. } | BatchError::Fee { .. } | BatchError::Overflow)) => {
                return self
                    .give_up(id, &error.to_string(), TroubleKind::AddressRefused)
                    .await;
            }
        };
        let request = build_request(&batch, self.settings.fee_rate, self.settings.fee_max);
        if !self.may_send() {
            return Ok(());
        }
        let built = match patiently(self.wallet.build(request)).await {
            Ok(built) => built,
            Err(error) if error.action() == WalletAction::Replan => {
                return self.replan(id, &batch, &error).await;
            }
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
                log::error!("payout={id}: the wallet signed another transaction than was asked for: {why}");
                let trouble = Trouble::new(TroubleKind::WalletRefused, why).of(id);
                return Err(Ended::Trouble(trouble));
            }
        };
        let signed = built.signed;
        let step = Step::Sign {
            signed: signed.clone(),
            fees,
        };
        self.take(id, vec![step]).await?;
        let payout = Payout {
            state: PayoutState::Signed,
            signed: Some(signed),
            ..payout
        };
        self.send(&payout, true).await
    }

    /// Gives a payout up that the wallet can not make, and keeps in mind what was wrong with it.
    async fn replan(&mut self, id: PayoutId, batch: &Batch, error: &WalletError) -> Result<(), Ended> {
        let errand = &mut self.report.errand;
        let kind = match error.kind() {
            WalletErrorKind::BadAddress(script) => {
                errand.refused.insert(script.clone());
                TroubleKind::AddressRefused
            }
            _ => {
                errand.outputs_max = (batch.outputs().len() / 2).max(OUTPUTS_MIN);
                TroubleKind::TooLarge
            }
        };
        self.give_up(id, &error.to_string(), kind).await
    }

    async fn give_up(&mut self, id: PayoutId, why: &str, kind: TroubleKind) -> Result<(), Ended> {
        self.take(id, vec![Step::Cancel(why.to_owned())]).await?;
        Err(Ended::Trouble(Trouble::new(kind, why).of(id)))
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
