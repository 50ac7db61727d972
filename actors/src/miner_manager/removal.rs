//! Names and miners go: those that give way to others, and those that an admin removes.

use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{WorkerId, WorkerName};
use dwarves_domain::miners::{Counters, Standing};
use dwarves_domain::refusal::Refusal;
use dwarves_domain::units::Units;
use dwarves_ports::store::{Write, Written};
use serde_json::json;

use super::sessions::earned_key;
use super::{MinerManager, row_of};
use crate::ask::ReplyTo;
use crate::control::Controlled;

/// Settings of workers that are no more that are forgotten in one commit.
const ORPHANS_PER_COMMIT: usize = 1_000;

impl MinerManager {
    /// Lets the workers go whose room others need that have work.
    pub(super) fn make_room(&mut self, ctx: &mut Context<Self>) {
        let now = self.now();
        for (id, counters) in self.memory.registry.take_giving_way(now) {
            let writes = self.retiring(id, &counters);
            self.retire(id, writes, ctx, |this, written| {
                this.gave_way.workers += u64::from(written.is_some())
            });
        }
    }

    /// What takes a worker out of the store that began to leave.
    fn retiring(&self, id: WorkerId, counters: &Counters) -> Vec<Write> {
        let mut writes = vec![Write::RetireWorkers {
            workers: vec![(id, row_of(counters, &self.parts.clock))],
        }];
        if let Some(worker) = self.memory.registry.worker(id) {
            log::info!("worker goes hotkey={} worker={}", worker.hotkey, worker.name);
            writes.extend(worker.earned.is_some().then(|| Write::SaveSetting {
                key: earned_key(&worker.hotkey, worker.name.as_str()),
                value: None,
            }));
        }
        writes
    }

    /// Takes it out.
    fn retire(
        &mut self,
        id: WorkerId,
        writes: Vec<Write>,
        ctx: &mut Context<Self>,
        then: impl FnOnce(&mut Self, Option<Vec<Written>>) + 'static,
    ) {
        self.commit(writes, ctx, move |this, result, _| {
            let registry = &mut this.memory.registry;
            match &result {
                Ok(_) => registry.note_left(id),
                Err(error) => {
                    log::debug!("worker {id} was not taken out: {error}");
                    registry.stays(id);
                }
            }
            then(this, result.ok());
        });
    }

    pub(super) fn remove_worker(
        &mut self,
        hotkey: Hotkey,
        name: &WorkerName,
        reply: ReplyTo<Controlled>,
        ctx: &mut Context<Self>,
    ) {
        let registry = &mut self.memory.registry;
        let Some(id) = registry
            .miner(&hotkey)
            .and_then(|miner| miner.workers.get(name).copied())
        else {
            let detail = format!("no miner {hotkey} is registered that has a worker named {name}");
            return reply.answer(Err(Refusal::ControlRefused(detail)));
        };
        if name.is_unnamed() {
            let detail = "default takes what has no name of its own; it cannot be removed";
            return reply.answer(Err(Refusal::ControlRefused(detail.to_owned())));
        }
        let done = json!({
            "hotkey": hotkey.to_string(), "worker": name.as_str(), "removed": true,
        });
        if registry.forget_waiting(id) {
            return reply.answer(Ok(done));
        }
        let Some(counters) = registry.begin_leaving(id) else {
            // A share of it is on its way.
            return reply.answer(Err(Refusal::Busy));
        };
        let writes = reply.commit(self.retiring(id, &counters), &done);
        self.retire(id, writes, ctx, move |_, written| match written {
            Some(written) => {
                reply.committed(&written);
                reply.answer(Ok(done));
            }
            None => reply.answer(Err(Refusal::Unavailable)),
        });
    }

    pub(super) fn remove_miner(
        &mut self,
        hotkey: Hotkey,
        reply: ReplyTo<Controlled>,
        ctx: &mut Context<Self>,
    ) {
        let registry = &self.memory.registry;
        let refusal = match registry.standing(&hotkey, self.date()) {
            Standing::Unknown => Some(format!("no miner is registered with hotkey {hotkey}")),
            Standing::Banned(_) => {
                Some("it is banned, and would be back as another; unban it first".to_owned())
            }
            Standing::Good if registry.has_shares_under_way(&hotkey) => Some("it is mining".to_owned()),
            Standing::Good if self.memory.performance.of(&hotkey) > Units::ZERO => {
                Some("its work is in the window that ends now, so it is yet to be credited for it".to_owned())
            }
            Standing::Good => None,
        };
        if let Some(detail) = refusal {
            return reply.answer(Err(Refusal::ControlRefused(detail)));
        }
        let settings = registry
            .miner(&hotkey)
            .into_iter()
            .flat_map(|miner| miner.workers.keys());
        let orphans: Vec<_> = settings.map(|name| earned_key(&hotkey, name.as_str())).collect();
        self.memory.registry.begin_removing(&hotkey);
        let done = json!({ "hotkey": hotkey.to_string(), "removed": true });
        let writes = reply.commit(vec![Write::RemoveMiner { hotkey }], &done);
        self.commit(writes, ctx, move |this, result, _| {
            let order = reply.span();
            let _said_of_it = order.enter();
            let registry = &mut this.memory.registry;
            if let Ok(written) = &result {
                reply.committed(written);
            }
            match result.map(|written| written.into_iter().next()) {
                Ok(Some(Written::Done)) => {
                    log::warn!("miner removed hotkey={hotkey}");
                    registry.note_removed(&hotkey);
                    this.memory.orphans.extend(orphans);
                    reply.answer(Ok(done));
                }
                Ok(_) => {
                    registry.keep(&hotkey);
                    let detail = "it is owed something, or a payout to it may still change";
                    reply.answer(Err(Refusal::ControlRefused(detail.to_owned())));
                }
                Err(_) => {
                    registry.keep(&hotkey);
                    reply.answer(Err(Refusal::Unavailable));
                }
            }
        });
    }

    /// Forgets the settings of workers that are no more.
    pub(super) fn forget_orphans(&mut self, ctx: &mut Context<Self>) {
        let orphans = &mut self.memory.orphans;
        if orphans.is_empty() {
            return;
        }
        let some = orphans.split_off(orphans.len().saturating_sub(ORPHANS_PER_COMMIT));
        let forget = |key: &String| Write::SaveSetting {
            key: key.clone(),
            value: None,
        };
        let writes = some.iter().map(forget).collect();
        self.commit(writes, ctx, move |this, result, _| {
            if result.is_err() {
                this.memory.orphans.extend(some);
            }
        });
    }
}
