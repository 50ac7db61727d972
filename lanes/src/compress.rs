//! One block of each of several messages, whatever they are: for what is made of SHA-256 and has no way of its own.

use crate::plain::compressed;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use crate::sha_extensions;
use crate::task::Task;
use crate::wide::{self, Words};
use crate::{Block, Lanes, State};

struct Compress<'a> {
    states: &'a mut [State],
    blocks: &'a [Block],
}

#[allow(unsafe_code, reason = "the vectors' instructions")]
impl Task for Compress<'_> {
    #[inline(always)]
    unsafe fn in_lanes<V: Words>(self) {
        // SAFETY: the caller says so.
        unsafe { wide::compress_each::<V>(self.states, self.blocks) }
    }

    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    unsafe fn by_extensions(self) {
        // SAFETY: the caller says so.
        unsafe { sha_extensions::compress_each(self.states, self.blocks) }
    }

    fn plain(self) {
        for (state, block) in self.states.iter_mut().zip(self.blocks) {
            *state = compressed(*state, block);
        }
    }
}

impl Lanes {
    /// One compression of a block from each state (FIPS 180-4, section 6.2.2).
    ///
    /// # Panics
    /// If there are not as many blocks as states.
    pub(crate) fn compress(self, states: &mut [State], blocks: &[Block]) {
        assert_eq!(states.len(), blocks.len(), "one block a state");
        for part in self.parts(blocks.len()) {
            let task = Compress {
                states: &mut states[part.clone()],
                blocks: &blocks[part.clone()],
            };
            self.run(part.len(), task);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::constants::{BLOCK_LEN, INITIAL, write};
    use crate::tests::kinds;

    /// Messages and hashes of NIST's validation program (CAVP, `SHA256ShortMsg.rsp` and `SHA256LongMsg.rsp`): nothing, a
    /// byte, some, half a block, one byte less than a block, a block, and more than two.
    const CAVP: [(&str, &str); 7] = [
        (
            "",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
        (
            "d3",
            "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1",
        ),
        (
            "74cb9381d89f5aa73368",
            "73d6fad1caaa75b43b21733561fd3958bdc555194a037c2addec19dc2d7a52bd",
        ),
        (
            "09fc1accc230a205e4a208e64a8f204291f581a12756392da4b8c0cf5ef02b95",
            "4f44c1c7fbebb6f9601829f3897bfd650c56fa07844be76489076356ac1886a4",
        ),
        (
            "e2f76e97606a872e317439f1a03fcd92e632e5bd4e7cbc4e97f1afc19a16fde9\
             2d77cbe546416b51640cddb92af996534dfd81edb17c4424cf1ac4d75aceeb",
            "18041bd4665083001fba8c5411d2d748e8abbfdcdfd9218cb02b68a78e7d4c23",
        ),
        (
            "5a86b737eaea8ee976a0a24da63e7ed7eefad18a101c1211e2b3650c5187c2a8\
             a650547208251f6d4237e661c7bf4c77f335390394c37fa1a9f9be836ac28509",
            "42e61e174fbb3897d6dd6cef3dd2802fe67b331953b06114a65c772859dfc1aa",
        ),
        (
            "451101250ec6f26652249d59dc974b7361d571a8101cdfd36aba3b5854d3ae086b5fdd4597721b66\
             e3c0dc5d8c606d9657d0e323283a5217d1f53f2f284f57b85c8a61ac8924711f895c5ed90ef17745\
             ed2d728abd22a5f7a13479a462d71b56c19a74a40b655c58edfe0a188ad2cf46cbf30524f65d423c\
             837dd1ff2bf462ac4198007345bb44dbb7b1c861298cdf61982a833afc728fae1eda2f87aa2c9480\
             858bec",
            "3c593aa539fdcdae516cdf2f15000f6634185c88f505b39775fb9ab137a10aa2",
        ),
    ];

    fn bytes_of(digits: &str) -> Vec<u8> {
        let byte = |at: usize| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap();
        (0..digits.len() / 2).map(byte).collect()
    }

    /// FIPS 180-4, section 5.1.1.
    fn padded(message: &[u8]) -> Vec<Block> {
        let mut padded = message.to_vec();
        padded.push(0x80);
        while padded.len() % BLOCK_LEN != 56 {
            padded.push(0);
        }
        padded.extend((8 * message.len() as u64).to_be_bytes());
        padded.as_chunks::<BLOCK_LEN>().0.to_vec()
    }

    /// In each lane of each number of them, with other messages in the others.
    #[test]
    fn nists_messages_have_their_hashes_in_every_lane() {
        for (message, expected) in CAVP {
            let blocks = padded(&bytes_of(message));
            for lanes in kinds() {
                for count in 1..=lanes.kind().width() + 1 {
                    for place in 0..count {
                        let mut states = vec![INITIAL; count];
                        for block in &blocks {
                            let mut beside = vec![[0x5a; BLOCK_LEN]; count];
                            beside[place] = *block;
                            lanes.compress(&mut states, &beside);
                        }
                        let mut hash = [0; 32];
                        write(&states[place], &mut hash);
                        assert_eq!(hash[..], bytes_of(expected), "{lanes:?} {place} of {count}");
                    }
                }
            }
        }
    }
}
