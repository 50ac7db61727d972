//! What a chain says to a submitted block, in BIP22's words and those that Bitcoin Core and Litecoin Core add.

/// What the chain said to a submitted block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubmitOutcome {
    /// Taken: it is the new tip.
    Accepted,
    /// Valid, but not on the best chain: a lost race, so far.
    Inconclusive,
    /// The chain has this block already; its status tells what became of it.
    Duplicate,
    /// Not taken now, for a reason that may pass (the chain lacks the block before it, or its clock is behind):
    /// to be submitted again. With the chain's own word.
    NotYet(String),
    /// Not a valid block, with the chain's own word for why (BIP22 result string).
    Refused(String),
}

/// Words for reasons that may pass: the chain has not got the block before this one yet, or the block's time is
/// ahead of the chain's clock. BIP23's `stale-prevblk` and `stale-work` say that the block builds on another block
/// than the tip, which decides nothing.
const PASSING: [&str; 5] = [
    "prev-blk-not-found",
    "time-too-new",
    "stale-prevblk",
    "stale-work",
    "orphan",
];

impl SubmitOutcome {
    /// What the result of `submitblock` means: `None` for null, which is success.
    ///
    /// | result | meaning |
    /// |---|---|
    /// | null | accepted |
    /// | `inconclusive` | valid, not the best tip |
    /// | `duplicate`, `duplicate-inconclusive` | known; its status decides |
    /// | `prev-blk-not-found`, `time-too-new`, `stale-prevblk`, `stale-work`, `orphan` | again later |
    /// | anything else (`high-hash`, `bad-…`, `duplicate-invalid`, `rejected`, …) | refused |
    ///
    /// Sources: BIP22 and BIP23; `BIP22ValidationResult` and the reject reasons of Bitcoin Core's validation.
    pub fn from_bip22(result: Option<&str>) -> Self {
        match result {
            None => Self::Accepted,
            Some("inconclusive") => Self::Inconclusive,
            Some("duplicate" | "duplicate-inconclusive") => Self::Duplicate,
            Some(word) if PASSING.contains(&word) => Self::NotYet(word.to_owned()),
            Some(word) => Self::Refused(word.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_a_chain_is_success_undecided_again_later_or_a_refusal() {
        let of = |word| SubmitOutcome::from_bip22(Some(word));
        assert_eq!(SubmitOutcome::from_bip22(None), SubmitOutcome::Accepted);
        assert_eq!(of("inconclusive"), SubmitOutcome::Inconclusive);
        assert_eq!(of("duplicate"), SubmitOutcome::Duplicate);
        assert_eq!(of("duplicate-inconclusive"), SubmitOutcome::Duplicate);
        for word in PASSING {
            assert_eq!(of(word), SubmitOutcome::NotYet(word.to_owned()));
        }
        for word in [
            "high-hash",
            "duplicate-invalid",
            "bad-cb-amount",
            "mweb-missing",
            "time-too-old",
            "rejected",
            "",
        ] {
            assert_eq!(of(word), SubmitOutcome::Refused(word.to_owned()), "{word}");
        }
    }
}
