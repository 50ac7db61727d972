//! What the work manager does with each message.

use std::sync::Arc;

use actix::prelude::*;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::work::Job;
use serde_json::json;

use super::WorkManager;
use super::messages::{IssueJob, IssuedJob, LookForTip, ReadWork, Subscribe, WorkControl, WorkView};
use crate::ask::Ask;
use crate::live_work::LiveWork;
use crate::meter;

/// A hint that the present template may be old or over.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(super) struct LookAtWork;

impl Handler<LookAtWork> for WorkManager {
    type Result = ();

    fn handle(&mut self, _: LookAtWork, ctx: &mut Self::Context) {
        self.readers.tell_those_behind(&self.work);
        self.look_at_standing();
        self.end_what_is_over();
        self.end_work_on_old_tip_if_late();
        if self.drop_kept() {
            self.publish(LiveWork::clone(&self.work));
        }
        self.let_go_if_due();
        if self.tip.is_none() || self.fetching || self.retry_planned {
            return;
        }
        let (now, since) = (self.parts.clock.now(), self.work.since);
        // After the clock stepped back there is no knowing how old the work is.
        if now < since || now.since(since) >= self.parts.refresh_every {
            self.fetch_template(ctx);
        }
    }
}

impl Handler<LookForTip> for WorkManager {
    type Result = ();

    /// A node whose tip is looked at now and then has had it for a while, perhaps.
    fn handle(&mut self, hint: LookForTip, ctx: &mut Self::Context) {
        if self.tip.is_some_and(|tip| tip != hint.0) {
            self.fetch_template(ctx);
        }
    }
}

impl Handler<Ask<Subscribe>> for WorkManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<Subscribe>, _: &mut Self::Context) {
        self.readers.add(ask.payload.subscriber, &self.work);
        ask.reply.answer(());
    }
}

impl Handler<Ask<IssueJob>> for WorkManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<IssueJob>, _: &mut Self::Context) {
        let IssueJob {
            owner,
            worker,
            share_target,
        } = ask.payload;
        let now = self.parts.clock.now();
        let current = self
            .work
            .given()
            .cloned()
            .filter(|template| now < self.expiry(template));
        let Some(template) = current else {
            return ask.reply.answer(Err(Refusal::NoWork));
        };
        let expires_at = self.expiry(&template);
        let Some(extranonce) = self.next_extranonce(template.id()) else {
            return ask.reply.answer(Err(Refusal::NoExtranonce));
        };
        let job = Job::issue(
            &self.parts.job_key,
            template,
            extranonce,
            owner,
            worker,
            share_target,
        );
        meter::JOBS_HTTP.add(1);
        ask.reply.answer(Ok(IssuedJob {
            job: Arc::new(job),
            expires_at,
        }));
    }
}

impl Handler<Ask<ReadWork>> for WorkManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadWork>, _: &mut Self::Context) {
        ask.reply.answer(WorkView {
            work: Arc::clone(&self.work),
            trouble: self.trouble.clone(),
            standing: Arc::clone(&self.standing),
        });
    }
}

impl Handler<Ask<WorkControl>> for WorkManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<WorkControl>, ctx: &mut Self::Context) {
        let order = ask.reply.span();
        let _said_of_it = order.enter();
        match ask.payload {
            WorkControl::Refresh => {
                self.fetch_template(ctx);
                ask.reply.answer(Ok(json!({ "refreshing": true })));
            }
        }
    }
}
