//! Candidates: stored before anybody judged them.

use dwarves_domain::units::Units;
use dwarves_ports::store::{Accounting, BlockRow, BlockState, FoundBlock, Write, Written};

use super::all;
use crate::contract::Backend;
use crate::contract::fixtures::{
    append, at, became, block_share, booked_round, close_round, commit, found, furnished, hash, key, sats,
    seq, share,
};

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
