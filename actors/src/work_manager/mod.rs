//! The work manager: owns the templates whose jobs are live, and the extranonce space.
//!
//! It follows the chain's tip, makes every proposal of the chain a template (kept durably before any job of it
//! is given out, so that jobs outlive a restart), tells the handlers of every change, and issues jobs: each
//! with an extranonce that no other job ever had. It is asked by the submission handlers and asks the chain and
//! the ledger. It knows nothing of miners beyond the names that it puts into jobs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use dwarves_domain::ids::{ExtraNonce, HeaderHash, TemplateId};
use dwarves_domain::time::{Span, Timestamp};
use dwarves_domain::work::{JobExtraNonces, JobKey, Template};

use crate::ask::{Outbox, Port, bound_mailbox, tell_every};
use crate::control::hold::HoldPayouts;
use crate::ledger::messages::Commit;
use crate::miner_manager::messages::WorkRetired;
use dwarves_ports::chain::{SharedChain, Standing};
use dwarves_ports::clock::{Moment, SharedClock};
use dwarves_ports::store::{TemplateRow, Write};

mod handlers;
mod lack;
pub mod messages;
mod retention;
mod template_feed;
#[cfg(test)]
mod tests;
mod tip_guard;

use crate::live_work::{LackOfWork, LiveWork, WorkReaders};
use retention::Kept;
use template_feed::RETRY_FIRST;

/// Questions that may wait in the mailbox.
const MAILBOX_CAPACITY: usize = 8_192;
/// Live templates on one tip; the oldest goes when another comes.
const LIVE_TEMPLATES_MAX: usize = 16;
/// How often the work is looked at: is it old, is it over, has a subscriber missed a change?
const LOOK_EVERY: Span = Span::from_millis(500);
/// What the work manager is made with.
pub struct WorkManagerParts {
    /// Where work comes from.
    pub chain: SharedChain,
    /// Where it reads the time.
    pub clock: SharedClock,
    /// Stores templates before the first job of each.
    pub ledger: Port<Commit>,
    /// Is told which templates are over.
    pub miners: Outbox<WorkRetired>,
    /// Is told when the chain is not one to pay on.
    pub payouts: Outbox<HoldPayouts>,
    /// The key that seals job ids.
    pub job_key: JobKey,
    /// The output script that coinbases pay the reward to.
    pub payout_script: Vec<u8>,
    /// The pool's tag in coinbases.
    pub tag: String,
    /// How often a new template is fetched on the same tip.
    pub refresh_every: Span,
    /// How long a job's shares are taken at most.
    pub job_lifetime: Span,
    /// After how long without live work miners are let go.
    pub let_go_after: Span,
    /// What gives jobs their extranonces.
    pub extranonces: JobExtraNonces,
    /// The number of the next template.
    pub next_template: TemplateId,
    /// Templates of an earlier life whose jobs may still be live, oldest first.
    pub stored: Vec<TemplateRow>,
    /// Templates of an earlier life on which at most a block can be found, without their transactions.
    pub stored_past: Vec<TemplateRow>,
    /// How long blocks are taken on a tip that was replaced.
    pub previous_tip: Span,
    /// Templates that are kept for blocks that may still be found on them.
    pub past_templates_max: usize,
}

/// The actor that owns the present work.
pub struct WorkManager {
    parts: WorkManagerParts,
    work: Arc<LiveWork>,
    kept: Kept,
    /// Reasons that others have to keep work from being given out.
    holds: BTreeSet<LackOfWork>,
    /// Whether the chain has given any work in this life.
    had_work: bool,
    tip: Option<HeaderHash>,
    /// When the tip moved away from under the work, which was not renewed since.
    moved: Option<Moment>,
    /// Which chain the nodes were on at the last look.
    standing: Arc<Standing>,
    /// Why payouts are held, as the paymaster was told last.
    told_hold: Option<String>,
    readers: WorkReaders,
    /// The jobs of live templates have every extranonce that there is.
    is_exhausted: bool,
    trouble: Option<String>,
    retry_in: Duration,
    fetching: bool,
    fetch_again: bool,
    /// A fetch is planned, because the last one failed.
    retry_planned: bool,
}

