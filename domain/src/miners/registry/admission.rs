//! Who may register, and who gives way when there is no room: miners without work, those of the client that brought
//! the most of them first, the oldest of them first.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::{Client, Counters, Hotkey, Miner, Registry, Timestamp};

impl Registry {
    /// Notes a miner that the store has: a new one that `client` brought, or a known one's new payout address.
    pub fn note_miner(
        &mut self,
        hotkey: Hotkey,
        registered_at: Timestamp,
        payout_address: Option<String>,
        client: Client,
    ) {
        match self.miners.entry(hotkey) {
            Entry::Occupied(mut known) => {
                self.bindings.note_address(&hotkey, payout_address.clone());
                known.get_mut().payout_address = payout_address;
            }
            Entry::Vacant(place) => {
                self.bindings.note(hotkey, payout_address.clone(), false);
                place.insert(Miner {
                    registered_at,
                    payout_address,
                    is_address: false,
                    ban: None,
                    fixed_difficulty: None,
                    workers: BTreeMap::new(),
                    rejected: Default::default(),
                    gone: Counters::default(),
                    fixed_of: BTreeMap::new(),
                    named: 0,
                    place: Some(self.unproven[0].take(client, hotkey)),
                    looked_for_room_at: None,
                    is_leaving: false,
                });
            }
        }
    }

    /// Notes that a miner that was noted is a payout address's own identity.
    pub fn note_is_address(&mut self, hotkey: &Hotkey) {
        if let Some(miner) = self.miners.get_mut(hotkey)
            && !std::mem::replace(&mut miner.is_address, true)
        {
            self.address_miners += 1;
            self.bindings.note(*hotkey, miner.payout_address.clone(), true);
            if let Some(place) = miner.place {
                self.unproven[0].leave(&place);
                miner.place = Some(self.unproven[1].take(place.client(), *hotkey));
            }
        }
    }

    /// Notes what workers that are no more came to.
    pub fn note_gone(&mut self, hotkey: &Hotkey, gone: Counters) {
        if let Some(miner) = self.miners.get_mut(hotkey) {
            miner.gone = gone;
        }
        if gone.accepted > 0 {
            self.note_work(hotkey);
        }
    }

    /// Notes that a miner has work: it gives way to nobody.
    pub(super) fn note_work(&mut self, hotkey: &Hotkey) {
        if let Some(miner) = self.miners.get_mut(hotkey)
            && let Some(place) = miner.place.take()
        {
            self.unproven[usize::from(miner.is_address)].leave(&place);
        }
    }

    /// Whether there is room for one more miner, while `pending` are being stored.
    pub fn has_room(&self, pending: usize) -> bool {
        self.miners.len() + pending < self.limits.miners
    }

    /// Miners that are payout addresses.
    pub fn address_miners(&self) -> usize {
        self.address_miners
    }

    /// Whether payout addresses have room for one more miner, while `pending` of them are being stored. They may
    /// not take all the room, or names that cost nothing would keep everybody else out.
    pub fn has_room_for_address(&self, pending: usize) -> bool {
        self.address_miners + pending < self.limits.address_miners
    }

    /// The miner that gives way to a payout address: an address without work. To one that registers: an address
    /// without work, or else a miner without work.
    pub fn first_to_give_way(&self, to_address: bool) -> Option<Hotkey> {
        let [registered, addresses] = &self.unproven;
        let address = addresses.first_to_give_way();
        if to_address {
            return address;
        }
        address.or_else(|| registered.first_to_give_way())
    }

    /// Begins to remove a miner: from now on it is unknown, and its place counts until it is removed.
    pub fn begin_removing(&mut self, hotkey: &Hotkey) {
        self.note_work(hotkey);
        if let Some(miner) = self.miners.get_mut(hotkey) {
            miner.is_leaving = true;
        }
    }

    /// The store keeps the miner.
    pub fn keep(&mut self, hotkey: &Hotkey) {
        if let Some(miner) = self.miners.get_mut(hotkey) {
            miner.is_leaving = false;
        }
    }

    /// Whether one of the miner's shares is on its way to the store.
    pub fn has_shares_under_way(&self, hotkey: &Hotkey) -> bool {
        let ids = self
            .miners
            .get(hotkey)
            .into_iter()
            .flat_map(|miner| miner.workers.values());
        ids.filter_map(|id| self.worker(*id))
            .any(|worker| worker.under_way > 0)
    }

    /// Notes that the store does not have the miner any more.
    pub fn note_removed(&mut self, hotkey: &Hotkey) {
        self.note_work(hotkey);
        let Some(miner) = self.miners.remove(hotkey) else {
            return;
        };
        self.address_miners -= usize::from(miner.is_address);
        self.bindings.forget(hotkey);
        for id in miner.workers.values() {
            self.forget(*id);
        }
    }
}
