//! Nonces are used up, miners register, and their standing is told.

use actix::prelude::*;
use dwarves_domain::miners::NonceClaim;

use super::messages::{ReadStanding, RegisterMiner, Standing, UseNonce, UseNonceReply};
use super::{MinerManager, standing_of};
use crate::ask::Ask;
use crate::handlers::registration::messages::{RegisterReply, ThresholdChoice};
use crate::store::{Write, Written};

impl Handler<Ask<UseNonce>> for MinerManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<UseNonce>, ctx: &mut Self::Context) {
        let now = self.date();
        let UseNonce {
            hotkey,
            nonce_nanos,
            expires_at,
        } = ask.payload;
        let reply = ask.reply;
        match self.memory.replay.claim(now, hotkey, nonce_nanos, expires_at) {
            NonceClaim::Fresh => {}
            NonceClaim::Used => return reply.answer(UseNonceReply::Used),
            NonceClaim::Full => return reply.answer(UseNonceReply::Busy),
        }
        let write = Write::UseNonce {
            hotkey,
            nonce_nanos,
            expires_at,
            now,
        };
        self.commit(vec![write], ctx, move |this, result, _| {
            reply.answer(match result.map(|written| written.into_iter().next()) {
                Ok(Some(Written::Done)) => UseNonceReply::Fresh,
                Ok(_) => UseNonceReply::Used,
                Err(error) => {
                    if !error.leaves_doubt() {
                        this.memory.replay.release(hotkey, nonce_nanos);
                    }
                    UseNonceReply::Unavailable
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
        } = ask.payload;
        let reply = ask.reply;
        let registry = &self.memory.registry;
        match standing_of(registry, &hotkey, now) {
            Some(Standing::Banned { reason }) => return reply.answer(RegisterReply::Banned { reason }),
            Some(_) if !registry.registration_open => return reply.answer(RegisterReply::Closed),
            Some(_) if !registry.has_room() => return reply.answer(RegisterReply::Full),
            Some(_) | None => {}
        }
        let mut writes = vec![Write::RegisterMiner {
            hotkey,
            payout_address,
            at: now,
        }];
        writes.extend(payout_threshold.map(|choice| Write::SetPayoutThreshold {
            hotkey,
            threshold: match choice {
                ThresholdChoice::Pools => None,
                ThresholdChoice::Own(threshold) => Some(threshold),
            },
        }));
        self.commit(writes, ctx, move |this, result, _| {
            reply.answer(match result.map(|written| written.into_iter().next()) {
                Ok(Some(Written::Miner {
                    is_new,
                    registered_at,
                    payout_address,
                })) => {
                    let registry = &mut this.memory.registry;
                    registry.note_miner(hotkey, registered_at, payout_address.clone());
                    if is_new {
                        log::info!("miner registered hotkey={hotkey}");
                    }
                    RegisterReply::Registered {
                        is_new,
                        registered_at,
                        payout_address,
                    }
                }
                Ok(_) | Err(_) => RegisterReply::Unavailable,
            });
        });
    }
}

impl Handler<Ask<ReadStanding>> for MinerManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadStanding>, _: &mut Self::Context) {
        let standing = standing_of(&self.memory.registry, &ask.payload.hotkey, self.date());
        ask.reply.answer(standing.unwrap_or(Standing::Good));
    }
}
