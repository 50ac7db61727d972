use std::sync::Arc;

use dwarves_domain::work::Job;

use super::*;
use crate::ask::Outbox;
use crate::live_work::LiveWork;
use crate::spans::heard::{Heard, of_span};
use dwarves_domain::ids::{NoticeId, Sequence};
use dwarves_domain::units::Units;
use dwarves_ports::store::{Accounting, Store};
use dwarves_store_sqlite::InlineStore;
use dwarves_testkit::build::{
    self, BEGIN, COINBASE_SATS, EASY_BITS, hotkey, job, mine, template_of, template_row,
};
use dwarves_testkit::chain::Submissions;
use dwarves_testkit::faulty_store::{Fault, FaultPlan, FaultyStore};
use dwarves_testkit::{ManualClock, RecordingHalt, TestChain, settle};

mod finders;
mod recovering;
mod submitting;

const MATURITY: u32 = 10;
const FORGET_AFTER: u32 = 20;

struct Bench {
    chain: TestChain,
    memory: InlineStore,
    tracker: Addr<BlockTracker>,
}

impl Bench {
    async fn new() -> Self {
        tokio::time::pause();
        Self::on(TestChain::new(EASY_BITS), InlineStore::fresh(), &[]).await
    }

    async fn on(chain: TestChain, memory: InlineStore, faults: &[(u64, Fault)]) -> Self {
        Self::searching(chain, memory, faults, None).await
    }

    /// One that searches the chain for lost blocks.
    async fn searching(
        chain: TestChain,
        memory: InlineStore,
        faults: &[(u64, Fault)],
        recovery: Option<Recovery>,
    ) -> Self {
        let plan = FaultPlan {
            at: faults.to_vec(),
            disk_full: None,
        };
        let ledger = crate::testing::ledger(
            Arc::new(FaultyStore::new(Arc::new(memory.clone()), plan)),
            &RecordingHalt::default(),
            (Sequence::new(0), Units::ZERO),
        );
        let tracker = BlockTracker::new(BlockTrackerParts {
            chain: Arc::new(chain.clone()),
            ledger: Port::new(&ledger),
            clock: Arc::new(ManualClock::at(BEGIN)),
            maturity: MATURITY,
            forget_after: FORGET_AFTER,
            open: memory.open_blocks(FORGET_AFTER).await.unwrap(),
            recovery,
            store: Arc::new(memory.clone()),
            candidates_max: 4,
        })
        .start();
        settle().await;
        Self {
            chain,
            memory,
            tracker,
        }
    }

    async fn restarted(self) -> Self {
        Self::on(self.chain, self.memory, &[]).await
    }

    /// A job on the chain's tip.
    fn job(&self) -> Arc<Job> {
        let tip = self.chain.tip();
        let template = template_of(&template_row(1, tip.height + 1, tip.hash));
        job(&template, 1, hotkey(1), 0)
    }

    /// Tells of a block and gives its hash.
    async fn find(&self) -> HeaderHash {
        let job = self.job();
        let (_, proof) = mine(&job, 0, true);
        self.tell_found(&job, proof).await;
        proof.hash
    }

    async fn tell_found(&self, job: &Job, proof: dwarves_domain::share::Proof) {
        let found = BlockFound {
            hash: proof.hash,
            block: FoundBlock {
                height: job.template().chain().height,
                reward: build::sats(COINBASE_SATS),
                finder: Some(hotkey(1)),
                bytes: job.template().block(&proof.header, job.extranonce()),
            },
            at: BEGIN,
        };
        Outbox::new(&self.tracker).tell(found).unwrap();
        settle().await;
    }

    async fn look(&self) {
        Outbox::new(&self.tracker).tell(LookAtBlocks).unwrap();
        settle().await;
    }

    /// The block's state and confirmations as stored.
    fn stored(&self, hash: HeaderHash) -> Option<(BlockState, u32)> {
        let blocks = self.memory.found_blocks();
        let block = blocks.iter().find(|block| block.hash == hash)?;
        assert_eq!(block.accounting, Accounting::None, "the tracker books nothing");
        Some((block.state, block.confirmations))
    }
}

#[actix::test]
async fn a_found_block_is_submitted_and_followed_until_it_is_mature() {
    let bench = Bench::new().await;
    let hash = bench.find().await;
    assert_eq!(bench.chain.tip().hash, hash);
    assert_eq!(bench.stored(hash), Some((BlockState::Immature, 1)));
    bench.chain.others_find(MATURITY - 2);
    bench.look().await;
    assert_eq!(bench.stored(hash), Some((BlockState::Immature, MATURITY - 1)));
    bench.chain.others_find(1);
    bench.look().await;
    assert_eq!(bench.stored(hash), Some((BlockState::Mature, MATURITY)));
    assert_eq!(bench.chain.submitted(), [hash], "submitted once");
    // Once it is deep it is not looked at any more.
    bench.chain.others_find(FORGET_AFTER);
    bench.look().await;
    let deep = bench.stored(hash);
    assert_eq!(deep, Some((BlockState::Mature, MATURITY + FORGET_AFTER)));
    bench.chain.others_find(1);
    bench.look().await;
    assert_eq!(bench.stored(hash), deep);
}

