//! The registration handler: checks signatures, registers miners and opens sessions. One per HTTP worker.
//!
//! It owns a rate limit, of which each client has a share, and nothing else. Signatures (about 50 us of CPU each, half of that in calls
//! that came together) are checked here, on the worker's own thread. It asks the miner manager. It knows nothing of HTTP beyond what a
//! signature covers.

use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dwarves_domain::address::{AddressFormat, PayoutAddress};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::refusal::Refusal;
use dwarves_domain::session::{Session, SessionKey};
use dwarves_domain::signature::{BatchKey, SignedRequest, Verifier, Window};
use dwarves_domain::source::Source;
use dwarves_domain::time::Span;
use dwarves_domain::units::Amount;
use dwarves_ports::clock::SharedClock;

use super::rate::{FairRate, Payer, SharedRate};
use crate::ask::{Ask, Port, bound_mailbox};
use crate::miner_manager::messages::ThresholdChoice;
use crate::miner_manager::messages::{ReadStanding, RegisterMiner, UseNonce};

mod calls;
pub mod messages;
#[cfg(test)]
mod tests;

use calls::Gathered;
use messages::{Authenticate, OpenSession, OpenedSession, Register};

/// How long the miner manager may take.
const ASK_DEADLINE: Duration = Duration::from_secs(20);

/// A signature that does not hold costs its client's allowance as much as this many that do.
const FAILED_COST: u32 = 10;

/// How signed requests are judged.
#[derive(Clone, Debug)]
pub struct RegistrationSettings {
    /// The pool's own hotkey: signed requests must be meant for it.
    pub pool: Hotkey,
    /// When a signed request is fresh.
    pub window: Window,
    /// How long a session lasts.
    pub session: Span,
    /// Which addresses are right.
    pub addresses: AddressFormat,
    /// The least balance from which a miner can be paid.
    pub threshold_least: Amount,
    /// Signatures that are checked in a second at most.
    pub signatures_per_sec: SharedRate,
    /// Questions that may wait in the mailbox.
    pub mailbox_capacity: usize,
}

/// Whom the registration handler asks.
#[derive(Clone)]
pub struct RegistrationPeers {
    /// Uses up nonces.
    pub nonces: Port<UseNonce>,
    /// Registers a miner, or changes its address and threshold.
    pub register: Port<RegisterMiner>,
    /// Tells who may mine.
    pub standing: Port<ReadStanding>,
}

/// The actor that checks who is asking.
pub struct RegistrationHandler {
    settings: RegistrationSettings,
    peers: RegistrationPeers,
    sessions: SessionKey,
    verifier: Verifier,
    clock: SharedClock,
    rate: FairRate,
    /// Signatures that are checked together, at the end of this turn.
    gathered: Vec<Gathered>,
}

impl RegistrationHandler {
    /// A handler with a full rate allowance.
    pub fn new(
        settings: RegistrationSettings,
        peers: RegistrationPeers,
        sessions: SessionKey,
        batches: BatchKey,
        clock: SharedClock,
    ) -> Self {
        let rate = FairRate::new(settings.signatures_per_sec);
        Self {
            settings,
            peers,
            sessions,
            verifier: Verifier::new(batches),
            clock,
            rate,
            gathered: Vec::new(),
        }
    }

    /// Everything about a signed request that can be judged without its nonce's history.
    fn judge(&mut self, request: &Authenticate) -> Result<UseNonce, Refusal> {
        let now = self.clock.date();
        if request.receiver != self.settings.pool {
            return Err(Refusal::WrongReceiver);
        }
        let expires_at = self
            .settings
            .window
            .expiry(now, request.nonce_nanos)
            .ok_or(Refusal::StaleRequest)?;
        let signed = SignedRequest {
            scheme: request.scheme,
            method: &request.method,
            path: &request.path,
            body: &request.body,
            nonce_nanos: request.nonce_nanos,
            sender: request.sender,
            receiver: request.receiver,
        };
        let source = Source::new(request.from, request.sender);
        self.check(source, || signed.is_signed_by(&request.signature))?;
        Ok(UseNonce {
            hotkey: request.sender,
            nonce_nanos: request.nonce_nanos,
            expires_at,
        })
    }

