//! SHA-256d, the double SHA-256 of Bitcoin, for what every share needs: nodes of a merkle tree and headers.
//!
//! Both have a fixed length, so their padding is known beforehand and no buffers are filled. Judging one share takes
//! some forty compressions; what a general hasher adds to each was a tenth of the whole share's cost.

use sha2::compress256;
use sha2::digest::generic_array::GenericArray;

/// The state that SHA-256 begins with (FIPS 180-4, section 5.3.3).
pub const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];
/// Bytes of one compression.
const BLOCK_LEN: usize = 64;

type Block = [u8; BLOCK_LEN];

/// The hash of 64 bytes that stand in two halves: the parent of two nodes.
pub fn of_pair(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    const PADDING: Block = padding(&[], 2 * 32);
    let mut block = [0; BLOCK_LEN];
    block[..32].copy_from_slice(left);
    block[32..].copy_from_slice(right);
    twice([block, PADDING])
}

/// The hash of a header's 80 bytes.
pub fn of_header(header: &[u8; 80]) -> [u8; 32] {
    const PADDING: Block = padding(&[0; 16], 80);
    let mut blocks = [[0; BLOCK_LEN], PADDING];
    blocks[0].copy_from_slice(&header[..BLOCK_LEN]);
    blocks[1][..16].copy_from_slice(&header[BLOCK_LEN..]);
    twice(blocks)
}

/// Hashes padded blocks, and the hash once more.
fn twice(blocks: [Block; 2]) -> [u8; 32] {
    const PADDING: Block = padding(&[0; 32], 32);
    let mut block = PADDING;
    block[..32].copy_from_slice(&hash(&blocks.map(GenericArray::from)));
    hash(&[GenericArray::from(block)])
}

fn hash(blocks: &[GenericArray<u8, sha2::digest::consts::U64>]) -> [u8; 32] {
    let mut state = INITIAL;
    compress256(&mut state, blocks);
    let mut bytes = [0; 32];
    for (place, word) in bytes.chunks_exact_mut(4).zip(state) {
        place.copy_from_slice(&word.to_be_bytes());
    }
    bytes
}

/// The last block of a message of `len` bytes that ends with `rest` (FIPS 180-4, section 5.1.1).
const fn padding(rest: &[u8], len: u64) -> Block {
    let mut block = [0; BLOCK_LEN];
    block[rest.len()] = 0x80;
    let bits = (8 * len).to_be_bytes();
    let mut at = 0;
    while at < bits.len() {
        block[BLOCK_LEN - bits.len() + at] = bits[at];
        at += 1;
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::hashes::{Hash, sha256d};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_sha256d_of_everybody_else(left in any::<[u8; 32]>(), right in any::<[u8; 32]>(), rest in any::<[u8; 16]>()) {
            let both = [left, right].concat();
            prop_assert_eq!(of_pair(&left, &right), sha256d::Hash::hash(&both).to_byte_array());
            let mut header = [0; 80];
            header[..64].copy_from_slice(&both);
            header[64..].copy_from_slice(&rest);
            prop_assert_eq!(of_header(&header), sha256d::Hash::hash(&header).to_byte_array());
        }
    }
}
