//! What a wallet asks: its coins, and what became of transactions.
//!
//! There is no index: blocks are read from the tip down, and what a wallet follows lies near the tip.

use bitcoin::{Block, OutPoint, Script, Transaction, Txid};

use super::DevnetState;
use super::next_block;
use crate::chain::devnet::coins::Coin;

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    /// The chain does not have it.
    Unknown,
    /// It waits for a block.
    Waiting,
    /// It is in the best chain, with so many confirmations.
    Confirmed(u32),
}

impl DevnetState {
    /// The coins paid to `script` that the next block can spend and no waiting transaction spends.
    pub fn spendable_coins(&self, script: &Script) -> Vec<(OutPoint, Coin)> {
        let next = next_block(&self.tree, &self.schedule);
        let waiting = self.mempool.waiting().iter();
        let spent: Vec<OutPoint> = waiting
            .flat_map(|waiting| waiting.tx.input.iter().map(|input| input.previous_output))
            .collect();
        let is_mature = |coin: &Coin| {
            let mature = coin.height.saturating_add(next.rules.coinbase_maturity);
            !coin.is_coinbase || next.position.height >= mature
        };
        let coins = self.coins.paid_to(script);
        coins
            .filter(|(place, coin)| is_mature(coin) && !spent.contains(place))
            .map(|(place, coin)| (*place, coin.clone()))
            .collect()
    }

    /// What became of a transaction.
    pub fn transaction_status(&self, txid: Txid) -> TransactionStatus {
        if self.mempool.waiting().iter().any(|waiting| waiting.txid == txid) {
            return TransactionStatus::Waiting;
        }
        let found = self.blocks_from_tip().find(|(_, block)| {
            let mut ids = block.txdata.iter().map(Transaction::compute_txid);
            ids.any(|id| id == txid)
        });
        found.map_or(TransactionStatus::Unknown, |(confirmations, _)| {
            TransactionStatus::Confirmed(confirmations)
        })
    }

    /// The transaction of the best chain, other than `but`, that spends one of `coins`, with its confirmations.
    pub fn spender_of(&self, coins: &[OutPoint], but: Txid) -> Option<(Txid, u32)> {
        let spends = |transaction: &&Transaction| {
            let mut inputs = transaction.input.iter().map(|input| &input.previous_output);
            inputs.any(|place| coins.contains(place)) && transaction.compute_txid() != but
        };
        self.blocks_from_tip().find_map(|(confirmations, block)| {
            let spender = block.txdata.iter().find(spends)?;
            Some((spender.compute_txid(), confirmations))
        })
    }

    /// The blocks of the best chain with their confirmations, from the tip down.
    fn blocks_from_tip(&self) -> impl Iterator<Item = (u32, &Block)> {
        let tip = self.tree.tip().height;
        (0..=tip).rev().filter_map(move |height| {
            let block = self.block_at(height)?;
            Some((tip - height + 1, block))
        })
    }
}
