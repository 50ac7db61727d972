//! Closing a round: checks its input, splits what is to be split, and adds up.

use std::collections::{BTreeMap, BTreeSet};

use crate::hotkey::Hotkey;
use crate::ids::HeaderHash;
use crate::ledger::{Account, Balance, Postings};
use crate::rewards::round::{
    BlockReward, ClosedRound, Emission, RoundCredit, RoundError, RoundInput, SettledBlock, Workings, sum,
};
use crate::rewards::split::{Credit, split};
use crate::rewards::weights::{HalfUnits, WeightOverflow, Weights};
use crate::rewards::{Scheme, Source, pps, solo};
use crate::units::{Amount, BasisPoints};

/// Closes a round.
///
/// # Errors
/// If the input contradicts itself or a sum does not fit.
///
/// # Panics
/// If the round's reward were not the sum of its parts, which would be a bug.
pub fn close(input: &RoundInput) -> Result<ClosedRound, RoundError> {
    check(input)?;
    let mut tally = Tally::default();
    for block in &input.matured {
        tally.postings.merge(&block.maturing()?)?;
    }
    for block in &input.orphaned {
        tally.postings.merge(&block.orphaning()?)?;
    }
    for block in &input.returned {
        tally.postings.merge(&block.orphaning()?.reversed())?;
    }

    let mut accepted: Vec<&BlockReward> = input.accepted.iter().collect();
    accepted.sort_by_key(|block| (block.height, block.hash));
    let mut blocks = Vec::with_capacity(accepted.len());
    for block in accepted {
        let settled = if input.source == Source::Emission || input.scheme.pays_per_share() {
            whole_to_reserve(block)
        } else {
            tally.split_block(block, input)?
        };
        tally.postings.merge(&settled.crediting()?)?;
        blocks.push(settled);
    }
    let mut carried = input.carried.clone();
    let emitted = input.emission.as_ref().map(Emission::emitted);
    if let (Some(emission), Some(emitted)) = (&input.emission, &emitted) {
        tally.emit(emitted.issued, &emission.weights, input.fee)?;
    } else if input.scheme.pays_per_share() {
        carried = tally.pay_shares(input)?;
    }

    assert_eq!(
        sum([tally.fee, tally.kept, tally.credited])?,
        tally.reward,
        "a round's reward is the sum of its parts"
    );
    assert_eq!(
        sum(tally.credits.values().map(|&(_, amount)| amount))?,
        tally.credited,
        "what a round credits is the sum of its credits"
    );
    let credits = tally
        .credits
        .into_iter()
        .map(|(hotkey, (units, amount))| RoundCredit {
            hotkey,
            units,
            amount,
        });
    let mut round = ClosedRound {
        id: input.id,
        closed_at: input.closed_at,
        scheme: input.scheme,
        source: input.source,
        reward: tally.reward,
        fee: tally.fee,
        kept: tally.kept,
        emitted,
        credited: tally.credited,
        credits: credits.collect(),
        blocks,
        matured: in_order(&input.matured),
        orphaned: in_order(input.orphaned.iter().map(|block| &block.settled)),
        returned: in_order(input.returned.iter().map(|block| &block.settled)),
        carried,
        postings: tally.postings,
        workings: Workings {
            fee: input.fee,
            // What just one split did is what the credits say.
            splits: if tally.splits.len() > 1 {
                tally.splits
            } else {
                Vec::new()
            },
            paid: Workings::paid(input)?,
        },
        digest: [0; 32],
    };
    round.digest = round.digest_of();
    Ok(round)
}

/// Refuses input that contradicts itself.
fn check(input: &RoundInput) -> Result<(), RoundError> {
    if (input.source == Source::Emission) != input.emission.is_some() {
        return Err(RoundError::Emission);
    }
    if input.scheme.is_of_evaluated_work() && input.source == Source::Blocks {
        return Err(RoundError::Evaluated);
    }
    let shares_are_paid = input.source == Source::Blocks && input.scheme.pays_per_share();
    if !shares_are_paid && !input.shares.is_empty() {
        return Err(RoundError::Shares);
    }
    let accepted = input.accepted.iter().map(|block| block.hash);
    let matured = input.matured.iter().map(|block| block.hash);
    let orphans = input.orphaned.iter().chain(&input.returned);
    let hashes = accepted
        .chain(matured)
        .chain(orphans.map(|block| block.settled.hash));
    let mut seen = BTreeSet::new();
    for hash in hashes {
        if !seen.insert(hash) {
            return Err(RoundError::BlockTwice(hash));
        }
    }
    Ok(())
}

/// What a reward is split into.
struct Parts {
    fee: Amount,
    kept: Amount,
    credits: Vec<Credit>,
}

