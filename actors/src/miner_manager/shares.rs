//! Workers get their difficulty, and shares their verdict.

use actix::prelude::*;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::share::{ProvenShare, RejectedShare};
use dwarves_ports::store::{Write, Written};

use super::bindings::named;
use super::judge::JudgedRequests;
use super::messages::{
    AssignWorker, Assigned, CheckedShares, DrainMiners, JudgeShares, Judgement, SetPaused, WorkRetired,
};
use super::{MinerManager, welcome};
use crate::ask::Ask;
use crate::block_tracker::messages::BlockFound;
use crate::notices;

/// From how many tenths of it on the room for live shares is nearly full.
const NEARLY_FULL_TENTHS: usize = 9;
/// Below how many tenths it has room again.
const ROOM_AGAIN_TENTHS: usize = 8;

impl Handler<Ask<AssignWorker>> for MinerManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<AssignWorker>, ctx: &mut Self::Context) {
        let now = self.now();
        let hotkey = ask.payload.hotkey;
        if let Err(refusal) = welcome(&self.memory.registry, &hotkey, self.date()) {
            return ask.reply.answer(Err(refusal));
        }
        if self.paused {
            return ask.reply.answer(Err(Refusal::Paused));
        }
        let AssignWorker { worker, client, .. } = &ask.payload;
        let registry = &mut self.memory.registry;
        if let Err(foreign) = named(registry, &hotkey, worker) {
            return ask.reply.answer(Err(foreign));
        }
        let Ok(worker) = registry.find_or_number(hotkey, worker, *client, now) else {
            return self.give_numbers_then(ctx, move |this, are_there, ctx| match are_there {
                true => this.handle(ask, ctx),
                false => ask.reply.answer(Err(Refusal::Unavailable)),
            });
        };
        let share_target = registry.next_difficulty(worker, now).target();
        ask.reply.answer(Ok(Assigned { worker, share_target }));
    }
}

impl Handler<Ask<JudgeShares>> for MinerManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<JudgeShares>, ctx: &mut Self::Context) {
        if self.memory.registry.numbers_left() == 0 && self.names_nobody(&ask.payload.requests) {
            // It is the miner's `default` that gets them, and that may need a number: after a start, mostly.
            return self.give_numbers_then(ctx, |this, _, ctx| this.judge(ask, ctx));
        }
        self.judge(ask, ctx);
    }
}

impl MinerManager {
    /// Whether there is a share of a registered miner whose job names a worker that is none of its.
    fn names_nobody(&self, requests: &[CheckedShares]) -> bool {
        let registry = &self.memory.registry;
        let known = requests
            .iter()
            .filter(|request| registry.miner(&request.miner).is_some());
        let mut shares = known.flat_map(|request| request.shares.iter().map(|share| (request.miner, share)));
        shares.any(|(miner, share)| match share {
            Ok(ProvenShare { job, .. }) => {
                let worker = registry.worker(job.worker());
                worker.is_none_or(|worker| worker.hotkey != miner)
            }
            Err(RejectedShare { .. }) => false,
        })
    }

