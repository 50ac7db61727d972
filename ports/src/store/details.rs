//! What is read of one block, payout or share for somebody who looks at it. No decision of the pool depends on it.

use std::collections::BTreeMap;

use dwarves_domain::blocks::{BlockState, CreditKind};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::{RoundId, Sequence, WorkerName};
use dwarves_domain::payouts::Payout;
use dwarves_domain::rewards::{PaidWork, Weights};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::{Amount, BasisPoints, Units};

use super::ledger_rows::{BlockRow, CreditRow, ShareRow, TemplateRow};

/// An accepted share with what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareDetails {
    /// Its place in the ledger.
    pub sequence: Sequence,
    /// Units of all shares before it.
    pub total_before: Units,
    /// Whose it is.
    pub hotkey: Hotkey,
    /// The worker's name.
    pub worker: WorkerName,
    /// The share itself, without its block.
    pub row: ShareRow,
    /// Whether all of its extranonce is known: shares of before the last four bytes were kept lack them.
    pub is_whole: bool,
    /// Its template, without transactions and trailer.
    pub template: TemplateRow,
    /// What became of the block that it is, if it is one.
    pub block: Option<BlockState>,
    /// The first round that looked at the ledger up to this share, if there was one yet.
    pub round: Option<RoundId>,
}

/// A found block with what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockDetails {
    /// The block, without its bytes.
    pub block: BlockRow,
    /// The first of its bytes, as many as were asked for; empty once they are dropped.
    pub beginning: Vec<u8>,
    /// The states that it went through, oldest first, and when each was learnt as far as that was kept.
    pub states: Vec<(BlockState, Option<Timestamp>)>,
    /// What its acceptance booked, if a round did.
    pub booked: Option<BlockBooked>,
}

/// What a block's acceptance booked: its reward is the sum of fee, kept and credited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockBooked {
    /// The round that booked it.
    pub round: RoundId,
    /// The operator's fee.
    pub fee: Amount,
    /// What went to the pool's reserve.
    pub kept: Amount,
    /// What miners were credited.
    pub credited: Amount,
}

/// How a round came to a miner's credit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreditWorkings {
    /// The pool's fee.
    pub fee: BasisPoints,
    /// The work by which each of the round's blocks was split, in their order; empty if it split just one thing, by the
    /// work of its credits.
    pub splits: Vec<Weights>,
    /// What the miner's work was worth, if the scheme pays by the share.
    pub paid: Option<PaidWork>,
}

/// What a miner was credited on some days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Earned {
    /// What its credits came to on each day (from midnight UTC on), sats; below zero if more was taken back. Days
    /// without credits are left out.
    pub days: BTreeMap<Timestamp, i64>,
    /// The date of the oldest credit that was looked at, if there were more of them than were to be looked at: earlier
    /// ones are missing.
    pub cut_at: Option<Timestamp>,
}

impl Earned {
    /// Adds a credit.
    pub fn add(&mut self, credit: &CreditRow) {
        const DAY: i64 = 86_400_000;
        let at = credit.closed_at.millis();
        let sats = credit.amount.sats().cast_signed();
        let change = match credit.kind {
            CreditKind::Credit | CreditKind::Return => sats,
            CreditKind::Reversal => -sats,
        };
        let day = self
            .days
            .entry(Timestamp::from_millis(at - at.rem_euclid(DAY)))
            .or_default();
        // What a miner is credited is a part of all the money that there is.
        *day = day.saturating_add(change);
    }
}

/// A payout without its parts and bytes, and what the parts come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayoutRow {
    /// The payout.
    pub payout: Payout,
    /// How many parts it has.
    pub parts: u64,
    /// What was set aside for them, with the network's fee that they bear.
    pub total: Amount,
}
