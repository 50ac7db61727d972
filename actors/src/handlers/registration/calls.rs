//! Signatures of calls: all that came together are checked together, which takes half the work.

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::signature::{Signed, TOGETHER_MAX};
use dwarves_domain::source::Source;

use super::super::rate::Payer;
use super::RegistrationHandler;
use super::messages::VerifySignature;
use crate::ask::Ask;

/// A signature that is paid for, and waits to be checked with others.
pub(super) struct Gathered {
    ask: Ask<VerifySignature>,
    source: Source,
    payer: Payer,
}

impl Handler<Ask<VerifySignature>> for RegistrationHandler {
    type Result = ();

    fn handle(&mut self, ask: Ask<VerifySignature>, ctx: &mut Self::Context) {
        let source = Source::new(ask.payload.from, ask.payload.sender);
        match self.charge(source) {
            Ok(payer) => self.gather(Gathered { ask, source, payer }, ctx),
            Err(refusal) => ask.reply.answer(Err(refusal)),
        }
    }
}

impl RegistrationHandler {
    /// Takes a signature that is to be checked. Others that this thread is about to read are checked with it: they have one
    /// turn for that.
    fn gather(&mut self, gathered: Gathered, ctx: &mut Context<Self>) {
        self.gathered.push(gathered);
        match self.gathered.len() {
            TOGETHER_MAX => self.check_gathered(),
            1 => {
                let turn = wrap_future::<_, Self>(tokio::task::yield_now());
                ctx.spawn(turn.map(|(), this, _| this.check_gathered()));
            }
            _ => {}
        }
    }

    /// Checks all that was gathered, and answers.
    fn check_gathered(&mut self) {
        let gathered = std::mem::take(&mut self.gathered);
        let signed: Vec<_> = gathered
            .iter()
            .map(|Gathered { ask, .. }| Signed {
                signer: ask.payload.sender,
                message: &ask.payload.message,
                signature: &ask.payload.signature,
            })
            .collect();
        let hold = self.verifier.verify(&signed);
        for (Gathered { ask, source, payer }, holds) in gathered.into_iter().zip(hold) {
            let settled = self.settle(source, payer, holds);
            ask.reply.answer(settled);
        }
    }
}
