//! The exporter: pays miners by somebody else's hand, where the pool does not speak the chain of its unit.
//!
//! It stands where the paymaster does in pools that mine. At an operator's order it begins a batch of all that is payable:
//! two texts that the pool's hotkey signs, durable before anybody sees them, and the same for ever to whoever asks by the
//! batch's name again. What was sent an operator marks paid, by the reference of the payment; marks are taken back, and
//! what was never marked is given back to the balances, by orders too. Orders are carried out one after the other, so none
//! sees what another has half done. What is payable, and which batches there are, the store says anew to each.
//!
//! It owns the settings of payouts and the holds. It asks the ledger and the store; nobody below knows it.

use std::collections::{BTreeMap, VecDeque};

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::payouts::export::PAYOUTS_MAX;
use dwarves_domain::payouts::{Plan, Waiting, plan_export};
use dwarves_domain::refusal::Refusal;
use dwarves_domain::time::Span;
use dwarves_domain::units::Amount;
use dwarves_ports::clock::{SharedClock, poke_every};
use dwarves_ports::signer::SharedSigner;
use dwarves_ports::store::SharedStore;
use tracing::Instrument;

use crate::ask::{Ask, AskError, Outbox, Port, ReplyTo, bound_mailbox};
use crate::control::Controlled;
use crate::control::hold::Hold;
use crate::ledger::messages::Commit;
use crate::paymaster::PaymasterSettings;
use crate::paymaster::holds::Holds;
use crate::paymaster::messages::PayoutsView;

mod batches;
mod control;
mod marks;
pub mod messages;
#[cfg(test)]
mod tests;

use messages::{ExporterControl, Poke};

/// Messages that may wait in the mailbox.
const MAILBOX_CAPACITY: usize = 256;
/// Orders that may wait for each other.
const ORDERS_MAX: usize = 16;
/// How often it is looked who is due, for whoever wants to see that.
const LOOK_EVERY: Span = Span::from_secs(60);

/// What batches say and by whom they are signed.
#[derive(Clone)]
pub struct ExportSettings {
    /// What amounts are counted in: 1 to 12 letters and digits.
    pub unit: String,
    /// Its decimal places.
    pub decimals: u8,
    /// Signs batches.
    pub signer: SharedSigner,
}

/// What the exporter is made with.
pub struct ExporterParts {
    /// Where batches and what becomes of them is kept.
    pub ledger: Port<Commit>,
    /// Where balances and batches are read.
    pub store: SharedStore,
    /// Where it reads the time.
    pub clock: SharedClock,
    /// What batches say.
    pub exports: ExportSettings,
    /// Who is paid from which balance on, and where.
    pub settings: PaymasterSettings,
    /// Whether an admin paused payouts in an earlier life.
    pub paused: bool,
    /// What holds payouts from the start.
    pub holds: Holds,
    /// What the ledger says if it was restored from a backup: batches that were begun since are not in it.
    pub restored: Option<String>,
}

/// What an order is carried out with.
struct Clerk {
    ledger: Port<Commit>,
    store: SharedStore,
    clock: SharedClock,
    exports: ExportSettings,
    settings: PaymasterSettings,
    /// Why no batch may begin, if none may.
    obstacle: Option<String>,
}

/// The actor that exports payouts.
pub struct Exporter {
    parts: ExporterParts,
    view: PayoutsView,
    /// Who was due at the last look and could not be in a batch.
    waiting: BTreeMap<Hotkey, Waiting>,
    orders: VecDeque<(ExporterControl, ReplyTo<Controlled>)>,
    /// An order is being carried out.
    is_busy: bool,
    /// It is being looked who is due.
    is_looking: bool,
    is_draining: bool,
    drained: Vec<ReplyTo<()>>,
}

impl Exporter {
    /// An exporter that has not looked yet.
    pub fn new(mut parts: ExporterParts) -> Self {
        if let Some(words) = &parts.restored {
            parts.holds.set(Hold::Restored, words.clone());
        }
        Self {
            view: PayoutsView {
                is_by_export: true,
                paused: parts.paused,
                holds: parts.holds.clone(),
                threshold: parts.settings.threshold,
                ..PayoutsView::default()
            },
            parts,
            waiting: BTreeMap::new(),
            orders: VecDeque::new(),
            is_busy: false,
            is_looking: false,
            is_draining: false,
            drained: Vec::new(),
        }
    }

