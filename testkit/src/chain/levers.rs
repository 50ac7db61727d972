//! What a test makes of its chain: troubles, reorganisations, blocks of others.

use dwarves_domain::ids::HeaderHash;
use dwarves_domain::time::Timestamp;
use dwarves_ports::chain::{Standing, Tip};

use super::{Submissions, TestChain};

impl TestChain {
    /// Makes the chain unreachable, or reachable again.
    pub fn set_down(&self, is_down: bool) {
        self.0.send_modify(|state| state.is_down = is_down);
    }

    /// Makes the chain refuse the pool's blocks for good, or take them again.
    pub fn set_unsound(&self, is_unsound: bool) {
        self.0.send_modify(|state| state.is_unsound = is_unsound);
    }

    /// Makes templates fail, though the chain moves on, or come again.
    pub fn set_templateless(&self, is_templateless: bool) {
        self.0
            .send_modify(|state| state.is_templateless = is_templateless);
    }

    /// Says which chain this is.
    pub fn set_standing(&self, standing: Standing) {
        self.0.send_modify(|state| state.standing = standing);
    }

    /// Says whether the chain has all blocks that there are. While it has not, it still answers what it knows.
    pub fn set_synced(&self, is_synced: bool) {
        self.0.send_modify(|state| state.is_synced = is_synced);
    }

    /// Says which time the best header has; at first the chain has no time of its own.
    pub fn set_header_time(&self, time: Option<Timestamp>) {
        self.0.send_modify(|state| state.header_time = time);
    }

    /// Says what goes wrong with submissions from now on.
    pub fn set_submissions(&self, submissions: Submissions) {
        self.0.send_modify(|state| state.submissions = submissions);
    }

    /// Somebody else finds this many blocks on the tip.
    pub fn others_find(&self, blocks: u32) {
        self.0.send_modify(|state| {
            let from = state.tip.hash;
            state.extend(from, blocks);
        });
    }

    /// The last `depth` blocks are replaced by one block more.
    pub fn reorganise(&self, depth: u32) {
        self.0.send_modify(|state| {
            let mut fork = state.tip.hash;
            for _ in 0..depth {
                fork = state.blocks[&fork].previous;
            }
            state.extend(fork, depth + 1);
        });
    }

    /// The tip's block turns out to be none: the one before it is the tip again.
    pub fn invalidate_tip(&self) {
        self.0.send_modify(|state| {
            if let Some(block) = state.blocks.remove(&state.tip.hash) {
                state.tip = Tip {
                    hash: block.previous,
                    height: block.height - 1,
                };
            }
        });
    }

    /// Others find blocks on `hash` until it is on the best chain again.
    pub fn bring_back(&self, hash: HeaderHash) {
        self.0.send_modify(|state| {
            let Some(block) = state.blocks.get(&hash) else {
                return;
            };
            let missing = state.tip.height + 1 - block.height.min(state.tip.height);
            state.extend(hash, missing);
        });
    }

    /// The chain forgets a block that is not its tip's ancestor (a node that was set up anew).
    pub fn forget(&self, hash: HeaderHash) {
        self.0.send_modify(|state| {
            state.blocks.remove(&hash);
        });
    }
}
