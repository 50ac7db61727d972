//! The SHA extensions of x86: two messages side by side, because one alone waits for its own last round most of the time.

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_loadu_si128, _mm_set_epi64x, _mm_sha256msg1_epu32,
    _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi8, _mm_shuffle_epi32, _mm_storeu_si128,
    _mm_unpackhi_epi64, _mm_unpacklo_epi64,
};

use crate::constants::{Block, INITIAL, K, PADDING_OF_64, ROUNDS, State};

/// Eight words: a, b, c, d and e, f, g, h of a state, or half of a block.
type Half = [__m128i; 2];
/// The sixteen words of a block.
type Words = [__m128i; 4];

/// The message that hashes of hashes end with: a bit, and the length of 32 bytes.
const REST_OF_HASH: [u32; 8] = [0x8000_0000, 0, 0, 0, 0, 0, 0, 256];

// Nothing here goes through closures or iterators' adapters: what is inlined into the standard library's own functions
// would not have the extensions, and be a call for each instruction. The functions below are only called from `merkle_roots` and `headers`, which have the extensions. Being inlined there
// they have them, too; what is unsafe of them are loads and stores of whole arrays.

/// # Safety
/// The processor has SSE2.
#[inline(always)]
unsafe fn load(words: &[u32; 8]) -> Half {
    let words: *const __m128i = words.as_ptr().cast();
    // SAFETY: both halves lie in the array.
    unsafe { [_mm_loadu_si128(words), _mm_loadu_si128(words.add(1))] }
}

/// Turns the bytes of each word around.
///
/// # Safety
/// The processor has SSSE3.
#[inline(always)]
unsafe fn turned(words: __m128i) -> __m128i {
    // SAFETY: the caller says so.
    unsafe {
        let order = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
        _mm_shuffle_epi8(words, order)
    }
}

/// The words of big-endian bytes.
///
/// # Safety
/// The processor has SSSE3.
#[inline(always)]
unsafe fn load_bytes(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: the array is as long as the vector.
    unsafe { turned(_mm_loadu_si128(bytes.as_ptr().cast())) }
}

/// # Safety
/// The processor has SSSE3.
#[inline(always)]
unsafe fn words_of(block: &Block) -> Words {
    let (parts, _) = block.as_chunks::<16>();
    // SAFETY: the caller says so. A block has four parts.
    unsafe {
        [
            load_bytes(&parts[0]),
            load_bytes(&parts[1]),
            load_bytes(&parts[2]),
            load_bytes(&parts[3]),
        ]
    }
}

/// # Safety
/// The processor has SSSE3.
#[inline(always)]
unsafe fn half_of(hash: &[u8; 32]) -> Half {
    let (parts, _) = hash.as_chunks::<16>();
    // SAFETY: the caller says so. A hash has two parts.
    unsafe { [load_bytes(&parts[0]), load_bytes(&parts[1])] }
}

/// # Safety
/// The processor has SSSE3.
#[inline(always)]
unsafe fn write(half: Half, hash: &mut [u8; 32]) {
    let (parts, _) = hash.as_chunks_mut::<16>();
    // SAFETY: the caller says so. A hash has two parts, each as long as a vector.
    unsafe {
        _mm_storeu_si128(parts[0].as_mut_ptr().cast(), turned(half[0]));
        _mm_storeu_si128(parts[1].as_mut_ptr().cast(), turned(half[1]));
    }
}

/// From the order of the words to that of the instructions: f, e, b, a and h, g, d, c.
///
/// # Safety
/// The processor has SSE2.
#[inline(always)]
unsafe fn packed([low, high]: Half) -> Half {
    // SAFETY: the caller says so.
    unsafe {
        let (low, high) = (_mm_shuffle_epi32::<0xb1>(low), _mm_shuffle_epi32::<0xb1>(high));
        [_mm_unpacklo_epi64(high, low), _mm_unpackhi_epi64(high, low)]
    }
}

