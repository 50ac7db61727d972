//! What must hold after each life, whatever happened in it, and what must hold in the end.
//!
//! The books are compared with a plain reading of what was stored: each account is added up again from blocks
//! and rounds, without the postings.

use std::collections::{BTreeMap, BTreeSet};

use dwarves_domain::ids::HeaderHash;
use dwarves_domain::ledger::{Account, Balance};
use dwarves_domain::rewards::pplns::Window;
use dwarves_domain::rewards::{Scheme, Source, split};
use dwarves_domain::time::Span;
use dwarves_domain::units::{Amount, Units};
use dwarves_ports::chain::BlockStatus;
use dwarves_ports::store::{
    Accounting, BlockCredits, BlockRow, BlockState, CreditRow, PageRequest, RoundRow, Store,
};
use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::TestChain;

use crate::money;
use crate::notes::Notes;

/// What is in memory answers at once.
pub(crate) fn now<T, E: std::fmt::Debug>(future: impl Future<Output = Result<T, E>>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(answer) => answer.expect("what is in memory can be read"),
        std::task::Poll::Pending => panic!("what is in memory does not wait"),
    }
}

const ALL: PageRequest = PageRequest {
    cursor: None,
    limit: u32::MAX,
};

/// After each life.
pub(crate) fn books(store: &InlineStore, notes: &Notes, scheme: Scheme, source: Source) {
    shares(store, notes);
    let rounds = rounds(store);
    let blocks = store.found_blocks();
    credited_once(store, &blocks, &rounds);
    accounts(store, &blocks, &rounds, scheme, source);
    if scheme == Scheme::Pplns && source == Source::Blocks {
        windows(store, &blocks);
    }
}

/// Every share has its own number and its own header, and whatever a miner was told of one is what is stored.
fn shares(store: &InlineStore, notes: &Notes) {
    let mut by_sequence = BTreeMap::new();
    let mut by_hash = BTreeMap::new();
    for (index, (sequence, row)) in store.shares().into_iter().enumerate() {
        assert_eq!(sequence.get(), index as u64 + 1, "numbers have no gaps");
        by_sequence.insert(sequence, row.hash);
        let twice = by_hash.insert(row.hash, (sequence, row.worker));
        assert_eq!(twice, None, "{} is stored twice", row.hash);
    }
    let told = notes.told();
    for (hash, (sequence, miner)) in told.accepted {
        let stored = by_hash.get(&hash).map(|(sequence, _)| *sequence);
        assert_eq!(stored, Some(sequence), "{hash} was acknowledged as {sequence}");
        let worker = by_hash[&hash].1;
        let credited = store.owner_of_worker(worker);
        assert_eq!(credited, Some(miner), "{hash} was acknowledged to {miner}");
    }
    for (hash, miner) in told.blocks {
        let block = store.found_blocks().into_iter().find(|block| block.hash == hash);
        let block = block.unwrap_or_else(|| panic!("block {hash} was acknowledged to {miner}"));
        // Somebody else may have brought it before, and then it may have been booked as nobody's, or be settled as none.
        let (state, booked) = (block.state, block.accounting);
        let is_none = [BlockState::Orphaned, BlockState::Refused].contains(&state);
        let is_nobodys = block.finder.is_none() && (booked != Accounting::None || is_none);
        assert!(
            block.finder == Some(miner) || is_nobodys,
            "block {hash} of {miner} is {:?}'s, {state}, booked {booked}",
            block.finder
        );
    }
    for block in store.found_blocks() {
        let maker = notes.maker_of(&block.hash);
        assert!(
            block.finder.is_none() || maker.is_none() || block.finder == maker,
            "block {}",
            block.hash
        );
    }
    for (hash, first) in told.duplicates {
        assert_eq!(
            by_sequence.get(&first),
            Some(&hash),
            "{hash} was called a duplicate of {first}"
        );
    }
}

