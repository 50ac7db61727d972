//! Whether a signed transaction pays just what it should: read by the pool itself, whoever made it.

use bitcoin::hashes::Hash;

use super::batch::Output;
use super::txid::{OutPoint, Txid};

/// A transaction as far as the pool must know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// The transaction's id.
    pub txid: Txid,
    /// What it spends.
    pub inputs: Vec<OutPoint>,
    /// What it pays: script and sats of each output.
    pub outputs: Vec<(Vec<u8>, u64)>,
}

/// Why a transaction is not the payout's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// Not a transaction.
    #[error("the wallet's transaction cannot be read")]
    Unreadable,
    /// It spends nothing.
    #[error("the wallet's transaction has no inputs")]
    NoInputs,
    /// A payment is missing, or of another amount.
    #[error("the wallet's transaction does not pay {amount} sats to {address}")]
    NotPaid {
        /// The address that was to be paid.
        address: String,
        /// How much it should pay.
        amount: u64,
    },
    /// It pays others too: more than the one output of change.
    #[error("the wallet's transaction has {extra} outputs beside the payments; one of change is allowed")]
    Extra {
        /// How many outputs nobody asked for.
        extra: usize,
    },
}

/// Reads a serialized transaction.
///
/// # Errors
/// If it is none.
pub fn read_transaction(bytes: &[u8]) -> Result<Transaction, TransactionError> {
    let transaction: bitcoin::Transaction =
        bitcoin::consensus::deserialize(bytes).map_err(|_| TransactionError::Unreadable)?;
    let inputs = transaction.input.iter().map(|input| OutPoint {
        txid: Txid::from_bytes(input.previous_output.txid.to_byte_array()),
        vout: input.previous_output.vout,
    });
    let outputs = transaction
        .output
        .iter()
        .map(|output| (output.script_pubkey.to_bytes(), output.value.to_sat()));
    Ok(Transaction {
        txid: Txid::from_bytes(transaction.compute_txid().to_byte_array()),
        inputs: inputs.collect(),
        outputs: outputs.collect(),
    })
}

impl Transaction {
    /// Checks that it pays each of `expected` once, and nobody else but one output of change.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_pays(&self, expected: &[Output]) -> Result<(), TransactionError> {
        if self.inputs.is_empty() {
            return Err(TransactionError::NoInputs);
        }
        let mut left: Vec<(&[u8], u64)> = self.outputs.iter().map(|(s, v)| (s.as_slice(), *v)).collect();
        left.sort_unstable();
        let mut wanted: Vec<(&[u8], u64, &str)> = expected
            .iter()
            .map(|output| {
                (
                    output.script.as_slice(),
                    output.amount.sats(),
                    output.address.as_str(),
                )
            })
            .collect();
        wanted.sort_unstable();
        let mut extra = left.len();
        let mut left = left.into_iter().peekable();
        for (script, amount, address) in wanted {
            // Both lists are in order, so what comes before the wanted payment is nobody's.
            while left.next_if(|output| *output < (script, amount)).is_some() {}
            if left.next_if(|output| *output == (script, amount)).is_none() {
                return Err(TransactionError::NotPaid {
                    address: address.to_owned(),
                    amount,
                });
            }
            extra -= 1;
        }
        if extra > 1 {
            return Err(TransactionError::Extra { extra });
        }
        Ok(())
    }
}
