//! The SHA extensions of x86.
//!
//! # Safety
//! All functions want a processor that has them, and SSE4.1; those who call them are inlined into what has them.

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_loadu_si128, _mm_set_epi64x, _mm_sha256msg1_epu32,
    _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi8, _mm_shuffle_epi32, _mm_storeu_si128,
    _mm_unpackhi_epi64, _mm_unpacklo_epi64,
};

/// Four words.
pub(super) type Vector = __m128i;

#[inline(always)]
pub(super) unsafe fn load_words(words: &[u32; 4]) -> Vector {
    // SAFETY: the array is as long as the vector.
    unsafe { _mm_loadu_si128(words.as_ptr().cast()) }
}

#[inline(always)]
pub(super) unsafe fn store_words(vector: Vector, words: &mut [u32; 4]) {
    // SAFETY: the array is as long as the vector.
    unsafe { _mm_storeu_si128(words.as_mut_ptr().cast(), vector) }
}

#[inline(always)]
pub(super) unsafe fn add(one: Vector, other: Vector) -> Vector {
    // SAFETY: the caller says so.
    unsafe { _mm_add_epi32(one, other) }
}

/// Turns the bytes of each word around.
#[inline(always)]
pub(super) unsafe fn turned(words: Vector) -> Vector {
    // SAFETY: the caller says so.
    unsafe {
        let order = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
        _mm_shuffle_epi8(words, order)
    }
}

/// From the order of the words to that of the instructions: f, e, b, a and h, g, d, c.
#[inline(always)]
pub(super) unsafe fn packed([low, high]: [Vector; 2]) -> [Vector; 2] {
    // SAFETY: the caller says so.
    unsafe {
        let (low, high) = (_mm_shuffle_epi32::<0xb1>(low), _mm_shuffle_epi32::<0xb1>(high));
        [_mm_unpacklo_epi64(high, low), _mm_unpackhi_epi64(high, low)]
    }
}

/// The other way.
#[inline(always)]
pub(super) unsafe fn unpacked([abef, cdgh]: [Vector; 2]) -> [Vector; 2] {
    // SAFETY: the caller says so.
    unsafe {
        let (low, high) = (_mm_unpackhi_epi64(abef, cdgh), _mm_unpacklo_epi64(abef, cdgh));
        [_mm_shuffle_epi32::<0xb1>(low), _mm_shuffle_epi32::<0xb1>(high)]
    }
}

/// Four rounds.
#[inline(always)]
pub(super) unsafe fn four_rounds([abef, cdgh]: [Vector; 2], added: Vector) -> [Vector; 2] {
    // SAFETY: the caller says so.
    unsafe {
        let cdgh = _mm_sha256rnds2_epu32(cdgh, abef, added);
        let abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32::<0x0e>(added));
        [abef, cdgh]
    }
}

/// The four words of the message schedule that follow on sixteen.
#[inline(always)]
pub(super) unsafe fn next_words(first: Vector, second: Vector, third: Vector, last: Vector) -> Vector {
    // SAFETY: the caller says so.
    unsafe {
        let begun = _mm_add_epi32(
            _mm_sha256msg1_epu32(first, second),
            _mm_alignr_epi8::<4>(last, third),
        );
        _mm_sha256msg2_epu32(begun, last)
    }
}
