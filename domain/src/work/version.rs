//! The bits of a header's version that miners may roll.

use std::fmt;
use std::str::FromStr;

/// How a version begins whose other bits are votes (BIP9).
const VOTING_PREFIX: u32 = 0b001;

/// Which bits of the version miners may roll at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VersionRolling {
    /// 24 bits, 5 to 28 (BIP323).
    #[default]
    Bip323,
    /// 16 bits, 13 to 28 (BIP320).
    Bip320,
    /// Miners may roll none.
    Off,
}

impl VersionRolling {
    /// All of them, the widest first.
    pub const ALL: [Self; 3] = [Self::Bip323, Self::Bip320, Self::Off];

    /// The name used in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bip323 => "bip323",
            Self::Bip320 => "bip320",
            Self::Off => "off",
        }
    }

    /// The bits that miners may roll.
    pub const fn mask(self) -> u32 {
        match self {
            Self::Bip323 => 0x1fff_ffe0,
            Self::Bip320 => 0x1fff_e000,
            Self::Off => 0,
        }
    }

    /// The bits that may be rolled in a block of this version, while the network votes with `votes`.
    ///
    /// Bits that the network votes with are left out. So are those that are set in `version`, as a node's operator can
    /// order: some miners put their bits in the place of the version's, others flip the version's bits, and the two
    /// agree only where the version has none. A version of another kind than BIP9's has no free bits.
    pub fn mask_for(self, version: u32, votes: impl IntoIterator<Item = u8>) -> u32 {
        if version >> 29 != VOTING_PREFIX {
            return 0;
        }
        let votes = votes.into_iter().fold(0, |votes, bit| {
            votes | 1_u32.checked_shl(u32::from(bit)).unwrap_or(0)
        });
        self.mask() & !votes & !version
    }
}

impl fmt::Display for VersionRolling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text names no set of version bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected bip323, bip320 or off")]
pub struct ParseVersionRollingError;

impl FromStr for VersionRolling {
    type Err = ParseVersionRollingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|rolling| rolling.as_str() == text);
        found.ok_or(ParseVersionRollingError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_masks_are_those_of_the_proposals() {
        for (rolling, bits) in [
            (VersionRolling::Bip323, 5..29),
            (VersionRolling::Bip320, 13..29),
            (VersionRolling::Off, 0..0),
        ] {
            let mask = bits.fold(0, |mask, bit| mask | 1 << bit);
            assert_eq!(rolling.mask(), mask, "{rolling}");
            assert_eq!(rolling.as_str().parse(), Ok(rolling));
            assert_eq!(rolling.to_string(), rolling.as_str());
        }
        assert!("BIP323".parse::<VersionRolling>().is_err());
    }

    #[test]
    fn bits_that_are_on_vote_or_set_are_not_rolled() {
        for (version, votes, mask) in [
            (0x2000_0000, &[][..], 0x1fff_ffe0),
            (0x2000_0000, &[28, 4], 0x0fff_ffe0),
            (0x2000_0000, &[28, 28], 0x0fff_ffe0),
            (0x2000_0000, &[5, 13, 200], 0x1fff_dfc0),
            (0x3000_0010, &[28, 4], 0x0fff_ffe0),
            // Set by hand, and not on vote.
            (0x2080_0000, &[], 0x1f7f_ffe0),
            (0x2000_0020, &[], 0x1fff_ffc0),
            // Not of BIP9's kind.
            (4, &[], 0),
            (0x6000_0000, &[], 0),
            (0, &[], 0),
        ] {
            let found = VersionRolling::Bip323.mask_for(version, votes.iter().copied());
            assert_eq!(found, mask, "{version:08x} {votes:?}");
        }
    }

    proptest! {
        #[test]
        fn flipped_bits_and_bits_put_in_give_the_same_version(
            version in any::<u32>(), rolled in any::<u32>(), votes in proptest::collection::vec(any::<u8>(), 0..6),
        ) {
            for rolling in VersionRolling::ALL {
                let mask = rolling.mask_for(version, votes.iter().copied());
                prop_assert_eq!(mask & !rolling.mask(), 0);
                prop_assert_eq!(version & !mask | rolled & mask, version ^ (rolled & mask));
                prop_assert!(votes.iter().all(|bit| *bit > 31 || mask >> *bit & 1 == 0));
            }
        }
    }
}
