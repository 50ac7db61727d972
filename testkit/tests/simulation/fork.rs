//! The pool's node on a branch that the others do not follow: first unseen, then known as a minority, then back.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use dwarves_domain::chain_guard::Verdict;
use dwarves_domain::ids::HeaderHash;
use dwarves_ports::chain::Standing;
use dwarves_testkit::{TestChain, TestWallet};

use crate::chaos::Chaos;

/// Blocks that a branch may have before the node comes back: less than after which a block is forgotten.
const BRANCH_MAX: u32 = 15;
/// How long the pool may take to let go of its work and its money once the verdict is there.
const LETS_GO_IN: Duration = Duration::from_secs(3);

/// Where the node left the chain of the others, while it is away from it; it outlives the pool's lives.
#[derive(Clone, Default)]
pub(crate) struct Fork(Rc<Cell<Option<HeaderHash>>>);

impl Fork {
    /// Whether the node is away from the others.
    pub(crate) fn is_on(&self) -> bool {
        self.0.get().is_some()
    }

    /// The node follows the others again, whose chain has grown.
    pub(crate) fn end(&self, chain: &TestChain, wallet: &TestWallet) {
        if let Some(left) = self.0.take() {
            chain.bring_back(left);
            wallet.reorganise(2, false);
            wallet.mine(3);
        }
        chain.set_standing(Standing::trusted());
    }
}

fn minority() -> Standing {
    Standing {
        verdict: Verdict::Minority,
        trouble: Some("the node is on a minority branch".to_owned()),
        holds_payouts: Some("this chain is not the one that is meant".to_owned()),
        ..Standing::trusted()
    }
}

impl Chaos {
    /// The node leaves the chain of the others a few blocks back, and follows a branch that is longer for it alone. What was
    /// done before it was seen is known to be done by then if everything `is_prompt`.
    pub(crate) async fn node_forks(&mut self, is_prompt: impl Fn() -> bool) {
        let left = self.chain.tip();
        self.fork.0.set(Some(left.hash));
        let depth = 1 + self.prng.below(8) as u32;
        self.reorganise_both(depth, false);
        self.event(&format!("node forks depth={depth}"));
        let root = left.height - depth;
        let is_long = |chain: &TestChain| chain.tip().height >= root + BRANCH_MAX;
        // Nobody sees it at once: the pool works on the branch, and finds blocks there.
        for _ in 0..self.prng.below(12) {
            if is_long(&self.chain) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        self.chain.set_standing(minority());
        self.event("node is on a minority branch");
        tokio::time::sleep(LETS_GO_IN).await;
        let was_prompt = is_prompt();
        let counted = self.memory.shares().len();
        let sent = self.wallet.ever_sent();
        for _ in 0..self.prng.below(8) {
            if !is_long(&self.chain) && self.prng.chance(30) {
                self.chain.others_find(1);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        if was_prompt && is_prompt() {
            // After a restore the names of lost jobs are given again, also to work that is not given out; and here, where
            // every hash is a share, what is sent under such a name is one.
            if !self.notes.was_restored() {
                assert_eq!(self.memory.shares().len(), counted, "work counted on a minority");
            }
            assert_eq!(self.wallet.ever_sent(), sent, "money left on a minority");
            self.event("nothing came of the minority branch");
        }
        self.fork.end(&self.chain, &self.wallet);
        self.event("node follows the others again");
    }
}
