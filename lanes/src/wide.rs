//! SHA-256 with one message in each lane of a vector: what is written once for every width.

use crate::constants::{BLOCK_LEN, Block, INITIAL, K, PADDING_OF_64, ROUNDS, State};
use crate::scan::Scan;
use crate::vector::Vector;

/// A vector with one word a lane.
pub(crate) trait Words: Vector {
    /// How many there are; [`MAX_LANES`] at most.
    const LANES: usize;

    /// The same word in every lane.
    ///
    /// # Safety
    /// The processor has the vector's instructions.
    unsafe fn splat(word: u32) -> Self;
    /// These words; those behind the last lane are left out.
    ///
    /// # Safety
    /// The processor has the vector's instructions.
    unsafe fn load(words: &[u32; MAX_LANES]) -> Self;
    /// The words, one after another.
    fn store(self, words: &mut [u32; MAX_LANES]);
    fn shift_right<const BITS: i32>(self) -> Self;
    /// Bit for bit `then` where this is 1 and `otherwise` where it is 0.
    fn choose(self, then: Self, otherwise: Self) -> Self;
    /// Bit for bit what most of the three have.
    fn majority(self, second: Self, third: Self) -> Self;
}

/// The widest vector's lanes.
pub(crate) const MAX_LANES: usize = 16;

type Wide<V> = [V; 8];

#[inline(always)]
fn round<V: Words>(state: Wide<V>, added: V) -> Wide<V> {
    let [a, b, c, d, e, f, g, h] = state;
    let big_1 = e
        .rotate_right::<6, 26>()
        .xor(e.rotate_right::<11, 21>())
        .xor(e.rotate_right::<25, 7>());
    let first = h.add(added).add(big_1).add(e.choose(f, g));
    let big_0 = a
        .rotate_right::<2, 30>()
        .xor(a.rotate_right::<13, 19>())
        .xor(a.rotate_right::<22, 10>());
    let second = big_0.add(a.majority(b, c));
    [first.add(second), a, b, c, d.add(first), e, f, g]
}

/// One compression of a block in each lane (FIPS 180-4, section 6.2.2).
///
/// # Safety
/// The processor has the vector's instructions.
#[inline(always)]
unsafe fn compress<V: Words>(before: Wide<V>, mut words: [V; 16]) -> Wide<V> {
    let mut state = before;
    for at in 0..ROUNDS {
        if at >= 16 {
            let (near, far) = (words[(at + 14) % 16], words[(at + 1) % 16]);
            let small_1 = near
                .rotate_right::<17, 15>()
                .xor(near.rotate_right::<19, 13>())
                .xor(near.shift_right::<10>());
            let small_0 = far
                .rotate_right::<7, 25>()
                .xor(far.rotate_right::<18, 14>())
                .xor(far.shift_right::<3>());
            words[at % 16] = words[at % 16].add(small_0).add(words[(at + 9) % 16]).add(small_1);
        }
        // SAFETY: the caller says so.
        let constant = unsafe { V::splat(K[at]) };
        state = round(state, words[at % 16].add(constant));
    }
    sum(before, state)
}

/// As [`compress`], of the same block in all lanes, whose schedule is known.
///
/// # Safety
/// The processor has the vector's instructions.
#[inline(always)]
unsafe fn compress_known<V: Words>(before: Wide<V>, schedule: &[u32; ROUNDS]) -> Wide<V> {
    let mut state = before;
    for added in schedule {
        // SAFETY: the caller says so.
        state = round(state, unsafe { V::splat(*added) });
    }
    sum(before, state)
}

#[inline(always)]
fn sum<V: Words>(before: Wide<V>, after: Wide<V>) -> Wide<V> {
    let mut state = before;
    for (word, more) in state.iter_mut().zip(after) {
        *word = word.add(more);
    }
    state
}

/// # Safety
/// The processor has the vector's instructions.
#[inline(always)]
unsafe fn splat_all<V: Words, const N: usize>(words: [u32; N]) -> [V; N] {
    // SAFETY: the caller says so.
    unsafe {
        let mut vectors = [V::splat(0); N];
        for (vector, word) in vectors.iter_mut().zip(words) {
            *vector = V::splat(word);
        }
        vectors
    }
}

/// The sixteen words of two halves.
#[inline(always)]
fn both<V: Words>(left: Wide<V>, right: Wide<V>) -> [V; 16] {
    let mut words = [left[0]; 16];
    words[..8].copy_from_slice(&left);
    words[8..].copy_from_slice(&right);
    words
}

/// The hash of what was hashed: 32 bytes and their padding.
///
/// # Safety
/// The processor has the vector's instructions.
#[inline(always)]
unsafe fn hash_of_hash<V: Words>(hash: Wide<V>) -> Wide<V> {
    let rest: [u32; 8] = [0x8000_0000, 0, 0, 0, 0, 0, 0, 256];
    // SAFETY: the caller says so.
    unsafe {
        let rest: Wide<V> = splat_all(rest);
        compress(splat_all(INITIAL), both(hash, rest))
    }
}

