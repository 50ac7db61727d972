//! Blocks on the chain that the ledger does not know, because whoever submitted them could not store them.

use std::collections::BTreeSet;

use dwarves_domain::work::coinbase::CoinbaseMark;
use dwarves_ports::chain::Chain as _;
use dwarves_ports::store::LedgerPosition;

use super::*;

/// A later life of a pool; with others that may still submit blocks, if it `goes_on`.
async fn second_life(goes_on: bool, faults: &[(u64, Fault)]) -> Bench {
    tokio::time::pause();
    let memory = InlineStore::fresh();
    let mark = CoinbaseMark {
        payout_script: template_row(1, 1, HeaderHash::from_bytes([0; 32])).payout_script,
        tag: "/test/".to_owned(),
    };
    let recovery = Recovery {
        store: Arc::new(memory.clone()),
        marks: BTreeSet::from([mark]),
        place: LedgerPosition {
            sequence: Sequence::new(0),
            total: Units::ZERO,
        },
        since: Timestamp::EPOCH,
        goes_on,
    };
    Bench::searching(TestChain::new(EASY_BITS), memory, faults, Some(recovery)).await
}

impl Bench {
    /// A block of the pool that comes to the chain, and that this front hears nothing of.
    async fn submitted_elsewhere(&self) -> HeaderHash {
        let job = self.job();
        let (_, proof) = mine(&job, 0, true);
        let bytes = job.template().block(&proof.header, job.extranonce());
        self.chain.submit(bytes).await.unwrap();
        assert_eq!(self.chain.tip().hash, proof.hash);
        proof.hash
    }
}

#[actix::test]
async fn a_block_that_one_submits_who_was_taken_over_is_found_whenever_it_comes() {
    // The commit of the first one fails, and is made again.
    let bench = second_life(true, &[(1, Fault::Refuse)]).await;
    bench.look().await;
    assert_eq!(bench.memory.found_blocks().len(), 0);
    bench.chain.others_find(3);
    bench.look().await;
    let late = bench.submitted_elsewhere().await;
    bench.look().await;
    bench.look().await;
    assert_eq!(bench.stored(late), Some((BlockState::Immature, 1)));
    let own = bench.find().await;
    let later = bench.submitted_elsewhere().await;
    bench.look().await;
    assert_eq!(bench.stored(later), Some((BlockState::Immature, 1)));
    assert_eq!(bench.stored(own), Some((BlockState::Immature, 2)));
    assert_eq!(bench.memory.found_blocks().len(), 3, "each once");
    // It is followed like any other.
    bench.chain.others_find(MATURITY);
    bench.look().await;
    assert_eq!(bench.stored(late).unwrap().0, BlockState::Mature);
}

#[actix::test]
async fn one_that_has_the_ledger_for_itself_searches_once() {
    let bench = second_life(false, &[]).await;
    bench.look().await;
    let late = bench.submitted_elsewhere().await;
    bench.look().await;
    assert_eq!(bench.stored(late), None);
}
