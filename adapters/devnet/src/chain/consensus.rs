//! What makes a block valid without looking at the coins that it spends.
//!
//! The checks run in Bitcoin Core's order and refuse in its words (BIP22 result strings), so that what a
//! pool learns here holds on a real node.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use bitcoin::consensus::encode::deserialize;
use bitcoin::hashes::Hash;
use bitcoin::script::Builder;
use bitcoin::{Amount, Block, Transaction, VarInt, Weight, block, merkle_tree};
use dwarves_domain::ids::HeaderHash;
use dwarves_domain::target::{CompactTarget, Target};

/// How far ahead of the clock a header's time may be, in seconds.
pub(super) const FUTURE_SECS_MAX: u32 = 7_200;
/// How many headers the median time is taken of (BIP113).
pub(super) const MEDIAN_OF: usize = 11;
/// How a witness commitment's script begins (BIP141).
const COMMITMENT_MAGIC: [u8; 6] = [0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];
/// The length of a witness commitment's script, at least.
const COMMITMENT_LEN: usize = 38;

/// Why a block or a transaction is not valid, in Bitcoin Core's word for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(Cow<'static, str>);

impl Refusal {
    /// A refusal with this word.
    pub(super) const fn new(word: &'static str) -> Self {
        Self(Cow::Borrowed(word))
    }

    /// The reason as Bitcoin Core spells it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// `Ok` if `holds`, or else a refusal with `word`.
pub(super) fn ensure(holds: bool, word: &'static str) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(Refusal::new(word)) }
}

/// Where a block stands, as far as its header and its lock times are concerned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    /// The height of the block in its branch.
    pub(super) height: u32,
    /// The bits that the chain demands at this height.
    pub(super) bits: CompactTarget,
    /// The median time of the blocks before it.
    pub(super) median_time: u32,
}

/// Reads a block. Bytes left over are refused too.
pub(super) fn decode(bytes: &[u8]) -> Result<Block, Refusal> {
    let len_max = usize::try_from(Weight::MAX_BLOCK.to_wu()).unwrap_or(usize::MAX);
    ensure(bytes.len() <= len_max, "bad-blk-length")?;
    deserialize(bytes).map_err(|_| Refusal::new("Block decode failed"))
}

/// The name of a block in the domain's type.
pub(super) fn header_hash(hash: bitcoin::BlockHash) -> HeaderHash {
    HeaderHash::from_bytes(hash.to_byte_array())
}

/// Checks what can be seen from the block alone: its work, its merkle root and the form of its transactions.
pub(super) fn check_block(block: &Block) -> Result<(), Refusal> {
    let bits = CompactTarget::from_bits(block.header.bits.to_consensus());
    let hash = header_hash(block.block_hash());
    ensure(
        Target::from_compact(bits).is_ok_and(|target| target.is_met_by(&hash)),
        "high-hash",
    )?;
    let txids: Vec<_> = block.txdata.iter().map(Transaction::compute_txid).collect();
    let root = merkle_tree::calculate_root(txids.iter().map(|txid| txid.to_raw_hash()));
    ensure(
        root.map(Into::into) == Some(block.header.merkle_root),
        "bad-txnmrklroot",
    )?;
    // A tree with repeated leaves can have the root of the tree without them (CVE-2012-2459).
    let distinct: HashSet<_> = txids.iter().collect();
    ensure(distinct.len() == txids.len(), "bad-txns-duplicate")?;
    let bare: usize = block.txdata.iter().map(Transaction::base_size).sum();
    let bare = block::Header::SIZE + VarInt::from(txids.len()).size() + bare;
    ensure(
        Weight::from_non_witness_data_size(bare as u64) <= Weight::MAX_BLOCK,
        "bad-blk-length",
    )?;
    let (first, others) = block.txdata.split_first().ok_or(Refusal::new("bad-cb-missing"))?;
    ensure(first.is_coinbase(), "bad-cb-missing")?;
    ensure(!others.iter().any(Transaction::is_coinbase), "bad-cb-multiple")?;
    block.txdata.iter().try_for_each(check_transaction)
}

