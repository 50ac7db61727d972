//! The coins that can be spent, and what blocks do to them.
//!
//! Nothing changes [`UtxoSet`] in place: connecting, undoing and judging all happen on a [`CoinView`] laid over
//! them. A view that ends in a refusal is dropped; one that ends well yields its changes in one piece.

use std::collections::{BTreeMap, HashMap};

use bitcoin::consensus::Encodable;
use bitcoin::hashes::{Hash, HashEngine, sha256d};
use bitcoin::{Amount, Block, OutPoint, Script, ScriptBuf, Transaction, Txid};

use super::consensus::{Refusal, ensure};
use super::params::Rules;

/// An output that can be spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coin {
    /// What it is worth.
    pub value: Amount,
    /// The script that it is paid to.
    pub script: ScriptBuf,
    /// The height of its block.
    pub height: u32,
    /// Whether it comes from a coinbase, which has to mature first.
    pub is_coinbase: bool,
}

/// The coins that a block spends, for undoing it.
pub(super) type Spent = Vec<(OutPoint, Coin)>;

/// What differs from the coins below: another coin, or none.
pub(super) type Changes = HashMap<OutPoint, Option<Coin>>;

/// The coins of the best chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct UtxoSet(BTreeMap<OutPoint, Coin>);

impl UtxoSet {
    /// Takes over what a view changed.
    pub(super) fn apply(&mut self, changes: Changes) {
        for (place, coin) in changes {
            match coin {
                Some(coin) => self.0.insert(place, coin),
                None => self.0.remove(&place),
            };
        }
    }

    /// The coin at `place`.
    pub(super) fn get(&self, place: &OutPoint) -> Option<&Coin> {
        self.0.get(place)
    }

    /// Whether any output of this transaction is unspent.
    pub(super) fn has_any_of(&self, txid: Txid) -> bool {
        let (first, last) = (OutPoint::new(txid, 0), OutPoint::new(txid, u32::MAX));
        self.0.range(first..=last).next().is_some()
    }

    /// The coins that are paid to `script`, in the order of their places.
    pub(super) fn paid_to<'a>(
        &'a self,
        script: &'a Script,
    ) -> impl Iterator<Item = (&'a OutPoint, &'a Coin)> {
        self.0
            .iter()
            .filter(move |(_, coin)| coin.script.as_script() == script)
    }

    /// A hash over all coins: equal digests mean equal coins.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut engine = sha256d::Hash::engine();
        for (place, coin) in &self.0 {
            place
                .consensus_encode(&mut engine)
                .and_then(|_| coin.value.consensus_encode(&mut engine))
                .and_then(|_| coin.script.consensus_encode(&mut engine))
                .expect("a hash engine takes every byte");
            engine.input(&coin.height.to_le_bytes());
            engine.input(&[u8::from(coin.is_coinbase)]);
        }
        sha256d::Hash::from_engine(engine).to_byte_array()
    }
}

/// The coins as they would be after some blocks and transactions more or less.
#[derive(Debug)]
pub(super) struct CoinView<'a> {
    base: &'a UtxoSet,
    changes: Changes,
}

impl<'a> CoinView<'a> {
    /// The coins as they are.
    pub(super) fn new(base: &'a UtxoSet) -> Self {
        Self {
            base,
            changes: Changes::new(),
        }
    }

    /// What differs from the coins as they are.
    pub(super) fn into_changes(self) -> Changes {
        self.changes
    }

    /// The coin at `place`.
    pub(super) fn get(&self, place: &OutPoint) -> Option<&Coin> {
        match self.changes.get(place) {
            Some(changed) => changed.as_ref(),
            None => self.base.get(place),
        }
    }

