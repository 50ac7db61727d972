//! What can be done to the chain that no real network would let one do, and what a wallet asks of it.

use bitcoin::{OutPoint, ScriptBuf, Transaction, Txid};
use dwarves_domain::ids::HeaderHash;
use dwarves_domain::target::CompactTarget;
use dwarves_ports::chain::SubmitOutcome;

use super::chain_state::TransactionStatus;
use super::coins::Coin;
use super::engine::Parent;
use super::error::CommandError;
use super::search::Search;
use super::{Devnet, closed};

/// Headers that are hashed before others get a turn: a few milliseconds.
const HASHES_A_TURN: u32 = 4_096;

/// How a block is refused whose bits were right when the search for it began.
const BITS_CHANGED: &str = "bad-diffbits";
/// How a block on the tip is refused that another command made worthless while it was searched.
const OUTDATED: [&str; 2] = ["bad-prevblk", BITS_CHANGED];

/// A mined block, or that the search was given up because the tip is another now.
enum Mined {
    Block(HeaderHash, SubmitOutcome),
    TipMoved,
}

impl Devnet {
    /// Mines `count` blocks on the best chain, each paying `script`, and returns their names in order.
    ///
    /// The search is a real one, in the caller's task with turns for others: at the default difficulty a
    /// block takes seconds. It goes on while the chain is stalled for those outside.
    ///
    /// # Errors
    /// If the chain is closed, its clock far behind, or its file cannot be written.
    pub async fn mine(&self, count: u32, script: &[u8]) -> Result<Vec<HeaderHash>, CommandError> {
        let mut mined = Vec::new();
        while mined.len() < count as usize {
            match self.mine_on(Parent::Tip, script).await? {
                Mined::Block(hash, SubmitOutcome::Accepted) => mined.push(hash),
                Mined::Block(_, SubmitOutcome::Refused(word) | SubmitOutcome::NotYet(word))
                    if !OUTDATED.contains(&word.as_str()) =>
                {
                    return Err(CommandError::Refused(word));
                }
                // The chain changed meanwhile; the next template is of the chain as it is then.
                Mined::Block(..) | Mined::TipMoved => {}
            }
        }
        Ok(mined)
    }

    /// Replaces the topmost `depth` blocks by a longer branch, whose coinbases pay nobody, and returns the
    /// names of its blocks from the lowest to the new tip.
    ///
    /// The tip changes once, with the last block. If others extend the old branch meanwhile, the new one
    /// grows until it is ahead.
    ///
    /// # Errors
    /// If there are not that many blocks, or as [`Devnet::mine`].
    pub async fn reorg(&self, depth: u32) -> Result<Vec<HeaderHash>, CommandError> {
        let burn = ScriptBuf::new_op_return([]);
        let fork = self.run(move |engine| {
            let height = engine.state().tip().height;
            let fork = engine.state().below_tip(depth);
            fork.ok_or(CommandError::TooDeep { height })
        });
        let mut parent = fork.await??;
        let mut branch = Vec::new();
        loop {
            match self.mine_on(Parent::Block(parent), burn.as_bytes()).await? {
                Mined::Block(hash, SubmitOutcome::Accepted) => {
                    branch.push(hash);
                    return Ok(branch);
                }
                Mined::Block(hash, SubmitOutcome::Inconclusive) => {
                    branch.push(hash);
                    parent = hash;
                }
                // Another search made the very same block; the next try has another extranonce.
                Mined::Block(_, SubmitOutcome::Duplicate) | Mined::TipMoved => {}
                Mined::Block(_, SubmitOutcome::Refused(word)) if word == BITS_CHANGED => {}
                Mined::Block(_, SubmitOutcome::Refused(word) | SubmitOutcome::NotYet(word)) => {
                    return Err(CommandError::Refused(word));
                }
            }
        }
    }

    /// While stalled, the chain has no templates, no tip and no status for those outside
    /// ([`ChainError::NotReady`]), and cannot be reached with a block ([`ChainError::Unreachable`]).
    /// Commands are still carried out.
    ///
    /// # Errors
    /// If the chain is closed.
    ///
    /// [`ChainError::NotReady`]: dwarves_ports::chain::ChainError::NotReady
    /// [`ChainError::Unreachable`]: dwarves_ports::chain::ChainError::Unreachable
    pub async fn stall(&self, stalled: bool) -> Result<(), CommandError> {
        Ok(self.run(move |engine| engine.stall(stalled)).await?)
    }

    /// Declares a block and all that build on it invalid, for ever; the best of the others becomes the tip.
    ///
    /// # Errors
    /// If the block is unknown or genesis, or the chain is closed or its file cannot be written.
    pub async fn invalidate(&self, hash: HeaderHash) -> Result<(), CommandError> {
        self.run(move |engine| engine.invalidate(hash)).await?
    }

