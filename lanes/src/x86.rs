//! The vectors of x86, and the lanes of AVX2 and AVX-512.

use std::arch::x86_64::{
    __m128i, __m256i, __m512i, _mm_add_epi32, _mm_or_si128, _mm_slli_epi32, _mm_srli_epi32, _mm_xor_si128,
    _mm256_add_epi32, _mm256_and_si256, _mm256_loadu_si256, _mm256_or_si256, _mm256_set1_epi32,
    _mm256_slli_epi32, _mm256_srli_epi32, _mm256_storeu_si256, _mm256_xor_si256, _mm512_add_epi32,
    _mm512_loadu_si512, _mm512_rol_epi32, _mm512_set1_epi32, _mm512_srlv_epi32, _mm512_storeu_si512,
    _mm512_ternarylogic_epi32, _mm512_xor_si512,
};

use crate::task::Task;
use crate::vector::Vector;
use crate::wide::{MAX_LANES, Words};

// SAFETY (of every block below): a vector is made by functions alone whose callers know that the processor has its
// instructions; arrays are as long as the widest vector.

/// Four words: with SSE2, which every processor of this kind has.
#[derive(Clone, Copy)]
pub(crate) struct Sse2(pub(crate) __m128i);

impl Vector for Sse2 {
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm_add_epi32(self.0, other.0) })
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm_xor_si128(self.0, other.0) })
    }

    #[inline(always)]
    fn rotate_left<const BITS: i32, const REST: i32>(self) -> Self {
        const { assert!(BITS + REST == 32, "what is left of a word") }
        // SAFETY: see above.
        Self(unsafe { _mm_or_si128(_mm_slli_epi32::<BITS>(self.0), _mm_srli_epi32::<REST>(self.0)) })
    }
}

/// Eight words: with AVX2.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(pub(crate) __m256i);

impl Vector for Avx2 {
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
    fn rotate_left<const BITS: i32, const REST: i32>(self) -> Self {
        const { assert!(BITS + REST == 32, "what is left of a word") }
        // SAFETY: see above.
        Self(unsafe {
            _mm256_or_si256(
                _mm256_slli_epi32::<BITS>(self.0),
                _mm256_srli_epi32::<REST>(self.0),
            )
        })
    }
}

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

/// Sixteen words: with AVX-512F.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(pub(crate) __m512i);

impl Vector for Avx512 {
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
    fn rotate_left<const BITS: i32, const REST: i32>(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_rol_epi32::<BITS>(self.0) })
    }
}

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
pub(crate) fn in_avx2(task: impl Task) {
    // SAFETY: the function has AVX2.
    unsafe { task.in_lanes::<Avx2>() }
}

#[target_feature(enable = "avx512f")]
pub(crate) fn in_avx512(task: impl Task) {
    // SAFETY: the function has AVX-512F.
    unsafe { task.in_lanes::<Avx512>() }
}
