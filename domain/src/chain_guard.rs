//! Whether a node is on the chain that the pool is to mine on.
//!
//! Chains split, and a node on the wrong side looks healthy from inside: it has peers, blocks and work. What tells is
//! what the operator knows (blocks that must be there, rules that must not hold), what other nodes have at the same
//! heights, how old the tip is, and what the node itself warns of. From these a verdict follows.

use std::fmt;
use std::str::FromStr;

use crate::ids::HeaderHash;

/// A block that must be on the chain: `HEIGHT:HASH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The height at which the block must be.
    pub height: u32,
    /// The hash that it must have.
    pub hash: HeaderHash,
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.height, self.hash)
    }
}

/// Why a text is no pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected HEIGHT:HASH, the height in digits and the block's hash in 64 hex digits")]
pub struct ParsePinError;

impl FromStr for Pin {
    type Err = ParsePinError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (height, hash) = text.split_once(':').ok_or(ParsePinError)?;
        Ok(Self {
            height: height.parse().map_err(|_| ParsePinError)?,
            hash: hash.parse().map_err(|_| ParsePinError)?,
        })
    }
}

/// What a node says of the operator's pins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pins {
    /// There are none.
    #[default]
    None,
    /// Not told: it does not answer, or has not come to any of them.
    Unknown,
    /// It has those that it has come to, and has come to one at least.
    Match,
    /// It has another block at the height of one.
    Differ,
}

/// What a node says of the deployments that must not be active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deployments {
    /// The operator named none.
    #[default]
    None,
    /// Not told: it does not answer, or has no call that would tell.
    Unknown,
    /// None of them is active.
    Clear,
    /// One of them is active.
    Active,
}

/// What a node has in common with the other configured nodes, some blocks below the lower tip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Neighbours {
    /// There are no others.
    #[default]
    Alone,
    /// None of the others can be compared with.
    Unknown,
    /// They have the same block.
    Agree,
    /// Another has another block there, and less work in its chain.
    MoreWork,
    /// Another has another block there, and nothing tells which chain has more work.
    Tied,
    /// Another has another block there, and more work in its chain.
    LessWork,
}

/// How old a node's tip is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TipAge {
    /// It may be of any age (test networks stand still for days).
    #[default]
    Unlimited,
    /// The node does not tell.
    Unknown,
    /// As blocks usually come.
    Fresh,
    /// So old that a healthy chain would have another one by now.
    Old,
}

/// All that is known of the chain that a node is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The operator's pins.
    pub pins: Pins,
    /// The deployments that must not be active.
    pub deployments: Deployments,
    /// The other nodes.
    pub neighbours: Neighbours,
    /// The age of the tip.
    pub tip_age: TipAge,
    /// Whether the node itself warns of a chain with more work that it refuses.
    pub warns: bool,
}

/// Which chain a node is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The one that the pool is to mine on: something says so, and nothing casts doubt on it.
    Majority,
    /// Another one. No work is given out and nothing is paid.
    Minority,
    /// The right one for all that is known, but it has not moved for too long.
    Stale,
    /// Nobody can tell. Work goes on: not to know is no ground to stop.
    #[default]
    Unknown,
}

impl Verdict {
    /// Every verdict, for tests and the runbook.
    pub const ALL: [Self; 4] = [Self::Majority, Self::Minority, Self::Stale, Self::Unknown];

