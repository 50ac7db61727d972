//! The closing of a reward round: what happened since the last one becomes credits and postings.
//!
//! It is a pure function, and the order of its input does not matter, so a round that is closed again after a
//! crash comes to the same postings and the same digest. The store applies both at once, under the round's id.
//!
//! | what happened | `pplns`, `proportional`, `solo` | `pps`, `fpps`, and source `emission` |
//! |---|---|---|
//! | a block was accepted | chain → immature fee, immature miners | chain → immature reserve |
//! | a block matured | immature → fee, reserve, payable | the same |
//! | an immature block was orphaned | the exact opposite of its crediting | the same |
//! | a mature block was orphaned | reserve → chain, all of it | the same |
//! | an orphan came back | the opposite of its orphaning | the same |
//! | shares were accepted | (paid by blocks) | `pps`, `fpps`: reserve → payable |
//! | the round's emission | | emission → fee, payable |
//!
//! **A reward that nobody worked for**, after the fee, is kept: it goes to the reserve.
//! **A mature block that is orphaned** (a reorganisation deeper than the chain's maturity) takes nothing from
//! miners: what is payable may already have been paid, and a balance that was free to be paid is never taken
//! back. The loss is the reserve's, that is the operator's. So the ledger needs no balances to close a round,
//! and a payout that happens meanwhile changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::hotkey::Hotkey;
use crate::ids::{HeaderHash, RoundId};
use crate::ledger::{Account, Balance, LedgerError, Postings};
use crate::rewards::pps::{self, PpsError, ShareValue};
use crate::rewards::split::{Credit, split};
use crate::rewards::weights::{HalfUnits, WeightOverflow, Weights};
use crate::rewards::{Scheme, Source, solo};
use crate::time::Timestamp;
use crate::units::{Amount, BasisPoints};

mod digest;

/// A block that the network accepted since the last round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockReward {
    /// The block.
    pub hash: HeaderHash,
    /// Its height.
    pub height: u32,
    /// What its coinbase pays the pool: subsidy and fees.
    pub reward: Amount,
    /// The miner whose share it was.
    pub finder: Hotkey,
    /// The work that the block pays, as the scheme has it: the window for `pplns`, the stretch for
    /// `proportional`. `solo` pays the finder whatever is here and shows the finder's work; the others ignore it.
    pub weights: Weights,
}

/// A block and what it was split into when it was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledBlock {
    /// The block.
    pub hash: HeaderHash,
    /// Its height.
    pub height: u32,
    /// The pool's fee.
    pub fee: Amount,
    /// What the reserve got.
    pub kept: Amount,
    /// What miners were credited.
    pub credits: Vec<Credit>,
}

/// A credited block that is no longer in the best chain, or that came back to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrphanedBlock {
    /// What it was split into.
    pub settled: SettledBlock,
    /// Whether a round had made its credits payable before it was orphaned. If such a block comes back, it
    /// is mature at once and does not mature again.
    pub was_mature: bool,
}

/// All that happened since the last round. A block is in at most one of the lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundInput {
    /// This round.
    pub id: RoundId,
    /// When it was due.
    pub closed_at: Timestamp,
    /// How blocks or shares are paid.
    pub scheme: Scheme,
    /// The pool's fee.
    pub fee: BasisPoints,
    /// Where the reward comes from.
    pub source: Source,
    /// Blocks newly accepted.
    pub accepted: Vec<BlockReward>,
    /// Blocks that are now deep enough to be spent.
    pub matured: Vec<SettledBlock>,
    /// Blocks that dropped out of the best chain.
    pub orphaned: Vec<OrphanedBlock>,
    /// Orphaned blocks that came back; `was_mature` as it was when they were orphaned.
    pub returned: Vec<OrphanedBlock>,
    /// Work since the last round, if the source is blocks and the scheme `pps` or `fpps`; else none.
    pub shares: Vec<ShareValue>,
    /// What the round before carried, over [`pps::DENOMINATOR`].
    pub carried: BTreeMap<Hotkey, u128>,
    /// What is emitted and the work it pays, if the source is emission; else none.
    pub emission: Option<(Amount, Weights)>,
}

/// A miner's part of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundCredit {
    /// The miner.
    pub hotkey: Hotkey,
    /// The work that was paid; if the round has several blocks, the sum of what each of them paid.
    pub units: HalfUnits,
    /// What the miner was credited. It can be zero where the work is worth less than a sat.
    pub amount: Amount,
}

