//! Whose a worker's name is that stands for a hotkey.

use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerName;
use dwarves_domain::miners::{Bindings, Registry};
use dwarves_domain::refusal::Refusal;

use super::MinerManager;
use crate::ask::{Ask, Request};

/// Which hotkeys there are, and where each is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadBindings;

impl Request for ReadBindings {
    type Reply = Bindings;
}

impl Handler<Ask<ReadBindings>> for MinerManager {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReadBindings>, _: &mut Self::Context) {
        ask.reply.answer(self.memory.registry.bindings().clone());
    }
}

/// Whether a registered miner's worker may have this name.
pub(super) fn named(registry: &Registry, hotkey: &Hotkey, worker: &WorkerName) -> Result<(), Refusal> {
    let bindings = registry.bindings();
    let is_address = registry.miner(hotkey).is_some_and(|miner| miner.is_address);
    let address = bindings.address_of(hotkey).filter(|_| is_address);
    let named = bindings.check(hotkey, address, worker);
    named.map_err(Refusal::WorkerForeign)
}
