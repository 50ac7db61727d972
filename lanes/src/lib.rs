//! SHA-256d and scrypt of many messages at once.
//!
//! A pool judges shares that do not depend on each other: the coinbase of each is hashed from a midstate, then its way up
//! the merkle branch, then its header. All take the same steps, so one vector instruction takes a step of all of them.
//! What the processor has is found out at run time ([`Lanes::best`]) and tested against the plain way before it is used.
//!
//! This is the only package of the pool with `unsafe` in it: the intrinsics of [`std::arch`] need it. Nothing else is
//! done with it. Everything that callers see is safe.

mod compress;
mod constants;
#[cfg(target_arch = "aarch64")]
#[allow(unsafe_code, reason = "intrinsics")]
mod neon;
pub mod plain;
mod scan;
mod scrypt;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[allow(unsafe_code, reason = "intrinsics")]
mod sha_extensions;
mod shares;
#[allow(unsafe_code, reason = "vectors are made where the processor has them")]
mod task;
mod vector;
#[allow(unsafe_code, reason = "vectors are made where the processor has them")]
mod wide;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "intrinsics")]
mod x86;

#[cfg(test)]
mod tests;

pub use constants::{BLOCK_LEN, Block, INITIAL, State, padding_of};
pub use scan::Scan;
pub use scrypt::ScryptMemory;

use std::fmt;
use std::ops::Range;

/// What hashes the lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One message after another, by the `sha2` package, which has its own ways for some processors.
    Plain,
    /// The processor's instructions for SHA-256 (x86 and ARMv8 have them), two messages side by side.
    ShaExtensions,
    /// Eight lanes of AVX2.
    Avx2,
    /// Sixteen lanes of AVX-512.
    Avx512,
    /// Four lanes of NEON.
    Neon,
}

impl Kind {
    /// Every kind, the one that is to be preferred first.
    pub const ALL: [Self; 5] = [
        Self::Avx512,
        Self::ShaExtensions,
        Self::Avx2,
        Self::Neon,
        Self::Plain,
    ];

    /// The kind's name in settings and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::ShaExtensions => "sha-extensions",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Neon => "neon",
        }
    }

    /// How many messages are hashed at once.
    pub const fn width(self) -> usize {
        match self {
            Self::Plain => 1,
            Self::ShaExtensions => 2,
            Self::Neon => 4,
            Self::Avx2 => 8,
            Self::Avx512 => 16,
        }
    }

    /// From how many messages on these lanes take less time than hashing them by `few`.
    ///
    /// Full lanes of AVX2 take what the SHA extensions take for a dozen, and of AVX-512 for about ten; both take what one
    /// and a half messages take without any extension.
    const fn worth_from(self, few: Self) -> usize {
        match (self, few) {
            (Self::Avx2 | Self::Avx512, Self::ShaExtensions) => 8,
            (Self::Avx2 | Self::Avx512 | Self::Neon, _) => 2,
            (Self::Plain | Self::ShaExtensions, _) => 0,
        }
    }

    /// Whether this processor has it.
    #[cfg(target_arch = "x86_64")]
    fn is_here(self) -> bool {
        match self {
            Self::Plain => true,
            Self::ShaExtensions => {
                is_x86_feature_detected!("sha")
                    && is_x86_feature_detected!("ssse3")
                    && is_x86_feature_detected!("sse4.1")
            }
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            Self::Avx512 => is_x86_feature_detected!("avx512f"),
            Self::Neon => false,
        }
    }

    /// Whether this processor has it.
    #[cfg(target_arch = "aarch64")]
    fn is_here(self) -> bool {
        use std::arch::is_aarch64_feature_detected;
        match self {
            Self::Plain => true,
            Self::ShaExtensions => is_aarch64_feature_detected!("sha2"),
            Self::Neon => is_aarch64_feature_detected!("neon"),
            Self::Avx2 | Self::Avx512 => false,
        }
    }

    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    fn is_here(self) -> bool {
        self == Self::Plain
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A way to hash that this processor has. It is shown by the kind's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lanes {
    kind: Kind,
    /// What hashes so few messages that most lanes would be empty.
    for_few: Kind,
}

impl fmt::Display for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl Lanes {
    /// One message after another.
    pub const PLAIN: Self = Self {
        kind: Kind::Plain,
        for_few: Kind::Plain,
    };

    /// This kind, if the processor has it and it hashes as the plain one does.
    pub fn of(kind: Kind) -> Option<Self> {
        let alone = Self { kind, for_few: kind };
        let agrees = kind.is_here()
            && alone.agrees_with_plain()
            && alone.scan_agrees_with_plain()
            && alone.scrypt_agrees_with_plain();
        agrees.then_some(Self {
            kind,
            for_few: Kind::Plain,
        })
    }

    /// The best that this processor has, and the best for few messages, if both together hash as the plain one does.
    pub fn best() -> Self {
        let best = Kind::ALL.into_iter().find_map(Self::of).unwrap_or(Self::PLAIN);
        let for_few = Self::of(Kind::ShaExtensions).map_or(best.for_few, Self::kind);
        let both = Self { for_few, ..best };
        if both.agrees_with_plain() && both.scrypt_agrees_with_plain() {
            both
        } else {
            best
        }
    }

    /// Every way to hash that this processor has: each kind alone, and the best, which may be two of them.
    pub fn every() -> Vec<Self> {
        let alone = Kind::ALL.into_iter().filter_map(Self::of);
        alone.chain([Self::best()]).collect()
    }

    /// What hashes.
    pub const fn kind(self) -> Kind {
        self.kind
    }

    /// What hashes the first of this many messages. Lanes cost the same whether they are full or not.
    fn kind_for(self, count: usize) -> Kind {
        if count < self.kind.worth_from(self.for_few) {
            self.for_few
        } else {
            self.kind
        }
    }

    /// This many messages in parts that are hashed at once, each as wide as what hashes it: the last few may be hashed by
    /// what is less wide than the others' lanes.
    fn parts(self, count: usize) -> impl Iterator<Item = Range<usize>> {
        let mut begin = 0;
        std::iter::from_fn(move || {
            let left = count - begin;
            let part = begin..begin + self.kind_for(left).width().min(left);
            begin = part.end;
            (!part.is_empty()).then_some(part)
        })
    }

    /// Hashes what is easy to make up, once with full lanes and once with every number of them, as the plain way does.
    fn agrees_with_plain(self) -> bool {
        let count = 2 * self.kind.width() + 1;
        let byte = |n: usize| (n.wrapping_mul(0x9e37_79b9) >> 7) as u8;
        let tails: Vec<Block> = (0..2 * count)
            .map(|n| std::array::from_fn(|at| byte(64 * n + at)))
            .collect();
        let branch: Vec<[u8; 32]> = (0..3)
            .map(|n| std::array::from_fn(|at| byte(7 + 32 * n + at)))
            .collect();
        let headers: Vec<[u8; 80]> = (0..count)
            .map(|n| std::array::from_fn(|at| byte(80 * n + at)))
            .collect();
        (1..=count).all(|count| {
            let hashed_by = |lanes: Self| {
                let mut hashes = vec![[0; 32]; 2 * count];
                let (roots, names) = hashes.split_at_mut(count);
                lanes.merkle_roots(&INITIAL, &tails[..2 * count], &branch, roots);
                lanes.headers(&headers[..count], names);
                hashes
            };
            hashed_by(self) == hashed_by(Self::PLAIN)
        })
    }
}
