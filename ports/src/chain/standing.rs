//! Which chain the nodes are on, as the pool shows it and acts on it.

use dwarves_domain::chain_guard::Verdict;
use dwarves_domain::ids::HeaderHash;
use serde_json::{Value, json};

/// With whom a node speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peers {
    /// How many there are.
    pub count: u32,
    /// Those that came to it, if it tells.
    pub inbound: Option<u32>,
    /// Those that it went to, if it tells.
    pub outbound: Option<u32>,
}

/// How far a node knows a branch, in the words of `getchaintips`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TipStatus {
    /// The best chain.
    Active,
    /// Fully checked, and valid, but not on the best chain.
    ValidFork,
    /// All blocks are there, and were never checked fully.
    ValidHeaders,
    /// Blocks are missing.
    HeadersOnly,
    /// It has an invalid block.
    Invalid,
    /// A word that the pool does not know.
    Unknown,
}

impl TipStatus {
    /// Its word: `active`, `valid-fork`, `valid-headers`, `headers-only`, `invalid` or `unknown`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::ValidFork => "valid-fork",
            Self::ValidHeaders => "valid-headers",
            Self::HeadersOnly => "headers-only",
            Self::Invalid => "invalid",
            Self::Unknown => "unknown",
        }
    }

    /// What a node's word means.
    pub fn from_word(word: &str) -> Self {
        let all = [
            Self::Active,
            Self::ValidFork,
            Self::ValidHeaders,
            Self::HeadersOnly,
            Self::Invalid,
        ];
        let is_it = |status: &Self| status.as_str() == word;
        all.into_iter().find(is_it).unwrap_or(Self::Unknown)
    }
}

/// The end of a branch that a node knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BranchTip {
    /// The block's height.
    pub height: u32,
    /// The block's hash.
    pub hash: HeaderHash,
    /// Blocks of it that are not on the best chain; 0 for that itself.
    pub branch_len: u32,
    /// How far the node knows it.
    pub status: TipStatus,
}

/// What a node tells of the network around it, as it was last told: nothing depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// With whom it speaks, if it told.
    pub peers: Option<Peers>,
    /// The ends of the branches that it knows: its best chain's first, then the highest, [`TIPS_MAX`] at most. Empty if it
    /// did not tell.
    pub tips: Vec<BranchTip>,
    /// How many more there are.
    pub tips_left: u32,
}

/// The most branches that are kept of a node.
pub const TIPS_MAX: usize = 8;

/// What is known of one node's chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStanding {
    /// Its address, without login.
    pub name: String,
    /// What follows from what is known.
    pub verdict: Verdict,
    /// What is known, in words.
    pub why: Vec<String>,
    /// The height of its tip, if it told.
    pub height: Option<u32>,
    /// The age of its tip in seconds, if it told.
    pub tip_age_secs: Option<u64>,
    /// Whether work is made of its templates, as far as it has any.
    pub is_used: bool,
    /// What it tells of the network around it.
    pub surroundings: Surroundings,
}

/// Which chain the nodes are on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The verdict on the node that gives work, or would.
    pub verdict: Verdict,
    /// The age of its tip in seconds, if it told.
    pub tip_age_secs: Option<u64>,
    /// Every node, the preferred one first; none where there is nothing to compare (the devnet).
    pub nodes: Vec<NodeStanding>,
    /// What an operator has to look at, in words that stay the same while it lasts.
    pub trouble: Option<String>,
    /// Why the wallet must not pay, in words, if it must not.
    pub holds_payouts: Option<String>,
}

impl Standing {
    /// That of a chain that cannot be another one.
    pub fn trusted() -> Self {
        Self {
            verdict: Verdict::Majority,
            ..Self::default()
        }
    }

    /// As `status` shows it.
    pub fn to_json(&self) -> Value {
        let nodes = self.nodes.iter().map(|node| {
            json!({
                "node": node.name,
                "verdict": node.verdict.as_str(),
                "why": node.why,
                "height": node.height,
            })
        });
        json!({
            "verdict": self.verdict.as_str(),
            "tip_age_secs": self.tip_age_secs,
            "trouble": self.trouble,
            "payouts_held": self.holds_payouts.is_some(),
            "nodes": nodes.collect::<Vec<_>>(),
        })
    }
}
