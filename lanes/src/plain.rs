//! One message after another, by the `sha2` package.
//!
//! Nodes and headers have a fixed length, so their padding is known beforehand and no buffers are filled.

use sha2::compress256;
use sha2::digest::generic_array::GenericArray;

use crate::constants::{BLOCK_LEN, Block, INITIAL, State, padding_of, write};

/// The state after one more block.
pub fn compressed(mut state: State, block: &Block) -> State {
    compress256(&mut state, &[GenericArray::from(*block)]);
    state
}

/// The SHA-256d of 64 bytes that stand in two halves: the parent of two nodes of a merkle tree.
pub fn of_pair(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    const PADDING: Block = padding_of(&[], 2 * 32);
    let mut blocks = [[0; BLOCK_LEN], PADDING];
    blocks[0][..32].copy_from_slice(left);
    blocks[0][32..].copy_from_slice(right);
    twice(INITIAL, &blocks)
}

/// The SHA-256d of a header's 80 bytes.
pub fn of_header(header: &[u8; 80]) -> [u8; 32] {
    const PADDING: Block = padding_of(&[0; 16], 80);
    let mut blocks = [[0; BLOCK_LEN], PADDING];
    blocks[0].copy_from_slice(&header[..BLOCK_LEN]);
    blocks[1][..16].copy_from_slice(&header[BLOCK_LEN..]);
    twice(INITIAL, &blocks)
}

/// The SHA-256d of a message: the state after what was hashed of it, and the blocks of the rest, padding included.
pub fn twice(state: State, blocks: &[Block]) -> [u8; 32] {
    const PADDING: Block = padding_of(&[0; 32], 32);
    let mut block = PADDING;
    block[..32].copy_from_slice(&bytes_of(&blocks.iter().fold(state, compressed)));
    bytes_of(&compressed(INITIAL, &block))
}

/// A hash as its bytes.
fn bytes_of(state: &State) -> [u8; 32] {
    let mut bytes = [0; 32];
    write(state, &mut bytes);
    bytes
}

pub(crate) fn merkle_roots(midstate: &State, tails: &[Block], branch: &[[u8; 32]], roots: &mut [[u8; 32]]) {
    let of_each = tails.len() / roots.len();
    for (root, tail) in roots.iter_mut().zip(tails.chunks_exact(of_each)) {
        *root = branch
            .iter()
            .fold(twice(*midstate, tail), |node, sibling| of_pair(&node, sibling));
    }
}

pub(crate) fn headers(headers: &[[u8; 80]], hashes: &mut [[u8; 32]]) {
    for (header, hash) in headers.iter().zip(hashes) {
        *hash = of_header(header);
    }
}
