//! Why a miner got an amount in a round: every number, and every step from one to the next, so that anybody can reckon it
//! again and come to the same sat.

use std::borrow::Cow;
use std::collections::BTreeMap;

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::rewards::HalfUnits;
use serde::{Deserialize, Serialize};

use crate::books::Round;
use crate::scalars::{Hash, Ss58};

/// Up to so many miners the work of all of them is told; beyond, a miner's place among the remainders and those beside the
/// cut.
pub const MINERS_SHOWN_MAX: usize = 200;

/// Why a miner got an amount in a round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WorkedExample {
    /// The round.
    pub round: Round,
    /// Whose amount it is, in SS58.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub hotkey: Ss58,
    /// By which terms it was reckoned.
    pub terms: WorkedTerms,
    /// The miner's work that was paid, an exact decimal; of several blocks the sum.
    pub miner_units: String,
    /// The work of all, an exact decimal; of several blocks the sum.
    pub total_units: String,
    /// What was split; absent if the scheme pays by the share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reward_sats: Option<u64>,
    /// The operator's fee of it; absent if the scheme pays by the share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_sats: Option<u64>,
    /// The steps in order. The last one gives the amount.
    pub steps: Vec<WorkedStep>,
    /// What the miner was credited.
    pub amount_sats: u64,
    /// What became of what is less than a sat.
    pub remainder: Remainder,
    /// The names of fields of `remainder.splits` that are hidden from the asker (`[privacy]`), since they tell other
    /// miners' amounts; absent if none is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<String>,
}

impl WorkedExample {
    /// Takes out what tells other miners' amounts: their work, and who stands beside the cut.
    pub fn hide_others(&mut self) {
        for split in &mut self.remainder.splits {
            split.last_in = None;
            split.first_out = None;
            split.work = None;
        }
        let hidden = ["last_in", "first_out", "work"];
        self.hidden.extend(hidden.map(str::to_owned));
    }
}

/// The terms of a round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WorkedTerms {
    /// The operator's fee in ten-thousandths; absent for rounds that closed before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_bps: Option<u16>,
}

/// One step of a reckoning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WorkedStep {
    /// What it gives. Later formulas call its result so.
    pub name: String,
    /// How: numbers, names, `+ - * / ( )`, `floor`, `min` and `max`, all of them exact.
    pub formula: String,
    /// The numbers that the formula names and no step before gave, exact decimals.
    pub values: BTreeMap<String, String>,
    /// What it comes to, an exact decimal.
    pub result: String,
    /// What it means.
    pub text: Cow<'static, str>,
    /// The block that it is about; null if it is about all of the round.
    pub block: Option<Hash>,
}

/// What became of what is less than a sat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Remainder {
    /// The rule, in words.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub rule: Cow<'static, str>,
    /// Of each thing that was split by work: who was next to the cut.
    pub splits: Vec<RemainderOfSplit>,
}

/// Where a miner's remainder stands among those of all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RemainderOfSplit {
    /// The block that was split; null if it was the round's emission.
    pub block: Option<Hash>,
    /// How many sats rounding left: so many of the largest remainders get one.
    pub left_sats: u64,
    /// How many miners there are.
    pub miners: u64,
    /// The miner's place: 1 is the largest remainder; equal ones stand in the order of hotkeys' bytes.
    pub position: u64,
    /// What rounding left of the miner: amount times units, less part times all units; an exact decimal.
    pub remainder: String,
    /// The last one who gets a sat; null if there is none.
    pub last_in: Option<RemainderOf>,
    /// The first one who gets none; null if there is none.
    pub first_out: Option<RemainderOf>,
    /// The work of all miners, if they are at most 200: what all of this follows from.
    pub work: Option<Vec<WorkOf>>,
}

/// A miner's remainder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RemainderOf {
    /// Whose, in SS58.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub hotkey: Ss58,
    /// How much, an exact decimal.
    pub remainder: String,
}

impl From<(Hotkey, HalfUnits)> for RemainderOf {
    fn from((hotkey, remainder): (Hotkey, HalfUnits)) -> Self {
        Self {
            hotkey: Ss58(hotkey),
            remainder: remainder.to_string(),
        }
    }
}

/// A miner's work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WorkOf {
    /// Whose, in SS58.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub hotkey: Ss58,
    /// How much, an exact decimal.
    pub units: String,
}

/// Why there is no example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoExample {
    /// The round credited the miner nothing.
    NotCredited,
    /// How it came to its credits was not kept: the round closed before that was.
    NotKept,
    /// It comes to another amount than the books have.
    Differs,
}
