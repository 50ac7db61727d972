//! What of a coinbase is left to hash once its extranonce is known.

use dwarves_lanes::{BLOCK_LEN, Block, INITIAL, State, plain};

use super::super::extranonce::{EXTRANONCE_LEN, FullExtraNonce};

/// A coinbase on its way through SHA-256: what comes before the block with its extranonce is hashed, the rest is padded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    midstate: State,
    blocks: Vec<Block>,
    extranonce_at: usize,
}

impl Tail {
    /// The tail of a coinbase with these bytes before and after its extranonce.
    pub(super) fn new(prefix: &[u8], suffix: &[u8]) -> Self {
        let (hashed, rest) = prefix.as_chunks::<BLOCK_LEN>();
        let mut padded = [rest, &[0; EXTRANONCE_LEN], suffix, &[0x80]].concat();
        // FIPS 180-4, section 5.1.1: zeros, and the message's length in bits at the end of a block.
        let length_at = (padded.len() + 8).next_multiple_of(BLOCK_LEN) - 8;
        padded.resize(length_at, 0);
        let bits = 8 * (prefix.len() + EXTRANONCE_LEN + suffix.len()) as u64;
        padded.extend_from_slice(&bits.to_be_bytes());
        let (blocks, rest_of_block) = padded.as_chunks::<BLOCK_LEN>();
        assert!(rest_of_block.is_empty(), "padding fills the last block");
        Self {
            midstate: hashed.iter().fold(INITIAL, plain::compressed),
            blocks: blocks.to_vec(),
            extranonce_at: rest.len(),
        }
    }

    /// The state before the first of the blocks.
    pub(super) fn midstate(&self) -> &State {
        &self.midstate
    }

    /// Appends the blocks with this extranonce, as many for each.
    pub(super) fn append(&self, extranonce: FullExtraNonce, blocks: &mut Vec<Block>) {
        let begin = blocks.len();
        blocks.extend_from_slice(&self.blocks);
        let place = blocks[begin..].as_flattened_mut();
        place[self.extranonce_at..self.extranonce_at + EXTRANONCE_LEN].copy_from_slice(extranonce.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::hashes::{Hash, sha256d};
    use proptest::prelude::*;

    proptest! {
        /// At every length of what stands before and after: the extranonce may lie across two blocks.
        #[test]
        fn it_leads_to_the_hash_of_the_whole(
            bytes in prop::collection::vec(any::<u8>(), 300), before in 0_usize..150, after in 0_usize..150,
            extranonce in any::<[u8; EXTRANONCE_LEN]>(),
        ) {
            let (prefix, suffix) = (&bytes[..before], &bytes[bytes.len() - after..]);
            let tail = Tail::new(prefix, suffix);
            let mut blocks = vec![[9; BLOCK_LEN]];
            tail.append(FullExtraNonce::from_bytes(extranonce), &mut blocks);
            let whole = [prefix, &extranonce, suffix].concat();
            prop_assert_eq!(plain::twice(*tail.midstate(), &blocks[1..]), sha256d::Hash::hash(&whole).to_byte_array());
            prop_assert_eq!(blocks[0], [9; BLOCK_LEN]);
        }
    }
}
