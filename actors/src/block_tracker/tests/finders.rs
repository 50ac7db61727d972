//! Who hears when that a block is stored, if somebody else was quicker to bring it.

use super::*;

impl Bench {
    /// The finder as stored.
    fn finder(&self) -> Option<Hotkey> {
        self.memory.found_blocks()[0].finder
    }
}

/// Somebody else was quicker to bring it. Whose work it is decides who is paid where finders are, so the finder hears that it
/// is stored once that is.
#[actix::test]
async fn a_finder_is_told_of_its_block_once_it_is_stored_as_its_own() {
    tokio::time::pause();
    let chain = TestChain::new(EASY_BITS);
    chain.set_submissions(Submissions::LostBefore);
    // The second commit is the one that says whose work it is.
    let bench = Bench::on(chain, InlineStore::fresh(), &[(2, Fault::Refuse)]).await;
    let job = bench.job();
    let proof = bench.blocks_of(&job, 1).remove(0);
    assert_eq!(bench.take_of(&job, &proof, None).await, CandidateReply::Taken);
    assert_eq!(bench.finder(), None);
    let told = actix::spawn(bench.take_of(&job, &proof, Some(hotkey(1))));
    let again = actix::spawn(bench.take_of(&job, &proof, Some(hotkey(1))));
    settle().await;
    assert_eq!(
        (bench.finder(), told.is_finished(), again.is_finished()),
        (None, false, false)
    );
    bench.look().await;
    assert_eq!(bench.finder(), Some(hotkey(1)));
    assert_eq!(told.await.unwrap(), CandidateReply::Taken);
    assert_eq!(again.await.unwrap(), CandidateReply::Taken);
}

/// Both come before anything of it is stored.
#[actix::test]
async fn a_finder_who_comes_while_its_block_is_being_stored_is_told_with_the_next_note() {
    tokio::time::pause();
    let chain = TestChain::new(EASY_BITS);
    chain.set_submissions(Submissions::LostBefore);
    let bench = Bench::on(chain, InlineStore::fresh(), &[(2, Fault::Refuse)]).await;
    let job = bench.job();
    let proof = bench.blocks_of(&job, 1).remove(0);
    let first = actix::spawn(bench.take_of(&job, &proof, None));
    let told = actix::spawn(bench.take_of(&job, &proof, Some(hotkey(1))));
    settle().await;
    assert_eq!((bench.finder(), told.is_finished()), (None, false));
    bench.look().await;
    assert_eq!(bench.finder(), Some(hotkey(1)));
    assert_eq!(first.await.unwrap(), CandidateReply::Taken);
    assert_eq!(told.await.unwrap(), CandidateReply::Taken);
}
