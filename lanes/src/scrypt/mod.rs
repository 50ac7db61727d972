//! scrypt as Litecoin has it, of several headers at once.
//!
//! One scrypt is a chain in which each step waits for the one before, and fills a third of what a processor could do
//! meanwhile. Several that do not depend on each other stand side by side: in the parts of a wider vector, and in
//! several vectors whose steps take turns. Each needs 128 KiB, so the cache is what ends it.

#[cfg(target_arch = "aarch64")]
#[allow(unsafe_code, reason = "intrinsics")]
mod arm;
mod hmac;
#[allow(unsafe_code, reason = "vectors are made where the processor has them")]
mod rows;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "intrinsics")]
mod x86;

#[cfg(test)]
mod tests;

use crate::{Kind, Lanes};
use hmac::Keys;
use rows::Row;

/// log2 of scrypt's N = 1024, as Litecoin has it (Tenebrix' choice: 128 KiB). Its r and p are 1.
const LOG_N: u8 = 10;

/// The most headers whose scrypt is made at once, by any kind.
pub(crate) const MAX_WIDTH: usize = 8;

/// What scrypt remembers while it hashes: 128 KiB for each header that is hashed at once, so 1 MiB at most. It is taken
/// when it is first needed and kept, since to get it anew each time takes as long as a part of the hashing.
#[derive(Debug, Default)]
pub struct ScryptMemory(Vec<Row>);

impl ScryptMemory {
    /// Holds nothing yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    fn rows(&mut self, count: usize) -> &mut [Row] {
        if self.0.len() < count {
            self.0.resize(count, Row::ZERO);
        }
        &mut self.0[..count]
    }
}

impl Lanes {
    /// How many headers' scrypt is made at once. What is asked of [`Lanes::scrypt`] in multiples of it leaves nothing idle.
    pub fn scrypt_width(self) -> usize {
        match self.kind() {
            Kind::Plain => 1,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => x86::AVX512_WIDTH,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => x86::AVX2_WIDTH,
            #[cfg(target_arch = "x86_64")]
            Kind::ShaExtensions if is_x86_feature_detected!("avx2") => x86::AVX2_WIDTH,
            #[cfg(target_arch = "x86_64")]
            Kind::ShaExtensions => x86::SSE2_WIDTH,
            #[cfg(target_arch = "aarch64")]
            Kind::ShaExtensions | Kind::Neon => arm::NEON_WIDTH,
            _ => 1,
        }
    }

    /// The scrypt hashes (RFC 7914; N = 1024, r = 1, p = 1) of headers, each as both password and salt. One takes some
    /// ten to two hundred microseconds.
    ///
    /// # Panics
    /// If there are not as many hashes as headers.
    pub fn scrypt(self, headers: &[[u8; 80]], hashes: &mut [[u8; 32]], memory: &mut ScryptMemory) {
        self.scrypt_of(LOG_N, headers, hashes, memory);
    }

    /// As [`Lanes::scrypt`], with another N.
    pub(crate) fn scrypt_of(
        self,
        log_n: u8,
        headers: &[[u8; 80]],
        hashes: &mut [[u8; 32]],
        memory: &mut ScryptMemory,
    ) {
        assert_eq!(headers.len(), hashes.len(), "one hash a header");
        if self.kind() == Kind::Plain {
            for (header, hash) in headers.iter().zip(hashes) {
                *hash = plain(log_n, header);
            }
            return;
        }
        let width = self.scrypt_width();
        for (headers, hashes) in headers.chunks(width).zip(hashes.chunks_mut(width)) {
            let mut blocks = [Row::ZERO; MAX_WIDTH];
            let keys = Keys::of(self, headers, &mut blocks);
            self.ro_mix(1 << log_n, &mut blocks[..headers.len()], memory);
            keys.finish(self, &blocks, hashes);
        }
    }

    /// Whether these lanes make scrypt as the `scrypt` package does, with each number of them. With N = 16: what takes
    /// its steps once a step is no other with more of them.
    pub(crate) fn scrypt_agrees_with_plain(self) -> bool {
        const FEW: u8 = 4;
        let count = self.scrypt_width() + 1;
        let mut headers = vec![[0; 80]; count];
        for (n, byte) in headers.as_flattened_mut().iter_mut().enumerate() {
            *byte = (n.wrapping_mul(0x9e37_79b9) >> 5) as u8;
        }
        let mut expected = vec![[0; 32]; count];
        let mut memory = ScryptMemory::new();
        Self::PLAIN.scrypt_of(FEW, &headers, &mut expected, &mut memory);
        (1..=count).all(|count| {
            let mut hashes = vec![[0; 32]; count];
            self.scrypt_of(FEW, &headers[..count], &mut hashes, &mut memory);
            hashes == expected[..count]
        })
    }

    /// ROMix of up to [`MAX_WIDTH`] blocks (RFC 7914, section 5), in as few vectors as hold them.
    #[allow(
        unsafe_code,
        reason = "a value of a kind is only made where the processor has it"
    )]
    fn ro_mix(self, n: usize, blocks: &mut [Row], memory: &mut ScryptMemory) {
        let memory = memory.rows(n * blocks.len());
        // SAFETY: `Lanes::of` has looked that the processor has it.
        unsafe {
            match self.kind() {
                #[cfg(target_arch = "x86_64")]
                Kind::Avx512 => x86::avx512_ro_mix(n, blocks, memory),
                #[cfg(target_arch = "x86_64")]
                Kind::Avx2 => x86::avx2_ro_mix(n, blocks, memory),
                #[cfg(target_arch = "x86_64")]
                Kind::ShaExtensions if is_x86_feature_detected!("avx2") => {
                    x86::avx2_ro_mix(n, blocks, memory);
                }
                #[cfg(target_arch = "x86_64")]
                Kind::ShaExtensions => x86::sse2_ro_mix(n, blocks, memory),
                #[cfg(target_arch = "aarch64")]
                Kind::ShaExtensions | Kind::Neon => arm::neon_ro_mix(n, blocks, memory),
                _ => unreachable!("hashed by the package"),
            }
        }
    }
}

/// One header's scrypt by the `scrypt` package.
fn plain(log_n: u8, header: &[u8; 80]) -> [u8; 32] {
    let params = scrypt::Params::new(log_n, 1, 1).expect("Litecoin's numbers are in range");
    let mut hash = [0; 32];
    scrypt::scrypt(header, header, &params, &mut hash).expect("32 bytes are a length that scrypt can give");
    hash
}
