//! The paymaster: owns payouts on their way from a balance to a deep transaction.
//!
//! Every few seconds it looks at all open payouts, one look at a time: it follows what was sent, sends again
//! what got lost, finishes what was begun, and plans a payout when one is due. What a look does is in `pass`;
//! this actor keeps the time, the admin's settings and what the last look found. It asks the wallet, the ledger
//! and the store's reading side, and is asked by the pool manager. It knows nothing of shares or blocks.
//!
//! | module | its one job |
//! |---|---|
//! | `messages` | what it is asked and told |
//! | `pass` | one look: what is done in which order |
//! | `broadcast` | payouts that are signed: sending, watching, who spends their inputs |
//! | `creation` | payouts that are to be: planned, tried, set aside, signed |
//! | `refusals` | which addresses the node refuses to pay, if it does not say so itself |
//! | `reconciliation` | what follows from what the wallet sent and the ledger does not know |
//! | `machine` | what a look is made with, and how its steps are booked |
//! | `errand` | what a look may do, and what it found |
//! | [`comparison`] | whether the wallet sent what the ledger does not know |
//! | `deadline` | how long the wallet is waited for |
//! | `signing` | what the wallet is asked to sign, and whether it did |
//! | `dry_run` | what would be sent now |
//! | `settings` | how payouts are made |
//! | `control` | what admins may tell it, and what it shows |
//! | [`holds`] | on which grounds nothing may leave at all |
//! | `trouble` | what can hinder payouts, with remedies |

use std::collections::{BTreeMap, VecDeque};

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::PayoutId;
use dwarves_domain::payouts::{PlanDigest, Waiting};
use dwarves_domain::time::{Span, Timestamp};
use dwarves_ports::clock::SharedClock;
use dwarves_ports::halt::SharedHalt;
use dwarves_ports::store::SharedStore;
use dwarves_ports::wallet::SharedWallet;
use tokio::sync::watch;
use tracing::Instrument;

use crate::ask::{Port, ReplyTo, bound_mailbox, tell_every};
use crate::control::Controlled;
use crate::control::hold::{Hold, HoldPayouts};
use crate::ledger::messages::Commit;
use crate::spans;

mod broadcast;
pub mod comparison;
pub mod control;
mod creation;
mod deadline;
mod dry_run;
mod errand;
pub mod holds;
mod machine;
pub mod messages;
mod pass;
mod reconciliation;
mod refusals;
mod settings;
mod signing;
pub(crate) mod switches;
#[cfg(test)]
mod tests;
pub mod trouble;

use comparison::Compared;
use errand::{Errand, Report, Settle};
use holds::Holds;
use machine::Machine;
use messages::{PayoutsView, Poke};
pub use settings::PaymasterSettings;

/// Questions that may wait in the mailbox.
const MAILBOX_CAPACITY: usize = 64;
/// The wait before a payout that could not be planned or made is tried again.
const RETRY_AFTER: Span = Span::from_secs(30);

/// The questions of a start are answered by now, if nothing is wrong.
const ANSWERED_IN: Span = Span::from_secs(60);
/// Wishes of admins that may wait for the end of a look.
const WISHES_MAX: usize = 16;

/// What an admin wants that is done between two looks, so that neither sees what the other has half done.
enum Wish {
    /// To know what would be sent.
    DryRun(ReplyTo<Controlled>),
    /// To give a payout up that is not signed.
    Cancel(PayoutId, ReplyTo<Controlled>),
}

/// What the paymaster is made with.
pub struct PaymasterParts {
    /// Who signs and sends.
    pub wallet: SharedWallet,
    /// Where every step is booked.
    pub ledger: Port<Commit>,
    /// Where balances and payouts are read.
    pub store: SharedStore,
    /// Where it reads the time.
    pub clock: SharedClock,
    /// The emergency stop.
    pub halt: SharedHalt,
    /// How payouts are made.
    pub settings: PaymasterSettings,
    /// The last payout in the store, and when it was begun.
    pub last_payout: Option<(PayoutId, Timestamp)>,
    /// Whether an admin paused payouts in an earlier life.
    pub paused: bool,
    /// What holds payouts from the start.
    pub holds: Holds,
    /// What of the wallet's history was compared with this ledger; `None`: never.
    pub compared: Option<Compared>,
    /// What the ledger says if it was restored from a backup and nobody has settled yet what the wallet sent since.
    pub restored: Option<String>,
}

