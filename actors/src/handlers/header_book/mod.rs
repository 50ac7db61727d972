//! The header book: which job a bare header was made of.
//!
//! Miners of `getwork` get the 80 bytes of a header and send them back without any name. A header's merkle root is
//! as good as one, but it can not be opened like a job id, so it is written down. One book serves all HTTP workers,
//! because a miner's next connection may be another worker's. It is bounded, and a restart empties it: a miner whose
//! header is not in it any more is told so, and asks for new work.

use std::collections::{HashMap, VecDeque};

use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::work::JobId;

use crate::ask::Ask;

pub mod messages;
#[cfg(test)]
mod tests;

use messages::{FindJob, HeaderGiven, MerkleRoot};

/// How much a header book may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderBookLimits {
    /// Headers that are remembered; the oldest makes room. One takes about 200 bytes.
    pub headers_max: usize,
    /// News and questions that may wait in the mailbox.
    pub mailbox_capacity: usize,
}

/// The actor that remembers headers.
pub struct HeaderBook {
    limits: HeaderBookLimits,
    jobs: HashMap<MerkleRoot, (JobId, Hotkey)>,
    oldest_first: VecDeque<MerkleRoot>,
}

impl HeaderBook {
    /// An empty book.
    pub fn new(limits: HeaderBookLimits) -> Self {
        Self {
            limits,
            jobs: HashMap::new(),
            oldest_first: VecDeque::new(),
        }
    }
}

impl Actor for HeaderBook {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.limits.mailbox_capacity);
    }
}

impl Handler<HeaderGiven> for HeaderBook {
    type Result = ();

    fn handle(&mut self, given: HeaderGiven, _: &mut Self::Context) {
        if self.jobs.insert(given.root, (given.job, given.owner)).is_none() {
            self.oldest_first.push_back(given.root);
        }
        while self.oldest_first.len() > self.limits.headers_max {
            if let Some(oldest) = self.oldest_first.pop_front() {
                self.jobs.remove(&oldest);
            }
        }
    }
}

impl Handler<Ask<FindJob>> for HeaderBook {
    type Result = ();

    fn handle(&mut self, ask: Ask<FindJob>, _: &mut Self::Context) {
        let found = self.jobs.get(&ask.payload.root);
        let found = found.filter(|(_, owner)| *owner == ask.payload.owner);
        ask.reply.answer(found.map(|(job, _)| *job));
    }
}
