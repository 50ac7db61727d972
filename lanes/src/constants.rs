//! What FIPS 180-4 lays down, and what follows from it before any message is known.

/// The state of SHA-256: eight words.
pub type State = [u32; 8];
/// What one compression takes: sixteen words, big-endian in the message.
pub type Block = [u8; BLOCK_LEN];
/// Bytes of a block.
pub const BLOCK_LEN: usize = 64;
/// Rounds of one compression.
pub(crate) const ROUNDS: usize = 64;

/// The state that SHA-256 begins with (FIPS 180-4, section 5.3.3).
pub const INITIAL: State = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// The constants of the rounds (FIPS 180-4, section 4.2.2): the first 32 bits of the fractional parts of the cube roots of
/// the first 64 primes.
pub(crate) const K: [u32; ROUNDS] = cube_roots();

/// What the rounds add for the second block of a 64-byte message, which is padding alone: the same for all such messages.
pub(crate) const PADDING_OF_64: [u32; ROUNDS] = schedule(&padding_of(&[], 64));

/// The block that ends a message of `len` bytes of which `rest` is not hashed yet (FIPS 180-4, section 5.1.1).
pub const fn padding_of(rest: &[u8], len: u64) -> Block {
    let mut block = [0; BLOCK_LEN];
    let mut at = 0;
    while at < rest.len() {
        block[at] = rest[at];
        at += 1;
    }
    block[rest.len()] = 0x80;
    let bits = (8 * len).to_be_bytes();
    at = 0;
    while at < bits.len() {
        block[BLOCK_LEN - bits.len() + at] = bits[at];
        at += 1;
    }
    block
}

/// The sixteen words of a block.
pub(crate) const fn words_of(block: &Block) -> [u32; 16] {
    let mut words = [0; 16];
    let mut at = 0;
    while at < 16 {
        words[at] = u32::from_be_bytes([
            block[4 * at],
            block[4 * at + 1],
            block[4 * at + 2],
            block[4 * at + 3],
        ]);
        at += 1;
    }
    words
}

/// The bytes of a state, as many as there is room for.
pub(crate) fn write(state: &State, bytes: &mut [u8]) {
    for (place, word) in bytes.chunks_exact_mut(4).zip(state) {
        place.copy_from_slice(&word.to_be_bytes());
    }
}

/// What each round adds for this block: its word of the message schedule and its constant.
const fn schedule(block: &Block) -> [u32; ROUNDS] {
    let mut words = [0_u32; ROUNDS];
    let begin = words_of(block);
    let mut at = 0;
    while at < ROUNDS {
        words[at] = if at < 16 {
            begin[at]
        } else {
            let (near, far) = (words[at - 2], words[at - 15]);
            let small_1 = near.rotate_right(17) ^ near.rotate_right(19) ^ (near >> 10);
            let small_0 = far.rotate_right(7) ^ far.rotate_right(18) ^ (far >> 3);
            words[at - 16]
                .wrapping_add(small_0)
                .wrapping_add(words[at - 7])
                .wrapping_add(small_1)
        };
        at += 1;
    }
    at = 0;
    while at < ROUNDS {
        words[at] = words[at].wrapping_add(K[at]);
        at += 1;
    }
    words
}

const fn cube_roots() -> [u32; ROUNDS] {
    let mut roots = [0; ROUNDS];
    let (mut found, mut number) = (0, 2);
    while found < ROUNDS {
        if is_prime(number) {
            roots[found] = (cube_root_times_2_32(number) & 0xffff_ffff) as u32;
            found += 1;
        }
        number += 1;
    }
    roots
}

const fn is_prime(number: u128) -> bool {
    let mut divisor = 2;
    while divisor * divisor <= number {
        if number.is_multiple_of(divisor) {
            return false;
        }
        divisor += 1;
    }
    true
}

/// The greatest whole `root` with root³ ≤ number * 2⁹⁶.
const fn cube_root_times_2_32(number: u128) -> u128 {
    let cube = number << 96;
    let (mut low, mut high) = (0_u128, 1 << 35);
    while high - low > 1 {
        let middle = (low + high) / 2;
        if middle * middle * middle <= cube {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}
