//! PBKDF2-HMAC-SHA256 with one turn, as scrypt begins and ends (RFC 7914, section 6), of several headers in the lanes that
//! hash anything else.

use super::MAX_WIDTH;
use super::rows::Row;
use crate::Lanes;
use crate::constants::{BLOCK_LEN, Block, INITIAL, State, padding_of, write};

/// Where each header's HMAC stands after its key.
pub(super) struct Keys {
    inner: [State; MAX_WIDTH],
    outer: [State; MAX_WIDTH],
}

impl Keys {
    /// The keys that headers are, and in `blocks` what ROMix begins with.
    pub(super) fn of(lanes: Lanes, headers: &[[u8; 80]], blocks: &mut [Row; MAX_WIDTH]) -> Self {
        /// Key, header, number of the part.
        const PADDING: Block = padding_of(&[0; 20], BLOCK_LEN as u64 + 84);
        let count = headers.len();
        let begins = each(headers, |header| {
            let mut block = [0; BLOCK_LEN];
            block.copy_from_slice(&header[..BLOCK_LEN]);
            block
        });
        let keys = keys(lanes, headers, &begins[..count]);
        let mut salted = keys.inner;
        lanes.compress(&mut salted[..count], &begins[..count]);
        let mut bytes = [[0; 128]; MAX_WIDTH];
        for part in 0..4_usize {
            let ends = each(headers, |header| {
                let mut block = PADDING;
                block[..16].copy_from_slice(&header[BLOCK_LEN..]);
                // A big-endian number from one on.
                block[19] = part as u8 + 1;
                block
            });
            let mut states = salted;
            lanes.compress(&mut states[..count], &ends[..count]);
            let hashes = keys.outer(lanes, &states[..count]);
            for (bytes, hash) in bytes.iter_mut().zip(&hashes) {
                write(hash, &mut bytes[32 * part..32 * part + 32]);
            }
        }
        for (block, bytes) in blocks.iter_mut().zip(&bytes).take(count) {
            *block = Row::of(bytes);
        }
        keys
    }

    /// The hashes, from what ROMix has made of the blocks.
    pub(super) fn finish(&self, lanes: Lanes, blocks: &[Row; MAX_WIDTH], hashes: &mut [[u8; 32]]) {
        /// Key, block, number of the part.
        const LAST: Block = padding_of(&[0, 0, 0, 1], BLOCK_LEN as u64 + 132);
        let count = hashes.len();
        let mut halves = [[[0; BLOCK_LEN]; MAX_WIDTH]; 2];
        for (n, block) in blocks.iter().enumerate().take(count) {
            let bytes = block.bytes();
            halves[0][n].copy_from_slice(&bytes[..BLOCK_LEN]);
            halves[1][n].copy_from_slice(&bytes[BLOCK_LEN..]);
        }
        let mut states = self.inner;
        for blocks in [&halves[0], &halves[1], &[LAST; MAX_WIDTH]] {
            lanes.compress(&mut states[..count], &blocks[..count]);
        }
        for (state, hash) in self.outer(lanes, &states[..count]).iter().zip(hashes) {
            write(state, hash);
        }
    }

    /// The outer hash of inner ones.
    fn outer(&self, lanes: Lanes, inner: &[State]) -> [State; MAX_WIDTH] {
        const PADDING: Block = padding_of(&[0; 32], BLOCK_LEN as u64 + 32);
        let blocks = each(inner, |state| {
            let mut block = PADDING;
            write(state, &mut block);
            block
        });
        let mut states = self.outer;
        lanes.compress(&mut states[..inner.len()], &blocks[..inner.len()]);
        states
    }
}

/// A header is longer than a block, so the key is its hash.
fn keys(lanes: Lanes, headers: &[[u8; 80]], begins: &[Block]) -> Keys {
    const PADDING: Block = padding_of(&[0; 16], 80);
    let count = headers.len();
    let ends = each(headers, |header| {
        let mut block = PADDING;
        block[..16].copy_from_slice(&header[BLOCK_LEN..]);
        block
    });
    let mut hashes = [INITIAL; MAX_WIDTH];
    lanes.compress(&mut hashes[..count], begins);
    lanes.compress(&mut hashes[..count], &ends[..count]);
    let [inner, outer] = [0x36, 0x5c].map(|pad| {
        let blocks = each(&hashes[..count], |hash| {
            let mut block = [0; BLOCK_LEN];
            write(hash, &mut block);
            block.map(|byte| byte ^ pad)
        });
        let mut states = [INITIAL; MAX_WIDTH];
        lanes.compress(&mut states[..count], &blocks[..count]);
        states
    });
    Keys { inner, outer }
}

/// A block for each of some.
fn each<T>(items: &[T], block_of: impl Fn(&T) -> Block) -> [Block; MAX_WIDTH] {
    let mut blocks = [[0; BLOCK_LEN]; MAX_WIDTH];
    for (block, item) in blocks.iter_mut().zip(items) {
        *block = block_of(item);
    }
    blocks
}
