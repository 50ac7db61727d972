//! How much of the room each miner holds, and how much it may.

use std::collections::HashMap;

use super::hashes::SeededHashes;
use crate::hotkey::Hotkey;

/// How much of the room one miner and one job may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// The most that a miner may hold while it is alone, in percent of all the room. A miner may hold what bears this
    /// proportion to what is free: of several that fill the sets each gets as much as is left for the next one.
    /// 100: there is no quota.
    pub miner_percent: u32,
    /// Shares of one job; `None`: there is no quota.
    pub of_job: Option<u32>,
}

impl Quotas {
    /// No quotas: whoever comes first takes all.
    pub const NONE: Self = Self {
        miner_percent: 100,
        of_job: None,
    };

    /// Whether a miner that holds `held` headers may hold one more while this many are `free`.
    pub(super) fn allows(&self, held: u32, free: usize) -> bool {
        let (percent, rest) = (self.miner_percent.min(100), 100 - self.miner_percent.min(100));
        u128::from(held) * u128::from(rest) < free as u128 * u128::from(percent) || rest == 0
    }
}

/// How many headers each miner has in the sets, by a number that stands for the miner as long as it has any.
#[derive(Clone, Debug)]
pub(super) struct Holders {
    pub(super) numbers: HashMap<Hotkey, u32, SeededHashes>,
    pub(super) held: Vec<(Hotkey, u32)>,
    pub(super) free: Vec<u32>,
}

impl Holders {
    pub(super) fn new(hashes: SeededHashes) -> Self {
        Self {
            numbers: HashMap::with_hasher(hashes),
            held: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(super) fn number(&mut self, miner: Hotkey) -> u32 {
        let Self { numbers, held, free } = self;
        *numbers.entry(miner).or_insert_with(|| match free.pop() {
            Some(number) => {
                held[number as usize] = (miner, 0);
                number
            }
            None => {
                held.push((miner, 0));
                // There is at least one header for each, and those are numbered in 32 bits, too.
                (held.len() - 1) as u32
            }
        })
    }

    pub(super) fn held(&self, number: u32) -> u32 {
        self.held[number as usize].1
    }

    pub(super) fn give_back(&mut self, number: u32, count: u32) {
        let (miner, held) = &mut self.held[number as usize];
        *held -= count;
        if *held == 0 {
            self.numbers.remove(miner);
            self.free.push(number);
        }
    }
}
