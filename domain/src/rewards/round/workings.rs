//! How a round came to its credits: what of its input its other fields do not say, kept so that anybody can reckon a
//! credit again.

use std::collections::BTreeMap;

use crate::hotkey::Hotkey;
use crate::rewards::round::{RoundError, RoundInput};
use crate::rewards::weights::Weights;
use crate::units::{Amount, BasisPoints, Units};

/// How a round came to its credits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workings {
    /// The pool's fee.
    pub fee: BasisPoints,
    /// The work by which each of its blocks was split, in the order of its blocks. Empty if it split just one thing: the
    /// credits say by which work.
    pub splits: Vec<Weights>,
    /// What each credited miner's work was worth, if the scheme pays by the share.
    pub paid: BTreeMap<Hotkey, PaidWork>,
}

/// Work of one miner that is paid by the share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaidWork {
    /// What the round before carried, over [`DENOMINATOR`](crate::rewards::pps::DENOMINATOR).
    pub carried: u128,
    /// The work at each value of a unit.
    pub work: BTreeMap<Amount, Units>,
}

impl Workings {
    /// The work that is paid by the share.
    pub(super) fn paid(input: &RoundInput) -> Result<BTreeMap<Hotkey, PaidWork>, RoundError> {
        let mut paid: BTreeMap<Hotkey, PaidWork> = BTreeMap::new();
        for share in input.shares.iter().filter(|share| !share.units.is_zero()) {
            let miner = paid.entry(share.hotkey).or_insert_with(|| PaidWork {
                carried: input.carried.get(&share.hotkey).copied().unwrap_or(0),
                work: BTreeMap::new(),
            });
            let sum = miner.work.entry(share.value).or_default();
            *sum = sum
                .checked_add(share.units)
                .ok_or(crate::rewards::pps::PpsError::Overflow)?;
        }
        Ok(paid)
    }
}
