//! Submitting blocks, also when answers get lost and after a restart.

use super::*;

#[actix::test]
async fn a_refused_block_is_noted_and_left_alone() {
    let bench = Bench::new().await;
    let job = bench.job();
    // A share that is no block in the chain's eyes.
    let (_, proof) = mine(&job, 0, false);
    bench.tell_found(&job, proof).await;
    assert_eq!(bench.stored(proof.hash), Some((BlockState::Refused, 0)));
    bench.look().await;
    assert_eq!(bench.chain.submitted().len(), 1);
}

/// Two of them, while the ledger cannot note that: neither is submitted because the other was refused.
#[actix::test]
async fn refused_blocks_are_left_alone_also_while_that_can_not_be_noted() {
    tokio::time::pause();
    let faults: Vec<_> = (3..40).map(|commit| (commit, Fault::Refuse)).collect();
    let bench = Bench::on(TestChain::new(EASY_BITS), InlineStore::fresh(), &faults).await;
    let job = bench.job();
    let (nonce, first) = mine(&job, 0, false);
    let (_, second) = mine(&job, nonce + 1, false);
    for proof in [first, second] {
        bench.tell_found(&job, proof).await;
    }
    for _ in 0..10 {
        bench.look().await;
    }
    assert_eq!(bench.chain.submitted(), [first.hash, second.hash]);
    for _ in 0..40 {
        bench.look().await;
    }
    for proof in [first, second] {
        assert_eq!(bench.stored(proof.hash), Some((BlockState::Refused, 0)));
    }
    assert_eq!(bench.chain.submitted(), [first.hash, second.hash]);
}

#[actix::test]
async fn a_lost_submission_is_repeated_until_the_chain_answers() {
    let bench = Bench::new().await;
    bench.chain.set_submissions(Submissions::LostBefore);
    let hash = bench.find().await;
    // It is in the ledger already, so that a restart goes on with it.
    assert_eq!(bench.stored(hash), Some((BlockState::Submitted, 0)));
    bench.look().await;
    assert_eq!(bench.chain.submitted(), []);
    bench.chain.set_submissions(Submissions::Arrive);
    bench.look().await;
    assert_eq!(bench.stored(hash), Some((BlockState::Immature, 1)));
}

#[actix::test]
async fn a_submission_whose_answer_was_lost_is_found_out() {
    let bench = Bench::new().await;
    bench.chain.set_submissions(Submissions::LostAfter);
    let hash = bench.find().await;
    assert_eq!(bench.stored(hash), Some((BlockState::Submitted, 0)));
    bench.chain.set_submissions(Submissions::Arrive);
    bench.look().await;
    assert_eq!(bench.stored(hash), Some((BlockState::Immature, 1)));
    assert_eq!(bench.chain.submitted().len(), 2);
}

#[actix::test]
async fn a_block_that_was_stored_and_never_submitted_is_submitted_after_a_restart() {
    let bench = Bench::new().await;
    bench.chain.set_submissions(Submissions::LostBefore);
    let hash = bench.find().await;
    assert_eq!(bench.chain.submitted(), []);
    bench.chain.set_submissions(Submissions::Arrive);
    let bench = bench.restarted().await;
    assert_eq!(bench.stored(hash), Some((BlockState::Immature, 1)));
}

#[actix::test]
async fn a_block_that_the_chain_forgot_is_submitted_again() {
    let bench = Bench::new().await;
    let hash = bench.find().await;
    bench.chain.reorganise(1);
    bench.chain.forget(hash);
    bench.look().await;
    assert_eq!(bench.chain.submitted(), [hash, hash]);
    bench.look().await;
    assert_eq!(bench.stored(hash), Some((BlockState::Orphaned, 0)));
}

#[actix::test]
async fn a_deep_block_that_the_chain_does_not_know_stays_as_it_is() {
    let bench = Bench::new().await;
    let hash = bench.find().await;
    bench.chain.others_find(MATURITY);
    bench.look().await;
    let mature = bench.stored(hash);
    assert_eq!(mature, Some((BlockState::Mature, MATURITY + 1)));
    // The store drops a mature block's bytes, so the next life cannot submit it.
    let bench = bench.restarted().await;
    let elsewhere = Bench::on(TestChain::new(EASY_BITS), bench.memory.clone(), &[]).await;
    elsewhere.look().await;
    assert_eq!(elsewhere.chain.submitted(), []);
    assert_eq!(elsewhere.stored(hash), mature);
}

#[actix::test]
async fn telling_of_a_block_again_does_not_take_back_what_is_known_of_it() {
    let bench = Bench::new().await;
    let job = bench.job();
    let (_, proof) = mine(&job, 0, true);
    bench.tell_found(&job, proof).await;
    bench.chain.others_find(2);
    // Its share could not be stored, and the miner sent it again.
    bench.tell_found(&job, proof).await;
    assert_eq!(bench.chain.submitted().len(), 1);
    bench.look().await;
    assert_eq!(bench.stored(proof.hash), Some((BlockState::Immature, 3)));
}
