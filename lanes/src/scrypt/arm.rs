//! Headers in the vectors of NEON.

use std::arch::aarch64::{vextq_u32, vgetq_lane_u32, vld1q_u32, vst1q_u32};

use super::rows::{MAX_HEADERS, Quads, Row, ro_mix};
use crate::neon::Neon;

// SAFETY (of every block below): a vector is made by `load` alone, whose callers know that the processor has NEON; the
// parts of a row are as long as a vector.

/// One header in a vector.
impl Quads for Neon {
    const HEADERS: usize = 1;

    #[inline(always)]
    unsafe fn load(rows: &[Row], places: [usize; MAX_HEADERS]) -> [Self; 8] {
        let Row(parts) = &rows[places[0]];
        // SAFETY: the caller says so.
        unsafe {
            let mut row = [Self(vld1q_u32(parts[0].as_ptr())); 8];
            for at in 1..8 {
                row[at].0 = vld1q_u32(parts[at].as_ptr());
            }
            row
        }
    }

    #[inline(always)]
    fn store(row: [Self; 8], rows: &mut [Row], places: [usize; MAX_HEADERS]) {
        let Row(parts) = &mut rows[places[0]];
        for at in 0..8 {
            // SAFETY: see above.
            unsafe { vst1q_u32(parts[at].as_mut_ptr(), row[at].0) }
        }
    }

    #[inline(always)]
    fn firsts(self) -> [u32; MAX_HEADERS] {
        // SAFETY: see above.
        [unsafe { vgetq_lane_u32::<0>(self.0) }, 0, 0, 0]
    }

    #[inline(always)]
    fn turn<const BY: usize>(self) -> Self {
        // SAFETY: see above.
        Self(unsafe {
            match BY {
                1 => vextq_u32::<1>(self.0, self.0),
                2 => vextq_u32::<2>(self.0, self.0),
                _ => vextq_u32::<3>(self.0, self.0),
            }
        })
    }
}

/// By count of instructions: there are thirty-two registers, and what one vector waits for fills four.
pub(super) const NEON_WIDTH: usize = 4;

/// ROMix of [`NEON_WIDTH`] blocks or fewer.
#[target_feature(enable = "neon")]
pub(super) fn neon_ro_mix(n: usize, blocks: &mut [Row], memory: &mut [Row]) {
    // SAFETY: the function has NEON.
    unsafe {
        match blocks.len() {
            1 => ro_mix::<Neon, 1>(n, blocks, memory),
            2 => ro_mix::<Neon, 2>(n, blocks, memory),
            3 => ro_mix::<Neon, 3>(n, blocks, memory),
            _ => ro_mix::<Neon, 4>(n, blocks, memory),
        }
    }
}
