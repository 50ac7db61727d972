//! What the paymaster is asked and told.

use std::collections::BTreeMap;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::ids::PayoutId;
use dwarves_domain::payouts::{Held, PayoutState, PlanDigest, Txid, Waiting, WhyHeld};
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Amount;

use super::holds::Holds;
use super::trouble::Trouble;
use crate::ask::Request;
use crate::control::Controlled;
use crate::control::hold::Hold;

/// A hint to look at the payouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, actix::Message)]
#[rtype(result = "()")]
pub struct Poke;

/// Reads how payouts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadPayouts;

/// A payout that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenPayout {
    /// The payout's number.
    pub id: PayoutId,
    /// Where it is on its way.
    pub state: PayoutState,
    /// Its transaction, once it is signed.
    pub txid: Option<Txid>,
    /// Its transaction's confirmations.
    pub confirmations: u32,
    /// When its money was set aside.
    pub reserved_at: Timestamp,
}

/// What happened in this life that an operator should know of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PayoutAlarms {
    /// Payouts that a reorganisation took out of the chain after they had been deep.
    pub reorged: u64,
    /// Payouts whose inputs were spent by another transaction.
    pub returned: u64,
    /// Payouts that were returned and came into the chain after all.
    pub revived: u64,
}

/// How payouts are, as of the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PayoutsView {
    /// Whether somebody else sends them, and nothing is planned: batches begin at an operator's order.
    pub is_by_export: bool,
    /// Whether an admin paused them.
    pub paused: bool,
    /// On which grounds they are held; none leaves while there is one.
    pub holds: Holds,
    /// The balance from which miners are paid who chose none.
    pub threshold: Amount,
    /// When the next payout is planned, unless they are exported.
    pub next_plan_at: Timestamp,
    /// The last payout, if there ever was one.
    pub last_payout: Option<PayoutId>,
    /// Payouts that are under way, oldest first.
    pub open: Vec<OpenPayout>,
    /// Payouts that are confirmed or returned and still watched: a reorganisation may change them.
    pub settled: u64,
    /// What hinders payouts; empty if nothing does.
    pub troubles: Vec<Trouble>,
    /// Balances that the last plan left where they are, by reason.
    pub held: BTreeMap<WhyHeld, Held>,
    /// What an operator should know of.
    pub alarms: PayoutAlarms,
}

impl Request for ReadPayouts {
    type Reply = PayoutsView;
}

/// Reads whether a miner's balance is due and waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadWaiting {
    /// The miner whose balance may wait.
    pub hotkey: Hotkey,
}

impl Request for ReadWaiting {
    /// As of the last plan; `None`: it is not due, or it is paid.
    type Reply = Option<Waiting>;
}

/// An admin's message to the paymaster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymasterControl {
    /// Sends nothing new. What was sent is followed, and sent again if it got lost.
    Pause,
    /// Plans payouts again.
    Resume,
    /// Plans a payout now instead of when the interval is over.
    PayNow {
        /// Only tells what would be sent.
        dry_run: bool,
        /// Only if this is what would be sent, as a dry run told it; `None`: whatever is due.
        plan: Option<PlanDigest>,
    },
    /// Gives a payout up that is set aside and not signed: its balances are payable again.
    Cancel(PayoutId),
    /// Changes the balance from which miners are paid who chose none.
    SetThreshold(Amount),
    /// Books what the wallet sent and the ledger does not know.
    Adopt {
        /// Which one; `None`: all that pay miners.
        only: Option<Txid>,
        /// Also if what balances do not cover is then the reserve's to bear.
        reserve_bears: bool,
    },
    /// Lifts a hold that operators may lift.
    Release(Hold),
}

impl Request for PaymasterControl {
    type Reply = Controlled;
}

/// Begins nothing more and answers once what is under way has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainPayouts;

impl Request for DrainPayouts {
    type Reply = ();
}