/// Takes the fee off a reward and has `divide` split the rest; what it leaves is kept.
fn parts(reward: Amount, fee: BasisPoints, divide: impl FnOnce(Amount) -> Vec<Credit>) -> Parts {
    let fee = reward.fee(fee);
    let rest = reward
        .checked_sub(fee)
        .expect("a fee is at most the reward it is taken from");
    let credits = divide(rest);
    let kept = if credits.is_empty() { rest } else { Amount::ZERO };
    Parts { fee, kept, credits }
}

/// A block that nobody is credited for, because work is paid from elsewhere.
fn whole_to_reserve(block: &BlockReward) -> SettledBlock {
    SettledBlock {
        hash: block.hash,
        height: block.height,
        fee: Amount::ZERO,
        kept: block.reward,
        credits: Vec::new(),
    }
}

/// The sums of a round that is being closed.
#[derive(Default)]
struct Tally {
    reward: Amount,
    fee: Amount,
    kept: Amount,
    credited: Amount,
    credits: BTreeMap<Hotkey, (HalfUnits, Amount)>,
    postings: Postings,
    /// The work by which each block was split.
    splits: Vec<Weights>,
}

impl Tally {
    /// Splits a block's reward by the scheme.
    fn split_block(&mut self, block: &BlockReward, input: &RoundInput) -> Result<SettledBlock, RoundError> {
        let parts = if input.scheme == Scheme::Solo {
            let finder = block.finder;
            let finder_alone = Weights::sum(finder.map(|finder| (finder, block.weights.get(&finder))))?;
            let parts = parts(block.reward, input.fee, |rest| {
                finder.map_or_else(Vec::new, |finder| solo::credits(rest, finder))
            });
            self.count(block.reward, &parts, &finder_alone)?;
            self.splits.push(finder_alone);
            parts
        } else {
            let parts = parts(block.reward, input.fee, |rest| split(rest, &block.weights));
            self.count(block.reward, &parts, &block.weights)?;
            self.splits.push(block.weights.clone());
            parts
        };
        Ok(SettledBlock {
            hash: block.hash,
            height: block.height,
            fee: parts.fee,
            kept: parts.kept,
            credits: parts.credits,
        })
    }

    /// Splits what the round issues by work; it is payable at once.
    fn emit(&mut self, amount: Amount, weights: &Weights, fee: BasisPoints) -> Result<(), RoundError> {
        let parts = parts(amount, fee, |rest| split(rest, weights));
        self.count(amount, &parts, weights)?;
        let from = Account::Emission;
        self.postings.transfer(from, Account::Fee, parts.fee)?;
        self.postings.transfer(from, Account::Reserve, parts.kept)?;
        for &Credit { hotkey, amount } in &parts.credits {
            let payable = Account::Miner(hotkey, Balance::Payable);
            self.postings.transfer(from, payable, amount)?;
        }
        Ok(())
    }

    /// Pays the round's shares from the reserve and gives back what is carried on.
    fn pay_shares(&mut self, input: &RoundInput) -> Result<BTreeMap<Hotkey, u128>, RoundError> {
        let pay = pps::pay(&input.shares, input.fee, &input.carried)?;
        self.reward = sum([pay.fee, pay.credited])?;
        self.fee = pay.fee;
        self.credited = pay.credited;
        for credit in pay.credits {
            let payable = Account::Miner(credit.hotkey, Balance::Payable);
            self.postings.transfer(Account::Reserve, payable, credit.amount)?;
            self.credits.insert(credit.hotkey, (credit.units, credit.amount));
        }
        Ok(pay.carried)
    }

    /// Adds a split reward to the round's sums and its miners' credits.
    fn count(&mut self, reward: Amount, parts: &Parts, weights: &Weights) -> Result<(), RoundError> {
        let credited = sum(parts.credits.iter().map(|credit| credit.amount))?;
        assert_eq!(
            sum([parts.fee, parts.kept, credited])?,
            reward,
            "a reward is the sum of its fee, what is kept and its credits"
        );
        self.reward = sum([self.reward, reward])?;
        self.fee = sum([self.fee, parts.fee])?;
        self.kept = sum([self.kept, parts.kept])?;
        self.credited = sum([self.credited, credited])?;
        for (hotkey, work) in weights.iter() {
            let (units, _) = self.credits.entry(hotkey).or_default();
            let work = HalfUnits::from_half_steps(work);
            *units = units.checked_add(work).ok_or(WeightOverflow)?;
        }
        for credit in &parts.credits {
            let (_, amount) = self.credits.entry(credit.hotkey).or_default();
            *amount = sum([*amount, credit.amount])?;
        }
        Ok(())
    }
}

fn in_order<'a>(blocks: impl IntoIterator<Item = &'a SettledBlock>) -> Vec<HeaderHash> {
    let mut keys: Vec<(u32, HeaderHash)> = blocks.into_iter().map(|b| (b.height, b.hash)).collect();
    keys.sort_unstable();
    keys.into_iter().map(|(_, hash)| hash).collect()
}