    fn judge(&mut self, ask: Ask<JudgeShares>, ctx: &mut Context<Self>) {
        let JudgeShares { sent_at, requests } = ask.payload;
        let reply = ask.reply;
        if self.paused {
            return reply.answer(requests.iter().map(|_| Err(Refusal::Paused)).collect());
        }
        let now = self.now();
        let memory = &mut self.memory;
        memory.recent.forget_retired(now);
        let dated = self.parts.clock.date_of(sent_at);
        let mut judged =
            JudgedRequests::judge(sent_at, dated, requests, &mut memory.registry, &mut memory.recent);
        for row in &mut judged.rows {
            if let Some(block) = &row.block {
                let found = BlockFound {
                    hash: row.hash,
                    block: block.clone(),
                    at: dated,
                };
                let is_told = self
                    .blocks_of_height
                    .admits(block.height, self.parts.candidates_max)
                    && self.parts.blocks.tell(found).is_ok();
                // The handler has told the tracker of the block too. Whoever is told of it follows it: what nobody
                // follows must not stand in the ledger as found.
                row.block = row.block.take().filter(|_| is_told);
            }
        }
        if judged.needs_numbers {
            self.give_numbers_then(ctx, |_, _, _| {});
        }
        self.look_at_room();
        self.make_room(ctx);
        if !judged.needs_commit() {
            return reply.answer(self.apply(judged, None));
        }
        let rows = std::mem::take(&mut judged.rows);
        // A name is stored with its first share.
        let mut writes: Vec<_> = judged.new_workers.drain(..).map(Write::AddWorker).collect();
        let blocks = rows
            .iter()
            .filter_map(|row| Some((row.hash, row.block.as_ref()?, row.received_at)));
        writes.extend(blocks.map(|(hash, block, at)| notices::block_found(hash, block, at)));
        if !rows.is_empty() {
            writes.push(Write::AppendShares(rows));
        }
        // An empty commit is answered after the one that is under way: the repeats' fate is known by then.
        self.commit(writes, ctx, move |this, result, _| {
            let judgements = match result {
                Ok(written) => this.apply(judged, written.last()),
                // The pool stops, and what is stored shows at the next start. Until then the headers stay claimed,
                // so that nothing can count twice.
                Err(error) if error.leaves_doubt() => judged.unknown(),
                Err(error) => {
                    tracing::debug!("shares were not stored: {error}");
                    judged.failed(&mut this.memory.registry, &mut this.memory.recent)
                }
            };
            reply.answer(judgements);
        });
    }
}

/// How many blocks of the newest height the shares brought: on an easy chain nearly every share is one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BlocksOfHeight {
    height: u32,
    count: usize,
}

impl BlocksOfHeight {
    /// Whether one more of this height is kept.
    fn admits(&mut self, height: u32, max: usize) -> bool {
        if self.height != height {
            *self = Self { height, count: 0 };
        }
        self.count += 1;
        self.count <= max
    }
}

impl MinerManager {
    /// Notes whether the room for live shares is nearly full, and says so once.
    fn look_at_room(&mut self) {
        let recent = &self.memory.recent;
        let (len, capacity) = (recent.len(), recent.capacity());
        let is_nearly_full = match self.is_nearly_full {
            false => len >= capacity / 10 * NEARLY_FULL_TENTHS,
            true => len >= capacity / 10 * ROOM_AGAIN_TENTHS,
        };
        if is_nearly_full == self.is_nearly_full {
            return;
        }
        self.is_nearly_full = is_nearly_full;
        if is_nearly_full {
            log::warn!("recent_shares is nearly full: {len} of {capacity} live shares are remembered");
        } else {
            log::info!("recent_shares has room again: {len} of {capacity} live shares are remembered");
        }
    }

    fn apply(&mut self, judged: JudgedRequests, written: Option<&Written>) -> Vec<Judgement> {
        let first = match written {
            Some(Written::Shares { first, .. }) => Some(*first),
            _ => None,
        };
        let memory = &mut self.memory;
        if let Some(last) = judged.last_sequence(first) {
            memory.last_sequence = memory.last_sequence.max(last);
        }
        let performance = &mut memory.performance;
        judged.applied(first, &mut memory.registry, &mut memory.recent, |miner, units| {
            performance.record(miner, units);
        })
    }
}

impl Handler<WorkRetired> for MinerManager {
    type Result = ();

    fn handle(&mut self, news: WorkRetired, _: &mut Self::Context) {
        let now = self.now();
        self.memory.recent.retire(news.oldest, now);
        self.look_at_room();
    }
}

impl Handler<Ask<SetPaused>> for MinerManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<SetPaused>, _: &mut Self::Context) {
        self.paused = ask.payload.0;
        ask.reply.answer(());
    }
}

impl Handler<Ask<DrainMiners>> for MinerManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<DrainMiners>, ctx: &mut Self::Context) {
        self.paused = true;
        let reply = ask.reply;
        // Commits come back in order: when an empty one is back, everything before it is noted, and then the
        // counters are whole.
        self.commit(Vec::new(), ctx, move |this, _, ctx| {
            this.save_counters(ctx);
            this.save_earned(ctx);
            this.commit(Vec::new(), ctx, move |_, _, _| reply.answer(()));
        });
    }
}
