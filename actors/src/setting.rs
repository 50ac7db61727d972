//! Settings that admins change by a control message: stored before they hold.

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::refusal::Refusal;
use dwarves_ports::store::Write;
use serde_json::Value;

use crate::ask::{Port, ReplyTo};
use crate::control::Controlled;
use crate::ledger::messages::Commit;

/// An actor with settings that admins change.
pub(crate) trait HasSettings: Actor<Context = Context<Self>> {
    /// Where its settings are stored.
    fn ledger(&self) -> &Port<Commit>;

    /// Goes on once a changed setting holds and the admin was answered.
    fn setting_changed(&mut self, ctx: &mut Context<Self>);

    /// Stores `value` as the setting `key`; once that is durable, lets `apply` put it into force and answers
    /// `done`. Whatever fails, the setting before holds.
    fn store_then(
        &mut self,
        key: &str,
        value: String,
        done: Value,
        reply: ReplyTo<Controlled>,
        ctx: &mut Context<Self>,
        apply: impl FnOnce(&mut Self) + 'static,
    ) {
        let write = Write::SaveSetting {
            key: key.to_owned(),
            value: Some(value),
        };
        let writes = reply.commit(vec![write], &done);
        let answer = match self.ledger().post(Commit { writes }) {
            Ok(answer) => answer,
            Err(_) => return reply.answer(Err(Refusal::Busy)),
        };
        let order = reply.span();
        ctx.spawn(wrap_future::<_, Self>(answer).map(move |result, this, ctx| {
            let _said_of_it = order.enter();
            match result {
                Ok(Ok(written)) => {
                    apply(this);
                    reply.committed(&written);
                    reply.answer(crate::control::done(done, &written));
                    this.setting_changed(ctx);
                }
                Ok(Err(_)) | Err(_) => reply.answer(Err(Refusal::Unavailable)),
            }
        }));
    }
}
