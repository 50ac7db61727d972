//! What a block's state becomes when the chain says where it is.

use crate::chain::BlockStatus;
use crate::store::BlockState;

/// The state and confirmations that follow from `status`; `None` if the chain does not know the block, which
/// then must be submitted again.
pub(super) fn next_state(old: BlockState, status: BlockStatus, maturity: u32) -> Option<(BlockState, u32)> {
    match status {
        BlockStatus::MainChain { confirmations } if confirmations >= maturity => {
            Some((BlockState::Mature, confirmations))
        }
        BlockStatus::MainChain { confirmations } => {
            // A deep reorg may leave a mature block with fewer confirmations. It was judged spendable when it
            // was; what counts from then on is whether it is on the best chain.
            let state = if old == BlockState::Mature {
                BlockState::Mature
            } else {
                BlockState::Immature
            };
            Some((state, confirmations))
        }
        // A block that was never on the best chain lost its race when it is still beside it at this look.
        BlockStatus::SideChain => Some((BlockState::Orphaned, 0)),
        BlockStatus::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MATURITY: u32 = 10;

    fn main_chain(confirmations: u32) -> BlockStatus {
        BlockStatus::MainChain { confirmations }
    }

    #[test]
    fn a_block_matures_at_the_given_depth_and_not_before() {
        let next = |confirmations| next_state(BlockState::Accepted, main_chain(confirmations), MATURITY);
        assert_eq!(next(1), Some((BlockState::Immature, 1)));
        assert_eq!(next(9), Some((BlockState::Immature, 9)));
        assert_eq!(next(10), Some((BlockState::Mature, 10)));
    }

    #[test]
    fn a_block_beside_the_best_chain_is_orphaned_and_may_come_back() {
        let gone = next_state(BlockState::Immature, BlockStatus::SideChain, MATURITY);
        assert_eq!(gone, Some((BlockState::Orphaned, 0)));
        let back = next_state(BlockState::Orphaned, main_chain(2), MATURITY);
        assert_eq!(back, Some((BlockState::Immature, 2)));
    }

    #[test]
    fn a_block_that_the_chain_does_not_know_has_no_state() {
        assert_eq!(
            next_state(BlockState::Submitted, BlockStatus::Unknown, MATURITY),
            None
        );
    }
}
