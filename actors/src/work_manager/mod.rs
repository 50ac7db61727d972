//! The work manager: owns the templates whose jobs are live, and the extranonce space.
//!
//! It follows the chain's tip, makes every proposal of the chain a template (kept durably before any job of it
//! is given out, so that jobs outlive a restart), tells the handlers of every change, and issues jobs: each
//! with an extranonce that no other job ever had. It is asked by the submission handlers and asks the chain and
//! the ledger. It knows nothing of miners beyond the names that it puts into jobs.

use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::ids::{ExtraNonce, HeaderHash, TemplateId};
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::work::{ChainTemplate, JobKey, Template};

use crate::ask::{AskError, Outbox, Port};
use crate::chain::{ChainError, SharedChain, Tip};
use crate::clock::{SharedClock, poke_every};
use crate::ledger::messages::Commit;
use crate::miner_manager::messages::WorkRetired;
use crate::store::{TemplateRow, Write};

mod handlers;
pub mod messages;
#[cfg(test)]
mod tests;

use messages::{LiveWork, WorkChanged};

/// Questions that may wait in the mailbox.
const MAILBOX_CAPACITY: usize = 8_192;
/// Live templates on one tip; the oldest goes when another comes.
const LIVE_TEMPLATES_MAX: usize = 16;
/// The wait before the chain is asked again after it failed: doubled each time from the first to the last.
const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_LAST: Duration = Duration::from_secs(15);
/// How long the ledger may take to keep a template.
const LEDGER_DEADLINE: Duration = Duration::from_secs(10);

/// What the work manager is made with.
pub struct WorkManagerParts {
    /// Where work comes from.
    pub chain: SharedChain,
    /// The time.
    pub clock: SharedClock,
    /// Keeps templates.
    pub ledger: Port<Commit>,
    /// Is told which templates are over.
    pub miners: Outbox<WorkRetired>,
    /// Names jobs.
    pub job_key: JobKey,
    /// What coinbases pay.
    pub payout_script: Vec<u8>,
    /// The pool's tag in coinbases.
    pub tag: String,
    /// How often a new template is fetched on the same tip.
    pub refresh_every: Span,
    /// How long a job's shares are taken at most.
    pub job_lifetime: Span,
    /// Which life of the pool this is: the upper half of every extranonce.
    pub life: u32,
    /// The number of the next template.
    pub next_template: TemplateId,
    /// Templates of an earlier life whose jobs may still be live, oldest first.
    pub stored: Vec<TemplateRow>,
}

/// The actor that owns the present work.
pub struct WorkManager {
    parts: WorkManagerParts,
    work: Arc<LiveWork>,
    tip: Option<HeaderHash>,
    subscribers: Vec<Outbox<WorkChanged>>,
    jobs_issued: u32,
    trouble: Option<String>,
    retry_in: Duration,
    fetching: bool,
    fetch_again: bool,
}

impl WorkManager {
    /// A work manager that has no work yet.
    pub fn new(parts: WorkManagerParts) -> Self {
        Self {
            parts,
            work: Arc::new(LiveWork::none()),
            tip: None,
            subscribers: Vec::new(),
            jobs_issued: 0,
            trouble: None,
            retry_in: RETRY_FIRST,
            fetching: false,
            fetch_again: false,
        }
    }

    fn follow_tip(&mut self, ctx: &mut Context<Self>) {
        let tip = wrap_future::<_, Self>(self.parts.chain.tip_after(self.tip));
        ctx.spawn(tip.map(Self::on_tip));
    }

    fn on_tip(result: Result<Tip, ChainError>, this: &mut Self, ctx: &mut Context<Self>) {
        match result {
            Ok(tip) => {
                log::info!("new tip height={} hash={}", tip.height, tip.hash);
                this.tip = Some(tip.hash);
                this.retry_in = RETRY_FIRST;
                this.fetch_template(ctx);
                this.follow_tip(ctx);
            }
            Err(error) => {
                let wait = this.on_chain_error(&error);
                ctx.run_later(wait, |this, ctx| this.follow_tip(ctx));
            }
        }
    }

