//! Which job a worker was given last, for miners that cannot say which they have.
//!
//! A long poll of `getwork` names no job: only who was given what tells whether the caller's work is stale. One
//! actor serves all HTTP workers, because a miner waits on a connection of its own. It is bounded, and a restart
//! empties it: who is not in it waits for work newer than the present.

use std::collections::{HashMap, VecDeque};

use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerName;
use dwarves_domain::work::JobId;

use crate::ask::{Ask, bound_mailbox};

pub mod messages;
#[cfg(test)]
mod tests;

use messages::{JobGiven, ReadLastJob};

/// How much may be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastJobLimits {
    /// Workers of all miners; the one that is known longest makes room. Each takes about 250 bytes.
    pub workers_max: usize,
    /// Workers of one miner; further ones are not remembered.
    pub workers_of_one_max: usize,
    /// News and questions that may wait in the mailbox.
    pub mailbox_capacity: usize,
}

/// The actor that remembers who was given what.
pub struct LastJobs {
    limits: LastJobLimits,
    jobs: HashMap<(Hotkey, WorkerName), JobId>,
    workers_of: HashMap<Hotkey, usize>,
    oldest_first: VecDeque<(Hotkey, WorkerName)>,
}

impl LastJobs {
    /// Nobody was given anything yet.
    pub fn new(limits: LastJobLimits) -> Self {
        Self {
            limits,
            jobs: HashMap::new(),
            workers_of: HashMap::new(),
            oldest_first: VecDeque::new(),
        }
    }

    fn forget_the_oldest(&mut self) {
        let Some(oldest) = self.oldest_first.pop_front() else {
            return;
        };
        self.jobs.remove(&oldest);
        if let Some(count) = self.workers_of.get_mut(&oldest.0) {
            *count -= 1;
            if *count == 0 {
                self.workers_of.remove(&oldest.0);
            }
        }
    }
}

impl Actor for LastJobs {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        bound_mailbox(ctx, self.limits.mailbox_capacity);
    }
}

impl Handler<JobGiven> for LastJobs {
    type Result = ();

    fn handle(&mut self, given: JobGiven, _: &mut Self::Context) {
        let key = (given.owner, given.worker);
        if let Some(job) = self.jobs.get_mut(&key) {
            *job = given.job;
            return;
        }
        let count = self.workers_of.entry(given.owner).or_default();
        if *count >= self.limits.workers_of_one_max {
            return;
        }
        *count += 1;
        self.oldest_first.push_back(key.clone());
        self.jobs.insert(key, given.job);
        if self.jobs.len() > self.limits.workers_max {
            self.forget_the_oldest();
        }
    }
}

impl Handler<Ask<ReadLastJob>> for LastJobs {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadLastJob>, _: &mut Self::Context) {
        let ReadLastJob { owner, worker } = ask.payload;
        ask.reply.answer(self.jobs.get(&(owner, worker)).copied());
    }
}
