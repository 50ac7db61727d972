//! The found blocks of each height, in the order in which they were found.
//!
//! Of one height one block at most is on the best chain. So the first one of a height goes to the chain first, its
//! siblings one by one after it has been answered; and once one of them has its place there, the others are settled
//! without asking for each.

use std::collections::BTreeMap;

use dwarves_domain::ids::HeaderHash;

use dwarves_domain::time::Span;

use super::{Delay, Open};
use dwarves_ports::store::BlockState;

/// Heights of which it is remembered how many candidates they had: as many as can be new at once.
const COUNTED_MAX: usize = 256;

/// How long a block's siblings wait for the answer to it.
const SLOW: Span = Span::from_secs(5);

/// Which blocks there are of each height.
#[derive(Debug, Default)]
pub(super) struct Heights {
    order: BTreeMap<u32, Vec<HeaderHash>>,
    /// Candidates that were kept of each height, also those that are settled by now; not those that were refused.
    counted: BTreeMap<u32, usize>,
}

/// Whose turn it is among the blocks of a height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) hash: HeaderHash,
    /// The chain has another one of this height already.
    pub(super) is_sibling: bool,
}

impl Heights {
    pub(super) fn add(&mut self, height: u32, hash: HeaderHash) {
        self.order.entry(height).or_default().push(hash);
        *self.counted.entry(height).or_default() += 1;
        while self.counted.len() > COUNTED_MAX {
            self.counted.pop_first();
        }
    }

    pub(super) fn remove(&mut self, height: u32, hash: HeaderHash, is_refused: bool) {
        if let Some(hashes) = self.order.get_mut(&height) {
            hashes.retain(|other| *other != hash);
            if hashes.is_empty() {
                self.order.remove(&height);
            }
        }
        if is_refused && let Some(counted) = self.counted.get_mut(&height) {
            // A height that was dropped among many others counts anew, and those from before may still be refused.
            *counted = counted.saturating_sub(1);
        }
    }

    /// How many candidates of this height were kept, apart from those that were refused.
    pub(super) fn count(&self, height: u32) -> usize {
        let followed = self.order.get(&height).map_or(0, Vec::len);
        self.counted.get(&height).copied().unwrap_or(0).max(followed)
    }

    /// The blocks of a height, in the order in which they were found.
    pub(super) fn at(&self, height: u32) -> &[HeaderHash] {
        self.order.get(&height).map_or(&[], Vec::as_slice)
    }

    /// The heights that have blocks, the newest first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = (u32, &[HeaderHash])> {
        let all = self.order.iter().rev();
        all.map(|(height, hashes)| (*height, hashes.as_slice()))
    }
}

/// Who of `hashes`, the blocks of one height, is to be submitted next.
pub(super) fn turn(hashes: &[HeaderHash], open: &BTreeMap<HeaderHash, Open>) -> Option<Turn> {
    let mut next = None;
    let mut is_sibling = false;
    for hash in hashes {
        let block = open.get(hash)?;
        if let Some(since) = block.submitting {
            if since.elapsed() < SLOW {
                return None;
            }
            // Nobody knows whether it arrived: the next one need not wait for that.
            continue;
        }
        match block.fate.0 {
            BlockState::Submitted if block.is_refused => {}
            BlockState::Submitted => match block.delay {
                Delay::None => next = next.or(Some(*hash)),
                // The next one may fare better.
                Delay::NotYet => {}
                // The next one would not fare better.
                Delay::Unreachable => return None,
            },
            BlockState::Accepted | BlockState::Immature | BlockState::Mature => is_sibling = true,
            BlockState::Orphaned | BlockState::Refused => {}
        }
    }
    next.map(|hash| Turn { hash, is_sibling })
}

/// The one of `hashes` that is on the best chain, as far as is known.
pub(super) fn winner(hashes: &[HeaderHash], open: &BTreeMap<HeaderHash, Open>) -> Option<HeaderHash> {
    let is_in = |hash: &&HeaderHash| {
        let fate = open.get(hash).map(|block| block.fate.0);
        matches!(fate, Some(BlockState::Immature | BlockState::Mature))
    };
    hashes.iter().find(is_in).copied()
}
