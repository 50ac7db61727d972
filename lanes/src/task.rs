//! What is hashed, apart from what hashes it.

use crate::wide::Words;
use crate::{Kind, Lanes};

/// Some messages that are hashed together, written once for each way to do it.
pub(crate) trait Task: Sized {
    /// In the lanes of a vector.
    ///
    /// # Safety
    /// The processor has the vector's instructions.
    unsafe fn in_lanes<V: Words>(self);
    /// By the processor's instructions for SHA-256.
    ///
    /// # Safety
    /// The processor has them.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    unsafe fn by_extensions(self);
    /// One after another.
    fn plain(self);
}

impl Lanes {
    /// Does it, of this many messages.
    #[allow(
        unsafe_code,
        reason = "a value of a kind is only made where the processor has it"
    )]
    pub(crate) fn run(self, count: usize, task: impl Task) {
        // SAFETY: `Lanes::of` has looked that the processor has it.
        unsafe {
            match self.kind_for(count) {
                #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
                Kind::ShaExtensions => task.by_extensions(),
                #[cfg(target_arch = "x86_64")]
                Kind::Avx2 => crate::x86::in_avx2(task),
                #[cfg(target_arch = "x86_64")]
                Kind::Avx512 => crate::x86::in_avx512(task),
                #[cfg(target_arch = "aarch64")]
                Kind::Neon => crate::neon::in_neon(task),
                _ => task.plain(),
            }
        }
    }
}
