//! Found blocks.

use dwarves_domain::ids::ExtraNonce;
use dwarves_domain::units::Units;
use dwarves_domain::work::{ExtraNonce1, FullExtraNonce};

use super::Backend;
use super::fixtures::{
    append, at, became, block_share, booked_round, close_round, commit, found, furnished, hash, key, page,
    refused, sats, seq, share,
};
use dwarves_ports::store::{
    Accounting, BlockRow, BlockState, FoundBlock, LedgerPosition, ShareRow, SharedStore, StoreErrorKind,
    Write, Written,
};

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

/// Every state asks for its booking, oldest block first, and no more than are wanted.
pub async fn blocks_are_due_until_their_books_follow<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    let mut n = 0;
    let (mut round, mut expected) = (0, Vec::new());
    for state in BlockState::ALL {
        for accounting in Accounting::ALL {
            (n, round) = (n + 1, round + 1);
            let block = Write::AppendShares(vec![block_share(n, 1, 1, 100)]);
            let book = close_round(booked_round(round, accounting), &[(n, accounting)], 0);
            commit(&store, vec![block, became(n, state), book]).await;
            if state.is_due(accounting) {
                expected.push((hash(n), state, accounting));
            }
        }
    }
    // Immature 3, mature 4, orphaned 2, refused 2.
    assert_eq!(expected.len(), 11);
    let due = store.blocks_to_account(100).await.unwrap();
    let due: Vec<_> = due.iter().map(|b| (b.hash, b.state, b.accounting)).collect();
    assert_eq!(due, expected);
    let some = store.blocks_to_account(4).await.unwrap();
    let some: Vec<_> = some.iter().map(|b| (b.hash, b.state, b.accounting)).collect();
    assert_eq!(some, expected[..4]);
}

/// Undecided ones always, decided ones as long as a reorganisation may reach them.
pub async fn open_blocks_are_those_that_may_change<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    let blocks = [
        (1, 50, BlockState::Submitted),
        (2, 51, BlockState::Accepted),
        (3, 52, BlockState::Immature),
        (4, 94, BlockState::Mature),
        (5, 95, BlockState::Mature),
        (6, 94, BlockState::Orphaned),
        (7, 95, BlockState::Orphaned),
        (8, 105, BlockState::Refused),
    ];
    for (n, height, state) in blocks {
        append(&store, vec![block_share(n, 1, 1, height)]).await;
        commit(&store, vec![became(n, state)]).await;
    }
    let open = |depth| {
        let rows = store.open_blocks(depth);
        async {
            rows.await
                .unwrap()
                .iter()
                .map(|block| block.hash)
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(open(10).await, [1, 2, 3, 5, 7].map(hash));
    assert_eq!(open(11).await, [1, 2, 3, 4, 5, 6, 7].map(hash));
    assert_eq!(open(u32::MAX).await, [1, 2, 3, 4, 5, 6, 7].map(hash));
}

/// A block that never was one ends nobody's stretch; an orphan does.
pub async fn the_block_before_is_the_last_one_that_was_not_refused<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    append(&store, vec![block_share(1, 1, 1, 100), block_share(2, 1, 1, 101)]).await;
    append(&store, vec![block_share(3, 1, 1, 102), share(4, 1, 1)]).await;
    let before = |n| {
        let row = store.block_before(hash(n));
        async { row.await.unwrap().map(|block| block.hash) }
    };
    assert_eq!(before(1).await, None);
    assert_eq!(before(3).await, Some(hash(2)));
    commit(&store, vec![became(2, BlockState::Orphaned)]).await;
    assert_eq!(before(3).await, Some(hash(2)));
    commit(&store, vec![became(2, BlockState::Refused)]).await;
    assert_eq!(before(3).await, Some(hash(1)));
    assert_eq!(before(2).await, Some(hash(1)));
    assert_eq!(before(4).await, None, "that share is no block");
}

