//! Payouts that are signed: what became of each, sending it as often as needed, and whoever spends its inputs.

use dwarves_domain::ids::PayoutId;
use dwarves_domain::payouts::{
    Act, OutPoint, Payout, PayoutState, Rival, Signed, Transition, Txid, next_act, rival_act,
};

use super::deadline::patiently;
use super::errand::Ended;
use super::machine::Machine;
use super::trouble::{Trouble, TroubleKind};
use dwarves_ports::wallet::{SendOutcome, WalletError};

impl Machine {
    /// Asks what became of a signed payout and does what follows. A wallet that fails for one payout may answer
    /// for the next, so its failures are noted and not passed on.
    pub(super) async fn follow(&mut self, payout: &Payout) -> Result<(), Ended> {
        let Some(signed) = &payout.signed else {
            return Ok(());
        };
        let depths = self.settings.depths;
        let seen = match patiently(self.wallet.status(signed.txid)).await {
            Ok(seen) => seen,
            Err(error) => return self.note(&error, payout.id),
        };
        match next_act(payout, seen, depths) {
            Act::Wait => {}
            Act::Steps(steps) => self.take(payout.id, steps).await?,
            Act::Send => self.send(payout, true).await?,
            Act::AskRival => {
                if self.ask_rival(payout).await? {
                    self.send(payout, false).await?;
                }
            }
        }
        self.look_for_stuck(payout);
        if payout.state == PayoutState::Broadcast && !payout.note.is_empty() && !payout.is_adopted() {
            let trouble = Trouble::new(TroubleKind::Reorged, payout.note.clone()).of(payout.id);
            self.report.troubles.push(trouble);
        }
        Ok(())
    }

    fn note(&mut self, error: &WalletError, id: PayoutId) -> Result<(), Ended> {
        self.report.troubles.push(Trouble::of_wallet(error).of(id));
        Ok(())
    }

    fn look_for_stuck(&mut self, payout: &Payout) {
        let Some(sent_at) = payout.sent_at else {
            return;
        };
        let waited = self.clock.date().since(sent_at);
        let is_stuck = payout.state == PayoutState::Broadcast && payout.confirmations == 0;
        if is_stuck && waited >= self.settings.stuck_after {
            let detail = format!("sent {} h ago and in no block yet", waited.secs() / 3_600);
            let trouble = Trouble::new(TroubleKind::Stuck, detail).of(payout.id);
            self.report.troubles.push(trouble);
        }
    }

    /// Sends a payout's bytes. If the network does not take them, asks who spent the inputs, unless that was
    /// asked already.
    pub(super) async fn send(&mut self, payout: &Payout, may_ask_rival: bool) -> Result<(), Ended> {
        let is_first = payout.state == PayoutState::Signed;
        let Some(signed) = payout.signed.as_ref().filter(|_| !is_first || self.may_send()) else {
            return Ok(());
        };
        match patiently(self.wallet.send(signed.bytes.clone())).await {
            Ok(SendOutcome::Accepted | SendOutcome::Known) if is_first => {
                self.take(payout.id, vec![Transition::Send]).await
            }
            Ok(SendOutcome::Accepted) => {
                tracing::warn!("payout={} was sent again: the network had lost it", payout.id);
                Ok(())
            }
            Ok(SendOutcome::Known) => Ok(()),
            Ok(SendOutcome::Refused(why)) => {
                if !may_ask_rival || self.ask_rival(payout).await? {
                    let trouble = Trouble::new(TroubleKind::TransactionRefused, why).of(payout.id);
                    self.report.troubles.push(trouble);
                }
                Ok(())
            }
            Err(error) => self.note(&error, payout.id),
        }
    }

    /// Asks who spent a payout's inputs, and returns its money if that is deep. Whether nobody did.
    async fn ask_rival(&mut self, payout: &Payout) -> Result<bool, Ended> {
        let Some(signed) = &payout.signed else {
            return Ok(false);
        };
        let rival = match self.find_rival(signed).await? {
            Ok(rival) => rival,
            Err(error) => return self.note(&error, payout.id).map(|()| false),
        };
        match rival_act(payout, rival, self.settings.depths) {
            Act::Steps(steps) => {
                self.take(payout.id, steps).await?;
                Ok(false)
            }
            Act::Send => Ok(true),
            Act::Wait | Act::AskRival => {
                if let (Rival::Spent { by, confirmations }, true) = (rival, payout.state.is_in_flight()) {
                    let detail = format!("transaction {by} spends its inputs, {confirmations} deep so far");
                    let trouble = Trouble::new(TroubleKind::InputsSpent, detail).of(payout.id);
                    self.report.troubles.push(trouble);
                }
                Ok(false)
            }
        }
    }

    /// Who spent the inputs of a payout's transaction, or those of a returned payout whose change it spends: it can be
    /// in no chain without that one.
    async fn find_rival(&self, signed: &Signed) -> Result<Result<Rival, WalletError>, Ended> {
        let (returned, inputs) = self.with_returned(signed).await?;
        let rival = patiently(self.wallet.rival(signed.txid, inputs)).await;
        Ok(match rival {
            // It is in the chain again, which the next look at it will learn.
            Ok(Rival::Spent { by, .. }) if returned.contains(&by) => {
                patiently(self.wallet.rival(signed.txid, signed.inputs.clone())).await
            }
            rival => rival,
        })
    }

    /// The transactions of returned payouts on whose change this one stands, and the inputs of all of them with its own.
    async fn with_returned(&self, signed: &Signed) -> Result<(Vec<Txid>, Vec<OutPoint>), Ended> {
        let mut returned = Vec::new();
        let mut inputs = signed.inputs.clone();
        let mut at = 0;
        while let Some(txid) = inputs.get(at).map(|input| input.txid) {
            at += 1;
            if returned.contains(&txid) {
                continue;
            }
            let parent = self.store.payout_of(txid).await;
            let parent = parent.map_err(|error| self.store_failed(&error))?;
            let parent = parent.filter(|parent| parent.state == PayoutState::Returned);
            if let Some(parent) = parent.and_then(|parent| parent.signed) {
                returned.push(txid);
                inputs.extend(parent.inputs);
            }
        }
        Ok((returned, inputs))
    }
}
