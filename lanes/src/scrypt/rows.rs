//! What is written once for every vector: Salsa20/8, BlockMix and ROMix (RFC 7914, sections 3 to 5) with r = 1.
//!
//! A vector holds four words of each of its headers. Those of a block stand in the order of its diagonals, so that a step
//! of Salsa20 is a step of whole vectors; the order is changed when blocks come in, and changed back when they go out.

use crate::vector::Vector;

/// A block of scrypt, 128 bytes: two of Salsa20, each as its four diagonals. Two lines of a cache.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Row(pub(super) [[u32; 4]; 8]);

impl Row {
    pub(super) const ZERO: Self = Self([[0; 4]; 8]);

    /// The block of these bytes.
    pub(super) fn of(bytes: &[u8; 128]) -> Self {
        let mut row = Self::ZERO;
        let (words, _) = bytes.as_chunks::<4>();
        for (at, word) in words.iter().enumerate() {
            *row.word(at) = u32::from_le_bytes(*word);
        }
        row
    }

    /// Its bytes.
    pub(super) fn bytes(mut self) -> [u8; 128] {
        let mut bytes = [0; 128];
        let (words, _) = bytes.as_chunks_mut::<4>();
        for (at, word) in words.iter_mut().enumerate() {
            *word = self.word(at).to_le_bytes();
        }
        bytes
    }

    /// The word that stands at this place of the block. Diagonal `down` of a square of four by four begins with the word
    /// `down` rows below the first, and goes on one down and one to the right.
    fn word(&mut self, at: usize) -> &mut u32 {
        let (square, down, right) = (at / 16, at % 16 / 4, at % 4);
        &mut self.0[4 * square + (down + 4 - right) % 4][right]
    }
}

/// A vector with four words of each of some headers.
pub(super) trait Quads: Vector {
    /// How many headers; [`MAX_HEADERS`] at most.
    const HEADERS: usize;

    /// The rows at `places`, one for each header.
    ///
    /// # Safety
    /// The processor has the vector's instructions.
    unsafe fn load(rows: &[Row], places: [usize; MAX_HEADERS]) -> [Self; 8];
    /// Puts each header's row at its place.
    fn store(row: [Self; 8], rows: &mut [Row], places: [usize; MAX_HEADERS]);
    /// The first word of each header.
    fn firsts(self) -> [u32; MAX_HEADERS];
    /// Each header's words `BY` places on.
    fn turn<const BY: usize>(self) -> Self;
}

/// The widest vector's headers.
pub(super) const MAX_HEADERS: usize = 4;

type Square<Q> = [Q; 4];

// Below are counted loops alone: what goes through the adapters of iterators is not inlined into what has the vector's
// instructions.

/// Salsa20/8 of each stream, in turns.
#[inline(always)]
fn salsa<Q: Quads, const STREAMS: usize>(squares: [Square<Q>; STREAMS]) -> [Square<Q>; STREAMS] {
    let mut now = squares;
    for _ in 0..8 {
        for n in 0..STREAMS {
            let [a, b, _, d] = now[n];
            now[n][1] = b.xor(a.add(d).rotate_left::<7, 25>());
        }
        for n in 0..STREAMS {
            let [a, b, c, _] = now[n];
            now[n][2] = c.xor(b.add(a).rotate_left::<9, 23>());
        }
        for n in 0..STREAMS {
            let [_, b, c, d] = now[n];
            now[n][3] = d.xor(c.add(b).rotate_left::<13, 19>());
        }
        for n in 0..STREAMS {
            let [a, b, c, d] = now[n];
            let a = a.xor(d.add(c).rotate_left::<18, 14>());
            // Columns become rows, and the other way.
            now[n] = [a, d.turn::<1>(), c.turn::<2>(), b.turn::<3>()];
        }
    }
    for n in 0..STREAMS {
        for at in 0..4 {
            now[n][at] = now[n][at].add(squares[n][at]);
        }
    }
    now
}

/// BlockMix of each stream.
#[inline(always)]
fn block_mix<Q: Quads, const STREAMS: usize>(rows: &mut [[Q; 8]; STREAMS]) {
    let mut squares = [[rows[0][0]; 4]; STREAMS];
    for n in 0..STREAMS {
        for at in 0..4 {
            squares[n][at] = rows[n][at].xor(rows[n][4 + at]);
        }
    }
    squares = salsa(squares);
    for n in 0..STREAMS {
        for at in 0..4 {
            rows[n][at] = squares[n][at];
            squares[n][at] = squares[n][at].xor(rows[n][4 + at]);
        }
    }
    squares = salsa(squares);
    for n in 0..STREAMS {
        for at in 0..4 {
            rows[n][4 + at] = squares[n][at];
        }
    }
}

/// ROMix of `blocks`, in `STREAMS` vectors. `memory` has `n` rows for each; vectors that have more room repeat the last.
///
/// # Safety
/// The processor has the vector's instructions.
#[inline(always)]
pub(super) unsafe fn ro_mix<Q: Quads, const STREAMS: usize>(
    n: usize,
    blocks: &mut [Row],
    memory: &mut [Row],
) {
    let last = blocks.len() - 1;
    // Whose rows they are, for each stream.
    let mut owners = [[0; MAX_HEADERS]; STREAMS];
    for stream in 0..STREAMS {
        for at in 0..Q::HEADERS {
            owners[stream][at] = last.min(stream * Q::HEADERS + at);
        }
    }
    // SAFETY: the caller says so.
    let mut rows = [unsafe { Q::load(blocks, owners[0]) }; STREAMS];
    for stream in 1..STREAMS {
        // SAFETY: the caller says so.
        rows[stream] = unsafe { Q::load(blocks, owners[stream]) };
    }
    for step in 0..n {
        for stream in 0..STREAMS {
            let mut places = owners[stream];
            for at in 0..Q::HEADERS {
                places[at] = places[at] * n + step;
            }
            Q::store(rows[stream], memory, places);
        }
        block_mix(&mut rows);
    }
    for _ in 0..n {
        for stream in 0..STREAMS {
            let mut places = owners[stream];
            let firsts = rows[stream][4].firsts();
            for at in 0..Q::HEADERS {
                places[at] = places[at] * n + (firsts[at] as usize & (n - 1));
            }
            // SAFETY: the caller says so.
            let remembered = unsafe { Q::load(memory, places) };
            for at in 0..8 {
                rows[stream][at] = rows[stream][at].xor(remembered[at]);
            }
        }
        block_mix(&mut rows);
    }
    for stream in 0..STREAMS {
        Q::store(rows[stream], blocks, owners[stream]);
    }
}
