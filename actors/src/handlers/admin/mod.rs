//! The admin handler: owns who may do what, and the audit trail.
//!
//! It turns a request's fields into a typed control message, asks the pool manager to deliver it, and answers
//! once what was asked and what came of it are in the audit trail. The row of a message that changes what is stored goes
//! with the message ([`Order`]) and is committed with the change; all other rows are appended here. It knows nothing of what the
//! messages do.

use std::collections::BTreeSet;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::refusal::{Refusal, UnknownControl};
use dwarves_ports::clock::SharedClock;
use dwarves_ports::store::{AuditRow, Write};
use serde_json::json;
use tracing::{Instrument, Level, Span};

use crate::ask::{Ask, Port, ReplyTo, bound_mailbox};
use crate::audit::{self, Order};
use crate::control::Controlled;
use crate::ledger::messages::Commit;
use crate::pool_manager::messages::{ControlMessage, Deliver};

pub mod messages;
mod parse;
#[cfg(test)]
mod tests;

pub use parse::ACTORS;

use messages::{AdminCaller, Authorize, Control};

/// Questions that may wait in the mailbox.
const MAILBOX_CAPACITY: usize = 64;
/// How long an actor may take to answer a control message.
const DELIVER_DEADLINE: Duration = Duration::from_secs(30);
/// How long the ledger may take to note it.
const LEDGER_DEADLINE: Duration = Duration::from_secs(20);

/// What the admin handler is made with.
pub struct AdminHandlerParts {
    /// The hotkeys that may send control messages.
    pub admins: BTreeSet<Hotkey>,
    /// Takes messages to their actors.
    pub deliver: Port<Deliver>,
    /// Where the audit trail is kept.
    pub ledger: Port<Commit>,
    /// Where it reads the time.
    pub clock: SharedClock,
}

/// The actor between admins and the pool manager.
pub struct AdminHandler {
    parts: AdminHandlerParts,
}

impl AdminHandler {
    /// An admin handler.
    pub fn new(parts: AdminHandlerParts) -> Self {
        Self { parts }
    }

    fn may(&self, caller: AdminCaller) -> bool {
        match caller {
            AdminCaller::Token => true,
            AdminCaller::Hotkey(hotkey) => self.parts.admins.contains(&hotkey),
        }
    }

    /// Refuses a message that is not in the right form. That an admin sent it is in the trail all the same.
    fn refuse(
        &self,
        control: &Control,
        refusal: Refusal,
        reply: ReplyTo<Controlled>,
        ctx: &mut Context<Self>,
    ) {
        let ledger = self.parts.ledger.clone();
        let outcome = Err(refusal);
        let row = audit_row(control, &outcome, self.parts.clock.date());
        let refused = async move {
            append(&ledger, row).await;
            reply.answer(outcome);
        };
        ctx.spawn(wrap_future(refused.instrument(span_of(control))));
    }

    fn deliver(
        &self,
        control: Control,
        message: ControlMessage,
        reply: ReplyTo<Controlled>,
        ctx: &mut Context<Self>,
    ) {
        let deliver = self.parts.deliver.clone();
        let ledger = self.parts.ledger.clone();
        let at = self.parts.clock.date();
        let span = span_of(&control);
        let order = Order::new(audit_row(&control, &Err(Refusal::Unavailable), at)).within(span.clone());
        let delivered = async move {
            let delivered = deliver.ask_by_order(Deliver(message), Some(order.clone()), DELIVER_DEADLINE);
            let outcome = delivered.await.unwrap_or_else(|error| Err(error.into()));
            // What changed something is in the trail since then.
            if !(order.is_in_trail() && outcome.is_ok()) {
                append(&ledger, audit_row(&control, &outcome, at)).await;
            }
            reply.answer(outcome);
        };
        ctx.spawn(wrap_future(delivered.instrument(span)));
    }
}

/// What the log says while an admin's order is carried out. Its fields may hold anything, so they are not told here.
fn span_of(control: &Control) -> Span {
    crate::span!(
        Level::ERROR,
        "order",
        who = %name(control.caller),
        actor = control.actor.as_str(),
        order = control.message.as_str()
    )
}

/// Appends to the audit trail.
async fn append(ledger: &Port<Commit>, row: AuditRow) {
    let (who, actor) = (row.who.clone(), row.actor.clone());
    let write = Commit {
        writes: vec![Write::AppendAudit(row)],
    };
    if !matches!(ledger.ask(write, LEDGER_DEADLINE).await, Ok(Ok(_))) {
        tracing::error!("control message of {who} to {actor} is not in the audit trail");
    }
}

/// What the audit trail says of a refusal.
fn said(refusal: &Refusal) -> String {
    match refusal {
        Refusal::ControlUnknown { what, .. } => match what {
            UnknownControl::Actor => "there is no such actor".to_owned(),
            UnknownControl::Message => "the actor has no such message".to_owned(),
        },
        Refusal::ControlFieldInvalid { field, detail } => format!("{field}: {detail}"),
        Refusal::ControlRefused(detail) => detail.clone(),
        Refusal::Batch(fault) => fault.to_string(),
        Refusal::Busy => "busy".to_owned(),
        Refusal::Unavailable => "unavailable; whether it holds is not known".to_owned(),
        other => format!("{other:?}"),
    }
}

fn name(caller: AdminCaller) -> String {
    match caller {
        AdminCaller::Token => "token".to_owned(),
        AdminCaller::Hotkey(hotkey) => hotkey.to_string(),
    }
}

fn audit_row(control: &Control, outcome: &Controlled, at: dwarves_domain::time::Timestamp) -> AuditRow {
    let outcome = match outcome {
        Ok(value) => audit::done(value),
        Err(refusal) => json!({ "refused": said(refusal) }).to_string(),
    };
    AuditRow {
        id: 0,
        at,
        who: name(control.caller),
        actor: control.actor.clone(),
        message: control.message.clone(),
        fields: serde_json::Value::Object(control.fields.clone()).to_string(),
        outcome,
    }
}

impl Actor for AdminHandler {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        bound_mailbox(ctx, MAILBOX_CAPACITY);
    }
}

impl Handler<Ask<Authorize>> for AdminHandler {
    type Result = ();

    fn handle(&mut self, ask: Ask<Authorize>, _: &mut Self::Context) {
        ask.reply.answer(self.may(ask.payload.caller));
    }
}

impl Handler<Ask<Control>> for AdminHandler {
    type Result = ();

    fn handle(&mut self, ask: Ask<Control>, ctx: &mut Self::Context) {
        let Ask {
            payload: control,
            reply,
            ..
        } = ask;
        if !self.may(control.caller) {
            tracing::warn!(
                "control message refused who={} actor={}",
                name(control.caller),
                control.actor
            );
            return reply.answer(Err(Refusal::Forbidden));
        }
        match parse::parse(&control) {
            Ok(message) => self.deliver(control, message, reply, ctx),
            Err(refusal) => self.refuse(&control, refusal, reply, ctx),
        }
    }
}