/// The actor that owns payouts under way.
pub struct Paymaster {
    parts: PaymasterParts,
    errand: Errand,
    view: PayoutsView,
    /// Who was due at the last plan and waits.
    waiting: BTreeMap<Hotkey, Waiting>,
    /// Whether new transactions may leave; a look under way reads it before each step that is not to be undone.
    gate: watch::Sender<bool>,
    /// A look, or a dry run, is under way.
    is_looking: bool,
    /// An admin wants what is strange settled; it waits for the next look.
    to_settle: Option<(Settle, ReplyTo<Controlled>)>,
    /// The look under way settles it.
    settling: Option<ReplyTo<Controlled>>,
    /// An admin wants a payout now: this one, or whichever is due.
    asked_now: Option<(Option<PlanDigest>, ReplyTo<Controlled>)>,
    /// The look under way pays because an admin wants it. One that was begun before answers no order: it knows neither what
    /// was agreed to nor the settings by then.
    paying: Option<ReplyTo<Controlled>>,
    /// What admins want besides, one after the other, between two looks.
    wishes: VecDeque<Wish>,
    is_draining: bool,
    drained: Vec<ReplyTo<()>>,
}

impl Paymaster {
    /// A paymaster that goes on from what the store has.
    pub fn new(mut parts: PaymasterParts) -> Self {
        if let Some(words) = &parts.restored {
            parts.holds.set(Hold::Restored, words.clone());
        }
        let begun_at = parts.last_payout.map(|(_, at)| at);
        let now = parts.clock.now();
        let next_plan_at = match begun_at {
            // One that lies in the future was dated by a clock that was wrong.
            Some(at) => at.min(now).plus(parts.settings.interval),
            None => now,
        };
        let last_payout = parts.last_payout.map(|(id, _)| id);
        let (gate, _) = watch::channel(!parts.paused && parts.holds.is_empty());
        Self {
            errand: Errand {
                wants_plan: false,
                may_send: false,
                may_follow: false,
                is_compared: false,
                compared: parts.compared.clone(),
                restored: parts.restored.clone(),
                is_restore_told: false,
                last_payout,
                refused: BTreeMap::new(),
                outputs_max: parts.settings.outputs_max,
                vbytes_max: parts.settings.vbytes_max,
            },
            view: PayoutsView {
                paused: parts.paused,
                holds: parts.holds.clone(),
                threshold: parts.settings.threshold,
                next_plan_at,
                last_payout,
                ..PayoutsView::default()
            },
            parts,
            waiting: BTreeMap::new(),
            gate,
            is_looking: false,
            to_settle: None,
            settling: None,
            asked_now: None,
            paying: None,
            wishes: VecDeque::new(),
            is_draining: false,
            drained: Vec::new(),
        }
    }

    fn machine(&self, errand: Errand) -> Machine {
        Machine {
            wallet: self.parts.wallet.clone(),
            ledger: self.parts.ledger.clone(),
            store: self.parts.store.clone(),
            clock: self.parts.clock.clone(),
            halt: self.parts.halt.clone(),
            settings: self.parts.settings.clone(),
            gate: self.gate.subscribe(),
            settle: None,
            agreed: None,
            order: None,
            is_held_as_restored: self.view.holds.contains(Hold::Restored),
            report: Report::of(errand),
        }
    }

    /// Whether new transactions may leave.
    fn may_send(&self) -> bool {
        !self.view.paused && self.view.holds.is_empty()
    }

    /// Lets a look that is under way know whether it may go on to send.
    fn set_gate(&self) {
        self.gate.send_replace(self.may_send());
    }

    /// Begins a look, unless one is under way.
    fn look(&mut self, ctx: &mut Context<Self>) {
        if self.is_looking || self.is_draining {
            return;
        }
        self.is_looking = true;
        let is_due = self.parts.clock.now() >= self.view.next_plan_at;
        let errand = Errand {
            wants_plan: is_due || self.asked_now.is_some(),
            may_send: self.may_send(),
            may_follow: !self.view.holds.doubt_chain(),
            ..self.errand.clone()
        };
        let mut machine = self.machine(errand);
        if let Some((agreed, reply)) = self.asked_now.take() {
            machine.agreed = agreed;
            machine.order = reply.order().cloned();
            self.paying = Some(reply);
        }
        if let Some((settle, reply)) = self.to_settle.take() {
            machine.settle = Some((settle, reply.order().cloned()));
            self.settling = Some(reply);
        }
        let span = machine.order_span();
        let looked = wrap_future::<_, Self>(machine.look().instrument(span));
        ctx.spawn(looked.map(|report, this, ctx| this.looked(report, ctx)));
    }

