//! How a worked example is made: its steps, each from those before it.

use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::rewards::example::{self, SplitExample};
use dwarves_domain::rewards::{HalfUnits, Scheme, Source, Weights};
use dwarves_domain::units::Amount;
use dwarves_ports::store::{CreditRow, CreditWorkings, RoundRow};

use crate::example::{
    MINERS_SHOWN_MAX, NoExample, Remainder, RemainderOf, RemainderOfSplit, WorkOf, WorkedExample, WorkedStep,
    WorkedTerms,
};
use crate::scalars::{Hash, Ss58};

const LARGEST_REMAINDER: &str = "Every miner gets its part rounded down. The sats that this leaves go one each to the \
     largest remainders, equal ones in the order of hotkeys, so that all parts together are what was split.";
const CARRIED: &str = "What is less than a sat is carried to the miner's next round; nothing of it is lost.";
const WHOLE: &str = "The finder gets all that the fee leaves: there is nothing to round.";

/// The steps, as they are written.
#[derive(Default)]
struct Steps {
    steps: Vec<WorkedStep>,
    /// What names end with, where several blocks were split.
    suffix: String,
    block: Option<Hash>,
}

impl Steps {
    /// A step; in `formula` and in the names of `values` a `#` stands for what names of this block end with.
    fn step(
        &mut self,
        name: &str,
        formula: &str,
        values: &[(&str, String)],
        result: impl ToString,
        text: &'static str,
    ) -> String {
        let named = |text: &str| text.replace('#', &self.suffix);
        let name = named(name);
        self.steps.push(WorkedStep {
            name: name.clone(),
            formula: named(formula),
            values: values
                .iter()
                .map(|(name, value)| (named(name), value.clone()))
                .collect(),
            result: result.to_string(),
            text: text.into(),
            block: self.block,
        });
        name
    }

    /// The fee and what it leaves.
    fn rest(&mut self, reward: Amount, fee: Amount, fee_bps: Option<u16>) -> Amount {
        let reward_value = ("reward_sats#", reward.to_string());
        let rest = reward.checked_sub(fee).unwrap_or(Amount::ZERO);
        if let Some(bps) = fee_bps {
            self.step(
                "fee_sats#",
                "floor(reward_sats# * fee_bps / 10000)",
                &[reward_value.clone(), ("fee_bps", bps.to_string())],
                fee,
                "The operator's fee, rounded down.",
            );
            self.step(
                "rest_sats#",
                "reward_sats# - fee_sats#",
                &[reward_value],
                rest,
                "What is split among miners.",
            );
        } else {
            let values = [reward_value, ("fee_sats#", fee.to_string())];
            let text = "What is split among miners. By which part of ten thousand the fee was reckoned was not kept then.";
            self.step("rest_sats#", "reward_sats# - fee_sats#", &values, rest, text);
        }
        rest
    }

    fn split(&mut self, split: &SplitExample) -> String {
        self.step(
            "part_sats#",
            "floor(rest_sats# * miner_units# / total_units#)",
            &[
                ("miner_units#", split.work.to_string()),
                ("total_units#", split.total.to_string()),
            ],
            split.part,
            "The miner's part by its work, rounded down.",
        );
        self.step(
            "remainder#",
            "rest_sats# * miner_units# - part_sats# * total_units#",
            &[
                ("miner_units#", split.work.to_string()),
                ("total_units#", split.total.to_string()),
            ],
            split.remainder,
            "What rounding left of it.",
        );
        self.step(
            "left_sats#",
            "rest_sats# - parts_sats#",
            &[("parts_sats#", split.parts.to_string())],
            split.left,
            "The sats that rounding left: what is split, less all parts rounded down.",
        );
        self.step(
            "extra_sat#",
            "min(1, max(0, left_sats# + 1 - position#))",
            &[("position#", split.position.to_string())],
            u64::from(split.position <= split.left),
            "One of them, if the miner's place among the remainders is not behind them.",
        );
        self.step(
            "amount_sats#",
            "part_sats# + extra_sat#",
            &[],
            split.amount,
            "What the miner gets.",
        )
    }
}

