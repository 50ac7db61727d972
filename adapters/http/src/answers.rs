//! What actors reply, as the API shows it.

use std::cell::RefCell;
use std::collections::HashMap;

use dwarves_actors::miner_manager::messages::{MinerView, WorkerView};
use dwarves_api_types::miners::{
    BlockRecord, MinerStatus, PayoutHeld, Performance, ShareCounts, WorkerStatus,
};
use dwarves_api_types::rates::WindowHashrate;
use dwarves_api_types::scalars::{Hash, Instant, Ss58};
use dwarves_api_types::work::ShareResult;
use dwarves_domain::payouts::Waiting;
use dwarves_domain::share::{AcceptedShare, Rejection, ShareVerdict};
use dwarves_domain::target::Difficulty;
use dwarves_domain::time::Timestamp;
use dwarves_domain::units::Amount;
use dwarves_ports::store::MinerBalances;

use crate::known_rates::MinerRates;
use crate::problem::BLOCK_SUBMITTED;

/// A miner as the miner manager and the ledger know it.
pub fn miner_status(
    view: MinerView,
    mut rates: MinerRates,
    now: Timestamp,
    balances: MinerBalances,
    threshold: Option<Amount>,
    waiting: Option<Waiting>,
) -> MinerStatus {
    MinerStatus {
        hotkey: Ss58(view.hotkey),
        registered_at: Instant(view.registered_at),
        payout_address: view.payout_address,
        hashrate: view.hashrate,
        hashrates: rates.hashrates,
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
        window: None,
        next_payout: None,
        results: None,
        balance_sats: Some(balances.into()),
        workers: Some(
            view.workers
                .into_iter()
                .map(|worker| {
                    let hashrates = rates.workers.remove(&worker.name);
                    worker_status(worker, hashrates.unwrap_or_default(), now)
                })
                .collect(),
        ),
        hidden: Vec::new(),
    }
}

fn worker_status(view: WorkerView, hashrates: Vec<WindowHashrate>, now: Timestamp) -> WorkerStatus {
    WorkerStatus {
        name: view.name.to_string(),
        hashrate: view.hashrate,
        hashrates,
        share_difficulty: view.share_difficulty.shown(),
        last_share_at: view.last_share_at.map(Instant),
        last_share_age_secs: view.last_share_at.map(|at| now.since(at).secs()),
        shares: view.shares,
        rejected: view.rejected.into(),
    }
}

/// Difficulties of which one HTTP worker remembers how they are shown. 40 bytes each.
const SHOWN_MAX: usize = 4_096;

/// How difficulties are shown. To find the shortest decimal takes longer than all else of an answer, and all shares of a
/// job have the same.
#[derive(Debug)]
pub struct ShownDifficulties {
    known: RefCell<HashMap<Difficulty, f64>>,
    room: usize,
}

impl Default for ShownDifficulties {
    fn default() -> Self {
        Self {
            known: RefCell::default(),
            room: SHOWN_MAX,
        }
    }
}

impl ShownDifficulties {
    /// The difficulty as it is shown.
    pub fn of(&self, difficulty: Difficulty) -> f64 {
        let mut known = self.known.borrow_mut();
        if known.len() >= self.room && !known.contains_key(&difficulty) {
            // Rare, and cheap to make good.
            known.clear();
        }
        *known.entry(difficulty).or_insert_with(|| difficulty.shown())
    }
}

/// What became of a share. `is_block`: it does not count, and is a block that was submitted all the same.
pub fn share_result(verdict: ShareVerdict, is_block: bool, difficulties: &ShownDifficulties) -> ShareResult {
    match verdict {
        Ok(AcceptedShare {
            hash,
            share_difficulty,
            sequence,
            is_block,
        }) => ShareResult::Accepted {
            share_id: Hash(hash),
            share_difficulty: difficulties.of(share_difficulty),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difficulty_is_shown_as_ever_however_many_were_asked_for() {
        let difficulties = ShownDifficulties {
            room: 3,
            ..ShownDifficulties::default()
        };
        for value in [0.1, 0.2, 0.1, 0.3, 0.4, 0.1, 0.4, 0.5, 0.6, 0.7, 0.7, 0.1] {
            let difficulty = Difficulty::from_f64(value).unwrap();
            assert_eq!(difficulties.of(difficulty), value);
            assert_eq!(difficulties.of(difficulty), difficulty.shown(), "it is known now");
            assert!(difficulties.known.borrow().len() <= 3);
        }
    }
}
