//! Whether a ledger belongs to a chain. Pure: what is known of both goes in.
//!
//! A ledger remembers the first block of its chain, and a deep one. Chains that are begun anew (a devnet, a regtest)
//! have the same first block, so the ledger's own deep blocks count too: a chain that has all of its blocks and knows
//! none of them is another one.

use std::collections::BTreeMap;

use dwarves_domain::ids::HeaderHash;
use serde_json::{Value, json};

use dwarves_ports::chain::{BlockStatus, SyncState};

/// The setting that remembers the ledger's chain.
pub const IDENTITY: &str = "ledger.chain";

/// A block by height and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// The height at which the block was seen.
    pub height: u32,
    /// The block's hash.
    pub hash: HeaderHash,
}

/// What a ledger remembers of its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The first block.
    pub genesis: HeaderHash,
    /// A block that was deep, if there was one.
    pub deep: Option<Mark>,
}

impl Identity {
    /// Reads it from the stored settings; `None`: this ledger has none yet.
    pub fn read(settings: &BTreeMap<String, String>) -> Option<Self> {
        let value: Value = serde_json::from_str(settings.get(IDENTITY)?).ok()?;
        let hash = |value: &Value| value.as_str()?.parse().ok();
        let deep = &value["deep"];
        let height = deep["height"]
            .as_u64()
            .and_then(|height| u32::try_from(height).ok());
        let deep = height.zip(hash(&deep["hash"]));
        Some(Self {
            genesis: hash(&value["genesis"])?,
            deep: deep.map(|(height, hash)| Mark { height, hash }),
        })
    }

    /// As it is stored.
    pub fn to_text(&self) -> String {
        let deep = self
            .deep
            .map(|deep| json!({ "height": deep.height, "hash": deep.hash.to_string() }));
        json!({ "genesis": self.genesis.to_string(), "deep": deep }).to_string()
    }
}

/// What the chain says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its first block; `None`: it does not say.
    pub genesis: Option<HeaderHash>,
    /// How far it has come; `None`: it does not say.
    pub sync: Option<SyncState>,
    /// Deep blocks of the ledger (its own, and the one that it remembers) with what the chain says of each.
    pub blocks: Vec<(Mark, BlockStatus)>,
    /// Whether the chain can be begun anew by anybody: the devnet, regtest.
    pub is_private: bool,
}

/// Whether the ledger belongs to the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Belonging {
    /// The ledger belongs to this chain.
    Ours,
    /// Nobody can tell yet, in words.
    NotYet(String),
    /// It does not, in words.
    Other(String),
}