    /// Demands `bits` from height `from_height` on, on every branch. Templates that were given out for that
    /// height lose their worth, so a pool at work is best given two blocks' notice.
    ///
    /// # Errors
    /// If the bits are no target, there are blocks of that height already, or the chain is closed or its file
    /// cannot be written.
    pub async fn set_bits(&self, from_height: u32, bits: CompactTarget) -> Result<(), CommandError> {
        self.run(move |engine| engine.set_bits(from_height, bits)).await?
    }

    /// Lets a serialized transaction wait for the next block. It waits in memory only.
    ///
    /// # Errors
    /// If it is not valid in the next block, the room for waiting transactions is used up, or the chain is
    /// closed.
    pub async fn accept_transaction(&self, transaction: Vec<u8>) -> Result<Txid, CommandError> {
        self.run(move |engine| engine.accept_transaction(&transaction))
            .await?
    }

    /// The coins of the best chain that are paid to `script`, mature or not, in the order of their places.
    ///
    /// # Errors
    /// If the chain is closed.
    pub async fn coins_of(&self, script: ScriptBuf) -> Result<Vec<(OutPoint, Coin)>, CommandError> {
        Ok(self.run(move |engine| engine.state().coins_of(&script)).await?)
    }

    /// The coins paid to `script` that the next block can spend and no waiting transaction spends.
    ///
    /// # Errors
    /// If the chain is closed.
    pub async fn spendable_coins(&self, script: ScriptBuf) -> Result<Vec<(OutPoint, Coin)>, CommandError> {
        Ok(self
            .run(move |engine| engine.state().spendable_coins(&script))
            .await?)
    }

    /// What became of a transaction.
    ///
    /// # Errors
    /// If the chain is closed.
    pub async fn transaction_status(&self, txid: Txid) -> Result<TransactionStatus, CommandError> {
        Ok(self
            .run(move |engine| engine.state().transaction_status(txid))
            .await?)
    }

    /// The transaction of the best chain, other than `but`, that spends one of `coins`, with its confirmations.
    ///
    /// # Errors
    /// If the chain is closed.
    pub async fn spender_of(
        &self,
        coins: Vec<OutPoint>,
        but: Txid,
    ) -> Result<Option<(Txid, u32)>, CommandError> {
        Ok(self
            .run(move |engine| engine.state().spender_of(&coins, but))
            .await?)
    }

    /// The transactions with a witness of this public key that wait or are in the best chain's blocks above the
    /// height `above`, oldest first, with their confirmations; and the height `depth` blocks below the tip. If the
    /// chain does not reach that far, all of them.
    ///
    /// # Errors
    /// If the chain is closed.
    pub async fn signed_by(
        &self,
        key: Vec<u8>,
        above: u32,
        depth: u32,
    ) -> Result<(Vec<(Transaction, u32)>, u32), CommandError> {
        Ok(self
            .run(move |engine| {
                let state = engine.state();
                let tip = state.tip().height;
                let above = if above > tip { 0 } else { above };
                (state.signed_by(&key, above), tip.saturating_sub(depth))
            })
            .await?)
    }

    /// A transaction that waits or is in the best chain, with its fee in sats.
    ///
    /// # Errors
    /// If the chain is closed.
    pub async fn transaction(&self, txid: Txid) -> Result<Option<(Transaction, u64)>, CommandError> {
        Ok(self.run(move |engine| engine.state().transaction(txid)).await?)
    }

    /// A hash over all coins of the best chain: equal digests mean equal coins.
    ///
    /// # Errors
    /// If the chain is closed.
    pub async fn coins_digest(&self) -> Result<[u8; 32], CommandError> {
        Ok(self.run(|engine| engine.state().coins_digest()).await?)
    }

    async fn mine_on(&self, parent: Parent, script: &[u8]) -> Result<Mined, CommandError> {
        let (template, extranonce) = self.run(move |engine| engine.search_base(parent)).await??;
        let previous = template.previous;
        let mut search = Search::new(template, script, extranonce)?;
        loop {
            if let Some((hash, bytes)) = search.step(HASHES_A_TURN) {
                let outcome = self.run(move |engine| engine.take(bytes)).await??;
                return Ok(Mined::Block(hash, outcome));
            }
            tokio::task::yield_now().await;
            if self.view.has_changed().is_err() {
                return Err(closed().into());
            }
            if parent == Parent::Tip && self.view.borrow().tip.hash != previous {
                return Ok(Mined::TipMoved);
            }
        }
    }
}