/// The other way.
///
/// # Safety
/// The processor has SSE2.
#[inline(always)]
unsafe fn unpacked([abef, cdgh]: Half) -> Half {
    // SAFETY: the caller says so.
    unsafe {
        let (low, high) = (_mm_unpackhi_epi64(abef, cdgh), _mm_unpacklo_epi64(abef, cdgh));
        [_mm_shuffle_epi32::<0xb1>(low), _mm_shuffle_epi32::<0xb1>(high)]
    }
}

/// Four rounds.
///
/// # Safety
/// The processor has the SHA extensions.
#[inline(always)]
unsafe fn four_rounds([abef, cdgh]: Half, added: __m128i) -> Half {
    // SAFETY: the caller says so.
    unsafe {
        let cdgh = _mm_sha256rnds2_epu32(cdgh, abef, added);
        let abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32::<0x0e>(added));
        [abef, cdgh]
    }
}

/// One compression of each stream. The states are in the order of their words.
///
/// # Safety
/// The processor has the SHA extensions and SSSE3.
#[inline(always)]
unsafe fn compress<const N: usize>(before: [Half; N], mut words: [Words; N]) -> [Half; N] {
    let mut states = before;
    // SAFETY: the caller says so; the constants lie in their array.
    unsafe {
        for state in &mut states {
            *state = packed(*state);
        }
        for at in 0..ROUNDS / 4 {
            let constants = _mm_loadu_si128(K.as_ptr().add(4 * at).cast());
            for n in 0..N {
                states[n] = four_rounds(states[n], _mm_add_epi32(words[n][at % 4], constants));
            }
            if at < 12 {
                for words in &mut words {
                    let (first, second) = (words[at % 4], words[(at + 1) % 4]);
                    let (third, last) = (words[(at + 2) % 4], words[(at + 3) % 4]);
                    let begun = _mm_add_epi32(
                        _mm_sha256msg1_epu32(first, second),
                        _mm_alignr_epi8::<4>(last, third),
                    );
                    words[at % 4] = _mm_sha256msg2_epu32(begun, last);
                }
            }
        }
        sums(before, states)
    }
}

/// As [`compress`], of a block whose schedule is known.
///
/// # Safety
/// The processor has the SHA extensions and SSSE3.
#[inline(always)]
unsafe fn compress_known<const N: usize>(before: [Half; N], schedule: &[u32; ROUNDS]) -> [Half; N] {
    let mut states = before;
    // SAFETY: the caller says so; what is added lies in its array.
    unsafe {
        for state in &mut states {
            *state = packed(*state);
        }
        for at in 0..ROUNDS / 4 {
            let added = _mm_loadu_si128(schedule.as_ptr().add(4 * at).cast());
            for state in &mut states {
                *state = four_rounds(*state, added);
            }
        }
        sums(before, states)
    }
}

/// # Safety
/// The processor has SSE2.
#[inline(always)]
unsafe fn sums<const N: usize>(before: [Half; N], mut states: [Half; N]) -> [Half; N] {
    for (state, before) in states.iter_mut().zip(before) {
        // SAFETY: the caller says so.
        unsafe {
            let after = unpacked(*state);
            *state = [
                _mm_add_epi32(before[0], after[0]),
                _mm_add_epi32(before[1], after[1]),
            ];
        }
    }
    states
}

/// The words of each stream's block, of which the second half is the same.
#[inline(always)]
fn each_with<const N: usize>(halves: [Half; N], [third, last]: Half) -> [Words; N] {
    let mut words = [[third, last, third, last]; N];
    for (words, [first, second]) in words.iter_mut().zip(halves) {
        words[0] = first;
        words[1] = second;
    }
    words
}

/// # Safety
/// The processor has the SHA extensions and SSSE3.
#[inline(always)]
unsafe fn hashes_of_hashes<const N: usize>(hashes: [Half; N]) -> [Half; N] {
    // SAFETY: the caller says so.
    unsafe { compress([load(&INITIAL); N], each_with(hashes, load(&REST_OF_HASH))) }
}

