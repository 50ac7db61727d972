//! What others may see of the miners.

use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::miners::Ban;
use dwarves_domain::statistics::Record;
use dwarves_domain::time::{Span, Timestamp};

use super::MinerManager;
use super::messages::{MinerView, MinersView, ReadBans, ReadMiner, ReadMiners, ReadRecords, WorkerView};
use crate::ask::Ask;

/// Workers without work that are shown of a miner.
const WAITING_SHOWN_MAX: usize = 100;
/// A worker whose last share is younger is active.
const ACTIVE_WITHIN: Span = Span::from_secs(600);

impl Handler<Ask<ReadMiner>> for MinerManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadMiner>, _: &mut Self::Context) {
        let view = self.view_miner(&ask.payload, self.now());
        ask.reply.answer(view);
    }
}

impl MinerManager {
    fn view_miner(&self, wanted: &ReadMiner, now: Timestamp) -> Option<MinerView> {
        let registry = &self.memory.registry;
        let miner = registry.miner(&wanted.hotkey)?;
        let mut waiting_shown = 0;
        let workers: Vec<_> = miner
            .workers
            .values()
            .filter_map(|id| registry.worker(*id))
            .filter(|worker| {
                // What an owner asked for is shown before its first share. What strangers made up is not, and neither
                // is more of it than anybody looks at.
                waiting_shown += usize::from(worker.is_owners_newest());
                worker.is_stored() || (worker.is_owners_newest() && waiting_shown <= WAITING_SHOWN_MAX)
            })
            .collect();
        let gone = &miner.gone;
        let mut rejected = miner.rejected;
        for (sum, n) in rejected.iter_mut().zip(gone.rejected) {
            *sum += n;
        }
        for worker in &workers {
            for (sum, n) in rejected.iter_mut().zip(worker.counters.rejected) {
                *sum += n;
            }
        }
        Some(MinerView {
            hotkey: wanted.hotkey,
            registered_at: miner.registered_at,
            payout_address: miner.payout_address.clone(),
            hashrate: workers.iter().map(|worker| worker.hashrate(now)).sum(),
            accepted: gone.accepted + workers.iter().map(|worker| worker.counters.accepted).sum::<u64>(),
            rejected,
            units: self.memory.performance.of(&wanted.hotkey),
            window: self.memory.performance.window(),
            record: Record {
                found: gone.blocks + workers.iter().map(|worker| worker.counters.blocks).sum::<u64>(),
                expected: workers.iter().fold(gone.units.to_f64(), |sum, worker| {
                    sum + worker.counters.units.to_f64()
                }),
            },
            workers: workers
                .into_iter()
                .map(|worker| WorkerView {
                    name: worker.name.clone(),
                    hashrate: worker.hashrate(now),
                    share_difficulty: registry.shown_difficulty(worker),
                    last_share_at: worker
                        .counters
                        .last_share_at
                        .map(|at| self.parts.clock.date_of(at)),
                    shares: worker.counters.accepted,
                    rejected: worker.counters.rejected,
                })
                .collect(),
        })
    }
}

impl Handler<Ask<ReadMiners>> for MinerManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadMiners>, _: &mut Self::Context) {
        let now = self.now();
        let registry = &self.memory.registry;
        let mut view = MinersView {
            miners: registry.miners().count() as u64,
            address_miners: registry.address_miners() as u64,
            addresses_refused: self.addresses_refused,
            registrations_refused: self.registrations_refused,
            gave_way: self.gave_way,
            names_waiting: registry.names_waiting() as u64,
            recent_shares: (
                self.memory.recent.len() as u64,
                self.memory.recent.capacity() as u64,
            ),
            recent_shares_nearly_full: self.is_nearly_full,
            workers: 0,
            workers_active: 0,
            hashrate: registry.hashrate(now),
            hashrate_error: registry.hashrate_error(),
            accepted: 0,
            rejected: Default::default(),
            registration_open: registry.registration_open,
        };
        let since = now.minus(ACTIVE_WITHIN);
        for worker in registry.workers() {
            view.workers += 1;
            view.workers_active += u64::from(worker.counters.last_share_at.is_some_and(|at| at >= since));
            view.accepted += worker.counters.accepted;
            for (sum, n) in view.rejected.iter_mut().zip(worker.counters.rejected) {
                *sum += n;
            }
        }
        for (_, miner) in registry.miners() {
            view.accepted += miner.gone.accepted;
            for rejected in [miner.rejected, miner.gone.rejected] {
                for (sum, n) in view.rejected.iter_mut().zip(rejected) {
                    *sum += n;
                }
            }
        }
        ask.reply.answer(view);
    }
}

impl Handler<Ask<ReadRecords>> for MinerManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadRecords>, _: &mut Self::Context) {
        let mut records: Vec<_> = self.memory.registry.records().collect();
        records.sort_by(|(_, a), (_, b)| a.p_value().total_cmp(&b.p_value()));
        records.truncate(ask.payload.limit as usize);
        ask.reply.answer(records);
    }
}

impl Handler<Ask<ReadBans>> for MinerManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadBans>, _: &mut Self::Context) {
        let now = self.now();
        let holds = |ban: &Ban| ban.until.is_none_or(|until| now < until);
        let bans = self.memory.registry.bans();
        let mut bans: Vec<(Hotkey, Ban)> = bans
            .filter(|(_, ban)| holds(ban))
            .map(|(hotkey, ban)| (hotkey, ban.clone()))
            .collect();
        bans.sort_by_key(|(hotkey, _)| *hotkey);
        bans.truncate(ask.payload.limit);
        ask.reply.answer(bans);
    }
}
