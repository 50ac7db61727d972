//! Which of a batch's addresses the node refuses to pay, if it says no more than that it refuses the transaction.
//!
//! Halves of the batch are tried until those that are refused stand alone. No address is found guilty unless the
//! wallet can pay itself: else it is the wallet or the node that can pay nobody.

use std::collections::BTreeSet;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::payouts::{FeePayer, Output, Part, PayoutBatch};
use dwarves_domain::time::Span;
use dwarves_domain::units::Amount;
use dwarves_ports::wallet::{BuildRequest, WalletAction, WalletError, WalletErrorKind};

use super::deadline::patiently;
use super::errand::{Ended, RefusedScript};
use super::machine::Machine;
use super::trouble::Trouble;

/// Transactions that are tried in one look to find refused addresses: a few among two thousand. Whoever is not
/// cleared by then waits for the next plan, which comes at once; the others are paid.
const TRIES_MAX: usize = 48;
/// After this a refused address is tried again: nodes learn new rules.
const RETRY_AFTER: Span = Span::from_secs(24 * 3_600);
/// Refused addresses that are tried again before one plan.
const RETRIES_MAX: usize = 4;

impl Machine {
    /// Finds which outputs of a batch the node refuses, after it refused them together for the reason `whole`.
    /// Returns those that could not be cleared.
    ///
    /// # Errors
    /// If none of them is to blame: what then hinders payouts.
    pub(super) async fn find_refused(
        &mut self,
        batch: &PayoutBatch,
        whole: &WalletError,
    ) -> Result<BTreeSet<Vec<u8>>, Ended> {
        let outputs = batch.outputs();
        let own = patiently(self.wallet.own_address()).await?;
        // An amount that is no dust, and that the coins surely cover.
        let amount = outputs.iter().map(|output| output.amount).max();
        let amount = amount.expect("the node refuses outputs, so there are some");
        let (half, _) = amount.part_of(1, 2);
        let to_itself = vec![Output {
            address: own,
            script: Vec::new(),
            amount: half.max(self.settings.dust),
        }];
        if !matches!(self.try_out(&to_itself).await?, Verdict::Taken) {
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
                let verdict = if tries == TRIES_MAX {
                    Verdict::Unknown
                } else {
                    tries += 1;
                    self.try_out(&half).await?
                };
                match verdict {
                    Verdict::Taken => {}
                    Verdict::Refused(why) => groups.push((half, why)),
                    Verdict::Unknown => suspected.extend(half.into_iter().map(|output| output.script)),
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
        let is_old = |refusal: &RefusedScript| now.since(refusal.at) >= RETRY_AFTER;
        let old = refused.iter().filter(|(_, refusal)| is_old(refusal));
        let old: Vec<Vec<u8>> = old.map(|(script, _)| script.clone()).take(RETRIES_MAX).collect();
        for script in old {
            refused.remove(&script);
        }
    }

    /// Whether the node takes these outputs, whatever the fee, which the pool pays.
    async fn try_out(&self, outputs: &[Output]) -> Result<Verdict, Ended> {
        let part = |(output, number): (&Output, u64)| {
            let mut hotkey = [0; 32];
            hotkey[..8].copy_from_slice(&number.to_be_bytes());
            Part {
                hotkey: Hotkey::from_bytes(hotkey),
                address: output.address.clone(),
                amount: output.amount,
                fee: Amount::ZERO,
                borne: Amount::ZERO,
            }
        };
        let parts = outputs.iter().zip(0..).map(part);
        let batch = match PayoutBatch::new(parts.collect(), FeePayer::Pool, self.settings.addresses) {
            Ok(batch) => batch,
            Err(error) => return Ok(Verdict::Refused(error.to_string())),
        };
        let request = BuildRequest {
            batch,
            terms: self.terms(),
            fee_max: Amount::MAX,
        };
        match patiently(self.wallet.check(request)).await {
            Ok(()) => Ok(Verdict::Taken),
            Err(error) => match error.kind() {
                WalletErrorKind::Refused | WalletErrorKind::BadAddress(_) => {
                    Ok(Verdict::Refused(error.to_string()))
                }
                // The pool's fee may be more than the coins that are left.
                _ if error.action() == WalletAction::Replan => Ok(Verdict::Unknown),
                _ => Err(error.into()),
            },
        }
    }
}

/// What the node says of a few outputs.
enum Verdict {
    Taken,
    /// In the node's words.
    Refused(String),
    Unknown,
}
