//! The lanes of NEON.

use std::arch::aarch64::{
    uint32x4_t, vaddq_u32, vbslq_u32, vdupq_n_u32, veorq_u32, vld1q_u32, vshlq_n_u32, vshrq_n_u32,
    vsriq_n_u32, vst1q_u32,
};

use crate::constants::{Block, State};
use crate::scan::Scan;
use crate::wide::{self, MAX_LANES, Words};

/// Four lanes.
#[derive(Clone, Copy)]
struct Neon(uint32x4_t);

// SAFETY (of every block below): a value is made by `splat` and `load` alone, whose callers know that the processor has
// NEON; the arrays are as long as the widest vector.
impl Words for Neon {
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn splat(word: u32) -> Self {
        // SAFETY: the caller says so.
        Self(unsafe { vdupq_n_u32(word) })
    }

    #[inline(always)]
    unsafe fn load(words: &[u32; MAX_LANES]) -> Self {
        // SAFETY: the caller says so; a quarter of the array is read.
        Self(unsafe { vld1q_u32(words.as_ptr()) })
    }

    #[inline(always)]
    fn store(self, words: &mut [u32; MAX_LANES]) {
        // SAFETY: see above; a quarter of the array is written.
        unsafe { vst1q_u32(words.as_mut_ptr(), self.0) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { vaddq_u32(self.0, other.0) })
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { veorq_u32(self.0, other.0) })
    }

    #[inline(always)]
    fn rotate_right<const BITS: i32, const REST: i32>(self) -> Self {
        const { assert!(BITS + REST == 32, "what is left of a word") }
        // SAFETY: see above.
        Self(unsafe { vsriq_n_u32::<BITS>(vshlq_n_u32::<REST>(self.0), self.0) })
    }

    #[inline(always)]
    fn shift_right<const BITS: i32>(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { vshrq_n_u32::<BITS>(self.0) })
    }

    #[inline(always)]
    fn choose(self, then: Self, otherwise: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { vbslq_u32(self.0, then.0, otherwise.0) })
    }

    #[inline(always)]
    fn majority(self, second: Self, third: Self) -> Self {
        // Where the first two differ the third decides.
        self.xor(second).choose(third, second)
    }
}

#[target_feature(enable = "neon")]
pub(crate) fn merkle_roots(midstate: &State, tails: &[Block], branch: &[[u8; 32]], roots: &mut [[u8; 32]]) {
    // SAFETY: the function has NEON.
    unsafe { wide::merkle_roots::<Neon>(midstate, tails, branch, roots) }
}

#[target_feature(enable = "neon")]
pub(crate) fn headers(headers: &[[u8; 80]], hashes: &mut [[u8; 32]]) {
    // SAFETY: the function has NEON.
    unsafe { wide::headers::<Neon>(headers, hashes) }
}

#[target_feature(enable = "neon")]
pub(crate) fn compress_each(states: &mut [State], blocks: &[Block]) {
    // SAFETY: the function has NEON.
    unsafe { wide::compress_each::<Neon>(states, blocks) }
}

#[target_feature(enable = "neon")]
pub(crate) fn scan(search: &Scan, first: u32, count: u32, most: u32, found: &mut Vec<u32>) {
    // SAFETY: the function has NEON.
    unsafe { wide::scan::<Neon>(search, first, count, most, found) }
}
