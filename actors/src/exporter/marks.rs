//! What becomes of exported payouts: marked paid, unmarked, given back. Every order may be repeated.

use std::collections::BTreeSet;

use dwarves_domain::ids::PayoutId;
use dwarves_domain::payouts::{BatchFault, BatchName, PaymentReference, Payout, PayoutState, Transition};
use dwarves_domain::refusal::Refusal;
use dwarves_domain::units::Amount;
use dwarves_ports::store::Write;
use serde_json::{Value, json};

use super::Clerk;
use super::batches::unavailable;
use crate::ask::ReplyTo;
use crate::control::Controlled;
use crate::notices;

/// What a payout is marked paid by.
fn reference_of(payout: &Payout) -> Option<&PaymentReference> {
    payout.exported.as_ref()?.reference.as_ref()
}

/// What some payouts come to.
fn total(payouts: &[&Payout]) -> u64 {
    let amounts = payouts
        .iter()
        .flat_map(|payout| &payout.parts)
        .map(|part| part.amount);
    // They are parts of one batch, whose total fits.
    Amount::checked_sum(amounts).map_or(0, Amount::sats)
}

impl Clerk {
    /// The payouts of a batch, and which of them an order is about.
    async fn chosen(&self, batch: &BatchName, wanted: Option<Vec<PayoutId>>) -> Result<Vec<Payout>, Refusal> {
        let payouts = self.store.batch_payouts(batch.clone()).await;
        let mut payouts = payouts.map_err(unavailable)?;
        if payouts.is_empty() {
            return Err(Refusal::Batch(BatchFault::Unknown));
        }
        if let Some(wanted) = wanted {
            let wanted: BTreeSet<PayoutId> = wanted.into_iter().collect();
            let there: BTreeSet<PayoutId> = payouts.iter().map(|payout| payout.id).collect();
            if let Some(strange) = wanted.difference(&there).next() {
                return Err(Refusal::Batch(BatchFault::PayoutUnknown { payout: *strange }));
            }
            payouts.retain(|payout| wanted.contains(&payout.id));
        }
        Ok(payouts)
    }

    /// Takes one step of each payout, all of them or none.
    async fn step_all(
        &self,
        payouts: &[&Payout],
        step: &Transition,
        also: Option<Write>,
        done: Value,
        reply: &ReplyTo<Controlled>,
    ) -> Controlled {
        if payouts.is_empty() {
            return Ok(done);
        }
        let at = self.clock.date();
        let steps = payouts.iter().map(|payout| Write::StepPayout {
            id: payout.id,
            step: step.clone(),
            at,
        });
        let done = self.commit(steps.chain(also).collect(), done, reply).await?;
        tracing::warn!(
            "exported payouts took the step {}, payouts={} total_sats={}",
            step.name(),
            payouts.len(),
            total(payouts)
        );
        Ok(done)
    }

    pub(super) async fn mark(
        &self,
        batch: BatchName,
        reference: PaymentReference,
        wanted: Option<Vec<PayoutId>>,
        reply: &ReplyTo<Controlled>,
    ) -> Controlled {
        let is_named = wanted.is_some();
        let chosen = self.chosen(&batch, wanted).await?;
        let mut to_mark = Vec::new();
        let mut already = 0_u64;
        for payout in &chosen {
            match (payout.state, reference_of(payout)) {
                (PayoutState::Exported, _) => to_mark.push(payout),
                (_, Some(known)) if *known == reference => already += 1,
                (_, Some(known)) => {
                    return Err(Refusal::Batch(BatchFault::AlreadyPaid {
                        payout: payout.id,
                        reference: known.clone(),
                    }));
                }
                // The rest of a batch may have been sent.
                (_, None) if !is_named => {}
                (_, None) => return Err(Refusal::Batch(BatchFault::GivenBack { payout: payout.id })),
            }
        }
        if to_mark.is_empty() && already == 0 {
            let payout = chosen.first().map_or(PayoutId::new(0), |payout| payout.id);
            return Err(Refusal::Batch(BatchFault::GivenBack { payout }));
        }
        let sum = total(&to_mark);
        let done = json!({
            "batch": batch.as_str(),
            "reference": reference.as_str(),
            "marked": to_mark.len(),
            "marked_before": already,
            "total_sats": sum,
        });
        let at = self.clock.date();
        let notice = to_mark
            .first()
            .map(|first| notices::batch_paid(&batch, &reference, first.id, to_mark.len(), sum, at));
        let step = Transition::Pay(reference);
        self.step_all(&to_mark, &step, notice, done, reply).await
    }

    pub(super) async fn unmark(
        &self,
        batch: BatchName,
        reference: PaymentReference,
        wanted: Option<Vec<PayoutId>>,
        reply: &ReplyTo<Controlled>,
    ) -> Controlled {
        let is_named = wanted.is_some();
        let chosen = self.chosen(&batch, wanted).await?;
        let of_it = |payout: &&Payout| reference_of(payout) == Some(&reference);
        let to_unmark: Vec<&Payout> = chosen.iter().filter(of_it).collect();
        let other = chosen.iter().find_map(|payout| {
            let known = reference_of(payout).filter(|known| **known != reference)?;
            Some((payout.id, known.clone()))
        });
        if let Some((payout, reference)) = other.filter(|_| is_named || to_unmark.is_empty()) {
            return Err(Refusal::Batch(BatchFault::OtherReference { payout, reference }));
        }
        let done = json!({
            "batch": batch.as_str(),
            "reference": reference.as_str(),
            "unmarked": to_unmark.len(),
            "total_sats": total(&to_unmark),
        });
        let step = Transition::Unpay(reference.clone());
        self.step_all(&to_unmark, &step, None, done, reply).await
    }

    pub(super) async fn give_back(
        &self,
        batch: BatchName,
        wanted: Option<Vec<PayoutId>>,
        reply: &ReplyTo<Controlled>,
    ) -> Controlled {
        let chosen = self.chosen(&batch, wanted).await?;
        let open = |payout: &&Payout| payout.state != PayoutState::Cancelled;
        let to_give: Vec<&Payout> = chosen.iter().filter(open).collect();
        if let Some(marked) = to_give.iter().find(|payout| !payout.may_be_given_back()) {
            return Err(Refusal::Batch(BatchFault::WasPaid { payout: marked.id }));
        }
        let done = json!({
            "batch": batch.as_str(),
            "given_back": to_give.len(),
            "total_sats": total(&to_give),
        });
        let step = Transition::Cancel("given back by an admin".to_owned());
        self.step_all(&to_give, &step, None, done, reply).await
    }
}
