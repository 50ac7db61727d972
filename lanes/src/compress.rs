//! One block of each of several messages, whatever they are: for what is made of SHA-256 and has no way of its own.

use sha2::compress256;
use sha2::digest::generic_array::GenericArray;

use crate::{Block, Kind, Lanes, State};
#[cfg(target_arch = "x86_64")]
use crate::{sha_extensions, x86};

impl Lanes {
    /// One compression of a block from each state (FIPS 180-4, section 6.2.2).
    ///
    /// # Panics
    /// If there are not as many blocks as states.
    pub(crate) fn compress(self, states: &mut [State], blocks: &[Block]) {
        assert_eq!(states.len(), blocks.len(), "one block a state");
        let width = self.kind().width();
        for (states, blocks) in states.chunks_mut(width).zip(blocks.chunks(width)) {
            self.compress_some(states, blocks);
        }
    }

    #[allow(
        unsafe_code,
        reason = "a value of a kind is only made where the processor has it"
    )]
    fn compress_some(self, states: &mut [State], blocks: &[Block]) {
        // SAFETY: `Lanes::of` has looked that the processor has it.
        unsafe {
            match self.kind() {
                #[cfg(target_arch = "x86_64")]
                Kind::ShaExtensions => sha_extensions::compress_each(states, blocks),
                #[cfg(target_arch = "x86_64")]
                Kind::Avx2 if states.len() > 1 => x86::avx2_compress_each(states, blocks),
                #[cfg(target_arch = "x86_64")]
                Kind::Avx512 if states.len() > 1 => x86::avx512_compress_each(states, blocks),
                _ => plain(states, blocks),
            }
        }
    }
}

fn plain(states: &mut [State], blocks: &[Block]) {
    for (state, block) in states.iter_mut().zip(blocks) {
        compress256(state, &[GenericArray::from(*block)]);
    }
}
