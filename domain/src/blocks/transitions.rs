//! What a block's state becomes when a synced chain says where it is.

use super::BlockState;

/// Where a block is, as a chain says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockStatus {
    /// The chain does not know it.
    Unknown,
    /// Known, but not on the best chain.
    SideChain,
    /// On the best chain, with this many confirmations (the tip has 1).
    MainChain {
        /// Blocks from this one to the tip, both included.
        confirmations: u32,
    },
}

/// What follows from the chain's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The block is in this state, with this many confirmations.
    Becomes(BlockState, u32),
    /// The chain does not know it, and is to be told.
    SubmitAgain,
    /// The chain does not know it, cannot be told, and should know it: it is deep.
    Missing,
}

/// What follows from `status` for a block that was in the state `old`. `is_refused`: its last submission was
/// refused. `has_bytes`: it can be submitted again.
///
/// | the chain says | then the block is |
/// |---|---|
/// | on the best chain, deep | mature |
/// | on the best chain | immature, or mature if it was |
/// | beside the best chain | orphaned |
/// | not known, and refused | refused |
/// | not known | submitted again; without bytes orphaned, or missing if it was mature |
pub fn verdict(
    old: BlockState,
    status: BlockStatus,
    maturity: u32,
    is_refused: bool,
    has_bytes: bool,
) -> Verdict {
    match status {
        BlockStatus::MainChain { confirmations } if confirmations >= maturity => {
            Verdict::Becomes(BlockState::Mature, confirmations)
        }
        BlockStatus::MainChain { confirmations } => {
            // A deep reorg may leave a mature block with fewer confirmations. It was judged spendable when it
            // was; what counts from then on is whether it is on the best chain.
            let state = if old == BlockState::Mature {
                BlockState::Mature
            } else {
                BlockState::Immature
            };
            Verdict::Becomes(state, confirmations)
        }
        // A block that was never on the best chain lost its race when it is still beside it at this look.
        BlockStatus::SideChain => Verdict::Becomes(BlockState::Orphaned, 0),
        BlockStatus::Unknown if is_refused => Verdict::Becomes(BlockState::Refused, 0),
        BlockStatus::Unknown if has_bytes => Verdict::SubmitAgain,
        // A chain that never saw it is not the chain that it became mature on: nothing is taken back by that.
        BlockStatus::Unknown if old == BlockState::Mature => Verdict::Missing,
        BlockStatus::Unknown => Verdict::Becomes(BlockState::Orphaned, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MATURITY: u32 = 10;

    fn main_chain(confirmations: u32) -> BlockStatus {
        BlockStatus::MainChain { confirmations }
    }

    fn next(old: BlockState, status: BlockStatus) -> Verdict {
        verdict(old, status, MATURITY, false, true)
    }

    #[test]
    fn a_block_matures_at_the_given_depth_and_not_before() {
        let next = |confirmations| next(BlockState::Accepted, main_chain(confirmations));
        assert_eq!(next(1), Verdict::Becomes(BlockState::Immature, 1));
        assert_eq!(next(9), Verdict::Becomes(BlockState::Immature, 9));
        assert_eq!(next(10), Verdict::Becomes(BlockState::Mature, 10));
    }

    #[test]
    fn a_block_beside_the_best_chain_is_orphaned_and_may_come_back() {
        let gone = next(BlockState::Immature, BlockStatus::SideChain);
        assert_eq!(gone, Verdict::Becomes(BlockState::Orphaned, 0));
        let back = next(BlockState::Orphaned, main_chain(2));
        assert_eq!(back, Verdict::Becomes(BlockState::Immature, 2));
        let shallow = next(BlockState::Mature, main_chain(2));
        assert_eq!(shallow, Verdict::Becomes(BlockState::Mature, 2));
    }

    #[test]
    fn a_block_that_the_chain_does_not_know_is_submitted_again_if_it_can_be() {
        let unknown = |old, has_bytes| verdict(old, BlockStatus::Unknown, MATURITY, false, has_bytes);
        for old in BlockState::ALL {
            assert_eq!(unknown(old, true), Verdict::SubmitAgain);
        }
        let orphaned = Verdict::Becomes(BlockState::Orphaned, 0);
        assert_eq!(unknown(BlockState::Immature, false), orphaned);
        assert_eq!(unknown(BlockState::Orphaned, false), orphaned);
        assert_eq!(unknown(BlockState::Mature, false), Verdict::Missing);
    }

    #[test]
    fn a_refusal_counts_only_if_the_chain_has_the_block_nowhere() {
        let refused = |status| verdict(BlockState::Submitted, status, MATURITY, true, true);
        assert_eq!(
            refused(BlockStatus::Unknown),
            Verdict::Becomes(BlockState::Refused, 0)
        );
        assert_eq!(refused(main_chain(1)), Verdict::Becomes(BlockState::Immature, 1));
        assert_eq!(
            refused(BlockStatus::SideChain),
            Verdict::Becomes(BlockState::Orphaned, 0)
        );
    }
}
