//! What must hold after each life and in the end, reckoned from the shares and the chain and not from the books.

use std::collections::BTreeMap;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::rewards::{Weights, split};
use dwarves_domain::units::{Amount, Units};
use dwarves_ports::chain::BlockStatus;
use dwarves_ports::store::{Accounting, BlockRow, BlockState, CreditKind, PageRequest, Store, StoreError};
use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::TestChain;
use dwarves_testkit::build::{COINBASE_SATS, hotkey};

use crate::story::Story;

/// What is in memory answers at once.
fn now<T>(future: impl Future<Output = Result<T, StoreError>>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(answer) => answer.expect("what is in memory can be read"),
        std::task::Poll::Pending => panic!("what is in memory does not wait"),
    }
}

/// After each life: the books hold what blocks brought, and a miner's list of credits comes to its balance.
pub(crate) fn books(store: &InlineStore) {
    let totals = now(store.totals());
    assert_eq!(totals.holdings.check(&totals.income), Ok(()));
    for n in [1, 2] {
        let all = PageRequest {
            cursor: None,
            limit: u32::MAX,
        };
        let credits = now(store.miner_credits(hotkey(n), all)).rows;
        let listed: i128 = credits
            .iter()
            .map(|credit| match credit.kind {
                CreditKind::Credit | CreditKind::Return => i128::from(credit.amount.sats()),
                CreditKind::Reversal => -i128::from(credit.amount.sats()),
            })
            .sum();
        let balances = now(store.miner_balances(hotkey(n)));
        let held = balances.immature.sats() + balances.payable.sats();
        assert_eq!(listed, i128::from(held), "credits of miner {n}");
    }
}

/// Whether every block is what the chain says, and booked.
pub(crate) fn is_at_rest(store: &InlineStore, chain: &TestChain) -> bool {
    let decided = |block: &BlockRow| match chain.status_of(block.hash) {
        BlockStatus::MainChain { .. } => block.state == BlockState::Mature,
        BlockStatus::SideChain | BlockStatus::Unknown => block.state == BlockState::Orphaned,
    };
    now(store.blocks_to_account(u32::MAX)).is_empty() && store.found_blocks().iter().all(decided)
}

/// The miners' parts of a block by a slow reading of all shares: from the middle of the block's share half a unit
/// back, in half-steps.
fn parts(store: &InlineStore, block: &BlockRow) -> BTreeMap<Hotkey, u64> {
    let window = Units::ONE.raw() / 2;
    let end = 2 * block.total_before.raw() + block.units.raw();
    let begin = end.saturating_sub(2 * window);
    let state = now(store.start(block.found_at));
    let owners: BTreeMap<_, _> = state
        .workers
        .iter()
        .map(|(worker, _)| (worker.id, worker.hotkey))
        .collect();
    let mut total = 0_u128;
    let mut weights = Weights::new();
    for (sequence, share) in store.shares() {
        let (from, to) = (2 * total, 2 * (total + share.units.raw()));
        total += share.units.raw();
        if sequence <= block.sequence {
            let overlap = to.min(end).saturating_sub(from.max(begin));
            weights
                .add(owners[&share.worker], overlap)
                .expect("the shares of a test fit");
        }
    }
    let rest = Amount::from_sats(COINBASE_SATS - COINBASE_SATS / 100).expect("a coinbase fits");
    split(rest, &weights)
        .iter()
        .map(|credit| (credit.hotkey, credit.amount.sats()))
        .collect()
}

/// In the end: every block of the pool is known, is what the chain says, and paid each miner once.
pub(crate) fn end(story: &Story) {
    let store = story.store();
    assert!(is_at_rest(store, story.chain()), "{:?}", store.found_blocks());
    let blocks = store.found_blocks();
    for hash in story.chain().submitted() {
        let stored = blocks.iter().filter(|block| block.hash == hash).count();
        // One that lost its race in the moment of a crash brought nothing, so it may be missing.
        let is_best = matches!(story.chain().status_of(hash), BlockStatus::MainChain { .. });
        assert!(
            stored == 1 || (stored == 0 && !is_best),
            "block {hash} is in the ledger {stored} times"
        );
    }
    let mut expected: BTreeMap<Hotkey, u64> = BTreeMap::new();
    for block in &blocks {
        let is_paid = match (story.chain().status_of(block.hash), block.accounting) {
            (BlockStatus::MainChain { .. }, Accounting::Matured) => true,
            (BlockStatus::SideChain, Accounting::None | Accounting::Reversed) => false,
            // What was free to be paid stays with the miners.
            (BlockStatus::SideChain, Accounting::ReversedMature) => true,
            (status, booked) => panic!("block {} is {status:?} and booked {booked}", block.hash),
        };
        if is_paid {
            for (miner, sats) in parts(store, block) {
                *expected.entry(miner).or_default() += sats;
            }
        }
        if block.units.is_zero() {
            // It was recovered: it stands where a life was cut off.
            assert!(
                story.ends.contains(&block.sequence.get()),
                "place of {}",
                block.hash
            );
        }
        assert_eq!(block.reward.sats(), COINBASE_SATS);
        assert!(
            block
                .finder
                .is_none_or(|finder| finder == hotkey(1) || finder == hotkey(2))
        );
    }
    for n in [1, 2] {
        let balances = now(store.miner_balances(hotkey(n)));
        let expected = expected.get(&hotkey(n)).copied().unwrap_or(0);
        assert_eq!(balances.payable.sats(), expected, "miner {n}");
        assert_eq!(balances.immature.sats(), 0, "miner {n}");
    }
}
