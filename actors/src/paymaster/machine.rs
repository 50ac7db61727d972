//! One look at the payouts, from the oldest to the one that is to be made, and how its steps are booked.
//!
//! Nothing is remembered between two looks but what the store holds, so a look after a crash is a look like any
//! other. The order is what keeps the money safe: set aside, sign, store the signed bytes, only then send; and
//! the same bytes again until they are deep.

use std::collections::BTreeMap;
use std::time::Duration;

use dwarves_domain::ids::PayoutId;
use dwarves_domain::payouts::{OutPoint, Payout, PayoutState, Plan, Transition};
use dwarves_ports::clock::SharedClock;
use dwarves_ports::halt::SharedHalt;
use dwarves_ports::store::{SharedStore, StoreAction, StoreError, Write, Written};
use dwarves_ports::wallet::{SharedWallet, WalletError, WalletErrorKind, WalletFuture, WalletState};
use serde_json::Value;
use tokio::sync::watch;
use tracing::Instrument;

use super::PaymasterSettings;
use super::comparing::{Compared, Settle};
use super::making::Made;
use super::messages::{OpenPayout, PayoutAlarms};
use super::refusals::RefusedScript;
use super::trouble::{Trouble, TroubleKind};
use crate::ask::Port;
use crate::audit::Order;
use crate::control::Controlled;
use crate::ledger::messages::Commit;
use crate::spans;

/// Payouts that are followed at once; more are not begun.
pub(super) const OPEN_MAX: u32 = 1_000;
/// How long the wallet may take for one answer. Signing thousands of outputs takes seconds.
const WALLET_DEADLINE: Duration = Duration::from_secs(120);

/// What one look may do, and what earlier looks of this life learnt.
#[derive(Clone, Debug)]
pub(super) struct Errand {
    /// Whether a payout is to be planned.
    pub(super) wants_plan: bool,
    /// Whether new transactions may leave: not while payouts are paused or held.
    pub(super) may_send: bool,
    /// Whether what the wallet says of payouts is booked: not while this may be another chain than the ledger's.
    pub(super) may_follow: bool,
    /// Whether ledger and wallet were compared in this life, and agreed or were settled. Nothing leaves before.
    pub(super) is_compared: bool,
    /// What was compared; `None`: never with this ledger.
    pub(super) compared: Option<Compared>,
    /// The last payout that is known of.
    pub(super) last_payout: Option<PayoutId>,
    /// Scripts that the wallet refused to pay.
    pub(super) refused: BTreeMap<Vec<u8>, RefusedScript>,
    /// Outputs of one transaction: fewer than configured once the wallet found one too large.
    pub(super) outputs_max: usize,
    /// Virtual bytes of one transaction: fewer than configured once the wallet found one too large.
    pub(super) vbytes_max: u64,
}

/// What a look found and did.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) errand: Errand,
    pub(super) troubles: Vec<Trouble>,
    /// As they are after the look, and how many are only watched for reorganisations; `None`: they could not be
    /// read.
    pub(super) open: Option<(Vec<OpenPayout>, u64)>,
    pub(super) alarms: PayoutAlarms,
    /// What was planned, if anything was.
    pub(super) plan: Option<Plan>,
    /// The payout that was begun.
    pub(super) begun: Option<PayoutId>,
    /// Ledger and wallet were compared: why payouts are held now, or that nothing is strange.
    pub(super) restored: Option<Option<String>>,
    /// What came of an operator's order about what is strange.
    pub(super) settled: Option<Controlled>,
}

/// Why a look ends early.
pub(super) enum Ended {
    /// Something hinders all payouts.
    Trouble(Trouble),
    /// The ledger is gone: the pool is stopping.
    Gone,
}

impl From<WalletError> for Ended {
    fn from(error: WalletError) -> Self {
        Self::Trouble(Trouble::of_wallet(&error))
    }
}

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
    /// The order by which this is done, until its row of the audit trail is committed.
    pub(super) order: Option<Order>,
    /// Whether new transactions may leave, as of now.
    pub(super) gate: watch::Receiver<bool>,
    pub(super) report: Report,
}

impl Report {
    pub(super) fn of(errand: Errand) -> Self {
        Self {
            errand,
            troubles: Vec::new(),
            open: None,
            alarms: PayoutAlarms::default(),
            plan: None,
            begun: None,
            restored: None,
            settled: None,
        }
    }
}

/// Waits for the wallet, but not for ever.
pub(super) async fn patiently<T>(answer: WalletFuture<T>) -> Result<T, WalletError> {
    match tokio::time::timeout(WALLET_DEADLINE, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(WalletError::new(
            WalletErrorKind::TimedOut,
            format!("no answer in {} s", WALLET_DEADLINE.as_secs()),
        )),
    }
}

impl Machine {
    /// The order that this is done by, for the log.
    pub(super) fn order_span(&self) -> tracing::Span {
        let settling = self.settle.as_ref().and_then(|(_, order)| order.as_ref());
        let order = settling.or(self.order.as_ref());
        order.map_or_else(tracing::Span::none, Order::span)
    }

