//! What a look at the payouts is made with, and how its steps are booked.

use dwarves_domain::ids::PayoutId;
use dwarves_domain::payouts::{Payout, PlanDigest, Transition};
use dwarves_ports::clock::SharedClock;
use dwarves_ports::halt::SharedHalt;
use dwarves_ports::store::{SharedStore, StoreAction, StoreError, Write, Written};
use dwarves_ports::wallet::SharedWallet;
use serde_json::Value;
use tokio::sync::watch;

use super::errand::{Ended, Report, Settle};
use super::settings::PaymasterSettings;
use super::trouble::{Trouble, TroubleKind};
use crate::ask::{AskError, Port};
use crate::audit::Order;
use crate::ledger::messages::Commit;
use crate::notices;

/// Payouts that are followed at once; more are not begun.
pub(super) const OPEN_MAX: u32 = 1_000;

/// What a look is made with.
pub(super) struct Machine {
    pub(super) wallet: SharedWallet,
    pub(super) ledger: Port<Commit>,
    pub(super) store: SharedStore,
    pub(super) clock: SharedClock,
    pub(super) halt: SharedHalt,
    pub(super) settings: PaymasterSettings,
    /// Payouts are held because ledger and wallet do not agree: an operator's order compares them again.
    pub(super) is_held_as_restored: bool,
    /// An operator's order about what the ledger does not know.
    pub(super) settle: Option<(Settle, Option<Order>)>,
    /// The one plan that an admin agreed to; `None`: whatever is due.
    pub(super) agreed: Option<PlanDigest>,
    /// The order by which this is done, until its row of the audit trail is committed.
    pub(super) order: Option<Order>,
    /// Whether new transactions may leave, as of now.
    pub(super) gate: watch::Receiver<bool>,
    pub(super) report: Report,
}

impl Machine {
    /// The order that this is done by, for the log.
    pub(super) fn order_span(&self) -> tracing::Span {
        let settling = self.settle.as_ref().and_then(|(_, order)| order.as_ref());
        let order = settling.or(self.order.as_ref());
        order.map_or_else(tracing::Span::none, Order::span)
    }

    /// Whether a new transaction may leave. Asked before each step that cannot be undone, because payouts may be
    /// paused or held while a look is under way.
    pub(super) fn may_send(&self) -> bool {
        let is_clear = self.report.errand.is_compared && !matches!(self.report.restored, Some(Some(_)));
        self.report.errand.may_send && is_clear && *self.gate.borrow()
    }

    pub(super) async fn watched(&mut self) -> Result<Vec<Payout>, Ended> {
        let watched = self.store.watched_payouts(OPEN_MAX).await;
        let watched = watched.map_err(|error| self.store_failed(&error))?;
        let errand = &mut self.report.errand;
        errand.last_payout = watched.iter().map(|p| p.id).chain(errand.last_payout).max();
        Ok(watched)
    }

    /// A payout that the ledger named before. It keeps every payout for good, so one that it does not find is lost
    /// money: the pool stops.
    pub(super) async fn known_payout(&self, id: PayoutId) -> Result<Payout, Ended> {
        let payout = self.store.payout(id).await;
        payout.map_err(|error| self.store_failed(&error))?.ok_or_else(|| {
            let why = format!("the ledger lost payout {id}, which it named before");
            self.halt.halt(&format!("payouts cannot go on: {why}"));
            Ended::Trouble(Trouble::new(TroubleKind::Ledger, why).of(id))
        })
    }

    pub(super) fn store_failed(&self, error: &StoreError) -> Ended {
        if error.action() == StoreAction::Stop {
            self.halt
                .halt(&format!("payouts cannot go on from the ledger: {error}"));
        }
        Ended::Trouble(Trouble::new(TroubleKind::Ledger, error.to_string()))
    }

    /// Commits writes and waits for the answer as long as it takes: a payout whose step is in doubt is not
    /// touched again before the doubt is over.
    pub(super) async fn commit(&mut self, writes: Vec<Write>) -> Result<Vec<Written>, Ended> {
        let answer = self.ledger.post(Commit { writes });
        let answer = answer.map_err(|error| match error {
            AskError::Gone => Ended::Gone,
            error => Ended::Trouble(Trouble::new(TroubleKind::Ledger, error.to_string())),
        })?;
        match answer.await {
            Ok(Ok(written)) => Ok(written),
            // The ledger has stopped the process already if it had to.
            Ok(Err(error)) => Err(Ended::Trouble(Trouble::new(
                TroubleKind::Ledger,
                error.to_string(),
            ))),
            Err(_) => Err(Ended::Gone),
        }
    }

    /// Commits what an order changes, and its row of the audit trail, which says that `done` was done.
    pub(super) async fn commit_order(
        &mut self,
        writes: Vec<Write>,
        done: &Value,
    ) -> Result<Vec<Written>, Ended> {
        let Some(order) = self.order.take() else {
            return self.commit(writes).await;
        };
        let written = self.commit(order.commit(writes, done)).await?;
        order.committed(&written);
        Ok(written)
    }

    pub(super) async fn take(&mut self, id: PayoutId, steps: Vec<Transition>) -> Result<(), Ended> {
        let at = self.clock.date();
        for step in &steps {
            self.tell(id, step);
        }
        let notices = steps.iter().filter_map(|step| notices::payout_step(id, step, at));
        let writes = steps.iter().cloned();
        let writes = writes.map(|step| Write::StepPayout { id, step, at });
        self.commit(writes.chain(notices).collect()).await?;
        for step in steps {
            let alarms = &mut self.report.alarms;
            match step {
                Transition::Unconfirm(_) => alarms.reorged += 1,
                Transition::Return(_) => alarms.returned += 1,
                Transition::Revive(_) => alarms.revived += 1,
                _ => {}
            }
        }
        Ok(())
    }

    /// Logs a step that is about to be booked.
    pub(super) fn tell(&self, id: PayoutId, step: &Transition) {
        match step {
            Transition::Sign { signed, .. } => tracing::info!(
                "payout={id} is signed txid={} fee_sats={}",
                signed.txid,
                signed.fee
            ),
            Transition::Send => tracing::info!("payout={id} was sent"),
            Transition::Confirm(depth) => tracing::info!("payout={id} is confirmed confirmations={depth}"),
            Transition::Cancel(why) => tracing::warn!("payout={id} is given up before it was signed: {why}"),
            Transition::Return(why) => {
                tracing::error!("ALARM payout={id} is returned to its miners' balances: {why}")
            }
            Transition::Unconfirm(depth) => tracing::error!(
                "ALARM payout={id} was deep and is no longer confirmations={depth}: a reorganisation; it is sent again"
            ),
            Transition::Revive(depth) => tracing::error!(
                "ALARM payout={id} was returned but is in the chain after all confirmations={depth}; what its \
                 miners do not have as payable any more, the reserve bears"
            ),
            // The last two are steps of exported payouts, which this actor has none of.
            Transition::Depth(_) | Transition::Forget | Transition::Pay(_) | Transition::Unpay(_) => {}
        }
    }
}
