//! Instructions for SHA-256: the SHA extensions of x86 and of ARMv8. Two messages side by side, because one alone waits for
//! its own last round most of the time.

#[cfg(target_arch = "aarch64")]
#[path = "arm.rs"]
mod processor;
#[cfg(target_arch = "x86_64")]
#[path = "x86.rs"]
mod processor;

use processor::{Vector, add, four_rounds, load_words, next_words, packed, store_words, turned, unpacked};

use crate::constants::{Block, INITIAL, K, PADDING_OF_64, ROUNDS, State};
use crate::scan::Scan;

/// Eight words: a, b, c, d and e, f, g, h of a state, or half of a block.
type Half = [Vector; 2];
/// The sixteen words of a block.
type Words = [Vector; 4];

/// The message that hashes of hashes end with: a bit, and the length of 32 bytes.
const REST_OF_HASH: [u32; 8] = [0x8000_0000, 0, 0, 0, 0, 0, 0, 256];

// Nothing here goes through closures or iterators' adapters: what is inlined into the standard library's own functions
// would not have the extensions, and be a call for each instruction. The functions below are only called from those at the
// end, which have the extensions. Being inlined there they have them, too; what is unsafe of them are loads and stores of
// whole arrays.

/// # Safety
/// The processor has the extensions.
#[inline(always)]
unsafe fn load(words: &[u32; 8]) -> Half {
    let (halves, _) = words.as_chunks::<4>();
    // SAFETY: the caller says so. There are two halves.
    unsafe { [load_words(&halves[0]), load_words(&halves[1])] }
}

/// The words of big-endian bytes.
///
/// # Safety
/// The processor has the extensions.
#[inline(always)]
unsafe fn load_bytes(bytes: &[u8; 16]) -> Vector {
    // SAFETY: the caller says so; the array is as long as the vector.
    unsafe { turned(bytes.as_ptr().cast::<Vector>().read_unaligned()) }
}

/// # Safety
/// The processor has the extensions.
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
/// The processor has the extensions.
#[inline(always)]
unsafe fn half_of(hash: &[u8; 32]) -> Half {
    let (parts, _) = hash.as_chunks::<16>();
    // SAFETY: the caller says so. A hash has two parts.
    unsafe { [load_bytes(&parts[0]), load_bytes(&parts[1])] }
}

/// # Safety
/// The processor has the extensions.
#[inline(always)]
unsafe fn write(half: Half, hash: &mut [u8; 32]) {
    let (parts, _) = hash.as_chunks_mut::<16>();
    // SAFETY: the caller says so. A hash has two parts, each as long as a vector.
    unsafe {
        parts[0]
            .as_mut_ptr()
            .cast::<Vector>()
            .write_unaligned(turned(half[0]));
        parts[1]
            .as_mut_ptr()
            .cast::<Vector>()
            .write_unaligned(turned(half[1]));
    }
}

/// One compression of each stream. The states are in the order of their words.
///
/// # Safety
/// The processor has the extensions.
#[inline(always)]
unsafe fn compress<const N: usize>(before: [Half; N], mut words: [Words; N]) -> [Half; N] {
    let mut states = before;
    let (constants, _) = K.as_chunks::<4>();
    // SAFETY: the caller says so.
    unsafe {
        for state in &mut states {
            *state = packed(*state);
        }
        for at in 0..ROUNDS / 4 {
            let constants = load_words(&constants[at]);
            for n in 0..N {
                states[n] = four_rounds(states[n], add(words[n][at % 4], constants));
            }
            if at < 12 {
                for words in &mut words {
                    let (first, second) = (words[at % 4], words[(at + 1) % 4]);
                    let (third, last) = (words[(at + 2) % 4], words[(at + 3) % 4]);
                    words[at % 4] = next_words(first, second, third, last);
                }
            }
        }
        sums(before, states)
    }
}

/// As [`compress`], of a block whose schedule is known.
///
/// # Safety
/// The processor has the extensions.
#[inline(always)]
unsafe fn compress_known<const N: usize>(before: [Half; N], schedule: &[u32; ROUNDS]) -> [Half; N] {
    let mut states = before;
    let (schedule, _) = schedule.as_chunks::<4>();
    // SAFETY: the caller says so.
    unsafe {
        for state in &mut states {
            *state = packed(*state);
        }
        for at in 0..ROUNDS / 4 {
            let added = load_words(&schedule[at]);
            for state in &mut states {
                *state = four_rounds(*state, added);
            }
        }
        sums(before, states)
    }
}

