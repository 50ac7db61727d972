//! Which chain the nodes are on, as the pool shows it and acts on it.

use dwarves_domain::chain_guard::Verdict;
use serde_json::{Value, json};

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
    /// Whether work is made of its templates, as far as it has any.
    pub is_used: bool,
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