    fn looked(&mut self, mut report: Report, ctx: &mut Context<Self>) {
        self.keep_troubles_of_planning(&mut report);
        self.tell_changes(&report);
        if report.errand.wants_plan {
            self.view.next_plan_at = self.next_plan_after(&report);
        }
        let alarms = &mut self.view.alarms;
        alarms.reorged += report.alarms.reorged;
        alarms.returned += report.alarms.returned;
        alarms.revived += report.alarms.revived;
        self.view.last_payout = report.errand.last_payout;
        if let Some((open, settled)) = &report.open {
            self.view.open.clone_from(open);
            self.view.settled = *settled;
        }
        if let Some(plan) = &mut report.plan {
            self.view.held.clone_from(&plan.held);
            self.waiting = std::mem::take(&mut plan.waiting);
        }
        if let Some(reply) = self.paying.take() {
            reply.answer(control::paid_now(&report));
        }
        if let Some(reply) = self.settling.take() {
            reply.answer(control::settled(&report));
        }
        self.view.troubles = report.troubles;
        self.errand = report.errand;
        if let Some(detail) = report.restored {
            let hold = Hold::Restored;
            self.view.holds.apply(HoldPayouts { hold, detail });
            self.set_gate();
        }
        self.free(ctx);
    }

    /// What hindered the last plan stands until the next one: the looks between do not try it, and one that fails
    /// before it plans found nothing new of it.
    fn keep_troubles_of_planning(&self, report: &mut Report) {
        if report.plan.is_some() {
            return;
        }
        let wants_plan = report.errand.wants_plan;
        for known in self
            .view
            .troubles
            .iter()
            .filter(|trouble| trouble.payout.is_none() && (trouble.kind.is_of_planning() || !wants_plan))
        {
            if !report.troubles.iter().any(|trouble| trouble.kind == known.kind) {
                report.troubles.push(known.clone());
            }
        }
    }

    /// A full transaction leaves others that are due: they are next. Those that wait for something else are tried
    /// again with the next payout. What failed is tried again soon, and a payout that a look was too early for waits
    /// for the next interval.
    fn next_plan_after(&self, report: &Report) -> Timestamp {
        let now = self.parts.clock.now();
        match &report.plan {
            Some(plan) if plan.is_full() && report.begun.is_some() => now,
            Some(_) if report.begun.is_some() => now.plus(self.parts.settings.interval),
            _ if !self.may_send() => self.view.next_plan_at,
            Some(_) if report.troubles.is_empty() => now.plus(self.parts.settings.interval),
            _ => now.plus(RETRY_AFTER.min(self.parts.settings.interval)),
        }
    }

    /// Nothing is under way any more.
    fn free(&mut self, ctx: &mut Context<Self>) {
        self.is_looking = false;
        if self.is_draining {
            for reply in self.drained.drain(..) {
                reply.answer(());
            }
        } else if let Some(wish) = self.wishes.pop_front() {
            self.grant(wish, ctx);
        } else if self.asked_now.is_some() || self.to_settle.is_some() {
            self.look(ctx);
        }
    }

    /// Logs what hinders payouts, once when it begins and once when it is over.
    fn tell_changes(&self, report: &Report) {
        let begun = |trouble: &&trouble::Trouble| {
            let is_same =
                |known: &trouble::Trouble| (known.kind, known.payout) == (trouble.kind, trouble.payout);
            !self.view.troubles.iter().any(is_same)
        };
        for trouble in report.troubles.iter().filter(begun) {
            // One that is about a payout belongs to what else is said of it.
            let span = trouble.payout.map_or_else(tracing::Span::none, spans::of_payout);
            span.in_scope(|| tracing::error!("payouts: {trouble}"));
        }
        for known in &self.view.troubles {
            let is_same =
                |trouble: &trouble::Trouble| (known.kind, known.payout) == (trouble.kind, trouble.payout);
            if !report.troubles.iter().any(is_same) {
                let span = known.payout.map_or_else(tracing::Span::none, spans::of_payout);
                span.in_scope(|| tracing::info!("payouts: {} is over", known.kind.name()));
            }
        }
    }
}

impl Actor for Paymaster {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        bound_mailbox(ctx, MAILBOX_CAPACITY);
        if self.view.paused {
            log::warn!("payouts are paused, as an admin ordered");
        }
        // Most of these are questions that every start asks, and that are answered at once if all is well.
        for line in self.view.holds.lines() {
            log::info!("payouts begin held by {line}");
        }
        ctx.run_later(ANSWERED_IN.to_std(), |this, _| {
            for line in this.view.holds.lines() {
                log::warn!("payouts are still held by {line}");
            }
        });
        self.look(ctx);
        tell_every(ctx, self.parts.settings.look_every, Poke);
    }
}

impl Handler<Poke> for Paymaster {
    type Result = ();

    fn handle(&mut self, _: Poke, ctx: &mut Self::Context) {
        self.look(ctx);
    }
}

impl Handler<HoldPayouts> for Paymaster {
    type Result = ();

    fn handle(&mut self, told: HoldPayouts, ctx: &mut Self::Context) {
        if self.view.holds.apply(told) {
            self.set_gate();
            self.look(ctx);
        }
    }
}
