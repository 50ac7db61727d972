//! Following the chain: its tip, its proposals, and what to do while it gives none.

use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::work::ChainTemplate;

use super::{WorkManager, template_of};
use crate::ledger::messages::Commit;
use dwarves_ports::chain::{ChainError, Tip};
use dwarves_ports::store::{TemplateRow, Write};

/// The wait before the chain is asked again after it failed: doubled each time from the first to the last.
pub(super) const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_LAST: Duration = Duration::from_secs(15);
/// The longest wait while there is no work at all: miners are away or about to leave.
const RETRY_LAST_WITHOUT_WORK: Duration = Duration::from_secs(1);
/// The longest wait before the chain is asked for its tip again.
const TIP_RETRY_LAST: Duration = Duration::from_secs(1);
/// How long the ledger may take to keep a template.
const LEDGER_DEADLINE: Duration = Duration::from_secs(10);

impl WorkManager {
    pub(super) fn follow_tip(&mut self, ctx: &mut Context<Self>) {
        let tip = wrap_future::<_, Self>(self.parts.chain.tip_after(self.tip));
        ctx.spawn(tip.map(Self::on_tip));
    }

    fn on_tip(result: Result<Tip, ChainError>, this: &mut Self, ctx: &mut Context<Self>) {
        match result {
            Ok(tip) => {
                log::info!("new tip height={} hash={}", tip.height, tip.hash);
                this.note_tip(tip);
                this.retry_in = RETRY_FIRST;
                this.fetch_template(ctx);
                this.follow_tip(ctx);
            }
            Err(error) => {
                let wait = this.on_chain_error(&error);
                // Asking for the tip is cheap, and a new one ends the waiting for work.
                ctx.run_later(wait.min(TIP_RETRY_LAST), |this, ctx| this.follow_tip(ctx));
                // The tip may be the same when the chain is back: its work is what shows that it is.
                this.fetch_later(wait, ctx);
            }
        }
    }

    /// Notes that the chain failed, and says how long to wait before asking again. The last work stays, unless
    /// no block could be found with it.
    fn on_chain_error(&mut self, error: &ChainError) -> Duration {
        if matches!(error, ChainError::WrongChain(_)) {
            self.look_at_standing();
            self.end_all_work();
        } else if matches!(error, ChainError::Unsound(_)) {
            if self.work.current.is_some() || self.trouble.is_none() {
                log::error!("no work is given out: {error}");
            }
            self.give_out_nothing();
        } else if self.trouble.is_none() {
            let last = if self.work.current.is_some() {
                ", going on with the last"
            } else {
                ""
            };
            log::warn!("the chain gives no work{last}: {error}");
        }
        self.on_trouble(error.to_string())
    }

    fn on_trouble(&mut self, trouble: String) -> Duration {
        self.trouble = Some(trouble);
        let last = if self.work.current.is_some() {
            RETRY_LAST
        } else {
            RETRY_LAST_WITHOUT_WORK
        };
        let wait = self.retry_in.min(last);
        self.retry_in = (wait * 2).min(last);
        wait
    }

    pub(super) fn fetch_template(&mut self, ctx: &mut Context<Self>) {
        if self.fetching {
            // What is under way may have been asked for on the old tip.
            self.fetch_again = true;
            return;
        }
        self.fetching = true;
        let template = wrap_future::<_, Self>(self.parts.chain.template());
        ctx.spawn(template.map(|result, this, ctx| match result {
            Ok(proposal) => this.keep_template(proposal, ctx),
            Err(error) => {
                this.fetching = false;
                this.end_work_on_old_tip();
                let wait = this.on_chain_error(&error);
                this.fetch_later(wait, ctx);
            }
        }));
    }

    /// Plans one fetch; while it is planned, others need not be.
    fn fetch_later(&mut self, wait: Duration, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.retry_planned, true) {
            return;
        }
        ctx.run_later(wait, |this, ctx| {
            this.retry_planned = false;
            this.fetch_template(ctx);
        });
    }

    /// Keeps the proposal in the ledger; only then are jobs made of it.
    fn keep_template(&mut self, proposal: ChainTemplate, ctx: &mut Context<Self>) {
        let row = TemplateRow {
            id: self.parts.next_template,
            received_at: self.parts.clock.now(),
            chain: proposal,
            payout_script: self.parts.payout_script.clone(),
            tag: self.parts.tag.clone(),
        };
        let template = match template_of(&row) {
            Ok(template) => template,
            Err(error) => {
                self.fetching = false;
                log::error!("the chain's template cannot be used: {error}");
                let wait = self.on_trouble(error);
                return self.fetch_later(wait, ctx);
            }
        };
        self.parts.next_template = row.id.next();
        let ledger = self.parts.ledger.clone();
        let commit = Commit {
            writes: vec![Write::SaveTemplate(Box::new(row))],
        };
        let kept = async move { ledger.ask(commit, LEDGER_DEADLINE).await };
        ctx.spawn(wrap_future::<_, Self>(kept).map(move |result, this, ctx| {
            this.fetching = false;
            let trouble = match result {
                Ok(Ok(_)) => {
                    this.on_template(Arc::new(template));
                    None
                }
                Ok(Err(error)) => Some(error.to_string()),
                Err(error) => Some(error.to_string()),
            };
            if trouble.is_some() {
                // The chain may have moved on: what is given out meanwhile is worth nothing, so do not wait long.
                this.trouble = trouble;
                this.fetch_later(RETRY_FIRST, ctx);
            } else if std::mem::take(&mut this.fetch_again) {
                this.fetch_template(ctx);
            }
        }));
    }
}
