//! A coinbase as it stands in a block, taken apart for people to look at.

use bitcoin::consensus::{deserialize, deserialize_partial};
use bitcoin::hashes::Hash;
use bitcoin::script::Instruction;
use bitcoin::{Opcode, Script, Transaction, VarInt, opcodes};

use crate::payouts::Txid;
use crate::target::CompactTarget;
use crate::units::Amount;
use crate::work::extranonce::EXTRANONCE_LEN;

/// How an output begins that commits to witnesses (BIP141): the commitment itself follows.
const COMMITMENT_HEADER: [u8; 6] = [0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];
/// Bytes of a header, and where its compact target stands.
const HEADER_LEN: usize = 80;
const BITS_AT: usize = 72;

/// A coinbase, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedCoinbase {
    /// Its id.
    pub txid: Txid,
    /// The whole transaction, as it stands in the block.
    pub bytes: Vec<u8>,
    /// The height in its script (BIP34).
    pub height: Option<u32>,
    /// The text behind the pool's extranonce; empty if there is none that can be shown.
    pub tag: String,
    /// What it pays.
    pub outputs: Vec<CoinbaseOutput>,
    /// The commitment to all witnesses of the block, the last one if there are several (BIP141).
    pub witness_commitment: Option<[u8; 32]>,
}

/// One output of a coinbase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoinbaseOutput {
    /// How much it pays.
    pub value: Amount,
    /// The script that is paid.
    pub script: Vec<u8>,
}

impl DecodedCoinbase {
    /// The coinbase of these bytes; `None` if they are none.
    pub fn read(transaction: &[u8]) -> Option<Self> {
        Self::of_transaction(&deserialize(transaction).ok()?, transaction)
    }

    /// The first transaction of a block whose beginning this is, and the compact target in its header. What comes
    /// behind it is not looked at, so that blocks of chains with other things there are read all the same.
    pub fn of_block(beginning: &[u8]) -> Option<(CompactTarget, Self)> {
        let (header, rest) = beginning.split_at_checked(HEADER_LEN)?;
        let bits = header.get(BITS_AT..BITS_AT + 4)?.try_into().ok()?;
        let (_, count) = deserialize_partial::<VarInt>(rest).ok()?;
        let rest = rest.get(count..)?;
        let (transaction, length) = deserialize_partial::<Transaction>(rest).ok()?;
        let coinbase = Self::of_transaction(&transaction, rest.get(..length)?)?;
        Some((CompactTarget::from_bits(u32::from_le_bytes(bits)), coinbase))
    }

    fn of_transaction(transaction: &Transaction, bytes: &[u8]) -> Option<Self> {
        let input = transaction.input.first().filter(|_| transaction.is_coinbase())?;
        let outputs = transaction.output.iter().map(|output| {
            Some(CoinbaseOutput {
                value: Amount::from_sats(output.value.to_sat())?,
                script: output.script_pubkey.to_bytes(),
            })
        });
        let outputs = outputs.collect::<Option<Vec<_>>>()?;
        let commitments = outputs.iter().rev().find_map(|output| {
            let commitment = output.script.strip_prefix(&COMMITMENT_HEADER)?;
            commitment.first_chunk::<32>().copied()
        });
        Some(Self {
            txid: Txid::from_bytes(transaction.compute_txid().to_byte_array()),
            bytes: bytes.to_vec(),
            height: height_of(&input.script_sig),
            tag: tag_of(&input.script_sig),
            outputs,
            witness_commitment: commitments,
        })
    }
}

/// The number that a coinbase's script begins with.
fn height_of(script: &Script) -> Option<u32> {
    match script.instructions().next()?.ok()? {
        Instruction::PushBytes(bytes) => {
            let number = bitcoin::script::read_scriptint(bytes.as_bytes()).ok()?;
            u32::try_from(number).ok()
        }
        Instruction::Op(opcode) => small_number(opcode),
    }
}

fn small_number(opcode: Opcode) -> Option<u32> {
    let (one, sixteen) = (
        opcodes::all::OP_PUSHNUM_1.to_u8(),
        opcodes::all::OP_PUSHNUM_16.to_u8(),
    );
    let code = opcode.to_u8();
    (one..=sixteen).contains(&code).then(|| u32::from(code - one) + 1)
}

