//! Lists within a cell.

use dwarves_domain::payouts::{OutPoint, Txid};
use dwarves_domain::work::template::TemplateTransaction;

/// Transactions as the column holds them: of each the length of its data, its id and its data.
pub fn encode_transactions(transactions: &[TemplateTransaction]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for transaction in transactions {
        let length = u32::try_from(transaction.data.len()).expect("a transaction is smaller than a block");
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&transaction.txid);
        bytes.extend_from_slice(&transaction.data);
    }
    bytes
}

/// The transactions of such a column; `None` if it is something else.
pub fn decode_transactions(mut bytes: &[u8]) -> Option<Vec<TemplateTransaction>> {
    let mut transactions = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (txid, rest) = rest.split_first_chunk::<32>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (data, rest) = rest.split_at_checked(length)?;
        transactions.push(TemplateTransaction {
            data: data.to_vec(),
            txid: *txid,
        });
        bytes = rest;
    }
    Some(transactions)
}

/// Spent outputs as the column holds them: of each its transaction's id and its number.
pub fn encode_inputs(inputs: &[OutPoint]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(inputs.len() * 36);
    for input in inputs {
        bytes.extend_from_slice(input.txid.as_bytes());
        bytes.extend_from_slice(&input.vout.to_be_bytes());
    }
    bytes
}

/// The outputs of such a column; `None` if it is something else.
pub fn decode_inputs(mut bytes: &[u8]) -> Option<Vec<OutPoint>> {
    let mut inputs = Vec::new();
    while !bytes.is_empty() {
        let (txid, rest) = bytes.split_first_chunk::<32>()?;
        let (vout, rest) = rest.split_first_chunk::<4>()?;
        inputs.push(OutPoint {
            txid: Txid::from_bytes(*txid),
            vout: u32::from_be_bytes(*vout),
        });
        bytes = rest;
    }
    Some(inputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_survive_storing_and_what_is_cut_off_does_not_parse() {
        let transaction = |byte: u8, length| TemplateTransaction {
            data: vec![byte; length],
            txid: [byte; 32],
        };
        let transactions = vec![transaction(1, 0), transaction(2, 300), transaction(3, 1)];
        let bytes = encode_transactions(&transactions);
        assert_eq!(decode_transactions(&bytes).as_ref(), Some(&transactions));
        for end in [1, 4, 35, 37, bytes.len() - 1] {
            assert_eq!(decode_transactions(&bytes[..end]), None, "cut at {end}");
        }
        assert_eq!(decode_transactions(&[]), Some(Vec::new()));
    }

    #[test]
    fn inputs_survive_storing_and_what_is_cut_off_does_not_parse() {
        let input = |byte: u8, vout| OutPoint {
            txid: Txid::from_bytes([byte; 32]),
            vout,
        };
        let inputs = vec![input(1, 0), input(2, u32::MAX)];
        let bytes = encode_inputs(&inputs);
        assert_eq!(decode_inputs(&bytes).as_ref(), Some(&inputs));
        assert_eq!(decode_inputs(&bytes[..71]), None);
    }
}