    /// Checks that `tx`, which is no coinbase, may spend its inputs at `height`, and returns its fee.
    pub(super) fn check_inputs(
        &self,
        tx: &Transaction,
        height: u32,
        rules: &Rules,
    ) -> Result<Amount, Refusal> {
        let mut paid_in = Amount::ZERO;
        for input in &tx.input {
            let coin = self
                .get(&input.previous_output)
                .ok_or(Refusal::new("bad-txns-inputs-missingorspent"))?;
            let mature = coin.height.saturating_add(rules.coinbase_maturity);
            ensure(
                !coin.is_coinbase || height >= mature,
                "bad-txns-premature-spend-of-coinbase",
            )?;
            paid_in = add_money(paid_in, coin.value, "bad-txns-inputvalues-outofrange")?;
        }
        let paid_out = tx.output.iter().try_fold(Amount::ZERO, |sum, output| {
            add_money(sum, output.value, "bad-txns-txouttotal-toolarge")
        })?;
        paid_in
            .checked_sub(paid_out)
            .ok_or(Refusal::new("bad-txns-in-belowout"))
    }

    /// Spends the inputs of `tx` and adds its outputs, and returns what was spent.
    ///
    /// Its inputs have passed [`CoinView::check_inputs`], or it is a coinbase, which spends nothing.
    pub(super) fn connect_transaction(&mut self, tx: &Transaction, height: u32) -> Spent {
        let mut spent = Spent::new();
        for input in &tx.input {
            if let Some(coin) = self.get(&input.previous_output).cloned() {
                self.changes.insert(input.previous_output, None);
                spent.push((input.previous_output, coin));
            }
        }
        for (place, coin) in outputs(tx, height) {
            self.changes.insert(place, Some(coin));
        }
        spent
    }

    /// Checks and connects the transactions of `block`, and returns what they spent.
    ///
    /// After a refusal the view is of no more use.
    pub(super) fn connect_block(
        &mut self,
        block: &Block,
        height: u32,
        rules: &Rules,
    ) -> Result<Spent, Refusal> {
        let mut spent = Spent::new();
        let mut allowed = Amount::from_sat(rules.subsidy.sats());
        for (index, tx) in block.txdata.iter().enumerate() {
            if index > 0 {
                let fee = self.check_inputs(tx, height, rules)?;
                allowed = allowed
                    .checked_add(fee)
                    .ok_or(Refusal::new("bad-txns-accumulated-fee-outofrange"))?;
            }
            spent.extend(self.connect_transaction(tx, height));
        }
        let paid = block.txdata.first().map_or(Ok(Amount::ZERO), |coinbase| {
            coinbase.output.iter().try_fold(Amount::ZERO, |sum, output| {
                add_money(sum, output.value, "bad-txns-txouttotal-toolarge")
            })
        })?;
        ensure(paid <= allowed, "bad-cb-amount")?;
        Ok(spent)
    }

    /// Connects a block that was valid before and spent `spent`.
    pub(super) fn redo_block(&mut self, block: &Block, height: u32, spent: &Spent) {
        for tx in &block.txdata {
            for (place, coin) in outputs(tx, height) {
                self.changes.insert(place, Some(coin));
            }
        }
        for (place, _) in spent {
            self.changes.insert(*place, None);
        }
    }

    /// Takes back the topmost block, which spent `spent`.
    pub(super) fn undo_block(&mut self, block: &Block, height: u32, spent: &Spent) {
        // What one transaction of the block paid to the next is in `spent` too: the second loop removes it.
        for (place, coin) in spent {
            self.changes.insert(*place, Some(coin.clone()));
        }
        for tx in &block.txdata {
            for (place, _) in outputs(tx, height) {
                self.changes.insert(place, None);
            }
        }
    }
}

/// The coins that `tx` makes. Outputs that nobody can ever spend are none.
fn outputs(tx: &Transaction, height: u32) -> impl Iterator<Item = (OutPoint, Coin)> {
    let (txid, is_coinbase) = (tx.compute_txid(), tx.is_coinbase());
    (0u32..)
        .zip(&tx.output)
        .filter(|(_, output)| !output.script_pubkey.is_op_return())
        .map(move |(vout, output)| {
            let coin = Coin {
                value: output.value,
                script: output.script_pubkey.clone(),
                height,
                is_coinbase,
            };
            (OutPoint { txid, vout }, coin)
        })
}

fn add_money(a: Amount, b: Amount, word: &'static str) -> Result<Amount, Refusal> {
    a.checked_add(b)
        .filter(|sum| *sum <= Amount::MAX_MONEY)
        .ok_or(Refusal::new(word))
}
