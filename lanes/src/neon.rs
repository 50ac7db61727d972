//! The vector of NEON, and its lanes.

use std::arch::aarch64::{
    uint32x4_t, vaddq_u32, vbslq_u32, vdupq_n_u32, veorq_u32, vld1q_u32, vshlq_n_u32, vshrq_n_u32,
    vsriq_n_u32, vst1q_u32,
};

use crate::task::Task;
use crate::vector::Vector;
use crate::wide::{MAX_LANES, Words};

// SAFETY (of every block below): a vector is made by functions alone whose callers know that the processor has NEON;
// arrays are as long as the widest vector.

/// Four words.
#[derive(Clone, Copy)]
pub(crate) struct Neon(pub(crate) uint32x4_t);

impl Vector for Neon {
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
    fn rotate_left<const BITS: i32, const REST: i32>(self) -> Self {
        const { assert!(BITS + REST == 32, "what is left of a word") }
        // SAFETY: see above.
        Self(unsafe { vsriq_n_u32::<REST>(vshlq_n_u32::<BITS>(self.0), self.0) })
    }
}

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
pub(crate) fn in_neon(task: impl Task) {
    // SAFETY: the function has NEON.
    unsafe { task.in_lanes::<Neon>() }
}
