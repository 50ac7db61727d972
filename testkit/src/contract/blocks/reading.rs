//! Which blocks are due, open, the one before, and pages of them.

use dwarves_ports::store::{Accounting, BlockState, Write};

use crate::contract::Backend;
use crate::contract::fixtures::{
    append, became, block_share, booked_round, close_round, commit, furnished, hash, page, share,
};

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
