//! One message after another, by the `sha2` package.

use sha2::compress256;
use sha2::digest::generic_array::GenericArray;

use crate::constants::{BLOCK_LEN, Block, INITIAL, State, padding_of};

pub(crate) fn merkle_roots(midstate: &State, tails: &[Block], branch: &[[u8; 32]], roots: &mut [[u8; 32]]) {
    const PADDING: Block = padding_of(&[], 2 * 32);
    let of_each = tails.len() / roots.len();
    for (root, tail) in roots.iter_mut().zip(tails.chunks_exact(of_each)) {
        *root = twice(*midstate, tail);
        for sibling in branch {
            let mut blocks = [[0; BLOCK_LEN], PADDING];
            blocks[0][..32].copy_from_slice(root);
            blocks[0][32..].copy_from_slice(sibling);
            *root = twice(INITIAL, &blocks);
        }
    }
}

pub(crate) fn headers(headers: &[[u8; 80]], hashes: &mut [[u8; 32]]) {
    const PADDING: Block = padding_of(&[0; 16], 80);
    for (header, hash) in headers.iter().zip(hashes) {
        let mut blocks = [[0; BLOCK_LEN], PADDING];
        blocks[0].copy_from_slice(&header[..BLOCK_LEN]);
        blocks[1][..16].copy_from_slice(&header[BLOCK_LEN..]);
        *hash = twice(INITIAL, &blocks);
    }
}

/// Hashes padded blocks, and the hash once more.
fn twice(mut state: State, blocks: &[Block]) -> [u8; 32] {
    const PADDING: Block = padding_of(&[0; 32], 32);
    for block in blocks {
        compress256(&mut state, &[GenericArray::from(*block)]);
    }
    let mut block = PADDING;
    write(&state, &mut block);
    let mut state = INITIAL;
    compress256(&mut state, &[GenericArray::from(block)]);
    let mut hash = [0; 32];
    write(&state, &mut hash);
    hash
}

fn write(state: &State, bytes: &mut [u8]) {
    for (place, word) in bytes.chunks_exact_mut(4).zip(state) {
        place.copy_from_slice(&word.to_be_bytes());
    }
}