    /// Looks at everything once.
    pub(super) async fn look(mut self) -> Report {
        if let Err(Ended::Trouble(trouble)) = self.try_look().await {
            self.report.troubles.push(trouble);
        }
        if let Ok(watched) = self.watched().await {
            let (open, settled): (Vec<&Payout>, Vec<&Payout>) =
                watched.iter().partition(|payout| payout.state.is_in_flight());
            let open = open.into_iter().map(OpenPayout::of).collect();
            self.report.open = Some((open, settled.len() as u64));
        }
        self.report
    }

    async fn try_look(&mut self) -> Result<(), Ended> {
        let watched = self.watched().await?;
        let must_compare = !self.report.errand.is_compared || self.settle.is_some();
        if watched.is_empty() && !must_compare && !(self.report.errand.wants_plan && self.may_send()) {
            return Ok(());
        }
        if !self.report.errand.may_follow {
            return Ok(());
        }
        let is_unlocked = self.wallet_may_be_asked().await?;
        if let Some((settle, order)) = self.settle.take() {
            let pay_now = std::mem::replace(&mut self.order, order);
            let settled = self.settle(settle).await;
            self.order = pay_now;
            self.report.settled = Some(settled?);
        } else if !self.is_held_as_restored && (must_compare || self.report.errand.wants_plan) {
            self.compare().await?;
        }
        for payout in &watched {
            self.follow(payout)
                .instrument(spans::of_payout(payout.id))
                .await?;
        }
        if !is_unlocked || !self.may_send() {
            return Ok(());
        }
        // Read again: following may have given money back, or found that something is sent.
        let watched = self.watched().await?;
        if let Some(reserved) = watched.iter().find(|p| p.state == PayoutState::Reserved) {
            self.release_strays(&watched).await?;
            let span = spans::of_payout(reserved.id);
            if matches!(
                self.make(reserved.id, &watched).instrument(span).await?,
                Made::Done
            ) {
                return Ok(());
            }
            // It was due, and its money is free again: it is planned anew at once.
            self.report.errand.wants_plan = true;
        }
        if !self.report.errand.wants_plan {
            return Ok(());
        }
        self.release_strays(&watched).await?;
        if watched.len() >= OPEN_MAX as usize {
            let detail = format!("{} payouts are open, as many as are followed", watched.len());
            return Err(Ended::Trouble(Trouble::new(TroubleKind::TooManyOpen, detail)));
        }
        self.plan_and_make(&watched).await
    }

    /// Coins of a transaction that was built and never stored are locked in vain: only those of stored ones stay
    /// locked, and no other payout can take them.
    async fn release_strays(&self, watched: &[Payout]) -> Result<(), Ended> {
        Ok(patiently(self.wallet.hold(in_flight_inputs(watched).collect())).await?)
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

    pub(super) fn store_failed(&self, error: &StoreError) -> Ended {
        if error.action() == StoreAction::Stop {
            self.halt
                .halt(&format!("payouts cannot go on from the ledger: {error}"));
        }
        Ended::Trouble(Trouble::new(TroubleKind::Ledger, error.to_string()))
    }

    /// Whether the wallet can sign; a failure if it cannot even be asked.
    async fn wallet_may_be_asked(&mut self) -> Result<bool, Ended> {
        match patiently(self.wallet.state()).await? {
            WalletState::Ready => Ok(true),
            WalletState::Locked => {
                let trouble = Trouble::new(TroubleKind::WalletLocked, "the wallet is locked");
                self.report.troubles.push(trouble);
                Ok(false)
            }
            WalletState::NotLoaded(detail) => {
                Err(Ended::Trouble(Trouble::new(TroubleKind::WalletNotLoaded, detail)))
            }
            WalletState::Syncing(detail) => {
                Err(Ended::Trouble(Trouble::new(TroubleKind::WalletSyncing, detail)))
            }
        }
    }

    /// Commits writes and waits for the answer as long as it takes: a payout whose step is in doubt is not
    /// touched again before the doubt is over.
    pub(super) async fn commit(&mut self, writes: Vec<Write>) -> Result<Vec<Written>, Ended> {
        let answer = self.ledger.post(Commit { writes });
        let answer = answer.map_err(|error| match error {
            crate::ask::AskError::Gone => Ended::Gone,
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
        let writes = steps.iter().cloned();
        self.commit(writes.map(|step| Write::StepPayout { id, step, at }).collect())
            .await?;
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
            Transition::Depth(_) | Transition::Forget => {}
        }
    }
}

/// The inputs of payouts that nobody else may spend.
fn in_flight_inputs(watched: &[Payout]) -> impl Iterator<Item = OutPoint> + '_ {
    let in_flight = watched.iter().filter(|payout| payout.state.is_in_flight());
    in_flight
        .filter_map(|payout| payout.signed.as_ref())
        .flat_map(|signed| signed.inputs.iter().copied())
}

impl OpenPayout {
    fn of(payout: &Payout) -> Self {
        Self {
            id: payout.id,
            state: payout.state,
            txid: payout.signed.as_ref().map(|signed| signed.txid),
            confirmations: payout.confirmations,
        }
    }
}
