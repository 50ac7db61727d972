//! Workers join sessions that steer their own difficulty; what their shares earn there is remembered, so that a
//! session that is resumed, also after a restart, goes on where it was. What a session merely asked for is not: a
//! stranger could log in under the worker's name and ask for anything.

use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerId;
use dwarves_domain::login::Identity;
use dwarves_domain::miners::Client;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::target::Difficulty;
use dwarves_ports::store::Write;

use super::admission::Newcomer;
use super::messages::{JoinWorker, Joined, Registered};
use super::{MinerManager, welcome};
use crate::ask::{Ask, ReplyTo};

/// The settings of what workers earned in sessions begin so; hotkey and worker follow. (They are named after what
/// sessions issue, which is what earlier versions kept there.)
pub(super) const EARNED_DIFFICULTY: &str = "miners.issued_difficulty/";
/// The most of them that one commit takes.
const EARNED_PER_COMMIT: usize = 1_000;

impl Handler<Ask<JoinWorker>> for MinerManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<JoinWorker>, ctx: &mut Self::Context) {
        let Ask {
            payload: join, reply, ..
        } = ask;
        let registry = &self.memory.registry;
        let address = match &join.identity {
            Identity::Address(address) => Some(address.to_string()),
            Identity::Hotkey(_) => None,
        };
        let bindings = registry.bindings();
        let named = bindings.check(&join.identity.hotkey(), address.as_deref(), &join.worker);
        let welcome = welcome(registry, &join.identity.hotkey(), self.date());
        let is_welcome = match &welcome {
            Ok(()) => true,
            Err(refusal) => *refusal == Refusal::MinerUnknown && address.is_some(),
        };
        if let Err(foreign) = named
            && is_welcome
            && !self.paused
        {
            return reply.answer(Err(Refusal::WorkerForeign(foreign)));
        }
        match (welcome, &join.identity) {
            // Who is banned or removed is told so also while the pool is paused: its open sessions end.
            (Ok(()), _) | (Err(Refusal::MinerUnknown), Identity::Address(_)) if self.paused => {
                reply.answer(Err(Refusal::Paused));
            }
            (Ok(()), _) => self.join(join, reply, ctx),
            (Err(Refusal::MinerUnknown), Identity::Address(address)) => {
                let address = address.to_string();
                match self.admit(join.identity.hotkey(), true, join.from) {
                    Ok(newcomer) => self.register_address(newcomer, address, join, reply, ctx),
                    Err(refusal) => reply.answer(Err(refusal)),
                }
            }
            (Err(refusal), _) => reply.answer(Err(refusal)),
        }
    }
}

impl MinerManager {
    fn register_address(
        &mut self,
        newcomer: Newcomer,
        address: String,
        join: JoinWorker,
        reply: ReplyTo<Result<Joined, Refusal>>,
        ctx: &mut Context<Self>,
    ) {
        let then = move |this: &mut Self, registered: Option<Registered>, ctx: &mut Context<Self>| {
            let Some(Registered {
                is_new,
                payout_address,
                ..
            }) = registered
            else {
                return reply.answer(Err(Refusal::Unavailable));
            };
            if is_new {
                log::info!(
                    "address registered hotkey={} address={payout_address:?}",
                    newcomer.hotkey
                );
            }
            this.join(join, reply, ctx);
        };
        self.register(newcomer, Some(address), None, ctx, then);
    }

    /// Finds or numbers the worker of a miner that is welcome. Only what had work is stored, so this needs no store
    /// unless the numbers are used up.
    fn join(&mut self, join: JoinWorker, reply: ReplyTo<Result<Joined, Refusal>>, ctx: &mut Context<Self>) {
        let now = self.now();
        let miner = join.identity.hotkey();
        let registry = &mut self.memory.registry;
        if registry.miner(&miner).is_none() {
            // It gave way between two commits.
            return reply.answer(Err(Refusal::MinerUnknown));
        }
        let client = Client::at(join.from);
        let Ok(worker) = registry.find_or_number(miner, &join.worker, client, now) else {
            return self.give_numbers_then(ctx, move |this, are_there, ctx| match are_there {
                true => this.join(join, reply, ctx),
                false => reply.answer(Err(Refusal::Unavailable)),
            });
        };
        let joined = Ok(Joined {
            miner,
            worker,
            fixed: registry.fixed_difficulty(worker),
            earned: registry.worker(worker).and_then(|worker| worker.earned),
        });
        if let Some(issued) = join.issued {
            registry.note_issued(worker, issued);
        }
        if let Some(earned) = join.earned {
            registry.note_earned(worker, earned);
        }
        reply.answer(joined);
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

pub(super) fn earned_key(hotkey: &Hotkey, worker: &str) -> String {
    format!("{EARNED_DIFFICULTY}{hotkey}/{worker}")
}