    fn obstacle(&self) -> Option<String> {
        if self.is_draining {
            return Some("the pool is draining".to_owned());
        }
        if self.view.paused {
            return Some("payouts are paused; resume them first".to_owned());
        }
        let held = self.view.holds.lines().next();
        held.map(|held| format!("payouts are held by {held}"))
    }

    fn clerk(&self) -> Clerk {
        Clerk {
            ledger: self.parts.ledger.clone(),
            store: self.parts.store.clone(),
            clock: self.parts.clock.clone(),
            exports: self.parts.exports.clone(),
            settings: self.parts.settings.clone(),
            obstacle: self.obstacle(),
        }
    }

    /// Carries out the next order, if none is being carried out.
    fn go_on(&mut self, ctx: &mut Context<Self>) {
        if self.is_busy {
            return;
        }
        let Some((order, reply)) = self.orders.pop_front() else {
            for drained in self.drained.drain(..) {
                drained.answer(());
            }
            return;
        };
        self.is_busy = true;
        let clerk = self.clerk();
        let span = reply.span();
        let done = async move {
            let outcome = clerk.carry_out(order, &reply).await;
            reply.answer(outcome);
        };
        let done = wrap_future::<_, Self>(done.instrument(span));
        ctx.spawn(done.map(|(), this, ctx| {
            this.is_busy = false;
            this.look(ctx);
            this.go_on(ctx);
        }));
    }

    /// Looks who is due.
    fn look(&mut self, ctx: &mut Context<Self>) {
        if self.is_draining || std::mem::replace(&mut self.is_looking, true) {
            return;
        }
        let clerk = self.clerk();
        let planned = wrap_future::<_, Self>(async move { clerk.plan().await });
        ctx.spawn(planned.map(|planned, this, _| {
            this.is_looking = false;
            if let Ok(plan) = planned {
                this.view.held = plan.held;
                this.waiting = plan.waiting;
            }
        }));
    }
}

impl Clerk {
    async fn carry_out(&self, order: ExporterControl, reply: &ReplyTo<Controlled>) -> Controlled {
        match order {
            ExporterControl::Status => self.status().await,
            ExporterControl::Export(name) => self.export(name, reply).await,
            ExporterControl::MarkPaid {
                batch,
                reference,
                payouts,
            } => self.mark(batch, reference, payouts, reply).await,
            ExporterControl::UnmarkPaid {
                batch,
                reference,
                payouts,
            } => self.unmark(batch, reference, payouts, reply).await,
            ExporterControl::GiveBack { batch, payouts } => self.give_back(batch, payouts, reply).await,
        }
    }

    /// Who would be in a batch that began now.
    async fn plan(&self) -> Result<Plan, Refusal> {
        let least = Amount::from_sats(1).unwrap_or(Amount::ZERO);
        let candidates = self.store.payout_candidates(least).await;
        let candidates = candidates.map_err(|_| Refusal::Unavailable)?;
        let plan = plan_export(candidates, &self.settings.rules(), PAYOUTS_MAX);
        plan.map_err(|error| {
            tracing::error!("no batch can be planned: {error}");
            Refusal::ControlRefused(error.to_string())
        })
    }
}

impl Actor for Exporter {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        bound_mailbox(ctx, MAILBOX_CAPACITY);
        self.look(ctx);
        let me = Outbox::new(&ctx.address());
        ctx.spawn(wrap_future(poke_every(LOOK_EVERY, move || {
            me.tell(Poke) != Err(AskError::Gone)
        })));
    }
}

impl Handler<Poke> for Exporter {
    type Result = ();

    fn handle(&mut self, _: Poke, ctx: &mut Self::Context) {
        self.look(ctx);
    }
}

impl Handler<Ask<ExporterControl>> for Exporter {
    type Result = ();

    fn handle(&mut self, ask: Ask<ExporterControl>, ctx: &mut Self::Context) {
        if self.is_draining {
            let why = "the pool is draining".to_owned();
            return ask.reply.answer(Err(Refusal::ControlRefused(why)));
        }
        if self.orders.len() >= ORDERS_MAX {
            return ask.reply.answer(Err(Refusal::Busy));
        }
        self.orders.push_back((ask.payload, ask.reply));
        self.go_on(ctx);
    }
}