/// Rounds are there once each, in order, and their parts make up the whole.
fn rounds(store: &InlineStore) -> Vec<(RoundRow, Vec<CreditRow>)> {
    let page = now(store.rounds(ALL));
    let mut rounds: Vec<_> = page
        .rows
        .iter()
        .map(|row| now(store.round(row.id)).expect("a listed round can be read"))
        .collect();
    rounds.reverse();
    for (index, (row, credits)) in rounds.iter().enumerate() {
        assert_eq!(row.id.get(), index as u64 + 1, "rounds have no gaps");
        let parts = [row.fee, row.kept, row.credited];
        assert_eq!(
            Amount::checked_sum(parts),
            Some(row.reward),
            "round {} adds up",
            row.id
        );
        let credited = Amount::checked_sum(credits.iter().map(|credit| credit.amount));
        assert_eq!(credited, Some(row.credited), "credits of round {}", row.id);
    }
    rounds
}

/// There are no more rounds than the true time gave, at the shortest interval that operators choose, beside those that
/// they ordered and those of a clock that is off by less than is refused; and one a life, since what a life that crashed had closed may be due anew.
pub(crate) fn no_round_of_a_wrong_clock(store: &InlineStore, notes: &Notes, passed: Span, lives: u64) {
    let rounds = now(store.rounds(ALL)).rows.len() as u64;
    let most = passed.secs() + notes.off().secs() + notes.rounds_ordered() + lives;
    assert!(rounds <= most, "{rounds} rounds in {} s", passed.secs());
}

/// A block is in exactly one round if anything is booked for it, and else in none.
fn credited_once(store: &InlineStore, blocks: &[BlockRow], rounds: &[(RoundRow, Vec<CreditRow>)]) {
    let mut seen = BTreeSet::new();
    for hash in rounds.iter().flat_map(|(row, _)| &row.blocks) {
        assert!(seen.insert(*hash), "block {hash} was credited by two rounds");
    }
    for block in blocks {
        let is_booked = block.accounting != Accounting::None;
        assert_eq!(seen.contains(&block.hash), is_booked, "block {}", block.hash);
        let credits = now(store.block_credits(block.hash));
        assert_eq!(credits.is_some(), is_booked, "credits of block {}", block.hash);
        if let Some(credits) = credits {
            assert_eq!(
                parts_of(&credits),
                i128::from(block.reward.sats()),
                "block {}",
                block.hash
            );
        }
    }
    let stored: BTreeSet<HeaderHash> = blocks.iter().map(|block| block.hash).collect();
    assert!(seen.is_subset(&stored));
}

fn sats(amount: Amount) -> i128 {
    i128::from(amount.sats())
}

fn parts_of(credits: &BlockCredits) -> i128 {
    let miners: i128 = credits.credits.iter().map(|credit| sats(credit.amount)).sum();
    sats(credits.fee) + sats(credits.kept) + miners
}

