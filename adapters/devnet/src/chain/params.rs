//! What the devnet demands of a block, and from which height on.

use std::collections::BTreeMap;

use dwarves_domain::address::AddressFormat;
use dwarves_domain::target::{CompactTarget, Target, TargetError};
use dwarves_domain::units::Amount;
use dwarves_domain::work::VersionRolling;

/// How addresses of the devnet are written: as those of Bitcoin's regtest (`bcrt1...`).
pub const ADDRESS_FORMAT: AddressFormat = AddressFormat::BitcoinRegtest;

/// The settings of a devnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DevnetParams {
    /// The network's target in compact form, the same for every block until it is changed on command.
    pub bits: CompactTarget,
    /// What each block mints. There are no halvings.
    pub subsidy: Amount,
    /// A coinbase of height `h` may be spent in a block of height `h + coinbase_maturity` or later.
    pub coinbase_maturity: u32,
    /// The version bits that miners may roll. The devnet votes with none.
    pub version_mask: u32,
}

impl Default for DevnetParams {
    /// 50 coins a block, spendable after 10 blocks, one block in 15 million hashes: about 15 s at 1 MH/s.
    fn default() -> Self {
        Self {
            bits: CompactTarget::from_bits(0x1e01_1e54),
            subsidy: Amount::from_sats(5_000_000_000).expect("50 coins are below the limit of an amount"),
            coinbase_maturity: 10,
            version_mask: VersionRolling::Bip323.mask(),
        }
    }
}

/// Why settings make no chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// The bits are not a target.
    #[error("bits: {0}")]
    Bits(#[from] TargetError),
    /// More than there may be.
    #[error("subsidy: {0} sats are more than the 2100000000000000 that a transaction may hold")]
    Subsidy(Amount),
}

/// The part of the settings that blocks are judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    pub(super) bits: CompactTarget,
    pub(super) subsidy: Amount,
    pub(super) coinbase_maturity: u32,
}

impl Rules {
    /// The rules of `params`, if a chain can have them.
    pub(super) fn of(params: &DevnetParams) -> Result<Self, ParamsError> {
        Self {
            bits: params.bits,
            subsidy: params.subsidy,
            coinbase_maturity: params.coinbase_maturity,
        }
        .checked()
    }

    /// These rules, if a chain can have them.
    pub(super) fn checked(self) -> Result<Self, ParamsError> {
        Target::from_compact(self.bits)?;
        if self.subsidy.sats() > bitcoin::Amount::MAX_MONEY.to_sat() {
            return Err(ParamsError::Subsidy(self.subsidy));
        }
        Ok(self)
    }
}

/// Which rules hold at which height, on every branch of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Schedule(BTreeMap<u32, Rules>);

impl Schedule {
    /// The same rules at every height.
    pub(super) fn new(rules: Rules) -> Self {
        Self(BTreeMap::from([(0, rules)]))
    }

    /// The rules for a block of this height.
    pub(super) fn at(&self, height: u32) -> &Rules {
        let (_, rules) = self
            .0
            .range(..=height)
            .next_back()
            .expect("the first entry of a schedule is at height 0");
        rules
    }

    /// From `height` on `rules` hold, whatever was planned for later heights.
    pub(super) fn change(&mut self, height: u32, rules: Rules) {
        self.0.split_off(&height);
        self.0.insert(height, rules);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_block_takes_fifteen_million_hashes() {
        let target = Target::from_compact(DevnetParams::default().bits).unwrap();
        assert!((target.difficulty().expected_hashes() / 15e6 - 1.0).abs() < 0.001);
    }

    #[test]
    fn settings_that_make_no_chain_are_refused_by_name() {
        let no_target = DevnetParams {
            bits: CompactTarget::from_bits(0),
            ..DevnetParams::default()
        };
        assert!(
            Rules::of(&no_target)
                .unwrap_err()
                .to_string()
                .starts_with("bits: ")
        );
        let too_much = DevnetParams {
            subsidy: Amount::MAX,
            ..DevnetParams::default()
        };
        assert!(
            Rules::of(&too_much)
                .unwrap_err()
                .to_string()
                .starts_with("subsidy: ")
        );
    }

    #[test]
    fn a_change_replaces_what_was_planned_for_later() {
        let rules = |bits| Rules {
            bits: CompactTarget::from_bits(bits),
            ..Rules::of(&DevnetParams::default()).unwrap()
        };
        let mut schedule = Schedule::new(rules(0x207f_ffff));
        schedule.change(20, rules(0x1f00_ffff));
        schedule.change(10, rules(0x2000_ffff));
        assert_eq!(schedule.at(9), &rules(0x207f_ffff));
        assert_eq!(schedule.at(10), &rules(0x2000_ffff));
        assert_eq!(schedule.at(u32::MAX), &rules(0x2000_ffff));
    }
}
