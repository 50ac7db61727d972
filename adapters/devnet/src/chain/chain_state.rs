//! The devnet as a pure state: blocks and transactions go in, outcomes and templates come out.
//!
//! Every block in the state is fully valid where it stands: one of a side chain is judged with the coins of
//! its own branch when it comes in. Judging changes nothing, and applying what was judged valid cannot fail,
//! so a refused block leaves no trace and a reorganisation is never half done.

use bitcoin::consensus::encode::serialize;
use bitcoin::hashes::Hash;
use bitcoin::pow::Work;
use bitcoin::{Block, BlockHash, OutPoint, Script, Transaction, Txid};
use dwarves_domain::ids::{ExtraNonce, HeaderHash};
use dwarves_domain::target::CompactTarget;
use dwarves_domain::time::Timestamp;
use dwarves_ports::chain::{BlockStatus, MinedCoinbase, SubmitOutcome, Tip};

use super::coins::{Coin, CoinView, Spent, UtxoSet};
use super::consensus::{self, FUTURE_SECS_MAX, Position, Refusal, ensure, header_hash};
use super::genesis;
use super::mempool::{Mempool, NextBlock};
use super::params::{DevnetParams, ParamsError, Rules, Schedule};
use super::tree::{Path, Tree};

mod lookup;
mod template;

pub use lookup::TransactionStatus;
pub use template::ClockBehind;

/// Why the chain cannot be changed as told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// Not a block of this chain, or genesis, which always stays.
    #[error("no block {0} above genesis")]
    NoSuchBlock(HeaderHash),
    /// Blocks of this height were already judged by other rules.
    #[error("from_height: there is a block of height {tallest} already; rules can change from {} on", .tallest.saturating_add(1))]
    HeightTaken {
        /// The height of the tallest branch.
        tallest: u32,
    },
    /// The new settings make no chain.
    #[error(transparent)]
    Params(#[from] ParamsError),
}

/// What the state thinks of a block that was sent to it.
#[derive(Debug)]
pub(super) enum Judged {
    /// It has this block already.
    Known,
    /// It is not valid.
    Refused(Refusal),
    /// It is valid, and can be applied as long as the state does not change.
    Valid(Box<ValidBlock>),
}

/// A block that was found valid, with what is needed to apply it.
#[derive(Debug)]
pub(super) struct ValidBlock {
    block: Block,
    hash: BlockHash,
    height: u32,
    work: Work,
    spent: Spent,
}

/// A chain with all its blocks, the coins of the best branch and the transactions that wait.
#[derive(Clone, Debug)]
pub struct DevnetState {
    version_mask: u32,
    schedule: Schedule,
    tree: Tree,
    coins: UtxoSet,
    mempool: Mempool,
}

impl DevnetState {
    /// The chain of genesis alone.
    ///
    /// # Errors
    /// If the settings make no chain.
    pub fn new(params: &DevnetParams) -> Result<Self, ParamsError> {
        Ok(Self::with_rules(Rules::of(params)?, params.version_mask))
    }

    pub(super) fn with_rules(rules: Rules, version_mask: u32) -> Self {
        Self {
            version_mask,
            schedule: Schedule::new(rules),
            tree: Tree::new(genesis::block()),
            coins: UtxoSet::default(),
            mempool: Mempool::default(),
        }
    }

    /// The end of the best chain.
    pub fn tip(&self) -> Tip {
        Tip {
            hash: header_hash(self.tree.tip_hash()),
            height: self.tree.tip().height,
        }
    }

    /// Judges a serialized block and takes it if it is valid.
    pub fn accept(&mut self, bytes: &[u8], now: Timestamp) -> SubmitOutcome {
        match self.judge(bytes, now) {
            Judged::Known => SubmitOutcome::Duplicate,
            Judged::Refused(refusal) => SubmitOutcome::from_bip22(Some(&refusal.to_string())),
            Judged::Valid(valid) => self.apply(*valid),
        }
    }

    /// What became of a block.
    pub fn status(&self, hash: &HeaderHash) -> BlockStatus {
        let hash = BlockHash::from_byte_array(*hash.as_bytes());
        match self.tree.get(&hash) {
            None => BlockStatus::Unknown,
            Some(_) if !self.tree.is_main(&hash) => BlockStatus::SideChain,
            Some(node) => BlockStatus::MainChain {
                confirmations: 1 + self.tree.tip().height - node.height,
            },
        }
    }

