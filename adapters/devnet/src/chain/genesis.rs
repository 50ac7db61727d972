//! The first block of every devnet, the same whatever the settings are.

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash;
use bitcoin::script::Builder;
use bitcoin::{
    Amount, Block, BlockHash, CompactTarget, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxMerkleNode,
    TxOut, Witness, transaction,
};

/// Its time: that of regtest's genesis, 2011-02-02, long before any clock that a devnet runs on.
pub(super) const TIME: u32 = 1_296_688_602;
/// Its bits: the easiest that Bitcoin knows, so that its work does not count against any other block's.
const BITS: u32 = 0x207f_ffff;
/// The first nonce that meets them.
const NONCE: u32 = 0;
/// What its coinbase says.
const MESSAGE: &[u8] = b"Dwarves devnet: coins of no value";

/// Builds the block. Its coinbase pays nobody.
pub(super) fn block() -> Block {
    let script_sig = Builder::new()
        .push_int(0)
        .push_slice::<&bitcoin::script::PushBytes>(
            MESSAGE
                .try_into()
                .expect("a line of text is short enough to be pushed"),
        )
        .into_script();
    let coinbase = Transaction {
        version: transaction::Version::ONE,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::null(),
            script_sig,
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output: vec![TxOut {
            value: Amount::ZERO,
            script_pubkey: ScriptBuf::new_op_return([]),
        }],
    };
    let header = Header {
        version: Version::from_consensus(4),
        prev_blockhash: BlockHash::all_zeros(),
        merkle_root: TxMerkleNode::from(coinbase.compute_txid()),
        time: TIME,
        bits: CompactTarget::from_consensus(BITS),
        nonce: NONCE,
    };
    Block {
        header,
        txdata: vec![coinbase],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn genesis_never_changes_and_meets_its_own_bits() {
        let block = block();
        assert!(block.check_merkle_root());
        assert!(block.header.target().is_met_by(block.block_hash()));
        assert_eq!(
            block.block_hash().to_string(),
            "49e6ebb5e93d700afb53a503fcda490bb0f207ffee6346776dbe2f4a6faccac8"
        );
    }
}
