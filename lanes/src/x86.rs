//! The lanes of AVX2 and AVX-512.

use std::arch::x86_64::{
    __m256i, __m512i, _mm256_add_epi32, _mm256_and_si256, _mm256_loadu_si256, _mm256_or_si256,
    _mm256_set1_epi32, _mm256_slli_epi32, _mm256_srli_epi32, _mm256_storeu_si256, _mm256_xor_si256,
    _mm512_add_epi32, _mm512_loadu_si512, _mm512_ror_epi32, _mm512_set1_epi32, _mm512_srlv_epi32,
    _mm512_storeu_si512, _mm512_ternarylogic_epi32, _mm512_xor_si512,
};

use crate::constants::{Block, State};
use crate::scan::Scan;
use crate::wide::{self, MAX_LANES, Words};

/// Eight lanes.
#[derive(Clone, Copy)]
struct Avx2(__m256i);

// SAFETY (of every block below): a value is made by `splat` and `load` alone, whose callers know that the processor has
// AVX2; the arrays are as long as the widest vector.
impl Words for Avx2 {
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn splat(word: u32) -> Self {
        // SAFETY: the caller says so.
        Self(unsafe { _mm256_set1_epi32(word.cast_signed()) })
    }

    #[inline(always)]
    unsafe fn load(words: &[u32; MAX_LANES]) -> Self {
        // SAFETY: the caller says so; half of the array is read.
        Self(unsafe { _mm256_loadu_si256(words.as_ptr().cast()) })
    }

    #[inline(always)]
    fn store(self, words: &mut [u32; MAX_LANES]) {
        // SAFETY: see above; half of the array is written.
        unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), self.0) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_add_epi32(self.0, other.0) })
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_xor_si256(self.0, other.0) })
    }

    #[inline(always)]
    fn rotate_right<const BITS: i32, const REST: i32>(self) -> Self {
        const { assert!(BITS + REST == 32, "what is left of a word") }
        // SAFETY: see above.
        Self(unsafe {
            _mm256_or_si256(
                _mm256_srli_epi32::<BITS>(self.0),
                _mm256_slli_epi32::<REST>(self.0),
            )
        })
    }

    #[inline(always)]
    fn shift_right<const BITS: i32>(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_srli_epi32::<BITS>(self.0) })
    }

    #[inline(always)]
    fn choose(self, then: Self, otherwise: Self) -> Self {
        // SAFETY: see above.
        let chosen = unsafe { _mm256_and_si256(self.0, _mm256_xor_si256(then.0, otherwise.0)) };
        Self(chosen).xor(otherwise)
    }

    #[inline(always)]
    fn majority(self, second: Self, third: Self) -> Self {
        // SAFETY: see above.
        let common = unsafe {
            _mm256_and_si256(
                _mm256_xor_si256(self.0, third.0),
                _mm256_xor_si256(self.0, second.0),
            )
        };
        Self(common).xor(self)
    }
}

/// Sixteen lanes.
#[derive(Clone, Copy)]
struct Avx512(__m512i);

// SAFETY (of every block below): as above, with AVX-512F.
impl Words for Avx512 {
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn splat(word: u32) -> Self {
        // SAFETY: the caller says so.
        Self(unsafe { _mm512_set1_epi32(word.cast_signed()) })
    }

    #[inline(always)]
    unsafe fn load(words: &[u32; MAX_LANES]) -> Self {
        // SAFETY: the caller says so; the whole array is read.
        Self(unsafe { _mm512_loadu_si512(words.as_ptr().cast()) })
    }

    #[inline(always)]
    fn store(self, words: &mut [u32; MAX_LANES]) {
        // SAFETY: see above; the whole array is written.
        unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), self.0) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_add_epi32(self.0, other.0) })
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_xor_si512(self.0, other.0) })
    }

    #[inline(always)]
    fn rotate_right<const BITS: i32, const REST: i32>(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_ror_epi32::<BITS>(self.0) })
    }

    #[inline(always)]
    fn shift_right<const BITS: i32>(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_srlv_epi32(self.0, _mm512_set1_epi32(BITS)) })
    }

    #[inline(always)]
    fn choose(self, then: Self, otherwise: Self) -> Self {
        // SAFETY: see above. The table of `a ? b : c`.
        Self(unsafe { _mm512_ternarylogic_epi32::<0xca>(self.0, then.0, otherwise.0) })
    }

    #[inline(always)]
    fn majority(self, second: Self, third: Self) -> Self {
        // SAFETY: see above. The table of two of three.
        Self(unsafe { _mm512_ternarylogic_epi32::<0xe8>(self.0, second.0, third.0) })
    }
}

#[target_feature(enable = "avx2")]
pub(crate) fn avx2_merkle_roots(
    midstate: &State,
    tails: &[Block],
    branch: &[[u8; 32]],
    roots: &mut [[u8; 32]],
) {
    // SAFETY: the function has AVX2.
    unsafe { wide::merkle_roots::<Avx2>(midstate, tails, branch, roots) }
}

#[target_feature(enable = "avx2")]
pub(crate) fn avx2_headers(headers: &[[u8; 80]], hashes: &mut [[u8; 32]]) {
    // SAFETY: the function has AVX2.
    unsafe { wide::headers::<Avx2>(headers, hashes) }
}

#[target_feature(enable = "avx512f")]
pub(crate) fn avx512_merkle_roots(
    midstate: &State,
    tails: &[Block],
    branch: &[[u8; 32]],
    roots: &mut [[u8; 32]],
) {
    // SAFETY: the function has AVX-512F.
    unsafe { wide::merkle_roots::<Avx512>(midstate, tails, branch, roots) }
}

#[target_feature(enable = "avx512f")]
pub(crate) fn avx512_headers(headers: &[[u8; 80]], hashes: &mut [[u8; 32]]) {
    // SAFETY: the function has AVX-512F.
    unsafe { wide::headers::<Avx512>(headers, hashes) }
}

#[target_feature(enable = "avx2")]
pub(crate) fn avx2_compress_each(states: &mut [State], blocks: &[Block]) {
    // SAFETY: the function has AVX2.
    unsafe { wide::compress_each::<Avx2>(states, blocks) }
}

#[target_feature(enable = "avx512f")]
pub(crate) fn avx512_compress_each(states: &mut [State], blocks: &[Block]) {
    // SAFETY: the function has AVX-512F.
    unsafe { wide::compress_each::<Avx512>(states, blocks) }
}

#[target_feature(enable = "avx2")]
pub(crate) fn avx2_scan(search: &Scan, first: u32, count: u32, most: u32, found: &mut Vec<u32>) {
    // SAFETY: the function has AVX2.
    unsafe { wide::scan::<Avx2>(search, first, count, most, found) }
}

#[target_feature(enable = "avx512f")]
pub(crate) fn avx512_scan(search: &Scan, first: u32, count: u32, most: u32, found: &mut Vec<u32>) {
    // SAFETY: the function has AVX-512F.
    unsafe { wide::scan::<Avx512>(search, first, count, most, found) }
}