/// Judges.
pub fn judge(identity: Option<Identity>, facts: &Facts) -> Belonging {
    let Some(genesis) = facts.genesis else {
        return Belonging::NotYet("the chain does not say which it is".to_owned());
    };
    if let Some(identity) = identity.filter(|identity| identity.genesis != genesis) {
        return Belonging::Other(format!(
            "the ledger is of the chain that begins with {}, this one begins with {genesis}",
            identity.genesis
        ));
    }
    let is_known = |(_, status): &(Mark, BlockStatus)| *status != BlockStatus::Unknown;
    if facts.blocks.is_empty() || facts.blocks.iter().any(is_known) {
        return Belonging::Ours;
    }
    let Some(sync) = facts.sync else {
        return Belonging::NotYet("the chain does not say how far it has come".to_owned());
    };
    if !sync.is_synced {
        return Belonging::NotYet(
            "the chain is not synced, so it cannot know the ledger's blocks yet".to_owned(),
        );
    }
    let tip = sync.tip.height;
    let lowest = facts.blocks.iter().map(|(mark, _)| *mark).min();
    match lowest {
        // A node that has no peers yet calls itself synced with what it had when it was stopped.
        Some(lowest) if lowest.height > tip && !facts.is_private => Belonging::NotYet(format!(
            "the chain ends at height {tip}, below all deep blocks of the ledger"
        )),
        Some(lowest) => Belonging::Other(format!(
            "the chain, at height {tip}, knows none of {} deep blocks of the ledger, among them {} at height {}: it \
             is another one, or was begun anew",
            facts.blocks.len(),
            lowest.hash,
            lowest.height
        )),
        None => Belonging::Ours,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dwarves_ports::chain::Tip;

    fn hash(byte: u8) -> HeaderHash {
        HeaderHash::from_bytes([byte; 32])
    }

    fn mark(height: u32) -> Mark {
        Mark {
            height,
            hash: hash(9),
        }
    }

    fn facts(genesis: Option<u8>, tip: Option<(u32, bool)>, blocks: &[(u32, BlockStatus)]) -> Facts {
        Facts {
            genesis: genesis.map(hash),
            sync: tip.map(|(height, is_synced)| SyncState {
                tip: Tip {
                    hash: hash(8),
                    height,
                },
                is_synced,
            }),
            blocks: blocks
                .iter()
                .map(|(height, status)| (mark(*height), *status))
                .collect(),
            is_private: true,
        }
    }

    #[test]
    fn every_state_of_the_ledger_meets_every_state_of_the_chain() {
        use BlockStatus::{SideChain, Unknown};
        let main = BlockStatus::MainChain { confirmations: 3 };
        let of = |byte| {
            Some(Identity {
                genesis: hash(byte),
                deep: None,
            })
        };
        // Ledger: identity; chain: genesis, height and whether synced, deep blocks; wanted.
        let rows: [(Option<Identity>, Facts, &str); 14] = [
            (None, facts(Some(1), Some((50, true)), &[]), "ours"),
            (None, facts(Some(1), Some((50, true)), &[(20, main)]), "ours"),
            (None, facts(Some(1), Some((50, true)), &[(20, SideChain)]), "ours"),
            (None, facts(Some(1), Some((50, true)), &[(20, Unknown)]), "other"),
            (
                None,
                facts(Some(1), Some((50, false)), &[(20, Unknown)]),
                "not yet",
            ),
            (None, facts(Some(1), None, &[(20, Unknown)]), "not yet"),
            (None, facts(None, Some((50, true)), &[]), "not yet"),
            (of(1), facts(Some(1), Some((50, true)), &[]), "ours"),
            (of(2), facts(Some(1), Some((50, true)), &[(20, main)]), "other"),
            (of(2), facts(Some(1), None, &[]), "other"),
            (of(1), facts(None, None, &[]), "not yet"),
            (of(1), facts(Some(1), Some((5, true)), &[(20, Unknown)]), "other"),
            (
                of(1),
                facts(Some(1), Some((50, true)), &[(20, Unknown), (30, main)]),
                "ours",
            ),
            (
                of(1),
                facts(Some(1), Some((50, true)), &[(20, Unknown), (30, Unknown)]),
                "other",
            ),
        ];
        for (number, (identity, facts, wanted)) in rows.into_iter().enumerate() {
            let judged = match judge(identity, &facts) {
                Belonging::Ours => "ours",
                Belonging::NotYet(_) => "not yet",
                Belonging::Other(_) => "other",
            };
            assert_eq!(judged, wanted, "row {number}");
        }
    }

    #[test]
    fn a_public_chain_that_ends_below_the_ledgers_blocks_is_waited_for() {
        let mut behind = facts(Some(1), Some((5, true)), &[(20, BlockStatus::Unknown)]);
        behind.is_private = false;
        assert!(matches!(judge(None, &behind), Belonging::NotYet(_)));
    }

    #[test]
    fn an_identity_is_read_as_it_was_stored() {
        for deep in [None, Some(mark(77))] {
            let identity = Identity {
                genesis: hash(3),
                deep,
            };
            let settings = BTreeMap::from([(IDENTITY.to_owned(), identity.to_text())]);
            assert_eq!(Identity::read(&settings), Some(identity));
        }
        assert_eq!(Identity::read(&BTreeMap::new()), None);
    }
}