/// Checks what can be seen from a transaction alone.
pub(super) fn check_transaction(tx: &Transaction) -> Result<(), Refusal> {
    ensure(!tx.input.is_empty(), "bad-txns-vin-empty")?;
    ensure(!tx.output.is_empty(), "bad-txns-vout-empty")?;
    ensure(
        Weight::from_non_witness_data_size(tx.base_size() as u64) <= Weight::MAX_BLOCK,
        "bad-txns-oversize",
    )?;
    let mut total = Amount::ZERO;
    for output in &tx.output {
        ensure(output.value <= Amount::MAX_MONEY, "bad-txns-vout-toolarge")?;
        total = total
            .checked_add(output.value)
            .filter(|total| *total <= Amount::MAX_MONEY)
            .ok_or(Refusal::new("bad-txns-txouttotal-toolarge"))?;
    }
    let distinct: HashSet<_> = tx.input.iter().map(|input| input.previous_output).collect();
    ensure(distinct.len() == tx.input.len(), "bad-txns-inputs-duplicate")?;
    if tx.is_coinbase() {
        ensure((2..=100).contains(&tx.input[0].script_sig.len()), "bad-cb-length")
    } else {
        ensure(
            !tx.input.iter().any(|input| input.previous_output.is_null()),
            "bad-txns-prevout-null",
        )
    }
}

/// Checks a header where it stands. `time_max` is the latest time that the clock allows.
pub(super) fn check_header(
    header: &block::Header,
    position: &Position,
    time_max: u32,
) -> Result<(), Refusal> {
    ensure(header.bits.to_consensus() == position.bits.bits(), "bad-diffbits")?;
    ensure(header.time > position.median_time, "time-too-old")?;
    ensure(header.time <= time_max, "time-too-new")?;
    let version = header.version.to_consensus();
    if version < 4 {
        return Err(Refusal(Cow::Owned(format!("bad-version(0x{version:08x})"))));
    }
    Ok(())
}

/// Checks a block's transactions where they stand: lock times, height (BIP34), witness commitment, weight.
///
/// `block` has passed [`check_block`].
pub(super) fn check_contents(block: &Block, position: &Position) -> Result<(), Refusal> {
    ensure(
        block.txdata.iter().all(|tx| is_final(tx, position)),
        "bad-txns-nonfinal",
    )?;
    let height = Builder::new().push_int(i64::from(position.height));
    let script = &block.txdata[0].input[0].script_sig;
    ensure(script.as_bytes().starts_with(height.as_bytes()), "bad-cb-height")?;
    check_witness(block)?;
    ensure(block.weight() <= Weight::MAX_BLOCK, "bad-blk-weight")
}

/// Whether the lock time of `tx` has passed in a block at `position` (BIP113).
pub(super) fn is_final(tx: &Transaction, position: &Position) -> bool {
    let passed = if tx.lock_time.is_block_height() {
        position.height
    } else {
        position.median_time
    };
    tx.lock_time.to_consensus_u32() < passed || !tx.is_lock_time_enabled()
}

fn check_witness(block: &Block) -> Result<(), Refusal> {
    let coinbase = &block.txdata[0];
    let commitment = coinbase
        .output
        .iter()
        .map(|output| output.script_pubkey.as_bytes())
        .rfind(|script| script.len() >= COMMITMENT_LEN && script.starts_with(&COMMITMENT_MAGIC));
    let Some(commitment) = commitment else {
        let bare = |tx: &Transaction| tx.input.iter().all(|input| input.witness.is_empty());
        return ensure(block.txdata.iter().all(bare), "unexpected-witness");
    };
    let stack = &coinbase.input[0].witness;
    let reserved = stack
        .nth(0)
        .filter(|item| item.len() == 32 && stack.len() == 1)
        .ok_or(Refusal::new("bad-witness-nonce-size"))?;
    let root = block
        .witness_root()
        .ok_or(Refusal::new("bad-witness-merkle-match"))?;
    let right = Block::compute_witness_commitment(&root, reserved);
    ensure(
        commitment[COMMITMENT_MAGIC.len()..COMMITMENT_LEN] == *right.as_byte_array(),
        "bad-witness-merkle-match",
    )
}

/// The script of the output that commits to the witnesses of a block with these transactions after its
/// coinbase, for a reserved value of zeros (BIP141).
pub(super) fn commitment_script<'a>(others: impl Iterator<Item = &'a Transaction>) -> Vec<u8> {
    let coinbase = bitcoin::Wtxid::all_zeros().to_raw_hash();
    let wtxids = others.map(|tx| tx.compute_wtxid().to_raw_hash());
    let root = merkle_tree::calculate_root(std::iter::once(coinbase).chain(wtxids))
        .expect("a block has at least its coinbase");
    let commitment = Block::compute_witness_commitment(&root.into(), &[0; 32]);
    [&COMMITMENT_MAGIC[..], commitment.as_byte_array()].concat()
}
