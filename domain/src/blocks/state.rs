//! What became of a found block.

use std::fmt;

/// What became of a found block, as the chain tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlockState {
    /// Found; the chain has not answered yet.
    Submitted,
    /// The chain took it, not (yet) on its best chain.
    Accepted,
    /// On the best chain, not deep enough to be spent.
    Immature,
    /// Deep enough to be spent.
    Mature,
    /// No longer, or never, on the best chain.
    Orphaned,
    /// Not a valid block, in the chain's eyes.
    Refused,
}

impl BlockState {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Submitted,
        Self::Accepted,
        Self::Immature,
        Self::Mature,
        Self::Orphaned,
        Self::Refused,
    ];

    /// The state's name in storage and HTTP.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Accepted => "accepted",
            Self::Immature => "immature",
            Self::Mature => "mature",
            Self::Orphaned => "orphaned",
            Self::Refused => "refused",
        }
    }

    /// Whether the block counts as found: it is, or may yet be, part of the chain.
    pub const fn is_found(self) -> bool {
        !matches!(self, Self::Orphaned | Self::Refused)
    }

    /// Whether the next block's effort, and a proportional round, begin behind this block. One that was never a valid
    /// block ends nothing.
    pub const fn ends_a_stretch(self) -> bool {
        !matches!(self, Self::Refused)
    }

    /// Whether the chain has yet to say what becomes of the block. It is followed until then.
    pub const fn is_undecided(self) -> bool {
        matches!(self, Self::Submitted | Self::Accepted | Self::Immature)
    }

    /// Whether a reorganisation can still change what became of the block. It is followed as long as its height is near
    /// the tip.
    pub const fn can_be_reversed(self) -> bool {
        matches!(self, Self::Mature | Self::Orphaned)
    }

    /// Whether the block may have to be submitted again, so that its bytes are kept.
    pub const fn needs_bytes(self) -> bool {
        !matches!(self, Self::Mature)
    }

    /// What a block is that was known as this one, now that the chain turns out to have it.
    pub const fn recovered(self) -> Self {
        match self {
            // The chain has it after all.
            Self::Refused => Self::Immature,
            // It is followed, and what becomes of it is learnt that way.
            Self::Submitted | Self::Accepted | Self::Immature | Self::Mature | Self::Orphaned => self,
        }
    }
}

impl fmt::Display for BlockState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn those(is: impl Fn(BlockState) -> bool) -> Vec<BlockState> {
        BlockState::ALL.into_iter().filter(|state| is(*state)).collect()
    }

    #[test]
    fn every_state_has_its_answers() {
        use BlockState::{Accepted, Immature, Mature, Orphaned, Refused, Submitted};
        assert_eq!(
            those(BlockState::is_found),
            [Submitted, Accepted, Immature, Mature]
        );
        assert_eq!(
            those(BlockState::ends_a_stretch),
            [Submitted, Accepted, Immature, Mature, Orphaned]
        );
        assert_eq!(
            those(BlockState::needs_bytes),
            [Submitted, Accepted, Immature, Orphaned, Refused]
        );
        assert_eq!(those(BlockState::is_undecided), [Submitted, Accepted, Immature]);
        assert_eq!(those(BlockState::can_be_reversed), [Mature, Orphaned]);
        assert_eq!(those(|state| state.recovered() != state), [Refused]);
        assert_eq!(Refused.recovered(), Immature);
    }
}
