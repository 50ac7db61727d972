//! One look at the payouts, from the oldest to the one that is to be made: follow, send, sign, plan.
//!
//! Nothing is remembered between two looks but what the store holds, so a look after a crash is a look like any
//! other. The order is what keeps the money safe: set aside, sign, store the signed bytes, only then send; and
//! the same bytes again until they are deep.

use std::collections::BTreeSet;
use std::time::Duration;

use dwarves_domain::ids::PayoutId;
use dwarves_domain::payouts::{
    Act, Batch, BatchError, OutPoint, Payout, PayoutState, Plan, Rival, Step, Txid, next_act, plan, rival_act,
};
use dwarves_domain::time::Span;
use dwarves_domain::units::Amount;

use super::PaymasterSettings;
use super::messages::{OpenPayout, PayoutAlarms};
use super::signing::{build_request, check_signed};
use super::trouble::{Trouble, TroubleKind};
use crate::ask::Port;
use crate::clock::SharedClock;
use crate::halt::SharedHalt;
use crate::ledger::messages::Commit;
use crate::store::{SharedStore, StoreAction, StoreError, Write, Written};
use crate::wallet::{
    SendOutcome, SharedWallet, WalletAction, WalletError, WalletErrorKind, WalletFuture, WalletState,
};

/// Payouts that are followed at once; more are not begun.
pub(super) const OPEN_MAX: u32 = 1_000;
/// How long the wallet may take for one answer. Signing thousands of outputs takes seconds.
const WALLET_DEADLINE: Duration = Duration::from_secs(120);
/// Outputs below which a transaction that is too large is not split any further.
const OUTPUTS_MIN: usize = 1;

/// What one look may do, and what earlier looks of this life learnt.
#[derive(Clone, Debug)]
pub(super) struct Errand {
    /// Whether a payout is to be planned.
    pub(super) wants_plan: bool,
    /// Whether new transactions may leave: not while payouts are paused.
    pub(super) may_send: bool,
    /// The last payout that is known of.
    pub(super) last_payout: Option<PayoutId>,
    /// Scripts that the wallet refused to pay.
    pub(super) refused: BTreeSet<Vec<u8>>,
    /// Outputs of one transaction: fewer than configured once the wallet found one too large.
    pub(super) outputs_max: usize,
}

