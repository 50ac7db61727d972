//! What shares are hashed for: merkle roots and headers.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use crate::sha_extensions;
use crate::task::Task;
use crate::wide::{self, Words};
use crate::{Block, Lanes, State, plain};

struct MerkleRoots<'a> {
    midstate: &'a State,
    tails: &'a [Block],
    branch: &'a [[u8; 32]],
    roots: &'a mut [[u8; 32]],
}

#[allow(unsafe_code, reason = "the vectors' instructions")]
impl Task for MerkleRoots<'_> {
    #[inline(always)]
    unsafe fn in_lanes<V: Words>(self) {
        // SAFETY: the caller says so.
        unsafe { wide::merkle_roots::<V>(self.midstate, self.tails, self.branch, self.roots) }
    }

    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    unsafe fn by_extensions(self) {
        // SAFETY: the caller says so.
        unsafe { sha_extensions::merkle_roots(self.midstate, self.tails, self.branch, self.roots) }
    }

    fn plain(self) {
        plain::merkle_roots(self.midstate, self.tails, self.branch, self.roots);
    }
}

struct Headers<'a> {
    headers: &'a [[u8; 80]],
    hashes: &'a mut [[u8; 32]],
}

#[allow(unsafe_code, reason = "the vectors' instructions")]
impl Task for Headers<'_> {
    #[inline(always)]
    unsafe fn in_lanes<V: Words>(self) {
        // SAFETY: the caller says so.
        unsafe { wide::headers::<V>(self.headers, self.hashes) }
    }

    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    unsafe fn by_extensions(self) {
        // SAFETY: the caller says so.
        unsafe { sha_extensions::headers(self.headers, self.hashes) }
    }

    fn plain(self) {
        plain::headers(self.headers, self.hashes);
    }
}

impl Lanes {
    /// The merkle roots of trees whose first leaf is a coinbase and whose other nodes on its way up are `branch`.
    ///
    /// The coinbases begin alike: `midstate` is the state after that. The blocks of each one's tail, padding included,
    /// stand one after another in `tails`, as many for each.
    ///
    /// # Panics
    /// If `tails` is not divided by the number of `roots`, or holds nothing for each.
    pub fn merkle_roots(
        self,
        midstate: &State,
        tails: &[Block],
        branch: &[[u8; 32]],
        roots: &mut [[u8; 32]],
    ) {
        if roots.is_empty() {
            assert!(tails.is_empty(), "tails of nothing");
            return;
        }
        let of_each = tails.len() / roots.len();
        assert!(
            of_each > 0 && tails.len() == of_each * roots.len(),
            "each coinbase has as many blocks"
        );
        for part in self.parts(roots.len()) {
            let task = MerkleRoots {
                midstate,
                tails: &tails[of_each * part.start..of_each * part.end],
                branch,
                roots: &mut roots[part.clone()],
            };
            self.run(part.len(), task);
        }
    }

    /// The hashes of headers.
    ///
    /// # Panics
    /// If there are not as many hashes as headers.
    pub fn headers(self, headers: &[[u8; 80]], hashes: &mut [[u8; 32]]) {
        assert_eq!(headers.len(), hashes.len(), "one hash a header");
        for part in self.parts(headers.len()) {
            let task = Headers {
                headers: &headers[part.clone()],
                hashes: &mut hashes[part.clone()],
            };
            self.run(part.len(), task);
        }
    }
}
