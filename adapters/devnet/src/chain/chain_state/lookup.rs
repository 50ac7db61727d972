//! What a wallet asks: its coins, and what became of transactions.
//!
//! There is no index: blocks are read from the tip down, and what a wallet follows lies near the tip.

use bitcoin::{Block, OutPoint, Script, Transaction, Txid};

use super::DevnetState;
use super::next_block;
use crate::chain::coins::Coin;

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    /// The chain does not have it.
    Unknown,
    /// It waits for a block.
    Waiting,
    /// It is in the best chain, with this many confirmations.
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

    /// The transactions with a witness of this public key that wait or are in blocks above the height `above`, oldest
    /// first, with their confirmations.
    pub fn signed_by(&self, key: &[u8], above: u32) -> Vec<(Transaction, u32)> {
        let is_signed = |transaction: &Transaction| {
            let mut witnesses = transaction.input.iter().map(|input| input.witness.last());
            witnesses.any(|last| last == Some(key))
        };
        let waiting = self
            .mempool
            .waiting()
            .iter()
            .rev()
            .map(|waiting| (&waiting.tx, 0));
        let depth = self.tree.tip().height.saturating_sub(above) as usize;
        let mined = self
            .blocks_from_tip()
            .take(depth)
            .flat_map(|(confirmations, block)| {
                block
                    .txdata
                    .iter()
                    .rev()
                    .map(move |transaction| (transaction, confirmations))
            });
        let all = waiting
            .chain(mined)
            .filter(|(transaction, _)| is_signed(transaction));
        let mut all: Vec<(Transaction, u32)> = all
            .map(|(tx, confirmations)| (tx.clone(), confirmations))
            .collect();
        all.reverse();
        all
    }

    /// A transaction that waits or is in the best chain, with its fee in sats.
    pub fn transaction(&self, txid: Txid) -> Option<(Transaction, u64)> {
        let found = self.find(txid)?;
        let spent = found.input.iter().map(|input| {
            let place = input.previous_output;
            let output = self.find(place.txid)?.output.get(place.vout as usize)?;
            Some(output.value.to_sat())
        });
        let spent: u64 = spent.collect::<Option<Vec<u64>>>()?.into_iter().sum();
        let paid: u64 = found.output.iter().map(|output| output.value.to_sat()).sum();
        Some((found.clone(), spent.checked_sub(paid)?))
    }

    fn find(&self, txid: Txid) -> Option<&Transaction> {
        let waiting = self.mempool.waiting().iter().map(|waiting| &waiting.tx);
        let mined = self.blocks_from_tip().flat_map(|(_, block)| block.txdata.iter());
        waiting
            .chain(mined)
            .find(|transaction| transaction.compute_txid() == txid)
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