/// What a look found and did.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) errand: Errand,
    pub(super) troubles: Vec<Trouble>,
    /// As they are after the look; `None`: they could not be read.
    pub(super) open: Option<Vec<OpenPayout>>,
    pub(super) alarms: PayoutAlarms,
    /// What was planned, if anything was.
    pub(super) plan: Option<Plan>,
    /// The payout that was begun.
    pub(super) begun: Option<PayoutId>,
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
    /// Looks at everything once.
    pub(super) async fn look(mut self) -> Report {
        if let Err(Ended::Trouble(trouble)) = self.try_look().await {
            self.report.troubles.push(trouble);
        }
        if let Ok(open) = self.watched().await {
            self.report.open = Some(open.iter().map(OpenPayout::of).collect());
        }
        self.report
    }

    async fn try_look(&mut self) -> Result<(), Ended> {
        let watched = self.watched().await?;
        if watched.is_empty() && !(self.report.errand.wants_plan && self.report.errand.may_send) {
            return Ok(());
        }
        let is_unlocked = self.wallet_may_be_asked().await?;
        for payout in &watched {
            self.follow(payout).await?;
        }
        if !is_unlocked || !self.report.errand.may_send {
            return Ok(());
        }
        // Read again: following may have given money back, or found that something is sent.
        let watched = self.watched().await?;
        // Coins of a transaction that was built and never stored are locked in vain: only those of stored ones
        // stay locked, and no other payout can take them.
        let wants_coins =
            self.report.errand.wants_plan || watched.iter().any(|p| p.state == PayoutState::Reserved);
        if wants_coins {
            patiently(self.wallet.hold(in_flight_inputs(&watched).collect())).await?;
        }
        if let Some(reserved) = watched.iter().find(|p| p.state == PayoutState::Reserved) {
            return self.make(reserved.id, &watched).await;
        }
        if !self.report.errand.wants_plan {
            return Ok(());
        }
        if watched.len() >= OPEN_MAX as usize {
            let detail = format!("{} payouts are open, as many as are followed", watched.len());
            return Err(Ended::Trouble(Trouble::new(TroubleKind::TooManyOpen, detail)));
        }
        self.plan_and_make(&watched).await
    }

    async fn watched(&mut self) -> Result<Vec<Payout>, Ended> {
        let watched = self.store.watched_payouts(OPEN_MAX).await;
        let watched = watched.map_err(|error| self.store_failed(&error))?;
        let errand = &mut self.report.errand;
        errand.last_payout = watched.iter().map(|p| p.id).chain(errand.last_payout).max();
        Ok(watched)
    }

    pub(super) fn store_failed(&self, error: &StoreError) -> Ended {
        if error.action() == StoreAction::Stop {
            self.halt
                .halt(&format!("payouts can not go on from the ledger: {error}"));
        }
        Ended::Trouble(Trouble::new(TroubleKind::Ledger, error.to_string()))
    }

    /// Whether the wallet can sign; a failure if it can not even be asked.
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
    async fn commit(&mut self, writes: Vec<Write>) -> Result<Vec<Written>, Ended> {
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

    async fn take(&mut self, id: PayoutId, steps: Vec<Step>) -> Result<(), Ended> {
        let at = self.clock.now();
        for step in &steps {
            self.tell(id, step);
        }
        let writes = steps.iter().cloned();
        self.commit(writes.map(|step| Write::StepPayout { id, step, at }).collect())
            .await?;
        for step in steps {
            let alarms = &mut self.report.alarms;
            match step {
                Step::Unconfirm(_) => alarms.reorged += 1,
                Step::Return(_) => alarms.returned += 1,
                Step::Revive(_) => alarms.revived += 1,
                _ => {}
            }
        }
        Ok(())
    }

    /// Logs a step that is about to be booked.
    fn tell(&self, id: PayoutId, step: &Step) {
        match step {
            Step::Sign { signed, .. } => log::info!(
                "payout={id} is signed txid={} fee_sats={}",
                signed.txid,
                signed.fee
            ),
            Step::Send => log::info!("payout={id} was sent"),
            Step::Confirm(depth) => log::info!("payout={id} is confirmed confirmations={depth}"),
            Step::Cancel(why) => log::warn!("payout={id} is given up before it was signed: {why}"),
            Step::Return(why) => log::error!("ALARM payout={id} is returned to its miners' balances: {why}"),
            Step::Unconfirm(depth) => log::error!(
                "ALARM payout={id} was deep and is no longer confirmations={depth}: a reorganisation; it is sent again"
            ),
            Step::Revive(depth) => log::error!(
                "ALARM payout={id} was returned but is in the chain after all confirmations={depth}; what its \
                 miners do not have as payable any more, the reserve bears"
            ),
            Step::Depth(_) | Step::Forget => {}
        }
    }

    /// Asks what became of a signed payout and does what follows. A wallet that fails for one payout may answer
    /// for the next, so its failures are noted and not passed on.
    async fn follow(&mut self, payout: &Payout) -> Result<(), Ended> {
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
        if payout.state == PayoutState::Broadcast && !payout.note.is_empty() {
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
        let waited = self.clock.now().since(sent_at);
        let is_stuck = payout.state == PayoutState::Broadcast && payout.confirmations == 0;
        if is_stuck && waited >= self.settings.stuck_after {
            let detail = format!("sent {} h ago and in no block yet", waited.secs() / 3_600);
            let trouble = Trouble::new(TroubleKind::Stuck, detail).of(payout.id);
            self.report.troubles.push(trouble);
        }
    }

    /// Sends a payout's bytes. If the network does not take them, asks who spent the inputs, unless that was
    /// asked already.
    async fn send(&mut self, payout: &Payout, may_ask_rival: bool) -> Result<(), Ended> {
        let is_first = payout.state == PayoutState::Signed;
        let Some(signed) = payout
            .signed
            .as_ref()
            .filter(|_| !is_first || self.report.errand.may_send)
        else {
            return Ok(());
        };
        match patiently(self.wallet.send(signed.bytes.clone())).await {
            Ok(SendOutcome::Accepted | SendOutcome::Known) if is_first => {
                self.take(payout.id, vec![Step::Send]).await
            }
            Ok(SendOutcome::Accepted) => {
                log::warn!("payout={} was sent again: the network had lost it", payout.id);
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
        let rival = match patiently(self.wallet.rival(signed.txid, signed.inputs.clone())).await {
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

    /// Plans a payout, sets its money aside and makes it.
    async fn plan_and_make(&mut self, watched: &[Payout]) -> Result<(), Ended> {
        let plan = self.plan().await?;
        let (total, parts) = (plan.total, plan.parts.clone());
        self.report.plan = Some(plan);
        if parts.is_empty() {
            return Ok(());
        }
        let spendable = patiently(self.wallet.spendable()).await?;
        if spendable < total {
            let detail = format!("{total} sats are due, the wallet can spend {spendable}");
            return Err(Ended::Trouble(Trouble::new(TroubleKind::ShortOfFunds, detail)));
        }
        let id = self
            .report
            .errand
            .last_payout
            .map_or(PayoutId::new(1), PayoutId::next);
        let (payer, rate) = (self.settings.payer, self.settings.fee_rate);
        let payout = Payout::reserve(id, self.clock.now(), parts, payer, rate);
        log::info!("payout={id} is begun miners={} sats={total}", payout.parts.len());
        let write = Write::ReservePayout(Box::new(payout));
        let written = self.commit(vec![write]).await?;
        if written.first() == Some(&Written::PayoutRefused) {
            // A balance went down since it was read; the next plan sees it.
            return Ok(());
        }
        self.report.errand.last_payout = Some(id);
        self.report.begun = Some(id);
        self.make(id, watched).await
    }

    /// Who would be paid now.
    pub(super) async fn plan(&mut self) -> Result<Plan, Ended> {
        let one = Amount::from_sats(1).unwrap_or(Amount::ZERO);
        let candidates = self.store.payout_candidates(one).await;
        let candidates = candidates.map_err(|error| self.store_failed(&error))?;
        let mut rules = self.settings.rules();
        rules.outputs_max = self.report.errand.outputs_max;
        rules.refused.clone_from(&self.report.errand.refused);
        plan(candidates, &rules).map_err(|error| {
            self.halt
                .halt(&format!("payouts can not be planned from the ledger: {error}"));
            Ended::Trouble(Trouble::new(TroubleKind::Ledger, error.to_string()))
        })
    }

    /// Builds, signs, stores and sends a reserved payout.
    async fn make(&mut self, id: PayoutId, watched: &[Payout]) -> Result<(), Ended> {
        let payout = self.store.payout(id).await;
        let payout = payout.map_err(|error| self.store_failed(&error))?;
        let Some(payout) = payout.filter(|payout| payout.state == PayoutState::Reserved) else {
            return Ok(());
        };
        let batch = match Batch::new(payout.parts.clone(), payout.payer, self.settings.addresses) {
            Ok(batch) => batch,
            Err(error @ (BatchError::Address { .. } | BatchError::Fee { .. } | BatchError::Overflow)) => {
                return self
                    .give_up(id, &error.to_string(), TroubleKind::AddressRefused)
                    .await;
            }
        };
        let request = build_request(&batch, self.settings.fee_rate, self.settings.fee_max);
        let built = match patiently(self.wallet.build(request)).await {
            Ok(built) => built,
            Err(error) if error.action() == WalletAction::Replan => {
                return self.replan(id, &batch, &error).await;
            }
            Err(error) => return Err(Ended::Trouble(Trouble::of_wallet(&error).of(id))),
        };
        let known: BTreeSet<Txid> = watched
            .iter()
            .filter_map(|p| p.signed.as_ref())
            .map(|s| s.txid)
            .collect();
        let spent: BTreeSet<OutPoint> = spent_inputs(watched).collect();
        let fees = match check_signed(&built, &batch, self.settings.fee_max, &known, &spent) {
            Ok(fees) => fees,
            Err(why) => {
                log::error!("payout={id}: the wallet signed another transaction than was asked for: {why}");
                let trouble = Trouble::new(TroubleKind::WalletRefused, why).of(id);
                return Err(Ended::Trouble(trouble));
            }
        };
        let signed = built.signed;
        let step = Step::Sign {
            signed: signed.clone(),
            fees,
        };
        self.take(id, vec![step]).await?;
        let payout = Payout {
            state: PayoutState::Signed,
            signed: Some(signed),
            ..payout
        };
        self.send(&payout, true).await
    }

    /// Gives a payout up that the wallet can not make, and keeps in mind what was wrong with it.
    async fn replan(&mut self, id: PayoutId, batch: &Batch, error: &WalletError) -> Result<(), Ended> {
        let errand = &mut self.report.errand;
        let kind = match error.kind() {
            WalletErrorKind::BadAddress(script) => {
                errand.refused.insert(script.clone());
                TroubleKind::AddressRefused
            }
            _ => {
                errand.outputs_max = (batch.outputs().len() / 2).max(OUTPUTS_MIN);
                TroubleKind::TooLarge
            }
        };
        self.give_up(id, &error.to_string(), kind).await
    }

    async fn give_up(&mut self, id: PayoutId, why: &str, kind: TroubleKind) -> Result<(), Ended> {
        self.take(id, vec![Step::Cancel(why.to_owned())]).await?;
        Err(Ended::Trouble(Trouble::new(kind, why).of(id)))
    }
}

/// The inputs of payouts that nobody else may spend.
fn in_flight_inputs(watched: &[Payout]) -> impl Iterator<Item = OutPoint> + '_ {
    let in_flight = watched.iter().filter(|payout| payout.state.is_in_flight());
    in_flight
        .filter_map(|payout| payout.signed.as_ref())
        .flat_map(|signed| signed.inputs.iter().copied())
}

/// The inputs of payouts that were sent or may be: a new one that spends them is an old answer.
fn spent_inputs(watched: &[Payout]) -> impl Iterator<Item = OutPoint> + '_ {
    let standing = |payout: &&Payout| payout.state.is_in_flight() || payout.state == PayoutState::Confirmed;
    let standing = watched.iter().filter(standing);
    standing
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

/// How long a payout may wait for its first block before it is said to be stuck.
pub(super) const STUCK_AFTER: Span = Span::from_secs(24 * 3_600);