/// A round as it is applied to the ledger. `reward = fee + kept + credited`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedRound {
    /// This round.
    pub id: RoundId,
    /// When it was due.
    pub closed_at: Timestamp,
    /// How blocks or shares were paid.
    pub scheme: Scheme,
    /// Where the reward came from.
    pub source: Source,
    /// What was split: the accepted blocks' rewards; for `pps` and `fpps` the worth of the shares; for the
    /// source emission the amount emitted.
    pub reward: Amount,
    /// The pool's fee. With `pps` and `fpps` it stays in the reserve, as the price of the risk; else it goes to
    /// the pool's fee accounts.
    pub fee: Amount,
    /// What the reserve got because nobody had worked.
    pub kept: Amount,
    /// What miners got, the sum of `credits`.
    pub credited: Amount,
    /// Every miner whose work was paid, in the order of hotkeys.
    pub credits: Vec<RoundCredit>,
    /// The accepted blocks and what each was split into, by height and hash.
    pub blocks: Vec<SettledBlock>,
    /// Blocks that this round made spendable, by height and hash.
    pub matured: Vec<HeaderHash>,
    /// Blocks that this round took back, by height and hash.
    pub orphaned: Vec<HeaderHash>,
    /// Blocks that this round credited again, by height and hash.
    pub returned: Vec<HeaderHash>,
    /// What is carried to the next round, over [`pps::DENOMINATOR`]: all of it, also what did not change.
    pub carried: BTreeMap<Hotkey, u128>,
    /// The movements of money.
    pub postings: Postings,
    /// SHA-256 of all of the above; see [`ClosedRound::digest_of`].
    pub digest: [u8; 32],
}