/// What was split, and how.
struct Split<'a> {
    block: Option<Hash>,
    reward: Amount,
    fee: Amount,
    weights: &'a Weights,
    /// Solo: the miner who takes all.
    taker: Option<Hotkey>,
}

impl WorkedExample {
    /// Why `hotkey` got its amount in this round, which credited `credits`. `blocks` are the rewards, fees and finders of
    /// its blocks, in their order.
    ///
    /// # Errors
    /// If the round credited the miner nothing, or what it takes was not kept.
    pub fn new(
        round: RoundRow,
        credits: &[CreditRow],
        blocks: &[(Amount, Amount, Option<Hotkey>)],
        workings: Option<&CreditWorkings>,
        hotkey: Hotkey,
    ) -> Result<Self, NoExample> {
        let credit = credits.iter().find(|credit| credit.hotkey == hotkey);
        let credit = credit.ok_or(NoExample::NotCredited)?;
        let of_credits = Weights::sum(
            credits
                .iter()
                .map(|credit| (credit.hotkey, credit.units.half_steps())),
        );
        let of_credits = of_credits.map_err(|_| NoExample::Differs)?;
        let fee_bps = workings.map(|workings| workings.fee.get());
        let mut steps = Steps::default();
        let mut remainders = Vec::new();
        let pays_per_share = round.source == Source::Blocks && round.scheme.pays_per_share();
        let (amount, rule) = if pays_per_share {
            (pay(&mut steps, workings)?, CARRIED)
        } else {
            let is_solo = round.source == Source::Blocks && round.scheme == Scheme::Solo;
            let kept: &[Weights] = workings.map_or(&[], |workings| &workings.splits);
            let splits = splits(&round, blocks, kept, &of_credits, is_solo)?;
            let amount = split_all(&mut steps, &mut remainders, &splits, fee_bps, &hotkey)?;
            (amount, if is_solo { WHOLE } else { LARGEST_REMAINDER })
        };
        if amount != credit.amount {
            return Err(NoExample::Differs);
        }
        Ok(Self {
            hotkey: Ss58(hotkey),
            terms: WorkedTerms { fee_bps },
            miner_units: credit.units.to_string(),
            total_units: HalfUnits::from_half_steps(of_credits.total()).to_string(),
            reward_sats: (!pays_per_share).then_some(round.reward.sats()),
            fee_sats: (!pays_per_share).then_some(round.fee.sats()),
            steps: steps.steps,
            amount_sats: amount.sats(),
            remainder: Remainder {
                rule: rule.into(),
                splits: remainders,
            },
            round: round.into(),
            hidden: Vec::new(),
        })
    }
}

/// What a round split.
fn splits<'a>(
    round: &RoundRow,
    blocks: &[(Amount, Amount, Option<Hotkey>)],
    kept: &'a [Weights],
    of_credits: &'a Weights,
    is_solo: bool,
) -> Result<Vec<Split<'a>>, NoExample> {
    if round.source == Source::Emission {
        return Ok(vec![Split {
            block: None,
            reward: round.reward,
            fee: round.fee,
            weights: of_credits,
            taker: None,
        }]);
    }
    let is_one = blocks.len() == 1;
    if !is_one && !is_solo && kept.len() != blocks.len() {
        return Err(NoExample::NotKept);
    }
    let splits = blocks.iter().zip(&round.blocks).enumerate();
    Ok(splits
        .map(|(at, (&(reward, fee, finder), hash))| Split {
            block: Some(Hash(*hash)),
            reward,
            fee,
            weights: kept.get(at).unwrap_or(of_credits),
            taker: finder.filter(|_| is_solo),
        })
        .collect())
}

