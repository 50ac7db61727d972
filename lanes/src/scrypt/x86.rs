//! Headers in the vectors of x86.

use std::arch::x86_64::{
    __m128i, _mm_cvtsi128_si32, _mm_load_si128, _mm_shuffle_epi32, _mm_store_si128, _mm256_castsi256_si128,
    _mm256_extracti128_si256, _mm256_set_m128i, _mm256_shuffle_epi32, _mm512_castsi128_si512,
    _mm512_extracti32x4_epi32, _mm512_inserti32x4, _mm512_shuffle_epi32,
};

use super::rows::{MAX_HEADERS, Quads, Row, ro_mix};
use crate::x86::{Avx2, Avx512, Sse2};

// SAFETY (of every block below): a vector is made by `load` alone, whose callers know that the processor has its
// instructions; the parts of a row are as long as a vector of four words, and begin where one may.

#[inline(always)]
fn load(part: &[u32; 4]) -> __m128i {
    // SAFETY: see above.
    unsafe { _mm_load_si128(std::ptr::from_ref(part).cast()) }
}

#[inline(always)]
fn store(vector: __m128i, part: &mut [u32; 4]) {
    // SAFETY: see above.
    unsafe { _mm_store_si128(std::ptr::from_mut(part).cast(), vector) }
}

#[inline(always)]
fn first(vector: __m128i) -> u32 {
    // SAFETY: see above.
    unsafe { _mm_cvtsi128_si32(vector) }.cast_unsigned()
}

/// One header in a vector of SSE2.
impl Quads for Sse2 {
    const HEADERS: usize = 1;

    #[inline(always)]
    unsafe fn load(rows: &[Row], places: [usize; MAX_HEADERS]) -> [Self; 8] {
        let Row(parts) = &rows[places[0]];
        let mut row = [Self(load(&parts[0])); 8];
        for at in 1..8 {
            row[at].0 = load(&parts[at]);
        }
        row
    }

    #[inline(always)]
    fn store(row: [Self; 8], rows: &mut [Row], places: [usize; MAX_HEADERS]) {
        let Row(parts) = &mut rows[places[0]];
        for at in 0..8 {
            store(row[at].0, &mut parts[at]);
        }
    }

    #[inline(always)]
    fn firsts(self) -> [u32; MAX_HEADERS] {
        [first(self.0), 0, 0, 0]
    }

    #[inline(always)]
    fn turn<const BY: usize>(self) -> Self {
        // SAFETY: see above.
        Self(unsafe {
            match BY {
                1 => _mm_shuffle_epi32::<0x39>(self.0),
                2 => _mm_shuffle_epi32::<0x4e>(self.0),
                _ => _mm_shuffle_epi32::<0x93>(self.0),
            }
        })
    }
}

/// Two headers in a vector of AVX2.
impl Quads for Avx2 {
    const HEADERS: usize = 2;

    #[inline(always)]
    unsafe fn load(rows: &[Row], places: [usize; MAX_HEADERS]) -> [Self; 8] {
        let (Row(low), Row(high)) = (&rows[places[0]], &rows[places[1]]);
        // SAFETY: the caller says so.
        unsafe {
            let mut row = [Self(_mm256_set_m128i(load(&high[0]), load(&low[0]))); 8];
            for at in 1..8 {
                row[at].0 = _mm256_set_m128i(load(&high[at]), load(&low[at]));
            }
            row
        }
    }

    #[inline(always)]
    fn store(row: [Self; 8], rows: &mut [Row], places: [usize; MAX_HEADERS]) {
        // Two loops, so that each has its row's bounds looked at once.
        let Row(parts) = &mut rows[places[1]];
        for at in 0..8 {
            // SAFETY: see above.
            store(
                unsafe { _mm256_extracti128_si256::<1>(row[at].0) },
                &mut parts[at],
            );
        }
        let Row(parts) = &mut rows[places[0]];
        for at in 0..8 {
            // SAFETY: see above.
            store(unsafe { _mm256_castsi256_si128(row[at].0) }, &mut parts[at]);
        }
    }

    #[inline(always)]
    fn firsts(self) -> [u32; MAX_HEADERS] {
        // SAFETY: see above.
        unsafe {
            [
                first(_mm256_castsi256_si128(self.0)),
                first(_mm256_extracti128_si256::<1>(self.0)),
                0,
                0,
            ]
        }
    }

    #[inline(always)]
    fn turn<const BY: usize>(self) -> Self {
        // SAFETY: see above.
        Self(unsafe {
            match BY {
                1 => _mm256_shuffle_epi32::<0x39>(self.0),
                2 => _mm256_shuffle_epi32::<0x4e>(self.0),
                _ => _mm256_shuffle_epi32::<0x93>(self.0),
            }
        })
    }
}

/// Four headers in a vector of AVX-512.
impl Quads for Avx512 {
    const HEADERS: usize = 4;