/// Why a round can not be closed. Each of these is an inconsistent store or setting, not a matter of luck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoundError {
    /// A block listed twice.
    #[error("block {0} is listed twice; a block is accepted, matured, orphaned or returned once a round")]
    BlockTwice(HeaderHash),
    /// The source and the input disagree.
    #[error("emission must be given if the source of rewards is emission, and only then")]
    Emission,
    /// The scheme and the input disagree.
    #[error("shares must be given only if the source of rewards is blocks and the scheme pps or fpps")]
    Shares,
    /// More than an amount holds.
    #[error("the amounts of this round do not fit a 64-bit number of sats")]
    AmountOverflow,
    /// More work than its number holds.
    #[error(transparent)]
    Weight(#[from] WeightOverflow),
    /// Shares could not be paid.
    #[error(transparent)]
    Pps(#[from] PpsError),
    /// Postings could not be built.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl SettledBlock {
    /// The block's whole reward.
    fn reward(&self) -> Result<Amount, RoundError> {
        let credited = self.credits.iter().map(|credit| credit.amount);
        sum(credited.chain([self.fee, self.kept]))
    }

    /// The postings that credit it while it is immature.
    fn crediting(&self) -> Result<Postings, LedgerError> {
        let mut postings = Postings::new();
        postings.transfer(Account::Chain, Account::FeeImmature, self.fee)?;
        postings.transfer(Account::Chain, Account::ReserveImmature, self.kept)?;
        for &Credit { hotkey, amount } in &self.credits {
            postings.transfer(Account::Chain, Account::Miner(hotkey, Balance::Immature), amount)?;
        }
        Ok(postings)
    }

    /// The postings that make it spendable.
    fn maturing(&self) -> Result<Postings, LedgerError> {
        let mut postings = Postings::new();
        postings.transfer(Account::FeeImmature, Account::Fee, self.fee)?;
        postings.transfer(Account::ReserveImmature, Account::Reserve, self.kept)?;
        for &Credit { hotkey, amount } in &self.credits {
            let of_miner = |balance| Account::Miner(hotkey, balance);
            postings.transfer(of_miner(Balance::Immature), of_miner(Balance::Payable), amount)?;
        }
        Ok(postings)
    }
}

impl OrphanedBlock {
    /// The postings that take it back.
    fn orphaning(&self) -> Result<Postings, RoundError> {
        if !self.was_mature {
            return Ok(self.settled.crediting()?.reversed());
        }
        let mut postings = Postings::new();
        postings.transfer(Account::Reserve, Account::Chain, self.settled.reward()?)?;
        Ok(postings)
    }
}

/// Closes a round.
///
/// # Errors
/// If the input contradicts itself or a sum does not fit.
///
/// # Panics
/// If the round's reward were not the sum of its parts, which would be a bug.
pub fn close(input: &RoundInput) -> Result<ClosedRound, RoundError> {
    check(input)?;
    let mut round = ClosedRound {
        id: input.id,
        closed_at: input.closed_at,
        scheme: input.scheme,
        source: input.source,
        reward: Amount::ZERO,
        fee: Amount::ZERO,
        kept: Amount::ZERO,
        credited: Amount::ZERO,
        credits: Vec::new(),
        blocks: Vec::new(),
        matured: in_order(&input.matured),
        orphaned: in_order(input.orphaned.iter().map(|block| &block.settled)),
        returned: in_order(input.returned.iter().map(|block| &block.settled)),
        carried: input.carried.clone(),
        postings: Postings::new(),
        digest: [0; 32],
    };
    for block in &input.matured {
        round.postings.merge(&block.maturing()?)?;
    }
    for block in &input.orphaned {
        round.postings.merge(&block.orphaning()?)?;
    }
    for block in &input.returned {
        round.postings.merge(&block.orphaning()?.reversed())?;
    }

    let mut accepted: Vec<&BlockReward> = input.accepted.iter().collect();
    accepted.sort_by_key(|block| (block.height, block.hash));
    let blocks_are_split = input.source == Source::Blocks && !input.scheme.pays_per_share();
    for block in accepted {
        let settled = if blocks_are_split {
            round.split_block(block, input)?
        } else {
            whole_to_reserve(block)
        };
        round.postings.merge(&settled.crediting()?)?;
        round.blocks.push(settled);
    }
    if let Some((amount, weights)) = &input.emission {
        round.emit(*amount, weights, input.fee)?;
    } else if input.scheme.pays_per_share() {
        round.pay_shares(input)?;
    }

    assert_eq!(
        sum([round.fee, round.kept, round.credited])?,
        round.reward,
        "a round's reward is the sum of its parts"
    );
    assert_eq!(
        sum(round.credits.iter().map(|credit| credit.amount))?,
        round.credited,
        "what a round credits is the sum of its credits"
    );
    round.digest = round.digest_of();
    Ok(round)
}

/// Refuses input that contradicts itself.
fn check(input: &RoundInput) -> Result<(), RoundError> {
    if (input.source == Source::Emission) != input.emission.is_some() {
        return Err(RoundError::Emission);
    }
    let shares_are_paid = input.source == Source::Blocks && input.scheme.pays_per_share();
    if !shares_are_paid && !input.shares.is_empty() {
        return Err(RoundError::Shares);
    }
    let accepted = input.accepted.iter().map(|block| block.hash);
    let matured = input.matured.iter().map(|block| block.hash);
    let orphans = input.orphaned.iter().chain(&input.returned);
    let mut seen = BTreeSet::new();
    for hash in accepted
        .chain(matured)
        .chain(orphans.map(|block| block.settled.hash))
    {
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

impl ClosedRound {
    fn split_block(&mut self, block: &BlockReward, input: &RoundInput) -> Result<SettledBlock, RoundError> {
        let finder_alone;
        let (parts, weights) = if input.scheme == Scheme::Solo {
            let credits = |rest| solo::credits(rest, block.finder);
            finder_alone = Weights::sum([(block.finder, block.weights.get(&block.finder))])?;
            (parts(block.reward, input.fee, credits), &finder_alone)
        } else {
            let credits = |rest| split(rest, &block.weights);
            (parts(block.reward, input.fee, credits), &block.weights)
        };
        self.count(block.reward, &parts, weights)?;
        Ok(SettledBlock {
            hash: block.hash,
            height: block.height,
            fee: parts.fee,
            kept: parts.kept,
            credits: parts.credits,
        })
    }

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

    fn pay_shares(&mut self, input: &RoundInput) -> Result<(), RoundError> {
        let pay = pps::pay(&input.shares, input.fee, &input.carried)?;
        for credit in &pay.credits {
            let payable = Account::Miner(credit.hotkey, Balance::Payable);
            self.postings.transfer(Account::Reserve, payable, credit.amount)?;
        }
        self.reward = sum([pay.fee, pay.credited])?;
        self.fee = pay.fee;
        self.credited = pay.credited;
        self.credits = pay.credits;
        self.carried = pay.carried;
        Ok(())
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

        let before = self.credits.drain(..).map(|c| (c.hotkey, c.units, c.amount));
        let worked = weights
            .iter()
            .map(|(hotkey, work)| (hotkey, HalfUnits::from_half_steps(work), Amount::ZERO));
        let paid = parts
            .credits
            .iter()
            .map(|c| (c.hotkey, HalfUnits::ZERO, c.amount));
        let mut of_miners: BTreeMap<Hotkey, (HalfUnits, Amount)> = BTreeMap::new();
        for (hotkey, work, amount) in before.chain(worked).chain(paid) {
            let (units, got) = of_miners.entry(hotkey).or_default();
            *units = units.checked_add(work).ok_or(WeightOverflow)?;
            *got = sum([*got, amount])?;
        }
        self.credits = of_miners
            .into_iter()
            .map(|(hotkey, (units, amount))| RoundCredit {
                hotkey,
                units,
                amount,
            })
            .collect();
        Ok(())
    }
}

fn sum(amounts: impl IntoIterator<Item = Amount>) -> Result<Amount, RoundError> {
    Amount::checked_sum(amounts).ok_or(RoundError::AmountOverflow)
}

fn in_order<'a>(blocks: impl IntoIterator<Item = &'a SettledBlock>) -> Vec<HeaderHash> {
    let mut keys: Vec<(u32, HeaderHash)> = blocks.into_iter().map(|b| (b.height, b.hash)).collect();
    keys.sort_unstable();
    keys.into_iter().map(|(_, hash)| hash).collect()
}

#[cfg(test)]
mod tests;