/// Every account is what blocks and rounds say.
fn accounts(
    store: &InlineStore,
    blocks: &[BlockRow],
    rounds: &[(RoundRow, Vec<CreditRow>)],
    scheme: Scheme,
    source: Source,
) {
    let mut expected: BTreeMap<Account, i128> = BTreeMap::new();
    let mut add = |account: Account, sats: i128| *expected.entry(account).or_default() += sats;
    for block in blocks {
        let Some(credits) = now(store.block_credits(block.hash)) else {
            continue;
        };
        let reward = sats(block.reward);
        let (fee, reserve, balance) = match block.accounting {
            Accounting::None | Accounting::Reversed => continue,
            Accounting::Credited => (Account::FeeImmature, Account::ReserveImmature, Balance::Immature),
            Accounting::Matured | Accounting::ReversedMature => {
                (Account::Fee, Account::Reserve, Balance::Payable)
            }
        };
        // What was free to be paid stays with those who have it: the reserve bears a mature block's loss.
        let source = if block.accounting == Accounting::ReversedMature {
            Account::Reserve
        } else {
            Account::Chain
        };
        add(source, -reward);
        add(fee, sats(credits.fee));
        add(reserve, sats(credits.kept));
        for credit in &credits.credits {
            add(Account::Miner(credit.hotkey, balance), sats(credit.amount));
        }
    }
    for (row, credits) in rounds {
        let payer = match source {
            Source::Emission => {
                add(Account::Emission, -sats(row.reward));
                add(Account::Fee, sats(row.fee));
                add(Account::Reserve, sats(row.kept));
                true
            }
            Source::Blocks if scheme.pays_per_share() => {
                add(Account::Reserve, -sats(row.credited));
                true
            }
            Source::Blocks => false,
        };
        for credit in credits.iter().filter(|_| payer) {
            add(
                Account::Miner(credit.hotkey, Balance::Payable),
                sats(credit.amount),
            );
        }
    }
    for payout in store.payouts() {
        for (account, sats) in money::moved_by(&payout) {
            add(account, sats);
        }
    }
    expected.retain(|_, sats| *sats != 0);
    let balances = store.balances();
    let actual: BTreeMap<Account, i128> = balances
        .iter()
        .map(|(account, sats)| (account, i128::from(sats)))
        .collect();
    assert_eq!(actual, expected);
    assert_eq!(balances.sum(), 0);
    assert_eq!(now(store.totals()).ledger_sum, 0);
    for (account, sats) in balances.iter() {
        assert!(sats >= 0 || account.may_be_negative(), "{account} is below zero");
    }
}

/// Every credited block paid exactly the window that ends in the middle of its share.
fn windows(store: &InlineStore, blocks: &[BlockRow]) {
    let size = Units::from_raw(Units::ONE.raw() * 2);
    for block in blocks {
        let Some(credits) = now(store.block_credits(block.hash)) else {
            continue;
        };
        let window = Window::of_block(block.total_before, block.units, size).expect("it fits");
        let weights = now(store.weights_in_window(window, block.sequence));
        let rest = block.reward.checked_sub(credits.fee).expect("a fee is a part");
        assert_eq!(
            split(rest, &weights),
            credits.credits,
            "window of block {}",
            block.hash
        );
    }
}

/// In the end: every block is what the chain says, and is booked as what it is.
pub(crate) fn came_to_rest(store: &InlineStore, chain: &TestChain) {
    for block in store.found_blocks() {
        let (state, booked) = (block.state, block.accounting);
        let status = chain.status_of(block.hash);
        match status {
            BlockStatus::MainChain { .. } => {
                assert_eq!(
                    (state, booked),
                    (BlockState::Mature, Accounting::Matured),
                    "block {}",
                    block.hash
                );
            }
            BlockStatus::SideChain | BlockStatus::Unknown => {
                // One with a time that no node takes is refused.
                let is_refused = state == BlockState::Refused && status == BlockStatus::Unknown;
                assert!(
                    state == BlockState::Orphaned || is_refused,
                    "block {}",
                    block.hash
                );
                assert!(
                    !state.is_due(booked),
                    "block {} is booked as {booked}",
                    block.hash
                );
            }
        }
    }
    for hash in chain.submitted() {
        if let BlockStatus::MainChain { .. } = chain.status_of(hash) {
            let is_stored = store.found_blocks().iter().any(|block| block.hash == hash);
            let status = chain.status_of(hash);
            assert!(
                is_stored,
                "block {hash} of the pool is not in its ledger: {status:?}"
            );
        }
    }
    assert!(nothing_is_due(store));
}

/// Whether every block is booked as what it is, as far as the store knows, and none is on its way to be deep.
pub(crate) fn nothing_is_due(store: &InlineStore) -> bool {
    let on_its_way = |block: &BlockRow| {
        let settled = [BlockState::Mature, BlockState::Orphaned, BlockState::Refused];
        !settled.contains(&block.state)
    };
    now(store.blocks_to_account(u32::MAX)).is_empty() && !store.found_blocks().iter().any(on_its_way)
}
