//! What would be sent now: planned, priced and tried like a payout, but nothing is set aside, locked or kept.

use std::collections::BTreeSet;

use dwarves_domain::payouts::{
    FeePayer, Funds, OutPoint, Output, Part, PayoutBatch, Plan, PlanDigest, Price, Sizes, Txid,
};
use dwarves_domain::refusal::Refusal;
use dwarves_domain::units::Amount;
use dwarves_ports::wallet::WalletState;
use serde_json::{Value, json};

use super::control::held;
use super::creation::Planned;
use super::deadline::patiently;
use super::holds::Holds;
use super::machine::Machine;
use super::signing::build_request;
use super::trouble::{Trouble, TroubleKind};
use crate::control::Controlled;

/// Miners who wait that are told by name.
const WAITING_MAX: usize = 1_000;

impl Machine {
    /// Tells what would be sent.
    pub(super) async fn dry_run(mut self, holds: Holds, paused: bool) -> Controlled {
        let (funds, mut troubles) = match self.look_into_wallet().await {
            Ok(funds) => (Some(funds), Vec::new()),
            Err(trouble) => (None, vec![trouble]),
        };
        // Without a wallet it still tells whom it would pay, from a purse that has enough.
        let is_real = funds.is_some();
        let planned = self
            .plan_with(funds.unwrap_or_else(plenty), &BTreeSet::new())
            .await;
        let Ok(planned) = planned else {
            return Err(Refusal::Unavailable);
        };
        let payer = self.settings.payer;
        let batch = match PayoutBatch::new(planned.plan.parts.clone(), payer, self.settings.addresses) {
            Ok(batch) => batch,
            Err(error) => return Err(Refusal::ControlRefused(error.to_string())),
        };
        if is_real {
            troubles.extend(planned.hindrances(&self.report.errand));
            if !planned.plan.parts.is_empty() {
                let checked = patiently(self.wallet.check(build_request(&batch, self.terms()))).await;
                troubles.extend(checked.err().map(|error| Trouble::of_wallet(&error)));
            }
        }
        // Without a wallet there is no price that means anything.
        let price = planned.plan.price.filter(|_| is_real);
        let borne = price.map_or(Amount::ZERO, |price| price.borne);
        let after = batch.outputs_after(borne);
        let after = after.and_then(|outputs| Ok((outputs, batch.parts_after(borne)?)));
        let (outputs, parts) = match after {
            Ok(after) => after,
            Err(error) => return Err(Refusal::ControlRefused(error.to_string())),
        };
        let paid = PaidAfterFee {
            price,
            outputs,
            parts,
        };
        let mut told = describe(&planned, &holds, payer, &paid, is_real, &troubles);
        told["paused"] = paused.into();
        Ok(told)
    }

    /// The wallet's coins, if it can be asked.
    async fn look_into_wallet(&mut self) -> Result<Funds, Trouble> {
        let of_wallet = |error| Trouble::of_wallet(&error);
        if let WalletState::NotLoaded(detail) = patiently(self.wallet.state()).await.map_err(of_wallet)? {
            return Err(Trouble::new(TroubleKind::WalletNotLoaded, detail));
        }
        patiently(self.wallet.funds()).await.map_err(of_wallet)
    }
}

/// More than anybody is owed.
fn plenty() -> Funds {
    let txid = Txid::from_bytes([0; 32]);
    Funds {
        coins: vec![(OutPoint { txid, vout: 0 }, Amount::MAX)],
        sizes: Sizes {
            base: 0,
            input: 0,
            change: 0,
        },
        change_min: Amount::ZERO,
        in_mweb: Amount::ZERO,
    }
}

/// What would be paid, and what the network's fee leaves of it.
struct PaidAfterFee {
    price: Option<Price>,
    outputs: Vec<Output>,
    parts: Vec<Part>,
}

/// The plan as the admin sees it: `outputs` are what the transaction would pay, after the fee if miners pay it.
fn describe(
    planned: &Planned,
    holds: &Holds,
    payer: FeePayer,
    paid: &PaidAfterFee,
    is_real: bool,
    troubles: &[Trouble],
) -> Value {
    let Planned { plan, purse, .. } = planned;
    let PaidAfterFee {
        price,
        outputs,
        parts,
    } = paid;
    let left_of = |hotkey| {
        plan.waiting
            .get(hotkey)
            .map_or(0, |waiting| waiting.amount.sats())
    };
    let troubles: Vec<String> = troubles.iter().map(ToString::to_string).collect();
    json!({
        "dry_run": true,
        // Without a wallet it is not what would be sent.
        "plan": is_real.then(|| PlanDigest::of(payer, parts).to_string()),
        "total_sats": plan.total.sats(),
        "fee_payer": payer.name(),
        "fee_sats": price.map(|price| price.fee.sats()),
        "inputs": price.map(|price| price.inputs),
        "vbytes": price.map(|price| price.vbytes),
        "spendable_sats": is_real.then(|| purse.total().sats()),
        "outputs": outputs.iter().filter(|_| is_real).map(|output| json!({
            "address": output.address,
            "amount_sats": output.amount.sats(),
        })).collect::<Vec<_>>(),
        "miners": parts.iter().map(|part| json!({
            "hotkey": part.hotkey.to_string(),
            "address": part.address,
            "debited_sats": part.amount.sats(),
            "fee_sats": part.fee.sats(),
            "amount_sats": part.net().sats(),
            "left_sats": left_of(&part.hotkey),
        })).collect::<Vec<_>>(),
        "held": held(&plan.held),
        "waiting": waiting(plan),
        "holds": holds.to_json(),
        "trouble": (!troubles.is_empty()).then(|| troubles.join("; ")),
    })
}

/// Who is due and waits, and why.
fn waiting(plan: &Plan) -> Vec<Value> {
    let waiting = plan.waiting.iter().take(WAITING_MAX);
    let waiting = waiting.map(|(hotkey, waiting)| {
        json!({
            "hotkey": hotkey.to_string(),
            "reason": waiting.why.name(),
            "amount_sats": waiting.amount.sats(),
        })
    });
    waiting.collect()
}