/// The words of one block of each lane; lanes behind the last block repeat it.
///
/// # Safety
/// The processor has the vector's instructions.
#[inline(always)]
unsafe fn words_of<'a, V: Words>(block: impl Fn(usize) -> &'a Block, count: usize) -> [V; 16] {
    let mut words = [[0_u32; MAX_LANES]; 16];
    for lane in 0..V::LANES {
        let block = block(lane.min(count - 1));
        for (at, bytes) in block.chunks_exact(4).enumerate() {
            words[at][lane] = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
    }
    // SAFETY: the caller says so.
    unsafe {
        let mut vectors = [V::splat(0); 16];
        for (vector, words) in vectors.iter_mut().zip(&words) {
            *vector = V::load(words);
        }
        vectors
    }
}

/// Writes each lane's hash.
#[inline(always)]
fn write<V: Words>(hash: Wide<V>, hashes: &mut [[u8; 32]]) {
    for (at, words) in hash.into_iter().enumerate() {
        let mut lanes = [0; MAX_LANES];
        words.store(&mut lanes);
        for (hash, word) in hashes.iter_mut().zip(lanes) {
            hash[4 * at..4 * at + 4].copy_from_slice(&word.to_be_bytes());
        }
    }
}

/// The merkle roots over `tails` of coinbases, one a lane. See [`crate::Lanes::merkle_roots`].
///
/// # Safety
/// The processor has the vector's instructions.
#[inline(always)]
pub(crate) unsafe fn merkle_roots<V: Words>(
    midstate: &State,
    tails: &[Block],
    branch: &[[u8; 32]],
    roots: &mut [[u8; 32]],
) {
    let of_each = tails.len() / roots.len();
    // SAFETY: the caller says so.
    unsafe {
        let mut node: Wide<V> = splat_all(*midstate);
        for at in 0..of_each {
            let words = words_of(|lane| &tails[lane * of_each + at], roots.len());
            node = compress(node, words);
        }
        node = hash_of_hash(node);
        for sibling in branch {
            let sibling: [u32; 8] = std::array::from_fn(|at| {
                let bytes = &sibling[4 * at..4 * at + 4];
                u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
            });
            let sibling: Wide<V> = splat_all(sibling);
            let half = compress(splat_all(INITIAL), both(node, sibling));
            node = hash_of_hash(compress_known(half, &PADDING_OF_64));
        }
        write(node, roots);
    }
}

/// The hashes of `headers`, one a lane. See [`crate::Lanes::headers`].
///
/// # Safety
/// The processor has the vector's instructions.
#[inline(always)]
pub(crate) unsafe fn headers<V: Words>(headers: &[[u8; 80]], hashes: &mut [[u8; 32]]) {
    let first = |lane: usize| -> &Block {
        let begin = headers[lane].first_chunk::<BLOCK_LEN>();
        begin.expect("a header is longer than a block")
    };
    // SAFETY: the caller says so.
    unsafe {
        let state = compress(splat_all::<V, 8>(INITIAL), words_of(first, headers.len()));
        let mut words: [V; 16] = splat_all([0, 0, 0, 0, 0x8000_0000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 640]);
        for (at, word) in words.iter_mut().enumerate().take(4) {
            let mut lanes = [0; MAX_LANES];
            for (lane, header) in headers.iter().enumerate() {
                let bytes = &header[BLOCK_LEN + 4 * at..BLOCK_LEN + 4 * at + 4];
                lanes[lane] = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            }
            *word = V::load(&lanes);
        }
        write(hash_of_hash(compress(state, words)), hashes);
    }
}

/// One compression of a block from each state. See [`crate::Lanes::compress`].
///
/// # Safety
/// The processor has the vector's instructions.
#[inline(always)]
pub(crate) unsafe fn compress_each<V: Words>(states: &mut [State], blocks: &[Block]) {
    // SAFETY: the caller says so.
    unsafe {
        let mut before: Wide<V> = splat_all([0; 8]);
        for (at, word) in before.iter_mut().enumerate() {
            let mut lanes = [0; MAX_LANES];
            for (lane, state) in lanes.iter_mut().zip(&*states) {
                *lane = state[at];
            }
            *word = V::load(&lanes);
        }
        let after = compress(before, words_of(|lane| &blocks[lane], blocks.len()));
        for (at, words) in after.into_iter().enumerate() {
            let mut lanes = [0; MAX_LANES];
            words.store(&mut lanes);
            for (state, word) in states.iter_mut().zip(lanes) {
                state[at] = word;
            }
        }
    }
}

/// See [`crate::Lanes::scan`].
///
/// # Safety
/// The processor has the vector's instructions.
#[inline(always)]
pub(crate) unsafe fn scan<V: Words>(search: &Scan, first: u32, count: u32, most: u32, found: &mut Vec<u32>) {
    // SAFETY: the caller says so.
    unsafe {
        let before: Wide<V> = splat_all(search.midstate);
        let known: [V; 16] = splat_all(search.words);
        let width = V::LANES as u32;
        let mut offset = 0;
        while offset < count {
            let mut lanes = [0; MAX_LANES];
            for lane in 0..width {
                lanes[lane as usize] = first.wrapping_add(offset).wrapping_add(lane).swap_bytes();
            }
            let mut words = known;
            words[3] = V::load(&lanes);
            let hash = hash_of_hash(compress(before, words));
            hash[7].store(&mut lanes);
            for lane in 0..width.min(count - offset) {
                if lanes[lane as usize].swap_bytes() <= most {
                    found.push(first.wrapping_add(offset + lane));
                }
            }
            offset = offset.saturating_add(width);
        }
    }
}
