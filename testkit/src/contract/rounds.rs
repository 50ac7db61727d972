//! Rounds and money.

use dwarves_domain::rewards::{BlockReward, ClosedRound, Scheme, Weights, close};
use dwarves_ports::store::{BlockState, MinerBalances, PoolTotals, SharedStore};

use super::Backend;
use super::fixtures::{append, became, block_share, commit, furnished, hash, key, round_input, sats, share};

mod closing;
mod reading;
mod settling;

pub use closing::*;
pub use reading::*;
pub use settling::*;

/// A block of 1,000 sats for which miner 1 did three times the work of miner 2.
fn reward(n: u64) -> BlockReward {
    BlockReward {
        hash: hash(n),
        height: 100,
        reward: sats(1_000),
        finder: Some(key(1)),
        weights: Weights::sum([(key(1), 6), (key(2), 2)]).unwrap(),
    }
}

fn crediting(id: u64, blocks: &[u64]) -> ClosedRound {
    let mut input = round_input(id, Scheme::Pplns);
    input.accepted = blocks.iter().map(|&n| reward(n)).collect();
    close(&input).unwrap()
}

/// A store with blocks 1 and 2, both immature, and share 3.
async fn with_blocks<B: Backend>(backend: &B) -> SharedStore {
    let store = furnished(backend).await;
    let shares = vec![
        block_share(1, 1, 1, 100),
        block_share(2, 2, 1, 101),
        share(3, 1, 1),
    ];
    append(&store, shares).await;
    commit(
        &store,
        vec![became(1, BlockState::Immature), became(2, BlockState::Immature)],
    )
    .await;
    store
}

async fn balances(store: &SharedStore, miner: u8) -> [u64; 4] {
    let MinerBalances {
        immature,
        payable,
        in_flight,
        paid,
    } = store.miner_balances(key(miner)).await.unwrap();
    [immature, payable, in_flight, paid].map(|amount| amount.sats())
}

async fn ledger_sum(store: &SharedStore) -> i128 {
    let PoolTotals { ledger_sum, .. } = store.totals().await.unwrap();
    ledger_sum
}
