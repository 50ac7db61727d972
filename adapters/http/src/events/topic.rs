//! What a stream can be about.

use std::str::FromStr;

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// The pool's figures, every few seconds.
    Pool,
    /// Found blocks.
    Block,
    /// Closed rounds.
    Round,
    /// Payouts.
    Payout,
    /// The chain and its nodes.
    Chain,
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 5] = [Self::Pool, Self::Block, Self::Round, Self::Payout, Self::Chain];

    /// Its name in requests and events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::Block => "block",
            Self::Round => "round",
            Self::Payout => "payout",
            Self::Chain => "chain",
        }
    }
}

/// A choice of topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topics(u8);

impl Topics {
    /// All of them.
    pub const ALL: Self = Self((1 << Topic::ALL.len()) - 1);

    /// None of them.
    pub const NONE: Self = Self(0);

    /// Those of these that are not this one.
    #[must_use]
    pub fn without(self, topic: Topic) -> Self {
        Self(self.0 & !(1 << topic as u8))
    }

    /// Those of these that are this one.
    #[must_use]
    pub fn only(self, topic: Topic) -> Self {
        Self(self.0 & (1 << topic as u8))
    }

    /// Their names.
    pub fn names(self) -> Vec<String> {
        let chosen = Topic::ALL.into_iter().filter(|topic| self.has(*topic));
        chosen.map(|topic| topic.name().to_owned()).collect()
    }

    /// Whether this one was chosen.
    pub fn has(self, topic: Topic) -> bool {
        self.0 & (1 << topic as u8) != 0
    }
}

impl FromStr for Topics {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut chosen = 0;
        for name in text.split(',') {
            let topic = Topic::ALL.into_iter().find(|topic| topic.name() == name);
            let topic =
                topic.ok_or("expected some of pool, block, round, payout and chain, with commas between")?;
            chosen |= 1 << topic as u8;
        }
        Ok(Self(chosen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_chosen_by_name_and_nothing_else_is_one() {
        let every: Vec<&str> = Topic::ALL.map(Topic::name).to_vec();
        assert_eq!(every.join(",").parse(), Ok(Topics::ALL));
        for one in Topic::ALL {
            let chosen: Topics = one.name().parse().unwrap();
            for other in Topic::ALL {
                assert_eq!(chosen.has(other), one == other);
                assert_eq!(Topics::ALL.without(one).has(other), one != other);
                assert_eq!(Topics::ALL.only(one).has(other), one == other);
            }
            assert_eq!(chosen.names(), [one.name()]);
            assert_eq!(chosen.without(one), Topics::NONE);
        }
        let twice: Topics = "block,block,round".parse().unwrap();
        assert!(twice.has(Topic::Block) && twice.has(Topic::Round) && !twice.has(Topic::Pool));
        for wrong in ["", ",", "block,", "Block", " block", "hello", "blocks"] {
            assert!(wrong.parse::<Topics>().is_err(), "{wrong}");
        }
    }
}