/// The steps of all that was split, and what they come to.
fn split_all(
    steps: &mut Steps,
    remainders: &mut Vec<RemainderOfSplit>,
    splits: &[Split<'_>],
    fee_bps: Option<u16>,
    hotkey: &Hotkey,
) -> Result<Amount, NoExample> {
    let is_solo = splits.iter().any(|split| split.taker.is_some());
    let mine: Vec<&Split<'_>> = splits
        .iter()
        .filter(|split| match split.taker {
            Some(taker) => taker == *hotkey,
            None => !is_solo && split.weights.get(hotkey) > 0,
        })
        .collect();
    let (mut amounts, mut names) = (Vec::new(), Vec::new());
    for (number, split) in mine.iter().enumerate() {
        if mine.len() > 1 {
            steps.suffix = format!("_{}", number + 1);
        }
        steps.block = split.block;
        let rest = steps.rest(split.reward, split.fee, fee_bps);
        if is_solo {
            names.push(steps.step(
                "amount_sats#",
                "rest_sats#",
                &[],
                rest,
                "The finder gets all of it.",
            ));
            amounts.push(rest);
            continue;
        }
        let example = example::of_split(rest, split.weights, hotkey).ok_or(NoExample::Differs)?;
        names.push(steps.split(&example));
        amounts.push(example.amount);
        remainders.push(remainder_of(split, &example));
    }
    let amount = Amount::checked_sum(amounts).ok_or(NoExample::Differs)?;
    if mine.len() != 1 {
        (steps.suffix, steps.block) = (String::new(), None);
        let formula = if names.is_empty() {
            "0".to_owned()
        } else {
            names.join(" + ")
        };
        steps.step("amount_sats", &formula, &[], amount, "All of them together.");
    }
    Ok(amount)
}

fn remainder_of(split: &Split<'_>, example: &SplitExample) -> RemainderOfSplit {
    let is_short = usize::try_from(example.miners).is_ok_and(|miners| miners <= MINERS_SHOWN_MAX);
    RemainderOfSplit {
        block: split.block,
        left_sats: example.left,
        miners: example.miners,
        position: example.position,
        remainder: example.remainder.to_string(),
        last_in: example.last_in.map(RemainderOf::from),
        first_out: example.first_out.map(RemainderOf::from),
        work: is_short.then(|| {
            let all = split.weights.iter().map(|(hotkey, work)| WorkOf {
                hotkey: Ss58(hotkey),
                units: HalfUnits::from_half_steps(work).to_string(),
            });
            all.collect()
        }),
    }
}

/// The steps of work that is paid by the share, and what they come to.
fn pay(steps: &mut Steps, workings: Option<&CreditWorkings>) -> Result<Amount, NoExample> {
    let workings = workings.ok_or(NoExample::NotKept)?;
    let paid = workings.paid.as_ref().ok_or(NoExample::NotKept)?;
    let example = example::of_pay(paid, workings.fee).ok_or(NoExample::Differs)?;
    let names: Vec<_> = (1..=paid.work.len())
        .map(|number| (format!("units_{number}"), format!("value_sats_{number}")))
        .collect();
    let formula: Vec<_> = names
        .iter()
        .map(|(units, value)| format!("{units} * {value}"))
        .collect();
    let values: Vec<_> = names
        .iter()
        .zip(&paid.work)
        .flat_map(|((units_name, value_name), (value, units))| {
            [
                (units_name.as_str(), units.to_string()),
                (value_name.as_str(), value.to_string()),
            ]
        })
        .collect();
    steps.step(
        "worth_sats",
        &formula.join(" + "),
        &values,
        example.worth,
        "The work, each unit at what it was worth on its template.",
    );
    steps.step(
        "after_fee_sats",
        "worth_sats * (10000 - fee_bps) / 10000",
        &[("fee_bps", workings.fee.get().to_string())],
        example.after_fee,
        "What the operator's fee leaves of it.",
    );
    steps.step(
        "exact_sats",
        "after_fee_sats + carried_in_sats",
        &[("carried_in_sats", example.carried_in)],
        example.exact,
        "With what the round before carried.",
    );
    steps.step(
        "carried_out_sats",
        "exact_sats - floor(exact_sats)",
        &[],
        example.carried_out,
        "What is less than a sat goes to the next round.",
    );
    steps.step(
        "amount_sats",
        "floor(exact_sats)",
        &[],
        example.amount,
        "The whole sats.",
    );
    Ok(example.amount)
}
