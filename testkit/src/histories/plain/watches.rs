//! Watch tokens in memory.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::watch::WatchId;
use dwarves_ports::store::{StoreError, StoreErrorKind, WatchRow, Written};

use super::state::{Rest, State};

impl Rest {
    pub(super) fn add_watch(&mut self, watch: &WatchRow, most: u32) -> Result<Written, StoreError> {
        match self.watches.get(&watch.id) {
            Some(stored) if stored == watch => return Ok(Written::Done),
            Some(_) => {
                let why = "this watch token is another one";
                return Err(StoreError::new(StoreErrorKind::Conflict, why));
            }
            None => {}
        }
        self.watches
            .retain(|_, stored| stored.hotkey != watch.hotkey || !stored.is_over(watch.created_at));
        let theirs = self
            .watches
            .values()
            .filter(|stored| stored.hotkey == watch.hotkey);
        if theirs.count() >= most as usize {
            return Ok(Written::WatchesFull);
        }
        if !self.miners.contains_key(&watch.hotkey) {
            return Ok(Written::NoMiner);
        }
        self.watches.insert(watch.id, watch.clone());
        Ok(Written::Done)
    }

    pub(super) fn remove_watch(&mut self, hotkey: &Hotkey, id: WatchId) -> Written {
        let is_theirs = self
            .watches
            .get(&id)
            .is_some_and(|stored| stored.hotkey == *hotkey);
        if !is_theirs {
            return Written::WatchUnknown;
        }
        self.watches.remove(&id);
        Written::Done
    }
}

impl State {
    pub(super) fn watch(&self, id: WatchId) -> Option<WatchRow> {
        self.rest.watches.get(&id).cloned()
    }

    pub(super) fn watches_of(&self, hotkey: &Hotkey) -> Vec<WatchRow> {
        let theirs = self
            .rest
            .watches
            .values()
            .filter(|stored| stored.hotkey == *hotkey);
        let mut theirs: Vec<_> = theirs.cloned().collect();
        theirs.sort_by_key(|stored| (stored.created_at, stored.id));
        theirs
    }
}