/// What a coinbase's script pushes. Behind the pool's own bytes there may be anything, also what is no script.
pub(super) fn pushes(script: &Script) -> Vec<&[u8]> {
    script
        .instructions()
        .map_while(Result::ok)
        .filter_map(|instruction| match instruction {
            Instruction::PushBytes(bytes) => Some(bytes.as_bytes()),
            Instruction::Op(_) => None,
        })
        .collect()
}

/// The text that is pushed behind the extranonce.
fn tag_of(script: &Script) -> String {
    let pushes = pushes(script);
    let tagged = pushes.windows(2).find(|pair| pair[0].len() == EXTRANONCE_LEN);
    let text = tagged.and_then(|pair| std::str::from_utf8(pair[1]).ok());
    text.filter(|text| text.chars().all(|c| !c.is_control()))
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::{Coinbase, CoinbaseForm, CoinbaseSpec};
    use super::*;
    use crate::ids::ExtraNonce;
    use proptest::prelude::*;

    fn coinbase(height: u32, tag: &str, sats: u64, commitment: Option<&[u8]>) -> Coinbase {
        Coinbase::new(&CoinbaseSpec {
            height,
            form: CoinbaseForm::Bip54,
            tag,
            payout_script: &[0, 20, 7],
            value: Amount::from_sats(sats).unwrap(),
            witness_commitment: commitment,
        })
        .unwrap()
    }

    #[test]
    fn the_coinbase_of_bitcoins_first_block_is_read() {
        let bytes = hex::decode(concat!(
            "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d0104455468652054",
            "696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365636f6e64206261696c6f757420",
            "666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61",
            "deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000",
        ))
        .unwrap();
        let read = DecodedCoinbase::read(&bytes).unwrap();
        assert_eq!(
            read.txid.to_string(),
            "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"
        );
        assert_eq!(read.outputs[0].value.sats(), 5_000_000_000);
        assert_eq!((read.tag.as_str(), read.witness_commitment), ("", None));
    }

    #[test]
    fn what_stands_behind_the_coinbase_is_not_looked_at() {
        let transaction = coinbase(7, "/x/", 9, None).transaction(ExtraNonce::new(1));
        let mut block = vec![0; HEADER_LEN];
        block[BITS_AT..BITS_AT + 4].copy_from_slice(&0x207f_ffff_u32.to_le_bytes());
        block.push(2);
        block.extend_from_slice(&transaction);
        block.extend_from_slice(&[0xff; 50]);
        let (bits, read) = DecodedCoinbase::of_block(&block).unwrap();
        assert_eq!(bits, CompactTarget::from_bits(0x207f_ffff));
        assert_eq!((read.height, read.bytes), (Some(7), transaction.clone()));
        for end in [0, 79, 80, 81, 81 + transaction.len() - 1] {
            assert_eq!(DecodedCoinbase::of_block(&block[..end]), None, "cut at {end}");
        }
    }

    proptest! {
        #[test]
        fn a_coinbase_of_the_pool_is_read_as_it_was_made(
            height in 1u32..8_000_000, extranonce in any::<u64>(), sats in 0u64..2_100_000_000_000_000,
            root in any::<[u8; 32]>(), has_witness in any::<bool>(), tag in "[a-z/ü]{0,30}",
        ) {
            let script = [&COMMITMENT_HEADER[..], &root].concat();
            let made = coinbase(height, &tag, sats, has_witness.then_some(&script[..]));
            let extranonce = ExtraNonce::new(extranonce);
            let read = DecodedCoinbase::read(&made.transaction(extranonce)).unwrap();
            prop_assert_eq!(read.txid.as_bytes(), &made.txid(extranonce));
            prop_assert_eq!((read.height, read.tag), (Some(height), tag));
            prop_assert_eq!(read.outputs.len(), 1 + usize::from(has_witness));
            prop_assert_eq!(read.outputs[0].value.sats(), sats);
            prop_assert_eq!(&read.outputs[0].script, &[0, 20, 7]);
            prop_assert_eq!(read.witness_commitment, has_witness.then_some(root));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _any = (DecodedCoinbase::read(&bytes), DecodedCoinbase::of_block(&bytes));
        }
    }
}
