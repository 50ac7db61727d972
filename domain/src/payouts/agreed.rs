//! A name for a plan: whom it pays, where, and how much. Who agreed to one pays that one and no other.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use super::batch::{FeePayer, Part};
use crate::hex_digits;

/// The SHA-256 of whom a plan pays, where, what leaves each balance and what the network takes of it. It is written as 64
/// hex digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PlanDigest([u8; 32]);

/// A text that names no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a plan is named by 64 lower-case hex digits, as the dry run tells them")]
pub struct ParsePlanDigestError;

impl PlanDigest {
    /// The name of a plan with these parts, in their order, each with the fee that it bears.
    pub fn of(payer: FeePayer, parts: &[Part]) -> Self {
        let mut hash = Sha256::new();
        hash.update(payer.name());
        for part in parts {
            hash.update(part.hotkey.as_bytes());
            // What is not of one length has it in front, so that no two lists are the same bytes.
            hash.update((part.address.len() as u64).to_be_bytes());
            hash.update(&part.address);
            hash.update(part.amount.sats().to_be_bytes());
            hash.update(part.fee.sats().to_be_bytes());
        }
        Self(hash.finalize().into())
    }
}

impl fmt::Display for PlanDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for PlanDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PlanDigest({self})")
    }
}

impl FromStr for PlanDigest {
    type Err = ParsePlanDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        hex_digits::read(text).map(Self).ok_or(ParsePlanDigestError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hotkey::Hotkey;
    use crate::units::Amount;

    fn sats(sats: u64) -> Amount {
        Amount::from_sats(sats).unwrap()
    }

    fn part(miner: u8, address: &str, amount: u64, fee: u64) -> Part {
        Part {
            hotkey: Hotkey::from_bytes([miner; 32]),
            address: address.to_owned(),
            amount: sats(amount),
            fee: sats(fee),
            borne: Amount::ZERO,
        }
    }

    /// Every list that differs in anything has a name of its own, and a name is read as it is written.
    #[test]
    fn another_list_has_another_name() {
        let lists = [
            vec![],
            vec![part(1, "a", 10, 0)],
            vec![part(2, "a", 10, 0)],
            vec![part(1, "b", 10, 0)],
            vec![part(1, "a", 11, 0)],
            vec![part(1, "a", 10, 1)],
            vec![part(1, "a", 10, 0), part(2, "a", 10, 0)],
            vec![part(2, "a", 10, 0), part(1, "a", 10, 0)],
        ];
        let named = lists.iter().flat_map(|parts| {
            [FeePayer::Pool, FeePayer::Miners].map(|payer| PlanDigest::of(payer, parts).to_string())
        });
        let names: std::collections::BTreeSet<String> = named.collect();
        assert_eq!(names.len(), 2 * lists.len());
        for name in names {
            assert_eq!(name.parse::<PlanDigest>().unwrap().to_string(), name);
            assert_eq!(
                name.to_uppercase().parse::<PlanDigest>().is_ok(),
                name == name.to_uppercase()
            );
            assert_eq!(name[1..].parse::<PlanDigest>(), Err(ParsePlanDigestError));
        }
    }
}