/// # Safety
/// The processor has the SHA extensions and SSSE3.
#[inline(always)]
unsafe fn some_merkle_roots<const N: usize>(
    midstate: &State,
    tails: &[Block],
    branch: &[[u8; 32]],
    roots: &mut [[u8; 32]],
) {
    let of_each = tails.len() / N;
    // SAFETY: the caller says so.
    unsafe {
        let mut nodes = [load(midstate); N];
        for at in 0..of_each {
            let mut words = [words_of(&tails[at]); N];
            for (n, words) in words.iter_mut().enumerate().skip(1) {
                *words = words_of(&tails[n * of_each + at]);
            }
            nodes = compress(nodes, words);
        }
        nodes = hashes_of_hashes(nodes);
        for sibling in branch {
            let halves = compress([load(&INITIAL); N], each_with(nodes, half_of(sibling)));
            nodes = hashes_of_hashes(compress_known(halves, &PADDING_OF_64));
        }
        for (node, root) in nodes.into_iter().zip(roots) {
            write(node, root);
        }
    }
}

/// # Safety
/// The processor has the SHA extensions and SSSE3.
#[inline(always)]
unsafe fn some_headers<const N: usize>(headers: &[[u8; 80]], hashes: &mut [[u8; 32]]) {
    const REST: [u32; 8] = [0x8000_0000, 0, 0, 0, 0, 0, 0, 0];
    const LENGTH: [u32; 8] = [0, 0, 0, 0, 0, 0, 0, 640];
    // SAFETY: the caller says so.
    unsafe {
        let ([second, third], [_, last]) = (load(&REST), load(&LENGTH));
        let mut first = [[second; 4]; N];
        let mut rest = [[second, second, third, last]; N];
        for (n, header) in headers.iter().enumerate().take(N) {
            let (parts, _) = header.as_chunks::<16>();
            for (words, part) in first[n].iter_mut().zip(parts) {
                *words = load_bytes(part);
            }
            rest[n][0] = load_bytes(&parts[4]);
        }
        let states = compress([load(&INITIAL); N], first);
        for (hash, place) in hashes_of_hashes(compress(states, rest)).into_iter().zip(hashes) {
            write(hash, place);
        }
    }
}

#[target_feature(enable = "sha,ssse3,sse4.1")]
pub(crate) fn merkle_roots(midstate: &State, tails: &[Block], branch: &[[u8; 32]], roots: &mut [[u8; 32]]) {
    // SAFETY: the function has the extensions.
    unsafe {
        match roots.len() {
            1 => some_merkle_roots::<1>(midstate, tails, branch, roots),
            _ => some_merkle_roots::<2>(midstate, tails, branch, roots),
        }
    }
}

#[target_feature(enable = "sha,ssse3,sse4.1")]
pub(crate) fn headers(headers: &[[u8; 80]], hashes: &mut [[u8; 32]]) {
    // SAFETY: the function has the extensions.
    unsafe {
        match hashes.len() {
            1 => some_headers::<1>(headers, hashes),
            _ => some_headers::<2>(headers, hashes),
        }
    }
}

/// # Safety
/// The processor has the SHA extensions and SSSE3.
#[inline(always)]
unsafe fn compress_some<const N: usize>(states: &mut [State], blocks: &[Block]) {
    // SAFETY: the caller says so; both halves lie in the state.
    unsafe {
        let mut halves = [load(&states[0]); N];
        let mut words = [words_of(&blocks[0]); N];
        for n in 1..N {
            halves[n] = load(&states[n]);
            words[n] = words_of(&blocks[n]);
        }
        for (half, state) in compress(halves, words).into_iter().zip(states) {
            let state: *mut __m128i = state.as_mut_ptr().cast();
            _mm_storeu_si128(state, half[0]);
            _mm_storeu_si128(state.add(1), half[1]);
        }
    }
}

#[target_feature(enable = "sha,ssse3,sse4.1")]
pub(crate) fn compress_each(states: &mut [State], blocks: &[Block]) {
    // SAFETY: the function has the extensions.
    unsafe {
        match states.len() {
            1 => compress_some::<1>(states, blocks),
            _ => compress_some::<2>(states, blocks),
        }
    }
}
