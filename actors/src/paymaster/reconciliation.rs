//! What follows when ledger and wallet are compared: payouts are held, or an operator settles what is strange.

use dwarves_domain::ids::PayoutId;
use dwarves_domain::payouts::{Payees, Payout, PayoutState, Signed, Spend, Transition, Txid};
use dwarves_domain::refusal::Refusal;
use dwarves_domain::units::Amount;
use dwarves_ports::store::Write;
use serde_json::{Value, json};

use super::comparison::{COMPARED, Compared, Comparison, RESTORED, Stranger, compare};
use super::deadline::patiently;
use super::errand::{Ended, Settle};
use super::machine::Machine;
use crate::control::Controlled;
use crate::spans;

/// Spends that are booked by one order; the next order takes the next.
const ADOPT_MAX: usize = 100;
/// Spends that are named one by one.
const NAMED_MAX: usize = 20;

impl Machine {
    async fn side_by_side(&self) -> Result<Comparison, Ended> {
        let compared = self.report.errand.compared.as_ref();
        let comparison = compare(&self.wallet, &self.store, compared, self.settings.addresses).await;
        Ok(comparison?)
    }

    /// Compares ledger and wallet, and holds payouts if they do not agree.
    pub(super) async fn compare(&mut self) -> Result<(), Ended> {
        let comparison = self.side_by_side().await?;
        let errand = &self.report.errand;
        let (was_compared, is_start) = (errand.compared.is_some(), !errand.is_compared);
        let holding: Vec<&Stranger> = comparison.holding(was_compared, is_start).collect();
        if let Some(words) = &errand.restored {
            let detail = format!("{words}; {}", told_of(&holding));
            self.report.restored = Some(Some(detail));
            self.report.errand.is_restore_told = true;
            return Ok(());
        }
        if holding.is_empty() {
            for stranger in &comparison.strangers {
                let (txid, total) = (stranger.spend.txid, stranger.total());
                log::warn!(
                    "the wallet sent {total} sats elsewhere txid={txid}: it is none of the pool's payouts"
                );
            }
            return self.remember(comparison.next, None).await;
        }
        self.report.restored = Some(Some(told_of(&holding)));
        Ok(())
    }

    /// Whether a ledger that was restored has not been compared with its wallet in this life. It stays held whatever
    /// comes of it: this is for its words alone.
    pub(super) fn is_to_be_told_of_restore(&self) -> bool {
        let errand = &self.report.errand;
        errand.restored.is_some() && !errand.is_restore_told
    }

    /// Keeps what was compared, so that the next start goes on from there.
    async fn remember(&mut self, next: Compared, ordered: Option<&Value>) -> Result<(), Ended> {
        let mut writes = Vec::new();
        if self.report.errand.compared.as_ref() != Some(&next) {
            writes.push(Write::SaveSetting {
                key: COMPARED.to_owned(),
                value: Some(next.to_text()),
            });
        }
        if self.report.errand.restored.is_some() {
            writes.push(settled());
        }
        match ordered {
            _ if writes.is_empty() => {}
            Some(done) => drop(self.commit_order(writes, done).await?),
            None => drop(self.commit(writes).await?),
        }
        self.report.errand.restored = None;
        self.report.errand.compared = Some(next);
        self.report.errand.is_compared = true;
        self.report.restored = Some(None);
        Ok(())
    }

    /// Does what an operator wants done about what the ledger does not know.
    pub(super) async fn settle(&mut self, settle: Settle) -> Result<Controlled, Ended> {
        match settle {
            Settle::Adopt { only, reserve_bears } => self.adopt(only, reserve_bears).await,
            Settle::Release => {
                let comparison = self.side_by_side().await?;
                let named = comparison.strangers.iter().take(NAMED_MAX).map(Stranger::to_json);
                let named: Vec<Value> = named.collect();
                for stranger in &comparison.strangers {
                    let (txid, total) = (stranger.spend.txid, stranger.total());
                    log::warn!(
                        "an operator says that txid={txid} of {total} sats is none of the pool's payouts"
                    );
                }
                let count = comparison.strangers.len();
                let done = json!({
                    "released": "restored",
                    "left_out": count,
                    "spends": named,
                });
                self.remember(comparison.next, Some(&done)).await?;
                Ok(Ok(done))
            }
        }
    }