    /// Whether a signature holds, at the expense of whoever brought it.
    fn check(&mut self, source: Source, is_signed: impl FnOnce() -> bool) -> Result<(), Refusal> {
        let payer = self.charge(source)?;
        self.settle(source, payer, is_signed())
    }

    /// Takes the price of a signature from whoever brings it.
    fn charge(&mut self, source: Source) -> Result<Payer, Refusal> {
        // By time that passes, not by the wall's.
        self.rate.take(source, self.clock.now()).ok_or(Refusal::Busy)
    }

    /// What whoever paid gets for a signature that holds, or does not.
    fn settle(&mut self, source: Source, payer: Payer, holds: bool) -> Result<(), Refusal> {
        let passed = self.clock.now();
        if !holds {
            self.rate.charge(source, payer, FAILED_COST - 1, passed);
            return Err(Refusal::SignatureInvalid);
        }
        self.rate.prove(source, passed);
        Ok(())
    }
}

impl Actor for RegistrationHandler {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        bound_mailbox(ctx, self.settings.mailbox_capacity);
    }
}

impl Handler<Ask<Authenticate>> for RegistrationHandler {
    type Result = ();

    fn handle(&mut self, ask: Ask<Authenticate>, ctx: &mut Self::Context) {
        let nonce = match self.judge(&ask.payload) {
            Ok(nonce) => nonce,
            Err(refusal) => return ask.reply.answer(Err(refusal)),
        };
        let port = self.peers.nonces.clone();
        let reply = ask.reply;
        ctx.spawn(wrap_future(async move {
            let used = port.ask(nonce, ASK_DEADLINE).await;
            reply.answer(used.unwrap_or_else(|error| Err(error.into())));
        }));
    }
}

impl Handler<Ask<Register>> for RegistrationHandler {
    type Result = ();

    fn handle(&mut self, ask: Ask<Register>, ctx: &mut Self::Context) {
        let Register {
            hotkey,
            payout_address,
            payout_threshold,
            from,
        } = ask.payload;
        let reply = ask.reply;
        if let Some(text) = &payout_address
            && let Err(error) = PayoutAddress::parse(text, self.settings.addresses)
        {
            return reply.answer(Err(Refusal::PayoutAddressInvalid(error)));
        }
        let least = self.settings.threshold_least;
        if let Some(ThresholdChoice::Own(threshold)) = payout_threshold
            && threshold < least
        {
            return reply.answer(Err(Refusal::PayoutThresholdInvalid { least }));
        }
        let port = self.peers.register.clone();
        ctx.spawn(wrap_future(async move {
            let register = RegisterMiner {
                hotkey,
                payout_address,
                payout_threshold,
                from,
            };
            let registered = port.ask(register, ASK_DEADLINE).await;
            reply.answer(registered.unwrap_or_else(|error| Err(error.into())));
        }));
    }
}

impl Handler<Ask<OpenSession>> for RegistrationHandler {
    type Result = ();

    fn handle(&mut self, ask: Ask<OpenSession>, ctx: &mut Self::Context) {
        let hotkey = ask.payload.hotkey;
        let expires_at = self.clock.date().plus(self.settings.session);
        let session = Session { hotkey, expires_at };
        let token = self.sessions.seal(&session);
        let port = self.peers.standing.clone();
        let reply = ask.reply;
        ctx.spawn(wrap_future(async move {
            let welcome = port.ask(ReadStanding { hotkey }, ASK_DEADLINE).await;
            // Nothing was to be done: whyever there is no answer, it may be asked again.
            let welcome = welcome.unwrap_or(Err(Refusal::Busy));
            reply.answer(welcome.map(|()| OpenedSession { token, expires_at }));
        }));
    }
}
