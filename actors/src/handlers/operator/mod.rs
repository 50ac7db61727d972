//! The operator's door: owns which of the operators' sessions in browsers hold, and who may try to begin one.
//!
//! A session is a cookie with a tag, so none of them is kept here: only how often they were ended, which each of them
//! says too. To log out ends all of them, for good: that is in the ledger first. It knows nothing of tokens and cookies.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::limits::{KeyedLimiter, Rate};
use dwarves_domain::refusal::Refusal;
use dwarves_ports::clock::SharedClock;
use dwarves_ports::store::{AuditRow, SESSIONS_ENDED, Write, Written};
use serde_json::json;

use crate::ask::{Ask, Port, ReplyTo, bound_mailbox};
use crate::ledger::messages::Commit;

pub mod messages;
#[cfg(test)]
mod tests;

use messages::{LogIn, LogInRefused, LogOut, ReadSessions};

/// Questions that may wait in the mailbox.
const MAILBOX_CAPACITY: usize = 256;
/// Wrong tokens that one client may present in an hour; as many can be saved up.
const WRONG_PER_HOUR: Rate = Rate::per_hour(30);
/// Clients whose wrong tokens are remembered; those beyond share one allowance.
const CLIENTS_MAX: usize = 4_096;
/// How long the ledger may take.
const LEDGER_DEADLINE: Duration = Duration::from_secs(20);

/// How often sessions were ended in earlier lives.
pub fn sessions_ended(settings: &BTreeMap<String, String>) -> u64 {
    let stored = settings.get(SESSIONS_ENDED).and_then(|value| value.parse().ok());
    stored.unwrap_or_default()
}

/// What the operator's door is made with.
pub struct OperatorDoorParts {
    /// How often sessions were ended in earlier lives.
    pub ended: u64,
    /// Where that, and the audit trail, are kept.
    pub ledger: Port<Commit>,
    /// Where it reads the time.
    pub clock: SharedClock,
}

/// The actor at the operator's door.
pub struct OperatorDoor {
    parts: OperatorDoorParts,
    wrong: KeyedLimiter<IpAddr>,
}

impl OperatorDoor {
    /// A door at which nobody has knocked yet.
    pub fn new(parts: OperatorDoorParts) -> Self {
        Self {
            parts,
            wrong: KeyedLimiter::new(CLIENTS_MAX, WRONG_PER_HOUR),
        }
    }

    fn row(&self, message: &str, fields: &serde_json::Value, outcome: &serde_json::Value) -> AuditRow {
        AuditRow {
            id: 0,
            at: self.parts.clock.date(),
            who: "token".to_owned(),
            actor: "operator_door".to_owned(),
            message: message.to_owned(),
            fields: fields.to_string(),
            outcome: outcome.to_string(),
        }
    }

    fn log_in(&mut self, LogIn { from, is_right }: LogIn) -> Result<u64, LogInRefused> {
        let now = self.parts.clock.now();
        let allowed = self.wrong.take(from, WRONG_PER_HOUR, now);
        allowed.map_err(|empty| LogInRefused::TooMany {
            try_again: empty.try_again,
        })?;
        if !is_right {
            log::warn!("a wrong admin token was presented at the operator's page ip={from}");
            return Err(LogInRefused::Wrong);
        }
        self.wrong.give_back(&from);
        log::info!("an operator logged in ip={from}");
        let row = self.row(
            "log_in",
            &json!({ "from": from.to_string() }),
            &json!({ "done": true }),
        );
        let writes = vec![Write::AppendAudit(row)];
        if self.parts.ledger.post(Commit { writes }).is_err() {
            log::error!("that an operator logged in is not in the audit trail");
        }
        Ok(self.parts.ended)
    }

    fn log_out(&mut self, reply: ReplyTo<Result<bool, Refusal>>, ctx: &mut Context<Self>) {
        let ended = self.parts.ended + 1;
        let row = self.row("log_out", &json!({}), &json!({ "done": true }));
        let save = Write::SaveSetting {
            key: SESSIONS_ENDED.to_owned(),
            value: Some(ended.to_string()),
        };
        let ledger = self.parts.ledger.clone();
        let writes = vec![save, Write::AppendAudit(row)];
        let saved = async move { ledger.ask(Commit { writes }, LEDGER_DEADLINE).await };
        // Whatever comes of it, they hold no longer in this life.
        self.parts.ended = ended;
        ctx.spawn(wrap_future::<_, Self>(saved).map(move |saved, _, _| {
            reply.answer(match saved {
                Ok(Ok(written)) => {
                    log::info!("all operators' sessions were ended");
                    Ok(!written.contains(&Written::Kept))
                }
                Ok(Err(_)) => Err(Refusal::Unavailable),
                Err(error) => Err(error.into()),
            });
        }));
    }
}

impl Actor for OperatorDoor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        bound_mailbox(ctx, MAILBOX_CAPACITY);
    }
}

impl Handler<Ask<LogIn>> for OperatorDoor {
    type Result = ();

    fn handle(&mut self, ask: Ask<LogIn>, _: &mut Self::Context) {
        let outcome = self.log_in(ask.payload);
        ask.reply.answer(outcome);
    }
}

impl Handler<Ask<LogOut>> for OperatorDoor {
    type Result = ();

    fn handle(&mut self, ask: Ask<LogOut>, ctx: &mut Self::Context) {
        self.log_out(ask.reply, ctx);
    }
}

impl Handler<Ask<ReadSessions>> for OperatorDoor {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadSessions>, _: &mut Self::Context) {
        ask.reply.answer(self.parts.ended);
    }
}