/// # Safety
/// The processor has the extensions.
#[inline(always)]
unsafe fn sums<const N: usize>(before: [Half; N], mut states: [Half; N]) -> [Half; N] {
    for (state, before) in states.iter_mut().zip(before) {
        // SAFETY: the caller says so.
        unsafe {
            let after = unpacked(*state);
            *state = [add(before[0], after[0]), add(before[1], after[1])];
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
/// The processor has the extensions.
#[inline(always)]
unsafe fn hashes_of_hashes<const N: usize>(hashes: [Half; N]) -> [Half; N] {
    // SAFETY: the caller says so.
    unsafe { compress([load(&INITIAL); N], each_with(hashes, load(&REST_OF_HASH))) }
}

/// # Safety
/// The processor has the extensions.
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
/// The processor has the extensions.
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

#[cfg_attr(target_arch = "x86_64", target_feature(enable = "sha,ssse3,sse4.1"))]
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon,sha2"))]
pub(crate) fn merkle_roots(midstate: &State, tails: &[Block], branch: &[[u8; 32]], roots: &mut [[u8; 32]]) {
    // SAFETY: the function has the extensions.
    unsafe {
        match roots.len() {
            1 => some_merkle_roots::<1>(midstate, tails, branch, roots),
            2 => some_merkle_roots::<2>(midstate, tails, branch, roots),
            more => unreachable!("{more} messages in two streams: `Lanes::parts` gives no more"),
        }
    }
}

#[cfg_attr(target_arch = "x86_64", target_feature(enable = "sha,ssse3,sse4.1"))]
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon,sha2"))]
pub(crate) fn headers(headers: &[[u8; 80]], hashes: &mut [[u8; 32]]) {
    // SAFETY: the function has the extensions.
    unsafe {
        match hashes.len() {
            1 => some_headers::<1>(headers, hashes),
            2 => some_headers::<2>(headers, hashes),
            more => unreachable!("{more} messages in two streams: `Lanes::parts` gives no more"),
        }
    }
}

/// # Safety
/// The processor has the extensions.
#[inline(always)]
unsafe fn compress_some<const N: usize>(states: &mut [State], blocks: &[Block]) {
    // SAFETY: the caller says so.
    unsafe {
        let mut halves = [load(&states[0]); N];
        let mut words = [words_of(&blocks[0]); N];
        for n in 1..N {
            halves[n] = load(&states[n]);
            words[n] = words_of(&blocks[n]);
        }
        for (half, state) in compress(halves, words).into_iter().zip(states) {
            let (halves, _) = state.as_chunks_mut::<4>();
            store_words(half[0], &mut halves[0]);
            store_words(half[1], &mut halves[1]);
        }
    }
}

#[cfg_attr(target_arch = "x86_64", target_feature(enable = "sha,ssse3,sse4.1"))]
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon,sha2"))]
pub(crate) fn compress_each(states: &mut [State], blocks: &[Block]) {
    // SAFETY: the function has the extensions.
    unsafe {
        match states.len() {
            1 => compress_some::<1>(states, blocks),
            2 => compress_some::<2>(states, blocks),
            more => unreachable!("{more} messages in two streams: `Lanes::parts` gives no more"),
        }
    }
}

/// See [`crate::Lanes::scan`].
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "sha,ssse3,sse4.1"))]
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon,sha2"))]
pub(crate) fn scan(search: &Scan, first: u32, count: u32, most: u32, found: &mut Vec<u32>) {
    const STREAMS: u32 = 2;
    let (parts, _) = search.words.as_chunks::<4>();
    // SAFETY: the function has the extensions.
    unsafe {
        let before = [load(&search.midstate); STREAMS as usize];
        let known = [
            load_words(&parts[0]),
            load_words(&parts[1]),
            load_words(&parts[2]),
            load_words(&parts[3]),
        ];
        let mut begin = parts[0];
        let mut offset = 0;
        while offset < count {
            let mut words = [known; STREAMS as usize];
            for n in 0..STREAMS {
                begin[3] = first.wrapping_add(offset).wrapping_add(n).swap_bytes();
                words[n as usize][0] = load_words(&begin);
            }
            let hashes = hashes_of_hashes(compress(before, words));
            for n in 0..STREAMS.min(count - offset) {
                let mut last = [0; 4];
                store_words(hashes[n as usize][1], &mut last);
                if last[3].swap_bytes() <= most {
                    found.push(first.wrapping_add(offset + n));
                }
            }
            offset = offset.saturating_add(STREAMS);
        }
    }
}
