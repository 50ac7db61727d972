//! What to do about a payout by what the wallet says of its transaction.
//!
//! Answers may be old or come twice, so nothing here relies on their order: a wrong step is undone by the next
//! right answer, and only a deep rival gives money back.

use super::payout::{Payout, Transition};
use super::payout_state::PayoutState;
use super::txid::Txid;

/// What the wallet says of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It knows nothing of it.
    Unknown,
    /// It waits for a block.
    Mempool,
    /// It is in the best chain, with this many confirmations (1: in the tip).
    Confirmed(u32),
    /// It cannot be mined on the best chain as that is: something that it spends is spent or gone.
    Conflicted,
}

/// What the wallet says of the inputs of a transaction that is not in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rival {
    /// No other transaction spends them, as far as the wallet knows.
    None,
    /// This other transaction spends one of them and is in the best chain, with this many confirmations.
    Spent {
        /// The other transaction.
        by: Txid,
        /// How deep the rival is.
        confirmations: u32,
    },
}

/// How deep things must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depths {
    /// Confirmations at which a payout counts as paid, and a rival as proof.
    pub confirm: u32,
    /// Confirmations at which a payout, or a rival, is no longer looked at.
    pub forget: u32,
}

/// What is to be done about a payout that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Nothing to do.
    Wait,
    /// Take these steps, in order.
    Steps(Vec<Transition>),
    /// Send the same bytes again.
    Send,
    /// Ask who spends its inputs.
    AskRival,
}

/// What to do about a signed payout of which the wallet says `seen`. A payout that is not signed, or is not
/// watched any more, has nothing to be followed.
pub fn next_act(payout: &Payout, seen: Seen, depths: Depths) -> Act {
    let depth_step = |confirmations: u32| {
        (payout.confirmations != confirmations).then_some(Transition::Depth(confirmations))
    };
    let steps = |steps: Vec<Transition>| {
        if steps.is_empty() {
            Act::Wait
        } else {
            Act::Steps(steps)
        }
    };
    match (payout.state, seen) {
        (PayoutState::Reserved | PayoutState::Cancelled | PayoutState::Exported | PayoutState::Paid, _) => {
            Act::Wait
        }
        (PayoutState::Signed | PayoutState::Broadcast, Seen::Confirmed(confirmations)) => {
            let mut taken = Vec::new();
            if payout.state == PayoutState::Signed {
                taken.push(Transition::Send);
            }
            if confirmations >= depths.confirm {
                taken.push(Transition::Confirm(confirmations));
            } else {
                taken.extend(depth_step(confirmations));
            }
            steps(taken)
        }
        (PayoutState::Signed, Seen::Mempool) => Act::Steps(vec![Transition::Send]),
        (PayoutState::Broadcast, Seen::Mempool) => steps(depth_step(0).into_iter().collect()),
        (PayoutState::Signed | PayoutState::Broadcast, Seen::Unknown) => Act::Send,
        (PayoutState::Signed | PayoutState::Broadcast, Seen::Conflicted) => Act::AskRival,
        (PayoutState::Confirmed, Seen::Confirmed(confirmations)) => {
            if confirmations >= depths.forget {
                let mut taken: Vec<Transition> = depth_step(confirmations).into_iter().collect();
                taken.push(Transition::Forget);
                Act::Steps(taken)
            } else if confirmations >= depths.confirm {
                steps(depth_step(confirmations).into_iter().collect())
            } else {
                Act::Steps(vec![Transition::Unconfirm(confirmations)])
            }
        }
        (PayoutState::Confirmed, Seen::Unknown | Seen::Mempool | Seen::Conflicted) => {
            Act::Steps(vec![Transition::Unconfirm(0)])
        }
        (PayoutState::Returned, Seen::Confirmed(confirmations)) => {
            Act::Steps(vec![Transition::Revive(confirmations)])
        }
        (PayoutState::Returned, Seen::Unknown | Seen::Mempool | Seen::Conflicted) => Act::AskRival,
    }
}

/// What to do about a payout whose inputs `rival` tells of. Only a rival as deep as a payout must be is proof
/// that the payout's transaction will never be mined.
pub fn rival_act(payout: &Payout, rival: Rival, depths: Depths) -> Act {
    match (payout.state, rival) {
        (PayoutState::Signed | PayoutState::Broadcast, Rival::Spent { by, confirmations })
            if confirmations >= depths.confirm =>
        {
            let note = format!("its inputs were spent by transaction {by}, {confirmations} deep");
            Act::Steps(vec![Transition::Return(note)])
        }
        (PayoutState::Signed | PayoutState::Broadcast, Rival::None) => Act::Send,
        (PayoutState::Returned, Rival::Spent { confirmations, .. }) if confirmations >= depths.forget => {
            Act::Steps(vec![Transition::Forget])
        }
        _ => Act::Wait,
    }
}
