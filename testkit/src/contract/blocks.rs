//! Found blocks.

use dwarves_domain::ids::ExtraNonce;
use dwarves_domain::units::Units;
use dwarves_domain::work::{ExtraNonce1, FullExtraNonce};
use dwarves_ports::store::{
    Accounting, BlockRow, BlockState, FoundBlock, LedgerPosition, ShareRow, SharedStore, StoreErrorKind,
    Write,
};

use super::Backend;
use super::fixtures::{
    append, at, became, block_share, booked_round, close_round, commit, found, furnished, hash, key, page,
    refused, sats, seq, share,
};

mod candidates;
mod reading;

pub use candidates::*;
pub use reading::*;

/// All blocks, oldest first, without their bytes.
async fn all(store: &SharedStore) -> Vec<BlockRow> {
    let mut rows = store.blocks(page(None, 100)).await.unwrap().rows;
    rows.reverse();
    rows
}

/// Their places are the running totals around their shares; effort is the work since the block before.
pub async fn a_share_that_is_a_block_is_stored_with_its_place_and_effort<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    append(
        &store,
        vec![share(1, 1, 40), block_share(2, 2, 5, 101), share(3, 1, 10)],
    )
    .await;
    append(&store, vec![block_share(4, 1, 7, 102), block_share(5, 1, 1, 103)]).await;
    drop(store);
    let store = backend.open();
    let blocks = all(&store).await;
    let expected = BlockRow {
        hash: hash(2),
        height: 101,
        reward: sats(1_000),
        finder: Some(key(1)),
        sequence: seq(2),
        total_before: Units::from_raw(40),
        units: Units::from_raw(5),
        found_at: at(2),
        state: BlockState::Submitted,
        confirmations: 0,
        accounting: Accounting::None,
        effort: Units::from_raw(45),
        bytes: Vec::new(),
    };
    assert_eq!(blocks[0], expected);
    let efforts: Vec<u128> = blocks.iter().map(|block| block.effort.raw()).collect();
    assert_eq!(efforts, [45, 17, 1]);
    let totals = store.totals().await.unwrap();
    assert_eq!(
        (totals.blocks, totals.units_to_last_block),
        (3, Units::from_raw(63))
    );
    commit(
        &store,
        vec![became(5, BlockState::Orphaned), became(2, BlockState::Refused)],
    )
    .await;
    let totals = store.totals().await.unwrap();
    assert_eq!(
        (totals.blocks, totals.units_to_last_block),
        (1, Units::from_raw(62))
    );
}

/// The chain's word is kept; the bytes are needed only until the block is deep.
pub async fn a_block_state_is_kept_and_a_mature_block_loses_its_bytes<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    append(&store, vec![block_share(1, 1, 5, 101)]).await;
    let submitted = store.open_blocks(10).await.unwrap();
    assert_eq!(submitted[0].bytes, found(101, 1).bytes);
    let immature = Write::SetBlockState {
        hash: hash(1),
        state: BlockState::Immature,
        confirmations: 3,
        at: at(100),
        // It is stored: this changes nothing of it.
        block: Some(found(999, 2)),
    };
    commit(&store, vec![immature.clone(), immature]).await;
    drop(store);
    let store = backend.open();
    let block = store.open_blocks(10).await.unwrap().remove(0);
    assert_eq!((block.state, block.confirmations), (BlockState::Immature, 3));
    assert_eq!(
        (block.height, block.found_at, block.finder),
        (101, at(1), Some(key(1)))
    );
    assert_eq!(block.bytes, found(101, 1).bytes);
    commit(&store, vec![became(1, BlockState::Mature)]).await;
    let block = store.open_blocks(10).await.unwrap().remove(0);
    assert_eq!((block.state, block.bytes), (BlockState::Mature, Vec::new()));
}

/// A block whose share was lost is still followed; nothing is known of one that nobody describes.
pub async fn a_block_without_its_share_is_added_at_the_ledgers_end<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    append(&store, vec![share(1, 1, 40)]).await;
    let lost = vec![became(7, BlockState::Accepted)];
    assert_eq!(refused(&store, lost).await, StoreErrorKind::Conflict);
    let described = Write::SetBlockState {
        hash: hash(7),
        state: BlockState::Accepted,
        confirmations: 0,
        at: at(50),
        block: Some(found(107, 2)),
    };
    commit(&store, vec![described]).await;
    let block = store.open_blocks(0).await.unwrap().remove(0);
    assert_eq!(
        (block.sequence, block.total_before),
        (seq(1), Units::from_raw(40))
    );
    assert_eq!((block.units, block.effort), (Units::ZERO, Units::from_raw(40)));
    assert_eq!(
        (block.finder, block.found_at, block.height),
        (Some(key(2)), at(50), 107)
    );
    assert_eq!(block.bytes, found(107, 2).bytes);
}