    /// The block of the best chain at this height.
    pub fn block_at(&self, height: u32) -> Option<&Block> {
        let hash = self.tree.main_at(height)?;
        Some(&self.tree.node(&hash).block)
    }

    /// The coinbase of the best chain's block at this height.
    pub fn coinbase_at(&self, height: u32) -> Option<MinedCoinbase> {
        let block = self.block_at(height)?;
        Some(MinedCoinbase {
            block: header_hash(block.block_hash()),
            time: block.header.time,
            transaction: serialize(block.txdata.first()?),
        })
    }

    /// The coins of the best chain that are paid to `script`, mature or not.
    pub fn coins_of(&self, script: &Script) -> Vec<(OutPoint, Coin)> {
        let coins = self.coins.paid_to(script);
        coins.map(|(place, coin)| (*place, coin.clone())).collect()
    }

    /// A hash over all coins of the best chain: equal digests mean equal coins.
    pub fn coins_digest(&self) -> [u8; 32] {
        self.coins.digest()
    }

    /// Lets a transaction wait for the next block.
    ///
    /// # Errors
    /// If it is not valid in the next block, or the room for waiting transactions is used up.
    pub fn accept_transaction(&mut self, tx: Transaction) -> Result<Txid, Refusal> {
        let next = next_block(&self.tree, &self.schedule);
        self.mempool.add(tx, &self.coins, &next)
    }

    /// The ids of the transactions that wait, in their order.
    pub fn waiting(&self) -> Vec<Txid> {
        self.mempool.waiting().iter().map(|tx| tx.txid).collect()
    }

    /// Demands `bits` from height `from_height` on, on every branch, whatever was planned for later heights.
    ///
    /// # Errors
    /// If the bits are no target, or blocks of that height are known already.
    pub fn set_bits(&mut self, from_height: u32, bits: CompactTarget) -> Result<(), ChangeError> {
        let rules = self.rules_with_bits(from_height, bits)?;
        self.set_rules(from_height, rules)
    }

    /// Declares a block and all that build on it invalid; the best of the others becomes the tip.
    ///
    /// # Errors
    /// If the block is unknown or genesis.
    pub fn invalidate(&mut self, hash: &HeaderHash) -> Result<(), ChangeError> {
        self.check_invalidate(hash)?;
        let hash = BlockHash::from_byte_array(*hash.as_bytes());
        let best = self.tree.invalidate(hash);
        self.switch_to(best);
        Ok(())
    }

    pub(super) fn check_invalidate(&self, hash: &HeaderHash) -> Result<(), ChangeError> {
        match self.tree.get(&BlockHash::from_byte_array(*hash.as_bytes())) {
            Some(node) if node.height > 0 => Ok(()),
            _ => Err(ChangeError::NoSuchBlock(*hash)),
        }
    }

    /// The rules of `height` with other bits, if they could hold from there on.
    pub(super) fn rules_with_bits(&self, height: u32, bits: CompactTarget) -> Result<Rules, ChangeError> {
        let tallest = self.tree.tallest();
        if height <= tallest {
            return Err(ChangeError::HeightTaken { tallest });
        }
        let rules = *self.schedule.at(height);
        Ok(Rules { bits, ..rules }.checked()?)
    }

    /// Lets `rules` hold from `from_height` on.
    pub(super) fn set_rules(&mut self, from_height: u32, rules: Rules) -> Result<(), ChangeError> {
        let tallest = self.tree.tallest();
        if from_height <= tallest {
            return Err(ChangeError::HeightTaken { tallest });
        }
        self.schedule.change(from_height, rules.checked()?);
        Ok(())
    }

    /// The lowest height that no block has yet, on any branch.
    pub(super) fn next_height(&self) -> u32 {
        self.tree.tallest().saturating_add(1)
    }

    /// A number that no coinbase made here had before, also across restarts: the count of blocks, shifted so
    /// that the search for one block has a million numbers of its own.
    pub(super) fn fresh_extranonce(&self) -> ExtraNonce {
        ExtraNonce::new(self.tree.len() << 20)
    }

    /// The block of the best chain `depth` blocks below the tip.
    pub(super) fn below_tip(&self, depth: u32) -> Option<HeaderHash> {
        let height = self.tree.tip().height.checked_sub(depth)?;
        self.tree.main_at(height).map(header_hash)
    }

