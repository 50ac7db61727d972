//! Nonces are used up, miners register, and their standing is told.

use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::miners::{Client, NonceClaim};
use dwarves_domain::refusal::Refusal;
use dwarves_ports::store::{Write, Written};

use super::messages::{ReadStanding, RegisterMiner, Registered, ThresholdChoice, UseNonce};
use super::{MinerManager, welcome};
use crate::ask::{Ask, ReplyTo};

impl Handler<Ask<UseNonce>> for MinerManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<UseNonce>, ctx: &mut Self::Context) {
        self.use_nonce(ask.payload, ask.reply, ctx);
    }
}

impl MinerManager {
    /// Uses a nonce up, and answers once that is durable.
    pub(super) fn use_nonce(
        &mut self,
        nonce: UseNonce,
        reply: ReplyTo<Result<(), Refusal>>,
        ctx: &mut Context<Self>,
    ) {
        let now = self.date();
        let UseNonce {
            hotkey,
            nonce_nanos,
            expires_at,
        } = nonce;
        match self.memory.replay.claim(now, hotkey, nonce_nanos, expires_at) {
            NonceClaim::Fresh => {}
            NonceClaim::Used => return reply.answer(Err(Refusal::Replayed)),
            NonceClaim::Full => return reply.answer(Err(Refusal::Busy)),
        }
        let write = Write::UseNonce {
            hotkey,
            nonce_nanos,
            expires_at,
            now,
        };
        self.commit(vec![write], ctx, move |this, result, _| {
            reply.answer(match result.map(|written| written.into_iter().next()) {
                Ok(Some(Written::Done)) => Ok(()),
                Ok(_) => Err(Refusal::Replayed),
                Err(error) => {
                    if !error.leaves_doubt() {
                        this.memory.replay.release(hotkey, nonce_nanos);
                    }
                    Err(Refusal::Unavailable)
                }
            });
        });
    }
}

impl Handler<Ask<RegisterMiner>> for MinerManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<RegisterMiner>, ctx: &mut Self::Context) {
        let now = self.date();
        let RegisterMiner {
            hotkey,
            payout_address,
            payout_threshold,
            from,
        } = ask.payload;
        let reply = ask.reply;
        let newcomer = match welcome(&self.memory.registry, &hotkey, now) {
            Ok(()) => None,
            Err(Refusal::MinerUnknown) => match self.admit(hotkey, false, from) {
                Ok(newcomer) => Some(newcomer),
                Err(refusal) => return reply.answer(Err(refusal)),
            },
            Err(refusal) => return reply.answer(Err(refusal)),
        };
        let threshold = payout_threshold.map(|choice| Write::SetPayoutThreshold {
            hotkey,
            threshold: match choice {
                ThresholdChoice::Pools => None,
                ThresholdChoice::Own(threshold) => Some(threshold),
            },
        });
        let answer = move |_: &mut Self, registered: Option<Registered>, _: &mut Context<Self>| {
            if registered.as_ref().is_some_and(|registered| registered.is_new) {
                log::info!("miner registered hotkey={hotkey}");
            }
            reply.answer(registered.ok_or(Refusal::Unavailable));
        };
        match newcomer {
            Some(newcomer) => self.register(newcomer, payout_address, threshold, ctx, answer),
            None => self.change(hotkey, payout_address, threshold, ctx, answer),
        }
    }
}

impl MinerManager {
    /// Changes what a known miner said of its payouts.
    fn change(
        &mut self,
        hotkey: Hotkey,
        payout_address: Option<String>,
        threshold: Option<Write>,
        ctx: &mut Context<Self>,
        then: impl FnOnce(&mut Self, Option<Registered>, &mut Context<Self>) + 'static,
    ) {
        let register = Write::RegisterMiner {
            hotkey,
            payout_address,
            at: self.date(),
        };
        let writes = [register].into_iter().chain(threshold).collect();
        self.commit(writes, ctx, move |this, result, ctx| {
            let registered = match result.map(|written| written.into_iter().next()) {
                Ok(Some(Written::Miner {
                    is_new,
                    registered_at,
                    payout_address,
                })) => {
                    let registry = &mut this.memory.registry;
                    registry.note_miner(hotkey, registered_at, payout_address.clone(), Client::Earlier);
                    Some(Registered {
                        is_new,
                        registered_at,
                        payout_address,
                    })
                }
                Ok(_) | Err(_) => None,
            };
            then(this, registered, ctx);
        });
    }
}

impl Handler<Ask<ReadStanding>> for MinerManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadStanding>, _: &mut Self::Context) {
        ask.reply
            .answer(welcome(&self.memory.registry, &ask.payload.hotkey, self.date()));
    }
}