    async fn adopt(&mut self, only: Option<Txid>, reserve_bears: bool) -> Result<Controlled, Ended> {
        let comparison = self.side_by_side().await?;
        let is_wanted = |stranger: &&Stranger| match only {
            Some(txid) => stranger.spend.txid == txid,
            None => stranger.pays_miner(),
        };
        let wanted = comparison.strangers.iter().filter(is_wanted).take(ADOPT_MAX);
        let wanted: Vec<Spend> = wanted.map(|stranger| stranger.spend.clone()).collect();
        if wanted.is_empty() {
            let why = match only {
                Some(txid) => format!("the wallet sent no {txid} that the ledger does not know"),
                None => "the wallet sent nothing to miners that the ledger does not know".to_owned(),
            };
            return Ok(Err(Refusal::ControlRefused(why)));
        }
        let (mut writes, ids) = match self.bookings(&wanted, reserve_bears).await? {
            Ok(bookings) => bookings,
            Err(why) => return Ok(Err(Refusal::ControlRefused(why))),
        };
        let adopted = writes.iter().filter_map(|write| match write {
            Write::AdoptPayout(payout) => Some(describe(payout)),
            _ => None,
        });
        let done = json!({ "adopted": adopted.collect::<Vec<_>>() });
        // What is left is looked at below, as at any start.
        if self.report.errand.restored.is_some() {
            writes.push(settled());
        }
        self.commit_order(writes, &done).await?;
        self.report.errand.restored = None;
        self.report.errand.last_payout = ids.last().copied().max(self.report.errand.last_payout);
        let mut booked = Vec::new();
        for id in ids {
            booked.push(describe(&self.known_payout(id).await?));
        }
        self.compare().await?;
        let left = self.side_by_side().await?.strangers;
        Ok(Ok(json!({
            "adopted": booked,
            "left": left.len(),
            "spends_left": left.iter().take(NAMED_MAX).map(Stranger::to_json).collect::<Vec<_>>(),
        })))
    }

    /// What books these spends: what was set aside and never signed is given back first, since it may be just what
    /// was sent.
    async fn bookings(
        &mut self,
        wanted: &[Spend],
        reserve_bears: bool,
    ) -> Result<Result<(Vec<Write>, Vec<PayoutId>), String>, Ended> {
        let at = self.clock.date();
        let payees = self.store.payees().await;
        let payees = payees.map_err(|error| self.store_failed(&error))?;
        let mut payees = Payees::new(payees, self.settings.addresses);
        let mut writes = Vec::new();
        let mut ids = Vec::new();
        for watched in self.watched().await? {
            if watched.state != PayoutState::Reserved {
                continue;
            }
            payees.change(&self.known_payout(watched.id).await?.parts, true);
            writes.push(Write::StepPayout {
                id: watched.id,
                step: Transition::Cancel("what the wallet sent meanwhile is booked first".to_owned()),
                at,
            });
        }
        let mut next = self.report.errand.last_payout;
        for spend in wanted {
            let txid = spend.txid;
            let Some(sent) = patiently(self.wallet.sent(txid)).await? else {
                return Ok(Err(format!("the wallet does not know {txid} any more")));
            };
            let adopted = match payees.adopt(spend, sent.fee, self.settings.payer) {
                Ok(adopted) => adopted,
                Err(error) => return Ok(Err(format!("{txid} cannot be booked: {error}"))),
            };
            if adopted.uncovered > Amount::ZERO && !reserve_bears {
                return Ok(Err(format!(
                    "{txid} paid {} sats more than its miners have payable: wait until the rewards of recovered blocks \
                     are payable, or let the reserve bear it now (reserve_bears=true; the miners keep what comes later)",
                    adopted.uncovered
                )));
            }
            payees.change(&adopted.parts, false);
            let signed = Signed {
                txid,
                bytes: sent.bytes,
                inputs: sent.inputs,
                fee: sent.fee,
            };
            let id = next.map_or(PayoutId::new(1), PayoutId::next);
            next = Some(id);
            let payout = Payout::adopt(id, at, adopted, self.settings.fee_rate, signed);
            spans::of_payout(id).in_scope(|| {
                tracing::warn!(
                    "payout={id} is booked by an operator's order: the wallet had sent txid={txid}"
                );
            });
            writes.push(Write::AdoptPayout(Box::new(payout)));
            ids.push(id);
        }
        Ok(Ok((writes, ids)))
    }
}

/// Takes out what the ledger says of its restore.
fn settled() -> Write {
    Write::SaveSetting {
        key: RESTORED.to_owned(),
        value: None,
    }
}

/// What holds payouts, in words.
fn told_of(holding: &[&Stranger]) -> String {
    if holding.is_empty() {
        return "the wallet sent nothing that the ledger does not know".to_owned();
    }
    let txids = holding
        .iter()
        .take(3)
        .map(|stranger| stranger.spend.txid.to_string());
    format!(
        "the wallet sent {} transactions that the ledger does not know, {} of them to miners: {}",
        holding.len(),
        holding.iter().filter(|stranger| stranger.pays_miner()).count(),
        txids.collect::<Vec<_>>().join(", ")
    )
}

fn describe(payout: &Payout) -> Value {
    let borne = Amount::checked_sum(payout.parts.iter().map(|part| part.borne));
    let borne = borne.expect("of each part at most all is borne, and the parts fit together");
    json!({
        "payout": payout.id.get(),
        "txid": payout.signed.as_ref().map(|signed| signed.txid.to_string()),
        "miners": payout.parts.len(),
        "total_sats": payout.total().sats(),
        "fee_sats": payout.signed.as_ref().map(|signed| signed.fee.sats()),
        "borne_by_reserve_sats": borne.sats(),
        "note": payout.note,
    })
}