#[actix::test]
async fn news_of_a_new_tip_are_a_reason_to_look_and_so_is_time() {
    let bench = Bench::new().await;
    let hash = bench.find().await;
    bench.chain.others_find(1);
    let news = WorkChanged(Arc::new(LiveWork::none()));
    Outbox::new(&bench.tracker).tell(news).unwrap();
    settle().await;
    assert_eq!(bench.stored(hash), Some((BlockState::Immature, 2)));
    bench.chain.others_find(1);
    tokio::time::sleep(LOOK_EVERY.to_std()).await;
    settle().await;
    assert_eq!(bench.stored(hash), Some((BlockState::Immature, 3)));
}

#[actix::test]
async fn whether_the_chain_is_synced_is_asked_with_and_without_blocks() {
    let bench = Bench::new().await;
    for has_block in [false, true] {
        if has_block {
            bench.find().await;
        }
        for (is_down, is_synced, expected) in [
            (false, true, Some(true)),
            (false, false, Some(false)),
            (true, true, None),
            (false, true, Some(true)),
        ] {
            bench.chain.set_down(is_down);
            bench.chain.set_synced(is_synced);
            bench.look().await;
            let view = Port::<ReadBlocks>::new(&bench.tracker);
            let view = view
                .ask(ReadBlocks, std::time::Duration::from_secs(1))
                .await
                .unwrap();
            assert_eq!(view.is_synced, expected, "{has_block} {is_down} {is_synced}");
        }
    }
}

#[actix::test]
async fn a_block_that_lost_its_race_is_accepted_then_orphaned_and_may_win_after_all() {
    let bench = Bench::new().await;
    let job = bench.job();
    let (_, proof) = mine(&job, 0, true);
    bench.chain.others_find(1);
    bench.tell_found(&job, proof).await;
    assert_eq!(bench.stored(proof.hash), Some((BlockState::Accepted, 0)));
    bench.look().await;
    assert_eq!(bench.stored(proof.hash), Some((BlockState::Orphaned, 0)));
    bench.chain.bring_back(proof.hash);
    bench.look().await;
    assert_eq!(bench.stored(proof.hash), Some((BlockState::Immature, 2)));
}

#[actix::test]
async fn a_block_that_is_replaced_is_orphaned_and_comes_back() {
    let bench = Bench::new().await;
    let hash = bench.find().await;
    bench.chain.reorganise(1);
    bench.look().await;
    assert_eq!(bench.stored(hash), Some((BlockState::Orphaned, 0)));
    let bench = bench.restarted().await;
    bench.chain.bring_back(hash);
    bench.look().await;
    assert_eq!(bench.stored(hash), Some((BlockState::Immature, 3)));
}

#[actix::test]
async fn a_state_that_could_not_be_noted_is_noted_at_the_next_look() {
    tokio::time::pause();
    let faults = [(1, Fault::Refuse)];
    let bench = Bench::on(TestChain::new(EASY_BITS), InlineStore::fresh(), &faults).await;
    let hash = bench.find().await;
    assert_eq!(bench.stored(hash), None);
    bench.look().await;
    bench.look().await;
    assert_eq!(bench.stored(hash), Some((BlockState::Immature, 1)));
}

#[actix::test]
async fn deep_orphans_are_forgotten() {
    let bench = Bench::new().await;
    let hash = bench.find().await;
    bench.chain.reorganise(1);
    bench.look().await;
    bench.chain.others_find(FORGET_AFTER);
    bench.look().await;
    // It is forgotten: that it comes back is not noticed.
    bench.chain.bring_back(hash);
    bench.look().await;
    assert_eq!(bench.stored(hash), Some((BlockState::Orphaned, 0)));
}

impl Bench {
    async fn view(&self) -> BlocksView {
        let port = Port::new(&self.tracker);
        port.ask(ReadBlocks, Duration::from_secs(5)).await.unwrap()
    }

    /// Blocks of one job, as many as are wanted.
    fn blocks_of(&self, job: &Job, count: usize) -> Vec<dwarves_domain::share::Proof> {
        let mut from = 0;
        let mut found = Vec::new();
        while found.len() < count {
            let (nonce, proof) = mine(job, from, true);
            from = nonce + 1;
            found.push(proof);
        }
        found
    }

    async fn take(&self, job: &Job, proof: &dwarves_domain::share::Proof) -> CandidateReply {
        self.take_of(job, proof, Some(hotkey(1))).await
    }

