//! What actors reply, as the API shows it.

use dwarves_actors::miner_manager::messages::{MinerView, WorkerView};
use dwarves_api_types::miners::{
    BlockRecord, MinerStatus, PayoutHeld, Performance, ShareCounts, WorkerStatus,
};
use dwarves_api_types::scalars::{Hash, Instant, Ss58};
use dwarves_api_types::work::ShareResult;
use dwarves_domain::payouts::Waiting;
use dwarves_domain::share::{AcceptedShare, Rejection, ShareVerdict};
use dwarves_domain::units::Amount;
use dwarves_ports::store::MinerBalances;

use crate::problem::BLOCK_SUBMITTED;

/// A miner as the miner manager and the ledger know it.
pub fn miner_status(
    view: MinerView,
    balances: MinerBalances,
    threshold: Option<Amount>,
    waiting: Option<Waiting>,
) -> MinerStatus {
    MinerStatus {
        hotkey: Ss58(view.hotkey),
        registered_at: Instant(view.registered_at),
        payout_address: view.payout_address,
        hashrate: view.hashrate,
        shares: ShareCounts {
            accepted: view.accepted,
            rejected: view.rejected.into(),
        },
        performance: Performance {
            units: view.units.to_string(),
            window_units: view.window.to_string(),
        },
        blocks: BlockRecord {
            found: view.record.found,
            expected: view.record.expected,
        },
        payout_threshold_sats: threshold.map(Amount::sats),
        payout_held: waiting.map(PayoutHeld::from),
        balance_sats: balances.into(),
        workers: view.workers.into_iter().map(worker_status).collect(),
    }
}

fn worker_status(view: WorkerView) -> WorkerStatus {
    WorkerStatus {
        name: view.name.to_string(),
        hashrate: view.hashrate,
        share_difficulty: view.share_difficulty.shown(),
        last_share_at: view.last_share_at.map(Instant),
        shares: view.shares,
    }
}

/// What became of a share. `is_block`: it does not count, and is a block that was submitted all the same.
pub fn share_result(verdict: ShareVerdict, is_block: bool) -> ShareResult {
    match verdict {
        Ok(AcceptedShare {
            hash,
            share_difficulty,
            sequence,
            is_block,
        }) => ShareResult::Accepted {
            share_id: Hash(hash),
            share_difficulty: share_difficulty.shown(),
            sequence: sequence.get(),
            block: is_block,
        },
        Err(why) => ShareResult::Rejected {
            reason: why.into(),
            detail: if is_block {
                format!("{why}; {BLOCK_SUBMITTED}")
            } else {
                why.to_string()
            },
            sequence: match why {
                Rejection::Duplicate(first) => Some(first.get()),
                _ => None,
            },
        },
    }
}
