//! What vectors of 32-bit words can do, whatever stands in them.

/// A vector of 32-bit words.
///
/// Whoever holds one has shown that the processor has its instructions: only making one is unsafe.
pub(crate) trait Vector: Copy {
    fn add(self, other: Self) -> Self;
    fn xor(self, other: Self) -> Self;
    /// `REST` is what is left of 32 bits.
    fn rotate_left<const BITS: i32, const REST: i32>(self) -> Self;

    #[inline(always)]
    fn rotate_right<const BITS: i32, const REST: i32>(self) -> Self {
        self.rotate_left::<REST, BITS>()
    }
}
