//! The header book: which job a bare header was made of.
//!
//! Miners of `getwork` get the 80 bytes of a header and send them back without any name. A header's merkle root is
//! as good as one, but it cannot be opened like a job id, so it is written down. One book serves all HTTP workers,
//! because a miner's next connection may be another worker's. It is bounded, and clients share it: when it is full, the
//! client that has the most headers in it loses its oldest. A restart empties it: a miner whose header is not in it any
//! more is told so, and asks for new work.

use std::collections::HashMap;
use std::net::IpAddr;

use actix::prelude::*;
use dwarves_domain::miners::Places;
use dwarves_domain::network::host;
use dwarves_domain::work::JobId;

use crate::ask::{Ask, bound_mailbox};

pub mod messages;
#[cfg(test)]
mod tests;

use messages::{FindJob, HeaderGiven, MerkleRoot};

/// How much a header book may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderBookLimits {
    /// Headers that are remembered. One takes about 250 bytes.
    pub headers_max: usize,
    /// News and questions that may wait in the mailbox.
    pub mailbox_capacity: usize,
}

/// The actor that remembers headers.
pub struct HeaderBook {
    limits: HeaderBookLimits,
    jobs: HashMap<MerkleRoot, JobId>,
    /// What each client was given.
    given: Places<MerkleRoot, IpAddr>,
}

impl HeaderBook {
    /// An empty book.
    pub fn new(limits: HeaderBookLimits) -> Self {
        Self {
            limits,
            jobs: HashMap::new(),
            given: Places::default(),
        }
    }

    fn write_down(&mut self, given: HeaderGiven) {
        if self.jobs.insert(given.root, given.job).is_some() {
            return;
        }
        self.given.take(host(given.from), given.root);
        while self.jobs.len() > self.limits.headers_max
            && let Some(oldest) = self.given.make_room()
        {
            self.jobs.remove(&oldest);
        }
    }
}

impl Actor for HeaderBook {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        bound_mailbox(ctx, self.limits.mailbox_capacity);
    }
}

impl Handler<HeaderGiven> for HeaderBook {
    type Result = ();

    fn handle(&mut self, given: HeaderGiven, _: &mut Self::Context) {
        self.write_down(given);
    }
}

impl Handler<Ask<FindJob>> for HeaderBook {
    type Result = ();

    fn handle(&mut self, ask: Ask<FindJob>, _: &mut Self::Context) {
        let found = self.jobs.get(&ask.payload.root);
        ask.reply.answer(found.copied());
    }
}
