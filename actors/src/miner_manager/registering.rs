//! Nonces are used up, miners register, and their standing is told.

use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::miners::{Client, NonceClaim};

use super::admission::{Refusal, Registered};
use super::messages::{ReadStanding, RegisterMiner, Standing, UseNonce, UseNonceReply};
use super::{MinerManager, standing_of};
use crate::ask::Ask;
use crate::handlers::registration::messages::{RegisterReply, ThresholdChoice};
use dwarves_ports::store::{Write, Written};

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
            from,
        } = ask.payload;
        let reply = ask.reply;
        let newcomer = match standing_of(&self.memory.registry, &hotkey, now) {
            Some(Standing::Banned { reason }) => return reply.answer(RegisterReply::Banned { reason }),
            Some(_) => match self.admit(hotkey, false, from) {
                Ok(newcomer) => Some(newcomer),
                Err(refusal) => return reply.answer(refused(refusal)),
            },
            None => None,
        };
        let threshold = payout_threshold.map(|choice| Write::SetPayoutThreshold {
            hotkey,
            threshold: match choice {
                ThresholdChoice::Pools => None,
                ThresholdChoice::Own(threshold) => Some(threshold),
            },
        });
        let answer = move |_: &mut Self, registered: Option<Registered>, _: &mut Context<Self>| {
            reply.answer(registered.map_or(RegisterReply::Unavailable, |registered| {
                let Registered {
                    is_new,
                    at,
                    payout_address,
                } = registered;
                if is_new {
                    log::info!("miner registered hotkey={hotkey}");
                }
                RegisterReply::Registered {
                    is_new,
                    registered_at: at,
                    payout_address,
                }
            }));
        };
        match newcomer {
            Some(newcomer) => self.register(newcomer, payout_address, threshold, ctx, answer),
            None => self.change(hotkey, payout_address, threshold, ctx, answer),
        }
    }
}

fn refused(refusal: Refusal) -> RegisterReply {
    match refusal {
        Refusal::Closed => RegisterReply::Closed,
        Refusal::Full | Refusal::AddressesFull => RegisterReply::Full,
        Refusal::TooManyNew { try_again } => RegisterReply::TooManyNew { try_again },
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
                        at: registered_at,
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
        let standing = standing_of(&self.memory.registry, &ask.payload.hotkey, self.date());
        ask.reply.answer(standing.unwrap_or(Standing::Good));
    }
}
