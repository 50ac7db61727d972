//! Transactions that wait for a block, in the order in which they came.
//!
//! All that wait fit into one block, so every template holds them all. They live in memory only: whoever
//! sent one sends it again until it is confirmed, as with any node.

use bitcoin::{Amount, Transaction, Txid, Weight};

use super::coins::{CoinView, UtxoSet};
use super::consensus::{Position, Refusal, check_transaction, ensure, is_final};
use super::params::Rules;

/// What all waiting transactions may weigh together: a block's limit without room for a coinbase.
const WEIGHT_MAX: Weight = Weight::from_wu(3_900_000);
/// How many transactions may wait.
const LEN_MAX: usize = 2_000;

/// A waiting transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) tx: Transaction,
    pub(super) txid: Txid,
}

/// The block that waiting transactions would be in, for checking them.
#[derive(Clone, Copy, Debug)]
pub(super) struct NextBlock<'a> {
    pub(super) position: Position,
    pub(super) rules: &'a Rules,
}

/// The waiting transactions. Each one's inputs are coins of the best chain or outputs of earlier ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mempool {
    waiting: Vec<Waiting>,
    weight: u64,
    fees: Amount,
}

impl Mempool {
    /// Those of `candidates` that are valid on these coins, in the same order.
    pub(super) fn rebuilt(
        candidates: impl IntoIterator<Item = Transaction>,
        coins: &UtxoSet,
        next: &NextBlock<'_>,
    ) -> Self {
        let mut pool = Self::default();
        let mut view = CoinView::new(coins);
        for tx in candidates {
            // What is refused was confirmed by the new chain, or it spends what the new chain has not.
            let _refused = pool.push(tx, coins, &mut view, next);
        }
        pool
    }

    /// Adds a transaction.
    pub(super) fn add(
        &mut self,
        tx: Transaction,
        coins: &UtxoSet,
        next: &NextBlock<'_>,
    ) -> Result<Txid, Refusal> {
        let mut view = CoinView::new(coins);
        for waiting in &self.waiting {
            view.connect_transaction(&waiting.tx, next.position.height);
        }
        self.push(tx, coins, &mut view, next)
    }

    /// Adds a transaction; `view` holds those before it and is left as it was by a refusal.
    fn push(
        &mut self,
        tx: Transaction,
        coins: &UtxoSet,
        view: &mut CoinView<'_>,
        next: &NextBlock<'_>,
    ) -> Result<Txid, Refusal> {
        let txid = tx.compute_txid();
        ensure(!tx.is_coinbase(), "coinbase")?;
        check_transaction(&tx)?;
        ensure(
            !self.waiting.iter().any(|waiting| waiting.txid == txid),
            "txn-already-in-mempool",
        )?;
        ensure(!coins.has_any_of(txid), "txn-already-known")?;
        ensure(is_final(&tx, &next.position), "non-final")?;
        let conflict = tx.input.iter().map(|input| &input.previous_output).any(|place| {
            // A coin of the chain that the view has no more was spent by a waiting transaction.
            coins.get(place).is_some() && view.get(place).is_none()
        });
        ensure(!conflict, "txn-mempool-conflict")?;
        let fee = view.check_inputs(&tx, next.position.height, next.rules)?;
        let weight = self.weight.saturating_add(tx.weight().to_wu());
        ensure(
            weight <= WEIGHT_MAX.to_wu() && self.waiting.len() < LEN_MAX,
            "mempool full",
        )?;
        let room = Amount::MAX_MONEY.checked_sub(Amount::from_sat(next.rules.subsidy.sats()));
        let fees = self
            .fees
            .checked_add(fee)
            .filter(|fees| room.is_some_and(|room| *fees <= room))
            .ok_or(Refusal::new("bad-txns-fee-outofrange"))?;
        view.connect_transaction(&tx, next.position.height);
        (self.weight, self.fees) = (weight, fees);
        self.waiting.push(Waiting { tx, txid });
        Ok(txid)
    }

    /// The waiting transactions, parents before children.
    pub(super) fn waiting(&self) -> &[Waiting] {
        &self.waiting
    }

    /// What the waiting transactions pay together.
    pub(super) fn fees(&self) -> Amount {
        self.fees
    }

    /// The waiting transactions alone.
    pub(super) fn into_transactions(self) -> impl Iterator<Item = Transaction> {
        self.waiting.into_iter().map(|waiting| waiting.tx)
    }
}
