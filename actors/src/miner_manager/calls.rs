//! Calls of Bittensor's dendrites: each is signed anew, so its nonce and its miner's standing are one question.

use actix::prelude::*;
use dwarves_domain::refusal::Refusal;

use super::messages::UseNonce;
use super::{MinerManager, welcome};
use crate::ask::{Ask, Request};

/// Lets a signed call in: its miner is not banned, and its nonce is used up. Who is not registered is let in, too: most
/// calls need no registration, and those that do say so themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmitCall(pub UseNonce);

impl Request for AdmitCall {
    /// `Ok` once the nonce is used up, durably.
    type Reply = Result<(), Refusal>;
}

impl Handler<Ask<AdmitCall>> for MinerManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<AdmitCall>, ctx: &mut Self::Context) {
        let AdmitCall(nonce) = ask.payload;
        match welcome(&self.memory.registry, &nonce.hotkey, self.date()) {
            // Nothing is written for who is not let in anyway.
            Err(refusal @ Refusal::Banned { .. }) => ask.reply.answer(Err(refusal)),
            _ => self.use_nonce(nonce, ask.reply, ctx),
        }
    }
}