    fn take_of(
        &self,
        job: &Job,
        proof: &dwarves_domain::share::Proof,
        finder: Option<Hotkey>,
    ) -> impl Future<Output = CandidateReply> + 'static {
        let chain = job.template().chain();
        let take = messages::TakeCandidate {
            hash: proof.hash,
            header: proof.header,
            extranonce: proof.extranonce,
            template: job.template().id(),
            bytes: Some(job.template().block(&proof.header, proof.extranonce)),
            height: chain.height,
            reward: chain.coinbase_value,
            finder,
            is_doubtful: false,
            at: BEGIN,
        };
        let port = Port::new(&self.tracker);
        async move { port.ask(take, Duration::from_secs(30)).await.unwrap() }
    }
}

/// Where blocks are as easy as shares, one miner makes thousands of one height.
#[actix::test]
async fn of_a_flood_of_blocks_so_many_of_a_height_are_kept_the_first_wins_and_the_others_are_settled() {
    let bench = Bench::new().await;
    bench.chain.set_submissions(Submissions::LostBefore);
    let job = bench.job();
    let flood = bench.blocks_of(&job, 30);
    for (n, proof) in flood.iter().enumerate() {
        let expected = if n < 4 {
            CandidateReply::Taken
        } else {
            CandidateReply::Crowded
        };
        assert_eq!(bench.take(&job, proof).await, expected, "{n}");
    }
    settle().await;
    assert_eq!(bench.memory.found_blocks().len(), 4);
    let view = bench.view().await;
    assert_eq!((view.left_out, view.followed), (26, 4));
    assert!(
        view.troubles
            .iter()
            .any(|trouble| trouble.starts_with("easy_blocks")),
        "{:?}",
        view.troubles
    );
    bench.chain.set_submissions(Submissions::Arrive);
    bench.look().await;
    bench.look().await;
    let hashes: Vec<HeaderHash> = flood.iter().map(|proof| proof.hash).collect();
    assert_eq!(bench.chain.tip().hash, hashes[0], "the first goes first");
    assert_eq!(
        bench.chain.submitted(),
        hashes[..4],
        "its siblings after it, each once"
    );
    bench.chain.others_find(2);
    bench.look().await;
    bench.look().await;
    assert_eq!(bench.stored(hashes[0]), Some((BlockState::Immature, 3)));
    let told = bench.memory.notices_after(NoticeId::new(0), 100).await.unwrap();
    let is_told = |hash: &HeaderHash| told.iter().any(|row| row.key == format!("block/{hash}/orphaned"));
    assert!(!is_told(&hashes[0]));
    for hash in &hashes[1..4] {
        assert_eq!(bench.stored(*hash), Some((BlockState::Orphaned, 0)));
        assert!(is_told(hash), "also where the winner is the pool's own");
    }
    // What is kept of the height stays bounded, also now that it is decided.
    for proof in &flood[4..] {
        assert_eq!(bench.take(&job, proof).await, CandidateReply::Crowded);
    }
    assert_eq!(bench.memory.found_blocks().len(), 4);
    assert_eq!(bench.chain.submitted().len(), 4);
}

#[actix::test]
async fn blocks_of_an_earlier_flood_that_nobody_submitted_are_settled_once_their_height_is_deep() {
    let bench = Bench::new().await;
    bench.chain.set_submissions(Submissions::LostBefore);
    let job = bench.job();
    let flood = bench.blocks_of(&job, 4);
    for proof in &flood {
        bench.take(&job, proof).await;
    }
    bench.chain.others_find(8);
    let bench = bench.restarted().await;
    bench.look().await;
    for proof in &flood[1..] {
        assert_eq!(bench.stored(proof.hash), Some((BlockState::Orphaned, 0)));
    }
    assert_eq!(
        bench.stored(flood[0].hash).unwrap().0,
        BlockState::Submitted,
        "the first still goes"
    );
    bench.chain.set_submissions(Submissions::Arrive);
    bench.look().await;
    bench.look().await;
    assert_eq!(bench.stored(flood[0].hash), Some((BlockState::Orphaned, 0)));
    assert_eq!(bench.view().await.waiting, 0);
}

/// What the log says of a block says which one it is, whoever was asked about it.
#[actix::test]
async fn what_is_said_of_a_block_is_within_its_span() {
    let heard = Heard::from_now_on(Level::INFO);
    let bench = Bench::new().await;
    let hash = bench.find().await;
    bench.chain.others_find(MATURITY);
    bench.look().await;
    let lines = heard.about(&hash.to_string());
    for said in ["block found", "block accepted", "state=immature", "state=mature"] {
        let is_it =
            |line: &&serde_json::Value| line["message"].as_str().is_some_and(|line| line.contains(said));
        assert_eq!(lines.iter().filter(is_it).count(), 1, "{said}");
    }
    for line in &lines {
        assert_eq!(of_span(line, "block", "block"), &hash.to_string(), "{line}");
        assert_eq!(line["spans"].as_array().map(Vec::len), Some(1), "{line}");
    }
}
