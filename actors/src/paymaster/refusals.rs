//! Which of a batch's addresses the node refuses to pay, if it says no more than that it refuses the transaction.
//!
//! Halves of the batch are tried until those that are refused stand alone. No address is found guilty unless the
//! wallet can pay itself: else it is the wallet or the node that can pay nobody.

use std::collections::BTreeSet;

use dwarves_domain::payouts::{Batch, FeePayer, Output, Part};
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::units::Amount;

use super::machine::{Ended, Machine, patiently};
use super::trouble::Trouble;
use crate::wallet::{BuildRequest, WalletAction, WalletError, WalletErrorKind};

/// Transactions that are tried in one look to find refused addresses: a few among two thousand. Whoever is not
/// cleared by then waits for the next plan, which comes at once; the others are paid.
const TRIES_MAX: usize = 48;
/// After this a refused address is tried again: nodes learn new rules.
const RETRY_AFTER: Span = Span::from_secs(24 * 3_600);
/// Refused addresses that are tried again before one plan.
const RETRIES_MAX: usize = 4;

/// A script that the wallet refused to pay.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    /// In the wallet's words.
    pub(super) why: String,
    /// When.
    pub(super) at: Timestamp,
}

impl Machine {
    /// Finds which outputs of a batch the node refuses, after it refused them together for the reason `whole`.
    /// Returns those that could not be cleared.
    ///
    /// # Errors
    /// If none of them is to blame: what then hinders payouts.
    pub(super) async fn find_refused(
        &mut self,
        batch: &Batch,
        whole: &WalletError,
    ) -> Result<BTreeSet<Vec<u8>>, Ended> {
        let outputs = batch.outputs();
        let own = patiently(self.wallet.own_address()).await?;
        let amount = outputs.iter().map(|output| output.amount).min();
        let to_itself = vec![Output {
            address: own,
            script: Vec::new(),
            amount: amount.unwrap_or(Amount::ZERO),
        }];
        if self.is_refused(&to_itself).await?.is_some() {
            return Err(Ended::Trouble(Trouble::of_wallet(whole)));
        }
        let all = outputs.len();
        let mut found = 0;
        let mut suspected = BTreeSet::new();
        let mut tries = 0;
        // Groups that were refused as a whole.
        let mut groups = vec![(outputs, whole.to_string())];
        while let Some((mut group, why)) = groups.pop() {
            if group.len() <= 1 {
                for output in group {
                    log::warn!("payouts: the node refuses to pay {}: {why}", output.address);
                    self.refuse(output.script, why.clone());
                    found += 1;
                }
                continue;
            }
            let half = group.split_off(group.len() / 2);
            for half in [group, half] {
                if tries == TRIES_MAX {
                    suspected.extend(half.into_iter().map(|output| output.script));
                    continue;
                }
                tries += 1;
                if let Some(why) = self.is_refused(&half).await? {
                    groups.push((half, why));
                }
            }
        }
        log::info!("payouts: {found} of {all} outputs are refused, found by {tries} tries");
        if found == 0 && suspected.is_empty() {
            // Each half is taken, only not both together: so they are paid one after the other.
            if all < 2 {
                return Err(Ended::Trouble(Trouble::of_wallet(whole)));
            }
            self.report.errand.outputs_max = all / 2;
        }
        Ok(suspected)
    }

    /// Forgets addresses that were refused long ago, a few at a time: they are in the next plan again, and if they are
    /// still refused they are found again.
    pub(super) fn forget_old_refusals(&mut self) {
        let now = self.clock.now();
        let refused = &mut self.report.errand.refused;
        let is_old = |refusal: &Refusal| now.since(refusal.at) >= RETRY_AFTER;
        let old = refused.iter().filter(|(_, refusal)| is_old(refusal));
        let old: Vec<Vec<u8>> = old.map(|(script, _)| script.clone()).take(RETRIES_MAX).collect();
        for script in old {
            refused.remove(&script);
        }
    }

    /// Why the node refuses to pay these outputs, if it does. They are tried with small amounts: only whom they pay
    /// is asked.
    async fn is_refused(&self, outputs: &[Output]) -> Result<Option<String>, Ended> {
        let small = self.settings.dust;
        let part = |output: &Output, number: u64| {
            let mut hotkey = [0; 32];
            hotkey[..8].copy_from_slice(&number.to_be_bytes());
            Part {
                hotkey: dwarves_domain::hotkey::Hotkey::from_bytes(hotkey),
                address: output.address.clone(),
                amount: small.min(output.amount),
                fee: Amount::ZERO,
                borne: Amount::ZERO,
            }
        };
        let parts = outputs
            .iter()
            .zip(0..)
            .map(|(output, number)| part(output, number));
        let batch = Batch::new(parts.collect(), FeePayer::Pool, self.settings.addresses);
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => return Ok(Some(error.to_string())),
        };
        let request = BuildRequest {
            batch,
            terms: self.terms(),
            fee_max: Amount::MAX,
        };
        match patiently(self.wallet.check(request)).await {
            Ok(()) => Ok(None),
            Err(error) => match error.kind() {
                WalletErrorKind::Refused | WalletErrorKind::BadAddress(_) => Ok(Some(error.to_string())),
                _ if error.action() == WalletAction::Replan => {
                    Err(Ended::Trouble(Trouble::of_wallet(&error)))
                }
                _ => Err(error.into()),
            },
        }
    }
}
