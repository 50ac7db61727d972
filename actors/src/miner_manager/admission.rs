//! Who is taken in: new miners, by their hotkey or by a payout address, and names that need a number.

use std::net::IpAddr;

use actix::prelude::*;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::WorkerId;
use dwarves_domain::miners::{Client, TooManyNew};
use dwarves_domain::refusal::Refusal;
use dwarves_ports::store::{Write, Written};

use super::messages::Registered;
use super::{CommitError, MinerManager};

/// Numbers of workers that are stored at once as to be given: one small commit for so many new names.
const NUMBERS_AT_ONCE: u32 = 1_024;

/// A new miner that may be stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Newcomer {
    pub(super) hotkey: Hotkey,
    /// Whether it is a payout address.
    pub(super) is_address: bool,
    pub(super) from: IpAddr,
    /// Whether it is not being stored already.
    is_first: bool,
    /// Who makes room for it.
    gives_way: Option<Hotkey>,
}

impl MinerManager {
    /// Whether a miner that nobody knows yet may be stored, and who makes room for it. What is being stored counts.
    pub(super) fn admit(
        &mut self,
        hotkey: Hotkey,
        is_address: bool,
        from: IpAddr,
    ) -> Result<Newcomer, Refusal> {
        let mut newcomer = Newcomer {
            hotkey,
            is_address,
            from,
            is_first: false,
            gives_way: None,
        };
        let registry = &self.memory.registry;
        if !registry.registration_open {
            return Err(Refusal::RegistrationClosed);
        }
        if self.registering.contains_key(&hotkey) {
            return Ok(newcomer);
        }
        let refused = if is_address {
            &mut self.addresses_refused
        } else {
            &mut self.registrations_refused
        };
        let addresses = self
            .registering
            .values()
            .filter(|is_address| **is_address)
            .count();
        let has_room = registry.has_room(self.registering.len());
        let has_room_for_it = !is_address || registry.has_room_for_address(addresses);
        if !has_room || !has_room_for_it {
            newcomer.gives_way = registry.first_to_give_way(is_address);
            if newcomer.gives_way.is_none() {
                refused.no_room += 1;
                return Err(if has_room {
                    Refusal::AddressesFull
                } else {
                    Refusal::PoolFull
                });
            }
        }
        let now = self.parts.clock.now();
        let allowance = if is_address {
            &mut self.memory.newcomers
        } else {
            &mut self.memory.registrants
        };
        if let Err(TooManyNew { try_again }) = allowance.admit(from, now) {
            refused.rate += 1;
            return Err(Refusal::TooManyNew { try_again });
        }
        newcomer.is_first = true;
        self.registering.insert(hotkey, is_address);
        if let Some(leaving) = newcomer.gives_way {
            self.memory.registry.begin_removing(&leaving);
        }
        Ok(newcomer)
    }

    /// Stores a miner that was admitted, and `more`, in one transaction with the removal of who makes room for it.
    pub(super) fn register(
        &mut self,
        newcomer: Newcomer,
        payout_address: Option<String>,
        more: Option<Write>,
        ctx: &mut Context<Self>,
        then: impl FnOnce(&mut Self, Option<Registered>, &mut Context<Self>) + 'static,
    ) {
        let Newcomer {
            hotkey, gives_way, ..
        } = newcomer;
        let removal = gives_way.map(|hotkey| Write::RemoveMiner { hotkey });
        let register = Write::RegisterMiner {
            hotkey,
            payout_address,
            at: self.date(),
        };
        let writes = removal.into_iter().chain([register]).chain(more).collect();
        self.commit(writes, ctx, move |this, result, ctx| {
            if newcomer.is_first {
                this.registering.remove(&hotkey);
            }
            let registered = this.on_registered(&newcomer, result);
            then(this, registered, ctx);
        });
    }

    fn on_registered(
        &mut self,
        newcomer: &Newcomer,
        result: Result<Vec<Written>, CommitError>,
    ) -> Option<Registered> {
        let Ok(written) = result else {
            if let Some(stays) = newcomer.gives_way {
                self.memory.registry.keep(&stays);
            }
            if newcomer.is_first {
                let allowance = if newcomer.is_address {
                    &mut self.memory.newcomers
                } else {
                    &mut self.memory.registrants
                };
                allowance.give_back(newcomer.from);
            }
            return None;
        };
        if let Some(left) = newcomer.gives_way {
            if written.contains(&Written::MinerKept) {
                log::warn!("miner {left} has no work and is owed something; it stays");
                self.memory.registry.keep(&left);
            } else {
                log::info!("miner without work gives way hotkey={left}");
                self.memory.registry.note_removed(&left);
                self.gave_way.miners += 1;
            }
        }
        let registered = written.into_iter().find_map(|written| match written {
            Written::Miner {
                is_new,
                registered_at,
                payout_address,
            } => Some(Registered {
                is_new,
                registered_at,
                payout_address,
            }),
            _ => None,
        })?;
        let registry = &mut self.memory.registry;
        registry.note_miner(
            newcomer.hotkey,
            registered.registered_at,
            registered.payout_address.clone(),
            Client::at(newcomer.from),
        );
        if newcomer.is_address {
            registry.note_is_address(&newcomer.hotkey);
        }
        Some(registered)
    }

    /// Stores that more numbers may be given to workers, and then calls `then` with whether there are some. Nobody
    /// stores them twice at once.
    pub(super) fn give_numbers_then(
        &mut self,
        ctx: &mut Context<Self>,
        then: impl FnOnce(&mut Self, bool, &mut Context<Self>) + 'static,
    ) {
        let first = self.memory.next_worker;
        let next = WorkerId::new(first.get().wrapping_add(NUMBERS_AT_ONCE));
        let is_first = !std::mem::replace(&mut self.is_numbering, true);
        let writes = match is_first {
            true => vec![Write::NumberWorkers { next }],
            // It comes back after those that are being stored.
            false => Vec::new(),
        };
        self.commit(writes, ctx, move |this, result, ctx| {
            if is_first {
                this.is_numbering = false;
                if result.is_ok() {
                    this.memory.next_worker = next;
                    this.memory.registry.give_numbers(first, NUMBERS_AT_ONCE);
                }
            }
            let are_there = this.memory.registry.numbers_left() > 0;
            then(this, are_there, ctx);
        });
    }
}
