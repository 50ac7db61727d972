//! The SHA-256 instructions of ARMv8.
//!
//! # Safety
//! All functions want a processor that has them, and NEON; those who call them are inlined into what has them.

use std::arch::aarch64::{
    uint32x4_t, vaddq_u32, vld1q_u32, vreinterpretq_u8_u32, vreinterpretq_u32_u8, vrev32q_u8, vsha256h2q_u32,
    vsha256hq_u32, vsha256su0q_u32, vsha256su1q_u32, vst1q_u32,
};

/// Four words.
pub(super) type Vector = uint32x4_t;

#[inline(always)]
pub(super) unsafe fn load_words(words: &[u32; 4]) -> Vector {
    // SAFETY: the array is as long as the vector.
    unsafe { vld1q_u32(words.as_ptr()) }
}

#[inline(always)]
pub(super) unsafe fn store_words(vector: Vector, words: &mut [u32; 4]) {
    // SAFETY: the array is as long as the vector.
    unsafe { vst1q_u32(words.as_mut_ptr(), vector) }
}

#[inline(always)]
pub(super) unsafe fn add(one: Vector, other: Vector) -> Vector {
    // SAFETY: the caller says so.
    unsafe { vaddq_u32(one, other) }
}

/// Turns the bytes of each word around.
#[inline(always)]
pub(super) unsafe fn turned(words: Vector) -> Vector {
    // SAFETY: the caller says so.
    unsafe { vreinterpretq_u32_u8(vrev32q_u8(vreinterpretq_u8_u32(words))) }
}

/// The instructions take a state in the order of its words.
#[inline(always)]
pub(super) unsafe fn packed(state: [Vector; 2]) -> [Vector; 2] {
    state
}

/// The other way.
#[inline(always)]
pub(super) unsafe fn unpacked(state: [Vector; 2]) -> [Vector; 2] {
    state
}

/// Four rounds.
#[inline]
#[target_feature(enable = "sha2")]
pub(super) unsafe fn four_rounds([abcd, efgh]: [Vector; 2], added: Vector) -> [Vector; 2] {
    [
        vsha256hq_u32(abcd, efgh, added),
        vsha256h2q_u32(efgh, abcd, added),
    ]
}

/// The four words of the message schedule that follow on sixteen.
#[inline]
#[target_feature(enable = "sha2")]
pub(super) unsafe fn next_words(first: Vector, second: Vector, third: Vector, last: Vector) -> Vector {
    vsha256su1q_u32(vsha256su0q_u32(first, second), third, last)
}
