//! Workers join sessions that steer their own difficulty; what their shares earn there is remembered, so that a
//! session that is resumed, also after a restart, goes on where it was. What a session merely asked for is not: a
//! stranger could log in under the worker's name and ask for anything.

use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerId;
use dwarves_domain::miners::TooManyNew;
use dwarves_domain::target::Difficulty;

use super::messages::{Identity, JoinWorker, JoinWorkerReply, Standing};
use super::{MinerManager, standing_of};
use crate::ask::{Ask, ReplyTo};
use crate::store::{WorkerRow, Write, Written};

/// The settings of what workers earned in sessions begin so; hotkey and worker follow. (They are named after what
/// sessions issue, which is what earlier versions kept there.)
pub(super) const EARNED_DIFFICULTY: &str = "miners.issued_difficulty/";
/// The most of them that one commit takes.
const EARNED_PER_COMMIT: usize = 1_000;

impl Handler<Ask<JoinWorker>> for MinerManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<JoinWorker>, ctx: &mut Self::Context) {
        let Ask { payload: join, reply } = ask;
        if self.paused {
            return reply.answer(JoinWorkerReply::Paused);
        }
        let registry = &self.memory.registry;
        let standing = standing_of(registry, &join.identity.hotkey(), self.date());
        match (standing, &join.identity) {
            (None, _) => self.join(join, reply, ctx),
            (Some(Standing::Unknown), Identity::Address(address)) => {
                let address = address.to_string();
                match self.admit_newcomer(&join) {
                    Ok(()) => self.register_address(address, join, reply, ctx),
                    Err(refusal) => reply.answer(refusal),
                }
            }
            (Some(standing), _) => reply.answer(JoinWorkerReply::Refused(standing)),
        }
    }
}

impl MinerManager {
    /// Whether an address that nobody knows yet may be registered.
    fn admit_newcomer(&mut self, join: &JoinWorker) -> Result<(), JoinWorkerReply> {
        let registry = &self.memory.registry;
        if !registry.registration_open {
            return Err(JoinWorkerReply::Closed);
        }
        if self.registering.contains(&join.identity.hotkey()) {
            return Ok(());
        }
        let pending = self.registering.len();
        if !registry.has_room_for_address(pending) {
            self.addresses_refused.no_room += 1;
            return Err(if registry.has_room() {
                JoinWorkerReply::AddressesFull
            } else {
                JoinWorkerReply::Full
            });
        }
        let now = self.now();
        self.memory
            .newcomers
            .admit(join.from, now)
            .map_err(|TooManyNew { try_again }| {
                self.addresses_refused.rate += 1;
                JoinWorkerReply::TooManyNew { try_again }
            })
    }

    fn register_address(
        &mut self,
        address: String,
        join: JoinWorker,
        reply: ReplyTo<JoinWorkerReply>,
        ctx: &mut Context<Self>,
    ) {
        let hotkey = join.identity.hotkey();
        let write = Write::RegisterMiner {
            hotkey,
            payout_address: Some(address),
            at: self.date(),
        };
        let is_first = self.registering.insert(hotkey);
        self.commit(vec![write], ctx, move |this, result, ctx| {
            this.registering.remove(&hotkey);
            match result.map(|written| written.into_iter().next()) {
                Ok(Some(Written::Miner {
                    is_new,
                    registered_at,
                    payout_address,
                })) => {
                    if is_new {
                        log::info!("address registered hotkey={hotkey} address={payout_address:?}");
                    }
                    let registry = &mut this.memory.registry;
                    registry.note_miner(hotkey, registered_at, payout_address);
                    registry.note_is_address(&hotkey);
                    this.join(join, reply, ctx);
                }
                Ok(_) | Err(_) => {
                    if is_first {
                        this.memory.newcomers.give_back(join.from);
                    }
                    reply.answer(JoinWorkerReply::Unavailable);
                }
            }
        });
    }

    /// Finds or numbers the worker of a miner that is welcome.
    fn join(&mut self, join: JoinWorker, reply: ReplyTo<JoinWorkerReply>, ctx: &mut Context<Self>) {
        let now = self.now();
        let miner = join.identity.hotkey();
        let registry = &mut self.memory.registry;
        let (worker, is_saved) = match registry.find_or_number(miner, &join.worker, now) {
            Ok(found) => found,
            Err(limit) => return reply.answer(JoinWorkerReply::TooManyWorkers { limit }),
        };
        let joined = JoinWorkerReply::Joined {
            miner,
            worker,
            fixed: registry.fixed_difficulty(worker),
            earned: registry.worker(worker).and_then(|worker| worker.earned),
        };
        if let Some(issued) = join.issued {
            registry.note_issued(worker, issued);
        }
        if let Some(earned) = join.earned {
            registry.note_earned(worker, earned);
        }
        if is_saved {
            return reply.answer(joined);
        }
        let row = WorkerRow {
            id: worker,
            hotkey: miner,
            name: join.worker,
        };
        self.commit(vec![Write::AddWorker(row)], ctx, move |this, result, _| {
            reply.answer(match result {
                Ok(_) => {
                    this.memory.registry.worker_saved(worker);
                    joined
                }
                Err(_) => JoinWorkerReply::Unavailable,
            });
        });
    }

    /// Saves what workers earned in sessions, where it changed.
    pub(super) fn save_earned(&mut self, ctx: &mut Context<Self>) {
        let changed = self.memory.registry.take_earned();
        for part in changed.chunks(EARNED_PER_COMMIT) {
            let writes: Vec<_> = part.iter().filter_map(|id| self.earned_setting(*id)).collect();
            let ids = part.to_vec();
            self.commit(writes, ctx, move |this, result, _| {
                if let Err(error) = result {
                    log::debug!("earned difficulties were not saved, next time: {error}");
                    this.memory.registry.keep_earned(ids);
                }
            });
        }
    }

    fn earned_setting(&self, id: WorkerId) -> Option<Write> {
        let worker = self.memory.registry.worker(id)?;
        Some(Write::SaveSetting {
            key: earned_key(&worker.hotkey, worker.name.as_str()),
            value: worker
                .earned
                .map(|difficulty: Difficulty| difficulty.to_f64().to_string()),
        })
    }
}

fn earned_key(hotkey: &Hotkey, worker: &str) -> String {
    format!("{EARNED_DIFFICULTY}{hotkey}/{worker}")
}
