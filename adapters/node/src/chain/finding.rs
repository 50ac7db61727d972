//! What was found out of one node's chain, and what the operator knows of it.

use std::time::Duration;

use dwarves_domain::chain_guard::{Deployments, Evidence, Neighbours, Pin, Pins, Verdict};
use dwarves_domain::time::Span;
use dwarves_ports::chain::{NodeStanding, Surroundings};

/// What the operator knows of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardSettings {
    /// Blocks that must be on it.
    pub pins: Vec<Pin>,
    /// Deployments that must not be active on it.
    pub forbidden: Vec<String>,
    /// How far below the lower of two tips two nodes must have the same block.
    pub fork_depth: u32,
    /// How old a tip may be; zero: what is right for the network.
    pub tip_age_max: Span,
    /// How often nodes are looked at when no tip moves.
    pub look_every: Duration,
}

/// What was found out of one node's chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Finding {
    /// From which the verdict follows.
    pub(super) evidence: Evidence,
    /// The same in words that stay the same while it lasts.
    pub(super) why: Vec<String>,
    /// The height of its tip.
    pub(super) height: Option<u32>,
    /// The age of its tip in seconds.
    pub(super) tip_age_secs: Option<u64>,
    /// The work in its chain, as the node writes it: 64 hex digits.
    pub(super) work: Option<String>,
}

impl Finding {
    pub(super) fn new(settings: &GuardSettings, has_neighbours: bool) -> Self {
        let evidence = Evidence {
            pins: if settings.pins.is_empty() {
                Pins::None
            } else {
                Pins::Unknown
            },
            deployments: if settings.forbidden.is_empty() {
                Deployments::None
            } else {
                Deployments::Unknown
            },
            neighbours: if has_neighbours {
                Neighbours::Unknown
            } else {
                Neighbours::Alone
            },
            ..Evidence::default()
        };
        Self {
            evidence,
            ..Self::default()
        }
    }

    pub(super) fn verdict(&self) -> Verdict {
        self.evidence.verdict()
    }

    /// Whether it is on another chain by what is known of it alone, whatever the other nodes have.
    pub(super) fn is_out(&self) -> bool {
        let alone = Evidence {
            neighbours: Neighbours::Alone,
            ..self.evidence
        };
        alone.verdict() == Verdict::Minority
    }

    /// As others see it.
    pub(super) fn standing(self, node: &str, is_used: bool, surroundings: Surroundings) -> NodeStanding {
        NodeStanding {
            name: node.to_owned(),
            verdict: self.verdict(),
            why: self.why,
            height: self.height,
            tip_age_secs: self.tip_age_secs,
            is_used,
            surroundings,
        }
    }
}