    #[inline(always)]
    unsafe fn load(rows: &[Row], places: [usize; MAX_HEADERS]) -> [Self; 8] {
        let (Row(first), Row(second)) = (&rows[places[0]], &rows[places[1]]);
        let (Row(third), Row(last)) = (&rows[places[2]], &rows[places[3]]);
        // SAFETY: the caller says so.
        unsafe {
            let mut row = [Self(_mm512_castsi128_si512(load(&first[0]))); 8];
            for at in 0..8 {
                let one = _mm512_castsi128_si512(load(&first[at]));
                let two = _mm512_inserti32x4::<1>(one, load(&second[at]));
                let three = _mm512_inserti32x4::<2>(two, load(&third[at]));
                row[at].0 = _mm512_inserti32x4::<3>(three, load(&last[at]));
            }
            row
        }
    }

    #[inline(always)]
    fn store(row: [Self; 8], rows: &mut [Row], places: [usize; MAX_HEADERS]) {
        let Row(parts) = &mut rows[places[3]];
        for at in 0..8 {
            // SAFETY: see above.
            store(
                unsafe { _mm512_extracti32x4_epi32::<3>(row[at].0) },
                &mut parts[at],
            );
        }
        let Row(parts) = &mut rows[places[2]];
        for at in 0..8 {
            // SAFETY: see above.
            store(
                unsafe { _mm512_extracti32x4_epi32::<2>(row[at].0) },
                &mut parts[at],
            );
        }
        let Row(parts) = &mut rows[places[1]];
        for at in 0..8 {
            // SAFETY: see above.
            store(
                unsafe { _mm512_extracti32x4_epi32::<1>(row[at].0) },
                &mut parts[at],
            );
        }
        let Row(parts) = &mut rows[places[0]];
        for at in 0..8 {
            // SAFETY: see above.
            store(
                unsafe { _mm512_extracti32x4_epi32::<0>(row[at].0) },
                &mut parts[at],
            );
        }
    }

    #[inline(always)]
    fn firsts(self) -> [u32; MAX_HEADERS] {
        // SAFETY: see above.
        unsafe {
            [
                first(_mm512_extracti32x4_epi32::<0>(self.0)),
                first(_mm512_extracti32x4_epi32::<1>(self.0)),
                first(_mm512_extracti32x4_epi32::<2>(self.0)),
                first(_mm512_extracti32x4_epi32::<3>(self.0)),
            ]
        }
    }

    #[inline(always)]
    fn turn<const BY: usize>(self) -> Self {
        // SAFETY: see above.
        Self(unsafe {
            match BY {
                1 => _mm512_shuffle_epi32::<0x39>(self.0),
                2 => _mm512_shuffle_epi32::<0x4e>(self.0),
                _ => _mm512_shuffle_epi32::<0x93>(self.0),
            }
        })
    }
}

// The widths are the ones that were quickest, a header: three vectors fill what one leaves idle, and what they hold has
// room in sixteen registers. A fourth has not, and its memory is more than the cache of most cores.
pub(super) const SSE2_WIDTH: usize = 3;
pub(super) const AVX2_WIDTH: usize = 6;
/// By count of instructions: two of these vectors fill what there is for them.
pub(super) const AVX512_WIDTH: usize = 8;

/// ROMix of [`SSE2_WIDTH`] blocks or fewer.
pub(super) fn sse2_ro_mix(n: usize, blocks: &mut [Row], memory: &mut [Row]) {
    // SAFETY: every processor of this kind has SSE2.
    unsafe {
        match blocks.len() {
            1 => ro_mix::<Sse2, 1>(n, blocks, memory),
            2 => ro_mix::<Sse2, 2>(n, blocks, memory),
            _ => ro_mix::<Sse2, 3>(n, blocks, memory),
        }
    }
}

/// ROMix of [`AVX2_WIDTH`] blocks or fewer.
#[target_feature(enable = "avx2")]
pub(super) fn avx2_ro_mix(n: usize, blocks: &mut [Row], memory: &mut [Row]) {
    // SAFETY: the function has AVX2.
    unsafe {
        match blocks.len() {
            1 => ro_mix::<Sse2, 1>(n, blocks, memory),
            2 => ro_mix::<Avx2, 1>(n, blocks, memory),
            3 | 4 => ro_mix::<Avx2, 2>(n, blocks, memory),
            _ => ro_mix::<Avx2, 3>(n, blocks, memory),
        }
    }
}

/// ROMix of [`AVX512_WIDTH`] blocks or fewer.
#[target_feature(enable = "avx512f,avx2")]
pub(super) fn avx512_ro_mix(n: usize, blocks: &mut [Row], memory: &mut [Row]) {
    // SAFETY: the function has AVX-512F, and AVX2, which no processor has it without.
    unsafe {
        match blocks.len() {
            1 => ro_mix::<Sse2, 1>(n, blocks, memory),
            2 => ro_mix::<Avx2, 1>(n, blocks, memory),
            3 | 4 => ro_mix::<Avx512, 1>(n, blocks, memory),
            _ => ro_mix::<Avx512, 2>(n, blocks, memory),
        }
    }
}