/// The chain may answer before the share's commit is done. What is booked already is not moved.
pub async fn a_block_that_was_quicker_than_its_share_moves_to_its_place<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    append(&store, vec![share(1, 1, 40)]).await;
    let told = |n| Write::SetBlockState {
        hash: hash(n),
        state: BlockState::Immature,
        confirmations: 1,
        at: at(50),
        block: Some(found(101, 1)),
    };
    commit(&store, vec![told(3), told(5)]).await;
    let book = close_round(
        booked_round(1, Accounting::Credited),
        &[(5, Accounting::Credited)],
        1,
    );
    commit(&store, vec![book]).await;
    let shares = vec![
        share(2, 1, 2),
        block_share(3, 1, 8, 101),
        share(4, 1, 1),
        block_share(5, 1, 9, 101),
    ];
    append(&store, shares).await;
    let blocks = all(&store).await;
    assert_eq!(blocks.len(), 2);
    let place = |block: &BlockRow| (block.sequence.get(), block.total_before.raw(), block.units.raw());
    assert_eq!(place(&blocks[0]), (3, 42, 8));
    assert_eq!(
        (blocks[0].state, blocks[0].effort),
        (BlockState::Immature, Units::from_raw(10))
    );
    assert_eq!(place(&blocks[1]), (1, 40, 0), "it was split by this place");
}

/// It is credited like others, at the place where the ledger ended when its share was lost.
pub async fn a_recovered_block_takes_its_place_and_is_due_once<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    append(&store, vec![share(1, 1, 40), share(2, 2, 5), share(3, 1, 9)]).await;
    let recover = |n, sequence, total| Write::RecoverBlock {
        hash: hash(n),
        block: FoundBlock {
            bytes: Vec::new(),
            finder: None,
            ..found(103, 1)
        },
        place: LedgerPosition {
            sequence: seq(sequence),
            total: Units::from_raw(total),
        },
        found_at: at(2),
    };
    let too_far = recover(9, 4, 60);
    assert_eq!(refused(&store, vec![too_far]).await, StoreErrorKind::Conflict);
    commit(&store, vec![recover(9, 2, 45), recover(9, 3, 54)]).await;
    drop(store);
    let store = backend.open();
    let block = store.block(hash(9)).await.unwrap().unwrap();
    assert_eq!(
        (block.sequence, block.total_before, block.units),
        (seq(2), Units::from_raw(45), Units::ZERO)
    );
    assert_eq!(
        (block.state, block.accounting, block.finder),
        (BlockState::Immature, Accounting::None, None)
    );
    assert_eq!((block.found_at, block.effort), (at(2), Units::from_raw(45)));
    assert_eq!(
        store.blocks_to_account(9).await.unwrap(),
        std::slice::from_ref(&block)
    );
    assert_eq!(store.open_blocks(9).await.unwrap(), [block]);
    // One that the chain refused and has after all.
    append(&store, vec![block_share(4, 1, 1, 104)]).await;
    commit(&store, vec![became(4, BlockState::Refused)]).await;
    assert_eq!(store.open_blocks(9).await.unwrap().len(), 1);
    commit(&store, vec![recover(4, 2, 45)]).await;
    let back = store.block(hash(4)).await.unwrap().unwrap();
    assert_eq!(
        (back.state, back.sequence, back.finder),
        (BlockState::Immature, seq(4), Some(key(1)))
    );
    assert_eq!(store.block(hash(77)).await.unwrap(), None);
}

/// A job's extranonce is one worker's, and so are all of a session's.
pub async fn the_owner_of_an_extranonce_is_who_sent_a_share_with_it<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    append(&store, vec![share(1, 1, 1), share(2, 2, 1), share(3, 3, 1)]).await;
    let owner = |n: u64| store.owner_of(ExtraNonce::new(n << 32 | 7));
    assert_eq!(owner(1).await.unwrap(), Some(key(1)));
    assert_eq!(owner(2).await.unwrap(), Some(key(2)));
    assert_eq!(owner(9).await.unwrap(), None);
    // A session's is its first four bytes, whatever its miner rolled.
    let session = ExtraNonce1::numbered(5);
    let rolled = |bytes: [u8; 8]| FullExtraNonce::rolled(session, &bytes).unwrap();
    let of_session = ShareRow {
        extranonce: rolled([0xff, 0, 0, 0, 1, 2, 3, 4]),
        ..share(4, 2, 1)
    };
    append(&store, vec![of_session]).await;
    for sent_or_not in [[0xff, 0, 0, 0, 1, 2, 3, 4], [0; 8], [0xff; 8]] {
        let found = store.owner_of(rolled(sent_or_not).head()).await;
        assert_eq!(found.unwrap(), Some(key(2)));
    }
    let other = ExtraNonce1::numbered(6).of_jobs();
    assert_eq!(store.owner_of(other).await.unwrap(), None);
}
