//! One look at the payouts, from the oldest to the one that is to be made.
//!
//! Nothing is remembered between two looks but what the store holds, so a look after a crash is a look like any
//! other. The order is what keeps the money safe: set aside, sign, store the signed bytes, only then send; and
//! the same bytes again until they are deep.

use dwarves_domain::payouts::{OutPoint, Payout, PayoutState};
use dwarves_ports::wallet::WalletState;
use tracing::Instrument;

use super::creation::Made;
use super::deadline::patiently;
use super::errand::{Ended, Report};
use super::machine::{Machine, OPEN_MAX};
use super::messages::OpenPayout;
use super::trouble::{Trouble, TroubleKind};
use crate::spans;

impl Machine {
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
        } else if self.is_to_be_told_of_restore()
            || !self.is_held_as_restored && (must_compare || self.report.errand.wants_plan)
        {
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
            reserved_at: payout.reserved_at,
        }
    }
}