    /// Judges a serialized block by the chain as it is.
    pub(super) fn judge(&self, bytes: &[u8], now: Timestamp) -> Judged {
        let time_max = unix_secs(now).saturating_add(FUTURE_SECS_MAX);
        self.try_judge(bytes, time_max).unwrap_or_else(Judged::Refused)
    }

    /// Judges a block that was taken before: the clock of that time is gone, so any time is early enough.
    pub(super) fn judge_again(&self, bytes: &[u8]) -> Judged {
        self.try_judge(bytes, u32::MAX).unwrap_or_else(Judged::Refused)
    }

    fn try_judge(&self, bytes: &[u8], time_max: u32) -> Result<Judged, Refusal> {
        let block = consensus::decode(bytes)?;
        let hash = block.block_hash();
        if let Some(node) = self.tree.get(&hash) {
            ensure(!node.invalid, "duplicate-invalid")?;
            return Ok(Judged::Known);
        }
        consensus::check_block(&block)?;
        let parent_hash = block.header.prev_blockhash;
        let parent = self
            .tree
            .get(&parent_hash)
            .ok_or(Refusal::new("prev-blk-not-found"))?;
        ensure(!parent.invalid, "bad-prevblk")?;
        let (position, rules) = position_on(&self.tree, &self.schedule, parent_hash);
        consensus::check_header(&block.header, &position, time_max)?;
        consensus::check_contents(&block, &position)?;
        let mut view = self.view_along(&self.tree.path_to(parent_hash));
        let spent = view.connect_block(&block, position.height, rules)?;
        Ok(Judged::Valid(Box::new(ValidBlock {
            hash,
            height: position.height,
            work: parent.work + block.header.work(),
            spent,
            block,
        })))
    }

    /// Takes a block that was judged valid by the state as it still is.
    pub(super) fn apply(&mut self, valid: ValidBlock) -> SubmitOutcome {
        let is_best = valid.work > self.tree.tip().work;
        self.tree
            .insert(valid.hash, valid.block, valid.height, valid.work, valid.spent);
        if !is_best {
            return SubmitOutcome::Inconclusive;
        }
        self.switch_to(valid.hash);
        SubmitOutcome::Accepted
    }

    /// The coins as they are at the end of a path from the tip.
    fn view_along(&self, path: &Path) -> CoinView<'_> {
        let mut view = CoinView::new(&self.coins);
        for node in path.undo.iter().map(|hash| self.tree.node(hash)) {
            view.undo_block(&node.block, node.height, &node.spent);
        }
        for node in path.connect.iter().map(|hash| self.tree.node(hash)) {
            view.redo_block(&node.block, node.height, &node.spent);
        }
        view
    }

    /// Makes a block of the tree the tip. Transactions of blocks that fall out wait again.
    fn switch_to(&mut self, hash: BlockHash) {
        let path = self.tree.path_to(hash);
        let changes = self.view_along(&path).into_changes();
        let undone = path.undo.iter().rev();
        let returned: Vec<Transaction> = undone
            .flat_map(|hash| self.tree.node(hash).block.txdata.iter().skip(1).cloned())
            .collect();
        self.coins.apply(changes);
        self.tree.follow(&path);
        let waiting = std::mem::take(&mut self.mempool).into_transactions();
        let next = next_block(&self.tree, &self.schedule);
        self.mempool = Mempool::rebuilt(returned.into_iter().chain(waiting), &self.coins, &next);
    }
}

/// Where a block on `parent`, which is in the tree, would stand, and by which rules.
fn position_on<'a>(tree: &Tree, schedule: &'a Schedule, parent: BlockHash) -> (Position, &'a Rules) {
    let height = tree.node(&parent).height.saturating_add(1);
    let rules = schedule.at(height);
    let position = Position {
        height,
        bits: rules.bits,
        median_time: tree.median_time(parent),
    };
    (position, rules)
}

fn next_block<'a>(tree: &Tree, schedule: &'a Schedule) -> NextBlock<'a> {
    let (position, rules) = position_on(tree, schedule, tree.tip_hash());
    NextBlock { position, rules }
}

/// The time as a header holds it; what does not fit becomes the nearest that does.
fn unix_secs(now: Timestamp) -> u32 {
    u32::try_from(now.secs().max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
pub(super) mod tests;
