//! What would be sent now: planned and priced like a payout, but nothing is set aside, signed or locked.

use dwarves_domain::payouts::{Batch, FeePayer, Plan};
use dwarves_domain::units::Amount;
use serde_json::{Value, json};

use super::control::held;
use super::holds::Holds;
use super::machine::{Machine, patiently};
use super::signing::build_request;
use super::trouble::Trouble;
use crate::pool_manager::messages::ControlOutcome;
use crate::wallet::{Quote, WalletState};

impl Machine {
    /// Tells what would be sent.
    pub(super) async fn dry_run(mut self, holds: Holds) -> ControlOutcome {
        let plan = match self.plan().await {
            Ok(plan) => plan,
            Err(_) => return ControlOutcome::Unavailable,
        };
        if plan.parts.is_empty() {
            return ControlOutcome::Done(describe(&plan, &holds, self.settings.payer, None, None, None));
        }
        let payer = self.settings.payer;
        let batch = match Batch::new(plan.parts.clone(), payer, self.settings.addresses) {
            Ok(batch) => batch,
            Err(error) => return ControlOutcome::Refused(error.to_string()),
        };
        let (quote, spendable, trouble) = match self.price(&batch).await {
            Ok((quote, spendable)) => (Some(quote), Some(spendable), None),
            Err(trouble) => (None, None, Some(trouble)),
        };
        ControlOutcome::Done(describe(
            &plan,
            &holds,
            payer,
            quote.map(|quote| (&batch, quote)),
            spendable,
            trouble,
        ))
    }

    /// The network's fee and the wallet's coins.
    async fn price(&mut self, batch: &Batch) -> Result<(Quote, Amount), Trouble> {
        let of_wallet = |error| Trouble::of_wallet(&error);
        if let WalletState::NotLoaded(detail) = patiently(self.wallet.state()).await.map_err(of_wallet)? {
            return Err(Trouble::new(super::trouble::TroubleKind::WalletNotLoaded, detail));
        }
        let spendable = patiently(self.wallet.spendable()).await.map_err(of_wallet)?;
        let request = build_request(batch, self.settings.fee_rate, self.settings.fee_max);
        let quote = patiently(self.wallet.quote(request)).await.map_err(of_wallet)?;
        Ok((quote, spendable))
    }
}

/// The plan as the admin sees it: `outputs` are what the transaction would pay, after the fee if miners pay it.
fn describe(
    plan: &Plan,
    holds: &Holds,
    payer: FeePayer,
    priced: Option<(&Batch, Quote)>,
    spendable: Option<Amount>,
    trouble: Option<Trouble>,
) -> Value {
    let outputs = priced.and_then(|(batch, quote)| batch.outputs_after(quote.borne).ok());
    let parts = priced.and_then(|(batch, quote)| batch.parts_after(quote.borne).ok());
    let parts = parts.as_ref().unwrap_or(&plan.parts);
    json!({
        "dry_run": true,
        "total_sats": plan.total.sats(),
        "fee_payer": payer.name(),
        "fee_sats": priced.map(|(_, quote)| quote.fee.sats()),
        "spendable_sats": spendable.map(Amount::sats),
        "outputs": outputs.map(|outputs| outputs.iter().map(|output| json!({
            "address": output.address,
            "amount_sats": output.amount.sats(),
        })).collect::<Vec<_>>()).unwrap_or_default(),
        "miners": parts.iter().map(|part| json!({
            "hotkey": part.hotkey.to_string(),
            "address": part.address,
            "debited_sats": part.amount.sats(),
            "fee_sats": part.fee.sats(),
            "amount_sats": part.net().sats(),
        })).collect::<Vec<_>>(),
        "held": held(&plan.held),
        "holds": holds.to_json(),
        "trouble": trouble.map(|trouble| trouble.to_string()),
    })
}
