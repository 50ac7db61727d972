//! Workers get their difficulty, and shares their verdict.

use actix::prelude::*;

use super::judge::Batch;
use super::messages::{
    AssignWorker, AssignWorkerReply, DrainMiners, JudgeShares, Judgement, SetPaused, WorkRetired,
};
use super::{MinerManager, standing_of};
use crate::ask::Ask;
use crate::block_tracker::messages::BlockFound;
use crate::store::{WorkerRow, Write, Written};

impl Handler<Ask<AssignWorker>> for MinerManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<AssignWorker>, ctx: &mut Self::Context) {
        let now = self.now();
        let AssignWorker { hotkey, worker: name } = ask.payload;
        let reply = ask.reply;
        if self.paused {
            return reply.answer(AssignWorkerReply::Paused);
        }
        if let Some(standing) = standing_of(&self.memory.registry, &hotkey, self.date()) {
            return reply.answer(AssignWorkerReply::Refused(standing));
        }
        let (worker, is_saved) = match self.memory.registry.find_or_number(hotkey, &name, now) {
            Ok(found) => found,
            Err(limit) => return reply.answer(AssignWorkerReply::TooManyWorkers { limit }),
        };
        let share_target = self.memory.registry.next_difficulty(worker, now).target();
        let assigned = AssignWorkerReply::Assigned { worker, share_target };
        if is_saved {
            return reply.answer(assigned);
        }
        let row = WorkerRow {
            id: worker,
            hotkey,
            name,
        };
        self.commit(
            vec![Write::AddWorker(row)],
            ctx,
            move |this, result, _| match result {
                Ok(_) => {
                    this.memory.registry.worker_saved(worker);
                    reply.answer(assigned);
                }
                Err(_) => reply.answer(AssignWorkerReply::Unavailable),
            },
        );
    }
}

impl Handler<Ask<JudgeShares>> for MinerManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<JudgeShares>, ctx: &mut Self::Context) {
        let JudgeShares {
            received_at,
            requests,
        } = ask.payload;
        let reply = ask.reply;
        if self.paused {
            return reply.answer(requests.iter().map(|_| Judgement::Paused).collect());
        }
        let memory = &mut self.memory;
        let dated = self.parts.clock.date_of(received_at);
        let mut batch = Batch::judge(
            received_at,
            dated,
            requests,
            &memory.registry,
            &mut memory.recent,
            self.oldest_live,
        );
        for row in &batch.rows {
            if let Some(block) = &row.block {
                let found = BlockFound {
                    hash: row.hash,
                    block: block.clone(),
                    at: dated,
                };
                if self.parts.blocks.tell(found).is_err() {
                    // The block is in the batch too: the tracker finds it in the ledger.
                    log::error!(
                        "the block tracker does not listen; block hash={} waits in the ledger",
                        row.hash
                    );
                }
            }
        }
        if !batch.needs_commit() {
            return reply.answer(self.apply(batch, None));
        }
        let rows = std::mem::take(&mut batch.rows);
        let writes = if rows.is_empty() {
            Vec::new()
        } else {
            vec![Write::AppendShares(rows)]
        };
        // An empty commit is answered after the one that is under way: the repeats' fate is known by then.
        self.commit(writes, ctx, move |this, result, _| {
            let judgements = match result {
                Ok(written) => this.apply(batch, written.first()),
                // The pool stops, and what is stored shows at the next start. Until then the headers stay claimed,
                // so that nothing can count twice.
                Err(error) if error.leaves_doubt() => batch.unknown(),
                Err(error) => {
                    log::debug!("shares were not stored: {error}");
                    batch.failed(&mut this.memory.recent)
                }
            };
            reply.answer(judgements);
        });
    }
}

impl MinerManager {
    fn apply(&mut self, batch: Batch, written: Option<&Written>) -> Vec<Judgement> {
        let first = match written {
            Some(Written::Shares { first, .. }) => Some(*first),
            _ => None,
        };
        let memory = &mut self.memory;
        if let Some(last) = batch.last_sequence(first) {
            memory.last_sequence = memory.last_sequence.max(last);
        }
        let performance = &mut memory.performance;
        batch.applied(first, &mut memory.registry, &mut memory.recent, |miner, units| {
            performance.record(miner, units);
        })
    }
}

impl Handler<WorkRetired> for MinerManager {
    type Result = ();

    fn handle(&mut self, news: WorkRetired, _: &mut Self::Context) {
        self.oldest_live = self.oldest_live.max(news.oldest);
        self.memory.recent.retire_before(self.oldest_live);
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