    /// Notes that the chain failed, and says how long to wait before asking again. The last work stays.
    fn on_chain_error(&mut self, error: &ChainError) -> Duration {
        if self.trouble.is_none() {
            log::warn!("the chain gives no work, going on with the last: {error}");
        }
        self.trouble = Some(error.to_string());
        let wait = self.retry_in;
        self.retry_in = (wait * 2).min(RETRY_LAST);
        wait
    }

    fn fetch_template(&mut self, ctx: &mut Context<Self>) {
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
                let wait = this.on_chain_error(&error);
                ctx.run_later(wait, |this, ctx| this.fetch_template(ctx));
            }
        }));
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
                log::error!("the chain's template can not be used: {error}");
                self.trouble = Some(error);
                return;
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
            match result {
                Ok(Ok(_)) => this.on_template(Arc::new(template)),
                Ok(Err(error)) => this.trouble = Some(error.to_string()),
                Err(error) => this.trouble = Some(error.to_string()),
            }
            if std::mem::take(&mut this.fetch_again) {
                this.fetch_template(ctx);
            } else if this.work.current.is_none() {
                ctx.run_later(RETRY_FIRST, |this, ctx| this.fetch_template(ctx));
            }
        }));
    }

    fn on_template(&mut self, template: Arc<Template>) {
        if self.trouble.take().is_some() {
            log::info!("the chain gives work again");
        }
        self.retry_in = RETRY_FIRST;
        let now = self.parts.clock.now();
        let stored: Vec<_> = self
            .parts
            .stored
            .drain(..)
            .filter_map(|row| template_of(&row).ok())
            .collect();
        let mut live: Vec<_> = self
            .work
            .live
            .iter()
            .cloned()
            .chain(stored.into_iter().map(Arc::new))
            .collect();
        live.retain(|old| {
            old.chain().previous == template.chain().previous
                && now < self.expiry(old)
                && old.id() < template.id()
        });
        live.push(Arc::clone(&template));
        let surplus = live.len().saturating_sub(LIVE_TEMPLATES_MAX);
        live.drain(..surplus);
        log::debug!(
            "new work template={} height={}",
            template.id(),
            template.chain().height
        );
        let oldest = live[0].id();
        self.publish(LiveWork {
            current: Some(template),
            live,
            since: now,
        });
        self.retire_before(oldest);
    }

    fn publish(&mut self, work: LiveWork) {
        self.work = Arc::new(work);
        // A subscriber that is gone ended with its worker; a full one hears of the next change.
        self.subscribers
            .retain(|subscriber| subscriber.tell(WorkChanged(Arc::clone(&self.work))) != Err(AskError::Gone));
    }

    fn retire_before(&mut self, oldest: TemplateId) {
        // Both may be busy: retiring only frees space, and the next template says it again.
        if self.parts.miners.tell(WorkRetired { oldest }).is_err() {
            log::debug!("the miner manager is busy; templates before {oldest} retire later");
        }
        let retire = Commit {
            writes: vec![Write::RetireTemplates { before: oldest }],
        };
        if self.parts.ledger.post(retire).is_err() {
            log::debug!("the ledger is busy; templates before {oldest} retire later");
        }
    }

    fn expiry(&self, template: &Template) -> Timestamp {
        template.received_at().plus(self.parts.job_lifetime)
    }

    /// An extranonce that no job of this or an earlier life has.
    fn next_extranonce(&mut self) -> Option<ExtraNonce> {
        let low = self.jobs_issued;
        self.jobs_issued = low.checked_add(1)?;
        Some(ExtraNonce::new(u64::from(self.parts.life) << 32 | u64::from(low)))
    }
}

fn template_of(row: &TemplateRow) -> Result<Template, String> {
    Template::new(
        row.id,
        row.received_at,
        row.chain.clone(),
        &row.payout_script,
        &row.tag,
    )
    .map_err(|error| error.to_string())
}

impl Actor for WorkManager {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_CAPACITY);
        self.follow_tip(ctx);
        let me = Outbox::new(&ctx.address());
        let every = self.parts.refresh_every;
        ctx.spawn(wrap_future(poke_every(every, move || {
            me.tell(handlers::RefreshDue) != Err(AskError::Gone)
        })));
    }
}