/// Pages join without gaps or repeats, and lists carry no bytes.
pub async fn blocks_are_read_newest_first_page_by_page<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    append(&store, (1..=5).map(|n| block_share(n, 1, 1, 100)).collect()).await;
    let (mut cursor, mut read) = (None, Vec::new());
    loop {
        let part = store.blocks(page(cursor, 2)).await.unwrap();
        assert!(part.rows.len() <= 2 && part.rows.iter().all(|block| block.bytes.is_empty()));
        read.extend(part.rows.iter().map(|block| block.hash));
        cursor = part.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(read, [5, 4, 3, 2, 1].map(hash));
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

fn record(n: u8, block: FoundBlock) -> Write {
    Write::RecordCandidate {
        hash: hash(n.into()),
        block,
        at: at(50),
    }
}

/// It has a place before anybody knows what becomes of its share; what was known of it stays.
pub async fn a_candidate_is_stored_once_and_never_changes_what_is_known<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    append(&store, vec![share(1, 1, 40)]).await;
    let known = |state, confirmations| Written::Candidate { state, confirmations };
    let submitted = known(BlockState::Submitted, 0);
    for _ in 0..2 {
        assert_eq!(
            commit(&store, vec![record(2, found(101, 2))]).await,
            std::slice::from_ref(&submitted)
        );
    }
    let expected = BlockRow {
        hash: hash(2),
        height: 101,
        reward: sats(1_000),
        finder: Some(key(2)),
        sequence: seq(1),
        total_before: Units::from_raw(40),
        units: Units::ZERO,
        found_at: at(50),
        state: BlockState::Submitted,
        confirmations: 0,
        accounting: Accounting::None,
        effort: Units::from_raw(40),
        bytes: Vec::new(),
    };
    assert_eq!(all(&store).await, [expected]);
    drop(store);
    let store = backend.open();
    assert_eq!(store.open_blocks(10).await.unwrap()[0].bytes, found(101, 2).bytes);
    // Its share counts after all, and tells its place.
    append(&store, vec![block_share(2, 1, 7, 101)]).await;
    let moved = all(&store).await.remove(0);
    assert_eq!((moved.sequence, moved.units), (seq(2), Units::from_raw(7)));
    assert_eq!(moved.finder, Some(key(1)), "its share tells whose work it is");
    for state in [BlockState::Refused, BlockState::Orphaned, BlockState::Mature] {
        commit(&store, vec![became(2, state)]).await;
        let before = all(&store).await;
        let written = commit(&store, vec![record(2, found(999, 1))]).await;
        assert_eq!(written, [known(state, before[0].confirmations)]);
        assert_eq!(all(&store).await, before);
    }
}

/// Whoever brings a block of another's work is not its finder; whose work it is may come later, and then pays under
/// `solo`. What is booked was paid to somebody.
pub async fn whose_work_a_block_is_can_be_learnt_until_it_is_booked<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    let unknown = |height| FoundBlock {
        finder: None,
        ..found(height, 1)
    };
    commit(&store, (1..=3).map(|n| record(n, unknown(101))).collect()).await;
    let finders = async || -> Vec<_> {
        let blocks = all(&store).await;
        blocks.into_iter().map(|block| block.finder).collect()
    };
    assert_eq!(finders().await, [None; 3]);
    commit(&store, vec![record(1, found(101, 2)), record(2, unknown(101))]).await;
    // The second by its share.
    append(&store, vec![block_share(2, 1, 7, 101)]).await;
    assert_eq!(finders().await, [Some(key(2)), Some(key(1)), None]);
    // What is known stays.
    commit(&store, vec![record(1, found(101, 3)), record(2, unknown(101))]).await;
    assert_eq!(finders().await, [Some(key(2)), Some(key(1)), None]);
    let booked = close_round(
        booked_round(1, Accounting::Credited),
        &[(3, Accounting::Credited)],
        0,
    );
    commit(&store, vec![became(3, BlockState::Immature), booked]).await;
    commit(&store, vec![record(3, found(101, 2))]).await;
    assert_eq!(finders().await[2], None);
}

/// Blocks that lost their race are many on an easy chain.
pub async fn bytes_that_nobody_will_submit_are_dropped<B: Backend>(backend: B) {
    let store = furnished(&backend).await;
    commit(&store, vec![record(1, found(101, 1)), record(2, found(101, 2))]).await;
    commit(&store, vec![Write::DropBlockBytes(vec![hash(1), hash(9)])]).await;
    let bytes: Vec<_> = store
        .open_blocks(10)
        .await
        .unwrap()
        .into_iter()
        .map(|row| row.bytes)
        .collect();
    assert_eq!(bytes, [Vec::new(), found(101, 2).bytes]);
}