impl WorkManager {
    /// A work manager that has no work yet.
    pub fn new(parts: WorkManagerParts) -> Self {
        let kept = Kept::of_rows(parts.stored_past.iter().chain(&parts.stored), parts.next_template);
        let work = LiveWork {
            next: parts.next_template,
            ..LiveWork::none()
        };
        Self {
            parts,
            kept,
            work: Arc::new(work),
            holds: BTreeSet::new(),
            had_work: false,
            tip: None,
            moved: None,
            standing: Arc::new(Standing::default()),
            told_hold: None,
            readers: WorkReaders::default(),
            is_exhausted: false,
            trouble: None,
            retry_in: RETRY_FIRST,
            fetching: false,
            fetch_again: false,
            retry_planned: false,
        }
    }

    fn on_template(&mut self, template: Arc<Template>) {
        if self.trouble.take().is_some() {
            log::info!("the chain gives work again");
        }
        self.retry_in = RETRY_FIRST;
        self.moved = None;
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
        let next = template.id().next();
        self.had_work = true;
        self.kept.add(template.bare());
        self.drop_kept();
        self.publish(LiveWork {
            current: Some(template),
            live,
            next,
            since: now,
            lack: self.work.lack.clone(),
            kept: self.kept.told(),
        });
        self.retire_before(oldest);
    }

    fn publish(&mut self, mut work: LiveWork) {
        self.note_lack(&mut work);
        work.kept = self.kept.told();
        self.work = Arc::new(work);
        self.readers.tell_all(&self.work);
    }

    /// Ends work whose time is over: older templates of the tip one by one, the present one while the chain gives no
    /// new one.
    fn end_what_is_over(&mut self) {
        let now = self.parts.clock.now();
        if self.work.live.iter().all(|template| now < self.expiry(template)) {
            return;
        }
        let mut work = LiveWork::clone(&self.work);
        work.live.retain(|template| now < self.expiry(template));
        work.current = work.current.filter(|template| now < self.expiry(template));
        // Older templates of a tip that lasts end one by one while all is well.
        if work.current.is_none() && self.work.current.is_some() {
            log::warn!("work is over and the chain gives no new one");
        }
        let oldest = work.live.first().map_or(self.parts.next_template, |t| t.id());
        self.publish(work);
        self.retire_before(oldest);
    }

    /// Ends the giving out of jobs. What miners already have is taken for as long as it would have been.
    fn give_out_nothing(&mut self) {
        if self.work.current.is_none() {
            return;
        }
        let mut work = LiveWork::clone(&self.work);
        work.current = None;
        self.publish(work);
    }

    fn retire_before(&mut self, oldest: TemplateId) {
        // Both may be busy: retiring only frees space, and the next template says it again. What is retired is kept for
        // blocks.
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

    /// An extranonce that no job of a live template has.
    fn next_extranonce(&mut self, template: TemplateId) -> Option<ExtraNonce> {
        let oldest = self.work.live.first().map_or(template, |oldest| oldest.id());
        let given = self.parts.extranonces.next(template, oldest.min(template));
        if given.is_none() != self.is_exhausted {
            self.is_exhausted = given.is_none();
            if self.is_exhausted {
                log::warn!(
                    "the jobs of live templates have every extranonce; new ones wait until one is over"
                );
            } else {
                log::info!("jobs are given out again");
            }
        }
        given
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
        bound_mailbox(ctx, MAILBOX_CAPACITY);
        self.publish(LiveWork::clone(&self.work));
        self.follow_tip(ctx);
        tell_every(ctx, LOOK_EVERY, handlers::LookAtWork);
    }
}
