//! What admins may tell the miner manager. Everything is stored before it holds.

use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerName;
use dwarves_domain::miners::Registry;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::target::Difficulty;
use dwarves_ports::store::{BanRow, Write};
use serde_json::json;

use super::messages::MinerControl;
use super::sessions::EARNED_DIFFICULTY;
use super::{MinerManager, ban_of};
use crate::ask::{Ask, ReplyTo};
use crate::control::Controlled;

/// The setting that says whether new miners are taken.
const REGISTRATION_OPEN: &str = "miners.registration_open";
/// The settings of fixed share difficulties begin so; hotkey and perhaps worker follow.
const SHARE_DIFFICULTY: &str = "miners.share_difficulty/";

impl Handler<Ask<MinerControl>> for MinerManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<MinerControl>, ctx: &mut Self::Context) {
        let reply = ask.reply;
        let order = reply.span();
        let _said_of_it = order.enter();
        match ask.payload {
            MinerControl::Ban {
                hotkey,
                reason,
                until,
            } => {
                if self.memory.registry.miner(&hotkey).is_none() {
                    return reply.answer(unknown(&hotkey));
                }
                let ban = BanRow { reason, until };
                let write = Write::Ban {
                    hotkey,
                    ban: ban.clone(),
                };
                let done = json!({ "hotkey": hotkey.to_string(), "banned": true });
                self.store_then(write, Some(hotkey), done, reply, ctx, move |registry| {
                    log::warn!("miner banned hotkey={hotkey} reason={:?}", ban.reason);
                    registry.set_ban(&hotkey, Some(ban_of(ban)));
                });
            }
            MinerControl::Unban { hotkey } => {
                if self.memory.registry.miner(&hotkey).is_none() {
                    return reply.answer(unknown(&hotkey));
                }
                let done = json!({ "hotkey": hotkey.to_string(), "banned": false });
                self.store_then(
                    Write::Unban { hotkey },
                    Some(hotkey),
                    done,
                    reply,
                    ctx,
                    move |registry| {
                        log::warn!("ban lifted hotkey={hotkey}");
                        registry.set_ban(&hotkey, None);
                    },
                );
            }
            MinerControl::OpenRegistration => self.set_registration(true, reply, ctx),
            MinerControl::CloseRegistration => self.set_registration(false, reply, ctx),
            MinerControl::SetShareDifficulty {
                hotkey,
                worker,
                difficulty,
            } => {
                self.fix_difficulty(hotkey, worker, difficulty, reply, ctx);
            }
            MinerControl::RemoveWorker { hotkey, worker } => {
                self.remove_worker(hotkey, &worker, reply, ctx);
            }
            MinerControl::RemoveMiner { hotkey } => self.remove_miner(hotkey, reply, ctx),
        }
    }
}

fn unknown(hotkey: &Hotkey) -> Controlled {
    Err(Refusal::ControlRefused(format!(
        "no miner is registered with hotkey {hotkey}"
    )))
}

impl MinerManager {
    /// Stores a decision (about this miner, if it is about one), then notes it, tells those whom it concerns, and
    /// answers.
    fn store_then(
        &mut self,
        write: Write,
        whose: Option<Hotkey>,
        done: serde_json::Value,
        reply: ReplyTo<Controlled>,
        ctx: &mut Context<Self>,
        note: impl FnOnce(&mut Registry) + 'static,
    ) {
        let writes = reply.commit(vec![write], &done);
        self.commit(writes, ctx, move |this, result, _| {
            let order = reply.span();
            let _said_of_it = order.enter();
            match result {
                Ok(written) => {
                    note(&mut this.memory.registry);
                    if let Some(hotkey) = whose {
                        this.tell_watchers(hotkey);
                    }
                    reply.committed(&written);
                    reply.answer(crate::control::done(done, &written));
                }
                Err(_) => reply.answer(Err(Refusal::Unavailable)),
            }
        });
    }

    fn set_registration(&mut self, open: bool, reply: ReplyTo<Controlled>, ctx: &mut Context<Self>) {
        let write = Write::SaveSetting {
            key: REGISTRATION_OPEN.to_owned(),
            value: Some(open.to_string()),
        };
        let done = json!({ "registration_open": open });
        self.store_then(write, None, done, reply, ctx, move |registry| {
            log::info!("registration open={open}");
            registry.registration_open = open;
        });
    }

    fn fix_difficulty(
        &mut self,
        hotkey: Hotkey,
        worker: Option<WorkerName>,
        difficulty: Option<Difficulty>,
        reply: ReplyTo<Controlled>,
        ctx: &mut Context<Self>,
    ) {
        let Some(miner) = self.memory.registry.miner(&hotkey) else {
            return reply.answer(unknown(&hotkey));
        };
        if let Some(name) = &worker
            && !miner.workers.contains_key(name)
        {
            return reply.answer(Err(Refusal::ControlRefused(format!(
                "the miner has no worker named {name}"
            ))));
        }
        let (min, max) = self.parts.difficulty_range;
        if difficulty.is_some_and(|difficulty| difficulty < min || difficulty > max) {
            let detail = format!("difficulty must lie between {} and {}", min.shown(), max.shown());
            return reply.answer(Err(Refusal::ControlRefused(detail)));
        }
        let key = match &worker {
            Some(name) => format!("{SHARE_DIFFICULTY}{hotkey}/{name}"),
            None => format!("{SHARE_DIFFICULTY}{hotkey}"),
        };
        let write = Write::SaveSetting {
            key,
            value: difficulty.map(|d| d.shown().to_string()),
        };
        let done = json!({
            "hotkey": hotkey.to_string(),
            "worker": worker.as_ref().map(WorkerName::as_str),
            "difficulty": difficulty.map(Difficulty::shown),
        });
        self.store_then(write, Some(hotkey), done, reply, ctx, move |registry| {
            registry.fix_difficulty(&hotkey, worker.as_ref(), difficulty);
        });
    }
}

/// Puts a stored setting back into force. Settings of other actors are left alone. Returns whether it is of anybody.
pub(super) fn restore_setting(registry: &mut Registry, key: &str, value: &str) -> bool {
    if key == REGISTRATION_OPEN {
        registry.registration_open = value != "false";
        return true;
    }
    if let Some(whose) = key.strip_prefix(EARNED_DIFFICULTY) {
        if let Some((hotkey, worker)) = whose.split_once('/')
            && let (Ok(hotkey), Ok(worker)) = (hotkey.parse(), worker.parse())
        {
            let difficulty = value.parse().ok().and_then(Difficulty::from_f64);
            return registry.restore_earned(&hotkey, &worker, difficulty);
        }
        return true;
    }
    let Some(whose) = key.strip_prefix(SHARE_DIFFICULTY) else {
        return true;
    };
    let (hotkey, worker) = match whose.split_once('/') {
        Some((hotkey, worker)) => (hotkey, worker.parse().ok()),
        None => (whose, None),
    };
    let difficulty = value.parse().ok().and_then(Difficulty::from_f64);
    match hotkey.parse() {
        Ok(hotkey) => registry.fix_difficulty(&hotkey, worker.as_ref(), difficulty),
        Err(_) => true,
    }
}