    /// The name in `status`, in figures and in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Majority => "majority",
            Self::Minority => "minority",
            Self::Stale => "stale",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Evidence {
    /// What follows from the evidence. Whatever says that it is another chain outweighs all that says it is not.
    pub fn verdict(&self) -> Verdict {
        let is_minority = self.pins == Pins::Differ
            || self.deployments == Deployments::Active
            || self.neighbours == Neighbours::LessWork;
        if is_minority {
            return Verdict::Minority;
        }
        if self.tip_age == TipAge::Old {
            return Verdict::Stale;
        }
        let has_doubt = self.warns
            || self.pins == Pins::Unknown
            || self.deployments == Deployments::Unknown
            || matches!(self.neighbours, Neighbours::Unknown | Neighbours::Tied)
            || self.tip_age == TipAge::Unknown;
        let has_ground = self.pins == Pins::Match
            || self.deployments == Deployments::Clear
            || matches!(self.neighbours, Neighbours::Agree | Neighbours::MoreWork);
        if has_ground && !has_doubt {
            Verdict::Majority
        } else {
            Verdict::Unknown
        }
    }

    /// Whether the wallet of such a node may pay: not on another chain, and not while nobody can tell which of two
    /// chains is the right one.
    pub fn may_pay(&self) -> bool {
        self.verdict() != Verdict::Minority && self.neighbours != Neighbours::Tied
    }

    /// Whether an operator has to look: more than something that is not known.
    pub fn is_trouble(&self) -> bool {
        let is_split = matches!(self.neighbours, Neighbours::MoreWork | Neighbours::Tied);
        matches!(self.verdict(), Verdict::Minority | Verdict::Stale) || is_split || self.warns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PINS: [Pins; 4] = [Pins::None, Pins::Unknown, Pins::Match, Pins::Differ];
    const DEPLOYMENTS: [Deployments; 4] = [
        Deployments::None,
        Deployments::Unknown,
        Deployments::Clear,
        Deployments::Active,
    ];
    const NEIGHBOURS: [Neighbours; 6] = [
        Neighbours::Alone,
        Neighbours::Unknown,
        Neighbours::Agree,
        Neighbours::MoreWork,
        Neighbours::Tied,
        Neighbours::LessWork,
    ];
    const AGES: [TipAge; 4] = [TipAge::Unlimited, TipAge::Unknown, TipAge::Fresh, TipAge::Old];

    /// What one piece of evidence says by itself: against (a number below 0), nothing, a doubt, or for.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    enum Says {
        Minority,
        Stale,
        Doubt,
        Nothing,
        Majority,
    }

    fn say(evidence: &Evidence) -> [Says; 5] {
        [
            match evidence.pins {
                Pins::None => Says::Nothing,
                Pins::Unknown => Says::Doubt,
                Pins::Match => Says::Majority,
                Pins::Differ => Says::Minority,
            },
            match evidence.deployments {
                Deployments::None => Says::Nothing,
                Deployments::Unknown => Says::Doubt,
                Deployments::Clear => Says::Majority,
                Deployments::Active => Says::Minority,
            },
            match evidence.neighbours {
                Neighbours::Alone => Says::Nothing,
                Neighbours::Unknown | Neighbours::Tied => Says::Doubt,
                Neighbours::Agree | Neighbours::MoreWork => Says::Majority,
                Neighbours::LessWork => Says::Minority,
            },
            match evidence.tip_age {
                TipAge::Unlimited | TipAge::Fresh => Says::Nothing,
                TipAge::Unknown => Says::Doubt,
                TipAge::Old => Says::Stale,
            },
            if evidence.warns {
                Says::Doubt
            } else {
                Says::Nothing
            },
        ]
    }

    #[test]
    fn the_worst_word_is_the_verdict_over_all_evidence_that_there_can_be() {
        let mut seen = [0_u32; 4];
        for pins in PINS {
            for deployments in DEPLOYMENTS {
                for neighbours in NEIGHBOURS {
                    for tip_age in AGES {
                        for warns in [false, true] {
                            let evidence = Evidence {
                                pins,
                                deployments,
                                neighbours,
                                tip_age,
                                warns,
                            };
                            let said = say(&evidence);
                            let worst = said.into_iter().min().unwrap();
                            let has_ground = said.contains(&Says::Majority);
                            let expected = match worst {
                                Says::Minority => Verdict::Minority,
                                Says::Stale => Verdict::Stale,
                                Says::Nothing | Says::Majority if has_ground => Verdict::Majority,
                                _ => Verdict::Unknown,
                            };
                            assert_eq!(evidence.verdict(), expected, "{evidence:?}");
                            // Money stays where work does, and also where nobody can tell which chain is right.
                            let may_pay = expected != Verdict::Minority && neighbours != Neighbours::Tied;
                            assert_eq!(evidence.may_pay(), may_pay, "{evidence:?}");
                            // An operator looks at a wrong or a standing chain, at every split, and at a warning.
                            let is_trouble = matches!(expected, Verdict::Minority | Verdict::Stale)
                                || matches!(neighbours, Neighbours::MoreWork | Neighbours::Tied)
                                || warns;
                            assert_eq!(evidence.is_trouble(), is_trouble, "{evidence:?}");
                            seen[expected as usize] += 1;
                        }
                    }
                }
            }
        }
        assert_eq!(seen.iter().sum::<u32>(), 768);
        assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
    }

    #[test]
    fn a_lone_node_of_which_nothing_is_known_works_and_troubles_nobody() {
        let nothing = Evidence::default();
        assert_eq!(nothing.verdict(), Verdict::Unknown);
        assert!(nothing.may_pay() && !nothing.is_trouble());
    }

    #[test]
    fn each_verdict_has_the_name_that_status_gives_it() {
        let names = ["majority", "minority", "stale", "unknown"];
        assert_eq!(Verdict::ALL.map(Verdict::as_str), names);
        assert_eq!(Verdict::ALL.map(|verdict| verdict.to_string()), names);
    }

    #[test]
    fn a_pin_is_a_height_and_a_hash() {
        let text = format!("961632:{}", "0a".repeat(32));
        let pin: Pin = text.parse().unwrap();
        assert_eq!((pin.height, pin.to_string()), (961_632, text));
        for wrong in ["", "5", "5:", ":00", "x:00", "-1:00", "5:00", "5:zz"] {
            assert_eq!(wrong.parse::<Pin>(), Err(ParsePinError), "{wrong}");
        }
    }
}
